package feed_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

func TestPath(t *testing.T) {
	for address, want := range map[string]string{
		"https://a.example/b/c.json":                    "a.example/b/c.json",
		"https://A.Example/b":                           "a.example/b",
		"http://a.example:8080/b#f":                     "a.example%3A8080/b",
		"https://a.example":                             "a.example/%2F",
		"https://a.example/b/":                          "a.example/b/%2F",
		"https://a.example/2.0?start=0&size=5":          "a.example/2.0%3Fstart=0&size=5",
		"https://a.example/b?x=/../../etc":              "a.example/b%3Fx=%2F..%2F..%2Fetc",
		"https://a.example/../../etc/passwd":            "a.example/%2E%2E/%2E%2E/etc/passwd",
		"https://a.example/./.../x":                     "a.example/%2E/%2E%2E%2E/x",
		"https://a.example/%2e%2e/x%2Fy":                "a.example/%2e%2e/x%2Fy",
		"https://a.example/ALSA-2024:1.json":            "a.example/ALSA-2024%3A1.json",
		"https://a.example/Rocky%20Linux/all.zip":       "a.example/Rocky%20Linux/all.zip",
		"https://..":                                    "%2E%2E/%2F",
		"https://a.example//b":                          "",
		"https://a.example/" + strings.Repeat("x", 300): "",
		"ftp://a.example/b":                             "",
		"a.example/b":                                   "",
	} {
		got, err := feed.Path(address)
		if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, feed.ErrInvalid) {
			t.Errorf("%s: %q %v, want %q", address, got, err, want)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestDir(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "bundle")
	write(t, filepath.Join(top, "secret"), "secret")
	write(t, filepath.Join(dir, "a.example", "b"), "hello")
	write(t, filepath.Join(dir, "a.example", "folder", "c"), "c")
	for link, to := range map[string]string{"out": "../../secret", "abs": filepath.Join(top, "secret"), "in": "b", "up": "../.."} {
		if err := os.Symlink(to, filepath.Join(dir, "a.example", link)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]error{
		"/b": nil, "/in": nil, "/folder": feed.ErrNotFound, "/folder/": feed.ErrNotFound, "/none": feed.ErrNotFound, "/b/c": feed.ErrUnavailable,
		"/out": feed.ErrForbidden, "/abs": feed.ErrForbidden, "/up/secret": feed.ErrForbidden, "/../../secret": feed.ErrNotFound,
	} {
		got, resp, err := read(t, feed.Dir(dir), advisory.Request{URL: "https://a.example" + path})
		if want == nil && (err != nil || got != "hello" || resp.Size != 5 || resp.Modified == "") || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %q %v, want %v", path, got, err, want)
		}
	}
	_, resp, err := read(t, feed.Dir(dir), advisory.Request{URL: "https://a.example/b"})
	if err != nil {
		t.Fatal(err)
	}
	r := advisory.Request{URL: "https://a.example/b", ETag: resp.ETag, Modified: resp.Modified}
	if _, again, err := read(t, feed.Dir(dir), r); err != nil || !again.NotModified {
		t.Errorf("%+v %v", again, err)
	}
	write(t, filepath.Join(dir, "a.example", "b"), "hello!")
	if got, _, err := read(t, feed.Dir(dir), r); err != nil || got != "hello!" {
		t.Errorf("%q %v", got, err)
	}
	if _, _, err := read(t, feed.Dir(dir), advisory.Request{URL: r.URL, Max: 5}); !errors.Is(err, feed.ErrLimit) {
		t.Errorf("got %v", err)
	}
	if _, _, err := read(t, feed.Dir(filepath.Join(top, "none")), r); !errors.Is(err, feed.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestChain(t *testing.T) {
	a, b := memory{"https://x/1": "a"}, memory{"https://x/1": "b", "https://x/2": "b"}
	for address, want := range map[string]string{"https://x/1": "a", "https://x/2": "b", "https://x/3": ""} {
		got, _, err := read(t, feed.Chain{a, b}, advisory.Request{URL: address})
		if got != want || (want == "") != errors.Is(err, feed.ErrNotFound) {
			t.Errorf("%s: %q %v", address, got, err)
		}
	}
	if _, err := (feed.Chain{}).Open(t.Context(), advisory.Request{URL: "https://x/1"}); !errors.Is(err, feed.ErrForbidden) {
		t.Errorf("got %v", err)
	}
}

// files lists what is in a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, rerr := os.ReadFile(filepath.Join(dir, name))
			out[name], err = string(b), rerr
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return out
}

func TestRecorder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mirror")
	broken := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Write([]byte("half"))
	})
	c, _ := client(t, nil)
	rec := &feed.Recorder{Door: feed.Chain{memory{"https://x.example/a/b?c=1": "hello"}, c}, Dir: dir}
	resp, err := rec.Open(t.Context(), advisory.Request{URL: "https://x.example/a/b?c=1"})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Read(make([]byte, 2))
	resp.Body.Close() // not to its end
	if _, _, err := read(t, rec, advisory.Request{URL: broken}); !errors.Is(err, feed.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := rec.Open(t.Context(), advisory.Request{URL: "https://x.example/none"}); err == nil {
		t.Error("no error")
	}
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("left %q", got)
	}
	// The folder lacks it, so that a condition must not leave it out.
	etag := `"` + feed.Digest([]byte("hello")) + `"`
	got, _, err := read(t, rec, advisory.Request{URL: "https://x.example/a/b?c=1", ETag: etag})
	if got != "hello" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if _, resp, err := read(t, rec, advisory.Request{URL: "https://x.example/a/b?c=1", ETag: etag}); err != nil || !resp.NotModified {
		t.Errorf("%+v %v", resp, err)
	}
	if diff := cmp.Diff(map[string]string{"x.example/a/b%3Fc=1": "hello"}, files(t, dir)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, _, err := read(t, feed.Dir(dir), advisory.Request{URL: "https://x.example/a/b?c=1"}); got != "hello" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

// described makes a source of a shape.
type described struct{ feed.Files }

func (described) Describe() advisory.Description { return advisory.Description{Name: "mine"} }
func (described) Parse(*advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(func(advisory.Statement, error) bool) {}
}

// What Copy has written gives a source the same documents.
func TestCopy(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/none" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		http.ServeContent(w, r, "x.json", at, strings.NewReader(r.URL.String()))
	})
	s := described{feed.Files{Source: "mine", List: []feed.File{{URL: base + "/a"}, {URL: base + "/b?x=1", Name: "b"}, {URL: base + "/none", Optional: true}}}}
	c, _ := client(t, nil)
	dir := t.TempDir()
	copied, err := feed.Copy(t.Context(), s, c, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := collect(t.Context(), s, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, out, err := collect(t.Context(), s, feed.Dir(dir), nil)
	if diff := cmp.Diff(want, got); err != nil || diff != "" || !out.Complete {
		t.Errorf("%v -want +got:\n%s", err, diff)
	}
	// The folder is a mirror for any server of files.
	mirror, _ := client(t, &feed.Options{Mirrors: []feed.Mirror{{Base: serve(t, http.FileServer(http.Dir(dir)).ServeHTTP)}}, MirrorsOnly: true})
	got, _, err = collect(t.Context(), s, mirror, nil)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v -want +got:\n%s", err, diff)
	}
	if _, resp, err := read(t, feed.Dir(dir), advisory.Request{URL: base + "/a"}); err != nil || resp.Modified != at.UTC().Format(http.TimeFormat) {
		t.Errorf("%+v %v", resp, err)
	}
	if again, err := feed.Copy(t.Context(), s, c, dir, copied.State); err != nil || !again.Unchanged {
		t.Errorf("%+v %v", again, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := feed.Copy(ctx, s, c, dir, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func FuzzPath(f *testing.F) {
	f.Add("https://a.example/b/../c?d#e")
	f.Add("https://%2e%2e/..%2f")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, address string) {
		p, err := feed.Path(address)
		if err != nil {
			if !errors.Is(err, feed.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if !filepath.IsLocal(filepath.FromSlash(p)) || filepath.Clean(p) != filepath.FromSlash(p) || !strings.Contains(p, "/") {
			t.Fatalf("%q leads to %q", address, p)
		}
		resp, err := feed.Dir(dir).Open(t.Context(), advisory.Request{URL: address})
		if err == nil {
			io.Copy(io.Discard, resp.Body)
			t.Fatalf("%q was found", address)
		}
	})
}
