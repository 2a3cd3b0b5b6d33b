package post

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify"
)

// local is a client that reaches this machine, as its operator listed it.
func local(t *testing.T) *Client {
	t.Helper()
	rt, err := Door("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return &Client{Transport: rt}
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// raw is a server of one connection after another, by hand.
func raw(t *testing.T, handle func(net.Conn)) (url string, connections *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	connections = new(atomic.Int32)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go func() { defer c.Close(); handle(c) }()
		}
	}()
	return "http://" + l.Addr().String(), connections
}

// request reads a request up to the end of its header.
func request(c net.Conn) {
	buf := make([]byte, 4096)
	for got := ""; !strings.Contains(got, "\r\n\r\n"); {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		got += string(buf[:n])
	}
}

func TestDo(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s %s %s", r.Method, r.URL, r.UserAgent(), r.Header.Get("X-A"), r.Header.Get("Accept-Encoding"), body)
	})
	for _, tc := range []struct {
		client Client
		r      Request
		want   string
	}{
		{Client{}, Request{URL: s.URL + "/hook?a=b", Header: http.Header{"x-a": {"1"}}, Body: []byte("hello")}, "POST /hook?a=b stella 1 identity hello"},
		{Client{UserAgent: "other/1"}, Request{Method: http.MethodGet, URL: s.URL}, "GET / other/1  identity "},
	} {
		tc.client.Transport = local(t).Transport
		a, err := tc.client.Do(context.Background(), &tc.r)
		if err != nil {
			t.Fatal(err)
		}
		if string(a.Body) != tc.want || a.Status != 200 || a.Digest != sum.Of([]byte(tc.want)) || a.Cut || a.Took <= 0 {
			t.Errorf("got %+v %q, want %q", a, a.Body, tc.want)
		}
	}
}

// Whatever happens to a connection, a request goes over one, once.
func TestOnce(t *testing.T) {
	for _, tc := range []struct {
		name   string
		handle func(net.Conn)
		want   string // Reason
	}{
		{"closed at once", func(net.Conn) {}, "the connection broke off"},
		{"closed after the request", request, "the connection broke off"},
		{"reset after the request", func(c net.Conn) { request(c); c.(*net.TCPConn).SetLinger(0) }, "the connection broke off"},
		{"half a status", func(c net.Conn) { request(c); io.WriteString(c, "HTTP/1.1 20") }, "the connection broke off"},
		{"no HTTP", func(c net.Conn) { request(c); io.WriteString(c, "220 mail.example ESMTP\r\n") }, "the connection broke off"},
		{"an endless header", func(c net.Conn) {
			request(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for range 80 {
				fmt.Fprintf(c, "X: %01000d\r\n", 1)
			}
			io.Copy(io.Discard, c) // a close would reset what is not read yet
		}, "the connection broke off"},
		{"silence", func(c net.Conn) { io.Copy(io.Discard, c) }, "no answer in time"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url, connections := raw(t, tc.handle)
			for _, rt := range []http.RoundTripper{local(t).Transport, &http.Transport{}} {
				connections.Store(0)
				c := Client{Transport: rt, Timeout: 200 * time.Millisecond}
				// Idempotency-Key is what net/http takes for leave to send again.
				_, err := c.Do(context.Background(), &Request{URL: url, Body: []byte("x"), Header: http.Header{"Idempotency-Key": {"a"}}})
				var f *notify.Failure
				if !errors.As(err, &f) {
					t.Fatalf("got %v", err)
				}
				if f.Sent != "" || f.Permanent || !strings.HasPrefix(f.Reason, tc.want) && tc.name != "an endless header" || !errors.Is(err, fault.Unavailable) {
					t.Errorf("got %+v, want %q", f, tc.want)
				}
				if n := connections.Load(); n != 1 {
					t.Errorf("%d connections", n)
				}
			}
		})
	}
}

