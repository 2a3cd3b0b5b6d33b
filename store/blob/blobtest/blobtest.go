// Package blobtest proves drivers of package blob, and that buckets on them never
// give out wrong bytes. A driver's own test calls Test.
package blobtest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stella-ops/stella/store/blob"
)

// Options change how much Test does.
type Options struct {
	// Large is the size of an object that the driver keeps in several pieces, in
	// bytes. Default 3 MiB and a bit.
	Large int
	// Damages is how many stored objects are damaged. Default 300.
	Damages int
	// Seed of what is random. Default 1.
	Seed uint64
}

// Test checks the driver that open returns, and buckets on it. open returns an
// empty one for each call; Test does not close it. nil opts means defaults.
func Test(t *testing.T, open func(*testing.T) blob.Driver, opts *Options) {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	if o.Large == 0 {
		o.Large = 3<<20 + 17
	}
	if o.Damages == 0 {
		o.Damages = 300
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	s := &suite{open: open, Options: o}
	for name, f := range map[string]func(*testing.T){
		"Driver/Whole":       s.whole,
		"Driver/Ranges":      s.ranges,
		"Driver/Refused":     s.refused,
		"Driver/Missing":     s.missing,
		"Driver/Copy":        s.copies,
		"Driver/List":        s.list,
		"Driver/Cancelled":   s.cancelled,
		"Driver/Concurrent":  s.concurrent,
		"Driver/Model":       s.driverModel,
		"Bucket/Put":         s.put,
		"Bucket/PutRef":      s.putRef,
		"Bucket/SameContent": s.sameContent,
		"Bucket/Names":       s.names,
		"Bucket/Damage":      s.damage,
		"Bucket/Verify":      s.verify,
		"Bucket/Sub":         s.sub,
		"Bucket/Model":       s.bucketModel,
		"Collect/Grace":      s.grace,
		"Collect/PutAgain":   s.putAgain,
		"Collect/Died":       s.died,
		"Collect/Race":       s.race,
	} {
		t.Run(name, f)
	}
}

type suite struct {
	open func(*testing.T) blob.Driver
	Options
}

func (s *suite) rand() *rand.Rand { return rand.New(rand.NewPCG(s.Seed, 7)) }

// data returns n bytes that look random.
func data(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 8 {
		v := r.Uint64()
		for j := i; j < min(i+8, n); j++ {
			b[j] = byte(v)
			v >>= 8
		}
	}
	return b
}

// create writes an object or ends the test.
func create(t testing.TB, d blob.Driver, key string, b []byte) {
	t.Helper()
	if err := d.Create(t.Context(), key, bytes.NewReader(b), int64(len(b))); err != nil {
		t.Fatalf("create %s: %v", key, err)
	}
}

// read returns what lies under a key, nil and false when there is nothing.
func read(t testing.TB, d blob.Driver, key string) ([]byte, bool) {
	t.Helper()
	r, err := d.Open(t.Context(), key, 0, -1)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, false
	}
	if err != nil {
		t.Fatalf("open %s: %v", key, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	return b, true
}

// keys lists the keys that begin with prefix.
func keys(t testing.TB, d blob.Driver, prefix string) []string {
	t.Helper()
	out := []string{}
	for info, err := range d.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("list %q: %v", prefix, err)
		}
		out = append(out, info.Key)
	}
	return out
}

// wantKind checks that an error matches a kind.
func wantKind(t testing.TB, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: error %v, want one that wraps %q", what, err, kind)
	}
}

// put puts an object or ends the test.
func put(t testing.TB, b *blob.Bucket, p []byte) blob.Ref {
	t.Helper()
	ref, err := b.Put(t.Context(), bytes.NewReader(p))
	if err != nil {
		t.Fatalf("put %d bytes: %v", len(p), err)
	}
	return ref
}

// keyOf returns the key that a bucket keeps a digest under.
func keyOf(ref blob.Ref) string {
	sum := ref.Digest[len("sha256:"):]
	return "sha256/" + sum[:2] + "/" + sum
}
