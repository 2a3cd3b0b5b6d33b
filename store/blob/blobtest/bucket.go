package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/blob"
)

// refOf computes a Ref on its own.
func refOf(p []byte) blob.Ref {
	sum := sha256.Sum256(p)
	ref := blob.Ref{Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(p))}
	if len(p) > blob.ChunkSize {
		for i := 0; i < len(p); i += blob.ChunkSize {
			c := sha256.Sum256(p[i:min(i+blob.ChunkSize, len(p))])
			ref.Chunks = append(ref.Chunks, c[:]...)
		}
	}
	return ref
}

// sizes lie around the limits of chunks and of what is held in memory.
func (s *suite) sizes() []int {
	const c = blob.ChunkSize
	return []int{0, 1, c - 1, c, c + 1, 2*c - 1, 2 * c, 2*c + 1, 4*c - 1, 4 * c, 4*c + 1, s.Large}
}

func (s *suite) put(t *testing.T) {
	b, r := blob.New(s.open(t)), s.rand()
	for _, n := range s.sizes() {
		p := data(r, n)
		ref := put(t, b, p)
		if diff := cmp.Diff(refOf(p), ref); diff != "" {
			t.Fatalf("%d bytes: %s", n, diff)
		}
		in, err := b.Open(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		in.Close()
		if err != nil || !bytes.Equal(got, p) {
			t.Errorf("%d bytes: read %d others, %v", n, len(got), err)
		}
		for range 8 {
			offset, length := r.Int64N(int64(n)+1), r.Int64N(int64(n)+2)-1
			checkRange(t, b, ref, p, offset, length)
		}
		checkRange(t, b, ref, p, int64(n), -1)
		if info, err := b.Stat(t.Context(), ref); err != nil || info.Size != int64(n) || info.Key != keyOf(ref) {
			t.Errorf("stat: %+v, %v", info, err)
		}
	}
}

func checkRange(t *testing.T, b *blob.Bucket, ref blob.Ref, p []byte, offset, length int64) {
	t.Helper()
	in, err := b.ReadRange(t.Context(), ref, offset, length)
	if err != nil {
		t.Errorf("%d bytes at %d of %d: %v", length, offset, len(p), err)
		return
	}
	defer in.Close()
	want := p[offset:]
	if length >= 0 && length < int64(len(want)) {
		want = want[:length]
	}
	if got, err := io.ReadAll(in); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes at %d of %d: got %d others, %v", length, offset, len(p), len(got), err)
	}
}

func (s *suite) putRef(t *testing.T) {
	d := s.open(t)
	b, r := blob.New(d), s.rand()
	for _, n := range []int{0, 5, blob.ChunkSize, s.Large} {
		p := data(r, n)
		want := refOf(p)
		bare := blob.Ref{Digest: want.Digest, Size: want.Size}
		wrong := refOf(append(data(r, n), 1))
		cases := map[string]struct {
			ref blob.Ref
			p   []byte
		}{
			"other digest": {blob.Ref{Digest: wrong.Digest, Size: want.Size}, p},
			"too long":     {bare, append(bytes.Clone(p), 1)},
		}
		if n > 0 {
			cases["too short"] = struct {
				ref blob.Ref
				p   []byte
			}{bare, p[:n-1]}
		}
		if n > blob.ChunkSize {
			chunks := bytes.Clone(want.Chunks)
			chunks[len(chunks)-1] ^= 1
			cases["other chunks"] = struct {
				ref blob.Ref
				p   []byte
			}{blob.Ref{Digest: want.Digest, Size: want.Size, Chunks: chunks}, p}
		}
		for name, c := range cases {
			_, err := b.PutRef(t.Context(), c.ref, bytes.NewReader(c.p))
			wantKind(t, fmt.Sprintf("%s, %d bytes", name, n), err, blob.ErrMismatch)
		}
		if got := keys(t, d, ""); len(got) != 0 {
			t.Fatalf("%d bytes: after refused writes there is %v", n, got)
		}
		got, err := b.PutRef(t.Context(), bare, bytes.NewReader(p))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%d bytes: %v %s", n, err, diff)
		}
		if err := d.Delete(t.Context(), keyOf(want)); err != nil {
			t.Fatal(err)
		}
	}
	for _, digest := range []string{"", "sha256:", "sha256:../../etc/passwd", "md5:00", "sha256:" + string(bytes.Repeat([]byte("A"), 64)), "sha256:" + string(bytes.Repeat([]byte("z"), 64))} {
		_, err := b.PutRef(t.Context(), blob.Ref{Digest: digest}, bytes.NewReader(nil))
		wantKind(t, "put "+digest, err, blob.ErrInvalid)
		_, err = b.Open(t.Context(), blob.Ref{Digest: digest})
		wantKind(t, "open "+digest, err, blob.ErrInvalid)
	}
	_, err := b.Open(t.Context(), blob.Ref{Digest: refOf(nil).Digest, Size: 2 * blob.ChunkSize})
	wantKind(t, "open without chunks", err, blob.ErrInvalid)
}

