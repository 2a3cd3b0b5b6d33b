package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/stella-ops/stella/internal/imagetest"
)

// noise is content that no two offsets share.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

// large is an artifact that is read by a factory; opened counts.
func large(b []byte, opened *int) Artifact {
	return Artifact{
		Type: "application/vnd.example.kit", MediaType: "application/vnd.example.kit.v1+tar", Digest: imagetest.Digest(b), Size: int64(len(b)),
		Open: func(context.Context) (io.ReadCloser, error) { *opened++; return io.NopCloser(bytes.NewReader(b)), nil },
	}
}

// store is a registry's blobs with uploads that can be taken up again.
type uploads struct {
	mu      sync.Mutex
	blobs   map[string][]byte
	parts   map[string][]byte
	most    int64 // bytes of one request; more is answered with 413
	cut     int64 // bytes after which a request is cut, as often as cuts says
	cuts    int
	forgets bool // a cut upload is not known any more
	log     []string
}

func (u *uploads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	reply := func(code int) {
		w.Header().Set("Location", "/v2/app/blobs/uploads/"+id+"?state="+strconv.Itoa(len(u.parts[id])))
		w.Header().Set("Range", fmt.Sprintf("0-%d", max(len(u.parts[id])-1, 0)))
		w.WriteHeader(code)
	}
	switch {
	case r.Method == http.MethodHead:
		if u.blobs[id] == nil {
			w.WriteHeader(http.StatusNotFound)
		}
		return
	case r.Method == http.MethodPost:
		id = strconv.Itoa(len(u.parts) + 1)
		u.parts[id] = []byte{}
		reply(http.StatusAccepted)
		return
	case u.parts[id] == nil:
		w.WriteHeader(http.StatusNotFound)
		return
	case r.Method == http.MethodGet:
		reply(http.StatusNoContent)
		return
	}
	u.log = append(u.log, fmt.Sprintf("%s %d+%d", r.Method, len(u.parts[id]), r.ContentLength))
	if u.most > 0 && r.ContentLength > u.most {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	if want := fmt.Sprintf("%d-%d", len(u.parts[id]), int64(len(u.parts[id]))+r.ContentLength-1); r.Header.Get("Content-Range") != "" && r.Header.Get("Content-Range") != want {
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	if u.cuts > 0 && r.ContentLength > u.cut {
		u.cuts--
		b, _ := io.ReadAll(io.LimitReader(r.Body, u.cut))
		if u.parts[id] = append(u.parts[id], b...); u.forgets {
			delete(u.parts, id)
			u.parts["gone"+id] = nil
		}
		panic(http.ErrAbortHandler)
	}
	b, _ := io.ReadAll(r.Body)
	u.parts[id] = append(u.parts[id], b...)
	if r.Method == http.MethodPatch {
		reply(http.StatusAccepted)
		return
	}
	digest := r.URL.Query().Get("digest")
	if imagetest.Digest(u.parts[id]) != digest {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	u.blobs[digest] = u.parts[id]
	w.WriteHeader(http.StatusCreated)
}

// uploading is a registry whose blobs are kept by u.
func uploading(t *testing.T, u *uploads) (host string) {
	u.blobs, u.parts = map[string][]byte{}, map[string][]byte{}
	rest := registry.New(registry.Logger(quiet))
	return serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			u.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	}))
}

