package spdx

import (
	"bytes"
	"fmt"
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
	seen    int64 // bytes that nested went through
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
		n, err = 0, b.tooDeep()
	}
	b.err = err
	return n, err
}

// watch starts counting depth at the bytes in head, which were read before.
func (b *boundedReader) watch(head []byte) error {
	b.json = true
	if !b.nested(head) {
		return b.tooDeep()
	}
	return nil
}

func (b *boundedReader) tooDeep() error {
	return &fault.LimitError{What: "nesting", Where: fmt.Sprintf("SPDX document at byte %d", b.seen), Max: int64(b.maxDepth), Seen: int64(b.depth)}
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
				break
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
				b.seen += int64(i)
				return false
			}
		case '}', ']':
			b.depth--
		}
	}
	b.seen += int64(len(p))
	return true
}

// budget counts the elements of a document.
type budget struct{ left, max int }

// take counts one element, of a JSON pointer or a line.
func (b *budget) take(where string, line int) error {
	if b.left--; b.left < 0 {
		if line > 0 {
			where = fmt.Sprintf("line %d", line)
		}
		return &fault.LimitError{What: "elements", Where: "SPDX document at " + where, Max: int64(b.max), Seen: int64(b.max) + 1}
	}
	return nil
}
