package snapshot_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
)

var ctx = context.Background()

func records(ids ...string) []*advisory.Record {
	var out []*advisory.Record
	for i, id := range ids {
		out = append(out, &advisory.Record{ID: id, Modified: "2024-05-20T16:03:47Z", Digest: fakeDigest(i), Affected: []advisory.Affected{{Ecosystem: "npm", Name: "x"}}})
	}
	return out
}

func TestStore(t *testing.T) {
	store := snapshot.Store{Dir: filepath.Join(t.TempDir(), "db", "advisories")}
	if _, err := store.Open(); !errors.Is(err, snapshot.ErrNotFound) {
		t.Errorf("empty store: %v", err)
	}
	if _, err := store.Status(); !errors.Is(err, snapshot.ErrNotFound) {
		t.Errorf("empty store: %v", err)
	}
	var digests []string
	for _, list := range [][]string{{"A-1"}, {"A-1", "A-2"}, {"A-1", "A-2", "A-3"}, {"A-1", "A-2", "A-3"}} {
		result, err := store.Import(sequence(records(list...)))
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, result.Digest)
		s, err := store.Open()
		if err != nil {
			t.Fatal(err)
		}
		if s.Digest() != result.Digest || s.Ecosystems()[0].Records != len(list) {
			t.Errorf("current is %s with %v", s.Digest(), s.Ecosystems())
		}
		s.Close()
	}
	if digests[2] != digests[3] {
		t.Errorf("the same records have digests %s and %s", digests[2], digests[3])
	}
	names, err := filepath.Glob(filepath.Join(store.Dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if want := 3; len(names) != want { // the last import kept what was current: itself
		t.Errorf("files %q, want %d", names, want)
	}
	st, err := store.Status()
	if err != nil {
		t.Fatal(err)
	}
	if st.Digest != digests[3] || st.Records != 3 || len(st.Segments) != 1 || st.Imported.IsZero() || filepath.Dir(st.Path) != store.Dir {
		t.Errorf("status %+v", st)
	}
}

func TestStoreKeepsCurrent(t *testing.T) {
	store := snapshot.Store{Dir: t.TempDir()}
	first, err := store.Import(sequence(records("A-1")))
	if err != nil {
		t.Fatal(err)
	}
	fatal := errors.New("fatal")
	if _, err := store.Import(func(yield func(*advisory.Record, error) bool) {
		_ = yield(records("A-2")[0], nil) && yield(nil, fatal)
	}); !errors.Is(err, fatal) {
		t.Errorf("error %v", err)
	}
	if _, err := store.Import(sequence(nil)); !errors.Is(err, snapshot.ErrInvalid) {
		t.Errorf("an import of nothing: %v", err)
	}
	s, err := store.Open()
	if err != nil || s.Digest() != first.Digest {
		t.Fatal(s, err)
	}
	s.Close()
	left, err := filepath.Glob(filepath.Join(store.Dir, ".tmp-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	// The file of the snapshot with other content.
	other, _ := build(t, records("A-7"))
	if err := os.WriteFile(filepath.Join(store.Dir, strings.TrimPrefix(first.Digest, "sha256:")+".snapshot"), other, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(); !errors.Is(err, snapshot.ErrMismatch) {
		t.Errorf("exchanged file: %v", err)
	}
	if err := os.WriteFile(filepath.Join(store.Dir, "current"), []byte("../../etc/passwd\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(); !errors.Is(err, snapshot.ErrInvalid) {
		t.Errorf("bad pointer: %v", err)
	}
	if _, err := store.Import(sequence(records("A-1"))); err != nil {
		t.Errorf("an import over a bad pointer: %v", err)
	}
}
