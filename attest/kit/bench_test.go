package kit_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stella-ops/stella/attest/kit"
)

// synthetic writes a kit of that many bytes in contents of different sizes to a file.
func synthetic(t testing.TB, size int64) (p *publisher, path string) {
	t.Helper()
	p = newPublisher(t)
	var list []kit.Item
	for n, left := 0, size; left > 0; n++ {
		part := min(left, 1<<(10+n*5%17), left)
		if n%8 == 0 {
			part = min(left, size/8)
		}
		left -= part
		seed := uint64(n)
		list = append(list, kit.Item{Kind: "advisory", Name: "objects/" + string(rune('a'+n%26)) + string(rune('a'+n/26%26)) + string(rune('a'+n/676)), Open: func() (io.ReadCloser, error) {
			var key [32]byte
			key[0], key[1] = byte(seed), byte(seed>>8)
			return io.NopCloser(io.LimitReader(rand.NewChaCha8(key), part)), nil
		}})
	}
	path = filepath.Join(t.TempDir(), "kit.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := p.publish(t, list).Write(ctx, f, 0); err != nil {
		t.Fatal(err)
	}
	return p, path
}

func opened(t testing.TB, path string) (*os.File, int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return f, info.Size()
}

// TestMemory: what a kit of any size costs in memory is less than its metadata and a
// buffer. All that is allocated is counted, also what is freed again.
func TestMemory(t *testing.T) {
	size := int64(8 << 20)
	if long {
		size = 300 << 20
	}
	p, path := synthetic(t, size)
	allocated := func(do func()) int64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	s := p.store(t)
	const bound = 24 << 20
	for name, do := range map[string]func(r io.Reader) error{
		"verify": func(r io.Reader) error { _, err := kit.Verify(ctx, r, p.client(t), now); return err },
		"load":   func(r io.Reader) error { _, err := s.Load(ctx, r, now, nil); return err },
	} {
		f, n := opened(t, path)
		var err error
		got := allocated(func() { err = do(f) })
		t.Logf("%s of %d MB allocates %d KB", name, n>>20, got>>10)
		if err != nil || got > bound {
			t.Errorf("%s: %d bytes, %v", name, got, err)
		}
	}
}

const benchSize = 256 << 20

func benchmark(b *testing.B, do func(p *publisher, f *os.File) error) {
	p, path := synthetic(b, benchSize)
	f, n := opened(b, path)
	b.SetBytes(n)
	for b.Loop() {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		if err := do(p, f); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSHA256 is what the others are compared with: reading and hashing a file.
func BenchmarkSHA256(b *testing.B) {
	benchmark(b, func(_ *publisher, f *os.File) error {
		_, err := io.CopyBuffer(struct{ io.Writer }{sha256.New()}, struct{ io.Reader }{f}, make([]byte, 256<<10))
		return err
	})
}

func BenchmarkVerify(b *testing.B) {
	benchmark(b, func(p *publisher, f *os.File) error {
		_, err := kit.Verify(ctx, f, p.client(b), now)
		return err
	})
}

// BenchmarkWriteFile is what BenchmarkLoad does beside verifying: bytes made durable.
func BenchmarkWriteFile(b *testing.B) {
	dir := b.TempDir()
	benchmark(b, func(_ *publisher, f *os.File) error {
		out, err := os.CreateTemp(dir, "")
		if err != nil {
			return err
		}
		defer os.Remove(out.Name())
		defer out.Close()
		if _, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{f}, make([]byte, 256<<10)); err != nil {
			return err
		}
		return out.Sync()
	})
}

func BenchmarkLoad(b *testing.B) {
	benchmark(b, func(p *publisher, f *os.File) error {
		_, err := p.store(b).Load(ctx, f, now, nil)
		return err
	})
}

// BenchmarkLoadAgain loads what is there: everything is read from the store.
func BenchmarkLoadAgain(b *testing.B) {
	var s *kit.Store
	benchmark(b, func(p *publisher, f *os.File) error {
		if s == nil {
			store := p.store(b)
			s = &store
		}
		_, err := s.Load(ctx, f, now, nil)
		return err
	})
}

// BenchmarkSmall verifies a kit that is metadata and little else.
func BenchmarkSmall(b *testing.B) {
	p := newPublisher(b)
	file := p.full(b, some(1))
	client := p.client(b)
	for b.Loop() {
		if _, err := kit.Verify(ctx, bytes.NewReader(file), client, now); err != nil {
			b.Fatal(err)
		}
	}
}
