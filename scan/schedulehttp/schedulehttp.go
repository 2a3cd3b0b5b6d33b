// Package schedulehttp serves the Scheduler over HTTP and asks for it there. [Handler]
// serves what a tenant has scheduled, its runs and evaluations; [Client] is the other side.
// [Deltas] takes advisory.delta as a signed webhook, and [Hook] sends it.
//
// docs/modules/scheduler.md says what travels, and docs/openapi/scheduler.yaml is the
// document.
package schedulehttp

import (
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/schedule"
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
	ErrUnavailable     error = fault.Unavailable
)

// The bounds of what travels.
const (
	MaxBody   = schedule.MaxPlan
	MaxAnswer = 64 << 20 // bytes of an answer that a Client reads
	MaxPage   = 1000     // entries of a page
)

// KeyHeader is the header field with the idempotency key of a request for a run.
const KeyHeader = "Idempotency-Key"

const (
	root        = "/api/v1"
	schedules   = root + "/scheduler/schedules"
	oneSchedule = schedules + "/{schedule_id}"
	deltas      = root + "/scheduler/deltas"
)

// Identity is who sends a request. Everybody of a tenant may read what it has scheduled.
type Identity struct {
	Tenant  string // required
	Subject string
	// Operator may change schedules and run them.
	Operator bool
}

// change is the body that sets a schedule. Its id is that of the path, and may be left out.
type change struct {
	ID        string             `json:"id,omitempty"`
	Cron      string             `json:"cron"`
	Zone      string             `json:"zone,omitempty"`
	Kind      schedule.Kind      `json:"kind"`
	Selection schedule.Selection `json:"selection,omitzero"`
	Jitter    int                `json:"jitter_seconds,omitzero"`
	Disabled  bool               `json:"disabled,omitzero"`
	Priority  *int               `json:"priority,omitempty"`
}

type schedulePage struct {
	Schedules []schedule.Plan `json:"schedules"`
	Next      string          `json:"next,omitempty"`
}

type runPage struct {
	Runs []schedule.Run `json:"runs"`
	Next string         `json:"next,omitempty"`
}

type evaluationList struct {
	Evaluations []schedule.Evaluation `json:"evaluations"`
}

// isScan reports whether id can be that of a scan. Nothing else is looked up.
func isScan(id string) bool {
	rest, ok := strings.CutPrefix(id, "scan-")
	return ok && rest != "" && len(id) <= 64 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// isRun reports whether id can be that of a run.
func isRun(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
