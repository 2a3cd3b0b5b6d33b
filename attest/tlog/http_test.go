package tlog_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/tlog"
)

func httpSource(t testing.TB, h http.Handler) tlog.Source {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	s, err := tlog.NewHTTPSource(server.URL+"/log", &tlog.HTTPOptions{Transport: http.DefaultTransport})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHandler(t *testing.T) {
	storage := tlog.NewMem()
	l := open(t, storage, nil)
	const n = 600
	fill(t, l, 0, n)
	h := tlog.NewHandler(storage.Source(), func(err error) { t.Error(err) })
	r := tlog.NewReader(httpSource(t, http.StripPrefix("/log", h)), trusting(origin))
	c, err := r.Checkpoint(ctx)
	if err != nil || c.Size != n {
		t.Fatalf("%+v, %v", c, err)
	}
	read := 0
	for at := int64(0); at < c.Size; {
		entries, err := r.Entries(ctx, c.Tree, at)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range entries {
			receipt, err := r.Receipt(ctx, c, at+int64(i))
			if err == nil {
				_, err = trusting(origin).Verify(e, receipt)
			}
			if err != nil {
				t.Fatal(err)
			}
			read++
		}
		at += int64(len(entries))
	}
	if read != n {
		t.Errorf("%d entries read", read)
	}
	for _, c := range []struct {
		method, path string
		want         int
		cache        string
	}{
		{"GET", "/checkpoint", 200, "no-cache"},
		{"HEAD", "/checkpoint", 200, "no-cache"},
		{"GET", "/tile/0/000", 200, "public, max-age=31536000, immutable"},
		{"GET", "/tile/0/002.p/88", 200, "public, max-age=31536000, immutable"},
		{"GET", "/tile/1/000.p/2", 200, "public, max-age=31536000, immutable"},
		{"GET", "/tile/entries/001", 200, "public, max-age=31536000, immutable"},
		{"GET", "/tile/0/000.p/256", 404, ""},
		{"GET", "/tile/0/000.p/0", 404, ""},
		{"GET", "/tile/00/000", 404, ""},
		{"GET", "/tile/-1/000", 404, ""},
		{"GET", "/tile/64/000", 404, ""},
		{"GET", "/tile/0/0", 404, ""},
		{"GET", "/tile/0/x000/000", 404, ""},
		{"GET", "/tile/data/000", 404, ""},
		{"GET", "/tile/8/0/000", 404, ""},
		{"GET", "/tile/0/" + strings.Repeat("x999/", 40) + "999", 404, ""},
		{"GET", "/tile/../head", 404, ""},
		{"GET", "/head", 404, ""},
		{"GET", "/staging/", 404, ""},
		{"GET", "/", 404, ""},
		{"POST", "/checkpoint", 405, ""},
	} {
		rec := httptest.NewRecorder()
		req := httptest.NewRequest(c.method, "/", nil)
		req.URL.Path = c.path
		h.ServeHTTP(rec, req)
		if rec.Code != c.want || c.cache != "" && rec.Header().Get("Cache-Control") != c.cache {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, rec.Code, rec.Header().Get("Cache-Control"), c.want, c.cache)
		}
		if c.method == "HEAD" && rec.Body.Len() > 0 {
			t.Error("HEAD has a body")
		}
	}
}

func TestHTTPSource(t *testing.T) {
	answers := map[string]func(http.ResponseWriter){
		"endless": func(w http.ResponseWriter) { fmt.Fprint(w, strings.Repeat("x", 1<<20)) },
		"gone":    func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) },
		"moved": func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://127.0.0.1/")
			w.WriteHeader(http.StatusFound)
		},
		"down": func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		"zipped": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			fmt.Fprint(z, "content")
			z.Close()
		},
		"bomb": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for range 100 {
				fmt.Fprint(z, strings.Repeat("x", 1<<16))
			}
			z.Close()
		},
		"brotli": func(w http.ResponseWriter) { w.Header().Set("Content-Encoding", "br") },
		"cut": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "cut")
		},
	}
	s := httpSource(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answers[strings.TrimPrefix(r.URL.Path, "/log/")](w) }))
	for path, want := range map[string]error{
		"endless": tlog.ErrLimit, "gone": tlog.ErrNotFound, "moved": tlog.ErrInvalid, "down": tlog.ErrUnavailable,
		"zipped": nil, "bomb": tlog.ErrLimit, "brotli": tlog.ErrUnsupported, "cut": tlog.ErrUnavailable,
	} {
		b, err := s.Get(ctx, path, 8192)
		if !errors.Is(err, want) || want == nil && string(b) != "content" {
			t.Errorf("%s: %q, %v, want %v", path, b, err, want)
		}
	}
	for _, bad := range []string{"", "log.example", "ftp://log.example", "https://user@log.example", "https://log.example?x=1", "file:///tmp"} {
		if _, err := tlog.NewHTTPSource(bad, nil); !errors.Is(err, tlog.ErrInvalid) {
			t.Errorf("URL %q: %v", bad, err)
		}
	}
	guarded, err := tlog.NewHTTPSource("http://127.0.0.1:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := guarded.Checkpoint(ctx); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("the default transport reaches this machine: %v", err)
	}
}
