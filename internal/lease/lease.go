// Package lease works under a lease: something that is taken for a while, and kept
// by signs of life.
package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Held is a lease that was taken. All members are required.
type Held struct {
	// Length is how long it lasts after it was taken, and after each extension.
	Length time.Duration
	// Extend extends it. An error that wraps ErrFenced says that it is over.
	Extend func(ctx context.Context) error
	// Finish ends it: with success where cause is "", and else with what failed.
	Finish func(ctx context.Context, cause string) error
}

// finishTime is how long work that fails tries to say so.
const finishTime = 10 * time.Second

// Do works while it extends the lease, and finishes it. What is in the way of an
// extension ends the context of work, and is then the error: one that wraps ErrFenced
// once the lease is over, and any other before somebody else can take it. A lease that
// is over is not finished. What names the work in errors.
func (h Held) Do(ctx context.Context, what string, work func(ctx context.Context) error) error {
	alive, stop := h.keep(ctx)
	defer stop()
	err := work(alive)
	if cause := context.Cause(alive); err != nil && cause != nil {
		err = cause
	}
	if err == nil {
		err = h.Finish(alive, "")
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", what, err)
	if errors.Is(err, fault.Fenced) {
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
	defer cancel()
	if failed := h.Finish(last, err.Error()); failed != nil && !errors.Is(failed, fault.Fenced) {
		err = errors.Join(err, failed)
	}
	return err
}

// keep extends the lease until stop is called. The context that it returns ends, with
// the reason as its cause, when the lease is over or nobody can tell.
func (h Held) keep(ctx context.Context) (alive context.Context, stop func()) {
	alive, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(h.Length / 3)
		defer tick.Stop()
		last := time.Now()
		for {
			select {
			case <-alive.Done():
				return
			case <-tick.C:
			}
			asked := time.Now()
			err := h.Extend(alive)
			switch {
			case err == nil:
				last = asked
			case errors.Is(err, fault.Fenced):
				cancel(err)
			case time.Since(last) > h.Length*2/3: // before somebody else takes over
				cancel(fmt.Errorf("the lease could not be extended: %w", err))
			}
		}
	}()
	return alive, func() {
		cancel(nil)
		<-done
	}
}
