package gateway

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/envelope"
)

var gatewayKey = ed25519.NewKeyFromSeed([]byte(strings.Repeat("g", 32)))

// arrival is what a backend saw of a request.
type arrival struct {
	method, target, body string
	header, trailer      http.Header
	who                  *auth.Identity
}

// backend is a real server behind a gateway, which tells what arrived.
type backend struct {
	mu       sync.Mutex
	arrivals []arrival
	reply    func(w http.ResponseWriter, r *http.Request, a *arrival) // nil: "METHOD TARGET BODY"
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	a := arrival{r.Method, r.RequestURI, string(body), r.Header.Clone(), r.Trailer.Clone(), auth.FromContext(r.Context())}
	b.mu.Lock()
	b.arrivals = append(b.arrivals, a)
	b.mu.Unlock()
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case b.reply != nil:
		b.reply(w, r, &a)
	default:
		fmt.Fprintf(w, "%s %s %s", a.method, a.target, a.body)
	}
}

func (b *backend) seen() []arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]arrival(nil), b.arrivals...)
}

// guarded puts a service's own check of envelopes before a handler.
func guarded(system string, h http.Handler) http.Handler {
	v := &envelope.Verifier{Audience: system, Issuers: map[string]envelope.Trust{"gateway": {Keys: []ed25519.PublicKey{gatewayKey.Public().(ed25519.PublicKey)}, Anybody: true}}}
	v.Once = (&envelope.Memory{}).Once
	return v.Middleware(h)
}

// rig is a gateway before one backend.
type rig struct {
	*backend
	g       *Gateway
	address string
	mu      sync.Mutex
	made    []Decision
	errors  []error
}

// tester accepts "Authorization: Test TENANT/SUBJECT/SCOPE".
func tester(_ http.Header, r *http.Request) (*auth.Identity, error) {
	values := r.Header.Values("Authorization")
	text := ""
	if len(values) == 1 {
		text, _ = strings.CutPrefix(values[0], "Test ")
	}
	p := strings.Split(text, "/")
	if len(p) != 3 {
		return nil, fmt.Errorf("no token: %w", fault.Unauthenticated)
	}
	return &auth.Identity{Tenant: p[0], Subject: p[1], Client: p[1], Scopes: []string{p[2]}, Proof: auth.ProofDPoP}, nil
}

// start makes a rig and serves it; change may be nil.
func start(t testing.TB, certs *Certificates, change func(*Config, *Server)) *rig {
	t.Helper()
	r := &rig{backend: &backend{}}
	behind := httptest.NewServer(guarded("echo", r.backend))
	t.Cleanup(behind.Close)
	c := Config{
		Signer: &envelope.Signer{Name: "gateway", Key: gatewayKey}, Check: tester,
		Backends: []Backend{{System: "echo", Targets: []Target{{URL: behind.URL}}}},
		Routes: []Route{
			{System: "echo", Method: "GET", Pattern: "/e/{name}", Scopes: []string{AnyIdentity}},
			{System: "echo", Method: "POST", Pattern: "/e/{name}", Scopes: []string{AnyIdentity}},
			{System: "echo", Method: "PUT", Pattern: "/e/{name}", Scopes: []string{AnyIdentity}, Limits: Limits{Body: 8 << 20}},
			{System: "echo", Method: "DELETE", Pattern: "/e/{name}", Scopes: []string{AnyIdentity}},
			{System: "echo", Method: "GET", Pattern: "/admin", Scopes: []string{"authority:admin"}},
			{System: "echo", Method: "GET", Pattern: "/public", Public: true},
		},
		Report: func(d Decision) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.made = append(r.made, d)
		},
	}
	s := &Server{Certificates: certs, HeadTime: 300 * time.Millisecond, Report: func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.errors = append(r.errors, err)
	}}
	if change != nil {
		change(&c, s)
	}
	var err error
	if r.g, err = New(c); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.address, s.Gateway = l.Addr().String(), r.g
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.g.Close()
	})
	return r
}

// decisions are those of a reason.
func (r *rig) decisions(reason Reason) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.made {
		if d.Reason == reason {
			n++
		}
	}
	return n
}

// reset forgets.
func (r *rig) reset() {
	r.mu.Lock()
	r.made = nil
	r.mu.Unlock()
	r.backend.mu.Lock()
	r.arrivals = nil
	r.backend.mu.Unlock()
}

// exchangeRaw sends bytes on one connection and returns all answers until it ends.
func exchangeRaw(t *testing.T, address, raw string, secure bool) []string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	go io.WriteString(conn, raw)
	in := bufio.NewReader(conn)
	var out []string
	for {
		if _, err := in.Peek(1); err != nil {
			return out
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return append(out, "broken: "+err.Error())
		}
		if resp.StatusCode == http.StatusContinue {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return append(out, "broken: "+err.Error())
		}
		switch {
		case resp.StatusCode == 200:
			out = append(out, string(body))
		case resp.Header.Get("Content-Type") != "application/problem+json" || resp.Header.Get("Stella-Request-Id") == "" || !strings.Contains(string(body), resp.Header.Get("Stella-Request-Id")):
			out = append(out, fmt.Sprintf("%d is no problem document: %s", resp.StatusCode, body))
		default:
			out = append(out, fmt.Sprint(resp.StatusCode))
		}
	}
}

// client sends whole requests.
func client(t testing.TB, base http.RoundTripper) func(method, url, body string, header ...string) *http.Response {
	if base == nil {
		base = &http.Transport{DisableCompression: true}
	}
	return func(method, url, body string, header ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Test acme/alice/scanner:read")
		for _, h := range header {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		resp, err := base.RoundTrip(r)
		if err != nil {
			t.Fatalf("%s %s: %v", method, url, err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("%s %s: %v", method, url, err)
		}
		resp.Body.Close()
		resp.Body = io.NopCloser(strings.NewReader(string(text)))
		return resp
	}
}

func text(r *http.Response) string {
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

// exchangeSlices is exchangeRaw in pieces.
func exchangeSlices(t *testing.T, address, raw string, step int) []string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	conn.(*net.TCPConn).SetNoDelay(true)
	go func() {
		for len(raw) > 0 {
			n := min(step, len(raw))
			if _, err := io.WriteString(conn, raw[:n]); err != nil {
				return
			}
			raw = raw[n:]
			time.Sleep(20 * time.Microsecond)
		}
	}()
	in := bufio.NewReader(conn)
	var out []string
	for {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return out
		}
		body, _ := io.ReadAll(resp.Body)
		out = append(out, string(body))
	}
}

func answerWith(fields map[string]string) func(http.ResponseWriter, *http.Request, *arrival) {
	return func(w http.ResponseWriter, _ *http.Request, a *arrival) {
		for name, value := range fields {
			w.Header().Set(name, value)
		}
		fmt.Fprint(w, a.target)
		w.Header().Set("X-T", "trailer")
	}
}

// memConn is a connection that is read from memory.
type memConn struct {
	net.Conn
	in io.Reader
}

func (m *memConn) Read(p []byte) (int, error)      { return m.in.Read(p) }
func (m *memConn) SetReadDeadline(time.Time) error { return nil }
func (m *memConn) Close() error                    { return nil }
func (m *memConn) Write(p []byte) (int, error)     { return len(p), nil }
