package image

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stella-ops/stella/internal/imagetest"
)

// TestResolve: what it says is what Open finds, and an image costs no GET of its manifest.
func TestResolve(t *testing.T) {
	for name, c := range map[string]struct {
		f       *fixture
		handler func(*fixture) http.Handler
		want    []string // requests for manifests
	}{
		"image":                     {oneImage(), func(f *fixture) http.Handler { return realRegistry(t, f) }, []string{"HEAD latest"}},
		"index":                     {manyPlatforms("linux/arm64", "linux/amd64"), func(f *fixture) http.Handler { return realRegistry(t, f) }, []string{"HEAD latest", "GET latest"}},
		"a registry that says less": {oneImage(), func(f *fixture) http.Handler { return f.handler() }, []string{"HEAD latest", "GET latest"}},
	} {
		var mu sync.Mutex
		var asked []string
		inner := c.handler(c.f)
		host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, id, ok := strings.Cut(r.URL.Path, "/manifests/"); ok {
				mu.Lock()
				asked = append(asked, r.Method+" "+id)
				mu.Unlock()
			}
			inner.ServeHTTP(w, r)
		}))
		ref := "docker://" + host + "/app"
		got, err := Resolve(t.Context(), ref, anonymous())
		mu.Lock()
		seen := slices.Clone(asked)
		mu.Unlock()
		if want := mustOpen(t, ref, anonymous()).Source.Manifest; err != nil || got != want {
			t.Errorf("%s: %s, %v; Open finds %s", name, got, err, want)
		}
		if !slices.Equal(seen, c.want) {
			t.Errorf("%s: asked %q, want %q", name, seen, c.want)
		}
		if byDigest, err := Resolve(t.Context(), host+"/app@"+imagetest.Digest(c.f.top), anonymous()); err != nil || byDigest != got {
			t.Errorf("%s: by digest %s, %v; want %s", name, byDigest, err, got)
		}
		if _, err := Resolve(t.Context(), host+"/app:none", anonymous()); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: no such tag: %v", name, err)
		}
	}
	for _, ref := range []string{"dir:/etc", "/etc/passwd", "oci:layout", ""} {
		if _, err := Resolve(t.Context(), ref, anonymous()); err == nil {
			t.Errorf("%q was resolved", ref)
		}
	}
}
