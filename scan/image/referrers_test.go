package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/stella-ops/stella/internal/imagetest"
)

const (
	typeDSSE   = "application/vnd.dsse.envelope.v1+json"
	typeBundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// attached is a registry with an index of two images, and documents about them.
type attached struct {
	handler       http.Handler
	index, chosen string // digests
}

// push puts a manifest, with its blobs, into a registry.
func push(t *testing.T, h http.Handler, tag string, manifest obj, blobs ...[]byte) obj {
	t.Helper()
	host := serveHTTP(t, h)
	do := func(method, path, mediaType string, b []byte) {
		req, _ := http.NewRequest(method, "http://"+host+path, bytes.NewReader(b))
		req.Header.Set("Content-Type", mediaType)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode >= 300 {
			t.Fatalf("%s %s: %s", method, path, resp.Status)
		}
	}
	for _, b := range append(blobs, []byte("{}")) {
		do("POST", "/v2/app/blobs/uploads/?digest="+imagetest.Digest(b), "application/octet-stream", b)
	}
	b := marshal(manifest)
	mediaType := manifest["mediaType"].(string)
	if tag == "" {
		tag = imagetest.Digest(b)
	}
	do("PUT", "/v2/app/manifests/"+tag, mediaType, b)
	return obj{"mediaType": mediaType, "digest": imagetest.Digest(b), "size": len(b)}
}

func layerDesc(mediaType string, b []byte, annotations obj) obj {
	d := obj{"mediaType": mediaType, "digest": imagetest.Digest(b), "size": len(b)}
	if annotations != nil {
		d["annotations"] = annotations
	}
	return d
}

// artifactOf is a manifest that refers to a subject, "" for none.
func artifactOf(subject, artifactType string, layers ...obj) obj {
	m := obj{"schemaVersion": 2, "mediaType": typeOCIManifest, "config": layerDesc(typeEmpty, []byte("{}"), nil), "layers": layers}
	if artifactType != "" {
		m["artifactType"] = artifactType
	}
	if subject != "" {
		m["subject"] = obj{"mediaType": typeOCIManifest, "digest": subject, "size": 1}
		m["annotations"] = obj{"org.opencontainers.image.created": "2026-01-01T00:00:00Z", "at": "manifest"}
	}
	return m
}

func newAttached(t *testing.T, api bool) *attached {
	t.Helper()
	f := manyPlatforms("linux/amd64", "linux/arm64")
	h := registry.New(registry.Logger(quiet), registry.WithReferrersSupport(api))
	var top struct {
		Manifests []struct {
			Digest   string
			Platform struct{ Architecture string }
		}
	}
	if err := json.Unmarshal(f.top, &top); err != nil {
		t.Fatal(err)
	}
	a := &attached{handler: h}
	var blobs [][]byte
	for d, b := range f.blobs {
		blobs = append(blobs, b)
		for _, m := range top.Manifests {
			if m.Digest == d && m.Platform.Architecture == "amd64" {
				a.chosen = d
			}
		}
	}
	for _, m := range top.Manifests {
		b := f.blobs[m.Digest]
		manifest := obj{}
		mustUnmarshal(b, &manifest)
		if manifest["mediaType"] != nil {
			push(t, h, "", manifest, blobs...)
		} else {
			f.top = bytes.ReplaceAll(f.top, []byte(m.Digest), []byte(a.chosen))
		}
	}
	// BuildKit's way: an image in the index that is none.
	inside := []byte(`{"from":"the index"}`)
	kit := push(t, h, "", artifactOf("", "", layerDesc("application/vnd.in-toto+json", inside, obj{"in-toto.io/predicate-type": "https://openvex.dev/ns/v0.2.0"})), inside)
	kit["platform"] = obj{"os": "unknown", "architecture": "unknown"}
	kit["annotations"] = obj{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": a.chosen}
	index := obj{}
	mustUnmarshal(f.top, &index)
	index["manifests"] = append(index["manifests"].([]any), kit)
	a.index = push(t, h, "latest", index)["digest"].(string)
	return a
}

// refer attaches a document to a digest, and lists it under the tag where there is
// no API.
func (a *attached) refer(t *testing.T, api bool, subject string, manifests ...obj) {
	t.Helper()
	if api {
		return
	}
	push(t, a.handler, strings.Replace(subject, ":", "-", 1), obj{"schemaVersion": 2, "mediaType": typeOCIIndex, "manifests": manifests})
}

func TestAttestations(t *testing.T) {
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprintf("api=%v", api), func(t *testing.T) {
			a := newAttached(t, api)
			bundle, vex, sbom, ofIndex, legacy := []byte(`{"a":"bundle"}`), []byte(`{"an":"openvex"}`), []byte(`{"an":"sbom"}`), []byte(`{"of":"index"}`), []byte(`{"of":"cosign"}`)
			one := push(t, a.handler, "", artifactOf(a.chosen, typeBundle, layerDesc(typeBundle, bundle, obj{"at": "layer"})), bundle)
			two := push(t, a.handler, "", artifactOf(a.chosen, "application/vnd.openvex+json", layerDesc("application/vnd.openvex+json", vex, nil), layerDesc("application/spdx+json", sbom, nil)), vex, sbom)
			a.refer(t, api, a.chosen, one, two, one)
			three := push(t, a.handler, "", artifactOf(a.index, typeDSSE, layerDesc(typeDSSE, ofIndex, nil)), ofIndex)
			a.refer(t, api, a.index, three)
			push(t, a.handler, strings.Replace(a.chosen, ":", "-", 1)+".att", artifactOf("", "", layerDesc(typeDSSE, legacy, obj{"predicateType": "https://openvex.dev/ns"})), legacy)
			host := serveHTTP(t, a.handler)
			got, err := Attestations(context.Background(), host+"/app:latest", nil, anonymous())
			if err != nil {
				t.Fatal(err)
			}
			if got.Registry != host || got.Repository != "app" || len(got.Broken) != 0 {
				t.Errorf("%+v", got)
			}
			if diff := cmp.Diff([]string{a.index, a.chosen}, got.Digests); diff != "" {
				t.Error(diff)
			}
			found := map[string][]string{}
			for _, x := range got.Attestations {
				found[x.Subject] = append(found[x.Subject], x.MediaType+" "+string(x.Content)+" "+x.Annotations["at"])
			}
			for _, list := range found {
				slices.Sort(list)
			}
			want := map[string][]string{
				a.index: {typeDSSE + ` {"of":"index"} manifest`},
				a.chosen: {
					typeBundle + ` {"a":"bundle"} layer`, typeDSSE + ` {"of":"cosign"} `,
					`application/vnd.in-toto+json {"from":"the index"} `, `application/vnd.openvex+json {"an":"openvex"} manifest`,
				},
			}
			if diff := cmp.Diff(want, found); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			again, err := Attestations(context.Background(), host+"/app@"+a.index, nil, anonymous())
			if diff := cmp.Diff(got.Attestations, again.Attestations); err != nil || diff != "" {
				t.Errorf("by digest: %v\n%s", err, diff)
			}
			asked := 0
			some, err := Attestations(context.Background(), "docker://"+host+"/app", func(x *Attestation) bool { asked++; return x.Annotations["predicateType"] != "" }, anonymous())
			if err != nil || len(some.Attestations) != 1 || asked != 5 {
				t.Errorf("some: %+v, %v, asked %d", some, err, asked)
			}
			arm := anonymous()
			arm.Platform = "linux/arm64"
			other, err := Attestations(context.Background(), host+"/app", nil, arm)
			if err != nil || len(other.Attestations) != 1 || other.Attestations[0].Subject != a.index {
				t.Errorf("another platform: %+v, %v", other, err)
			}
		})
	}
}

