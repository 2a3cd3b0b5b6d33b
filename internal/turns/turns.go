// Package turns does a number of things again and again, by turns and one at a time.
package turns

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Turn is something to do.
type Turn struct {
	// Every is the time from one start to the next. Default: 1 hour.
	Every time.Duration
	// Do does it. After an error it is done sooner: after a minute at first, which
	// doubles with each time, up to Every. An error that wraps ErrConflict or ErrFenced
	// says that somebody else does it, and counts as no failure of its own.
	Do func(ctx context.Context) error
}

// retry is when what failed is done again at first.
const retry = time.Minute

// Clock tells the time. The zero value is the machine's.
type Clock struct {
	Now func() time.Time
	// Wait waits; it returns early when ctx is done.
	Wait func(ctx context.Context, d time.Duration)
}

func (c Clock) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// Sleep waits, and returns early when ctx is done.
func (c Clock) Sleep(ctx context.Context, d time.Duration) {
	if c.Wait != nil {
		c.Wait(ctx, d)
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// turn is when a Turn is due.
type turn struct {
	Turn
	due    time.Time
	failed int // times in a row
}

// Run does what is due until ctx is done: what is due longest, and of two alike the
// first of the list. All are due at first. It returns at once where there is nothing
// to do ever.
func (c Clock) Run(ctx context.Context, list []Turn) {
	turns := make([]turn, len(list))
	for i, t := range list {
		t.Every = cmp.Or(t.Every, time.Hour)
		turns[i] = turn{Turn: t, due: c.now()}
	}
	for ctx.Err() == nil && len(turns) > 0 {
		next := &turns[0]
		for i := range turns[1:] { // the first of those that are due longest
			if turns[i+1].due.Before(next.due) {
				next = &turns[i+1]
			}
		}
		if d := next.due.Sub(c.now()); d > 0 {
			c.Sleep(ctx, d)
			continue
		}
		began := c.now()
		next.after(began, next.Do(ctx))
	}
}

// after says when it is due again.
func (t *turn) after(began time.Time, err error) {
	if err == nil {
		t.failed = 0
	} else if !errors.Is(err, fault.Conflict) && !errors.Is(err, fault.Fenced) {
		t.failed++
	}
	t.due = began.Add(t.Every)
	if err != nil {
		t.due = began.Add(min(t.Every, retry<<min(max(t.failed-1, 0), 10)))
	}
}
