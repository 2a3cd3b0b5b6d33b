package email_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stella-ops/stella/notify"
)

// frail is a connection that breaks in a way of its own.
type frail struct {
	net.Conn
	write func(p []byte) (keep int) // how much of p gets through; len(p) is all
	read  func() error
	heard func(p []byte) // what was read
}

func (f *frail) Write(p []byte) (int, error) {
	if f.write != nil {
		if keep := f.write(p); keep < len(p) {
			n, err := f.Conn.Write(p[:keep])
			return n, errors.Join(err, errors.New("broken pipe"))
		}
	}
	return f.Conn.Write(p)
}

func (f *frail) Read(p []byte) (int, error) {
	if f.read != nil {
		if err := f.read(); err != nil {
			return 0, err
		}
	}
	n, err := f.Conn.Read(p)
	if f.heard != nil {
		f.heard(p[:n])
	}
	return n, err
}

// TestBroken: only where the end of the mail has left is it unknown whether the server has
// it.
func TestBroken(t *testing.T) {
	plain := both(func(c *client) { c.options.Allow = []string{"example.com"} }, option("tls", "none"))
	var tail, asked atomic.Bool // the end was written, the answer to it was read
	for name, c := range map[string]struct {
		server *mailServer
		change func(*client)
		conn   frail
		sent   notify.Answer
	}{
		"the last byte is missing": {&mailServer{}, plain, frail{write: func(p []byte) int {
			if bytes.HasSuffix(p, []byte("\r\n.\r\n")) {
				return len(p) - 1
			}
			return len(p)
		}}, notify.No},
		"the first bytes are missing": {&mailServer{}, plain, frail{write: func(p []byte) int {
			if bytes.HasPrefix(p, []byte("Date: ")) {
				return 0
			}
			return len(p)
		}}, notify.No},
		"the answer is lost": {&mailServer{}, plain, frail{
			write: func(p []byte) int {
				tail.Store(tail.Load() || bytes.HasSuffix(p, []byte("\r\n.\r\n")))
				return len(p)
			},
			read: func() error {
				if tail.Load() {
					return net.ErrClosed
				}
				return nil
			},
		}, ""},
		// TLS writes an alert to a server that answers nonsense. That this cannot be written
		// says nothing about the mail.
		"the answer is nonsense": {&mailServer{starttls: true, script: map[string][]string{".": {noise}}}, nil, frail{
			write: func(p []byte) int {
				if asked.Load() {
					return 0
				}
				return len(p)
			},
			heard: func(p []byte) { asked.Store(asked.Load() || bytes.HasPrefix(p, []byte("nonse"))) },
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tail.Store(false)
			asked.Store(false)
			_, _, err := newClient(c.server.start(t), func(cl *client) {
				if c.change != nil {
					c.change(cl)
				}
				dial := cl.options.DialContext
				cl.options.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := dial(ctx, network, address)
					c.conn.Conn = conn
					return &c.conn, err
				}
			}).send(t)
			if f := failureOf(t, err); f.Sent != c.sent || f.Permanent {
				t.Errorf("failure: %+v", f)
			}
		})
	}
}
