package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/stella-ops/stella/internal/imagetest"
)

// bundleOf is a document as cosign attaches it.
func bundleOf(text string) Artifact {
	return BundleArtifact([]byte(text), "https://openvex.dev/ns/v0.2.0", time.Date(2026, 11, 29, 13, 0, 0, 0, time.FixedZone("", 3600)))
}

func TestBundleArtifact(t *testing.T) {
	created := map[string]string{
		"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": "https://openvex.dev/ns/v0.2.0",
		"org.opencontainers.image.created": "2026-11-29T12:00:00Z",
	}
	if diff := cmp.Diff(created, bundleOf("{}").Annotations); diff != "" {
		t.Error(diff)
	}
	bare := BundleArtifact(nil, "", time.Time{})
	if diff := cmp.Diff(map[string]string{"dev.sigstore.bundle.content": "message-signature"}, bare.Annotations); diff != "" || bare.Type != typeBundle {
		t.Error(bare.Type, diff)
	}
}

// contents are what Attestations finds, by subject.
func contents(t *testing.T, ref string, opt *Options) map[string][]string {
	t.Helper()
	list, err := Attestations(context.Background(), ref, nil, opt)
	if err != nil || len(list.Broken) > 0 {
		t.Fatal(err, list)
	}
	found := map[string][]string{}
	for _, a := range list.Attestations {
		found[a.Subject] = append(found[a.Subject], string(a.Content))
	}
	for _, l := range found {
		slices.Sort(l)
	}
	return found
}

