package kit

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

const bufferSize = 256 << 10

// Written says what was written.
type Written struct {
	Digest   string `json:"digest"` // of kit.json: it names the file
	Base     int64  `json:"base"`   // 0 for a kit with everything
	Contents int    `json:"contents"`
	Size     int64  `json:"size"` // bytes of the file
}

// Write writes the edition to w: whole where base is 0, and else without what the
// release of that version has already. Base may be the version itself: such a kit
// has no contents. After an error what was written is no kit.
func (e *Edition) Write(ctx context.Context, w io.Writer, base int64) (*Written, error) {
	out, err := e.write(ctx, w, base)
	if err != nil {
		return nil, fmt.Errorf("write kit %d of %s: %w", e.Version, e.Feed, err)
	}
	return out, nil
}

func (e *Edition) write(ctx context.Context, w io.Writer, base int64) (*Written, error) {
	if base < 0 || base > e.Version {
		return nil, fmt.Errorf("there is no base %d: %w", base, fault.Invalid)
	}
	base = baseOf(e.Entries, base)
	text, err := newHead(e.files, base)
	if err != nil {
		return nil, err
	}
	list := contents(e.Entries, base)
	for _, m := range list {
		if e.open[m.digest] == nil {
			return nil, fmt.Errorf("the draft had no items, so the base can only be %d: %w", e.Version, fault.Invalid)
		}
	}
	out := &Written{Digest: sum.Of(text), Base: base, Contents: len(list), Size: member{size: int64(len(text))}.room() + endBytes}
	for _, f := range e.files {
		out.Size += member{size: int64(len(f.Data))}.room()
	}
	for _, m := range list {
		out.Size += m.room()
	}
	buffered := bufio.NewWriterSize(w, bufferSize)
	t := &tarWriter{w: buffered}
	t.text(headName, text)
	for _, f := range e.files {
		t.text(f.Name, f.Data)
	}
	for _, m := range list {
		t.content(ctx, m, e.open[m.digest])
	}
	t.zeros(endBytes)
	if t.err == nil {
		t.err = buffered.Flush()
	}
	return out, t.err
}

// tarWriter writes members. After an error it writes nothing.
type tarWriter struct {
	w   io.Writer
	err error
}

func (t *tarWriter) write(b []byte) {
	if t.err == nil {
		_, t.err = t.w.Write(b)
	}
}

func (t *tarWriter) zeros(n int64) { t.write(make([]byte, n)) }

func (t *tarWriter) header(m member) {
	h := m.header()
	t.write(h[:])
}

func (t *tarWriter) text(name string, text []byte) {
	m := member{name: name, size: int64(len(text))}
	t.header(m)
	t.write(text)
	t.zeros(m.filling())
}

// content writes a content, which must be the one that was signed.
func (t *tarWriter) content(ctx context.Context, m member, open func() (io.ReadCloser, error)) {
	t.header(m)
	if t.err != nil {
		return
	}
	r, err := open()
	if err != nil {
		t.err = fmt.Errorf("open %s: %w", m.name, err)
		return
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(h, t.w), io.LimitReader(&patient{ctx, r}, m.size+1), make([]byte, bufferSize))
	if err != nil {
		t.err = fmt.Errorf("copy %s: %w", m.name, err)
		return
	}
	if got := digestOf(h); got != m.digest || n != m.size {
		t.err = fmt.Errorf("the content changed after it was signed: %w", &fault.MismatchError{What: "content", Want: m.digest, Got: got})
		return
	}
	t.zeros(m.filling())
}
