//go:build unix

package gateway

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/envelope"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/cache"
)

const origin = "https://stella.example.org"

// client256 has a token, and makes proofs.
type client256 struct {
	key   *dpop.Key
	text  string
	nonce string
}

// door is the real verifier of tokens and proofs, with nonces, and a client of it.
func door(b *testing.B) (*auth.Verifier, *client256) {
	b.Helper()
	issuer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	keys, err := jwks.New(jwks.Key{ID: "k", Public: issuer.Public()})
	if err != nil {
		b.Fatal(err)
	}
	store := cache.New(cache.NewMem(cache.MemLimits{Keys: 10_000_000, Bytes: 4 << 30}))
	v := &auth.Verifier{
		Tokens: &token.Verifier{Issuer: origin, Audience: origin, Keys: keys},
		Proofs: &dpop.Verifier{Origins: []string{origin}, Past: time.Hour, Replay: store, Nonces: &dpop.Nonces{Secret: make([]byte, 32), Audience: origin, Epochs: store, Life: time.Hour}},
	}
	c := &client256{}
	if c.key, err = dpop.Generate("ES256"); err != nil {
		b.Fatal(err)
	}
	if c.nonce, err = v.Proofs.Nonces.Issue(context.Background()); err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	if c.text, err = token.Sign(&token.Claims{Issuer: origin, Subject: "alice", Audience: []string{origin}, Client: "cli", ID: "t", Issued: now, Expires: now.Add(time.Hour), Scopes: []string{"scanner:read"}, Tenant: "acme", JKT: c.key.JKT()}, issuer, "k"); err != nil {
		b.Fatal(err)
	}
	return v, c
}

// request makes the bytes of one request with a proof of its own.
func (c *client256) request(b *testing.B) []byte {
	proof, err := c.key.Proof("GET", origin+"/e/1", c.nonce, c.text)
	if err != nil {
		b.Fatal(err)
	}
	return []byte("GET /e/1 HTTP/1.1\r\nHost: stella.example.org\r\nUser-Agent: stella\r\nAccept: application/json\r\nAuthorization: DPoP " + c.text + "\r\nDPoP: " + proof + "\r\n\r\n")
}

// answerer is a backend that does next to nothing.
var answerer = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"scan_id":"scan-1","status":"completed"}`)
})

// front starts what stands before the backend.
type frontOf func(b *testing.B) (address string, request func() []byte)

func plainProxy(b *testing.B) (string, func() []byte) {
	behind := httptest.NewServer(answerer)
	b.Cleanup(behind.Close)
	u, _ := url.Parse(behind.URL)
	p := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	s := httptest.NewTLSServer(p) // HTTP/1.1
	b.Cleanup(s.Close)
	_, c := door(b)
	raw := c.request(b)
	return s.Listener.Addr().String(), func() []byte { return raw }
}

func realGateway(guard bool) frontOf {
	return func(b *testing.B) (string, func() []byte) {
		v, c := door(b)
		r := start(b, testCertificates(b), func(config *Config, _ *Server) {
			config.Check = func(h http.Header, r *http.Request) (*auth.Identity, error) {
				id, _, err := v.Check(h, r)
				return id, err
			}
			config.Rates = map[string]Rates{"api": {Client: Rate{time.Microsecond, 1 << 20}, Tenant: Rate{time.Microsecond, 1 << 20}}}
			for i := range config.Routes {
				config.Routes[i].Rate = "api"
			}
			config.Report = func(Decision) {}
			h := http.Handler(answerer)
			if guard {
				h = guarded("echo", h)
			}
			behind := httptest.NewServer(h)
			b.Cleanup(behind.Close)
			config.Backends = []Backend{{System: "echo", Targets: []Target{{URL: behind.URL}}}}
		})
		return r.address, func() []byte { return c.request(b) }
	}
}

// cpu is what this process has used: unlike time, others on the machine do not change it
// much.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// load sends requests over kept connections. A rate of 0 is as fast as it goes.
func load(b *testing.B, front frontOf, workers, rate int) {
	address, request := front(b)
	raws := make([][]byte, b.N)
	for i := range raws {
		raws[i] = request()
	}
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	began, busy := time.Now(), cpu()
	for range workers {
		all.Go(func() {
			conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				due := time.Now()
				if rate > 0 { // late counts as slow
					due = began.Add(time.Duration(i) * time.Second / time.Duration(rate))
					time.Sleep(time.Until(due))
				}
				if _, err := conn.Write(raws[i]); err != nil {
					b.Error(err)
					return
				}
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					b.Error(err)
					return
				}
				body, _ := io.ReadAll(resp.Body)
				if resp.StatusCode != 200 {
					b.Errorf("%d %s", resp.StatusCode, body)
					return
				}
				took[i] = time.Since(due)
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpu()-busy).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// BenchmarkReverseProxy is httputil.ReverseProxy, which checks nothing. Clients speak TLS to
// it, as to the gateway below.
func BenchmarkReverseProxy(b *testing.B) { load(b, plainProxy, 16, 0) }

// BenchmarkGateway verifies a token and a proof of its own for each request, and signs an
// envelope. What sends and what answers are in the same process, as for the proxy above.
func BenchmarkGateway(b *testing.B) { load(b, realGateway(false), 16, 0) }

// BenchmarkGatewayGuarded is BenchmarkGateway with a backend that checks the envelope.
func BenchmarkGatewayGuarded(b *testing.B) { load(b, realGateway(true), 16, 0) }

// BenchmarkGatewayPaced is at 1,000 requests a second.
func BenchmarkGatewayPaced(b *testing.B) { load(b, realGateway(true), 16, 1000) }

// BenchmarkParts are what of it is signatures.
func BenchmarkParts(b *testing.B) {
	v, c := door(b)
	b.Run("check", func(b *testing.B) {
		requests := make([]*http.Request, b.N)
		for i := range requests {
			raw := string(c.request(b))
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
			if err != nil {
				b.Fatal(err)
			}
			requests[i] = r
		}
		b.ResetTimer()
		for _, r := range requests {
			if _, _, err := v.Check(nil, r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sign", func(b *testing.B) {
		s := &envelope.Signer{Name: "gateway", Key: gatewayKey}
		for b.Loop() {
			s.Sign(&auth.Identity{Tenant: "acme", Subject: "alice"}, envelope.Binding{Audience: "echo", Method: "GET", Target: "/e/1"}, "r")
		}
	})
	b.Run("head", func(b *testing.B) {
		raw := c.request(b)
		for b.Loop() {
			var s scanner
			if end, f := s.scan(raw); end == 0 || f.status != 0 {
				b.Fatal(f)
			}
			if _, f := checkHead(raw, "http"); f.status != 0 {
				b.Fatal(f)
			}
		}
		b.SetBytes(int64(len(raw)))
	})
}