func TestAttach(t *testing.T) {
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprintf("api=%v", api), func(t *testing.T) {
			a := newAttached(t, api)
			host := serveHTTP(t, a.handler)
			ref := host + "/app:latest"
			any := &Options{Credentials: NoCredentials}
			docs := []Artifact{bundleOf(`{"n":1}`), bundleOf(`{"n":2}`)}
			got, err := Attach(context.Background(), ref, docs, any)
			if err != nil {
				t.Fatal(err)
			}
			want := &Attached{Registry: host, Repository: "app", Subject: a.index, Manifests: got.Manifests}
			if !api {
				want.Tag = strings.Replace(a.index, ":", "-", 1)
			}
			if diff := cmp.Diff(want, got); diff != "" || len(got.Manifests) != 2 {
				t.Fatal(got, diff)
			}
			again, err := Attach(context.Background(), ref, docs, any)
			if diff := cmp.Diff(got, again); err != nil || diff != "" {
				t.Errorf("again: %v\n%s", err, diff)
			}
			of, err := Attach(context.Background(), host+"/app@"+a.index, []Artifact{{MediaType: typeDSSE, Content: []byte(`{"n":3}`)}}, anonymous())
			if err != nil || of.Subject != a.chosen {
				t.Fatal(of, err)
			}
			wanted := map[string][]string{a.index: {`{"n":1}`, `{"n":2}`}, a.chosen: {`{"from":"the index"}`, `{"n":3}`}}
			if diff := cmp.Diff(wanted, contents(t, ref, anonymous())); diff != "" {
				t.Error(diff)
			}
			list, err := Attestations(context.Background(), ref, func(x *Attestation) bool { return x.Digest == imagetest.Digest([]byte(`{"n":1}`)) }, anonymous())
			if err != nil || len(list.Attestations) != 1 || list.Attestations[0].ArtifactType != typeBundle || list.Attestations[0].Manifest != got.Manifests[0] {
				t.Fatalf("%+v, %v", list, err)
			}
			if diff := cmp.Diff(docs[0].Annotations, list.Attestations[0].Annotations); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The bytes of a manifest are part of the contract: a change of them attaches every
// document anew.
func TestAttachManifest(t *testing.T) {
	doc := Artifact{Type: "application/x", MediaType: "application/x+json", Content: []byte(`{}`), Annotations: map[string]string{"b": "2", "a": "1"}}
	c, err := doc.content()
	if err != nil {
		t.Fatal(err)
	}
	m, err := doc.manifest(c, &descriptor{MediaType: typeOCIIndex, Digest: imagetest.Digest(nil), Size: 7})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"annotations":{"a":"1","b":"2"},"artifactType":"application/x",` +
		`"config":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","mediaType":"application/vnd.oci.empty.v1+json","size":2},` +
		`"layers":[{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","mediaType":"application/x+json","size":2}],` +
		`"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2,` +
		`"subject":{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","mediaType":"application/vnd.oci.image.index.v1+json","size":7}}`
	if string(m.raw) != want {
		t.Errorf("got  %s\nwant %s", m.raw, want)
	}
}

// failing lets a request fail, before it is sent or when its answer comes.
type failing struct {
	inner http.RoundTripper
	nth   int64 // 0: none
	after bool  // the answer is lost
	count atomic.Int64
}

var errCut = errors.New("cut")

func (f *failing) RoundTrip(req *http.Request) (*http.Response, error) {
	if f.count.Add(1) != f.nth {
		return f.inner.RoundTrip(req)
	}
	if f.after {
		resp, err := f.inner.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		resp.Body.Close()
	} else if req.Body != nil {
		req.Body.Close()
	}
	return nil, errCut
}

// whole checks that no manifest in the registry of a repository lacks a part.
func whole(t *testing.T, host string, manifests []string) {
	t.Helper()
	for _, id := range manifests {
		resp, err := http.Get("http://" + host + "/v2/app/manifests/" + id)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		b.ReadFrom(resp.Body)
		resp.Body.Close()
		if resp.StatusCode == http.StatusNotFound {
			continue
		}
		var m struct {
			Config struct{ Digest string }
			Layers []struct{ Digest string }
		}
		mustUnmarshal(b.Bytes(), &m)
		for _, d := range append(m.Layers, m.Config) {
			resp, err := http.Get("http://" + host + "/v2/app/blobs/" + d.Digest)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("manifest %s lacks %s", id, d.Digest)
			}
		}
	}
}

// TestAttachFails cuts the wire at each request in turn: what is there is whole, and
// doing it again ends in the same.
func TestAttachFails(t *testing.T) {
	docs := []Artifact{bundleOf(`{"n":1}`)}
	for _, api := range []bool{true, false} {
		for _, after := range []bool{true, false} {
			t.Run(fmt.Sprintf("api=%v,after=%v", api, after), func(t *testing.T) {
				t.Parallel()
				var want *Attached
				cuts := 0
				for nth := int64(0); ; nth++ {
					a := newAttached(t, api)
					host := serveHTTP(t, a.handler)
					cut := &failing{inner: http.DefaultTransport, nth: nth, after: after}
					opt := &Options{Credentials: NoCredentials, Transport: cut, Limits: &Limits{Attempts: 1}}
					got, err := Attach(context.Background(), host+"/app", docs, opt)
					if nth == 0 {
						if want = got; err != nil {
							t.Fatal(err)
						}
						continue
					}
					if cut.count.Load() < nth {
						break // all were cut once
					}
					if err != nil {
						if cuts++; !errors.Is(err, ErrUnavailable) {
							t.Errorf("request %d: %v", nth, err)
						}
						whole(t, host, want.Manifests)
					}
					opt.Transport = nil
					got, err = Attach(context.Background(), host+"/app", docs, opt)
					if err != nil || !slices.Equal(got.Manifests, want.Manifests) || got.Subject != want.Subject {
						t.Fatalf("request %d, again: %+v, %v", nth, got, err)
					}
					if found := contents(t, host+"/app", anonymous())[a.index]; !slices.Equal(found, []string{`{"n":1}`}) {
						t.Errorf("request %d: found %q", nth, found)
					}
				}
				if cuts < 6 {
					t.Errorf("only %d requests were cut", cuts)
				}
			})
		}
	}
}

// TestAttachAtOnce: none is lost where the registry keeps the list. Where clients keep
// it, attaching again makes it whole, and what others have listed stays.
func TestAttachAtOnce(t *testing.T) {
	const clients = 6
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprintf("api=%v", api), func(t *testing.T) {
			a := newAttached(t, api)
			host := serveHTTP(t, a.handler)
			foreign := []byte(`{"a":"stranger's"}`)
			one := push(t, a.handler, "", artifactOf(a.index, typeBundle, layerDesc(typeBundle, foreign, nil)), foreign)
			one["x-unknown"] = obj{"kept": true}
			a.refer(t, api, a.index, one)
			opt := &Options{Credentials: NoCredentials}
			attach := func(i int) error {
				_, err := Attach(context.Background(), host+"/app", []Artifact{bundleOf(fmt.Sprintf(`{"n":%d}`, i))}, opt)
				return err
			}
			var wg sync.WaitGroup
			for i := range clients {
				wg.Go(func() {
					if err := attach(i); err != nil && (api || !errors.Is(err, ErrUnavailable)) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			want := []string{string(foreign)}
			for i := range clients {
				want = append(want, fmt.Sprintf(`{"n":%d}`, i))
				if !api {
					if err := attach(i); err != nil {
						t.Error(err)
					}
				}
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, contents(t, host+"/app", opt)[a.index]); diff != "" {
				t.Error(diff)
			}
			if !api {
				resp, err := http.Get("http://" + host + "/v2/app/manifests/" + referrersTag(a.index))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				var b bytes.Buffer
				b.ReadFrom(resp.Body)
				if !strings.Contains(b.String(), `"x-unknown":{"kept":true}`) {
					t.Errorf("what others wrote was changed: %s", &b)
				}
			}
		})
	}
}

// TestAttachHostile: answers of a registry that are not what they must be.
func TestAttachHostile(t *testing.T) {
	elsewhere := serveHTTP(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("content went elsewhere") }))
	reply := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			fmt.Fprint(w, `{"manifests":{},"errors":[{"code":"DENIED","message":"canary token=s3cret"}]}`)
		}
	}
	for _, tc := range []struct {
		name, method, match string
		with                http.HandlerFunc
		want                error
	}{
		{"pull only", "POST", "/uploads/", reply(403), ErrForbidden},
		{"who are you", "POST", "/uploads/", reply(401), ErrUnauthenticated},
		{"no such repository", "POST", "/uploads/", reply(404), ErrNotFound},
		{"busy", "POST", "/uploads/", reply(429, "Retry-After", "3600"), ErrUnavailable},
		{"broken", "PUT", "/uploads/", reply(502), ErrUnavailable},
		{"too large", "PUT", "/uploads/", reply(413), ErrLimit},
		{"digest refused", "PUT", "/uploads/", reply(400), ErrInvalid},
		{"upload to nowhere", "POST", "/uploads/", reply(202), ErrInvalid},
		{"upload elsewhere", "POST", "/uploads/", reply(202, "Location", "http://"+elsewhere+"/x"), ErrForbidden},
		{"upload with a password", "POST", "/uploads/", reply(202, "Location", "//a:b@localhost/x"), ErrForbidden},
		{"upload by redirect", "PUT", "/uploads/", reply(307, "Location", "http://"+elsewhere+"/x"), ErrForbidden},
		{"manifest refused", "PUT", "/manifests/", reply(400), ErrInvalid},
		{"manifest too large", "PUT", "/manifests/", reply(413), ErrLimit},
		{"another digest", "PUT", "/manifests/", reply(201, "Docker-Content-Digest", imagetest.Digest([]byte("x"))), ErrMismatch},
		{"taken and not listed", "PUT", "/manifests/", reply(201), ErrUnavailable},
		{"the list is broken", "GET", "/referrers/", reply(200), ErrInvalid},
		{"the list is forbidden", "GET", "/referrers/", reply(403), ErrForbidden},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newAttached(t, true)
			host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == tc.method && strings.Contains(r.URL.Path, tc.match) {
					tc.with(w, r)
					return
				}
				a.handler.ServeHTTP(w, r)
			}))
			opt := &Options{Credentials: NoCredentials, Limits: &Limits{Attempts: 1}}
			_, err := Attach(context.Background(), host+"/app", []Artifact{bundleOf(`{"n":1}`)}, opt)
			if !errors.Is(err, tc.want) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

