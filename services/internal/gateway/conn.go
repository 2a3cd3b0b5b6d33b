package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// errFraming is what reading a body returns that is not framed as RFC 9112 §7.1 says, or is
// with what nobody needs: chunk extensions and trailers.
var errFraming = errors.New("a body whose chunks are not framed strictly")

// state is what a strictConn expects next.
type state int

const (
	inHead state = iota
	inBody
	inChunkSize
	inChunk
	inChunkEnd
	inLast // the line after the chunk of size 0
	inEnd  // nothing: a refused head came before
)

// strictConn stands between net/http and a connection of HTTP/1.1, and lets through what is
// strictly framed. A head is held back until all of it is there and was checked. In place
// of a refused head it passes on one of its own, and nothing after it: the gateway then
// answers that one with the reason, in its turn, and the connection ends.
//
// No read gives out bytes of two requests.
type strictConn struct {
	net.Conn
	scheme string // of absolute targets
	wait   time.Duration

	// Of Read, which net/http calls from one goroutine at a time.
	in      []byte // what was read and not given out
	buf     *[4 << 10]byte
	free    int // of in, how much may be given out
	state   state
	left    int64 // of a body or chunk
	scanner scanner
	err     error

	mu     sync.Mutex
	heads  int       // given out
	bad    flaw      // of the last of them
	linger bool      // when it is closed
	outer  time.Time // the deadline that net/http has set
	inner  time.Time // the one of the head that has begun
}

// stand is what is passed on in place of a refused head.
const stand = "GET / HTTP/1.1\r\nHost: refused.invalid\r\nConnection: close\r\n\r\n"

// strictTLSConn gives net/http what TLS agreed on as well.
type strictTLSConn struct {
	*strictConn
	tls *tls.Conn
}

// ConnectionState is asked for by net/http.
func (c strictTLSConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// Read gives out checked bytes.
func (c *strictConn) Read(p []byte) (int, error) {
	for {
		if c.free > 0 {
			n := copy(p, c.in[:c.free])
			c.free -= n
			if c.in = c.in[n:]; len(c.in) == 0 {
				c.drop()
			}
			return n, nil
		}
		if c.err != nil {
			return 0, c.err
		}
		if len(p) == 0 {
			return 0, nil
		}
		if c.state == inBody && len(c.in) == 0 || c.state == inChunk && len(c.in) == 0 {
			n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
			c.take(int64(n))
			return n, err
		}
		if len(c.in) > 0 {
			if c.step(); c.free > 0 || c.err != nil {
				continue
			}
		}
		if err := c.fill(p); err != nil {
			return 0, err // what is in stays: after a deadline net/http may read on
		}
	}
}

// fill reads more. A head that has begun must be there within c.wait. What waits for a
// request to begin holds no buffer of its own.
func (c *strictConn) fill(p []byte) error {
	if len(c.in) == 0 {
		n, err := c.Conn.Read(p)
		if n > 0 {
			c.buf = buffers.Get().(*[4 << 10]byte)
			c.in = append(c.buf[:0], p[:n]...)
			return nil // an error comes again
		}
		return err
	}
	if c.state == inHead {
		c.begin()
	}
	if cap(c.in)-len(c.in) < 512 {
		c.in = slices.Grow(c.in, max(512, len(c.in)))
	}
	n, err := c.Conn.Read(c.in[len(c.in):cap(c.in)])
	if c.in = c.in[:len(c.in)+n]; n > 0 {
		return nil
	}
	return err
}

var buffers = sync.Pool{New: func() any { return new([4 << 10]byte) }}

// drop gives the buffer back.
func (c *strictConn) drop() {
	if c.in = nil; c.buf != nil {
		buffers.Put(c.buf)
		c.buf = nil
	}
}

// take counts bytes of a body or chunk that were given out.
func (c *strictConn) take(n int64) {
	if c.left -= n; c.left > 0 {
		return
	}
	if c.state == inChunk {
		c.state = inChunkEnd
	} else {
		c.state = inHead
	}
}

// step looks at what is there. Without effect it needs more.
func (c *strictConn) step() {
	switch c.state {
	case inHead:
		c.head()
	case inBody, inChunk:
		c.free = int(min(c.left, int64(len(c.in))))
		c.take(int64(c.free))
	case inChunkSize:
		c.size()
	case inChunkEnd:
		c.line(inChunkSize)
	case inLast:
		c.line(inHead)
	}
}

// line reads an empty line.
func (c *strictConn) line(next state) {
	switch {
	case c.in[0] != '\r' || len(c.in) > 1 && c.in[1] != '\n':
		c.fail()
	case len(c.in) > 1:
		c.free, c.state = 2, next
	}
}

// fail ends a body.
func (c *strictConn) fail() {
	c.err = errFraming
	c.mu.Lock()
	c.linger = true
	c.mu.Unlock()
}

// size reads the line before a chunk.
func (c *strictConn) size() {
	var n int64
	for i, b := range c.in {
		switch {
		case isHex(b) && i < 8:
			n = n<<4 | int64(unhex(b))
		case b == '\r' && i > 0 && len(c.in) == i+1:
			return
		case b == '\r' && i > 0 && c.in[i+1] == '\n':
			c.free, c.left, c.state = i+2, n, inChunk
			if n == 0 {
				c.state = inLast
			}
			return
		default:
			c.fail()
			return
		}
	}
}

func (c *strictConn) head() {
	end, f := c.scanner.scan(c.in)
	if end == 0 && f.status == 0 {
		return
	}
	var body framing
	if f.status == 0 {
		body, f = checkHead(c.in[:end], c.scheme)
	}
	if c.done(f); f.status != 0 {
		c.drop()
		c.in, c.free, c.state, c.err = []byte(stand), len(stand), inEnd, io.EOF
		return
	}
	c.free = end
	switch {
	case body.chunked:
		c.state = inChunkSize
	case body.length > 0:
		c.state, c.left = inBody, body.length
	}
}

// SetReadDeadline is called by net/http, also while Read runs.
func (c *strictConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outer = t
	return c.apply()
}

// SetDeadline sets both.
func (c *strictConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.Conn.SetWriteDeadline(t))
}

