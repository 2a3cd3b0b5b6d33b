package scanhttp_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/scanhttp"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/sqlite"
)

// rig is a service over a store in a file and a bucket in a folder.
type rig struct {
	root    *store.Root
	bucket  *blob.Bucket
	folder  string // of the bucket
	handler *scanhttp.Handler
	server  *httptest.Server
	mu      sync.Mutex
	reports []string
}

// identify reads a token such as "acme/ann" or "acme/w1/worker".
func identify(r *http.Request) (scanhttp.Identity, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	part := strings.Split(token, "/")
	if !ok || len(part) < 2 {
		return scanhttp.Identity{}, fmt.Errorf("no token: %w", fault.Unauthenticated)
	}
	return scanhttp.Identity{Tenant: part[0], Subject: part[1], Worker: len(part) > 2}, nil
}

func newRig(t testing.TB) *rig {
	t.Helper()
	g := &rig{folder: t.TempDir()}
	var err error
	if g.root, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stella.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.root.Close() })
	if g.bucket, err = blob.Open(t.Context(), "file:"+g.folder); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.bucket.Close() })
	g.handler = &scanhttp.Handler{
		Store:     func(tenant string) (scan.Store, error) { return g.scans(tenant) },
		Jobs:      func(tenant string) (scan.Jobs, error) { return g.scans(tenant) },
		Documents: func(tenant string) (scanhttp.Documents, error) { return g.bucket.Sub(tenant) },
		Uploads:   func(tenant string) (scan.Uploads, error) { return g.bucket.Sub(tenant) },
		Identify:  identify,
		Report: func(id string, err error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.reports = append(g.reports, id+" "+err.Error())
		},
	}
	g.server = httptest.NewServer(g.handler)
	t.Cleanup(g.server.Close)
	return g
}

func (g *rig) scans(tenant string) (*store.Scans, error) {
	t, err := g.root.Tenant(tenant)
	if err != nil {
		return nil, err
	}
	o := &store.ScansOptions{Seal: func(_, _ string, s scan.Secret) ([]byte, error) {
		return []byte(base64.StdEncoding.EncodeToString([]byte(s))), nil
	}}
	if tenant == "small" {
		o.Quota.Daily = 1
	}
	return t.Scans().With(o), nil
}

func (g *rig) client(token string) *scanhttp.Client {
	return &scanhttp.Client{URL: g.server.URL, Token: func(context.Context) (string, error) { return token, nil }}
}

// put keeps an object for a tenant.
func (g *rig) put(t testing.TB, tenant string, content []byte) blob.Ref {
	t.Helper()
	b, err := g.bucket.Sub(tenant)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := b.Put(t.Context(), bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// answer is a response that was read whole.
type answer struct {
	*http.Response
	body []byte
}

// send sends a request as it is. header has lines "Name: value".
func (g *rig) send(t testing.TB, token, method, path string, body []byte, header ...string) *answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, g.server.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range header {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		if name == "Content-Type" {
			r.Header.Del(name)
		}
		r.Header.Add(name, strings.TrimSpace(value))
	}
	resp, err := (&http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: time.Minute}).RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return &answer{resp, b}
}

func (g *rig) submit(t testing.TB, tenant, image string) string {
	t.Helper()
	j, _, err := g.client(tenant+"/ann").Submit(t.Context(), scan.Request{Image: image}, "")
	if err != nil {
		t.Fatal(err)
	}
	return j.ID
}

// complete brings a job to its results, with these documents beside the neutral
// one, which is small and inline.
func (g *rig) complete(t testing.TB, tenant, id string, more ...scan.Stored) {
	t.Helper()
	w := g.client(tenant + "/w1/worker")
	l, err := w.Claim(t.Context(), scan.ClaimRequest{JobID: id, Holder: "w1", Length: 15e9})
	if err != nil {
		t.Fatal(err)
	}
	neutral := []byte(`{"document":"` + id + `"}`)
	ref := g.put(t, tenant, neutral)
	docs := append([]scan.Stored{{Format: scan.Neutral, MediaType: "application/json", Name: "sbom.stella.json", Ref: ref, Content: neutral}}, more...)
	if err := w.Complete(t.Context(), *l, scan.Results{SBOMDigest: ref.Digest, Documents: docs}); err != nil {
		t.Fatal(err)
	}
}
