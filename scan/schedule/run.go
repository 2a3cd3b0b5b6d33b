package schedule

import (
	"context"
	"time"

	"github.com/stella-ops/stella/scan"
)

// The bounds of runs.
const (
	RunAttempts = 5    // of a run without progress, then it has failed
	RunsKept    = 100  // of a plan that ended; older ones are deleted
	MaxProblems = 100  // that a run names; all are counted
	MaxProblem  = 500  // bytes of one
	MaxTargets  = 1000 // images in one page
)

// LeaderName is the name under which whoever runs plans leads, see store.Root.Lead. Writes
// of runs are refused with ErrFenced in a term that is over.
const LeaderName = "scheduler"

// RunState is where a run stands.
type RunState string

// The states. The last two are for good.
const (
	RunRunning RunState = "running"
	RunDone    RunState = "done"
	RunFailed  RunState = "failed"
)

// The causes of runs.
const (
	CauseWindow  = "window"
	CauseRequest = "request"
)

// Run is one run of a plan: that of a window, or one that somebody asked for. Its id is made
// of the window or of the key of the request, and the idempotency keys of what it submits of
// its id and the image: whoever does a part of it again submits nothing twice.
type Run struct {
	ID       string    `json:"id"`
	Schedule string    `json:"schedule"` // the plan's id
	Cause    string    `json:"cause"`    // CauseWindow or CauseRequest
	By       string    `json:"by,omitempty"`
	Window   time.Time `json:"window"` // or when it was asked for
	State    RunState  `json:"state"`
	Attempt  int       `json:"attempt"` // without progress since
	// Selected counts images that the plan selects so far; each was submitted, skipped or
	// failed. Problems say why, for the first MaxProblems.
	Selected  int       `json:"selected"`
	Submitted int       `json:"submitted"`
	Skipped   int       `json:"skipped"`
	Failed    int       `json:"failed"`
	Problems  []Problem `json:"problems,omitempty"`
	Reason    string    `json:"reason,omitempty"` // of the last attempt that failed
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`

	// Plan is the plan as it was when the run began.
	Plan Plan `json:"plan"`

	// Term, After and Wait are for who runs it: in which term, from which image on, and
	// how long to wait before the next attempt.
	Term  int64         `json:"-"`
	After Cursor        `json:"-"`
	Wait  time.Duration `json:"-"`
}

// Problem is an image that nothing could be done with.
type Problem struct {
	Image    string `json:"image_ref"`
	Platform string `json:"platform,omitempty"`
	Reason   string `json:"reason"`
}

// Cursor is a place in the order of images.
type Cursor struct{ Image, Platform string }

// Target is the newest completed scan of an image.
type Target struct {
	ScanID string
	// Request asks for the same again: with its owner, labels and formats.
	Request scan.Request
	// Fixed says that asking for the same again is of no use: the scan is of an SBOM, or
	// its registry was asked with a credential that is kept no longer.
	Fixed bool
	// Resolved is the digest that the scan has read; "" where it came from no registry.
	Resolved string
	// Head is that of its newest report, 0 for none.
	Head int64
	// Active says that another scan of the image was submitted later and has not ended.
	Active bool
	// Failures is how often in a row its tag could not be resolved. Waits says that it is
	// not to be tried yet.
	Failures int
	Waits    bool
}

// Targets is a page of those that a plan selects.
type Targets struct {
	List []Target
	// Next is where the next page begins; nil after the last.
	Next *Cursor
	// Head is the current head of the advisories, 0 for none.
	Head int64
}

// Mark notes what came of resolving a tag. Failures 0 is success.
type Mark struct {
	Image, Platform string
	Failures        int
	Reason          string
	Wait            time.Duration // until it is tried again
}

// Due is a plan that somebody is to look after.
type Due struct{ Tenant, ID string }

// Plans is what a tenant has scheduled. A store.Tenant gives it. It is safe for concurrent
// use. An error wraps ErrNotFound where there is no such plan or run.
type Plans interface {
	// Plan returns one.
	Plan(ctx context.Context, id string) (*Plan, error)
	// List returns plans by id, after one. A limit is 1 to 1000; 0 means 100.
	List(ctx context.Context, after string, limit int) ([]Plan, error)
	// Set keeps a plan in place of the one of that version, 0 for a new one, and fills in
	// what a store sets. An error wraps ErrConflict where another version stands, ErrLimit
	// where there would be too many, and ErrInvalid for a plan that is none. Windows before now have no run under the new plan; runs that have
	// begun go on as they were.
	Set(ctx context.Context, p *Plan, version int64, by string) error
	// Delete deletes a plan of that version, with its runs.
	Delete(ctx context.Context, id string, version int64) error
	// Request asks for a run now. The same key gives the same run as long as that is kept,
	// with repeated true; an empty one stands for itself alone.
	Request(ctx context.Context, id, key, by string) (run *Run, repeated bool, err error)
	// Run returns one.
	Run(ctx context.Context, id, runID string) (*Run, error)
	// Runs returns those of a plan, the newest first, after one. Limits are as with List.
	Runs(ctx context.Context, id, after string, limit int) ([]Run, error)
}

// Progress is what a Runner does with the plans of one tenant. A store.Tenant gives it. Begin
// and Advance are refused with ErrFenced in a term that is over.
type Progress interface {
	// Begin takes the run of a plan that is to go on, or makes the one of the last window
	// that is due. An error wraps ErrConflict where there is nothing to do.
	Begin(ctx context.Context, term int64, planID string) (*Run, error)
	// Targets returns a page of what is selected, after a place. The page is of limit images,
	// of which those that do not match are left out.
	Targets(ctx context.Context, s *Selection, after Cursor, limit int) (*Targets, error)
	// Advance keeps how far a run is, and what came of resolving tags.
	Advance(ctx context.Context, r *Run, marks []Mark) error
}

// Submitter takes scans. A scan.Store is one.
type Submitter interface {
	Submit(ctx context.Context, r scan.Request, key string) (job *scan.Job, repeated bool, err error)
}
