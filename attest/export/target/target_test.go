package target_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/export/target"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/store/blob"
)

var now = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// secrets are those that destinations name.
func secrets(_ context.Context, ref string) ([]byte, error) {
	switch ref {
	case "env:HOOK":
		return []byte(secret), nil
	case "env:LOGIN":
		return []byte("robot:word"), nil
	case "env:SHORT":
		return []byte("short"), nil
	}
	return nil, fault.NotFound
}

func parcel(content string) *export.Parcel {
	return &export.Parcel{
		Tenant: "acme", ScanID: "scan-1", Format: export.SPDX, Image: "registry.example/team/app:1", Subject: sum.Of([]byte("manifest")),
		Object: export.Object{Name: "sbom.spdx.json", MediaType: "application/spdx+json", Ref: blob.Ref{Digest: sum.Of([]byte(content)), Size: int64(len(content))}},
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
	}
}

func open(t *testing.T, url, secret string, o *target.Options) export.Target {
	t.Helper()
	out, err := target.Open(t.Context(), export.Destination{Name: "t", URL: url, Secret: secret}, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOpen(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	local := &target.Options{Local: true, Secret: secrets}
	service := &target.Options{Secret: secrets}
	for _, c := range []struct {
		name, url, secret string
		opts              *target.Options
		want              error
	}{
		{"a folder", "file:" + dir, "", local, nil},
		{"a folder of a service", "file:" + dir, "", service, target.ErrForbidden},
		{"a folder of nobody's", "file:" + dir, "", nil, target.ErrForbidden},
		{"a folder on a host", "file://host" + dir, "", local, target.ErrInvalid},
		{"a folder with a secret", "file:" + dir, "env:HOOK", local, target.ErrInvalid},
		{"no folder", "file:", "", local, target.ErrInvalid},
		{"a bucket", "s3://exports?endpoint=https://s3.example", "env:LOGIN", service, nil},
		{"a bucket with the process's credentials", "s3://exports?endpoint=https://s3.example", "", service, target.ErrForbidden},
		{"a bucket in the clear", "s3://exports?endpoint=http://s3.example", "env:LOGIN", service, target.ErrInvalid},
		{"a bucket with half a secret", "s3://exports?endpoint=https://s3.example", "env:HOOK", service, target.ErrInvalid},
		{"a bucket with credentials in its URL", "s3://a:b@exports", "env:LOGIN", service, target.ErrInvalid},
		{"a registry", "oci://registry.example/team/app", "", service, nil},
		{"a registry with a login", "oci://registry.example/team/app", "env:LOGIN", service, nil},
		{"a tag", "oci://registry.example/team/app:1", "", service, target.ErrInvalid},
		{"the public registry, unnamed", "oci://team/app", "", service, target.ErrInvalid},
		{"no repository", "oci://registry.example", "", service, target.ErrInvalid},
		{"a webhook", "https://hooks.example/x?y=z", "", service, nil},
		{"a signed webhook", "https://hooks.example/x", "env:HOOK", service, nil},
		{"a weak secret", "https://hooks.example/x", "env:SHORT", service, target.ErrInvalid},
		{"an unknown secret", "https://hooks.example/x", "env:NONE", service, target.ErrNotFound},
		{"secrets that nobody reads", "https://hooks.example/x", "env:HOOK", nil, target.ErrForbidden},
		{"a webhook in the clear", "http://hooks.example/x", "", service, target.ErrUnsupported},
		{"something else", "ftp://hooks.example/x", "", service, target.ErrUnsupported},
		{"nothing", "", "", service, target.ErrUnsupported},
		{"no URL", "https://%zz", "", service, target.ErrInvalid},
	} {
		_, err := target.Open(t.Context(), export.Destination{Name: "t", URL: c.url, Secret: c.secret}, c.opts)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "%zz")) {
			t.Errorf("%s: the error shows what may be a secret: %v", c.name, err)
		}
	}
}

// hook is a webhook's server: it takes each key once.
type hook struct {
	mu     sync.Mutex
	taken  map[string]string // documents by their keys
	heads  []http.Header
	answer func(n int, w http.ResponseWriter) // before what it answers with; nil is 201
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken == nil {
		h.taken = map[string]string{}
	}
	h.heads = append(h.heads, r.Header.Clone())
	h.taken[r.Header.Get("Idempotency-Key")] = string(body)
	if h.answer != nil {
		h.answer(len(h.heads), w)
		return
	}
	w.Header().Set("Location", "/documents/7")
	w.WriteHeader(http.StatusCreated)
}

