package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/crashpoint/crashtest"
	"github.com/stella-ops/stella/store/sqlite"
)

// changing is a feed that publishes one world, and then another one.
type changing struct{ feed }

func (c *changing) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	next := changing{c.feed}
	next.complete, next.state = true, "2"
	next.docs = world(40)
	if len(state) == 0 {
		next.state = "1"
	} else {
		next.docs = later(next.docs)
	}
	next.docs["large"] = strings.Repeat(record("GHSA-LARGE", 1, ""), 1+(1<<20)/100)
	return next.feed.Fetch(ctx, door, state, emit)
}

// later is a world in which some documents changed, one is new and two are gone.
func later(docs map[string]string) map[string]string {
	docs = maps.Clone(docs)
	for i := range 10 {
		name := fmt.Sprintf("d/%03d", i)
		docs[name] = strings.ReplaceAll(docs[name], "2026-01-0", "2026-01-1")
	}
	docs["new"] = record("GHSA-NEW", 1, `"aliases":["CVE-2024-0003"],`)
	docs["signals"] = "signal CVE-2024-0001 0.75\n"
	delete(docs, "d/020")
	delete(docs, "d/021")
	return docs
}

func openCrash(ctx context.Context, dir string) (*store.Root, *store.Advisories, error) {
	root, err := sqlite.Open(ctx, filepath.Join(dir, "stella.db"))
	if err != nil {
		return nil, nil, err
	}
	bucket, err := blob.Open(ctx, "file:"+filepath.Join(dir, "objects"))
	return root, root.Advisories(bucket), err
}

// live runs the flow to its end.
func live(ctx context.Context, dir string) error {
	root, a, err := openCrash(ctx, dir)
	if err != nil {
		return err
	}
	defer root.Close()
	c := ingest.Cache(filepath.Join(dir, "cache"), a)
	defer c.Close()
	i := &ingest.Ingester{Store: a, Holder: strconv.Itoa(os.Getpid()), Lease: time.Second, Batch: 15}
	p := &ingest.Publisher{Heads: a, Objects: a, Cache: c}
	f := &changing{feed{name: "f"}}
	for range 3 {
		_, err := i.Run(ctx, f)
		for began := time.Now(); errors.Is(err, ingest.ErrConflict) && time.Since(began) < 20*time.Second; _, err = i.Run(ctx, f) {
			time.Sleep(50 * time.Millisecond) // who died has it for its lease
		}
		if err != nil {
			return err
		}
		if _, err := p.Publish(ctx); err != nil {
			return err
		}
	}
	return nil
}

// TestCrashChild is the process that dies; TestCrashes starts it.
func TestCrashChild(t *testing.T) {
	crashtest.Child(t, func(dir string) error { return live(t.Context(), dir) })
}

// TestCrashes kills a process at every point of ingestion and publication, starts
// another one, and wants the state of a process that never died: no document is
// lost or read twice, no head shows half a run, and the source's state is never
// ahead of its data.
func TestCrashes(t *testing.T) {
	dir := t.TempDir()
	if err := live(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	root, a, err := openCrash(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := digest(t, a)
	root.Close()
	for n, p := range crashpoint.All() {
		if !strings.HasPrefix(string(p), "advisory.") || p == crashpoint.IngestApproved { // that one is a call of its own
			continue
		}
		if testing.Short() && n%4 > 0 {
			continue
		}
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			for _, nth := range []int{1, 3} {
				dir := t.TempDir()
				if !crashtest.Run(t, dir, p, nth) && nth == 1 {
					t.Error("it is never passed")
				}
				if crashtest.Run(t, dir, "", 0) {
					t.Fatal("the second one failed as well")
				}
				root, a, err := openCrash(t.Context(), dir)
				if err != nil {
					t.Fatal(err)
				}
				if got := digest(t, a); got != want {
					t.Errorf("killed there at its pass %d, it leads to another state", nth)
				}
				root.Close()
			}
		})
	}
}
