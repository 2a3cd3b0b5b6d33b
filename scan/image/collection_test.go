package image

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/stella-ops/stella/internal/imagetest"
)

// titled is a document of a collection.
func titled(name string, b []byte) Artifact {
	return Artifact{MediaType: "application/vnd.example.file", Content: b, Annotations: map[string]string{"org.opencontainers.image.title": name}}
}

func collectionOf(docs ...Artifact) Collection {
	return Collection{Type: "application/vnd.example.feed", Documents: docs}
}

// read returns what the documents of a collection say, by their titles.
func (p *PulledCollection) read(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for i, d := range p.Documents {
		rc, err := p.Open(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(rc)
		if err != nil {
			t.Fatal(err)
		}
		rc.Close()
		out[d.Annotations["org.opencontainers.image.title"]] = string(b)
	}
	return out
}

func pullCollection(t *testing.T, ref string) *PulledCollection {
	t.Helper()
	p, err := PullCollection(context.Background(), ref, anonymous())
	if err != nil {
		t.Fatalf("%s: %v", ref, err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestCollection(t *testing.T) {
	h := registry.New(registry.Logger(quiet))
	sent := 0
	host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/") {
			sent++
		}
		h.ServeHTTP(w, r)
	}))
	layout := "oci:" + filepath.Join(t.TempDir(), "new", "layout")
	for _, place := range []string{host + "/team/app", layout} {
		one := collectionOf(titled("a", []byte("A")), titled("b", []byte("B")), titled("a again", []byte("A")))
		one.Version, one.Annotations = "1", map[string]string{"k": "v"}
		first, err := PushCollection(context.Background(), place, one, anonymous())
		if err != nil {
			t.Fatal(err)
		}
		again, err := PushCollection(context.Background(), place, one, anonymous())
		if diff := cmp.Diff(first, again); err != nil || diff != "" || first.Tag != "latest" {
			t.Errorf("again: %v\n%s", err, diff)
		}
		two := collectionOf(titled("a", []byte("A")), titled("c", []byte("C")))
		two.Version = "2"
		if _, err := PushCollection(context.Background(), place+":edge", two, anonymous()); err != nil {
			t.Fatal(err)
		}
		p := pullCollection(t, place)
		if diff := cmp.Diff(map[string]string{"a": "A", "b": "B", "a again": "A"}, p.read(t)); diff != "" || p.Type != one.Type || p.Annotations["k"] != "v" || p.Manifest != first.Manifest {
			t.Errorf("%+v\n%s", p, diff)
		}
		for ref, want := range map[string]map[string]string{":1": p.read(t), ":edge": {"a": "A", "c": "C"}, ":edge-2": {"a": "A", "c": "C"}} {
			if diff := cmp.Diff(want, pullCollection(t, place+ref).read(t)); diff != "" {
				t.Errorf("%s: %s", ref, diff)
			}
		}
		for _, number := range []int{-1, 3} {
			if _, err := p.Open(context.Background(), number); !errors.Is(err, ErrInvalid) {
				t.Errorf("document %d: %v", number, err)
			}
		}
		if _, err := PullCollection(context.Background(), place+":3", anonymous()); !errors.Is(err, ErrNotFound) {
			t.Errorf("no such tag: %v", err)
		}
		if _, err := Pull(context.Background(), place+":edge", anonymous()); !errors.Is(err, ErrUnsupported) {
			t.Errorf("as one document: %v", err)
		}
	}
	if sent != 4 { // A, B, C and the empty config
		t.Errorf("%d blobs were sent", sent)
	}
	a := oneImage()
	if _, err := PullCollection(context.Background(), serveHTTP(t, a.handler())+"/app", anonymous()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("an image: %v", err)
	}
}

// The bytes of a manifest are part of the contract, as with artifacts of one document.
func TestCollectionManifest(t *testing.T) {
	c := collectionOf(titled("x", []byte(`{}`)), Artifact{MediaType: "a/b", Content: []byte("2")})
	m, blobs, err := c.manifest(&testSettings(t).limits)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"artifactType":"application/vnd.example.feed",` +
		`"config":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","mediaType":"application/vnd.oci.empty.v1+json","size":2},` +
		`"layers":[{"annotations":{"org.opencontainers.image.title":"x"},"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","mediaType":"application/vnd.example.file","size":2},` +
		`{"digest":"sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35","mediaType":"a/b","size":1}],` +
		`"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}`
	if string(m.raw) != want || len(blobs) != 2 {
		t.Errorf("%d blobs\ngot  %s\nwant %s", len(blobs), m.raw, want)
	}
}