// TestAttachTagIsAnothers: what is no index of referrers under the tag stays.
func TestAttachTagIsAnothers(t *testing.T) {
	a := newAttached(t, false)
	tag := referrersTag(a.index)
	before := push(t, a.handler, tag, artifactOf("", typeDSSE, layerDesc(typeDSSE, []byte("x"), nil)), []byte("x"))
	host := serveHTTP(t, a.handler)
	_, err := Attach(context.Background(), host+"/app", []Artifact{bundleOf(`{}`)}, &Options{Credentials: NoCredentials})
	if !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
	resp, err := http.Head("http://" + host + "/v2/app/manifests/" + tag)
	if err != nil || resp.Header.Get("Docker-Content-Digest") != before["digest"] {
		t.Errorf("it was changed: %v, %v", resp, err)
	}
}

// TestAttachConditions: a registry that knows conditional requests loses nothing.
func TestAttachConditions(t *testing.T) {
	a := newAttached(t, false)
	tag := referrersTag(a.index)
	var mu sync.Mutex
	refused := 0
	host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/manifests/"+tag) {
			a.handler.ServeHTTP(w, r)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		have := head(a.handler, r.URL.Path)
		if m := r.Header.Get("If-Match"); r.Method == http.MethodPut && (m != "" && m != have || r.Header.Get("If-None-Match") != "" && have != "") {
			refused++
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		w.Header().Set("ETag", have)
		a.handler.ServeHTTP(w, r)
	}))
	opt := &Options{Credentials: NoCredentials}
	const clients = 5
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			if _, err := Attach(context.Background(), host+"/app", []Artifact{bundleOf(fmt.Sprintf(`{"n":%d}`, i))}, opt); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if found := contents(t, host+"/app", opt)[a.index]; len(found) != clients {
		t.Errorf("found %q; %d writes were refused", found, refused)
	}
}

