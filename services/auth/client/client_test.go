package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/services/auth/client"
)

func TestCredentials(t *testing.T) {
	w := newWorld(t)
	c := w.client(t, "ci")
	rt := w.transport(c, c.Credentials())
	for range 3 {
		status, text, err := get(t.Context(), rt, w.url+"/api/v1/x?q=1")
		if err != nil || status != 200 || text != "ci of acme by dpop, 0 bytes" {
			t.Fatalf("%d %q %v", status, text, err)
		}
	}
	// One token, after the one challenge for a nonce; and one such challenge of the service.
	if got := []int{w.count("/token", 200), w.count("/token", 400), w.count("/api/v1/x", 401)}; !cmp.Equal(got, []int{1, 1, 1}) {
		t.Errorf("tokens, challenges of the authority and of the service: %v", got)
	}
	// Shortly before its end another one is fetched.
	src := (&client.Client{Server: c.Server, ID: "ci", Key: c.Key, Auth: c.Auth, Now: w.now}).Credentials("scanner:read")
	first, err := src.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, _ := src.Token(t.Context())
	if again != first || !cmp.Equal(first.Scopes, []string{"scanner:read"}) {
		t.Errorf("a second token, or other scopes: %v", first.Scopes)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", first, first, first, *first); strings.Contains(text, first.Access) {
		t.Errorf("a token that is printed: %s", text)
	}
}

func TestSecretWithoutKey(t *testing.T) {
	w := newWorld(t)
	c := w.client(t, "dev")
	c.Key, c.Auth = nil, client.Secret(password)
	rt := &client.Transport{Service: w.url, Source: c.Credentials()}
	if status, text, err := get(t.Context(), rt, w.url+"/api/v1/x"); err != nil || status != 200 || text != "dev of acme by bearer, 0 bytes" {
		t.Errorf("%d %q %v", status, text, err)
	}
	c = w.client(t, "dev")
	c.Key, c.Auth = nil, client.Secret("another")
	_, err := c.Credentials().Token(t.Context())
	if !errors.Is(err, client.ErrUnauthenticated) || strings.Contains(err.Error(), "another") {
		t.Errorf("a wrong secret: %v", err)
	}
	if text := fmt.Sprintf("%v %#v %s", c.Auth, c.Auth, c.Auth); strings.Contains(text, "another") {
		t.Errorf("a secret that is printed: %s", text)
	}
}

// TestConcurrent: many callers share one token, and each proof is used once.
func TestConcurrent(t *testing.T) {
	w := newWorld(t)
	c := w.client(t, "ci")
	rt := w.transport(c, c.Credentials())
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			for range 4 {
				if status, text, err := get(t.Context(), rt, w.url+"/api/v1/x"); err != nil || status != 200 {
					t.Errorf("%d %q %v", status, text, err)
				}
			}
		})
	}
	group.Wait()
	if n := w.count("/token", 200); n != 1 {
		t.Errorf("%d tokens for one client", n)
	}
	if n := w.count("/api/v1/x", 200); n != 128 {
		t.Errorf("%d answers, want 128", n)
	}
}

// TestNonceRotation: what the service gave out before it forgot everything is refused once,
// and the request is sent again with the next nonce.
func TestNonceRotation(t *testing.T) {
	w := newWorld(t)
	c := w.client(t, "ci")
	c.Now, c.Key.Now = w.now, w.now
	rt := w.transport(c, c.Credentials())
	send := func(body io.Reader) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/api/v1/x", body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rt.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	if status, text := send(strings.NewReader("body")); status != 200 || !strings.HasSuffix(text, "4 bytes") {
		t.Fatalf("%d %q", status, text)
	}
	w.advance(10 * time.Minute) // nonces are over, and so is the token
	if status, text := send(strings.NewReader("body")); status != 200 || !strings.HasSuffix(text, "4 bytes") {
		t.Fatalf("afterwards: %d %q", status, text)
	}
	if n := w.count("/api/v1/x", 401); n != 2 {
		t.Errorf("%d challenges, want one before each of two nonces", n)
	}
	w.advance(10 * time.Minute)
	// What cannot be read twice is sent once: the caller gets the challenge.
	status, _ := send(struct{ io.Reader }{io.LimitReader(strings.NewReader("body"), 4)})
	if status != 200 { // it is short of nothing: without a length it is held
		t.Errorf("a body that is held: %d", status)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/api/v1/x", struct{ io.Reader }{strings.NewReader("body")})
	r.ContentLength = 4
	w.advance(10 * time.Minute)
	resp, err := rt.RoundTrip(r)
	if err != nil || resp.StatusCode != 401 || !strings.Contains(resp.Header.Get("WWW-Authenticate"), "use_dpop_nonce") {
		t.Errorf("a body that can be read once: %v %v", resp, err)
	}
}