// sameContent: many put the same bytes at once, while others read them.
func (s *suite) sameContent(t *testing.T) {
	d := s.open(t)
	b, p := blob.New(d), data(s.rand(), s.Large)
	want := put(t, b, p)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 3 {
				got, err := b.Put(context.Background(), bytes.NewReader(p))
				if err != nil || !cmp.Equal(got, want) {
					t.Errorf("put: %v, %v", got, err)
				}
			}
		})
		wg.Go(func() {
			for range 3 {
				if err := b.Check(context.Background(), want); err != nil {
					t.Errorf("read while it is put again: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff([]string{keyOf(want)}, keys(t, d, "")); diff != "" {
		t.Error(diff)
	}
}

func (s *suite) names(t *testing.T) {
	d := s.open(t)
	b, r := blob.New(d), s.rand()
	for _, n := range []int{0, 100, s.Large} {
		p := data(r, n)
		ref := put(t, b, p)
		const name = "scan-1/sbom.spdx.json"
		if err := b.Name(t.Context(), ref, name); err != nil { // the next one replaces it
			t.Fatal(err)
		}
		if got, _ := read(t, d, name); !bytes.Equal(got, p) {
			t.Errorf("%s has %d other bytes", name, len(got))
		}
		in, err := b.OpenName(t.Context(), name, ref)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		in.Close()
		if err != nil || !bytes.Equal(got, p) {
			t.Errorf("read %s: %d other bytes, %v", name, len(got), err)
		}
		_, err = b.OpenName(t.Context(), name, refOf([]byte("another")))
		wantKind(t, "another object's name", err, blob.ErrMismatch)
	}
	ref := put(t, b, []byte("x"))
	for _, name := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", ".", "a\\b", "a b", "sha256", "sha256/aa/bb", "a:b", "é", string(bytes.Repeat([]byte("a"), 256)), "~tmp/x"} {
		if err := b.Name(t.Context(), ref, name); !errors.Is(err, blob.ErrInvalid) && !errors.Is(err, blob.ErrLimit) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if err := b.Name(t.Context(), refOf([]byte("never put")), "a"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("name of nothing: %v", err)
	}
	create(t, d, keyOf(ref), []byte("y"))
	wantKind(t, "name a damaged object", b.Name(t.Context(), ref, "a"), blob.ErrMismatch)
	if err := b.Unname(t.Context(), "scan-1/sbom.spdx.json"); err != nil {
		t.Error(err)
	}
	for _, prefix := range []string{"scan-1", "a"} {
		if got := keys(t, d, prefix); len(got) > 0 {
			t.Errorf("there is %v", got)
		}
	}
}

// sub: buckets below a prefix do not see each other.
func (s *suite) sub(t *testing.T) {
	b := blob.New(s.open(t))
	one, err := b.Sub("tenants/one")
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.Sub("tenants/one-b")
	if err != nil {
		t.Fatal(err)
	}
	ref := put(t, one, []byte("secret"))
	if err := one.Name(t.Context(), ref, "n"); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Stat(t.Context(), ref); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("another tenant's object: %v", err)
	}
	list := func(b *blob.Bucket) (out []string) {
		for info, err := range b.List(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, info.Key)
		}
		return out
	}
	if diff := cmp.Diff([]string{"n", keyOf(ref)}, list(one)); diff != "" {
		t.Error(diff)
	}
	if got := list(two); got != nil {
		t.Errorf("another tenant sees %v", got)
	}
	for _, name := range []string{"..", "a/../../two", "", "sha256"} {
		if _, err := one.Sub(name); !errors.Is(err, blob.ErrInvalid) {
			t.Errorf("sub %q: %v", name, err)
		}
	}
}
