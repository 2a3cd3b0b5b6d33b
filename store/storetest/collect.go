package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// testCollect lets everything age, and deletes what is not needed.
func testCollect(t *testing.T, root *store.Root) {
	acme, other := tenant(t, root, "acme"), tenant(t, root, "other")
	s := acme.Scans()
	var ended []*scan.Job
	for i := range 5 {
		ended = append(ended, completed(t, s, fmt.Sprint("old-", i)))
	}
	running := submit(t, s, "running")
	claim(t, s, running)
	theirs := completed(t, other.Scans(), "old-0")
	if err := root.Register(t.Context(), event.ScannerEvents, "slow"); err != nil {
		t.Fatal(err)
	}
	relayAll(t, root.Relay(memory(t), nil))
	if _, err := acme.Once(t.Context(), "slow", ended[0].ID+"/completed", func(*store.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Millisecond)
	if done, err := root.Collect(t.Context(), nil); err != nil || done != (store.Removed{}) {
		t.Errorf("with the default retention: %+v, %v", done, err)
	}
	done, err := root.Collect(t.Context(), &store.Retention{Scans: time.Millisecond, Keys: time.Millisecond, Events: time.Millisecond, Batch: 2})
	if err != nil {
		t.Fatal(err)
	}
	if done.Scans != 6 || done.Packages != 12 {
		t.Errorf("removed %+v; want 6 scans and the packages of 6 documents", done)
	}
	// What the slow group has not consumed is still there; its one event and the
	// messages of claimed jobs are not.
	if b, err := root.Backlog(t.Context(), event.ScannerEvents); err != nil || b.Published == 0 {
		t.Errorf("events that a group still needs: %+v, %v", b, err)
	}
	if done.Events < 1+6 {
		t.Errorf("removed %d events", done.Events)
	}
	if err := root.Unregister(t.Context(), event.ScannerEvents, "slow"); err != nil {
		t.Fatal(err)
	}
	if _, err := root.Collect(t.Context(), &store.Retention{Events: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if b, err := root.Backlog(t.Context(), event.ScannerEvents); err != nil || b.Published != 0 {
		t.Errorf("events that nobody needs any more: %+v, %v", b, err)
	}
	for _, j := range ended {
		if _, err := s.Job(t.Context(), j.ID); !errors.Is(err, scan.ErrNotFound) {
			t.Errorf("%s: %v", j.ID, err)
		}
		if free := must[bool](t)(acme.References().Condemn(t.Context(), results(j.Image).SBOMDigest)); !free {
			t.Errorf("the document of %s is still referred to", j.Image)
		}
	}
	if _, err := other.Scans().Job(t.Context(), theirs.ID); !errors.Is(err, scan.ErrNotFound) {
		t.Errorf("the other tenant's job: %v", err)
	}
	if got := must[*scan.Job](t)(s.Job(t.Context(), running.ID)); got.State != scan.Running {
		t.Errorf("the running job is %s", got.State)
	}
}
