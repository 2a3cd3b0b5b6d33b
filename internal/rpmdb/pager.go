package rpmdb

import (
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
)

// readAhead is how much is read at once where pages follow each other.
const readAhead = 64 << 10

// pager reads the fixed-size pages of one file and sees to it that a walk uses
// each page once: a second use means a cycle or two owners, and a bound on the
// work comes with it.
type pager struct {
	r     io.ReaderAt
	page  int64    // bytes per page
	count int64    // whole pages in the file
	base  int64    // number of the first page: 0 or 1
	seen  []uint64 // one bit per page

	window []byte // pages read last
	first  int64  // index of the first page in window
	ahead  int64  // pages to read next time, if that is the next page
}

func newPager(r io.ReaderAt, size, page, base int64) *pager {
	p := &pager{r: r, page: page, count: size / page, base: base}
	p.reset()
	return p
}

// reset forgets which pages were used.
func (p *pager) reset() { p.seen = make([]uint64, (p.count+63)/64) }

// take reads page n, which must not have been taken before. The slice is valid
// until the next call.
func (p *pager) take(n uint32) ([]byte, error) {
	i := int64(n) - p.base
	if i < 0 || i >= p.count {
		return nil, fmt.Errorf("page %d lies outside the file of %d pages (cut short?): %w", n, p.count, fault.Invalid)
	}
	if p.seen[i/64]&(1<<(i%64)) != 0 {
		return nil, fmt.Errorf("page %d is used twice: %w", n, fault.Invalid)
	}
	p.seen[i/64] |= 1 << (i % 64)
	return p.at(i)
}

// at returns the page at index i. Where pages are asked for in the order of
// the file, more and more of them are read at once.
func (p *pager) at(i int64) ([]byte, error) {
	held := int64(len(p.window)) / p.page
	if i < p.first || i >= p.first+held {
		if held > 0 && i == p.first+held {
			p.ahead = min(p.ahead*2, max(readAhead/p.page, 1))
		} else {
			p.ahead = 1
		}
		n := min(p.ahead, p.count-i) * p.page
		if int64(cap(p.window)) < n {
			p.window = make([]byte, max(n, min(readAhead, p.count*p.page)))
		}
		p.window, p.first = p.window[:n], i
		if err := readFull(p.r, p.window, i*p.page); err != nil {
			p.window = p.window[:0]
			return nil, fmt.Errorf("page %d: %w", i+p.base, err)
		}
	}
	off := (i - p.first) * p.page
	return p.window[off : off+p.page], nil
}

// grow returns a slice of n bytes, reusing b where it is large enough. Its
// content is undefined.
func grow(b []byte, n int64) []byte {
	if int64(cap(b)) < n {
		b = make([]byte, n, max(n, int64(cap(b)+cap(b)/2)))
	}
	return b[:n]
}