// TestRefused: a token that was revoked meanwhile is replaced by another one.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	c := w.client(t, "ci")
	src := c.Credentials()
	rt := w.transport(c, src)
	if status, _, err := get(t.Context(), rt, w.url+"/api/v1/x"); err != nil || status != 200 {
		t.Fatal(status, err)
	}
	tok, _ := src.Token(t.Context())
	if err := c.Revoke(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // revocations count in seconds
	status, text, err := get(t.Context(), rt, w.url+"/api/v1/x")
	next, _ := src.Token(t.Context())
	if err != nil || status != 200 || next == tok {
		t.Errorf("after the token was revoked: %d %q %v", status, text, err)
	}
	// A token that nothing replaces is refused, once.
	n := w.count("/api/v1/x", 401)
	if status, _, err := get(t.Context(), &client.Transport{Service: w.url, Source: client.Static("nonsense")}, w.url+"/api/v1/x"); err != nil || status != 401 || w.count("/api/v1/x", 401) != n+1 {
		t.Errorf("a token that is none: %d %v", status, err)
	}
}

// TestSecondCopy: where a connection breaks, net/http sends the request once more, with the
// proof that the service has seen.
func TestSecondCopy(t *testing.T) {
	w := newWorld(t)
	breaks := 0
	w.api = func(rw http.ResponseWriter, r *http.Request) {
		if breaks--; breaks == 0 {
			conn, _, err := http.NewResponseController(rw.(*recorder).ResponseWriter).Hijack()
			if err != nil {
				t.Error(err)
			}
			conn.Close()
		}
	}
	c := w.client(t, "ci")
	rt := w.transport(c, c.Credentials())
	for i := range 2 {
		breaks = i // the second request breaks, on a connection that was used
		if status, text, err := get(t.Context(), rt, w.url+"/api/v1/x"); err != nil || status != 200 {
			t.Fatalf("request %d: %d %q %v", i, status, text, err)
		}
	}
	if n := w.count("/api/v1/x", 401); n != 2 {
		t.Errorf("%d refusals, want one for the nonce and one for the second copy", n)
	}
}

func TestClockSkew(t *testing.T) {
	w := newWorld(t)
	c := w.client(t, "ci")
	w.advance(time.Hour)
	_, err := c.Credentials().Token(t.Context())
	if !errors.Is(err, client.ErrUnauthenticated) || !strings.Contains(err.Error(), "behind the server's: set it") {
		t.Errorf("the authority: %v", err)
	}
	w.advance(-time.Hour)
	rt := w.transport(c, c.Credentials())
	if status, _, err := get(t.Context(), rt, w.url+"/api/v1/x"); err != nil || status != 200 {
		t.Fatal(status, err)
	}
	c.Key.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) }
	rt.Now = c.Key.Now
	_, _, err = get(t.Context(), rt, w.url+"/api/v1/x")
	if !errors.Is(err, client.ErrUnauthenticated) || !strings.Contains(err.Error(), "behind the server's: set it") {
		t.Errorf("the service: %v", err)
	}
}

func TestMetadata(t *testing.T) {
	var answer string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.Contains(r.URL.Path, "protected-resource"):
			w.WriteHeader(401)
			return
		case answer == "":
			w.WriteHeader(404)
		}
		io.WriteString(w, strings.ReplaceAll(answer, "HERE", "http://"+r.Host))
	}))
	defer s.Close()
	for name, test := range map[string]struct {
		issuer, answer string
		want           error
	}{
		"none":             {s.URL, ``, client.ErrNotFound},
		"another issuer":   {s.URL, `{"issuer":"https://other.example","token_endpoint":"HERE/token"}`, client.ErrMismatch},
		"a slash more":     {s.URL, `{"issuer":"HERE/","token_endpoint":"HERE/token"}`, client.ErrMismatch},
		"no token":         {s.URL, `{"issuer":"HERE"}`, client.ErrInvalid},
		"http endpoint":    {s.URL, `{"issuer":"HERE","token_endpoint":"http://other.example/token"}`, client.ErrForbidden},
		"a password in it": {s.URL, `{"issuer":"HERE","token_endpoint":"https://a:b@other.example/token"}`, client.ErrInvalid},
		"not JSON":         {s.URL, `<html>`, client.ErrUnavailable},
		"http issuer":      {"http://192.0.2.1", ``, client.ErrForbidden},
		"file":             {"file:///etc/passwd", ``, client.ErrInvalid},
		"a query":          {s.URL + "?x=1", ``, client.ErrInvalid},
		"right":            {s.URL, `{"issuer":"HERE","token_endpoint":"HERE/token","x":1}`, nil},
	} {
		answer = test.answer
		_, err := client.Metadata(t.Context(), test.issuer, nil)
		if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if test.want == nil {
			if as, err := client.Discover(t.Context(), s.URL+"/", nil); err != nil || as.Issuer != s.URL {
				t.Errorf("discover: %v %v", as, err)
			}
		}
	}
}

