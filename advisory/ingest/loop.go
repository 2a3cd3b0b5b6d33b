package ingest

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// Scheduled is a source with how often it is run.
type Scheduled struct {
	Source advisory.Source
	// Every is the time from the start of one run to the next. Default: 1 hour.
	Every time.Duration
}

// retry is when a source that failed is run again at first; it doubles with each
// time, up to its interval.
const retry = time.Minute

// Loop runs sources by turns, one at a time, for as long as it is asked to. Any
// number of processes may run one: each source is taken by one of them.
type Loop struct {
	Ingester *Ingester
	Sources  []Scheduled
	// Done is told of every run, with its outcome or its error. Nil means nobody.
	Done func(*Outcome, error)
	// Now and Wait are the clock; nil means the machine's. Wait returns early
	// when ctx is done.
	Now  func() time.Time
	Wait func(ctx context.Context, d time.Duration)
}

// turn is when a source is due.
type turn struct {
	Scheduled
	due    time.Time
	failed int // times in a row
}

// Run runs sources until ctx is done. All are due at first.
func (l *Loop) Run(ctx context.Context) {
	now, wait := l.Now, l.Wait
	if now == nil {
		now = time.Now
	}
	if wait == nil {
		wait = sleep
	}
	turns := make([]turn, len(l.Sources))
	for i, s := range l.Sources {
		turns[i] = turn{Scheduled: s, due: now()}
		turns[i].Every = cmp.Or(s.Every, time.Hour)
	}
	for ctx.Err() == nil && len(turns) > 0 {
		next := &turns[0]
		for i := range turns[1:] { // the first of those that are due longest
			if turns[i+1].due.Before(next.due) {
				next = &turns[i+1]
			}
		}
		if d := next.due.Sub(now()); d > 0 {
			wait(ctx, d)
			continue
		}
		began := now()
		out, err := l.Ingester.Run(ctx, next.Source)
		if ctx.Err() != nil {
			return
		}
		next.after(began, err)
		if l.Done != nil {
			l.Done(out, err)
		}
	}
}

// after says when a source is due again.
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

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