// TestPushLarge: how a large document goes up, and what is sent again when the way is
// not smooth.
func TestPushLarge(t *testing.T) {
	const mib = 1 << 20
	size := 2*uploadChunk + 3*mib
	doc := noise(size)
	for _, tc := range []struct {
		name  string
		u     *uploads
		log   []string
		opens int
	}{
		{"smooth", &uploads{}, []string{"PUT 0+36700160"}, 1},
		{"too large at once", &uploads{most: uploadChunk}, []string{"PUT 0+36700160", "PATCH 0+16777216", "PATCH 16777216+16777216", "PATCH 33554432+3145728", "PUT 36700160+0"}, 4},
		{"broken once", &uploads{cut: 5 * mib, cuts: 1}, []string{"PUT 0+36700160", "PATCH 5242880+16777216", "PATCH 22020096+14680064", "PUT 36700160+0"}, 3},
		{"broken and forgotten", &uploads{cut: 5 * mib, cuts: 1, forgets: true}, []string{"PUT 0+36700160", "PUT 0+36700160"}, 2},
		{"broken again and again", &uploads{cut: 8 * mib, cuts: 4}, []string{
			"PUT 0+36700160", "PATCH 8388608+16777216", "PATCH 16777216+16777216", "PATCH 25165824+11534336", "PATCH 33554432+3145728", "PUT 36700160+0",
		}, 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			host := uploading(t, tc.u)
			opened := 0
			a := large(doc, &opened)
			got, err := Push(context.Background(), host+"/app:kit", a, anonymous())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(tc.u.blobs[got.Digest], doc) {
				t.Error("what is there is not what was pushed")
			}
			var log []string
			for _, l := range tc.u.log {
				if !strings.HasSuffix(l, "+2") { // the empty config
					log = append(log, l)
				}
			}
			if diff := cmp.Diff(tc.log, log); diff != "" || opened != tc.opens {
				t.Errorf("opened %d times\n%s", opened, diff)
			}
			tc.u.log = nil
			if _, err := Push(context.Background(), host+"/app:kit", a, anonymous()); err != nil || len(tc.u.log) > 0 || opened != tc.opens {
				t.Errorf("again: %v, sent %q, opened %d times", err, tc.u.log, opened)
			}
		})
	}
	t.Run("broken for good", func(t *testing.T) {
		u := uploads{cut: 0, cuts: 1000}
		opened := 0
		_, err := Push(context.Background(), uploading(t, &u)+"/app:kit", large(doc, &opened), anonymous())
		if !errors.Is(err, ErrUnavailable) || opened != 3 {
			t.Errorf("%v, opened %d times", err, opened)
		}
	})
}

// TestPushSource: content that is not what was promised is never put under its name.
func TestPushSource(t *testing.T) {
	doc := noise(1000)
	wrong := errors.New("the disk is gone")
	for name, tc := range map[string]struct {
		open func(context.Context) (io.ReadCloser, error)
		want error
	}{
		"short": {func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(doc[:999])), nil }, ErrMismatch},
		"other": {func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(noise(2000)[1000:])), nil
		}, ErrInvalid},
		"unreadable": {func(context.Context) (io.ReadCloser, error) { return nil, wrong }, wrong},
		"breaks": {func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(doc[:500]), &failingReader{wrong})), nil
		}, wrong},
	} {
		t.Run(name, func(t *testing.T) {
			u := uploads{}
			host := uploading(t, &u)
			a := Artifact{MediaType: "a/b", Digest: imagetest.Digest(doc), Size: 1000, Open: tc.open}
			if _, err := Push(context.Background(), host+"/app:kit", a, anonymous()); !errors.Is(err, tc.want) {
				t.Errorf("registry: got %v, want %v", err, tc.want)
			}
			if len(u.blobs) > 0 || head(registryOf(host), "/v2/app/manifests/kit") != "" {
				t.Error("something is there")
			}
			dir := filepath.Join(t.TempDir(), "layout")
			want := tc.want
			if name == "other" {
				want = ErrMismatch
			}
			if _, err := Push(context.Background(), "oci:"+dir+":kit", a, anonymous()); !errors.Is(err, want) {
				t.Errorf("layout: got %v, want %v", err, want)
			}
			if left, _ := filepath.Glob(dir + "/blobs/sha256/*"); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

type failingReader struct{ err error }

func (f *failingReader) Read([]byte) (int, error) { return 0, f.err }

// registryOf speaks to a server as if it were a handler.
func registryOf(host string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequest(r.Method, "http://"+host+r.URL.Path, nil)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return
		}
		defer resp.Body.Close()
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
	})
}