func TestAttestationsNone(t *testing.T) {
	for _, api := range []bool{true, false} {
		h := registry.New(registry.Logger(quiet), registry.WithReferrersSupport(api))
		f := oneImage()
		manifest := obj{}
		mustUnmarshal(f.top, &manifest)
		var blobs [][]byte
		for _, b := range f.blobs {
			blobs = append(blobs, b)
		}
		push(t, h, "latest", manifest, blobs...)
		host := serveHTTP(t, h)
		got, err := Attestations(context.Background(), host+"/app", nil, anonymous())
		if err != nil || len(got.Attestations) != 0 || len(got.Digests) != 1 || len(got.Broken) != 0 {
			t.Errorf("api %v: %+v, %v", api, got, err)
		}
		if _, err := Attestations(context.Background(), host+"/app:other", nil, anonymous()); !errors.Is(err, ErrNotFound) {
			t.Errorf("no such image: %v", err)
		}
	}
}

// TestAttestationsPrivate: credentials are presented as when an image is opened.
func TestAttestationsPrivate(t *testing.T) {
	a := newAttached(t, true)
	for name, h := range map[string]http.Handler{"basic": basicAuth(a.handler), "token": tokenAuth(a.handler, ownRealm, 2)} {
		host := serveHTTP(t, h)
		got, err := Attestations(context.Background(), host+"/app", nil, withCredentials())
		if err != nil || len(got.Attestations) != 1 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if _, err := Attestations(context.Background(), host+"/app", nil, anonymous()); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("%s, anonymous: %v", name, err)
		}
	}
}

