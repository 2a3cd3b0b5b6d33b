package image

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/sbom"
)

var (
	modTime = time.Unix(0, 0)
	quiet   = log.New(io.Discard, "", 0)
)

// realRegistry is go-containerregistry's own registry with the fixture pushed to
// it over HTTP.
func realRegistry(t *testing.T, f *fixture) http.Handler {
	t.Helper()
	h := registry.New(registry.Logger(quiet))
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
	for d, b := range f.blobs {
		if mt := mediaTypeOf(b); isManifestType(mt) {
			continue
		}
		do("POST", "/v2/app/blobs/uploads/?digest="+d, "application/octet-stream", b)
	}
	for d, b := range f.blobs {
		if mt := mediaTypeOf(b); isManifestType(mt) {
			do("PUT", "/v2/app/manifests/"+d, mt, b)
		}
		if bytes.Contains(b, []byte(`"attestation"`)) {
			do("PUT", "/v2/app/manifests/"+d, typeOCIManifest, b)
		}
	}
	do("PUT", "/v2/app/manifests/latest", f.topType, f.top)
	return h
}

func TestRegistryIndex(t *testing.T) {
	f := manyPlatforms("linux/arm64", "linux/amd64", "linux/arm/v7", "windows/amd64")
	host := serveHTTP(t, realRegistry(t, f))
	for _, tc := range []struct{ platform, want string }{
		{"linux/amd64", "linux/amd64"},
		{"linux/x86_64", "linux/amd64"},
		{"linux/arm64/v8", "linux/arm64"},
		{"linux/arm/v7", "linux/arm/v7"},
		{"windows/amd64", "windows/amd64"},
	} {
		opt := anonymous()
		opt.Platform = tc.platform
		m := mustOpen(t, "docker://"+host+"/app", opt)
		if m.Subject.Platform != tc.want || m.Source.Index != imagetest.Digest(f.top) {
			t.Errorf("%s: got %s of index %s", tc.platform, m.Subject.Platform, m.Source.Index)
		}
		if !strings.Contains(m.Source.PlatformChoice, tc.want) || !strings.Contains(m.Source.PlatformChoice, "asked for") {
			t.Errorf("%s: choice %q", tc.platform, m.Source.PlatformChoice)
		}
		if got := imagetest.Digest(readLayer(t, m, 1)); got != m.Layers[1].Descriptor.Digest {
			t.Errorf("%s: layer 1 is %s, want %s", tc.platform, got, m.Layers[1].Descriptor.Digest)
		}
	}
	opt := anonymous()
	opt.Platform = "linux/s390x"
	_, err := Open(context.Background(), host+"/app", opt)
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "linux/amd64, linux/arm/v7, linux/arm64, windows/amd64") {
		t.Errorf("unsupported platform: %v", err)
	}
}

func TestRegistryImage(t *testing.T) {
	f := oneImage()
	host := serveHTTP(t, realRegistry(t, f))
	ref := host + "/app:latest"
	m := mustOpen(t, "registry:"+ref, anonymous())
	digest := imagetest.Digest(f.top)
	var manifest struct {
		Config struct{ Digest string }
		Layers []sbom.Descriptor
	}
	json.Unmarshal(f.top, &manifest)
	manifest.Layers[0].MediaType, manifest.Layers[1].MediaType = m.Layers[0].Descriptor.MediaType, m.Layers[1].Descriptor.MediaType
	want := &sbom.Source{
		Reference: "registry:" + ref, Manifest: digest, MediaType: typeOCIManifest, Tags: []string{ref}, Layers: manifest.Layers,
	}
	if d := cmp.Diff(want, m.Source); d != "" {
		t.Error(d)
	}
	t1, _ := layerOf("etc/os-release-linux-amd64", imagetest.Plain)
	t2, _ := layerOf("usr/bin/tool", imagetest.Plain)
	subject := sbom.Subject{
		Kind: sbom.SubjectImage, Name: manifest.Config.Digest, ConfigDigest: manifest.Config.Digest, Platform: "linux/amd64",
		Labels: []sbom.Property{{Name: "Layers", Value: "x"}, {Name: "Size", Value: "1"}},
		Layers: []sbom.Layer{
			{DiffID: imagetest.Digest(t1), CreatedBy: "COPY layer 0"},
			{DiffID: imagetest.Digest(t2), CreatedBy: "COPY layer 1"},
		},
	}
	if d := cmp.Diff(subject, m.Subject); d != "" {
		t.Error(d)
	}
	if m.Created != "2024-05-06T07:08:09Z" {
		t.Errorf("created %q", m.Created)
	}
	byDigest := mustOpen(t, host+"/app@"+digest, anonymous())
	if d := cmp.Diff(m.Subject, byDigest.Subject); d != "" {
		t.Errorf("by digest: %s", d)
	}
}

