package kit_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/attest/role"
)

func TestWhole(t *testing.T) {
	p := newPublisher(t)
	file := p.full(t, some(1))
	k, err := kit.Verify(ctx, bytes.NewReader(file), p.client(t), now)
	if err != nil {
		t.Fatal(err)
	}
	if k.Feed != feed || k.Version != 1 || k.Base != 0 || k.Size != int64(len(file)) || !k.Expires.Equal(now.Add(30*day)) || len(k.Entries) != 7 || !k.Has(k.Entries[0]) {
		t.Errorf("%+v", k)
	}
	s := p.store(t)
	if _, err := s.Active(); !errors.Is(err, kit.ErrNotFound) {
		t.Errorf("a store without a kit: %v", err)
	}
	l := load(t, s, file)
	if l.Version != 1 || l.Read != 7 || l.Reused != 0 || l.Unchanged || l.Kit != k.Digest {
		t.Errorf("%+v", l)
	}
	if diff := cmp.Diff(some(1), active(t, s)); diff != "" {
		t.Error(diff)
	}
	if l := load(t, s, file); !l.Unchanged || l.Read != 0 || l.Reused != 7 {
		t.Errorf("again: %+v", l)
	}
	if l := load(t, s, p.full(t, some(2))); l.Version != 2 || l.Read != 3 || l.Unchanged {
		t.Errorf("the next: %+v", l)
	}
	if diff := cmp.Diff(some(2), active(t, s)); diff != "" {
		t.Error(diff)
	}
}

// TestTar reads a kit with another implementation of tar, and makes it again by it.
func TestTar(t *testing.T) {
	p := newPublisher(t)
	p.rotate(t, func(r *role.Root) {}, "r1", "r2")
	file := p.full(t, some(1))
	var again bytes.Buffer
	in, out := tar.NewReader(bytes.NewReader(file)), tar.NewWriter(&again)
	var names []string
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: h.Name, Size: h.Size, Mode: 0o644, Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(out, in); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, again.Bytes()) {
		t.Error("another program would write another file")
	}
	want := []string{"kit.json", "1.root.json", "2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"}
	if diff := cmp.Diff(want, names[:len(want)]); diff != "" {
		t.Error(diff)
	}
	contents := names[len(want):]
	if len(contents) != 7 || !slices.IsSorted(contents) || !strings.HasPrefix(contents[0], "sha256/") {
		t.Errorf("contents %q", contents)
	}
}

// TestDeterminism: neither the order of items nor what runs at the same time matters.
func TestDeterminism(t *testing.T) {
	want := newPublisher(t).full(t, some(1))
	for n := range 20 {
		before := runtime.GOMAXPROCS(1 + n%4)
		list := items(some(1))
		rand.New(rand.NewPCG(1, uint64(n))).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		p := newPublisher(t)
		got := write(t, p.publish(t, list), 0)
		runtime.GOMAXPROCS(before)
		if !bytes.Equal(got, want) {
			t.Fatalf("run %d made another kit", n)
		}
	}
}
