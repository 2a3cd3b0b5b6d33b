package notify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Tick does what is due: windows that close, and incidents that nobody took note of. It
// returns how many things were due that it did. What others did meanwhile is done once. An
// error is of those that could not be done; the others are.
func (r *Router) Tick(ctx context.Context, due []Due) (int, error) {
	var errs []error
	done := 0
	for _, d := range due {
		if ctx.Err() != nil {
			break
		}
		if err := r.tick(ctx, d); err != nil {
			errs = append(errs, err)
			continue
		}
		done++
	}
	return done, errors.Join(errs...)
}

func (r *Router) tick(ctx context.Context, d Due) error {
	return r.decide(ctx, d.Tenant, func(_ Routes, k *known) (*Work, error) {
		w := &Work{Revision: k.Revision}
		if d.Group != "" {
			w.Groups, w.Collected = []string{d.Group}, true
		} else {
			w.Incidents = []string{d.Incident}
		}
		w.Decide = func(s *State) (*Plan, error) {
			p := r.planner(s, k, d.Tenant)
			if d.Group != "" {
				p.close(d.Group)
			} else {
				p.escalate(d.Incident)
			}
			return p.finish(), nil
		}
		return w, nil
	})
}

// maxDue is how many things are asked for at a time.
const maxDue = 500

// Run does what is due until ctx is done, and asks for it after every pause; 0 is half a
// second. due lists what is, such as a store.Root's NotifyDue. Any number may run at once.
// Failures go to the Router's Report, and are tried again.
func (r *Router) Run(ctx context.Context, due func(ctx context.Context, limit int) ([]Due, error), every time.Duration) {
	tick := time.NewTicker(positive(every, 500*time.Millisecond))
	defer tick.Stop()
	for ctx.Err() == nil {
		list, err := due(ctx, maxDue)
		done := 0
		if err == nil {
			done, err = r.Tick(ctx, list)
		}
		if err != nil && ctx.Err() == nil && r.Report != nil {
			r.Report(fmt.Errorf("windows that close: %w", err))
		}
		if done == maxDue {
			continue // there is more
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}