// A tag that moves after it was resolved changes nothing.
func TestTagIsResolvedOnce(t *testing.T) {
	old, moved := oneImage(), manyPlatforms("linux/arm64")
	var asked []string
	var mu sync.Mutex
	h1, h2 := old.handler(), moved.handler()
	var tags atomic.Int32
	host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.Path)
		mu.Unlock()
		if strings.HasSuffix(r.URL.Path, "/latest") && tags.Add(1) > 1 {
			h2(w, r)
			return
		}
		h1(w, r)
	}))
	m := mustOpen(t, host+"/app", anonymous())
	readLayer(t, m, 0)
	readLayer(t, m, 0)
	for _, p := range asked[2:] {
		if !strings.Contains(p, "/sha256:") {
			t.Errorf("asked for %s after the tag was resolved", p)
		}
	}
	if tags.Load() != 1 {
		t.Errorf("the tag was resolved %d times", tags.Load())
	}
}

const (
	user     = "canary-user"
	password = "canary-password"
	token    = "canary-token"
)

func basicHeader() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func known(_ context.Context, registry, repository string) (Credential, error) {
	return Credential{Username: user, Password: password}, nil
}

func withCredentials() *Options {
	return &Options{Credentials: known, Platform: "linux/amd64", Limits: &Limits{Attempts: 2}}
}

// basicAuth guards a registry.
func basicAuth(inner http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != basicHeader() {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}
}

// tokenAuth guards a registry by tokens of its own, each good for a number of
// requests.
func tokenAuth(inner http.Handler, realm func(r *http.Request) string, uses int) http.HandlerFunc {
	var mu sync.Mutex
	left, issued := 0, 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/token" {
			if r.Header.Get("Authorization") != basicHeader() || r.URL.Query().Get("scope") != "repository:app:pull" || r.URL.Query().Get("service") != "test" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			issued++
			left = uses
			json.NewEncoder(w).Encode(obj{"token": fmt.Sprint(token, issued), "expires_in": 60})
			return
		}
		if left == 0 || r.Header.Get("Authorization") != fmt.Sprint("Bearer ", token, issued) {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s",service="test",scope="repository:app:pull"`, realm(r)))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		left--
		inner.ServeHTTP(w, r)
	}
}

func ownRealm(r *http.Request) string { return "http://" + r.Host + "/token" }

func TestRegistryBasicAuth(t *testing.T) {
	f := oneImage()
	host := serveHTTP(t, basicAuth(realRegistry(t, f)))
	m := mustOpen(t, host+"/app", withCredentials())
	readLayer(t, m, 0)
	_, err := Open(context.Background(), host+"/app", anonymous())
	if !errors.Is(err, ErrUnauthenticated) || !strings.Contains(err.Error(), "401") {
		t.Errorf("without credentials: %v", err)
	}
}