// begin starts the time of a head.
func (c *strictConn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner.IsZero() {
		c.inner = time.Now().Add(c.wait)
		c.apply()
	}
}

// done ends it, and counts the head.
func (c *strictConn) done(f flaw) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heads++
	c.bad, c.linger = f, f.status != 0
	if !c.inner.IsZero() {
		c.inner = time.Time{}
		c.apply()
	}
}

func (c *strictConn) apply() error {
	t := c.outer
	if t.IsZero() || !c.inner.IsZero() && c.inner.Before(t) {
		t = c.inner
	}
	return c.Conn.SetReadDeadline(t)
}

// lingerTime is how long a client may go on sending what is not read any more.
const lingerTime = 300 * time.Millisecond

// Close lets a client that is still sending read why it was refused, instead of resetting
// the connection under it.
func (c *strictConn) Close() error {
	c.mu.Lock()
	linger := c.linger
	c.linger = false
	c.mu.Unlock()
	if linger {
		c.CloseWrite()
		c.Conn.SetReadDeadline(time.Now().Add(lingerTime))
		scratch := copyBuffers.Get().(*[copyBuffer]byte)
		defer copyBuffers.Put(scratch)
		for {
			if _, err := c.Conn.Read(scratch[:]); err != nil {
				break
			}
		}
	}
	return c.Conn.Close()
}

// CloseWrite ends the connection in one direction.
func (c *strictConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

type connKey struct{}

// withConn is http.Server.ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	switch c := c.(type) {
	case *strictConn:
		return context.WithValue(ctx, connKey{}, &turn{conn: c})
	case strictTLSConn:
		return context.WithValue(ctx, connKey{}, &turn{conn: c.strictConn})
	}
	return ctx
}

// lingers has the connection of a request, of whose body not all is read, linger.
func lingers(ctx context.Context) {
	if t, _ := ctx.Value(connKey{}).(*turn); t != nil {
		t.conn.mu.Lock()
		t.conn.linger = true
		t.conn.mu.Unlock()
	}
}

// turn counts the requests of a connection, which net/http serves one after the other.
type turn struct {
	conn   *strictConn
	served int
}

// flawOf says whether a request stands in for one that was refused.
func flawOf(ctx context.Context) flaw {
	t, _ := ctx.Value(connKey{}).(*turn)
	if t == nil {
		return flaw{}
	}
	t.served++
	t.conn.mu.Lock()
	defer t.conn.mu.Unlock()
	if t.served != t.conn.heads {
		return flaw{}
	}
	return t.conn.bad
}
