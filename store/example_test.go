package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
	_ "github.com/stella-ops/stella/store/sqlite" // makes "sqlite:PATH" known
)

// A job is submitted, relayed to a queue, and claimed by whoever reads it there.
func Example() {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	root, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "stella.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer root.Close()
	acme, err := root.Tenant("acme")
	if err != nil {
		fmt.Println(err)
		return
	}
	job, _, err := acme.Scans().Submit(ctx, scan.Request{Image: "alpine:latest"}, "request-1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(job.State)

	q := queue.New(root.QueueDriver())
	if _, err := root.Relay(q, nil).Step(ctx); err != nil {
		fmt.Println(err)
		return
	}
	workers, err := q.Group(ctx, event.ScannerJobs, event.GroupScannerWorkers)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	err = queue.Consume(ctx, workers, func(ctx context.Context, body []byte) error {
		defer stop()
		message, err := event.Decode(body)
		if err != nil {
			return err
		}
		lease, err := acme.Scans().Claim(ctx, scan.ClaimRequest{JobID: job.ID, Holder: "worker-1", Message: message.ID, Length: scan.DefaultLease})
		if err != nil {
			return err
		}
		fmt.Println("attempt", lease.Attempt, "of", lease.Manifest.Reference)
		return nil
	}, nil)
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// queued
	// attempt 1 of alpine:latest
}