func TestRegistryTokenAuth(t *testing.T) {
	f := manyPlatforms("linux/amd64", "linux/arm64")
	inner := realRegistry(t, f)
	for _, uses := range []int{1, 2, 1000} { // tokens that expire are renewed
		host := serveHTTP(t, tokenAuth(inner, ownRealm, uses))
		m := mustOpen(t, host+"/app", withCredentials())
		readLayer(t, m, 0)
		readLayer(t, m, 1)
	}
	host := serveHTTP(t, tokenAuth(inner, ownRealm, 1000))
	_, err := Open(context.Background(), host+"/app", anonymous())
	if !errors.Is(err, ErrUnauthenticated) || !strings.Contains(err.Error(), "realm http://"+host) {
		t.Errorf("without credentials: %v", err)
	}
}

// Layers are read in parallel while tokens run out.
func TestRegistryTokenRenewalInParallel(t *testing.T) {
	f := oneImage()
	host := serveHTTP(t, tokenAuth(f.handler(), ownRealm, 3))
	m := mustOpen(t, host+"/app", withCredentials())
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			rc, err := m.Layers[i%2].Open(context.Background())
			if err != nil {
				// a token can be used up by others between its renewal and its use
				if !errors.Is(err, ErrUnauthenticated) {
					t.Error(err)
				}
				return
			}
			defer rc.Close()
			if _, err := io.Copy(io.Discard, rc); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// A registry may let /v2/ pass and ask for credentials where it matters.
func TestRegistryLateChallenge(t *testing.T) {
	f := oneImage()
	for name, guard := range map[string]http.HandlerFunc{
		"basic": basicAuth(f.handler()), "token": tokenAuth(f.handler(), ownRealm, 1000),
	} {
		t.Run(name, func(t *testing.T) {
			host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v2/" {
					guard(w, r)
				}
			}))
			mustOpen(t, host+"/app", withCredentials())
		})
	}
}

func TestRegistryIdentityAndRegistryTokens(t *testing.T) {
	f := oneImage()
	var form string
	inner := f.handler()
	host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token" && r.Method == http.MethodPost:
			r.ParseForm()
			form = r.Form.Get("grant_type") + " " + r.Form.Get("refresh_token") + " " + r.Form.Get("scope")
			json.NewEncoder(w).Encode(obj{"access_token": token})
		case r.Header.Get("Authorization") != "Bearer "+token:
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			inner(w, r)
		}
	}))
	for name, cred := range map[string]Credential{
		"identity": {IdentityToken: "canary-refresh"}, "registry": {RegistryToken: token},
	} {
		opt := withCredentials()
		opt.Credentials = func(context.Context, string, string) (Credential, error) { return cred, nil }
		if _, err := Open(context.Background(), host+"/app", opt); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if form != "refresh_token canary-refresh repository:app:pull" {
		t.Errorf("form %q", form)
	}
}

func TestCredentialPrintsNothing(t *testing.T) {
	c := Credential{Username: user, Password: password, IdentityToken: token, RegistryToken: token}
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s", c, c, c, c), fmt.Sprintf("%v", []Credential{c}), string(marshal(c))} {
		if strings.Contains(s, "canary") {
			t.Errorf("printed %s", s)
		}
	}
}

func TestDockerCredentials(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("REGISTRY_AUTH_FILE", "")
	t.Setenv("PATH", dir)
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	writeFiles(t, dir, map[string][]byte{"config.json": marshal(obj{
		"auths":       obj{"registry.example": obj{"auth": auth}},
		"credHelpers": obj{"helped.example": "missing"},
	})})
	got, err := DockerCredentials(context.Background(), "registry.example", "team/app")
	if want := (Credential{Username: user, Password: password}); err != nil || got != want {
		t.Errorf("got user %q, %v", got.Username, err)
	}
	if got, err = DockerCredentials(context.Background(), "other.example", "team/app"); err != nil || got != (Credential{}) {
		t.Errorf("another registry: got user %q, %v", got.Username, err)
	}
	_, err = DockerCredentials(context.Background(), "helped.example", "team/app")
	if !errors.Is(err, ErrUnauthenticated) || !strings.Contains(err.Error(), "docker-credential-missing") {
		t.Errorf("missing helper: %v", err)
	}
}
