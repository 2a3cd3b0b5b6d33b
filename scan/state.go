package scan

import (
	"slices"
	"time"
)

// State is where a job stands.
type State string

// The states. A job is queued until a worker holds it, running while one does,
// evaluating once its results are stored, and ends in one of the others.
const (
	Queued     State = "queued"
	Running    State = "running"
	Evaluating State = "evaluating"
	Completed  State = "completed"
	Failed     State = "failed"    // for a reason that trying again would not change
	Cancelled  State = "cancelled" // by a person
	Dead       State = "dead"      // after the last attempt
)

// transitions says what a state may become. A state is not one of its own
// successors; a terminal one has none.
var transitions = map[State][]State{
	Queued:     {Running, Cancelled, Failed, Dead},
	Running:    {Queued, Evaluating, Failed, Cancelled, Dead},
	Evaluating: {Completed, Failed, Cancelled, Dead},
	Completed:  nil,
	Failed:     nil,
	Cancelled:  nil,
	Dead:       nil,
}

// States lists all states in the order of a job's life.
func States() []State {
	return []State{Queued, Running, Evaluating, Completed, Failed, Cancelled, Dead}
}

// Known reports whether s is one of the states.
func (s State) Known() bool { _, ok := transitions[s]; return ok }

// CanBecome reports whether a job in state s may change to next.
func (s State) CanBecome(next State) bool { return slices.Contains(transitions[s], next) }

// StateCounts says how many jobs of a tenant are in which state.
type StateCounts struct {
	Queued     int64 `json:"queued"`
	Running    int64 `json:"running"`
	Evaluating int64 `json:"evaluating"`
	// OldestQueued is when the job was submitted that is queued and the oldest; zero where
	// none is.
	OldestQueued time.Time `json:"oldest_queued,omitzero"`
	// Ended are the jobs that ended in the last 24 hours.
	Ended EndedCounts `json:"ended"`
}

// EndedCounts says how many jobs ended how.
type EndedCounts struct {
	Completed int64 `json:"completed"`
	Failed    int64 `json:"failed"`
	Cancelled int64 `json:"cancelled"`
	Dead      int64 `json:"dead"`
}

// Terminal reports whether nothing follows s.
func (s State) Terminal() bool { return s.Known() && len(transitions[s]) == 0 }
