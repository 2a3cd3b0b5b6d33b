// Package schedule has scans matched again when advisories change.
//
// A [Scheduler] turns what is announced of a new head into evaluations: jobs that
// are known by their scan and the number of the head, so that whoever schedules
// one twice has scheduled it once. An [Evaluator] runs them: it reads the scan's
// neutral document, matches it with the head's snapshot and stores another report.
// Reports are added, never changed.
//
// The store schedules an evaluation as well, in the transaction that completes a
// scan, where the scan was matched with an older head than the current one.
//
// A [Plan] is what a tenant has scheduled: at the moments of its [Cron], images are
// scanned again, evaluated, or looked after in their registries. A [Runner] does so, in
// the term of a leader.
package schedule

import (
	"context"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
)

// The kinds of error that this package and its stores return, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid
	ErrNotFound    error = fault.NotFound
	ErrConflict    error = fault.Conflict
	ErrFenced      error = fault.Fenced
	ErrUnavailable error = fault.Unavailable
	ErrMismatch    error = fault.Mismatch
)

// State is where an evaluation stands.
type State string

// The states. An evaluation is pending until somebody holds it, and ends in one of
// the last three.
const (
	Pending State = "pending"
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed" // for a reason that trying again would not change
	Dead    State = "dead"   // after the last attempt
)

// CauseCompletion is the cause of evaluations that are due because a scan was
// completed with older advisories than the current ones; CauseFirst of those that
// are due because there were none before. Other causes are those of drift.
const (
	CauseCompletion = "completion"
	CauseFirst      = "first"
)

// Job asks for an evaluation.
type Job struct {
	Tenant   string
	ScanID   string
	Head     int64
	Cause    string
	Priority int // scan.MinPriority to scan.MaxPriority; a higher one is released first
}

// Store is what a Scheduler reads and writes. A store.Root gives one. It is safe
// for concurrent use.
type Store interface {
	// Schedule stores jobs of one tenant that are not there yet, with their
	// messages, and notes that the scheduler has the event, in one transaction. A
	// job whose scan is gone, or was matched with the head already, is left out.
	// An empty eventID notes nothing.
	Schedule(ctx context.Context, tenant, eventID string, jobs []Job) error
	// Unassessed returns scans that were completed before there was any head, of
	// all tenants, in the order of tenants and ids, at most limit.
	Unassessed(ctx context.Context, after Job, limit int) ([]Job, error)
	// Consume notes that the scheduler has an event that belongs to no tenant.
	Consume(ctx context.Context, eventID string) error
}

// Evaluations are the evaluations of one tenant. A store.Tenant gives them. They
// are safe for concurrent use. Every call but Claim is refused with ErrFenced when
// another holder has the evaluation by now.
type Evaluations interface {
	// Claim takes an evaluation for a while. An error wraps ErrConflict when there
	// is nothing to do: it has ended, a later head's report is there, or somebody
	// else holds it.
	Claim(ctx context.Context, c ClaimRequest) (*Work, error)
	// Finish stores the report, and the evaluation is done. Repeating a call whose
	// answer was lost is no error.
	Finish(ctx context.Context, l Lease, r *finding.Report) error
	// Fail ends the attempt: it is pending again after a backoff, or dead after the
	// last attempt, or failed where the failure is permanent.
	Fail(ctx context.Context, l Lease, f scan.Failure) error
	// List returns the evaluations of a scan by their heads.
	List(ctx context.Context, scanID string) ([]Evaluation, error)
}

// ClaimRequest says who takes which evaluation for how long.
type ClaimRequest struct {
	ScanID  string
	Head    int64
	Holder  string
	Message string // ID of the message that told of it
	Length  time.Duration
}

// Lease is an evaluation that somebody holds. Its epoch is larger than that of
// every earlier holder.
type Lease struct {
	ScanID  string
	Head    int64
	Epoch   int64
	Holder  string
	Length  time.Duration
	Attempt int
}

// Work is what is to be evaluated.
type Work struct {
	Lease
	// Snapshot is the digest of the head's advisories.
	Snapshot string
	// At is the evaluation time: when the head was committed. Every attempt has the
	// same.
	At time.Time
	// Document is the scan's neutral document.
	Document scan.Stored
}

// Evaluation is how an evaluation stands.
type Evaluation struct {
	ScanID   string    `json:"scan_id"`
	Head     int64     `json:"head"`
	State    State     `json:"state"`
	Cause    string    `json:"cause"`
	Priority int       `json:"priority"`
	At       time.Time `json:"at"`
	Attempt  int       `json:"attempt"`
	Reason   string    `json:"reason,omitempty"`
	Causes   []string  `json:"causes,omitempty"` // of attempts that failed, the oldest first
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
}