func serveTLS(t *testing.T, h http.Handler) (string, http.RoundTripper) {
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s.URL, s.Client().Transport
}

func TestWebhook(t *testing.T) {
	h := new(hook)
	url, rt := serveTLS(t, h)
	w := open(t, url+"/in", "env:HOOK", &target.Options{Transport: rt, Secret: secrets, Now: func() time.Time { return now }})
	p := parcel(`{"a":1}`)
	for range 2 { // the same twice is the same message
		at, err := w.Push(t.Context(), p)
		if err != nil || at != "/documents/7" {
			t.Fatal(at, err)
		}
	}
	if diff := cmp.Diff(map[string]string{`"` + p.Object.Ref.Digest + `"`: `{"a":1}`}, h.taken); diff != "" {
		t.Error(diff)
	}
	first, second := h.heads[0], h.heads[1]
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the second one differs:\n%s", diff)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, raw)
	io.WriteString(mac, first.Get("webhook-id")+"."+first.Get("webhook-timestamp")+`.{"a":1}`)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); first.Get("webhook-signature") != want || first.Get("webhook-timestamp") != "1795939200" {
		t.Errorf("signature %q at %s, want %q", first.Get("webhook-signature"), first.Get("webhook-timestamp"), want)
	}
	if first.Get("Stella-Format") != "spdx" || first.Get("Content-Type") != "application/spdx+json" || !strings.HasPrefix(first.Get("Content-Digest"), "sha-256=:") {
		t.Errorf("headers: %v", first)
	}
	other := parcel(`{"a":1}`)
	other.ScanID = "scan-2"
	if _, err := w.Push(t.Context(), other); err != nil || h.heads[2].Get("webhook-id") == first.Get("webhook-id") {
		t.Errorf("the same document of another scan: %v, id %s", err, h.heads[2].Get("webhook-id"))
	}
}

// TestLostReply: an answer that never came, or that says to come again, is worth another
// try, which the receiver knows by its key.
func TestLostReply(t *testing.T) {
	h := &hook{answer: func(n int, w http.ResponseWriter) {
		if n > 1 {
			return
		}
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			c.Close()
		}
	}}
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = false
	s.StartTLS()
	t.Cleanup(s.Close)
	w := open(t, s.URL, "", &target.Options{Transport: s.Client().Transport})
	p := parcel("once")
	if _, err := w.Push(t.Context(), p); !errors.Is(err, target.ErrUnavailable) {
		t.Fatalf("a lost reply: %v", err)
	}
	if at, err := w.Push(t.Context(), p); err != nil || at != "200" {
		t.Fatalf("done over: %q, %v", at, err)
	}
	if len(h.taken) != 1 || len(h.heads) != 2 {
		t.Errorf("%d documents in %d requests, want 1 in 2", len(h.taken), len(h.heads))
	}
}

func TestAnswers(t *testing.T) {
	for status, want := range map[int]error{
		200: nil, 204: nil, 301: target.ErrUnsupported, 307: target.ErrUnsupported, 400: target.ErrInvalid, 401: target.ErrUnauthenticated, 403: target.ErrForbidden, 404: target.ErrNotFound, 408: target.ErrUnavailable,
		409: target.ErrUnavailable, 410: target.ErrNotFound, 413: target.ErrLimit, 422: target.ErrInvalid, 425: target.ErrUnavailable, 429: target.ErrUnavailable, 500: target.ErrUnavailable, 503: target.ErrUnavailable,
	} {
		h := &hook{answer: func(_ int, w http.ResponseWriter) {
			w.Header().Set("Location", strings.Repeat("x", 600))
			w.WriteHeader(status)
		}}
		url, rt := serveTLS(t, h)
		_, err := open(t, url+"/token-in-path", "", &target.Options{Transport: rt}).Push(t.Context(), parcel("x"))
		if !errors.Is(err, want) || err != nil && strings.Contains(err.Error(), "token-in-path") {
			t.Errorf("%d: %v, want %v", status, err, want)
		}
		if len(h.heads) != 1 {
			t.Errorf("%d: %d requests, want 1", status, len(h.heads))
		}
	}
}

