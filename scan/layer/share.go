package layer

import (
	"errors"
	"io"
	"iter"

	"github.com/stella-ops/stella/scan/analyzer"
)

// shareChunk is how many bytes all analyzers of a file see before the next are read.
const shareChunk = 64 << 10

// share shows a large body to several analyzers that read forwards only, as it
// streams by. Each runs as a coroutine that rests while it waits for more, so that
// none holds the file, and what nobody wants to the end is not copied.
func (p *pass) share(b *body, name string, mode int64) error {
	taps := make([]*tap, len(p.by))
	for len(p.buffers) < len(p.by) {
		p.buffers = append(p.buffers, newBuffer())
	}
	for n, i := range p.by {
		a, _ := p.set.At(i)
		taps[n] = newTap(func(t *tap) ([]analyzer.Fact, error) {
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
	chunk := make([]byte, shareChunk)
	for running := true; running; {
		n, err := io.ReadFull(b, chunk)
		if err == io.ErrUnexpectedEOF && b.left == 0 {
			err = io.EOF
		}
		running = false
		for _, t := range taps {
			running = t.feed(chunk[:n], err) || running
		}
		if err != nil {
			break // every analyzer was told
		}
	}
	for n, t := range taps {
		if err := p.settle(p.by[n], name, t.facts, t.err, n >= p.paths); err != nil {
			return err
		}
	}
	return nil
}

// tap is the content that one analyzer sees of a shared file, and what it said.
type tap struct {
	chunk []byte // not read yet
	end   error  // after it
	more  func(struct{}) bool
	next  func() (struct{}, bool)
	stop  func()

	facts []analyzer.Fact
	err   error
}

func newTap(run func(*tap) ([]analyzer.Fact, error)) *tap {
	t := &tap{}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.more = yield
		t.facts, t.err = safely(func() ([]analyzer.Fact, error) { return run(t) })
	})
	return t
}

// feed lets the analyzer run over the chunk, and reports whether it wants more.
func (t *tap) feed(chunk []byte, end error) bool {
	t.chunk, t.end = chunk, end
	_, running := t.next()
	return running
}

// Read gives what is left of the chunk, and rests until there is another one.
func (t *tap) Read(q []byte) (int, error) {
	for len(t.chunk) == 0 {
		if t.end != nil {
			return 0, t.end
		}
		if !t.more(struct{}{}) {
			return 0, errStopped
		}
	}
	n := copy(q, t.chunk)
	t.chunk = t.chunk[n:]
	return n, nil
}

// errStopped ends an analyzer whose layer is given up.
var errStopped = errors.New("reading of the layer was stopped")

// ReaderAt is not to be had here.
func (*tap) ReaderAt() (io.ReaderAt, error) { return nil, analyzer.ErrForward }