// A transport that keeps connections is not given one of ours, and gives us none that
// was used before.
func TestNoKeptConnection(t *testing.T) {
	var open atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			open.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	c := Client{Transport: &http.Transport{}}
	for range 3 {
		if _, err := c.Do(context.Background(), &Request{URL: s.URL, Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if open.Load() != 3 {
		t.Errorf("3 requests over %d connections", open.Load())
	}
}

func TestNotSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shut := "http://" + l.Addr().String()
	l.Close()
	mute, _ := raw(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	quits, _ := raw(t, func(net.Conn) {})
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	strange := httptest.NewUnstartedServer(http.NotFoundHandler())
	strange.Config.ErrorLog = log.New(io.Discard, "", 0)
	strange.StartTLS()
	defer strange.Close()
	tls := func(s string) string { return strings.Replace(s, "http:", "https:", 1) }
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tc := range []struct {
		name      string
		ctx       context.Context
		url       string
		want      string
		permanent bool
	}{
		{"refused", nil, shut, "no connection: connection refused", false},
		{"unknown name", nil, "https://nowhere.example.invalid-tld", "the host's name ", false},
		{"no TLS", nil, tls(plain.URL), "the receiver does not speak TLS", false},
		{"TLS closed", nil, tls(quits), "the connection broke off", false},
		{"TLS silent", nil, tls(mute), "no answer in time", false},
		{"unknown authority", nil, strange.URL, "the receiver's certificate is of an unknown authority", false},
		{"ended", ended, plain.URL, "the attempt was ended", false},
		{"private", nil, "https://10.0.0.1", "refused by the target network policy: private addresses", true},
		{"plain", nil, "http://hooks.example.org", "refused by the target network policy: without encryption", true},
		{"file", nil, "file:///etc/passwd", "not a URL of https or http", true},
		{"nothing", nil, "", "not a URL of https or http", true},
		{"no URL", nil, "https://a b/canary", "not a URL", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.ctx == nil {
				tc.ctx = context.Background()
			}
			c := local(t)
			c.Timeout = 300 * time.Millisecond
			_, err := c.Do(tc.ctx, &Request{URL: tc.url, Body: []byte("x")})
			var f *notify.Failure
			if !errors.As(err, &f) {
				t.Fatalf("got %v", err)
			}
			timedOut := tc.name == "unknown name" && f.Reason == "no answer in time" // where there is no resolver
			if f.Sent != notify.No || f.Permanent != tc.permanent || !strings.HasPrefix(f.Reason, tc.want) && !timedOut {
				t.Errorf("got %+v, want %q", f, tc.want)
			}
		})
	}
}

func TestNoRedirect(t *testing.T) {
	var reached atomic.Int32
	other := serve(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	for code := 300; code < 309; code++ {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", other.URL)
			w.Header().Set("Set-Cookie", "a=b")
			w.WriteHeader(code)
		})
		c := local(t)
		a, err := c.Do(context.Background(), &Request{URL: s.URL, Body: []byte("x")})
		if err != nil || a.Status != code {
			t.Fatalf("%d: %+v %v", code, a, err)
		}
		if f := c.Judge(a, true); f == nil || f.Sent != notify.No || f.Permanent {
			t.Errorf("%d: %+v", code, f)
		}
	}
	if reached.Load() != 0 {
		t.Errorf("%d redirections were followed", reached.Load())
	}
}

// An answer is its status. What comes after it can be long, slow or broken, and is cut.
func TestAnswersAreBounded(t *testing.T) {
	for _, tc := range []struct {
		name string
		text string // after the status line
		more func(net.Conn)
		got  int
		cut  bool
	}{
		{"whole", "Content-Length: 2\r\n\r\nok", nil, 2, false},
		{"as long as may be", "\r\n" + strings.Repeat("x", MaxAnswer), nil, MaxAnswer, false},
		{"one more", "\r\n" + strings.Repeat("x", MaxAnswer+1), nil, MaxAnswer, true},
		{"broken off", "Content-Length: 20\r\n\r\nok", nil, 2, true},
		{"bad chunks", "Transfer-Encoding: chunked\r\n\r\nzz\r\nok", nil, 0, true},
		{"stalled", "Content-Length: 20\r\n\r\nok", func(c net.Conn) { io.Copy(io.Discard, c) }, 2, true},
		{"endless", "\r\n", func(c net.Conn) {
			for chunk := make([]byte, 32<<10); ; {
				if _, err := c.Write(chunk); err != nil {
					return
				}
			}
		}, MaxAnswer, true},
		{"a packed gigabyte is not unpacked", "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", nil, 4, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url, _ := raw(t, func(c net.Conn) {
				request(c)
				io.WriteString(c, "HTTP/1.1 202 Accepted\r\n"+tc.text)
				if tc.more != nil {
					tc.more(c)
				}
			})
			c := local(t)
			c.Timeout = 500 * time.Millisecond
			a, err := c.Do(context.Background(), &Request{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			if a.Status != 202 || len(a.Body) != tc.got || a.Cut != tc.cut || a.Digest != sum.Of(a.Body) || c.Judge(a, true) != nil {
				t.Errorf("got %d bytes of %d, cut %t; want %d, cut %t", len(a.Body), a.Status, a.Cut, tc.got, tc.cut)
			}
		})
	}
}

// Switching protocols is no answer to wait for.
func TestSwitchingProtocols(t *testing.T) {
	url, _ := raw(t, func(c net.Conn) {
		request(c)
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
		io.Copy(io.Discard, c)
	})
	c := local(t)
	a, err := c.Do(context.Background(), &Request{URL: url})
	if err != nil || a.Status != 101 || len(a.Body) != 0 {
		t.Fatalf("%+v %v", a, err)
	}
	if f := c.Judge(a, true); f == nil || f.Sent != "" {
		t.Errorf("%+v", f)
	}
}
