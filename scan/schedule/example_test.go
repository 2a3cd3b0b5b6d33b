package schedule_test

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store/event"
)

// printer shows what is scheduled instead of keeping it.
type printer struct{}

func (printer) Schedule(_ context.Context, tenant, _ string, jobs []schedule.Job) error {
	for _, j := range jobs {
		fmt.Println(tenant, j.ScanID, j.Head, j.Cause, j.Priority)
	}
	return nil
}

func (printer) Unassessed(context.Context, schedule.Job, int) ([]schedule.Job, error) {
	return nil, nil
}
func (printer) Consume(context.Context, string) error { return nil }

func ExampleScheduler() {
	s := schedule.Scheduler{Store: printer{}} // a store's Root.Schedule
	d := event.Drift{Head: 7, Vulnerability: "CVE-2024-3094", Cause: "new", Severity: "critical", Scans: []event.DriftScan{{ScanID: "scan-1f", ImageRef: "alpine:latest"}}}
	data, _ := d.Encode()
	e := event.Event{ID: "drift/7/CVE-2024-3094/scan-1f", Type: event.AdvisoryDrift, Source: "concelier", Tenant: "acme", Data: data}
	body, _ := e.Encode()
	if err := s.Handle(context.Background(), body); err != nil {
		fmt.Println(err)
	}
	// Output: acme scan-1f 7 new 8
}
