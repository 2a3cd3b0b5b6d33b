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

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/crashpoint/crashtest"
	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/ingest"
)

// changing is a feed that publishes one world, and then another one.
type changing struct{ feed }

func (c *changing) Fetch(ctx context.Context, door vex.Door, state []byte, emit func(*vex.Document) error) (*vex.Fetched, error) {
	next := changing{c.feed}
	next.complete, next.state = true, "2"
	if next.docs = world(40); len(state) == 0 {
		next.state = "1"
	} else {
		next.docs = later(next.docs)
	}
	return next.feed.Fetch(ctx, door, state, emit)
}

// later is a world in which some documents changed, one is new and two are gone.
func later(docs map[string]string) map[string]string {
	docs = maps.Clone(docs)
	for i := 1; i < 10; i += 2 {
		name := fmt.Sprintf("d/%03d", i)
		docs[name] = strings.Replace(docs[name], fmt.Sprintf("id doc-%d %d\n", i, 1+i%3), fmt.Sprintf("id doc-%d 9\n", i), 1) + "CVE-77 affected pkg:npm/x@1 2026-02-01\n"
	}
	docs["new"] = "CVE-78 not_affected pkg:npm/x@1 2026-02-01\n"
	delete(docs, "d/020")
	delete(docs, "d/021")
	return docs
}

func openCrash(ctx context.Context, dir string) (*store.Root, error) {
	return sqlite.Open(ctx, filepath.Join(dir, "stella.db"))
}

// live runs the flow to its end.
func live(ctx context.Context, dir string) error {
	root, err := openCrash(ctx, dir)
	if err != nil {
		return err
	}
	defer root.Close()
	v := root.VEX()
	i := &ingest.Ingester{Store: v, Holder: strconv.Itoa(os.Getpid()), Lease: time.Second, Batch: 15, Verifier: &keyring{}}
	p := publisher(v, day(15))
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
		if _, err := v.SetTrust(ctx, everyone(), "test"); err != nil {
			return err
		}
	}
	_, err = p.Publish(ctx)
	return err
}

// TestCrashChild is the process that dies; TestCrashes starts it.
func TestCrashChild(t *testing.T) {
	crashtest.Child(t, func(dir string) error { return live(t.Context(), dir) })
}

// TestCrashes kills a process at every point of VEX, starts another one, and wants
// the state of a process that never died: no document is lost, and no head shows half
// a run.
func TestCrashes(t *testing.T) {
	dir := t.TempDir()
	if err := live(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	root, err := openCrash(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := digest(t, root.VEX())
	root.Close()
	tried := 0
	for n, p := range crashpoint.All() {
		if !strings.HasPrefix(string(p), "vex.") {
			continue
		}
		tried++
		if os.Getenv("STELLA_LONG") != "1" && n%4 > 0 && testing.Short() {
			continue
		}
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			passes := []int{2}
			if os.Getenv("STELLA_LONG") == "1" {
				passes = []int{1, 2, 3}
			}
			for _, nth := range passes {
				dir := t.TempDir()
				if !crashtest.Run(t, dir, p, nth) && nth <= 2 {
					t.Error("it is never passed")
				}
				if crashtest.Run(t, dir, "", 0) {
					t.Fatal("the second one failed as well")
				}
				root, err := openCrash(t.Context(), dir)
				if err != nil {
					t.Fatal(err)
				}
				if got := digest(t, root.VEX()); got != want {
					t.Errorf("killed there at its pass %d, it leads to another state", nth)
				}
				root.Close()
			}
		})
	}
	if tried < 19 {
		t.Errorf("%d points", tried)
	}
}
