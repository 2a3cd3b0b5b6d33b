// Package advisoryhttp serves advisories over HTTP and asks for them there.
// [Handler] is the API of Concelier: what is known about an id or a package, with
// the documents that it is from; heads and what changed in them; sources, and
// runs that wait for approval; matching and explaining. [Client] is the other
// side: it fetches snapshots by digest for a snapshot.Cache, and gives an
// [advisory.View] that asks the service for each answer.
//
// docs/modules/concelier.md and docs/openapi/concelier.yaml say what travels.
package advisoryhttp

import (
	"context"
	"iter"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported
	ErrUnauthenticated error = fault.Unauthenticated
	ErrForbidden       error = fault.Forbidden
	ErrNotFound        error = fault.NotFound
	ErrConflict        error = fault.Conflict
	ErrLimit           error = fault.Limit
	ErrMismatch        error = fault.Mismatch
	ErrUnavailable     error = fault.Unavailable
)

// The bounds of what travels.
const (
	MaxBody     = 1 << 20   // bytes of a request
	MaxDocument = 256 << 20 // bytes of an SBOM that is matched
	MaxAnswer   = 256 << 20 // bytes of an answer that a Client reads
	MaxObject   = 4 << 30   // bytes of a part of a snapshot
	MaxLookups  = 5000      // questions in one query of a view
	MaxTexts    = 100       // of them, for texts, which may be long
	MaxEntries  = 200_000   // affected packages and refs in the answer to such a query
	MaxKnown    = 500       // records on one page, or about one id
	MaxFacts    = 1000      // on one page
)

const root = "/api/v1/advisories"

// Identity is who sends a request.
type Identity struct {
	Subject string
	// Operator may approve runs that are held, and have sources read.
	Operator bool
}

// Advisories is what a Handler reads. The store's advisories are one.
type Advisories interface {
	Head(ctx context.Context, number int64) (*advisory.Head, error)
	Sources(ctx context.Context) ([]advisory.SourceState, error)
	Approve(ctx context.Context, source string, run int64, by string) error
	Linkset(ctx context.Context, key string) (*advisory.Linkset, error)
	Facts(ctx context.Context, head int64) iter.Seq2[advisory.Fact, error]
	Raw(ctx context.Context, digest string) ([]byte, error)
}

// Known is a record with all that is known of it.
type Known struct {
	Ref    uint64           `json:"ref,string"`
	Record *advisory.Record `json:"record"`
	Text   *advisory.Text   `json:"text,omitempty"`
}

// Answer is what is known about an id or a package.
type Answer struct {
	Snapshot string              `json:"snapshot"`
	Records  []Known             `json:"records"`
	Linksets []*advisory.Linkset `json:"linksets,omitempty"`
	Signals  []advisory.Signal   `json:"signals,omitempty"`
	Next     int                 `json:"next,omitzero"` // the after of the next page of a package; 0 after the last
}

// FactPage is a part of what changed with a head.
type FactPage struct {
	Head  int64           `json:"head"`
	Facts []advisory.Fact `json:"facts"`
	Next  int             `json:"next,omitzero"` // the after of the next page; 0 after the last
}

// Approval releases a run that is held.
type Approval struct {
	Run int64 `json:"run"`
}

// Question asks why a package is or is not affected.
type Question struct {
	PURL          string `json:"purl"`
	Vulnerability string `json:"vulnerability"`
}

// Options are those of matching and explaining. A nil *Options asks the newest
// head, with the defaults of [advisory.Options]; the service has the clock.
type Options struct {
	Snapshot   string // digest of the snapshot to ask; "" for that of the newest head
	MatchOwned bool   // see advisory.Options
	CPE        bool   // see advisory.Options
}

// sourceList is the answer about all sources.
type sourceList struct {
	Sources []advisory.SourceState `json:"sources"`
}

// headNumber reads the number of a head in a path; "current" is 0.
func headNumber(text string) (int64, error) {
	if text == "current" {
		return 0, nil
	}
	n, ok := httpjson.Number(text, 64)
	if !ok {
		return 0, notThere("head", text)
	}
	return n, nil
}

// isText reports whether s can be an id or a name in a path.
func isText(s string, most int) bool {
	return s != "" && len(s) <= most && strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) < 0
}
