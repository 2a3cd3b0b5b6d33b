package blobtest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stella-ops/stella/store/blob"
)

// damage alters stored objects in every way that a backend may, and reads them in
// every way: each damage must be noticed, and no wrong byte be given out.
func (s *suite) damage(t *testing.T) {
	d := s.open(t)
	b, r := blob.New(d), s.rand()
	type object struct {
		ref blob.Ref
		p   []byte
	}
	var objects []object
	sizes := s.sizes()
	for i := range 4 * len(sizes) { // most are small, for speed
		p := data(r, 1+r.IntN(5000))
		if i%4 == 0 {
			p = data(r, sizes[i/4])
		}
		objects = append(objects, object{put(t, b, p), p})
	}
	served, noticed := 0, 0
	kinds := map[string]int{}
	for i := range s.Damages {
		o, other := objects[r.IntN(len(objects))], objects[r.IntN(len(objects))]
		kind := hurts[i%len(hurts)]
		bad, ok := kind.hurt(r, o.p, other.p)
		if !ok || bad != nil && bytes.Equal(bad, o.p) {
			continue
		}
		key := keyOf(o.ref)
		if bad == nil {
			if err := d.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		} else {
			create(t, d, key, bad)
		}
		kinds[kind.name]++
		served++
		if s.noticed(t, b, r, o.ref, o.p, bad == nil) {
			noticed++
		} else {
			t.Errorf("%s of an object of %d bytes was not noticed", kind.name, len(o.p))
		}
		if got := put(t, b, o.p); got.Digest != o.ref.Digest { // that heals it
			t.Fatal(got)
		}
		if err := b.Check(t.Context(), o.ref); err != nil {
			t.Fatalf("after it was put again: %v", err)
		}
	}
	t.Logf("%d damages, %d noticed: %v", served, noticed, kinds)
	if served < s.Damages/2 {
		t.Errorf("only %d damages were done", served)
	}
}

// hurts are the ways to damage an object; nil bytes mean that it is deleted.
var hurts = []struct {
	name string
	hurt func(r *rand.Rand, p, other []byte) (bad []byte, ok bool)
}{
	{"flip", func(r *rand.Rand, p, _ []byte) ([]byte, bool) {
		if len(p) == 0 {
			return nil, false
		}
		bad := bytes.Clone(p)
		bad[r.IntN(len(p))] ^= 1 << r.IntN(8)
		return bad, true
	}},
	{"truncate", func(r *rand.Rand, p, _ []byte) ([]byte, bool) {
		if len(p) == 0 {
			return nil, false
		}
		return append([]byte{}, p[:r.IntN(len(p))]...), true
	}},
	{"extend", func(r *rand.Rand, p, _ []byte) ([]byte, bool) { return append(bytes.Clone(p), byte(r.Uint32())), true }},
	{"swap", func(_ *rand.Rand, _, other []byte) ([]byte, bool) { return append([]byte{}, other...), true }},
	{"zero", func(_ *rand.Rand, p, _ []byte) ([]byte, bool) { return make([]byte, len(p)), len(p) > 0 }},
	{"delete", func(*rand.Rand, []byte, []byte) ([]byte, bool) { return nil, true }},
	{"swap chunks", func(_ *rand.Rand, p, _ []byte) ([]byte, bool) {
		if len(p) < 2*blob.ChunkSize {
			return nil, false
		}
		bad := bytes.Clone(p[blob.ChunkSize : 2*blob.ChunkSize])
		bad = append(bad, p[:blob.ChunkSize]...)
		return append(bad, p[2*blob.ChunkSize:]...), true
	}},
}

// noticed reads a damaged object whole and in ranges. It reports whether reading
// the whole failed as it must.
func (s *suite) noticed(t *testing.T, b *blob.Bucket, r *rand.Rand, ref blob.Ref, p []byte, gone bool) bool {
	t.Helper()
	kind := blob.ErrMismatch
	if gone {
		kind = blob.ErrNotFound
	}
	got, err := readAll(b.Open(t.Context(), ref))
	if !bytes.HasPrefix(p, got) {
		t.Errorf("wrong bytes were given out: %d of an object of %d", len(got), len(p))
	}
	if !errors.Is(err, kind) {
		t.Errorf("open a damaged object of %d bytes: %v", len(p), err)
		return false
	}
	if !errors.Is(b.Check(t.Context(), ref), kind) || !errors.Is(b.Name(t.Context(), ref, "damaged"), kind) {
		t.Errorf("check or name of a damaged object of %d bytes passed", len(p))
	}
	offset := r.Int64N(int64(len(p)) + 1)
	got, _ = readAll(b.ReadRange(t.Context(), ref, offset, r.Int64N(int64(len(p))+1)))
	if !bytes.HasPrefix(p[offset:], got) {
		t.Errorf("wrong bytes were given out of a range at %d of an object of %d", offset, len(p))
	}
	return true
}

func readAll(r io.ReadCloser, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// verify: a sweep names exactly the damaged objects.
func (s *suite) verify(t *testing.T) {
	d := s.open(t)
	b, r := blob.New(d), s.rand()
	bad := map[string]bool{}
	for i := range 12 {
		p := data(r, 100*i)
		ref := put(t, b, p)
		if i%3 == 1 {
			p[i] ^= 4
			create(t, d, keyOf(ref), p)
			bad[keyOf(ref)] = true
		}
	}
	create(t, d, "sha256/aa/stranger", []byte("x"))
	bad["sha256/aa/stranger"] = true
	if err := b.Name(t.Context(), put(t, b, []byte("named")), "a/name"); err != nil {
		t.Fatal(err)
	}
	good := 0
	for info, err := range b.Verify(t.Context()) {
		switch {
		case err == nil:
			good++
		case !errors.Is(err, blob.ErrMismatch) || !bad[info.Key]:
			t.Errorf("%s: %v", info.Key, err)
		}
		if (err != nil) != bad[info.Key] {
			t.Errorf("%s: damaged %v, error %v", info.Key, bad[info.Key], err)
		}
		delete(bad, info.Key)
	}
	if good != 9 || len(bad) > 0 {
		t.Errorf("%d good, want 9; not seen: %v", good, bad)
	}
}
