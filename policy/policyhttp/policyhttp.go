// Package policyhttp serves policies, exceptions and verdicts over HTTP and asks for
// them there. [Handler] is the API of the Policy Gateway; [Client] is the other side.
//
// A caller that waits for a verdict must take every answer but a verdict that allows
// for a refusal: see docs/modules/policy.md, which with docs/openapi/policy.yaml says
// what travels.
package policyhttp

import (
	"context"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
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

// The bounds of what travels, in bytes.
const (
	MaxPolicy = 1 << 20   // of the text of a policy
	MaxBody   = 2 << 20   // of any other request
	MaxAnswer = 64 << 20  // of an answer that a Client reads
	MaxTrace  = 256 << 20 // of a trace that a Client reads
	maxName   = 128       // of an id
	maxKey    = 255       // of an idempotency key
)

// The header fields beside the usual ones.
const (
	KeyHeader      = "Idempotency-Key"      // of a request that makes an exception
	ReplayedHeader = "Idempotency-Replayed" // of the answer: "true" where it was made before
)

const root = "/api/v1"

// Identity is who sends a request. Everybody of a tenant may read.
type Identity struct {
	Tenant  string // required
	Subject string
	Author  bool // may keep policies and put them in force
	// Approver may make and revoke exceptions. Who makes one is its approver.
	Approver bool
}

// Store is what a Handler reads and writes for one tenant. A store.Policy is one.
type Store interface {
	Policies
	Exceptions
	Verdicts
}

// Policies are the policies of a tenant.
type Policies interface {
	// Add keeps a version; repeated reports that the same was kept before.
	Add(ctx context.Context, p *policy.Policy, source []byte, by string) (r *policy.Revision, repeated bool, err error)
	// Revision returns a version, the newest for 0.
	Revision(ctx context.Context, id string, version int) (*policy.Revision, error)
	// Revisions lists versions by id, the newest first.
	Revisions(ctx context.Context, after string, limit int) (list []policy.Revision, next string, err error)
	// Activate puts a version in force, or ends what is for the zero policy.
	Activate(ctx context.Context, a policy.Activation) (*policy.Activation, error)
	// Activations lists what was put in force, the newest first.
	Activations(ctx context.Context, before int64, limit int) ([]policy.Activation, error)
}

// Exceptions are the exceptions of a tenant.
type Exceptions interface {
	// Except keeps an exception; repeated reports that the same was kept before.
	Except(ctx context.Context, e policy.Exception, by string) (k *policy.KeptException, repeated bool, err error)
	// Exception returns one with its history.
	Exception(ctx context.Context, id string) (*policy.KeptException, error)
	// Exceptions lists them by id.
	Exceptions(ctx context.Context, after string, limit int) ([]policy.Exception, error)
	// Revoke takes one back.
	Revoke(ctx context.Context, id, by, reason string) (*policy.KeptException, error)
}

// Verdicts are the verdicts about the scans of a tenant.
type Verdicts interface {
	// Find returns a verdict by its key, with its trace.
	Find(ctx context.Context, key string) (*policy.Record, error)
	// Current returns what holds about a scan.
	Current(ctx context.Context, scanID string) ([]policy.Standing, error)
	// Decisions lists the verdicts that there were about a scan, the newest first.
	Decisions(ctx context.Context, scanID, after string, limit int) (list []policy.Decision, next string, err error)
}

// Simulation asks what a policy would say about a scan.
type Simulation struct {
	ScanID string `json:"scan_id"`
	// Policy is its text.
	Policy      string `json:"policy"`
	Environment string `json:"environment,omitempty"`
	// At is the evaluation time; zero for now.
	At time.Time `json:"at,omitzero"`
	// Trace asks for the trace as well.
	Trace bool `json:"trace,omitzero"`
}

// Simulated is the answer to a Simulation. It is not kept.
type Simulated struct {
	Outcome  policy.Outcome `json:"outcome"`
	Because  string         `json:"because,omitempty"`
	Blocking []string       `json:"blocking,omitempty"`
	// Verdict and Trace are as they would be kept.
	Verdict jsontext.Value `json:"verdict"`
	Trace   jsontext.Value `json:"trace,omitempty"`
}

// Standings is what holds about a scan.
type Standings struct {
	ScanID string `json:"scan_id"`
	// Outcome is the worst of all; NotAssessed where nothing holds. Allows says whether
	// the image may be used; never where nothing was decided or an evaluation failed.
	Outcome  policy.Outcome    `json:"outcome"`
	Allows   bool              `json:"allows"`
	Stale    bool              `json:"stale"` // one of them is
	Verdicts []policy.Standing `json:"verdicts"`
}

// Worst returns the first verdict with the outcome of all; nil where nothing was decided.
func (s *Standings) Worst() *policy.Standing {
	for i := range s.Verdicts {
		if s.Verdicts[i].Outcome == s.Outcome {
			return &s.Verdicts[i]
		}
	}
	return nil
}

// Draft is an exception that is asked for: who asks is its approver, and the store
// says since when it counts.
type Draft struct {
	// ID is a name of its own; "" has one made.
	ID       string                `json:"id,omitempty"`
	Scope    policy.ExceptionScope `json:"scope"`
	Effect   policy.Effect         `json:"effect"`
	Severity finding.Severity      `json:"severity,omitempty"`
	Control  string                `json:"control,omitempty"`
	// Owner answers for it; "" for who asks.
	Owner         string            `json:"owner,omitempty"`
	Reason        string            `json:"reason"`
	Justification vex.Justification `json:"justification,omitempty"`
	Expires       time.Time         `json:"expires,omitzero"`
	Basis         []policy.Basis    `json:"basis,omitempty"`
}

// activation is the body that puts a policy in force.
type activation struct {
	Environment string   `json:"environment"`
	Controls    []string `json:"controls,omitempty"`
	Rollback    bool     `json:"rollback,omitzero"`
	Reason      string   `json:"reason,omitempty"`
}

// ending is the body that has no policy in force any more.
type ending struct {
	Environment string `json:"environment"`
	Reason      string `json:"reason"`
}

type revocation struct {
	Reason string `json:"reason"`
}

type revisionPage struct {
	Policies []policy.Revision `json:"policies"`
	Next     string            `json:"next,omitempty"`
}

type activationPage struct {
	Activations []policy.Activation `json:"activations"`
	Next        int64               `json:"next,omitzero"`
}

type exceptionPage struct {
	Exceptions []policy.Exception `json:"exceptions"`
	Next       string             `json:"next,omitempty"`
}

type decisionPage struct {
	Verdicts []policy.Decision `json:"verdicts"`
	Next     string            `json:"next,omitempty"`
}

// isScan reports whether id can be that of a scan. Nothing else is looked up or made
// part of a path.
func isScan(id string) bool {
	rest, ok := strings.CutPrefix(id, "scan-")
	return ok && rest != "" && len(id) <= 64 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// isName reports whether s can be an id in a path.
func isName(s string, most int) bool {
	return s != "" && s != "." && s != ".." && len(s) <= most && strings.IndexFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == '/' }) < 0
}
