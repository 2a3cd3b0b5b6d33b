package system

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stella-ops/stella/notify/notifyhttp"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/scan/schedulehttp"
	"github.com/stella-ops/stella/services/internal/shell"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// collectGrace is longer than any writer takes from an object to the row that refers to it.
const collectGrace = 24 * time.Hour

// Scheduler has scans evaluated or scanned again, when something changes or at set times, and
// keeps the house. One of its processes leads: it runs plans, and deletes what retention no
// longer needs.
func Scheduler(w *World, s Schedules) (*shell.Part, error) {
	scheduler := &schedule.Scheduler{Store: w.Store.Schedule()}
	api := &schedulehttp.Handler{
		Plans:       func(tenant string) (schedule.Plans, error) { return part(w, tenant, (*store.Tenant).Schedules) },
		Evaluations: func(tenant string) (schedule.Evaluations, error) { return part(w, tenant, (*store.Tenant).Evaluations) },
		Identify:    scheduleIdentity, Report: w.request("scheduler"),
	}
	if len(s.Keys) > 0 {
		deltas, err := schedulehttp.NewDeltas(scheduler.Handle, s.Keys, nil)
		if err != nil {
			return nil, err
		}
		api.Deltas = deltas
	}
	return &shell.Part{Name: "scheduler", Handler: api, Loops: append(w.consume("scheduler",
		reading{topic: event.ConcelierDeltas, group: event.GroupScheduler, parallel: 1, handle: scheduler.Handle},
		reading{topic: event.ConcelierDrift, group: event.GroupScheduler, parallel: 4, handle: scheduler.Handle},
	), w.relay("scheduler"), shell.Loop{Name: "plans", Run: w.leading(schedule.LeaderName, w.runner(s).Run)}, shell.Loop{Name: "house", Run: w.leading("house", func(ctx context.Context, _ int64) error {
		return w.every("scheduler", "collect", s.Collect, w.collect).Run(ctx)
	})})}, nil
}

// leading runs something in one process at a time, again after each term.
func (w *World) leading(name string, lead func(ctx context.Context, term int64) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			if err := w.Store.Lead(ctx, name, lead); err != nil && ctx.Err() == nil {
				w.report("scheduler")(fmt.Errorf("lead %s: %w", name, err))
			}
			if !pause(ctx, time.Second) {
				return nil
			}
		}
	}
}

// runner runs what tenants have scheduled.
func (w *World) runner(s Schedules) *schedule.Runner {
	return &schedule.Runner{
		Due:         w.Store.SchedulesDue,
		Progress:    func(tenant string) (schedule.Progress, error) { return part(w, tenant, (*store.Tenant).Schedules) },
		Scans:       func(tenant string) (schedule.Submitter, error) { return part(w, tenant, (*store.Tenant).Scans) },
		Evaluations: w.Store.Schedule(), Every: s.Tick, Report: w.report("scheduler"),
		Resolve: func(ctx context.Context, tenant, ref, platform string) (string, error) {
			return image.Resolve(ctx, ref, w.imageOptions(ref, tenant, platform))
		},
	}
}

// Schedules say how often a scheduler looks.
type Schedules struct {
	Tick    time.Duration // for what is due
	Collect time.Duration // for what may be deleted
	// Keys are those by which another Concelier signs what it announces. None: it is not
	// listened to.
	Keys [][]byte
}

// collect deletes what nobody needs any more: rows first, then the objects that became
// free, then the names of what is gone.
func (w *World) collect(ctx context.Context) error {
	var failed []error
	if _, err := w.Store.Collect(ctx, w.Settings.Retention); err != nil {
		failed = append(failed, fmt.Errorf("collect rows: %w", err))
	}
	if _, err := w.Store.Accounts().Purge(ctx, time.Now().Add(-365*24*time.Hour)); err != nil {
		failed = append(failed, fmt.Errorf("forget what was granted: %w", err))
	}
	adv, _ := w.advisories()
	if _, err := adv.Bucket().Collect(ctx, adv.References(), collectGrace); err != nil {
		failed = append(failed, fmt.Errorf("collect objects of advisories: %w", err))
	}
	failed = append(failed, w.tenants(ctx, func(ctx context.Context, t *store.Tenant) error {
		b, err := w.objects(t.Name())
		if err != nil {
			return err
		}
		if _, err := b.Collect(ctx, t.References(), collectGrace); err != nil {
			return fmt.Errorf("collect objects: %w", err)
		}
		if _, err := b.Prune(ctx, t.GoneNames()); err != nil {
			return fmt.Errorf("prune names: %w", err)
		}
		gaps, err := t.Timeline().Gaps(ctx, notifyhttp.DefaultGrace)
		if err == nil && len(gaps) > 0 {
			err = fmt.Errorf("its timeline lacks %d events, the first is %s of %s", len(gaps), gaps[0].Event, gaps[0].Topic)
		}
		return err
	}))
	return errors.Join(failed...)
}
