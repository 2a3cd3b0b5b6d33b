package schedule

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/event"
)

// Scheduler turns announcements into evaluations. It reads concelier:deltas and
// concelier:drift in the group scheduler. Store is required. It is safe for
// concurrent use.
type Scheduler struct{ Store Store }

// page is how many evaluations are stored in one transaction.
const page = 500

// Handle schedules what an event makes due. Events of other types are left alone.
// A nil error means that the message is done.
func (s *Scheduler) Handle(ctx context.Context, body []byte) error {
	e, err := event.Decode(body)
	if err != nil {
		return err
	}
	switch e.Type {
	case event.AdvisoryDrift:
		return s.drift(ctx, e)
	case event.AdvisoryDelta:
		return s.delta(ctx, e)
	}
	return nil
}

func (s *Scheduler) drift(ctx context.Context, e *event.Event) error {
	d, err := event.DecodeDrift(e)
	if err != nil {
		return err
	}
	jobs := make([]Job, len(d.Scans))
	for i, scanned := range d.Scans {
		jobs[i] = Job{Tenant: e.Tenant, ScanID: scanned.ScanID, Head: d.Head, Cause: d.Cause, Priority: priority(d)}
	}
	if err := s.Store.Schedule(ctx, e.Tenant, e.ID, jobs); err != nil {
		return fmt.Errorf("schedule evaluations with head %d: %w", d.Head, err)
	}
	return nil
}

// priority lets what is exploited, or critical, go first, and what nobody waits
// for last.
func priority(d *event.Drift) int {
	switch {
	case d.Cause == "kev":
		return scan.MaxPriority
	case d.Cause == "withdrawn":
		return 3
	case d.Severity == "critical":
		return 8
	case d.Severity == "high", d.Cause == "new":
		return 6
	}
	return 4
}

// delta schedules scans that were completed before there was any head. Whom later
// heads concern is told by drift.
func (s *Scheduler) delta(ctx context.Context, e *event.Event) error {
	d, err := event.DecodeDelta(e)
	if err != nil {
		return err
	}
	for after := (Job{}); d.Base == 0; {
		jobs, err := s.Store.Unassessed(ctx, after, page)
		if err != nil {
			return err
		}
		for i := 0; i < len(jobs); {
			first := i
			for ; i < len(jobs) && jobs[i].Tenant == jobs[first].Tenant; i++ {
				jobs[i].Head, jobs[i].Cause, jobs[i].Priority = d.Head, CauseFirst, 2
			}
			if err := s.Store.Schedule(ctx, jobs[first].Tenant, "", jobs[first:i]); err != nil {
				return fmt.Errorf("schedule evaluations with the first head: %w", err)
			}
		}
		if len(jobs) < page {
			break
		}
		after = jobs[len(jobs)-1]
	}
	return s.Store.Consume(ctx, e.ID)
}
