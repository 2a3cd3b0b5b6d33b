// Package scanhttp serves scans over HTTP and asks for them there. [Handler] is
// the API of Scanner.WebService: people submit and read scans, workers claim them
// and report. [Client] is the other side: a scan.Store and a scan.Jobs, so a
// worker needs no way to the database.
//
// docs/modules/scanner.md and docs/openapi/scanner.yaml say what travels.
package scanhttp

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/blob"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported
	ErrUnauthenticated error = fault.Unauthenticated
	ErrForbidden       error = fault.Forbidden
	ErrNotFound        error = fault.NotFound
	ErrConflict        error = fault.Conflict
	ErrFenced          error = fault.Fenced
	ErrLimit           error = fault.Limit
	ErrMismatch        error = fault.Mismatch
	ErrUnavailable     error = fault.Unavailable
)

// The bounds of what travels, in bytes.
const (
	MaxBody    = 1 << 20                      // of a request
	MaxSBOM    = scan.MaxUpload/3*4 + MaxBody // of a submission where SBOMs are taken: in base64, with the rest
	MaxResults = 64 << 20                     // of a request that completes a job
	MaxAnswer  = 64 << 20                     // of an answer that a Client reads
)

// The header fields of submissions, beside the usual ones.
const (
	KeyHeader      = "Idempotency-Key"      // of a request
	ReplayedHeader = "Idempotency-Replayed" // of the answer: "true" where the key was known
)

// Identity is who sends a request.
type Identity struct {
	Tenant  string // required
	Subject string // owns what it submits
	Worker  bool   // may claim jobs and report on them
}

// Documents opens kept documents. A blob.Bucket is one.
type Documents interface {
	// Open gives out verified bytes only.
	Open(ctx context.Context, ref blob.Ref) (io.ReadCloser, error)
}

// States counts the scans of one tenant by their state. A store.Scans does, and a Client.
type States interface {
	States(ctx context.Context) (*scan.StateCounts, error)
}

// Where things are below base.
const (
	base     = "/api/v1"
	scansAt  = "/scans"
	statesAt = "/scan-states"
	root     = base + scansAt
)

// isID reports whether id can be that of a scan. Nothing else is looked up or
// made part of a path.
func isID(id string) bool {
	rest, ok := strings.CutPrefix(id, "scan-")
	return ok && rest != "" && len(id) <= 64 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// isText reports whether s can be an identifier in a header or a body.
func isText(s string, most int) bool {
	return len(s) <= most && strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) < 0 && strings.TrimSpace(s) == s
}

// What travels. The members of scan.Job, scan.Page and finding.Report travel as
// they are.

// submission is a scan.Request without its owner, who is known by other means.
type submission struct {
	Image       string   `json:"image_ref"`
	Platform    string   `json:"platform,omitempty"`
	Formats     []string `json:"formats,omitempty"`
	Priority    *int     `json:"priority,omitempty"`
	StoreLayers bool     `json:"store_layers,omitzero"`
	// Labels are kept with the manifest; rules of notifications match them.
	Labels map[string]string `json:"labels,omitempty"`
	SBOM   *subject          `json:"sbom,omitempty"`
}

// subject is an SBOM that is scanned: its bytes, or the object that they are.
type subject struct {
	Content []byte `json:"content,omitempty"`
	Digest  string `json:"digest,omitempty"`
	Size    int64  `json:"size,omitzero"`
	Chunks  []byte `json:"chunks,omitempty"`
}

// accepted is the answer to a submission, always the same for the same job.
type accepted struct {
	JobID  string     `json:"job_id"`
	Status scan.State `json:"status"`
}

type cancellation struct {
	Reason string `json:"reason"`
}

type documentList struct {
	Documents []document `json:"documents"`
}

// document is a scan.Stored. Chunks and Content are left out of lists unless
// they are asked for.
type document struct {
	Format    string `json:"format"`
	MediaType string `json:"media_type"`
	Name      string `json:"name"`
	object
	Content []byte `json:"content,omitempty"`
}

// object is a blob.Ref.
type object struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	Chunks []byte `json:"chunks,omitempty"`
}

func objectOf(r blob.Ref) object { return object{r.Digest, r.Size, r.Chunks} }
func (o object) ref() blob.Ref   { return blob.Ref{Digest: o.Digest, Size: o.Size, Chunks: o.Chunks} }
func (d document) kept() scan.Stored {
	return scan.Stored{Format: d.Format, MediaType: d.MediaType, Name: d.Name, Ref: d.ref(), Content: d.Content}
}

func documentOf(s scan.Stored) document {
	return document{Format: s.Format, MediaType: s.MediaType, Name: s.Name, object: objectOf(s.Ref), Content: s.Content}
}

// claim is a scan.ClaimRequest; the job is that of the path.
type claim struct {
	Holder  string `json:"holder"`
	Message string `json:"message,omitempty"`
	Length  int64  `json:"length_ns"`
}

// lease is a scan.Lease; the job is that of the path.
type lease struct {
	Epoch    int64          `json:"epoch"`
	Holder   string         `json:"holder"`
	Length   int64          `json:"length_ns"`
	Attempt  int            `json:"attempt"`
	Manifest *scan.Manifest `json:"manifest,omitempty"`
	// Sealed is in the answer to a claim alone.
	Sealed []byte `json:"sealed,omitempty"`
	// Progress is in heartbeats alone.
	Progress []scan.LayerProgress `json:"progress,omitempty"`
}

// leaseOf leaves out the manifest and the sealed credential, which who holds a lease has,
// and the progress.
func leaseOf(l scan.Lease) lease {
	return lease{Epoch: l.Epoch, Holder: l.Holder, Length: int64(l.Length), Attempt: l.Attempt}
}

func (l lease) held(id string) scan.Lease {
	return scan.Lease{JobID: id, Epoch: l.Epoch, Holder: l.Holder, Length: time.Duration(l.Length), Attempt: l.Attempt, Manifest: l.Manifest, Sealed: l.Sealed, Progress: l.Progress}
}

type heartbeat struct {
	Lease lease `json:"lease"`
}

type resolution struct {
	Lease  lease  `json:"lease"`
	Digest string `json:"digest"`
}

type resolved struct {
	Digest string `json:"digest"`
}

type failure struct {
	Lease     lease  `json:"lease"`
	Cause     string `json:"cause"`
	Permanent bool   `json:"permanent,omitzero"`
}

type completion struct {
	Lease   lease   `json:"lease"`
	Results results `json:"results"`
}
