package envelope

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
)

// seen is what a handler behind the middleware sees of a request.
type seen struct {
	ID     *auth.Identity
	Body   string
	RID    string
	Header int // values of Header
	Err    error
}

func serve(t *testing.T, v *Verifier, sees *[]seen) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(v.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		*sees = append(*sees, seen{auth.FromContext(r.Context()), string(b), r.Header.Get(RequestIDHeader), len(r.Header.Values(Header)), err})
		if err != nil {
			http.Error(w, "broken", http.StatusBadRequest)
		}
	})))
	t.Cleanup(s.Close)
	return s
}

func TestMiddleware(t *testing.T) {
	var sees []seen
	s := serve(t, verifier(), &sees)
	client := &http.Client{Transport: &Transport{Signer: signer(), Audience: "scanner", Base: http.DefaultTransport}}
	long := strings.Repeat("x", MaxWhole+1)
	for _, body := range []io.Reader{nil, strings.NewReader("short"), io.MultiReader(strings.NewReader("once")), strings.NewReader(long), strings.NewReader(long[1:])} {
		r, err := http.NewRequestWithContext(auth.NewContext(t.Context(), alice), "POST", s.URL+"/a%20b/c?q=%2F&", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(RequestIDHeader, "rid-7")
		resp, err := client.Do(r)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
	}
	want := []seen{{alice, "", "rid-7", 0, nil}, {alice, "short", "rid-7", 0, nil}, {alice, "once", "rid-7", 0, nil}, {alice, long, "rid-7", 0, nil}, {alice, long[1:], "rid-7", 0, nil}}
	if diff := cmp.Diff(want, sees); diff != "" {
		t.Error(diff)
	}
}

// TestMiddlewareRefuses: nothing of these is seen by the handler.
func TestMiddlewareRefuses(t *testing.T) {
	var sees []seen
	s := serve(t, verifier(), &sees)
	u, _ := url.Parse(s.URL)
	b := Binding{Audience: "scanner", Method: "POST", Target: "/a?b=c", Digest: Digest([]byte("body"))}
	good := sign(t, signer(), alice, b)
	worker := &Signer{Name: "worker", Key: workerKey, Now: at(start0)}
	long := strings.Repeat("x", 1<<20)
	for name, test := range map[string]struct {
		method, target, body string
		envelopes            []string
		status               int
	}{
		"none":           {"POST", "/a?b=c", "body", nil, 401},
		"empty":          {"POST", "/a?b=c", "body", []string{""}, 401},
		"two":            {"POST", "/a?b=c", "body", []string{good, good}, 401},
		"list":           {"POST", "/a?b=c", "body", []string{good + "," + good}, 401},
		"method":         {"PUT", "/a?b=c", "body", []string{good}, 401},
		"path":           {"POST", "/A?b=c", "body", []string{good}, 401},
		"encoded path":   {"POST", "/%61?b=c", "body", []string{good}, 401},
		"query":          {"POST", "/a?b=c&", "body", []string{good}, 401},
		"body":           {"POST", "/a?b=c", "bodY", []string{good}, 401},
		"no body":        {"POST", "/a?b=c", "", []string{good}, 401},
		"longer body":    {"POST", "/a?b=c", "body\n", []string{good}, 401},
		"long body":      {"POST", "/a?b=c", long, []string{good}, 401},
		"may not say so": {"POST", "/a?b=c", "body", []string{sign(t, worker, alice, b)}, 403},
	} {
		r := &http.Request{Method: test.method, URL: &url.URL{Scheme: "http", Host: u.Host}, Header: http.Header{Header: test.envelopes}, Body: io.NopCloser(strings.NewReader(test.body)), ContentLength: int64(len(test.body))}
		if test.body == "" {
			r.Body = nil
		}
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(test.target, "?")
		if strings.Contains(r.URL.Path, "%") {
			r.URL.Opaque = "//" + u.Host + r.URL.Path
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(name, err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != test.status || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s %s", name, resp.StatusCode, resp.Header, text)
		}
	}
	if len(sees) > 0 {
		t.Errorf("the handler ran: %+v", sees)
	}
}

// TestLongBody: the handler has an error, never the end, of a long body that is another one.
func TestLongBody(t *testing.T) {
	var sees []seen
	s := serve(t, verifier(), &sees)
	long := strings.Repeat("x", MaxWhole+100)
	b := Binding{Audience: "scanner", Method: "POST", Target: "/", Digest: Digest([]byte(long))}
	for _, chunked := range []bool{false, true} {
		for name, body := range map[string]string{"last byte": long[:len(long)-1] + "y", "first byte": "y" + long[1:], "shorter": long[:len(long)-1], "longer": long + "x"} {
			r, _ := http.NewRequest("POST", s.URL, strings.NewReader(body))
			r.Header.Set(Header, sign(t, signer(), alice, b))
			if chunked {
				r.ContentLength = -1
			}
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if last := sees[len(sees)-1]; !errors.Is(last.Err, fault.Mismatch) || resp.StatusCode != 400 {
				t.Errorf("%s, chunked %v: %d, error %v", name, chunked, resp.StatusCode, last.Err)
			}
		}
	}
}

func TestTransportRefuses(t *testing.T) {
	none := &Transport{Signer: signer(), Audience: "scanner", Base: nil}
	r, _ := http.NewRequest("GET", "http://127.0.0.1:1/", nil)
	if _, err := none.RoundTrip(r); !errors.Is(err, ErrUnauthenticated) {
		t.Error("nobody:", err)
	}
	r, _ = http.NewRequestWithContext(auth.NewContext(context.Background(), alice), "POST", "http://127.0.0.1:1/", io.MultiReader(bytes.NewReader(make([]byte, MaxWhole+1))))
	if _, err := none.RoundTrip(r); !errors.Is(err, ErrLimit) {
		t.Error("a long body that can be read once:", err)
	}
}
