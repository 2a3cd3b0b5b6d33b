package spdx

import (
	"bytes"
	"io"

	"github.com/stella-ops/stella/internal/fault"
)

// boundedReader reads at most max bytes and, once watch is called, lets pass at
// most depth nested JSON objects and arrays. Going over a bound is a LimitError.
type boundedReader struct {
	r        io.Reader
	left     int64
	max      int64
	maxDepth int

	json    bool
	depth   int
	quoted  bool // inside a string
	escaped bool // after a backslash inside a string
	err     error
}

func newBoundedReader(r io.Reader, opt *DecodeOptions) *boundedReader {
	return &boundedReader{r: r, left: opt.MaxBytes, max: opt.MaxBytes, maxDepth: opt.MaxDepth}
}

// Read implements io.Reader. One byte more than allowed is asked for, to tell a
// document of exactly the allowed size from a larger one.
func (b *boundedReader) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if int64(n) > b.left {
		n = int(b.left)
		err = &fault.LimitError{What: "bytes", Where: "SPDX document", Max: b.max}
	}
	b.left -= int64(n)
	if b.json && !b.nested(p[:n]) {
		n, err = 0, &fault.LimitError{What: "nesting", Where: "SPDX document", Max: int64(b.maxDepth)}
	}
	b.err = err
	return n, err
}

// watch starts counting depth at the bytes in head, which were read before.
func (b *boundedReader) watch(head []byte) error {
	b.json = true
	if !b.nested(head) {
		return &fault.LimitError{What: "nesting", Where: "SPDX document", Max: int64(b.maxDepth)}
	}
	return nil
}

// nested follows the depth of nesting through p and reports whether it stays
// within bounds. It needs no valid JSON: for invalid text the count only has to
// be bounded.
func (b *boundedReader) nested(p []byte) bool {
	for i := 0; i < len(p); i++ {
		if b.quoted {
			if b.escaped {
				b.escaped = false
				continue
			}
			n := bytes.IndexAny(p[i:], `"\`)
			if n < 0 {
				return true
			}
			i += n
			b.quoted, b.escaped = p[i] == '\\', p[i] == '\\'
			continue
		}
		switch p[i] {
		case '"':
			b.quoted = true
		case '{', '[':
			if b.depth++; b.depth > b.maxDepth {
				return false
			}
		case '}', ']':
			b.depth--
		}
	}
	return true
}

// budget counts the elements of a document.
type budget struct{ left, max int }

func (b *budget) take() error {
	if b.left--; b.left < 0 {
		return &fault.LimitError{What: "elements", Where: "SPDX document", Max: int64(b.max)}
	}
	return nil
}
