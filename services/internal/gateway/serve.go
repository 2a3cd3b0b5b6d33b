package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server serves a gateway on listeners. Gateway is required; zero values are the defaults.
type Server struct {
	Gateway http.Handler
	// Certificates are those of TLS, with HTTP/1.1 and HTTP/2. Nil: HTTP/1.1 without TLS,
	// for a machine of one's own.
	Certificates *Certificates
	// HeadTime bounds a TLS handshake, and a head from its first byte to its last; 5 s.
	// IdleTime is how long a connection is kept between requests; 60 s.
	HeadTime, IdleTime time.Duration
	// Connections bounds those at a time; 16,384. More wait to be accepted.
	Connections int
	// Grace is how long requests under way may take when the server stops; 10 s.
	Grace time.Duration
	// Report is told of errors of connections, which are the clients' mostly. Nil means
	// nobody.
	Report func(error)
}

// Serve serves until ctx is done, and then lets requests that are under way end. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	c := *s
	for d, otherwise := range map[*time.Duration]time.Duration{&c.HeadTime: 5 * time.Second, &c.IdleTime: time.Minute, &c.Grace: 10 * time.Second} {
		if *d == 0 {
			*d = otherwise
		}
	}
	if c.Connections == 0 {
		c.Connections = 16384
	}
	srv := c.server()
	front := newFront(&c, l)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(front) }()
	select {
	case err := <-done:
		front.Close()
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Grace)
	defer cancel()
	err := srv.Shutdown(rest)
	if err != nil {
		err = errors.Join(fmt.Errorf("serve on %s: requests were still under way after %v: %w", l.Addr(), c.Grace, err), srv.Close())
	}
	<-done
	return err
}

func (s *Server) server() *http.Server {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(s.Certificates != nil)
	return &http.Server{
		Handler: s.Gateway, ReadHeaderTimeout: s.HeadTime, IdleTimeout: s.IdleTime, WriteTimeout: 2 * time.Minute,
		MaxHeaderBytes: maxHead, Protocols: protocols, DisableGeneralOptionsHandler: true, ConnContext: withConn,
		ErrorLog: log.New(reporter{s.Report}, "", 0),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 100, MaxReadFrameSize: 64 << 10, MaxReceiveBufferPerConnection: 1 << 20, MaxReceiveBufferPerStream: 256 << 10,
			SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second, WriteByteTimeout: 30 * time.Second,
		},
	}
}

// reporter makes errors of what net/http would log.
type reporter struct{ to func(error) }

func (r reporter) Write(b []byte) (int, error) {
	if r.to != nil {
		r.to(errors.New(string(b[:max(0, len(b)-1)])))
	}
	return len(b), nil
}

// front is the listener before net/http: it bounds connections, shakes hands, each on a
// goroutine of its own, and puts a strictConn before each connection of HTTP/1.1.
type front struct {
	net.Listener
	s      *Server
	config *tls.Config // nil: no TLS
	slots  chan struct{}
	ready  chan net.Conn
	failed chan error
	stop   chan struct{}
	once   sync.Once
}

func newFront(s *Server, l net.Listener) *front {
	f := &front{Listener: l, s: s, slots: make(chan struct{}, s.Connections), ready: make(chan net.Conn), failed: make(chan error, 1), stop: make(chan struct{})}
	if s.Certificates != nil {
		f.config = s.Certificates.config()
	}
	go f.accept()
	return f
}

func (f *front) accept() {
	for {
		select {
		case f.slots <- struct{}{}:
		case <-f.stop:
			return
		}
		conn, err := f.Listener.Accept()
		if err != nil {
			<-f.slots
			var network net.Error
			if errors.As(err, &network) && network.Timeout() || isFull(err) {
				time.Sleep(10 * time.Millisecond) // without file descriptors now
				continue
			}
			f.failed <- err
			return
		}
		go f.open(&counted{Conn: conn, slots: f.slots})
	}
}

// open makes a connection ready for net/http.
func (f *front) open(conn net.Conn) {
	ready := conn
	if f.config == nil {
		ready = &strictConn{Conn: conn, scheme: "http", wait: f.s.HeadTime}
	} else {
		secure := tls.Server(conn, f.config)
		ctx, cancel := context.WithTimeout(context.Background(), f.s.HeadTime)
		err := secure.HandshakeContext(ctx)
		cancel()
		if err != nil {
			if f.s.Report != nil && !errors.Is(err, io.EOF) {
				f.s.Report(fmt.Errorf("TLS handshake with %s: %w", conn.RemoteAddr(), err))
			}
			conn.Close()
			return
		}
		if ready = secure; secure.ConnectionState().NegotiatedProtocol != "h2" {
			ready = strictTLSConn{&strictConn{Conn: secure, scheme: "https", wait: f.s.HeadTime}, secure}
		}
	}
	select {
	case f.ready <- ready:
	case <-f.stop:
		ready.Close()
	}
}

// Accept returns a connection whose handshake is done.
func (f *front) Accept() (net.Conn, error) {
	select {
	case c := <-f.ready:
		return c, nil
	case err := <-f.failed:
		return nil, err
	case <-f.stop:
		return nil, net.ErrClosed
	}
}

// Close ends accepting.
func (f *front) Close() error {
	f.once.Do(func() { close(f.stop) })
	return f.Listener.Close()
}

// counted frees its slot when it is closed.
type counted struct {
	net.Conn
	slots chan struct{}
	once  sync.Once
}

// Close closes the connection.
func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.slots })
	return err
}

// CloseWrite ends it in one direction.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