// TestDiscover: a service names its authority (RFC 9728), for itself alone.
func TestDiscover(t *testing.T) {
	w := newWorld(t)
	resource := ""
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"resource":%q,"authorization_servers":[%q]}`, resource, w.url)
	}))
	defer s.Close()
	resource = s.URL
	if as, err := client.Discover(t.Context(), s.URL, nil); err != nil || as.Issuer != w.url {
		t.Errorf("%v %v", as, err)
	}
	resource = "https://other.example"
	if _, err := client.Discover(t.Context(), s.URL, nil); !errors.Is(err, client.ErrMismatch) {
		t.Errorf("of another resource: %v", err)
	}
}

// TestHostileAuthority: answers that are not what was asked for.
func TestHostileAuthority(t *testing.T) {
	const token = "secret-token-of-the-answer"
	for name, test := range map[string]struct {
		status int
		body   string
		want   error
		says   string
	}{
		"bearer instead":  {200, `{"access_token":"` + token + `","token_type":"Bearer","expires_in":100}`, client.ErrMismatch, "want DPoP"},
		"no type":         {200, `{"access_token":"` + token + `","expires_in":100}`, client.ErrMismatch, ""},
		"over":            {200, `{"access_token":"` + token + `","token_type":"DPoP","expires_in":0}`, client.ErrUnavailable, ""},
		"line end":        {200, `{"access_token":"` + token + `\r\nX: y","token_type":"DPoP","expires_in":9}`, client.ErrUnavailable, ""},
		"not JSON":        {200, token, client.ErrUnavailable, ""},
		"half":            {200, `{"access_token":"` + token, client.ErrUnavailable, ""},
		"twice":           {200, `{"access_token":"a","access_token":"` + token + `","token_type":"DPoP","expires_in":9}`, client.ErrUnavailable, ""},
		"refused":         {400, `{"error":"invalid_grant","error_description":"over\u001b[31m","request_id":"r-1"}`, client.ErrUnauthenticated, "invalid_grant: over [31m (request_id r-1)"},
		"busy":            {503, `{"error":"temporarily_unavailable"}`, client.ErrUnavailable, ""},
		"a problem":       {429, `{"type":"x","title":"y","status":429,"detail":"too many","request_id":"r-2"}`, client.ErrUnavailable, "too many (request_id r-2)"},
		"always a nonce":  {400, `{"error":"use_dpop_nonce"}`, client.ErrUnauthenticated, ""},
		"redirect":        {307, ``, client.ErrUnavailable, ""},
		"a flood":         {200, strings.Repeat(" ", 2<<20), client.ErrLimit, ""},
		"no such scope":   {400, `{"error":"invalid_scope"}`, client.ErrForbidden, ""},
		"no such grant":   {400, `{"error":"unsupported_grant_type"}`, client.ErrUnsupported, ""},
		"another service": {404, `<h1>no</h1>`, client.ErrInvalid, "404"},
	} {
		n := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n++
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.Header().Set("DPoP-Nonce", fmt.Sprint("n", n))
			w.WriteHeader(test.status)
			io.WriteString(w, test.body)
		}))
		c := newWorldless(t, s.URL)
		_, err := c.Credentials().Token(t.Context())
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), token) {
			t.Errorf("%s: %v", name, err)
		}
		if want := map[bool]int{true: 2, false: 1}[name == "always a nonce"]; n != want {
			t.Errorf("%s: %d requests, want %d", name, n, want)
		}
		s.Close()
	}
	for name, c := range map[string]*client.Client{"no server": {ID: "x"}, "no id": {Server: &client.Server{Issuer: "https://a.example", Token: "https://a.example/t"}}} {
		if _, err := c.Credentials().Token(t.Context()); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.Device(t.Context()); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("%s: device: %v", name, err)
		}
		if _, err := c.Code(t.Context(), "http://127.0.0.1/callback"); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("%s: code: %v", name, err)
		}
		if err := c.Revoke(t.Context(), &client.Token{}); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("%s: revoke: %v", name, err)
		}
	}
}

// TestCallersLeave: a caller that gives up does not take the token from the others.
func TestCallersLeave(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-release
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token":"a","token_type":"DPoP","expires_in":100}`)
	}))
	defer s.Close()
	src := newWorldless(t, s.URL).Credentials()
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { _, err := src.Token(ctx); left <- err }()
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left: %v", err)
	}
	close(release)
	if _, err := src.Token(t.Context()); err != nil {
		t.Errorf("who stayed: %v", err)
	}
}

func TestThisPackageShowsNoAddress(t *testing.T) {
	_, err := client.Metadata(t.Context(), "https://ann:hunter2@stella.example", nil)
	var u *url.Error
	if !errors.Is(err, client.ErrInvalid) || errors.As(err, &u) {
		t.Errorf("%v", err)
	}
}
