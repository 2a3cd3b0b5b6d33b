package scan

import (
	"context"
	"io"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/store/blob"
)

// Store keeps the jobs of one tenant. It is safe for concurrent use. What a
// method returns without an error is durable. An error wraps a kind of this
// package; ErrUnavailable means that the same call may succeed later.
type Store interface {
	// Submit stores a job, its manifest, its idempotency row and its events
	// together. The same key and request give the same job again, with repeated
	// true; the same key with another request is ErrConflict. An empty key
	// stands for itself alone.
	Submit(ctx context.Context, r Request, key string) (job *Job, repeated bool, err error)
	// Job returns one job, or an error wrapping ErrNotFound.
	Job(ctx context.Context, id string) (*Job, error)
	// List returns jobs, the newest first.
	List(ctx context.Context, q Query) (*Page, error)
	// Manifest returns the canonical JSON of the job's Manifest.
	Manifest(ctx context.Context, id string) ([]byte, error)
	// Cancel ends a job. One that was cancelled before is no error; one that
	// ended otherwise is ErrConflict.
	Cancel(ctx context.Context, id, reason string) (*Job, error)
	// Documents returns what is kept of a job's documents, sorted by format.
	Documents(ctx context.Context, id string) ([]Stored, error)
	// Findings returns the report that was stored with the job's results.
	Findings(ctx context.Context, id string) (*finding.Report, error)
}

// Query selects jobs. The zero value selects all; what is set must all hold.
type Query struct {
	State State  // "" for any
	Image string // exactly this reference; "" for any
	// Text is a part of the reference, whatever the case of its ASCII letters; "" for any.
	// At most MaxReference bytes.
	Text string
	// Outcome is what holds about the job now, as [Job.Holds] says it, such as "block"; ""
	// for any, also for none.
	Outcome string
	// Latest selects, of each image reference, only the newest job that was not cancelled.
	Latest bool
	After  string // the Next of the page before
	Limit  int    // 1 to 1000; 0 means 100
}

// Page is a part of a list.
type Page struct {
	Jobs []Job  `json:"scans"`
	Next string `json:"next,omitempty"` // "" after the last page
}

// Stored is a document of a scan that is kept.
type Stored struct {
	Format    string   `json:"format"` // "stella-json" for the neutral document
	MediaType string   `json:"media_type"`
	Name      string   `json:"name"` // of the file, such as "sbom.spdx.json"
	Ref       blob.Ref `json:"ref"`
	// Content is set for documents of at most MaxInline bytes, which the
	// relational store keeps too.
	Content []byte `json:"content,omitempty"`
}

// MaxInline is the size up to which a document is kept in the relational store
// as well, in bytes.
const MaxInline = 1 << 20

// Uploads keep SBOMs that are uploaded to be scanned. A blob.Bucket is one.
type Uploads interface {
	// Put keeps the bytes of r under their content. Doing it twice is no error.
	Put(ctx context.Context, r io.Reader) (blob.Ref, error)
	// Stat returns an error wrapping ErrNotFound for an object that is not there.
	Stat(ctx context.Context, ref blob.Ref) (blob.Info, error)
}

// Jobs is what a worker does with the jobs of one tenant. Every call but Claim
// is refused with ErrFenced when another holder has the job by now, or when the
// job was cancelled: the worker must then stop. A store is one, and so is the
// client of package scanhttp.
type Jobs interface {
	// Claim takes a job for a while. An error wraps ErrConflict when there is
	// nothing to do: the job has ended, or another worker holds it.
	Claim(ctx context.Context, c ClaimRequest) (*Lease, error)
	// Heartbeat extends a lease from now on, and returns its new end.
	Heartbeat(ctx context.Context, l Lease) (*Lease, error)
	// Resolve notes what digest the reference stands for, once: it returns what
	// an earlier attempt had noted, else digest.
	Resolve(ctx context.Context, l Lease, digest string) (string, error)
	// Complete stores the results, and the job is evaluating. Repeating a call
	// whose answer was lost is no error.
	Complete(ctx context.Context, l Lease, r Results) error
	// Fail ends the attempt. The job is queued again after a backoff, or dead
	// after the last attempt, or failed where the failure is permanent.
	Fail(ctx context.Context, l Lease, f Failure) error
}

// ClaimRequest says who takes which job for how long.
type ClaimRequest struct {
	JobID   string
	Holder  string // names the worker
	Message string // ID of the message that told of the job
	Length  time.Duration
}

// Lease is a job that a worker holds. Its epoch is larger than that of every
// earlier holder.
type Lease struct {
	JobID    string
	Epoch    int64
	Holder   string
	Length   time.Duration
	Attempt  int
	Manifest *Manifest
	// Sealed is the request's Authorization as the store keeps it, in a lease of Claim;
	// nil where there was none, or its time is over.
	Sealed []byte
	// Progress, in a heartbeat, is how far the attempt is; nil leaves what is known. It is
	// for people to look at: nothing depends on it, and it may be lost.
	Progress []LayerProgress
}

// Failure says why an attempt failed.
type Failure struct {
	Cause     string `json:"cause"`     // at most MaxReason bytes are kept
	Permanent bool   `json:"permanent"` // trying again would fail the same way
}

// Results are what a worker found. They are stored in one transaction.
type Results struct {
	ImageDigest string            `json:"image_digest,omitempty"`
	SBOMDigest  string            `json:"sbom_digest"` // of the stella-json document
	Documents   []Stored          `json:"documents"`
	Fragments   []blob.Ref        `json:"fragments,omitempty"`
	Packages    []PackageFact     `json:"packages"`
	Gaps        int               `json:"gaps,omitzero"`
	Blocked     bool              `json:"blocked,omitzero"`
	Report      *finding.Report   `json:"report,omitempty"` // nil: not matched
	Inputs      map[string]string `json:"inputs,omitempty"`
}

// PackageFact is a row of the package index.
type PackageFact struct {
	ID      string `json:"id"` // in the neutral document
	PURL    string `json:"purl,omitempty"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	// Keys are what advisories are asked about the package, and Fact what it is
	// matched again by; see [finding.PackageKey]. Without them a new advisory does
	// not find it.
	Keys []finding.Key `json:"keys,omitempty"`
	Fact string        `json:"fact,omitempty"`
}
