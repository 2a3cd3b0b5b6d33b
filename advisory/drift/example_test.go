package drift_test

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/drift"
	"github.com/stella-ops/stella/store/event"
)

func ExampleWorker() {
	w := drift.Worker{
		Store: nil, // a store's Root.Drift
		Views: func(_ context.Context, digest string) (advisory.View, func(), error) {
			return nil, nil, fmt.Errorf("snapshot %s: %w", digest, advisory.ErrNotFound)
		},
	}
	// Events of other types are somebody else's.
	e := event.Event{ID: "scan-1f/completed", Type: event.ScanCompleted, Source: "scanner"}
	body, _ := e.Encode()
	fmt.Println(w.Handle(context.Background(), body))
	// Output: <nil>
}
