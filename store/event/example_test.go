package event_test

import (
	"fmt"
	"time"

	"github.com/stella-ops/stella/store/event"
)

func Example() {
	e := event.Event{
		ID: "scan-1f/completed", Type: event.ScanCompleted, Source: "scanner", Tenant: "acme",
		Time: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC),
		Data: (&event.Scan{JobID: "scan-1f", Status: "completed", ImageRef: "alpine:latest"}).Encode(),
	}
	body, err := e.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(body))
	// Output: {"id":"scan-1f/completed","image_ref":"alpine:latest","job_id":"scan-1f","source":"scanner","status":"completed","tenant":"acme","time":"2026-11-23T09:00:00.000000Z","type":"scan.completed"}
}
