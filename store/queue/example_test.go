package queue_test

import (
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/store/queue"
)

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	q, err := queue.Open(ctx, "mem:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Close()
	workers, err := q.Group(ctx, "scanner:jobs", "scanner-workers")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := q.Publish(ctx, "scanner:jobs", queue.Message{ID: "scan-1f/queued", Body: []byte("alpine:latest")}); err != nil {
		fmt.Println(err)
		return
	}
	err = queue.Consume(ctx, workers, func(_ context.Context, body []byte) error {
		fmt.Printf("scan %s\n", body)
		cancel() // one is enough
		return nil
	}, nil)
	fmt.Println("done:", err)
	// Output:
	// scan alpine:latest
	// done: <nil>
}

// What cannot be handled lies on the dead-letter topic until an operator
// decides.
func ExampleQueue_Replay() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	q, _ := queue.Open(ctx, "mem:")
	defer q.Close()
	g, _ := q.Group(ctx, "scanner:events", "notify-workers")
	q.Publish(ctx, "scanner:events", queue.Message{ID: "scan-1f/completed", Body: []byte("not an event")})

	run, stop := context.WithCancel(ctx)
	queue.Consume(run, g, func(context.Context, []byte) error {
		stop()
		return queue.Drop(fmt.Errorf("no channel named ops"))
	}, nil)

	dead, _ := q.Dead(ctx, "scanner:events", 10)
	for _, l := range dead {
		fmt.Printf("%s failed in %s after %d attempt: %s\n", l.ID, l.Group, l.Attempts, l.Causes[0])
	}
	n, _ := q.Replay(ctx, "scanner:events", nil)
	fmt.Println("replayed:", n)
	// Output:
	// scan-1f/completed failed in notify-workers after 1 attempt: no channel named ops
	// replayed: 1
}
