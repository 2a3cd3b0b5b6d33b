package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/blob"
)

func (s *suite) whole(t *testing.T) {
	d, r := s.open(t), s.rand()
	for _, n := range []int{0, 1, 511, 512, 513, 1 << 20, s.Large} {
		for _, size := range []int64{int64(n), -1} {
			key := fmt.Sprintf("w/%d", n)
			want := data(r, n) // other bytes the second time: it replaces
			begin := time.Now()
			if err := d.Create(t.Context(), key, bytes.NewReader(want), size); err != nil {
				t.Fatalf("create %s with size %d: %v", key, size, err)
			}
			if got, ok := read(t, d, key); !ok || !bytes.Equal(got, want) {
				t.Errorf("%s with size %d: read %d other bytes, there %v", key, size, len(got), ok)
			}
			info, err := d.Stat(t.Context(), key)
			if err != nil || info.Key != key || info.Size != int64(n) {
				t.Errorf("stat %s: %+v, %v", key, info, err)
			}
			if age := begin.Sub(info.Modified); age > 2*time.Second || age < -time.Minute {
				t.Errorf("%s was modified at %v, written at %v", key, info.Modified, begin)
			}
		}
	}
}

func (s *suite) ranges(t *testing.T) {
	d := s.open(t)
	b := data(s.rand(), 1000)
	create(t, d, "r", b)
	for _, c := range []struct{ offset, length, from, to int64 }{
		{0, -1, 0, 1000}, {0, 0, 0, 0}, {0, 1, 0, 1}, {10, 20, 10, 30}, {999, 1, 999, 1000}, {999, 100, 999, 1000},
		{1000, -1, 1000, 1000}, {1000, 5, 1000, 1000}, {2000, 5, 1000, 1000}, {500, -1, 500, 1000}, {0, 5000, 0, 1000},
	} {
		r, err := d.Open(t.Context(), "r", c.offset, c.length)
		if err != nil {
			t.Errorf("open at %d, %d bytes: %v", c.offset, c.length, err)
			continue
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, b[c.from:c.to]) {
			t.Errorf("open at %d, %d bytes: got %d bytes, want [%d:%d]; %v", c.offset, c.length, len(got), c.from, c.to, err)
		}
	}
}

// broken gives n bytes and then an error.
type broken struct{ n int }

var errBroken = errors.New("the reader broke")

func (b *broken) Read(p []byte) (int, error) {
	if b.n == 0 {
		return 0, errBroken
	}
	n := min(b.n, len(p))
	b.n -= n
	return n, nil
}

func (s *suite) refused(t *testing.T) {
	d := s.open(t)
	before := []byte("what was there before")
	create(t, d, "old", before)
	for _, key := range []string{"old", "new/one"} {
		for _, n := range []int{0, 100, s.Large} {
			p := make([]byte, n)
			for name, c := range map[string]struct {
				r    io.Reader
				size int64
				kind error
			}{
				"shorter than said": {bytes.NewReader(p), int64(n) + 1, blob.ErrMismatch},
				"longer than said":  {bytes.NewReader(append(p, 1)), int64(n), blob.ErrMismatch},
				"broken":            {&broken{n}, int64(n) + 1, errBroken},
				"broken, any size":  {&broken{n}, -1, errBroken},
			} {
				wantKind(t, fmt.Sprintf("%s, %d bytes, %s", key, n, name), d.Create(t.Context(), key, c.r, c.size), c.kind)
			}
		}
	}
	if got, _ := read(t, d, "old"); !bytes.Equal(got, before) {
		t.Errorf("a refused write replaced what was there by %q", got)
	}
	if diff := cmp.Diff([]string{"old"}, keys(t, d, "")); diff != "" {
		t.Errorf("after refused writes: %s", diff)
	}
}

func (s *suite) missing(t *testing.T) {
	d := s.open(t)
	create(t, d, "a/b", []byte("x"))
	for _, key := range []string{"a", "a/c", "c", "a/b/c", "c/d/e"} {
		_, err := d.Stat(t.Context(), key)
		wantKind(t, "stat "+key, err, blob.ErrNotFound)
		_, err = d.Open(t.Context(), key, 0, -1)
		wantKind(t, "open "+key, err, blob.ErrNotFound)
		_, err = d.Open(t.Context(), key, 3, 0)
		wantKind(t, "open nothing of "+key, err, blob.ErrNotFound)
		wantKind(t, "copy "+key, d.Copy(t.Context(), key, "to"), blob.ErrNotFound)
		if err := d.Delete(t.Context(), key); err != nil {
			t.Errorf("delete %s: %v", key, err)
		}
	}
	if diff := cmp.Diff([]string{"a/b"}, keys(t, d, "")); diff != "" {
		t.Error(diff)
	}
	for range 2 {
		if err := d.Delete(t.Context(), "a/b"); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{}, keys(t, d, "")); diff != "" {
		t.Error(diff)
	}
}

