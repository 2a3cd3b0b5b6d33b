package snapshot

import (
	"crypto/sha256"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/stella-ops/stella/internal/fault"
)

// cachedBlocks bounds the blocks that are held of a file that is not in memory.
const cachedBlocks = 256

// blocks is a body whose blocks are checked when they are first read.
type blocks struct {
	sums    []byte // digests of the blocks
	size    int64
	body    []byte          // of a file that is in memory
	checked []atomic.Uint32 // a bit for each of its blocks
	file    io.ReaderAt     // of one that is not
	at      int64           // where the body begins there

	mu     sync.Mutex
	cached map[int64][]byte
}

// part returns n bytes of the body, after checking the blocks that they are in. They
// must not be changed.
func (g *blocks) part(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || at > g.size-n {
		return nil, fmt.Errorf("a place is outside: %w", fault.Invalid)
	}
	if n == 0 {
		return nil, nil
	}
	if g.file != nil {
		return g.fetch(at, n)
	}
	for block := at / blockSize; block*blockSize < at+n; block++ {
		word, bit := &g.checked[block/32], uint32(1)<<(block%32)
		if word.Load()&bit != 0 {
			continue
		}
		start := block * blockSize
		if err := g.check(block, g.body[start:min(start+blockSize, g.size)]); err != nil {
			return nil, err
		}
		word.Or(bit)
	}
	return g.body[at : at+n], nil
}

// fetch reads from a file.
func (g *blocks) fetch(at, n int64) ([]byte, error) {
	first, last := at/blockSize, (at+n-1)/blockSize
	if first == last {
		b, err := g.block(first)
		if err != nil {
			return nil, err
		}
		return b[at-first*blockSize:][:n], nil
	}
	var out []byte
	for i := first; i <= last; i++ {
		b, err := g.block(i)
		if err != nil {
			return nil, err
		}
		out = append(out, b...) // grows as the file proves to be there
	}
	return out[at-first*blockSize:][:n], nil
}

func (g *blocks) block(i int64) ([]byte, error) {
	g.mu.Lock()
	b := g.cached[i]
	g.mu.Unlock()
	if b != nil {
		return b, nil
	}
	b = make([]byte, min(blockSize, g.size-i*blockSize))
	if n, err := g.file.ReadAt(b, g.at+i*blockSize); n < len(b) {
		return nil, fmt.Errorf("block %d: %v: %w", i, err, fault.Unavailable)
	}
	if err := g.check(i, b); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cached == nil || len(g.cached) >= cachedBlocks {
		g.cached = map[int64][]byte{}
	}
	g.cached[i] = b
	return b, nil
}

func (g *blocks) check(i int64, b []byte) error {
	got, want := sha256.Sum256(b), [sha256.Size]byte(g.sums[i*sha256.Size:])
	if got != want {
		return &fault.MismatchError{What: fmt.Sprintf("block %d", i), Want: digestName(want), Got: digestName(got)}
	}
	return nil
}
