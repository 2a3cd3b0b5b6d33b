package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// upstream sends requests to one process over connections that it keeps. It is used instead
// of http.Transport, which sends a request again by itself, and hands each over between
// goroutines. It speaks HTTP/1.1 without upgrades and trailers; a connection is used again
// only after an answer that ended where it said it would.
type upstream struct {
	address string
	host    string
	tls     *tls.Config // nil: none
	dialer  net.Dialer

	mu   sync.Mutex
	idle []*link // the last one is the youngest
}

const (
	maxIdle      = 64               // connections
	maxIdleTime  = 20 * time.Second // under what servers keep them for
	maxAnswer    = 64 << 10         // bytes of the head of an answer
	maxInformed  = 8                // answers 1xx before the one
	smallBody    = 16 << 10         // bytes of a body that goes with the head in one write
	copyBuffer   = 32 << 10
	dialDeadline = 2 * time.Second
)

// link is one connection.
type link struct {
	net.Conn
	raw   net.Conn // below TLS
	in    *bufio.Reader
	limit io.LimitedReader
	since time.Time
	used  bool
}

// outgoing is a request on its way.
type outgoing struct {
	method, target string
	header         http.Header
	payload        *payload // nil: no body
}

// unsent wraps an error before anything was sent.
type unsent struct{ error }

func (e unsent) Unwrap() error { return e.error }

func newUpstream(u *url.URL, config *tls.Config) *upstream {
	up := &upstream{address: u.Host, host: u.Host, dialer: net.Dialer{Timeout: dialDeadline, KeepAlive: 30 * time.Second}}
	port := "80"
	if u.Scheme == "https" {
		port = "443"
		up.tls = &tls.Config{}
		if config != nil {
			up.tls = config.Clone()
		}
		if up.tls.ServerName == "" {
			up.tls.ServerName = u.Hostname()
		}
		up.tls.MinVersion, up.tls.NextProtos = max(up.tls.MinVersion, tls.VersionTLS12), []string{"http/1.1"}
	}
	if u.Port() == "" {
		up.address = net.JoinHostPort(u.Hostname(), port)
	}
	return up
}

// get returns a connection that is open as far as can be known.
func (u *upstream) get(ctx context.Context) (*link, error) {
	for {
		u.mu.Lock()
		n := len(u.idle)
		if n == 0 {
			u.mu.Unlock()
			return u.dial(ctx)
		}
		l := u.idle[n-1]
		u.idle[n-1] = nil
		u.idle = u.idle[:n-1]
		u.mu.Unlock()
		if time.Since(l.since) < maxIdleTime && quiet(l.raw) {
			l.used = true
			return l, nil
		}
		l.Close()
	}
}

func (u *upstream) dial(ctx context.Context) (*link, error) {
	conn, err := u.dialer.DialContext(ctx, "tcp", u.address)
	if err != nil {
		return nil, unsent{err}
	}
	l := &link{Conn: conn, raw: conn}
	if u.tls != nil {
		secure := tls.Client(conn, u.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, unsent{err}
		}
		l.Conn = secure
	}
	l.limit.R = l.Conn
	l.in = bufio.NewReader(&l.limit)
	return l, nil
}

func (u *upstream) put(l *link) {
	l.since = time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.idle) >= maxIdle {
		l.Close()
		return
	}
	// The oldest are dropped here: nobody looks at them otherwise.
	for len(u.idle) > 0 && l.since.Sub(u.idle[0].since) > maxIdleTime {
		u.idle[0].Close()
		u.idle = append(u.idle[:0], u.idle[1:]...)
	}
	u.idle = append(u.idle, l)
}

func (u *upstream) closeIdle() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, l := range u.idle {
		l.Close()
	}
	u.idle = nil
}

// do sends a request once and returns the answer, whose body must be read or closed. An
// error that is an unsent says that nothing was sent.
func (u *upstream) do(ctx context.Context, o *outgoing) (*http.Response, error) {
	l, err := u.get(ctx)
	if err != nil {
		return nil, err
	}
	// The end of ctx ends all that waits for the connection.
	stop := context.AfterFunc(ctx, func() { l.SetDeadline(time.Unix(1, 0)) })
	n, err := u.write(l, o)
	if err != nil {
		stop()
		l.Close()
		if n == 0 && ctx.Err() == nil {
			return nil, unsent{err}
		}
		return nil, errors.Join(err, ctx.Err())
	}
	resp, err := l.answer(o.method)
	if err != nil {
		stop()
		l.Close()
		return nil, errors.Join(err, ctx.Err())
	}
	b := &answerBody{ReadCloser: resp.Body, u: u, l: l, stop: stop, keep: !resp.Close}
	if o.payload != nil && o.payload.stream != nil {
		b.sent = o.payload.stream.sent
	}
	if resp.Body == http.NoBody || resp.ContentLength == 0 {
		b.end(true)
	}
	resp.Body = b
	return resp, nil
}

