package snapshot_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// depot is where a cache fetches from.
type depot struct {
	manifests map[string][]byte
	objects   map[string][]byte
	read      atomic.Int64
}

func (d *depot) add(t testing.TB, data []byte) (digest string) {
	s := open(t, data)
	text, digest, err := s.Manifest().Encode()
	if err != nil {
		t.Fatal(err)
	}
	d.manifests[digest] = text
	for _, g := range s.Manifest().Segments {
		if d.objects[g.Digest], err = s.Object(g.Digest); err != nil {
			t.Fatal(err)
		}
	}
	return digest
}

func (d *depot) cache(t testing.TB, keep int) *snapshot.Cache {
	get := func(list map[string][]byte) func(context.Context, string) ([]byte, error) {
		return func(ctx context.Context, digest string) ([]byte, error) {
			d.read.Add(1)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			b, ok := list[digest]
			if !ok {
				return nil, fmt.Errorf("%s: %w", digest, snapshot.ErrNotFound)
			}
			return b, nil
		}
	}
	return &snapshot.Cache{Dir: filepath.Join(t.TempDir(), "snapshots"), Manifest: get(d.manifests), Object: get(d.objects), Keep: keep}
}

func TestCache(t *testing.T) {
	d := &depot{manifests: map[string][]byte{}, objects: map[string][]byte{}}
	var digests []string
	for i := range 4 {
		list := records("A-1", "A-2", "B-1")
		list[2].Summary = fmt.Sprint(i) // the segment of A is shared
		digests = append(digests, d.add(t, compose(t, list, nil)))
	}
	c := d.cache(t, 2)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			s, done, err := c.View(ctx, digests[i%4])
			if err != nil {
				t.Error(err)
				return
			}
			defer done()
			if entries, err := s.Affected(ctx, "npm", "x"); err != nil || len(entries) != 3 || s.Digest() != digests[i%4] {
				t.Errorf("%d entries, %v", len(entries), err)
			}
		})
	}
	wg.Wait()
	files, err := os.ReadDir(c.Dir)
	if err != nil || len(files) != 2 {
		t.Errorf("%d files are kept, %v", len(files), err)
	}
	if _, _, err := c.View(ctx, fakeDigest(7)); !errors.Is(err, snapshot.ErrNotFound) {
		t.Errorf("an unknown snapshot: %v", err)
	}
	if _, _, err := c.View(ctx, "../x"); !errors.Is(err, snapshot.ErrInvalid) {
		t.Errorf("no digest: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	// The files are there for the next process, if they are what they are named.
	next := &snapshot.Cache{Dir: c.Dir, Manifest: c.Manifest, Object: c.Object, Keep: 2}
	before := d.read.Load()
	kept := "sha256:" + files[0].Name()[:64]
	if _, done, err := next.View(ctx, kept); err != nil || d.read.Load() != before {
		t.Errorf("%d reads for a snapshot that is there, %v", d.read.Load()-before, err)
	} else {
		done()
	}
	next.Close()
	if err := os.WriteFile(filepath.Join(c.Dir, files[0].Name()), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	last := &snapshot.Cache{Dir: c.Dir, Manifest: c.Manifest, Object: c.Object}
	s, done, err := last.View(ctx, kept)
	if err != nil || s.Verify() != nil {
		t.Fatalf("a damaged file: %v", err)
	}
	done()
	last.Close()
}

func TestCacheDoesNotRememberFailures(t *testing.T) {
	d := &depot{manifests: map[string][]byte{}, objects: map[string][]byte{}}
	digest := d.add(t, compose(t, records("A-1"), nil))
	c := d.cache(t, 0)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := c.View(gone, digest); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	_, done, err := c.View(ctx, digest)
	if err != nil {
		t.Fatal(err)
	}
	done()
	done() // a second call does nothing
}

// heads are numbered heads of a test.
type heads []*advisory.Head

func (h heads) Head(_ context.Context, number int64) (*advisory.Head, error) {
	if number == 0 {
		number = int64(len(h))
	}
	if number < 1 || number > int64(len(h)) {
		return nil, fmt.Errorf("head %d: %w", number, snapshot.ErrNotFound)
	}
	return h[number-1], nil
}

func TestMatcher(t *testing.T) {
	d := &depot{manifests: map[string][]byte{}, objects: map[string][]byte{}}
	first, second := d.add(t, compose(t, records("A-1"), nil)), d.add(t, compose(t, records("A-1", "A-2"), nil))
	c := d.cache(t, 0)
	defer c.Close()
	doc := &sbom.Document{Packages: []sbom.Package{{ID: "x", Name: "x", Version: "1", PURL: purl.PackageURL{Type: "npm", Name: "x", Version: "1"}}}}
	m := &snapshot.Matcher{Cache: c, Heads: heads{}}
	report, err := m.Match(ctx, doc)
	if err != nil || report.Snapshot != "" || !report.Blocked() {
		t.Errorf("without a head: %+v, %v", report, err)
	}
	m.Heads = heads{{Number: 1, Digest: first}, {Number: 2, Digest: second}}
	if report, err = m.Match(ctx, doc); err != nil || report.Snapshot != second {
		t.Errorf("the newest head: %+v, %v", report, err)
	}
	if report, err = m.MatchAt(ctx, first, time.Time{}, doc); err != nil || report.Snapshot != first {
		t.Errorf("a head by its digest: %+v, %v", report, err)
	}
	if e, err := m.ExplainAt(ctx, first, time.Time{}, doc, "x", "A-1"); err != nil || e.Snapshot != first {
		t.Errorf("an explanation: %+v, %v", e, err)
	}
	m.Heads = heads{{Number: 1, Digest: fakeDigest(3)}}
	if _, err = m.Match(ctx, doc); !errors.Is(err, snapshot.ErrNotFound) {
		t.Errorf("a head whose snapshot is away: %v", err)
	}
}