// head is the quoted digest under a path, "" for none.
func head(h http.Handler, path string) string {
	w := &headerOnly{header: http.Header{}}
	r, _ := http.NewRequest(http.MethodHead, path, nil)
	h.ServeHTTP(w, r)
	if d := w.header.Get("Docker-Content-Digest"); d != "" {
		return `"` + d + `"`
	}
	return ""
}

type headerOnly struct{ header http.Header }

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) Write(b []byte) (int, error) { return len(b), nil }
func (h *headerOnly) WriteHeader(int)             {}

func TestAttachInvalid(t *testing.T) {
	h := registry.New(registry.Logger(quiet))
	host := serveHTTP(t, h)
	content := []byte("{}")
	for name, tc := range map[string]struct {
		ref  string
		docs []Artifact
		want error
	}{
		"no image":        {host + "/app", []Artifact{{MediaType: "a/b", Content: content}}, ErrNotFound},
		"no media type":   {host + "/app", []Artifact{{Content: content}}, ErrInvalid},
		"no type":         {host + "/app", []Artifact{{MediaType: "text", Content: content}}, ErrInvalid},
		"type with space": {host + "/app", []Artifact{{MediaType: "a/b", Type: "a /b", Content: content}}, ErrInvalid},
		"annotation":      {host + "/app", []Artifact{{MediaType: "a/b", Content: content, Annotations: map[string]string{"": "x"}}}, ErrInvalid},
		"text":            {host + "/app", []Artifact{{MediaType: "a/b", Content: content, Annotations: map[string]string{"a": "\xff"}}}, ErrInvalid},
		"annotations":     {host + "/app", []Artifact{{MediaType: "a/b", Content: content, Annotations: map[string]string{"a": strings.Repeat("x", MaxAnnotations)}}}, ErrLimit},
		"digest":          {host + "/app", []Artifact{{MediaType: "a/b", Content: content, Digest: imagetest.Digest(nil)}}, ErrMismatch},
		"many":            {host + "/app", make([]Artifact, MaxArtifacts+1), ErrLimit},
		"a path":          {"./app", nil, ErrUnsupported},
		"a daemon":        {"docker:app", nil, ErrUnsupported},
		"a reference":     {"UPPER", nil, ErrInvalid},
	} {
		if _, err := Attach(context.Background(), tc.ref, tc.docs, anonymous()); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

// TestAttachBlobUnknown: a registry that has lost a blob which it said to have gets it
// again.
func TestAttachBlobUnknown(t *testing.T) {
	a := newAttached(t, true)
	doc := bundleOf(`{"n":1}`)
	path := "/v2/app/blobs/" + imagetest.Digest(doc.Content)
	lied, uploads := false, 0
	host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == path && !lied: // "it is here"
			return
		case r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") && !lied:
			lied = true
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}`)
			return
		case r.Method == http.MethodPost:
			uploads++
		}
		a.handler.ServeHTTP(w, r)
	}))
	got, err := Attach(context.Background(), host+"/app", []Artifact{doc}, &Options{Credentials: NoCredentials})
	if err != nil || !lied || uploads != 1 {
		t.Fatal(got, err, uploads)
	}
	whole(t, host, got.Manifests)
}

// TestAttachPrivate: a token is asked for that lets write, and a body that met a token
// which was not good any more is sent again.
func TestAttachPrivate(t *testing.T) {
	a := newAttached(t, true)
	tokens, stale := 0, map[string]bool{}
	var host string
	host = serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			if scope := r.URL.Query().Get("scope"); scope != "repository:app:pull,push" {
				t.Errorf("scope %q", scope)
			}
			if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
				t.Errorf("user %q", user)
			}
			tokens++
			fmt.Fprintf(w, `{"token":"t%d"}`, tokens)
			return
		}
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", tokens) || tokens == 0 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+host+`/token",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodPut && !stale[r.URL.Path] {
			stale[r.URL.Path] = true
			tokens += 10
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		a.handler.ServeHTTP(w, r)
	}))
	opt := &Options{Credentials: func(context.Context, string, string) (Credential, error) {
		return Credential{Username: "me", Password: "secret"}, nil
	}}
	got, err := Attach(context.Background(), host+"/app", []Artifact{bundleOf(`{"n":1}`)}, opt)
	if err != nil || len(stale) != 2 { // the empty config was there
		t.Fatal(got, err, stale)
	}
	whole(t, serveHTTP(t, a.handler), got.Manifests)
}