// TestAttestationsHostile: what is broken is said and hides nothing else; what would
// make the answer incomplete is an error.
func TestAttestationsHostile(t *testing.T) {
	doc, other := []byte(`{"a":"document"}`), []byte(`{"b":"document"}`)
	setup := func(t *testing.T) (*attached, string) {
		a := newAttached(t, true)
		good := push(t, a.handler, "", artifactOf(a.chosen, typeDSSE, layerDesc(typeDSSE, doc, nil)), doc)
		return a, good["digest"].(string)
	}
	edit := func(a *attached, match string, with func(w http.ResponseWriter, r *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.String(), match) {
				with(w, r)
				return
			}
			a.handler.ServeHTTP(w, r)
		}
	}
	status := func(code int) func(w http.ResponseWriter, r *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	answerWith := func(b []byte) func(w http.ResponseWriter, r *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", typeOCIIndex); w.Write(b) }
	}
	for _, tc := range []struct {
		name   string
		wrap   func(t *testing.T, a *attached, good string) http.HandlerFunc
		broken int
		found  int // beside the one in the index
		want   error
	}{
		{"all is well", func(t *testing.T, a *attached, _ string) http.HandlerFunc { return a.handler.ServeHTTP }, 0, 1, nil},
		{"the document is another", func(t *testing.T, a *attached, _ string) http.HandlerFunc {
			return edit(a, "/blobs/"+imagetest.Digest(doc), func(w http.ResponseWriter, _ *http.Request) { w.Write(other) })
		}, 1, 0, nil},
		{"the document is gone", func(t *testing.T, a *attached, _ string) http.HandlerFunc {
			return edit(a, "/blobs/"+imagetest.Digest(doc), status(404))
		}, 1, 0, nil},
		{"the document cannot be had now", func(t *testing.T, a *attached, _ string) http.HandlerFunc {
			return edit(a, "/blobs/"+imagetest.Digest(doc), status(503))
		}, 0, 0, ErrUnavailable},
		{"the manifest is gone", func(t *testing.T, a *attached, good string) http.HandlerFunc {
			return edit(a, "/manifests/"+good, status(404))
		}, 1, 0, nil},
		{"the manifest may not be read", func(t *testing.T, a *attached, good string) http.HandlerFunc {
			return edit(a, "/manifests/"+good, status(403))
		}, 0, 0, ErrForbidden},
		{"the API is away", func(t *testing.T, a *attached, _ string) http.HandlerFunc { return edit(a, "/referrers/", status(500)) }, 0, 0, ErrUnavailable},
		{"the API is forbidden", func(t *testing.T, a *attached, _ string) http.HandlerFunc { return edit(a, "/referrers/", status(403)) }, 0, 0, ErrForbidden},
		{"the API is not known: 405", func(t *testing.T, a *attached, _ string) http.HandlerFunc { return edit(a, "/referrers/", status(405)) }, 0, 0, nil},
		{"the API answers nonsense", func(t *testing.T, a *attached, _ string) http.HandlerFunc {
			return edit(a, "/referrers/", answerWith([]byte("<html>")))
		}, 0, 0, ErrInvalid},
		{"the API answers another's referrers", func(t *testing.T, a *attached, good string) http.HandlerFunc {
			foreign := push(t, a.handler, "", artifactOf(a.index, typeDSSE, layerDesc(typeDSSE, other, nil)), other)
			return edit(a, "/referrers/"+a.chosen, answerWith(marshal(obj{"schemaVersion": 2, "mediaType": typeOCIIndex, "manifests": []obj{foreign}})))
		}, 1, 1, nil}, // it is the index's, and stays so
		{"the API answers a manifest without subject", func(t *testing.T, a *attached, good string) http.HandlerFunc {
			foreign := push(t, a.handler, "", artifactOf("", typeDSSE, layerDesc(typeDSSE, other, nil)), other)
			return edit(a, "/referrers/"+a.chosen, answerWith(marshal(obj{"schemaVersion": 2, "mediaType": typeOCIIndex, "manifests": []obj{foreign}})))
		}, 1, 0, nil},
		{"pages without end", func(t *testing.T, a *attached, _ string) http.HandlerFunc {
			return edit(a, "/referrers/", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Link", `<`+r.URL.Path+`?n=1>; rel="next"`)
				answerWith([]byte(`{"schemaVersion":2,"manifests":[]}`))(w, r)
			})
		}, 0, 0, ErrLimit},
		{"a page elsewhere", func(t *testing.T, a *attached, _ string) http.HandlerFunc {
			return edit(a, "/referrers/", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Link", `<https://elsewhere.example/v2/app/referrers/x>; rel="next"`)
				answerWith([]byte(`{"schemaVersion":2,"manifests":[]}`))(w, r)
			})
		}, 0, 0, nil},
		{"more than fits", func(t *testing.T, a *attached, _ string) http.HandlerFunc {
			huge := obj{"mediaType": typeDSSE, "digest": imagetest.Digest(doc), "size": MaxAttestation + 1}
			push(t, a.handler, "", artifactOf(a.chosen, typeDSSE, huge))
			return a.handler.ServeHTTP
		}, 1, 1, nil},
		{"the legacy tag is no manifest", func(t *testing.T, a *attached, _ string) http.HandlerFunc {
			return edit(a, ".att", answerWith([]byte(`{"schemaVersion":2,"manifests":[]}`)))
		}, 0, 1, nil},
		{"the legacy tag is nonsense", func(t *testing.T, a *attached, _ string) http.HandlerFunc {
			return edit(a, ".att", answerWith([]byte(`[`)))
		}, 2, 1, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, good := setup(t)
			host := serveHTTP(t, tc.wrap(t, a, good))
			opt := anonymous()
			opt.Limits = &Limits{Attempts: 1}
			got, err := Attestations(context.Background(), host+"/app", nil, opt)
			if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if err == nil && (len(got.Broken) != tc.broken || len(got.Attestations) != 1+tc.found) {
				t.Errorf("%d found, broken %v", len(got.Attestations), got.Broken)
			}
		})
	}
}

