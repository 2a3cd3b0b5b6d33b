package natsqueue_test

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/store/queue"
	_ "github.com/stella-ops/stella/store/queue/natsqueue"
)

// Importing the package lets queue.Open understand nats:// and tls:// URLs.
func Example() {
	ctx := context.Background()
	q, err := queue.Open(ctx, "nats://scanner:secret@nats.internal:4222?prefix=stella&replicas=3")
	if err != nil {
		fmt.Println(err) // never shows the password
		return
	}
	defer q.Close()
	for _, w := range q.Warnings() {
		fmt.Println("warning:", w)
	}
	// The subject is stella.scanner.jobs.
	if err := q.Publish(ctx, "scanner:jobs", queue.Message{ID: "scan-1f/queued", Body: []byte("{}")}); err != nil {
		fmt.Println(err)
	}
}