// TestAttachNetwork: what the network policy refuses is not written to either.
func TestAttachNetwork(t *testing.T) {
	a := newAttached(t, true)
	host := serveHTTP(t, a.handler)
	opt := &Options{Credentials: NoCredentials, Network: &Network{Policy: NetworkService}}
	if _, err := Attach(context.Background(), host+"/app", []Artifact{bundleOf(`{"n":1}`)}, opt); !errors.Is(err, ErrForbidden) {
		t.Errorf("attach: %v", err)
	}
	opt.Network.Policy = NetworkAirGap
	if _, err := Push(context.Background(), host+"/app:x", bundleOf(`{"n":1}`), opt); !errors.Is(err, ErrForbidden) {
		t.Errorf("push: %v", err)
	}
	opt.Network.Allow = []string{host}
	if _, err := Push(context.Background(), host+"/app:x", bundleOf(`{"n":1}`), opt); err != nil {
		t.Errorf("push to what is listed: %v", err)
	}
}

// TestAttachSaid: a registry that says it lists the referrer is believed, so is one
// that lists it without saying so.
func TestAttachSaid(t *testing.T) {
	for _, said := range []bool{true, false} {
		a := newAttached(t, true)
		asked := 0
		host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/referrers/") {
				asked++
			}
			if said && r.Method == http.MethodPut {
				w.Header().Set("OCI-Subject", a.index)
			}
			a.handler.ServeHTTP(w, r)
		}))
		got, err := Attach(context.Background(), host+"/app", []Artifact{bundleOf(`{"n":1}`)}, &Options{Credentials: NoCredentials})
		if err != nil || got.Tag != "" || (asked == 0) != said {
			t.Errorf("said %v: %+v, %v, asked %d times", said, got, err, asked)
		}
	}
}

func TestAttachLegacy(t *testing.T) {
	a := newAttached(t, true)
	theirs := []byte(`{"of":"cosign"}`)
	push(t, a.handler, attestationTag(a.index), artifactOf("", "", layerDesc(typeDSSE, theirs, obj{"x-kept": "1"})), theirs)
	host := serveHTTP(t, a.handler)
	ours := []Artifact{{Content: []byte(`{"n":1}`), Annotations: map[string]string{"predicateType": "p"}}, {Content: []byte(`{"n":2}`)}}
	var last *Attached
	for i := range 2 {
		got, err := AttachLegacy(context.Background(), host+"/app", ours, &Options{Credentials: NoCredentials})
		if err != nil || got.Tag != attestationTag(a.index) || got.Subject != a.index {
			t.Fatal(got, err)
		}
		if diff := cmp.Diff(last, got); i > 0 && diff != "" {
			t.Errorf("again:\n%s", diff)
		}
		last = got
	}
	whole(t, host, last.Manifests)
	list, err := Attestations(context.Background(), host+"/app", nil, anonymous())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, x := range list.Attestations {
		if x.Subject == a.index {
			found[string(x.Content)] = x.Annotations["predicateType"] + x.Annotations["x-kept"]
		}
	}
	if diff := cmp.Diff(map[string]string{`{"n":1}`: "p", `{"n":2}`: "", string(theirs): "1"}, found); diff != "" {
		t.Error(diff)
	}
	if _, err := AttachLegacy(context.Background(), "oci:"+oneImage().dir(t), ours, anonymous()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a layout: %v", err)
	}
}