func TestAttestationsPages(t *testing.T) {
	a := newAttached(t, true)
	one, two := []byte(`{"n":1}`), []byte(`{"n":2}`)
	first := push(t, a.handler, "", artifactOf(a.chosen, typeDSSE, layerDesc(typeDSSE, one, nil)), one)
	second := push(t, a.handler, "", artifactOf(a.chosen, typeDSSE, layerDesc(typeDSSE, two, nil)), two)
	host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/referrers/"+a.chosen) {
			a.handler.ServeHTTP(w, r)
			return
		}
		list := []obj{first}
		if r.URL.Query().Get("last") == "x&y" {
			list = []obj{second}
		} else {
			w.Header().Set("Link", `</v2/app/referrers/`+a.chosen+`?last=x%26y&n=1>; rel="next"`)
		}
		w.Write(marshal(obj{"schemaVersion": 2, "mediaType": typeOCIIndex, "manifests": list}))
	}))
	got, err := Attestations(context.Background(), host+"/app", nil, anonymous())
	if err != nil || len(got.Attestations) != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzReferrers: what is read of an index of referrers can be asked for.
func FuzzReferrers(f *testing.F) {
	f.Add(marshal(obj{"schemaVersion": 2, "manifests": []obj{layerDesc(typeOCIManifest, []byte("x"), obj{"a": "b"})}}))
	f.Add([]byte(`{"manifests":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseReferrers(b, "referrers", 10)
		if err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrLimit) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrMismatch) {
			t.Errorf("not a kind: %v", err)
		}
		for _, r := range list {
			if checkDigest(r.Digest) != nil || r.Size < 0 {
				t.Errorf("%+v", r)
			}
		}
	})
}

func ExampleAttestations() {
	list, err := Attestations(context.Background(), "registry.invalid/app:1", func(a *Attestation) bool {
		return a.Annotations["predicateType"] != "https://spdx.dev/Document"
	}, &Options{Credentials: NoCredentials, Limits: &Limits{Attempts: 1}, Network: &Network{Policy: NetworkAirGap}})
	fmt.Println(list == nil, errors.Is(err, ErrForbidden))
	// Output:
	// true true
}
