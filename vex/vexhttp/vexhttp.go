// Package vexhttp serves VEX over HTTP and asks for it there. [Handler] is the API
// of Excititor: a tenant uploads documents of its own, reads what suppliers say and
// what is decided, says whom it believes, and fetches sets of statements by digest.
// [Client] is the other side, and gives a [vex.View] that asks the service for each
// answer.
//
// A tenant has two scopes: its own, and what is public, which it reads. They are
// never mixed in an answer; who evaluates joins both.
//
// docs/modules/excititor.md and docs/openapi/excititor.yaml say what travels.
package vexhttp

import (
	"context"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/vex"
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
	MaxBody     = 1 << 20   // bytes of a request, but for documents and trusts
	MaxDocument = 64 << 20  // bytes of a document
	MaxTrust    = 4 << 20   // bytes of a trust
	MaxAnswer   = 256 << 20 // bytes of an answer that a Client reads
	MaxFile     = 16 << 30  // bytes of a snapshot
	MaxPage     = 500       // statements or decisions on one page
	MaxShown    = 1000      // statements in the answer to an upload
	MaxNames    = 1000      // vulnerabilities in one query of a view
	MaxFound    = 20_000    // statements in the answer to such a query
	maxName     = 1024      // bytes of a name in a query
)

const root = "/api/v1/vex"

// Upload is the name of the source that uploaded documents belong to. An issuer of a
// trust that lists it counts what was uploaded as its.
const Upload = "upload"

// Scope is whose VEX a request is about.
type Scope string

// The scopes. The zero value is Own.
const (
	Own    Scope = "own"
	Public Scope = "public"
)

// Identity is who sends a request.
type Identity struct {
	Subject string
	// Tenant is whose own scope it has; "" for none.
	Tenant string
	// Writer may upload documents to the tenant's own scope, Admin say whom the tenant
	// believes, and Operator do both for what is public.
	Writer, Admin, Operator bool
}

// VEX is what a Handler reads and writes of one scope; store.VEX is one.
type VEX interface {
	vex.Feeds
	vex.Heads
	Reading(ctx context.Context, source, name string) (*vex.Reading, error)
	Trust(ctx context.Context, digest string) (*vex.Trust, error)
	SetTrust(ctx context.Context, trust *vex.Trust, by string) (digest string, err error)
}

// Item is a statement with its ID.
type Item struct {
	ID        string         `json:"id"`
	Statement *vex.Statement `json:"statement"`
}

// StatementPage is a part of what is said.
type StatementPage struct {
	Head       int64  `json:"head"` // as of which it is said; 0 for before the first
	Statements []Item `json:"statements"`
	Next       string `json:"next,omitempty"` // the after of the next page; "" after the last
}

// DecisionPage is a part of what is decided as of the newest head.
type DecisionPage struct {
	Decisions []vex.Decision `json:"decisions"`
	Next      int            `json:"next,omitzero"` // the after of the next page; 0 after the last
}

// Uploaded is what came of a document. Statements are the first MaxShown of Count;
// they are released, and decided about with the next head.
type Uploaded struct {
	Reading    vex.Reading `json:"reading"`
	Count      int         `json:"count"`
	Statements []Item      `json:"statements"`
}

// InForce is a trust with its digest.
type InForce struct {
	Digest string     `json:"digest"`
	Trust  *vex.Trust `json:"trust"`
}

// sourceList is the answer about all sources.
type sourceList struct {
	Sources []vex.SourceState `json:"sources"`
}

// question asks a view.
type question struct {
	Vulnerabilities []string `json:"vulnerabilities"`
}

// found is the answer.
type found struct {
	Statements []Item `json:"statements"`
}

func itemsOf(list []*vex.Statement) []Item {
	out := make([]Item, len(list))
	for i, s := range list {
		out[i] = Item{s.ID, s}
	}
	return out
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

func notThere(what, name string) error {
	return fmt.Errorf("%s %.100q: %w", what, name, fault.NotFound)
}

func badQuery(format string, args ...any) error {
	return httpjson.BadRequest("query: "+format, args...)
}

// isText reports whether s can be an id or a name in a query.
func isText(s string) bool {
	return s != "" && len(s) <= maxName && strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) < 0
}
