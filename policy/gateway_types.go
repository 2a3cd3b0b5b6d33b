package policy

import (
	"context"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/vex"
)

// Store is what a [Gateway] reads and writes for one tenant. A store.Tenant gives
// one. It is safe for concurrent use.
type Store interface {
	// Load reads everything that verdicts about a scan follow from, as it stood at one
	// moment. An error wraps ErrNotFound where there is no such scan, or it has no
	// results.
	Load(ctx context.Context, q Request) (*Loaded, error)
	// Keep stores verdicts with their traces under their keys, makes those that are
	// newer than what holds the ones that hold, announces what changed, notes the
	// message and when the scan is due again, in one transaction. Repeating a call is
	// no error. An error wraps ErrMismatch where another verdict is kept under a key,
	// and ErrLimit where a trace is too large.
	Keep(ctx context.Context, b *Batch) error
	// Fail notes a failed attempt. final reports that there will be no other soon, and
	// that the message is noted: the scan has the outcome Error in every environment
	// then, or it is gone.
	Fail(ctx context.Context, f *Failure) (final bool, err error)
	// Find returns a verdict by its key, with its trace. Both are verified. An error
	// wraps ErrNotFound.
	Find(ctx context.Context, key string) (*Record, error)
	// Current returns what holds about a scan, sorted by environment; none is no error.
	Current(ctx context.Context, scanID string) ([]Standing, error)
}

// Request says what is decided about.
type Request struct {
	ScanID string
	// Environments are those to decide for; nil for all that have a policy.
	Environments []string
	// At is the evaluation time. It is required, and every attempt has the same.
	At time.Time
	// Head has the report that was made with an advisory head taken, and not the
	// newest; 0 for the newest.
	Head int64
	// Cause says why, for people; Message is the id of the message that asks for it,
	// "" for none.
	Cause, Message string
}

// Loaded is what verdicts about a scan follow from, all of one moment.
type Loaded struct {
	ScanID string
	Image  string // the reference that was scanned
	Digest string // of the image's configuration; "" where it is none
	// Document is the scan's neutral document.
	Document Document
	// Report is what matching found, nil where nobody matched, and Head with which
	// head of the advisories, 0 where that is not known.
	Report *finding.Report
	Head   int64
	// Active are the policies in force, sorted by environment.
	Active []Active
	// Exceptions are all of the tenant's, sorted by id.
	Exceptions []Exception
	// Trust is the one in force; never nil.
	Trust *vex.Trust
	// VEX are the newest sets of statements: what is public, then the tenant's.
	VEX   []StatementSet
	Marks Marks
}

// Document is a scan's neutral document, or where to get it.
type Document struct {
	Digest  string
	Size    int64
	Chunks  []byte // a digest for each MiB, as a blob.Ref has them
	Content []byte // nil where it is an object only
}

// Active is a policy in force in an environment.
type Active struct {
	Environment string
	Policy      Named
	Digest      string
	Body        []byte // canonical JSON; not verified yet
	Controls    []string
}

// StatementSet is a set of statements by its place in the succession.
type StatementSet struct {
	Tenant bool // it is the tenant's own, and not public
	Number int64
	Digest string
}

// Marks number the states of what verdicts follow from. Each only grows. They say
// which of two loads came first.
type Marks struct {
	Report     int64 `json:"report"`     // of the scan, in the order of storing
	Head       int64 `json:"head"`       // advisory head of the report
	Policies   int64 `json:"policies"`   // activations
	Exceptions int64 `json:"exceptions"` // events of exceptions
	Trust      int64 `json:"trust"`      // changes of the trust
	VEX        int64 `json:"vex"`        // public head
	Own        int64 `json:"own"`        // the tenant's head
}

// Precedes reports whether m is of an earlier moment than o.
func (m Marks) Precedes(o Marks) bool {
	return m.Report < o.Report || m.Policies < o.Policies || m.Exceptions < o.Exceptions || m.Trust < o.Trust || m.VEX < o.VEX || m.Own < o.Own
}

