package valkeyqueue_test

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/store/queue"
	_ "github.com/stella-ops/stella/store/queue/valkeyqueue"
)

// Importing the package lets queue.Open understand valkey:// and redis:// URLs.
func Example() {
	ctx := context.Background()
	q, err := queue.Open(ctx, "valkey://scanner:secret@valkey.internal:6379/0?prefix=stella:")
	if err != nil {
		fmt.Println(err) // never shows the password
		return
	}
	defer q.Close()
	for _, w := range q.Warnings() {
		fmt.Println("warning:", w)
	}
	if err := q.Publish(ctx, "scanner:jobs", queue.Message{ID: "scan-1f/queued", Body: []byte("{}")}); err != nil {
		fmt.Println(err)
	}
}
