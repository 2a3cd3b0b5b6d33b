package ingest

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// Scheduled is a source with how often it is run.
type Scheduled struct {
	Source vex.Source
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
	now, wait := clock(l.Now, l.Wait)
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

// shortest is how long a Watch rests at least, whatever its clock says.
const shortest = 10 * time.Millisecond

// Watch publishes for as long as it is asked to: whenever something was released or
// the trust changed, which it looks for, and when what was decided is due to change.
type Watch struct {
	Publisher *Publisher
	// Every is how often it looks. Default: 5 seconds.
	Every time.Duration
	// Done is told of every head, and of every error. Nil means nobody.
	Done func(*vex.Head, error)
	// Wait is the clock beside the publisher's; nil means the machine's. It returns
	// early when ctx is done.
	Wait func(ctx context.Context, d time.Duration)
}

// Run publishes until ctx is done. Several processes may: who comes second finds
// that there is nothing left to do.
func (w *Watch) Run(ctx context.Context) {
	_, wait := clock(nil, w.Wait)
	for failed := 0; ctx.Err() == nil; {
		head, err := w.Publisher.Publish(ctx)
		if ctx.Err() != nil {
			return
		}
		if w.Done != nil && (head != nil || err != nil) {
			w.Done(head, err)
		}
		every := cmp.Or(w.Every, 5*time.Second)
		pause := every
		switch {
		case err == nil:
			failed = 0
			if next, e := w.Publisher.Heads.NextChange(ctx); e == nil && !next.IsZero() {
				pause = max(min(every, next.Sub(w.Publisher.now())), shortest)
			}
		case errors.Is(err, fault.Conflict) && failed < 3:
			failed++ // somebody else was faster
			pause = 0
		default:
			failed++
			pause = min(every<<min(failed, 6), time.Minute)
		}
		if pause > 0 {
			wait(ctx, pause)
		}
	}
}

func clock(now func() time.Time, wait func(context.Context, time.Duration)) (func() time.Time, func(context.Context, time.Duration)) {
	if now == nil {
		now = time.Now
	}
	if wait == nil {
		wait = sleep
	}
	return now, wait
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
