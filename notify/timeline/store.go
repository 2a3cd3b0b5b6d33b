package timeline

import (
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/event"
)

// Log is the chain of one tenant, to write. It is safe for concurrent use.
type Log interface {
	// Append adds the events that have no row yet, in their order, notes that the group
	// timeline has them, and does both in one transaction. What it returns without an
	// error is durable. An error wraps ErrConflict where one of them has a row with
	// another body: then nothing was added.
	Append(ctx context.Context, events []Event) error
}

// Chain is the chain of one tenant, to read. It is safe for concurrent use.
type Chain interface {
	Head(ctx context.Context) (Head, error)
	// Rows returns rows without their bodies, by seq from the one after a seq on, at most
	// limit and MaxRows of them. Fewer than that are the last ones.
	Rows(ctx context.Context, after int64, limit int) ([]Row, error)
	// Find returns a page of the entries that a query selects.
	Find(ctx context.Context, q Query) (*Page, error)
}

// Checkpoints keeps the checkpoints of one tenant's chain: whoever keeps one first wins.
// It is safe for concurrent use.
type Checkpoints interface {
	// Checkpoint returns one by its number, the newest for 0. An error wraps ErrNotFound.
	Checkpoint(ctx context.Context, number int64) (*Kept, error)
	// Keep keeps a checkpoint unless there is one of its number, and returns the one that
	// is kept. An error wraps ErrConflict where the one before is missing.
	Keep(ctx context.Context, c *Kept) (*Kept, error)
}

// Keeper looks after the chain of one tenant. It is safe for concurrent use.
type Keeper interface {
	// Prune deletes the bodies, and what is indexed of them, of rows that were appended
	// before a time, and appends a row that says so first. Without such rows it appends
	// nothing. One that died is finished by the next.
	Prune(ctx context.Context, o *Order) (*Result, error)
	// Gaps says where the chain and what was announced differ, MaxGaps at most. Events
	// that were announced less than grace ago may be on their way.
	Gaps(ctx context.Context, grace time.Duration) ([]Gap, error)
}

// Store is all that a backend does for the timeline of one tenant.
type Store interface {
	Log
	Chain
	Checkpoints
	Keeper
}

// The bounds of answers.
const (
	MaxRows      = 10_000  // of one call of Rows
	MaxPage      = 1000    // entries of one page
	MaxPageBytes = 8 << 20 // of the bodies of one page; one entry is always given
	MaxGaps      = 1000
	MaxRefs      = 8  // that a query asks for
	MaxTypes     = 64 // that a query asks for
)

// Query selects entries. The zero value selects all, the oldest first.
type Query struct {
	Refs  []Ref // all of them
	Types []event.Type
	Topic string
	Event string // its id
	// From and Until bound the time when it happened: not before From, before Until.
	// Zero ones bound nothing.
	From, Until time.Time
	// Backward gives the newest first.
	Backward bool
	// After is the seq to go on after, in the direction of the query: the Next of the
	// page before, or 0 to begin.
	After int64
	Limit int // 1 to MaxPage; 0 means 100
}

// Check completes a query. An error wraps ErrInvalid or ErrLimit.
func (q *Query) Check() error {
	if q.Limit == 0 {
		q.Limit = 100
	}
	switch {
	case q.Limit < 0 || q.Limit > MaxPage:
		return fmt.Errorf("query of the timeline: limit %d, want 1 to %d: %w", q.Limit, MaxPage, fault.Invalid)
	case q.After < 0:
		return fmt.Errorf("query of the timeline: after row %d: %w", q.After, fault.Invalid)
	case len(q.Refs) > MaxRefs:
		return &fault.LimitError{What: "references", Where: "query of the timeline", Max: MaxRefs, Seen: int64(len(q.Refs))}
	case len(q.Types) > MaxTypes:
		return &fault.LimitError{What: "types", Where: "query of the timeline", Max: MaxTypes, Seen: int64(len(q.Types))}
	}
	return nil
}

// Page is a part of what a query selects.
type Page struct {
	Entries []Entry
	Next    int64 // Query.After of the next page; 0 after the last one
}

// Order asks for a deletion of bodies.
type Order struct {
	Before time.Time // by when they were appended
	By     string    // who says so
	Reason string
}

// Result is what a deletion did.
type Result struct {
	Last   int64 // rows up to this one have no body
	Bodies int64 // that were deleted by this call
}

// GapKind is what a gap is.
type GapKind string

// The kinds of gaps.
const (
	GapMissing GapKind = "missing" // announced, and no row
	GapInbox   GapKind = "inbox"   // noted as indexed, and no row
	GapDigest  GapKind = "digest"  // announced with another body
	GapHead    GapKind = "head"    // the head is not the last row
	GapHole    GapKind = "hole"    // rows are missing before the last one
)

// Gap is one difference.
type Gap struct {
	Kind  GapKind
	Topic string
	Event string
	Seq   int64     // of the row; 0 where there is none
	At    time.Time // when it was announced or noted; zero where that is not known
}
