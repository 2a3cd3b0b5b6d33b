package notify_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

// console is a channel that prints.
type console struct{}

func (console) Render(m *notify.Message) (*notify.Payload, error) {
	return &notify.Payload{MediaType: "text/plain", Body: []byte(m.Title + " (" + m.Why[0] + ")")}, nil
}

func (console) Send(_ context.Context, d *notify.Dispatch) (*notify.Receipt, error) {
	fmt.Println(string(d.Payload.Body))
	return &notify.Receipt{}, nil
}

// A vulnerability turns up in an image that was scanned long ago, and the one who scanned
// it hears of it once.
func Example() {
	ctx := context.Background()
	store := notify.NewMemory(time.Now, nil)
	for _, s := range []notify.Setting{
		{Kind: notify.SettingEndpoint, ID: "console", Body: []byte(`{"id":"console","type":"console"}`)},
		{Kind: notify.SettingPreference, ID: "user/ann/console", User: "ann", Endpoint: "console",
			Body: []byte(`{"id":"user/ann/console","owner":"ann","to":[{"endpoint":"console"}],"match":{"severity":"high"}}`)},
	} {
		body, err := notify.Check(s.Kind, s.Body)
		if err != nil {
			log.Fatal(err)
		}
		s.Number, s.Body, s.By = 1, body, "ann"
		if err := store.Set(ctx, &s); err != nil {
			log.Fatal(err)
		}
	}
	open := func(string) notify.Opener {
		return func(*notify.Endpoint, []notify.Template) (notify.Channel, error) { return console{}, nil }
	}
	router := &notify.Router{Stores: func(string) (notify.Routes, error) { return store, nil }, Open: open}
	deliverer := &notify.Deliverer{Queues: func(string) (notify.Queue, error) { return store, nil }, Open: open, Holder: "example", Now: time.Now}

	drift := &event.Drift{Head: 7, Vulnerability: "CVE-2024-1234", Cause: "new", Severity: "critical", Scans: []event.DriftScan{{ScanID: "scan-1", ImageRef: "alpine:latest", Owner: "ann"}}}
	data, err := drift.Encode()
	if err != nil {
		log.Fatal(err)
	}
	e := event.Event{ID: "drift/7/CVE-2024-1234/scan-1", Type: event.AdvisoryDrift, Source: "concelier", Tenant: "acme", Data: data}
	body, err := e.Encode()
	if err != nil {
		log.Fatal(err)
	}
	for range 2 { // however often it comes
		if err := router.Handle(ctx, body); err != nil {
			log.Fatal(err)
		}
	}
	for _, id := range store.Waiting(10) {
		if _, err := deliverer.Deliver(ctx, "acme", id); err != nil {
			log.Fatal(err)
		}
	}
	// Output: New critical CVE-2024-1234 affects alpine:latest scan (you submitted the scan, and asked to be told)
}
