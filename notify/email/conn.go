package email

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// errReply is the error of a server that says too much, errOver of an attempt that ended
// before the server answered.
var (
	errReply = errors.New("its answer is too long")
	errOver  = errors.New("it did not answer before the attempt's end")
)

// wire is a connection whose every step has a deadline and a bound on what is read. It
// knows whether all that was written has left.
type wire struct {
	net.Conn
	end    time.Time // of the whole attempt
	unread atomic.Int64
	heard  atomic.Bool // something was read, or waited for, in this step
	broken atomic.Bool // not all that was to be written has left
	over   atomic.Bool // the attempt has ended
}

// newWire bounds a connection. It is closed when the context ends.
func newWire(ctx context.Context, conn net.Conn) *wire {
	w := &wire{Conn: conn}
	w.end, _ = ctx.Deadline()
	context.AfterFunc(ctx, func() {
		w.over.Store(true)
		conn.Close()
	})
	return w
}

// step begins a step: one answer, within d.
func (w *wire) step(d time.Duration) {
	w.unread.Store(MaxReply)
	w.heard.Store(false)
	end := time.Now().Add(d)
	if !w.end.IsZero() && w.end.Before(end) {
		end = w.end
	}
	_ = w.Conn.SetDeadline(end) // what fails here fails at the next read
}

// Read reads within the bound of the step.
func (w *wire) Read(p []byte) (int, error) {
	w.heard.Store(true)
	if w.broken.Load() {
		return 0, net.ErrClosed // the other end waits for the rest
	}
	left := w.unread.Load()
	if left <= 0 {
		return 0, errReply
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := w.Conn.Read(p)
	w.unread.Add(-int64(n))
	return n, w.cause(err)
}

// Write writes, and notes where not all could be written. What is written once an answer
// is waited for, such as alerts of TLS, is none of ours.
func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if n < len(p) && !w.heard.Load() {
		w.broken.Store(true)
	}
	return n, w.cause(err)
}

// cause says that the attempt's end is why a connection was closed.
func (w *wire) cause(err error) error {
	if err != nil && w.over.Load() {
		return errOver
	}
	return err
}
