package system

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNear: a handler of this process is asked as one elsewhere is.
func TestNear(t *testing.T) {
	release := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Host", r.Host)
		w.WriteHeader(http.StatusCreated)
		w.Header().Set("X-Late", "1")
		fmt.Fprintf(w, "%s %s", r.RequestURI, text)
	})
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first\n")
		http.NewResponseController(w).Flush()
		<-release
		io.WriteString(w, "second\n")
	})
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("defect") })
	mux.HandleFunc("GET /half", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "half")
		panic("defect")
	})
	mux.HandleFunc("GET /never", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("GET /empty", func(http.ResponseWriter, *http.Request) {})
	c := &http.Client{Transport: Near(func() http.Handler { return mux })}

	resp, err := c.Post("https://stella.example/echo?x=1", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil || string(text) != "/echo?x=1 hello" || resp.StatusCode != http.StatusCreated || resp.Header.Get("X-Host") != "stella.example" || resp.Header.Get("X-Late") != "" {
		t.Errorf("%q, %v, %d, %v", text, err, resp.StatusCode, resp.Header)
	}
	resp, err = c.Get("https://stella.example/stream")
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 6)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first\n" {
		t.Errorf("%q, %v", first, err)
	}
	close(release)
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "second\n" {
		t.Errorf("%q, %v", rest, err)
	}
	if resp, err = c.Get("https://stella.example/panic"); err != nil || resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("%v, %v", resp, err)
	}
	if resp, err = c.Get("https://stella.example/half"); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("half an answer is taken for a whole one: %q", text)
	}
	if resp, err = c.Get("https://stella.example/empty"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", resp, err)
	}
	type key struct{}
	mux.HandleFunc("GET /context", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Context().Value(key{})) })
	outer, _ := http.NewRequestWithContext(context.WithValue(context.Background(), key{}, "of another request"), http.MethodGet, "https://stella.example/context", nil)
	if resp, err = c.Do(outer); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "<nil>" {
		t.Errorf("what is in the context of who asks arrives: %q, %v", text, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://stella.example/never", nil)
	if _, err := c.Do(r); err == nil {
		t.Error("who no longer waits is answered")
	}
	if _, err := (&http.Client{Transport: Near(func() http.Handler { return nil })}).Get("https://stella.example/"); err == nil {
		t.Error("a handler that is not there answers")
	}
}

// TestToward: the gateway is found at another address, and is believed by its certificate for
// the name that people know.
func TestToward(t *testing.T) {
	where := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host+r.URL.Path) }
	inside := httptest.NewTLSServer(http.HandlerFunc(where))
	defer inside.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: inside.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	get := func(address, ca, url string) (string, error) {
		rt, err := Toward(address, ca)
		if err != nil {
			return "", err
		}
		resp, err := (&http.Client{Transport: rt}).Get(url)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return string(text), err
	}
	if got, err := get(inside.URL, ca, "https://example.com/x"); err != nil || got != "example.com/x" { // a name of the test's certificate
		t.Errorf("%q, %v", got, err)
	}
	if got, err := get(inside.URL, ca, "https://other.example/x"); err == nil {
		t.Errorf("a certificate of another name is believed: %q", got)
	}
	if got, err := get(inside.URL, "", "https://example.com/x"); err == nil {
		t.Errorf("a certificate that nobody vouches for is believed: %q", got)
	}
	plain := httptest.NewServer(http.HandlerFunc(where))
	defer plain.Close()
	if got, err := get(plain.URL, "", "https://stella.example/y"); err != nil || got != "stella.example/y" {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"gateway:8443", "ftp://x", "http://", ":"} {
		if _, err := Toward(bad, ""); err == nil {
			t.Errorf("address %q is taken", bad)
		}
	}
	if _, err := Toward("", filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there is taken")
	}
}
