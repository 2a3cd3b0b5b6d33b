package export

import (
	"context"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/store/blob"
)

// Format names what an export is.
type Format string

// The formats.
const (
	SPDX      Format = "spdx"      // SPDX 2.3, JSON
	CycloneDX Format = "cyclonedx" // CycloneDX 1.6, JSON
	SARIF     Format = "sarif"     // SARIF 2.1.0: what was decided
	JUnit     Format = "junit"     // JUnit XML: what was decided
	CSV       Format = "csv"       // a table of what was decided
	OpenVEX   Format = "openvex"   // what holds of each finding, OpenVEX 0.2.0
	CSAF      Format = "csaf"      // the same as a CSAF 2.0 document, profile VEX
	Evidence  Format = "evidence"  // every statement about the scan, and one that binds them
)

// Mode says how far a tenant's evidence goes.
type Mode string

// The modes.
const (
	Off     Mode = "off"      // nothing is signed
	Sign    Mode = "sign"     // statements are signed
	SignLog Mode = "sign+log" // and have a receipt of the log, and a timestamp where there is an authority
)

// Settings are what a tenant wants to have exported.
type Settings struct {
	Mode Mode `json:"mode"`
	// Formats are made of each scan that completes, sorted.
	Formats []Format `json:"formats"`
	// Targets are what exports are pushed to.
	Targets []Destination `json:"targets,omitempty"`
	// Number, By and At say which revision of the settings this is, and whose. A store
	// sets Number and At.
	Number int64     `json:"number,omitzero"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// Destination is a place that exports are pushed to.
type Destination struct {
	Name string `json:"name"`
	// URL is file:…, s3://…, oci://REGISTRY/REPOSITORY or https://….
	URL string `json:"url"`
	// Formats are pushed there, all that are made where it is empty.
	Formats []Format `json:"formats,omitempty"`
	// Secret is a reference to what the place asks for, such as "env:NAME"; never the
	// secret.
	Secret string `json:"secret,omitempty"`
}

// State is where an export stands.
type State string

// The states. One that is completed or failed may be queued again, by another request
// or because a proof came; what was made before is kept until then.
const (
	Queued    State = "queued"
	Completed State = "completed"
	Failed    State = "failed"
)

// Inputs are what an export is made of.
type Inputs struct {
	SBOM    string `json:"sbom"`              // digest of the neutral document
	Report  int64  `json:"report,omitzero"`   // the head of the report of findings
	Verdict string `json:"verdict,omitempty"` // the key of the verdict; "" without one
	KeyID   string `json:"key,omitempty"`     // the key that signs; "" unsigned
	Logged  bool   `json:"logged,omitzero"`   // whether proofs are wanted
	Tool    string `json:"tool"`              // the version of what makes it
}

// Object is something that was made and is kept.
type Object struct {
	Name      string   `json:"name"` // of the file, such as "sbom.spdx.json"
	MediaType string   `json:"media_type"`
	Ref       blob.Ref `json:"ref"`
}

// Export is what is kept of an export.
type Export struct {
	ScanID string
	Format Format
	State  State
	// Key is the digest of Format and Inputs, those that are wanted.
	Key    string
	Inputs Inputs
	// Version counts what was made under the key, from 1 on: a proof that came later
	// makes another version of the bundle.
	Version int
	// Attempt counts attempts since it was queued. Reason says why it failed, or what
	// went wrong at the last attempt.
	Attempt int
	Reason  string
	// Made is what was made last, nil before the first time. It may be of another key
	// while a newer one is queued.
	Made *Made
	// Created and Updated are by the store's clock.
	Created, Updated time.Time
}

// Made is the result of an export.
type Made struct {
	Key      string
	Version  int
	Document Object
	// Bundle holds the signed statements, as JSON Lines; its Ref is zero where nothing
	// was signed.
	Bundle Object
	// Attestations are the ids of those in the bundle, sorted.
	Attestations []string
	// Missing are the kinds of proof that are wanted and are not in the bundle yet.
	Missing []string
	At      time.Time // when it was kept, by the store's clock
}

// Request asks for exports of one scan.
type Request struct {
	ScanID string
	Wanted []Wanted
	// Event is the id of the event that asks for it, noted in the group export in the same
	// transaction; "" where a person asks.
	Event string
	By    string
}

// Wanted is one export that is asked for.
type Wanted struct {
	Format Format
	Key    string
	Inputs Inputs
	// Again has it made although it is there: an object of it was lost.
	Again bool
}

// Result is an export that was made.
type Result struct {
	ScanID string
	Format Format
	Made   Made // without At
	// Push names the destinations that it is pushed to.
	Push    []string
	Message string // the id of the message that asked for it, noted in the group export-workers
}

// Failure is an attempt that failed.
type Failure struct {
	ScanID    string
	Format    Format
	Key       string
	Version   int
	Message   string
	Reason    string
	Permanent bool // trying again would fail the same way
}

// Store keeps the exports of one tenant. It is safe for concurrent use. What a method
// returns without an error is durable.
type Store interface {
	// Settings returns what the tenant wants; the zero Settings, of Mode "", where
	// nobody said.
	Settings(ctx context.Context) (*Settings, error)
	// SetSettings keeps a new revision. An error wraps ErrConflict where s.Number is not
	// that of the revision that stands.
	SetSettings(ctx context.Context, s *Settings) error
	// Request notes that exports are wanted and announces each that is not already made
	// or queued under its key, on export:jobs, together with the event. It returns what is
	// kept of those that were asked for, in their order. Repeating a call is no error. One
	// that failed is queued again. An error wraps ErrNotFound where there is no such scan.
	Request(ctx context.Context, r *Request) ([]Export, error)
	// Exports returns what is kept about a scan's exports, sorted by format. An error
	// wraps ErrNotFound where there is no such scan.
	Exports(ctx context.Context, scanID string) ([]Export, error)
	// Finish keeps what was made, has the scan refer to its objects, and announces what
	// is to be pushed, unless the same version is kept already. What is not wanted any
	// more under this key is left alone. An error wraps ErrNotFound where the scan is gone.
	Finish(ctx context.Context, r *Result) error
	// Fail notes a failed attempt. final reports that there will be no other: the export
	// is failed then, or it is gone, and the message is noted.
	Fail(ctx context.Context, f *Failure) (final bool, err error)
}

// Push is an export that is to be at a destination.
type Push struct {
	ScanID      string
	Format      Format
	Destination string
	// Digest is that of the object that is pushed: of the bundle, or of the document where
	// nothing is signed.
	Digest  string
	State   State
	Attempt int
	Reason  string // what went wrong at the last attempt
	Receipt string // what the destination answered, such as a digest or a location
	Updated time.Time
}

// Pushes keeps what was pushed for one tenant. It is safe for concurrent use.
type Pushes interface {
	// Pushes returns those of a scan, sorted by format, destination and digest.
	Pushes(ctx context.Context, scanID string) ([]Push, error)
	// Pushed notes the outcome of an attempt, with the message, unless the push is
	// completed already. A push that failed is given back after a backoff until the last
	// attempt; permanent ends it at once. final reports that nothing follows.
	Pushed(ctx context.Context, p *Push, message string, permanent bool) (final bool, err error)
}

// Scan is what is kept of a scan that exports are made of.
type Scan struct {
	ID        string
	Completed bool
	Image     string // the reference
	Resolved  string // the digest that the reference stood for: of an index or a manifest
	Config    string // the digest of the image's configuration
	// Documents are those that are kept, the neutral one among them, sorted by format.
	Documents []Document
	SBOM      string // digest of the neutral document
	Snapshot  string // digest of the advisory data of the newest report; "" means not assessed
	// Reports are the heads of all reports about it, the newest first; none where nothing
	// was matched.
	Reports []int64
	// Verdicts are what holds, sorted by environment; none without a policy.
	Verdicts []policy.Standing
	At       time.Time // when the results were stored
}

// Document is a document of a scan.
type Document struct {
	Format, MediaType, Name string
	Ref                     blob.Ref
	Content                 []byte // where the relational store keeps it too
}

// Source reads what is kept of one tenant's scans. It is safe for concurrent use.
type Source interface {
	// Scan returns a scan as it stands at one moment. An error wraps ErrNotFound.
	Scan(ctx context.Context, scanID string) (*Scan, error)
	// Report returns the findings of a head about a scan. An error wraps ErrNotFound.
	Report(ctx context.Context, scanID string, head int64) (*finding.Report, error)
	// Verdict returns one of the verdicts that there were about a scan, with its trace, by
	// the key of its inputs or by its digest. An error wraps ErrNotFound.
	Verdict(ctx context.Context, scanID, name string) (*policy.Record, error)
}