// Batch is what is decided about a scan at once, in all environments.
type Batch struct {
	ScanID string
	At     time.Time
	Cause  string
	// Message is the id of the message that asked for it, "" for none.
	Message string
	// Marks are those that the inputs were loaded with.
	Marks   Marks
	Records []Record
	// Vulnerabilities are the ids and aliases that the report has, in upper case,
	// sorted: who hears of one of them asks for another verdict.
	Vulnerabilities []string
}

// Record is a verdict as it is kept, or the outcome Error without one.
type Record struct {
	Environment string
	Policy      Named
	Outcome     Outcome
	Because     string
	// Key is that of the verdict's inputs and Digest that of Body. All but Because is
	// empty where the evaluation failed: a failure is no function of the inputs, and
	// has no key.
	Key, Digest string
	At          time.Time
	NextChange  time.Time // zero means never
	// Body and Trace are the verdict and its trace, as canonical JSON.
	Body, Trace []byte
	// Blocking are the findings that block, "VULNERABILITY PURL", sorted, each once.
	Blocking []string
	// Open counts what is open by the verdict; nil where there is none, or it was not
	// counted. A store keeps it with what holds: one of Find has none.
	Open *Open
}

// Failure is an attempt that failed.
type Failure struct {
	ScanID    string
	At        time.Time
	Message   string
	Reason    string
	Permanent bool // trying again would fail the same way
}

// Standing is what holds about a scan in one environment.
type Standing struct {
	Environment string  `json:"environment"`
	Outcome     Outcome `json:"outcome"`
	Because     string  `json:"because,omitempty"`
	// Key and Digest name the verdict; "" where the outcome is Error.
	Key     string    `json:"key,omitempty"`
	Digest  string    `json:"digest,omitempty"`
	Policy  Named     `json:"policy"`
	Blocked int       `json:"blocked"` // findings that block
	At      time.Time `json:"at"`
	// NextChange is when it is decided again for the passing of time alone.
	NextChange time.Time `json:"next_change_at,omitzero"`
	// Since is when the outcome or the set of blocking findings became this.
	Since time.Time `json:"since"`
	// Stale says that something has changed that it follows from, or may, and that
	// nobody has decided again yet. Evaluated and Newest are the states of then and
	// now.
	Stale     bool  `json:"stale"`
	Evaluated Marks `json:"evaluated"`
	Newest    Marks `json:"newest"`
}

// Decision is one of the verdicts that there were about a scan.
type Decision struct {
	Environment string    `json:"environment"`
	Key         string    `json:"key"`
	Digest      string    `json:"digest"`
	Outcome     Outcome   `json:"outcome"`
	Cause       string    `json:"cause"`
	At          time.Time `json:"at"`
	Kept        time.Time `json:"kept_at"`
}

// Revision is a version of a policy as it is kept.
type Revision struct {
	ID      string    `json:"id"`
	Version int       `json:"version"`
	Digest  string    `json:"digest"`
	Title   string    `json:"title,omitempty"`
	By      string    `json:"by,omitempty"`
	Created time.Time `json:"created_at"`
	// Environments are those where it is in force, sorted.
	Environments []string `json:"environments,omitempty"`
	// Policy and Source, the text that it was read from, are nil in lists.
	Policy *Policy `json:"policy,omitempty"`
	Source []byte  `json:"-"`
}

// Activation is a policy that was put in force in an environment. The zero Policy says
// that none is in force any more.
type Activation struct {
	Number      int64  `json:"number"` // from 1 on; a store sets it
	Environment string `json:"environment"`
	Policy      Named  `json:"policy"`
	Digest      string `json:"digest"`
	// Controls are the controls that are in place in the environment.
	Controls []string `json:"controls,omitempty"`
	// Rollback says that a newer version was in force. It needs a Reason.
	Rollback bool      `json:"rollback,omitzero"`
	By       string    `json:"by,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at"` // a store sets it
}

// ExceptionEvent is what became of an exception.
type ExceptionEvent struct {
	Number int64     `json:"number"`
	Kind   string    `json:"kind"` // "created", "revoked" or "expired"
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// KeptException is an exception with its history.
type KeptException struct {
	Exception Exception        `json:"exception"`
	Events    []ExceptionEvent `json:"events"`
}