func (s *suite) copies(t *testing.T) {
	d, r := s.open(t), s.rand()
	for _, n := range []int{0, 10, s.Large} {
		b := data(r, n)
		create(t, d, "from+x", b)
		for range 2 { // the second replaces
			if err := d.Copy(t.Context(), "from+x", "names/to_y"); err != nil {
				t.Fatalf("copy %d bytes: %v", n, err)
			}
		}
		create(t, d, "from+x", []byte("other")) // the copy is one
		if got, _ := read(t, d, "names/to_y"); !bytes.Equal(got, b) {
			t.Errorf("copy of %d bytes has %d other bytes", n, len(got))
		}
	}
}

func (s *suite) list(t *testing.T) {
	d := s.open(t)
	want := []string{"a+b", "a-b", "a.b", "a/1", "a/b/c", "a/b/d", "a0", "a_b", "ab", "b", "zz/y/x"}
	for _, i := range []int{6, 3, 10, 0, 9, 1, 8, 2, 7, 4, 5} {
		create(t, d, want[i], []byte(want[i]))
	}
	for _, prefix := range []string{"", "a", "a/", "a/b", "a/b/", "a/b/c", "a/b/c/", "b", "c", "zz", "zz/y/", "a-", "nothing/here"} {
		matching := slices.DeleteFunc(slices.Clone(want), func(k string) bool { return !strings.HasPrefix(k, prefix) })
		if diff := cmp.Diff(matching, keys(t, d, prefix)); diff != "" {
			t.Errorf("prefix %q: %s", prefix, diff)
		}
	}
	for info, err := range d.List(t.Context(), "") {
		if err != nil || info.Size != int64(len(info.Key)) || info.Modified.IsZero() {
			t.Errorf("%+v, %v", info, err)
		}
		break // ending early is allowed
	}
}

func (s *suite) cancelled(t *testing.T) {
	d := s.open(t)
	create(t, d, "there", []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantKind(t, "create", d.Create(ctx, "k", strings.NewReader("x"), 1), context.Canceled)
	_, err := d.Stat(ctx, "there")
	wantKind(t, "stat", err, context.Canceled)
	_, err = d.Open(ctx, "there", 0, -1)
	wantKind(t, "open", err, context.Canceled)
	for _, err := range d.List(ctx, "") {
		wantKind(t, "list", err, context.Canceled)
	}
	// Half way through.
	ctx, cancel = context.WithCancel(t.Context())
	r := io.MultiReader(bytes.NewReader(make([]byte, s.Large-1)), readerFunc(func(p []byte) (int, error) { cancel(); return copy(p, "x"), nil }))
	wantKind(t, "create half way", d.Create(ctx, "k", io.LimitReader(r, int64(s.Large)), int64(s.Large)), context.Canceled)
	if diff := cmp.Diff([]string{"there"}, keys(t, d, "")); diff != "" {
		t.Error(diff)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// concurrent: of many writers of one key one wins, and readers see one of them
// whole.
func (s *suite) concurrent(t *testing.T) {
	d, r := s.open(t), s.rand()
	const writers, rounds = 6, 8
	versions := make([][]byte, writers)
	for i := range versions {
		versions[i] = data(r, 40000+i)
	}
	create(t, d, "x/y", versions[0])
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for range rounds {
				if err := d.Create(t.Context(), "x/y", bytes.NewReader(versions[i]), int64(len(versions[i]))); err != nil {
					t.Errorf("create: %v", err)
				}
			}
		})
		wg.Go(func() {
			for range rounds {
				in, err := d.Open(t.Context(), "x/y", 0, -1)
				if err != nil {
					t.Errorf("open while it is replaced: %v", err)
					continue
				}
				got, err := io.ReadAll(in)
				in.Close()
				if err != nil || !slices.ContainsFunc(versions, func(v []byte) bool { return bytes.Equal(v, got) }) {
					t.Errorf("read %d bytes that nobody wrote; %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
}
