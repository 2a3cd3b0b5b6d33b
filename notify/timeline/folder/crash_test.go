package folder_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/notify/timeline/folder"
	"github.com/stella-ops/stella/notify/timeline/verify"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/crashpoint/crashtest"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/sqlite"
)

const happenings = 9

// indexing indexes some events, deletes old bodies and publishes checkpoints, on a store
// and a sink in a folder. What was done before stays done.
func indexing(dir string) error {
	return inFolder(dir, func(ctx context.Context, s *store.Timeline, p *timeline.Publisher) error {
		x := &timeline.Indexer{Logs: func(string) (timeline.Log, error) { return s, nil }}
		for n := 0; n < happenings; n += 3 {
			var bodies [][]byte
			for i := n; i < n+3; i++ {
				body, err := (&event.Event{ID: fmt.Sprintf("scan-%d/queued", i), Type: event.ScanQueued, Source: "scanner", Tenant: "acme", Data: (&event.Scan{JobID: fmt.Sprint("scan-", i)}).Encode()}).Encode()
				if err != nil {
					return err
				}
				bodies = append(bodies, body)
			}
			if err := errors.Join(x.HandleAll(ctx, event.ScannerEvents, bodies)...); err != nil {
				return err
			}
			if _, err := p.Flush(ctx); err != nil {
				return err
			}
		}
		if _, err := s.Prune(ctx, &timeline.Order{Before: time.Now(), By: "ann"}); err != nil {
			return err
		}
		_, err := p.Flush(ctx)
		return err
	})
}

func inFolder(dir string, f func(context.Context, *store.Timeline, *timeline.Publisher) error) error {
	ctx := context.Background()
	root, err := sqlite.Open(ctx, filepath.Join(dir, "stella.db"))
	if err != nil {
		return err
	}
	defer root.Close()
	acme, err := root.Tenant("acme")
	if err != nil {
		return err
	}
	sink, err := folder.New(filepath.Join(dir, "checkpoints"))
	if err != nil {
		return err
	}
	private, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		return err
	}
	s := acme.Timeline()
	return f(ctx, s, &timeline.Publisher{Tenant: "acme", Source: s, Sink: sink, Signers: []dsse.Signer{private}, Trust: dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{private.Public()}}})
}

func TestCrashChild(t *testing.T) { crashtest.Child(t, indexing) }

// TestCrashes kills a process at every point of the timeline. When it is done again each
// event has one row, the chain is whole, and every checkpoint that ever was in the sink
// is still there and holds.
func TestCrashes(t *testing.T) {
	for _, p := range crashpoint.All() {
		if !strings.HasPrefix(string(p), "timeline.") {
			continue
		}
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			nth := 2 // in the midst of it
			if strings.HasPrefix(string(p), "timeline.prune.") {
				nth = 1
			}
			if !crashtest.Run(t, dir, p, nth) {
				t.Fatalf("%s was not reached", p)
			}
			before := read(t, open(t, filepath.Join(dir, "checkpoints")))
			if err := indexing(dir); err != nil {
				t.Fatal(err)
			}
			after := read(t, open(t, filepath.Join(dir, "checkpoints")))
			if !bytes.HasPrefix(after, before) {
				t.Error("a checkpoint that was there is another one")
			}
			err := inFolder(dir, func(ctx context.Context, s *store.Timeline, p *timeline.Publisher) error {
				var text bytes.Buffer
				if err := timeline.Export(ctx, &text, "acme", s, 0); err != nil {
					return err
				}
				r, err := verify.Verify(&text, &verify.Options{Tenant: "acme", Checkpoints: bytes.NewReader(after), Trust: p.Trust})
				if err != nil {
					return err
				}
				// Asked once more, a deletion announces what has come since.
				if r.Last < happenings+1 || r.Last > happenings+2 || r.Pruned < happenings || r.Bodies != r.Last-r.Pruned || r.Uncovered() != 0 {
					t.Errorf("%+v", r)
				}
				gaps, err := s.Gaps(ctx, 0)
				if len(gaps) > 0 {
					t.Errorf("gaps: %v", gaps)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