var heads = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// write sends head and body and returns how much of the head was sent. A body that is streamed
// is sent while the answer is waited for; where that fails the connection is closed.
func (u *upstream) write(l *link, o *outgoing) (n int, err error) {
	b := heads.Get().(*bytes.Buffer)
	defer heads.Put(b)
	b.Reset()
	b.WriteString(o.method + " " + o.target + " HTTP/1.1\r\nHost: " + u.host + "\r\n")
	for name, values := range o.header {
		for _, v := range values {
			b.WriteString(name)
			b.WriteString(": ")
			b.WriteString(v)
			b.WriteString("\r\n")
		}
	}
	p := o.payload
	switch {
	case p == nil || p.stream == nil && len(p.whole) == 0 && (o.method == http.MethodGet || o.method == http.MethodHead):
	case p.length() < 0:
		b.WriteString("Transfer-Encoding: chunked\r\n")
	default:
		b.WriteString("Content-Length: " + strconv.FormatInt(p.length(), 10) + "\r\n")
	}
	b.WriteString("\r\n")
	if p == nil || p.stream != nil || len(p.whole) <= smallBody {
		if p != nil {
			b.Write(p.whole)
		}
		n, err := l.Write(b.Bytes())
		if err != nil || p == nil || p.stream == nil {
			return n, err
		}
		p.stream.sent = make(chan struct{})
		go func() {
			defer close(p.stream.sent)
			if l.send(p.stream) != nil {
				l.Close()
			}
		}()
		return n, nil
	}
	if n, err = l.Write(b.Bytes()); err != nil {
		return n, err
	}
	// An error here may have an answer: "too large", and the end of the connection.
	l.Write(p.whole)
	return n, nil
}

// send streams a body.
func (l *link) send(s *streamed) error {
	buf := copyBuffers.Get().(*[copyBuffer]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := s.Read(buf[:])
		if n > 0 {
			if s.length < 0 {
				if _, err := fmt.Fprintf(l, "%x\r\n", n); err != nil {
					return err
				}
			}
			if _, err := l.Write(buf[:n]); err != nil {
				return err
			}
			if s.length < 0 {
				if _, err := io.WriteString(l, "\r\n"); err != nil {
					return err
				}
			}
		}
		if err == io.EOF {
			if s.length < 0 {
				_, err := io.WriteString(l, "0\r\n\r\n")
				return err
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

var copyBuffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// answer reads the head of an answer.
func (l *link) answer(method string) (*http.Response, error) {
	for range maxInformed {
		l.limit.N = maxAnswer
		resp, err := http.ReadResponse(l.in, &http.Request{Method: method})
		if err != nil {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
		switch {
		case resp.StatusCode == http.StatusSwitchingProtocols || resp.StatusCode < 100 || resp.StatusCode > 599:
			return nil, fmt.Errorf("an answer of status %d", resp.StatusCode)
		case resp.StatusCode >= 200:
			l.limit.N = math.MaxInt64
			return resp, nil
		}
	}
	return nil, errors.New("more than 8 answers before the one")
}

// answerBody gives the connection back when all of the answer was read.
type answerBody struct {
	io.ReadCloser
	u    *upstream
	l    *link
	stop func() bool
	sent chan struct{}
	keep bool
	once sync.Once
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.end(true)
	} else if err != nil {
		b.end(false)
	}
	return n, err
}

// Close ends the connection where the answer was not read to its end.
func (b *answerBody) Close() error {
	b.end(false)
	return nil
}

func (b *answerBody) end(whole bool) {
	b.once.Do(func() {
		done := b.stop() // otherwise its deadline is over
		if b.sent != nil {
			select {
			case <-b.sent:
			default:
				whole = false // answered before all was sent
			}
		}
		if whole && done && b.keep && b.l.in.Buffered() == 0 {
			b.u.put(b.l)
			return
		}
		b.l.Close()
	})
}

// drain reads the rest of a short answer, so that its connection can be used again.
func drain(body io.ReadCloser) {
	io.Copy(io.Discard, io.LimitReader(body, 4<<10))
	body.Close()
}
