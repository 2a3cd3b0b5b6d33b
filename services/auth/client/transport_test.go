package client_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/services/auth/client"
	"github.com/stella-ops/stella/services/auth/dpop"
)

// TestOtherOrigins: credentials go to the service alone, also where a redirect leads away.
func TestOtherOrigins(t *testing.T) {
	var got []http.Header
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = append(got, r.Header) }))
	defer other.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(401)
			return
		}
		http.Redirect(w, r, other.URL+"/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer s.Close()
	key, err := dpop.Generate("")
	if err != nil {
		t.Fatal(err)
	}
	tr := &client.Transport{Service: s.URL, Key: key, Source: bound{}}
	c := &http.Client{Transport: tr}
	resp, err := c.Get(s.URL + "/api/v1/x")
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	r, _ := http.NewRequest(http.MethodGet, other.URL, nil)
	r.Header.Set("Authorization", "DPoP stolen")
	r.Header.Set("DPoP", "proof")
	if _, err := tr.RoundTrip(r); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Fatalf("%d requests elsewhere, want 2", len(got))
	}
	for _, h := range got {
		if h.Get("Authorization") != "" || h.Get("DPoP") != "" {
			t.Errorf("credentials went elsewhere: %v", h)
		}
	}
	if r.Header.Get("Authorization") == "" {
		t.Error("the caller's request was changed")
	}
	for name, service := range map[string]string{"http": "http://stella.example", "none": "", "user": "https://a:b@stella.example", "file": "file:///x"} {
		tr := &client.Transport{Service: service, Key: key, Source: bound{}}
		r, _ := http.NewRequest(http.MethodPost, s.URL, strings.NewReader("x"))
		if _, err := tr.RoundTrip(r); !errors.Is(err, client.ErrForbidden) && !errors.Is(err, client.ErrInvalid) {
			t.Errorf("service %s: %v", name, err)
		}
	}
	if _, err := (&client.Transport{Service: s.URL}).RoundTrip(r); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("without a source: %v", err)
	}
	if _, err := (&client.Transport{Service: other.URL, Source: bound{}}).RoundTrip(r); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("without the key: %v", err)
	}
}

// TestOrigins: what is the same origin, and what is not.
func TestOrigins(t *testing.T) {
	key, err := dpop.Generate("")
	if err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]bool{
		"https://stella.example/x": true, "https://STELLA.example:443/": true, "https://stella.example.": false, "https://stella.example:8443/": false,
		"http://stella.example:443/": false, "https://stella.example.evil.example/": false, "https://evil.example/?https://stella.example": false,
	} {
		sent := false
		tr := &client.Transport{Service: "https://stella.example/prefix", Key: key, Source: bound{}, Base: roundTrip(func(r *http.Request) (*http.Response, error) {
			sent = r.Header.Get("Authorization") != ""
			return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}}, nil
		})}
		r, err := http.NewRequest(http.MethodGet, to, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tr.RoundTrip(r); err != nil || sent != want {
			t.Errorf("%s: credentials %v, want %v; %v", to, sent, want, err)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// closing tells whether it was closed.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestContentDigest(t *testing.T) {
	type seen struct {
		Digest string
		Length int64
		Bytes  int
		Proofs int
	}
	var got seen
	proofs := map[string]bool{}
	challenged := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		proofs[r.Header.Get("DPoP")] = true
		got = seen{r.Header.Get("Content-Digest"), r.ContentLength, len(text), len(proofs)}
		if !challenged {
			challenged = true
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce", error_description="x"`)
			w.Header().Set("DPoP-Nonce", "n")
			w.WriteHeader(401)
		}
	}))
	defer s.Close()
	key, err := dpop.Generate("")
	if err != nil {
		t.Fatal(err)
	}
	tr := &client.Transport{Service: s.URL, Key: key, Source: bound{}}
	long := bytes.Repeat([]byte("x"), client.MinDigest+1)
	sum := sha256.Sum256(long)
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	for name, test := range map[string]struct {
		body   io.Reader
		length int64 // where it is set
		want   seen
	}{
		"none":         {nil, 0, seen{"", 0, 0, 2}},
		"short":        {strings.NewReader("abc"), 0, seen{"", 3, 3, 2}},
		"at the edge":  {bytes.NewReader(long[1:]), 0, seen{"", client.MinDigest, client.MinDigest, 2}},
		"long":         {bytes.NewReader(long), 0, seen{digest, int64(len(long)), len(long), 2}},
		"long stream":  {&closing{Reader: bytes.NewReader(long)}, 0, seen{digest, int64(len(long)), len(long), 2}},
		"of a length":  {&closing{Reader: bytes.NewReader(long)}, int64(len(long)), seen{digest, int64(len(long)), len(long), 2}},
		"short stream": {&closing{Reader: strings.NewReader("abc")}, 0, seen{"", 3, 3, 2}},
	} {
		challenged, proofs = false, map[string]bool{}
		r, err := http.NewRequest(http.MethodPost, s.URL+"/x", test.body)
		if err != nil {
			t.Fatal(err)
		}
		if test.length != 0 {
			r.ContentLength = test.length
		}
		resp, err := tr.RoundTrip(r)
		if err != nil || resp.StatusCode != 200 {
			t.Errorf("%s: %v %v", name, resp, err)
			continue
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if c, ok := test.body.(*closing); ok && !c.closed {
			t.Errorf("%s: the body is not closed", name)
		}
	}
	huge := &closing{Reader: io.LimitReader(zeros{}, client.MaxHeld+1)}
	r, _ := http.NewRequest(http.MethodPost, s.URL, huge)
	if _, err := tr.RoundTrip(r); !errors.Is(err, client.ErrLimit) || !huge.closed {
		t.Errorf("a huge stream: %v", err)
	}
	broken := &closing{Reader: io.MultiReader(strings.NewReader("x"), failing{})}
	r, _ = http.NewRequest(http.MethodPost, s.URL, broken)
	if _, err := tr.RoundTrip(r); err == nil || !broken.closed {
		t.Errorf("a broken stream: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken") }
