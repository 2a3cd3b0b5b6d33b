package ingest

import (
	"context"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/turns"
)

// Scheduled is a source with how often it is run.
type Scheduled struct {
	Source advisory.Source
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