func TestCollectionRefused(t *testing.T) {
	doc := titled("a", []byte("A"))
	typed := doc
	typed.Type = "application/other"
	wrong := doc
	wrong.Digest = imagetest.Digest([]byte("B"))
	small := anonymous()
	small.Limits = &Limits{Manifest: 300}
	ref := "oci:" + filepath.Join(t.TempDir(), "layout")
	for name, tc := range map[string]struct {
		ref  string
		c    Collection
		opt  *Options
		want error
	}{
		"no document":         {ref, collectionOf(), anonymous(), ErrInvalid},
		"no type":             {ref, Collection{Documents: []Artifact{doc}}, anonymous(), ErrInvalid},
		"a document's type":   {ref, collectionOf(typed), anonymous(), ErrInvalid},
		"another content":     {ref, collectionOf(doc, wrong), anonymous(), ErrMismatch},
		"too many":            {ref, collectionOf(make([]Artifact, MaxDocuments+1)...), anonymous(), ErrLimit},
		"a large manifest":    {ref, collectionOf(doc), small, ErrLimit},
		"a version of no tag": {ref, Collection{Type: "a/b", Documents: []Artifact{doc}, Version: "1 2"}, anonymous(), ErrInvalid},
		"a digest":            {"localhost:1/app@" + imagetest.Digest(nil), collectionOf(doc), &Options{Transport: noNetwork{}}, ErrUnavailable},
	} {
		if _, err := PushCollection(context.Background(), tc.ref, tc.c, tc.opt); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type noNetwork struct{}

func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) { return nil, errCut }

// TestCollectionFails cuts the wire at each request in turn: the tag leads to the old
// collection or to the whole of the new one, and pushing again ends in the same.
func TestCollectionFails(t *testing.T) {
	older, newer := collectionOf(titled("a", []byte("A")), titled("b", []byte("B"))), collectionOf(titled("a", []byte("A")), titled("b", []byte("C")))
	newer.Version = "2"
	for _, after := range []bool{true, false} {
		cuts := 0
		for nth := int64(1); ; nth++ {
			host := serveHTTP(t, registry.New(registry.Logger(quiet)))
			if _, err := PushCollection(context.Background(), host+"/app", older, anonymous()); err != nil {
				t.Fatal(err)
			}
			cut := &failing{inner: http.DefaultTransport, nth: nth, after: after}
			_, err := PushCollection(context.Background(), host+"/app", newer, &Options{Credentials: NoCredentials, Transport: cut, Limits: &Limits{Attempts: 1}})
			if cut.count.Load() < nth {
				break
			}
			if err != nil {
				if cuts++; !errors.Is(err, ErrUnavailable) {
					t.Errorf("request %d: %v", nth, err)
				}
			}
			whole(t, host, []string{"latest", "2"})
			got := pullCollection(t, host+"/app").read(t)
			if got["a"] != "A" || got["b"] != "B" && got["b"] != "C" {
				t.Fatalf("request %d: %v", nth, got)
			}
			if _, err := PushCollection(context.Background(), host+"/app", newer, anonymous()); err != nil {
				t.Fatalf("request %d, again: %v", nth, err)
			}
			if got := pullCollection(t, host+"/app").read(t); got["b"] != "C" {
				t.Errorf("request %d, again: %v", nth, got)
			}
		}
		if cuts < 8 {
			t.Errorf("only %d requests were cut", cuts)
		}
	}
}

// TestCollectionForged: what a registry sends in place of a document is refused, or is
// at least never longer than promised.
func TestCollectionForged(t *testing.T) {
	doc := noise(100_000)
	h := registry.New(registry.Logger(quiet))
	if _, err := PushCollection(context.Background(), serveHTTP(t, h)+"/app", collectionOf(titled("a", doc)), anonymous()); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		forge func(w http.ResponseWriter)
		want  error
	}{
		"another byte": {func(w http.ResponseWriter) { b := bytes.Clone(doc); b[5]++; w.Write(b) }, ErrMismatch},
		"cut":          {func(w http.ResponseWriter) { w.Write(doc[:100]) }, ErrMismatch},
		"endless": {func(w http.ResponseWriter) {
			for {
				if _, err := w.Write(doc); err != nil {
					return
				}
			}
		}, ErrMismatch},
		"gone":    {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, ErrNotFound},
		"failing": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, ErrUnavailable},
	} {
		host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") {
				tc.forge(w)
				return
			}
			h.ServeHTTP(w, r)
		}))
		p, err := PullCollection(context.Background(), host+"/app", &Options{Credentials: NoCredentials, Limits: &Limits{Attempts: 1}})
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		rc, err := p.Open(context.Background(), 0)
		if err == nil {
			n, err = io.Copy(io.Discard, rc)
			rc.Close()
		}
		if !errors.Is(err, tc.want) || n > int64(len(doc)) {
			t.Errorf("%s: %v after %d bytes", name, err, n)
		}
		p.Close()
	}
}
