package image

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stella-ops/stella/internal/imagetest"
)

// countedRegistry counts connections.
func countedRegistry(t *testing.T) (host string, n *atomic.Int32) {
	n = &atomic.Int32{}
	s := httptest.NewUnstartedServer(oneImage().handler())
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), n
}

func TestNetworkPolicies(t *testing.T) {
	host, n := countedRegistry(t)
	var refused atomic.Int32
	for _, tc := range []struct {
		name string
		net  *Network
		ok   bool
	}{
		{"a person's", nil, true},
		{"a person's, zero", &Network{}, true},
		{"service", &Network{Policy: NetworkService}, false},
		{"service, listed", &Network{Policy: NetworkService, Allow: []string{"127.0.0.1"}}, true},
		{"service, other listed", &Network{Policy: NetworkService, Allow: []string{"10.0.0.0/8"}}, false},
		{"air gap", &Network{Policy: NetworkAirGap}, false},
		{"air gap, listed", &Network{Policy: NetworkAirGap, Allow: []string{host}}, true},
		{"misspelt", &Network{Policy: "sevrice"}, false},
	} {
		n.Store(0)
		if tc.net != nil {
			tc.net.Refused = func(error) { refused.Add(1) }
		}
		opt := anonymous()
		opt.Network = tc.net
		err := pull(host+"/app", opt, false)
		if tc.ok {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		if !errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), "127.0.0.1") || n.Load() != 0 || refused.Swap(0) == 0 {
			t.Errorf("%s: %v after %d connections", tc.name, err, n.Load())
		}
	}
	bad := anonymous()
	bad.Network = &Network{Allow: []string{"http://x"}}
	if err := pull(host+"/app", bad, false); !errors.Is(err, ErrInvalid) {
		t.Errorf("bad list: %v", err)
	}
}

// A registry that lies outside cannot lead inside. The names are resolved by a
// dialer of the test: DialContext is the embedder's own.
func TestOwnTransportAndDialer(t *testing.T) {
	host, n := countedRegistry(t)
	var dialled []string
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled = append(dialled, addr)
		var d net.Dialer
		return d.DialContext(ctx, network, host)
	}
	opt := anonymous()
	opt.PlainHTTP = true
	opt.Network = &Network{DialContext: dial}
	m := mustOpen(t, "registry.example:5000/app", opt)
	if m.Source.Tags[0] != "registry.example:5000/app:latest" || dialled[0] != "registry.example:5000" || n.Load() == 0 {
		t.Errorf("dialled %q", dialled)
	}
	opt = anonymous()
	opt.Transport = &http.Transport{DialContext: dial}
	opt.PlainHTTP = true
	mustOpen(t, "other.example/app", opt)
}

func TestPlainHTTPOnlyOnRequest(t *testing.T) {
	host, n := countedRegistry(t)
	opt := anonymous()
	opt.Network = &Network{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, host)
	}}
	for _, ref := range []string{"registry.example/app", "10.1.2.3:5000/app", "registry.localhost.example/app"} {
		err := pull(ref, opt, false)
		if err == nil {
			t.Errorf("%s was opened without encryption", ref)
		}
	}
	if n.Load() == 0 {
		t.Error("no connection was tried")
	}
}

func TestTLSRegistry(t *testing.T) {
	f := oneImage()
	s := httptest.NewUnstartedServer(basicAuth(f.handler()))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "https://")
	err := pull(host+"/app", withCredentials(), false)
	if !errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("unknown authority: %v", err)
	}
	ca := writeTemp(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	opt := withCredentials()
	opt.Network = &Network{CAFiles: []string{ca}}
	m := mustOpen(t, host+"/app", opt)
	if got := imagetest.Digest(readLayer(t, m, 0)); got != m.Layers[0].Descriptor.Digest {
		t.Errorf("layer %s", got)
	}
}

// From an encrypted registry nothing leads to an unencrypted place, and
// credentials do not get there.
func TestEncryptedRegistryDoesNotDowngrade(t *testing.T) {
	var c watched
	plain := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.note(r) }))
	f := oneImage()
	inner := f.handler()
	for _, from := range []string{"/v2/", "/manifests/", "/blobs/"} {
		var host string
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, from) && (from != "/v2/" || r.URL.Path == from) && (from == "/v2/" || r.Header.Get("Authorization") != "") {
				redirect("http://"+plain+r.URL.Path)(w, r)
				return
			}
			basicAuth(inner)(w, r)
		}))
		s.Config.ErrorLog = quiet
		s.StartTLS()
		t.Cleanup(s.Close)
		host = strings.TrimPrefix(s.URL, "https://")
		opt := withCredentials()
		opt.Network = &Network{CAFiles: []string{writeTemp(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))}}
		if err := pull(host+"/app", opt, false); !errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), "leave encryption") {
			t.Errorf("%s: %v", from, err)
		}
	}
	if c.hits != 0 {
		t.Errorf("the unencrypted place was asked %d times, saw %q", c.hits, c.seen)
	}
}

// A realm over http is refused by an encrypted registry even on this machine's
// other ports, unless it is loopback as the registry is.
func TestRealmOnAnotherPort(t *testing.T) {
	f := oneImage()
	realm := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != basicHeader() {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, `{"token":"canary-token"}`)
	}))
	host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer canary-token" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+realm+`/token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		f.handler()(w, r)
	}))
	mustOpen(t, host+"/app", withCredentials())
}
