package ingest

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/turns"
	"github.com/stella-ops/stella/vex"
)

// Scheduled is a source with how often it is run.
type Scheduled struct {
	Source vex.Source
	// Every is the time from the start of one run to the next. Default: 1 hour.
	Every time.Duration
}

// Loop runs sources by turns, one at a time, for as long as it is asked to. Any
// number of processes may run one: each source is taken by one of them.
// A source that failed is run again after a minute, which doubles with each failure, up
// to its interval.
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

// Run runs sources until ctx is done. All are due at first.
func (l *Loop) Run(ctx context.Context) {
	list := make([]turns.Turn, len(l.Sources))
	for i, s := range l.Sources {
		list[i] = turns.Turn{Every: s.Every, Do: func(ctx context.Context) error {
			out, err := l.Ingester.Run(ctx, s.Source)
			if l.Done != nil && ctx.Err() == nil {
				l.Done(out, err)
			}
			return err
		}}
	}
	turns.Clock{Now: l.Now, Wait: l.Wait}.Run(ctx, list)
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
	clock := turns.Clock{Wait: w.Wait}
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
			clock.Sleep(ctx, pause)
		}
	}
}
