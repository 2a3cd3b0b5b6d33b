package snapshot_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/snapshot"
	"github.com/stella-ops/stella/vex/vextest"
)

func newVEX(t testing.TB) *store.VEX {
	t.Helper()
	root, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stella.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root.VEX()
}

func newStore(t testing.TB, refs snapshot.Refs, bucket *blob.Bucket) *snapshot.Store {
	t.Helper()
	s := &snapshot.Store{Dir: filepath.Join(t.TempDir(), "cache"), Bucket: bucket, Refs: refs, Keep: 1}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func memory(t testing.TB) *blob.Bucket {
	t.Helper()
	b, err := blob.Open(t.Context(), "file:"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStore(t *testing.T) {
	list := vextest.Statements(t)
	want := vex.NewSet(list)
	refs, bucket := newVEX(t), memory(t)
	first := newStore(t, refs, bucket)
	if _, _, err := first.View(t.Context(), want.Digest()); !errors.Is(err, snapshot.ErrNotFound) {
		t.Errorf("before it is there: %v", err)
	}
	if err := first.Put(t.Context(), vex.NewSet(nil).Digest(), each(list)); !errors.Is(err, snapshot.ErrMismatch) {
		t.Errorf("statements of another set: %v", err)
	}
	for range 2 {
		if err := first.Put(t.Context(), want.Digest(), each(list)); err != nil {
			t.Fatal(err)
		}
	}
	// Another process has the bucket and an empty folder.
	second := newStore(t, refs, bucket)
	s, done, err := second.View(t.Context(), want.Digest())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), want.Digest()); err != nil {
		t.Error(err)
	}
	r, size, err := second.File(t.Context(), want.Digest())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || int64(len(b)) != size || string(b) != string(build(t, list)) {
		t.Errorf("a file of %d bytes, %v", len(b), err)
	}
	r.Close()
	// What is not used any more leaves the folder.
	done()
	done()
	if err := first.Put(t.Context(), vex.NewSet(nil).Digest(), each(nil)); err != nil {
		t.Fatal(err)
	}
	if _, done, err := second.View(t.Context(), vex.NewSet(nil).Digest()); err != nil {
		t.Fatal(err)
	} else {
		done()
	}
	if files, err := os.ReadDir(second.Dir); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	for _, d := range []string{"", "x", "sha256:../../x", "sha256:" + want.Digest()} {
		if _, _, err := second.View(t.Context(), d); !errors.Is(err, snapshot.ErrInvalid) {
			t.Errorf("%q: %v", d, err)
		}
	}
}

// TestStoreHeals: a damaged file is brought again, and a lost object is made again.
func TestStoreHeals(t *testing.T) {
	list := vextest.Statements(t)
	digest := vex.NewSet(list).Digest()
	refs, bucket := newVEX(t), memory(t)
	if err := newStore(t, refs, bucket).Put(t.Context(), digest, each(list)); err != nil {
		t.Fatal(err)
	}
	s := newStore(t, refs, bucket)
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, digest[7:]+".vex"), []byte("STLVEX"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, done, err := s.View(t.Context(), digest); err != nil {
		t.Error(err)
	} else {
		done()
	}
	lost := newStore(t, refs, memory(t))
	if _, _, err := lost.View(t.Context(), digest); !errors.Is(err, snapshot.ErrNotFound) {
		t.Errorf("a lost object: %v", err)
	}
	rebuilt := 0
	lost.Rebuild = func(context.Context, string) iter.Seq2[*vex.Statement, error] {
		rebuilt++
		return each(list)
	}
	if _, done, err := lost.View(t.Context(), digest); err != nil || rebuilt != 1 {
		t.Error(err)
	} else {
		done()
	}
	// Without a bucket there is nothing but what is rebuilt.
	alone := newStore(t, nil, nil)
	alone.Rebuild = lost.Rebuild
	if err := alone.Put(t.Context(), digest, each(list)); err != nil {
		t.Error(err)
	}
	if _, done, err := alone.View(t.Context(), digest); err != nil || rebuilt != 2 {
		t.Error(err)
	} else {
		done()
	}
}