// TestNetwork: a service reaches public addresses only, and nobody anything with the
// door shut.
func TestNetwork(t *testing.T) {
	url, _ := serveTLS(t, new(hook))
	for name, o := range map[string]*target.Options{"a service": nil, "the door shut": {Local: true, Network: &image.Network{Policy: image.NetworkAirGap}}} {
		_, err := open(t, url, "", o).Push(t.Context(), parcel("x"))
		if !errors.Is(err, target.ErrForbidden) || !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDamaged: what is not the object of the digest is pushed nowhere.
func TestDamaged(t *testing.T) {
	h := new(hook)
	url, rt := serveTLS(t, h)
	w := open(t, url, "", &target.Options{Transport: rt})
	for name, p := range map[string]*export.Parcel{"longer": parcel("content"), "other": parcel("content")} {
		text := map[string]string{"longer": "content and more", "other": "Content"}[name]
		p.Open = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
		if _, err := w.Push(t.Context(), p); !errors.Is(err, target.ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(h.heads) > 0 {
		t.Errorf("%d requests", len(h.heads))
	}
}

func TestFolder(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	f := open(t, "file://"+dir, "", &target.Options{Local: true})
	p := parcel("x")
	first, err := f.Push(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	p.Open = func() (io.ReadCloser, error) { return nil, errors.New("read again") }
	if again, err := f.Push(t.Context(), p); err != nil || again != first {
		t.Errorf("the second time: %q, %v", again, err)
	}
}

// statements makes a bundle of signed statements about an image.
func statements(t *testing.T, subject string) []byte {
	t.Helper()
	k, err := key.Generate("")
	if err != nil {
		t.Fatal(err)
	}
	s, err := intoto.NewSubject("app", subject)
	if err != nil {
		t.Fatal(err)
	}
	var items []bundle.Item
	for _, predicate := range []string{intoto.PredicateSPDX, intoto.PredicateCycloneDX} {
		payload, err := (&intoto.Statement{Type: intoto.TypeV1, Subjects: []intoto.Subject{s}, PredicateType: predicate, Predicate: []byte(`{"spdxVersion":"SPDX-2.3"}`)}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		e, err := dsse.Sign(t.Context(), intoto.PayloadType, payload, k)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, bundle.Item{Bundle: bundle.New(e, nil)})
	}
	text, err := bundle.Encode(items)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRegistry: statements are attached to their image, and everything else is there by
// itself; doing it over ends in the same digests.
func TestRegistry(t *testing.T) {
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	t.Cleanup(s.Close)
	repo := strings.TrimPrefix(s.URL, "http://") + "/team/app"
	opts := &target.Options{Local: true, Network: new(image.Network), Transport: http.DefaultTransport}
	put, err := image.Push(t.Context(), repo+":1", image.Artifact{MediaType: "application/vnd.example", Content: []byte("image")}, &image.Options{Credentials: image.NoCredentials})
	if err != nil {
		t.Fatal(err)
	}
	text := statements(t, put.Manifest)
	p := parcel(string(text))
	p.Format, p.Signed, p.Image, p.Subject = export.Evidence, true, repo+":1", put.Manifest
	p.Object.Name, p.Object.MediaType = "bundle.jsonl", export.MediaTypeBundle
	r := open(t, "oci://"+repo, "", opts)
	first, err := r.Push(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.Push(t.Context(), p); err != nil || again != first {
		t.Errorf("the second time: %s, %v; the first: %s", again, err, first)
	}
	list, err := image.Attestations(t.Context(), repo+"@"+put.Manifest, nil, &image.Options{Credentials: image.NoCredentials})
	if err != nil || len(list.Attestations) != 2 {
		t.Fatalf("%d are attached, want 2: %v", len(list.Attestations), err)
	}
	for _, a := range list.Attestations {
		if !bytes.Contains(text, a.Content) || a.MediaType != image.BundleMediaType {
			t.Errorf("attached is %s: %s", a.MediaType, a.Content)
		}
	}

	for name, change := range map[string]func(*export.Parcel){
		"of an image elsewhere":    func(p *export.Parcel) { p.Image = "registry.example/team/app:1" },
		"of an image that is gone": func(p *export.Parcel) { p.Subject = sum.Of([]byte("gone")) },
	} {
		alone := *p
		change(&alone)
		at, err := r.Push(t.Context(), &alone)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		pulled, err := image.Pull(t.Context(), at, &image.Options{Credentials: image.NoCredentials})
		if err != nil || pulled.Digest != alone.Object.Ref.Digest {
			t.Errorf("%s: %v", name, err)
			continue
		}
		pulled.Close()
	}
}
