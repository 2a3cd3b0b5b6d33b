package system

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/internal/console"
	"github.com/stella-ops/stella/services/internal/shell"
)

// ConsolePath is where the console takes its codes, below the origin of an installation.
const ConsolePath = console.Root + "callback"

// Console is the face of an installation in a browser: it asks the gateway, in the name of
// who looks, and nobody else.
func Console(w *World, c *console.Console) (*shell.Part, error) {
	c.Report = w.request("console")
	return &shell.Part{Name: "console", Handler: c}, nil
}

// Near sends requests to a handler of this process, as if over a network: an answer arrives
// while it is written. handler is called for each request, nil says that there is none yet.
func Near(handler func() http.Handler) http.RoundTripper { return near(handler) }

type near func() http.Handler

func (n near) RoundTrip(r *http.Request) (*http.Response, error) {
	h := n()
	if h == nil {
		return nil, fault.Unavailable
	}
	in := r.Clone(only{r.Context()})
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	read, write := io.Pipe()
	w := &nearWriter{header: http.Header{}, out: write, begun: make(chan struct{})}
	go func() {
		defer func() {
			if why := recover(); why != nil {
				w.WriteHeader(http.StatusInternalServerError)
				write.CloseWithError(io.ErrUnexpectedEOF)
			}
			in.Body.Close()
		}()
		h.ServeHTTP(w, in)
		w.WriteHeader(http.StatusOK)
		write.Close()
	}()
	select {
	case <-w.begun:
	case <-r.Context().Done():
		read.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: read, ContentLength: announced(w.sent), Request: r,
	}, nil
}

// announced is how long an answer says that it is, -1 where it does not.
func announced(h http.Header) int64 {
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		return n
	}
	return -1
}

// only is a context that ends when another does, and has nothing of it: what a request
// brought along to one door, such as who sent it, is none of the next one's.
type only struct{ context.Context }

func (only) Value(any) any { return nil }

// nearWriter is the answer of a handler of this process.
type nearWriter struct {
	header, sent http.Header
	status       int
	out          *io.PipeWriter
	once         sync.Once
	begun        chan struct{}
}

func (w *nearWriter) Header() http.Header { return w.header }

func (w *nearWriter) WriteHeader(status int) {
	if status < 200 {
		return
	}
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.begun)
	})
}

func (w *nearWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.out.Write(b)
}

// Flush does nothing: what is written is there.
func (w *nearWriter) Flush() {}

// Toward sends requests to the gateway: to another address than the one they name, where
// address is set. Names, certificates and proofs stay those of the origin. ca is a file with
// further authorities, "" for none.
func Toward(address, ca string) (http.RoundTripper, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy, t.MaxIdleConnsPerHost, t.ResponseHeaderTimeout = nil, 64, time.Minute
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("console.ca: %w", err)
		}
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("console.ca: there is no certificate: %w", fault.Invalid)
		}
		t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	if address == "" {
		return t, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("services.gateway: want http:// or https:// and a host: %w", fault.Invalid)
	}
	if u.Scheme == "http" {
		return &toward{u.Host, t}, nil
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "443")
	}
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) { return dial(ctx, network, host) }
	return t, nil
}

// toward asks a gateway inside without TLS.
type toward struct {
	host string
	base http.RoundTripper
}

func (t *toward) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.URL.Scheme, in.URL.Host = "http", t.host
	return t.base.RoundTrip(in)
}