func TestPushPull(t *testing.T) {
	host := serveHTTP(t, registry.New(registry.Logger(quiet)))
	doc, next := noise(1<<20), []byte(`{"version":2}`)
	for _, place := range []string{host + "/team/app", "oci:" + filepath.Join(t.TempDir(), "new", "layout")} {
		opened := 0
		kit := large(doc, &opened)
		kit.Annotations = map[string]string{"org.example.kind": "kit"}
		got, err := Push(context.Background(), place+":v1", kit, anonymous())
		if err != nil {
			t.Fatal(err)
		}
		again, err := Push(context.Background(), place+":v1", kit, anonymous())
		if diff := cmp.Diff(got, again); err != nil || diff != "" || opened != 1 {
			t.Errorf("again: %v, opened %d times\n%s", err, opened, diff)
		}
		moved, err := Push(context.Background(), place+":v1", Artifact{MediaType: "application/json", Content: next}, anonymous())
		if err != nil || moved.Manifest == got.Manifest {
			t.Fatal(moved, err)
		}
		for ref, want := range map[string][]byte{":v1": next, "@" + got.Manifest: doc} {
			if strings.HasPrefix(place, "oci:") {
				ref = strings.Replace(ref, "@", ":@", 1)
			}
			p, err := Pull(context.Background(), place+ref, anonymous())
			if err != nil {
				t.Fatalf("%s%s: %v", place, ref, err)
			}
			rc, err := p.Open(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(rc)
			if err != nil || !bytes.Equal(b, want) || p.Digest != imagetest.Digest(want) || p.Size != int64(len(want)) {
				t.Errorf("%s%s: %+v, %v", place, ref, p, err)
			}
			if bytes.Equal(want, doc) && (p.Type != kit.Type || p.MediaType != kit.MediaType || p.Annotations["org.example.kind"] != "kit" || p.Manifest != got.Manifest) {
				t.Errorf("%+v", p)
			}
			file := filepath.Join(t.TempDir(), "kit")
			if err := p.Save(context.Background(), file); err != nil {
				t.Error(err)
			}
			if saved, err := os.ReadFile(file); err != nil || !bytes.Equal(saved, want) {
				t.Errorf("saved: %v", err)
			}
			rc.Close()
			p.Close()
		}
		if _, err := Push(context.Background(), place+":"+strings.Repeat("x", 200), kit, anonymous()); !errors.Is(err, ErrInvalid) {
			t.Errorf("a name that is none: %v", err)
		}
		if _, err := Pull(context.Background(), place+":v3", anonymous()); !errors.Is(err, ErrNotFound) {
			t.Errorf("no such tag: %v", err)
		}
	}
	if _, err := Push(context.Background(), host+"/team/app@"+imagetest.Digest(nil), Artifact{MediaType: "a/b"}, anonymous()); !errors.Is(err, ErrInvalid) {
		t.Errorf("by digest: %v", err)
	}
}

// TestPushFails cuts the wire at each request in turn: the tag leads to the old artifact
// or to the whole of the new one, and pushing again ends in the same.
func TestPushFails(t *testing.T) {
	older, newer := bundleOf(`{"n":1}`), bundleOf(`{"n":2}`)
	for _, after := range []bool{true, false} {
		cuts := 0
		for nth := int64(1); ; nth++ {
			host := serveHTTP(t, registry.New(registry.Logger(quiet)))
			first, err := Push(context.Background(), host+"/app:v1", older, anonymous())
			if err != nil {
				t.Fatal(err)
			}
			cut := &failing{inner: http.DefaultTransport, nth: nth, after: after}
			opt := &Options{Credentials: NoCredentials, Transport: cut, Limits: &Limits{Attempts: 1}}
			_, err = Push(context.Background(), host+"/app:v1", newer, opt)
			if cut.count.Load() < nth {
				break
			}
			if err != nil {
				if cuts++; !errors.Is(err, ErrUnavailable) {
					t.Errorf("request %d: %v", nth, err)
				}
			}
			whole(t, host, []string{"v1"})
			p, err := Pull(context.Background(), host+"/app:v1", anonymous())
			if err != nil || p.Digest != first.Digest && p.Digest != imagetest.Digest(newer.Content) {
				t.Fatalf("request %d: %+v, %v", nth, p, err)
			}
			p.Close()
			got, err := Push(context.Background(), host+"/app:v1", newer, anonymous())
			if err != nil || got.Digest != imagetest.Digest(newer.Content) || head(registryOf(host), "/v2/app/manifests/v1") != `"`+got.Manifest+`"` {
				t.Fatalf("request %d, again: %+v, %v", nth, got, err)
			}
		}
		if cuts < 5 {
			t.Errorf("only %d requests were cut", cuts)
		}
	}
}

// TestPullOther: what is no artifact of one document.
func TestPullOther(t *testing.T) {
	a := newAttached(t, true)
	host := serveHTTP(t, a.handler)
	push(t, a.handler, "two", artifactOf("", "a/b", layerDesc("a/b", []byte("1"), nil), layerDesc("a/b", []byte("2"), nil)), []byte("1"), []byte("2"))
	for _, ref := range []string{"/app:latest", "/app@" + a.chosen, "/app:two"} {
		if _, err := Pull(context.Background(), host+ref, anonymous()); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

// TestSave goes on where it was, and gives nothing a name that is not what it must be.
func TestSave(t *testing.T) {
	doc := noise(300_000)
	digest := imagetest.Digest(doc)
	setup := func(t *testing.T, wrap func(http.Handler) http.Handler) (p *Pulled, file, part string) {
		h := registry.New(registry.Logger(quiet))
		opened := 0
		if _, err := Push(context.Background(), serveHTTP(t, h)+"/app:kit", large(doc, &opened), anonymous()); err != nil {
			t.Fatal(err)
		}
		opt := anonymous()
		opt.Limits = &Limits{Attempts: 1}
		p, err := Pull(context.Background(), serveHTTP(t, wrap(h))+"/app:kit", opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		file = filepath.Join(t.TempDir(), "kit")
		return p, file, file + "." + digest[7:23] + ".part"
	}
	var asked []string
	watch := func(h http.Handler) http.Handler {
		asked = nil
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") {
				asked = append(asked, r.Header.Get("Range"))
			}
			h.ServeHTTP(w, r)
		})
	}
	for _, tc := range []struct {
		name  string
		part  []byte
		asked []string
	}{
		{"nothing", nil, []string{""}},
		{"a part", doc[:100_000], []string{"bytes=100000-299999"}},
		{"all", doc, nil},
		{"more", append(bytes.Clone(doc), 1, 2), nil},
		{"something else", noise(200_000)[100_000:], []string{"bytes=100000-299999", ""}},
		{"all, and something else", bytes.Repeat([]byte{1}, len(doc)), []string{""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, file, part := setup(t, watch)
			if tc.part != nil {
				if err := os.WriteFile(part, tc.part, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Save(context.Background(), file); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(file)
			if _, left := os.Stat(part); err != nil || !bytes.Equal(got, doc) || left == nil {
				t.Errorf("%v, %v", err, left)
			}
			if diff := cmp.Diff(tc.asked, asked); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("broken on the way", func(t *testing.T) {
		cut := true
		p, file, part := setup(t, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if cut && strings.Contains(r.URL.Path, "/blobs/") {
					w.Header().Set("Content-Length", strconv.Itoa(len(doc)))
					w.Write(doc[:150_000])
					panic(http.ErrAbortHandler)
				}
				h.ServeHTTP(w, r)
			})
		})
		if err := p.Save(context.Background(), file); !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
		info, err := os.Stat(part)
		if _, named := os.Stat(file); err != nil || info.Size() != 150_000 || named == nil {
			t.Fatal(info, err, named)
		}
		cut = false
		if err := p.Save(context.Background(), file); err != nil {
			t.Error(err)
		}
	})
	t.Run("another content", func(t *testing.T) {
		p, file, part := setup(t, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/blobs/") {
					w.Write(bytes.Repeat([]byte{1}, len(doc)))
					return
				}
				h.ServeHTTP(w, r)
			})
		})
		if err := p.Save(context.Background(), file); !errors.Is(err, ErrMismatch) {
			t.Error(err)
		}
		info, err := os.Stat(part)
		if _, named := os.Stat(file); err != nil || info.Size() != 0 || named == nil {
			t.Error(info, err, named)
		}
		rc, err := p.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer rc.Close()
		if _, err := io.ReadAll(rc); !errors.Is(err, ErrMismatch) {
			t.Errorf("read: %v", err)
		}
	})
}
