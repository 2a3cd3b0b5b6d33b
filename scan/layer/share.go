package layer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"iter"

	"github.com/stella-ops/stella/scan/analyzer"
)

// share shows a large body to several analyzers that read forwards only, as it
// streams by. Each runs as a coroutine that rests while it waits for more, so that
// none holds the file, and what nobody wants to the end is not copied.
func (p *pass) share(b *body, name string, mode int64) error {
	taps := make([]*tap, len(p.by))
	for len(p.buffers) < len(p.by) {
		p.buffers = append(p.buffers, newBuffer())
	}
	whole := &wholeSum{b: b}
	for n, i := range p.by {
		a, _ := p.set.At(i)
		taps[n] = newTap(whole, func(t *tap) ([]analyzer.Fact, error) {
			return a.Extract(p.ctx, analyzer.NewFile(name, b.size, fileMode(mode), t, p.opt.Budget, p.buffers[n]))
		})
	}
	defer func() {
		for _, t := range taps {
			t.stop()
		}
		for n := range p.buffers {
			if p.buffers[n].Cap() > keepBuffer {
				p.buffers[n] = newBuffer()
			}
		}
	}()
	running := feed(taps, nil, nil) // to their first Read
	whole.late = true
	if whole.h != nil {
		p.s.follow(whole.h, b.size)
		defer p.s.unfollow()
	}
	for running {
		chunk, err := b.view()
		running = feed(taps, chunk, err) && err == nil
	}
	for n, t := range taps {
		if err := p.settle(p.by[n], name, t.facts, t.err, n >= p.paths); err != nil {
			return err
		}
	}
	return nil
}

// feed lets analyzers run over a chunk, and reports whether any wants more.
func feed(taps []*tap, chunk []byte, end error) (running bool) {
	for _, t := range taps {
		t.chunk, t.end = chunk, end
		_, more := t.next()
		running = running || more
	}
	return running
}

// wholeSum is the digest of a body, if an analyzer asked for it.
type wholeSum struct {
	b    *body
	h    hash.Hash
	late bool // it cannot be asked for any more
}

// hex returns the digest of a body that was read to its end.
func (w *wholeSum) hex() string {
	s := w.b.p.s
	s.digest(s.pos)
	return hex.EncodeToString(w.h.Sum(nil))
}

// tap is the content that one analyzer sees of a shared file, and what it said.
type tap struct {
	whole *wholeSum
	chunk []byte // not read yet
	end   error  // after it
	more  func(struct{}) bool
	next  func() (struct{}, bool)
	stop  func()

	facts []analyzer.Fact
	err   error
}

func newTap(whole *wholeSum, run func(*tap) ([]analyzer.Fact, error)) *tap {
	t := &tap{whole: whole}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.more = yield
		t.facts, t.err = safely(func() ([]analyzer.Fact, error) { return run(t) })
	})
	return t
}

// wait rests until there is a chunk.
func (t *tap) wait() error {
	for len(t.chunk) == 0 {
		if t.end != nil {
			return t.end
		}
		if !t.more(struct{}{}) {
			return errStopped
		}
	}
	return nil
}

// Read gives what is left of the chunk, and rests until there is another one.
func (t *tap) Read(q []byte) (int, error) {
	if err := t.wait(); err != nil {
		return 0, err
	}
	n := copy(q, t.chunk)
	t.chunk = t.chunk[n:]
	return n, nil
}

// Discard passes over n bytes.
func (t *tap) Discard(n int64) error {
	for n > 0 {
		if err := t.wait(); err != nil {
			return unexpected(err)
		}
		k := min(n, int64(len(t.chunk)))
		t.chunk, n = t.chunk[k:], n-k
	}
	return nil
}

// SHA256 has the body hashed with its layer.
func (t *tap) SHA256() func() (string, error) {
	if t.whole.late {
		return func() (string, error) { return "", errLate }
	}
	if t.whole.h == nil {
		t.whole.h = sha256.New()
	}
	return func() (string, error) {
		for {
			t.chunk = nil
			if err := t.wait(); err == io.EOF {
				return t.whole.hex(), nil
			} else if err != nil {
				return "", err
			}
		}
	}
}

var (
	errStopped = errors.New("reading of the layer was stopped") // ends an analyzer whose layer is given up
	errLate    = errors.New("a digest was asked for after reading")
)

// ReaderAt is not to be had here.
func (*tap) ReaderAt() (io.ReaderAt, error) { return nil, analyzer.ErrForward }
