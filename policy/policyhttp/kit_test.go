package policyhttp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/policy/policyhttp"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/sqlite"
)

// rig is a service over a store in a file.
type rig struct {
	root    *store.Root
	gateway *policy.Gateway
	handler *policyhttp.Handler
	server  *httptest.Server
	mu      sync.Mutex
	reports []string
	seen    []exchange
}

// exchange is a request with its answer.
type exchange struct {
	method, path string
	request      []byte
	status       int
	header       http.Header
	body         []byte
}

// identify reads a token such as "acme/ann" or "acme/ann/author/approver".
func identify(r *http.Request) (policyhttp.Identity, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	part := strings.Split(token, "/")
	if !ok || len(part) < 2 {
		return policyhttp.Identity{}, fmt.Errorf("no token: %w", fault.Unauthenticated)
	}
	return policyhttp.Identity{Tenant: part[0], Subject: part[1], Author: strings.Contains(token, "/author"), Approver: strings.Contains(token, "/approver")}, nil
}

func parse(name string, text []byte) (*policy.Policy, error) {
	p, _, err := policyfile.Parse(name, text)
	return p, err
}

func newRig(t testing.TB) *rig {
	t.Helper()
	root, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stella.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	g := &rig{root: root}
	decode := func(r io.Reader) (*sbom.Document, error) {
		doc := new(sbom.Document)
		return doc, json.UnmarshalRead(r, doc)
	}
	stores := func(tenant string) (*store.Policy, error) {
		t, err := root.Tenant(tenant)
		if err != nil {
			return nil, err
		}
		return t.Policy(), nil
	}
	compile := func(p *policy.Policy) (*policy.Engine, error) {
		return policy.Compile(p, &policy.Options{Expressions: policyfile.Expressions})
	}
	g.gateway = &policy.Gateway{
		Stores:   func(tenant string) (policy.Store, error) { return stores(tenant) },
		Document: store.Documents(nil, decode), Statements: root.Said, Compile: compile,
	}
	g.handler = &policyhttp.Handler{
		Stores: func(tenant string) (policyhttp.Store, error) { return stores(tenant) },
		Parse:  parse, Compile: compile, Simulate: g.gateway.Simulate, Identify: identify,
		Report: func(id string, err error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.reports = append(g.reports, id+" "+err.Error())
		},
	}
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		g.handler.ServeHTTP(rec, r)
		g.mu.Lock()
		g.seen = append(g.seen, exchange{r.Method, r.URL.Path, body, rec.Code, rec.Header().Clone(), rec.Body.Bytes()})
		g.mu.Unlock()
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	}))
	t.Cleanup(g.server.Close)
	return g
}

func (g *rig) client(token string) *policyhttp.Client {
	return &policyhttp.Client{URL: g.server.URL, Token: func(context.Context) (string, error) { return token, nil }, Attempts: 1}
}

// send sends a request as it is. header has lines "Name: value".
func (g *rig) send(t testing.TB, token, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, g.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ":")
		if name == "Content-Type" {
			r.Header.Del(name)
		}
		r.Header.Add(name, strings.TrimSpace(value))
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// scan brings a scan to evaluating that has one vulnerability.
func (g *rig) scan(t testing.TB, tenant string, s finding.Severity) string {
	t.Helper()
	of, err := g.root.Tenant(tenant)
	if err != nil {
		t.Fatal(err)
	}
	doc := &sbom.Document{Name: "image", Packages: []sbom.Package{{ID: "p1", Name: "x", Version: "1", PURL: purl.PackageURL{Type: "npm", Name: "x", Version: "1"}}}}
	text, err := json.Marshal(doc, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	r := scan.Results{SBOMDigest: "sha256:" + hex.EncodeToString(sum[:]), Report: &finding.Report{Snapshot: "sha256:" + strings.Repeat("1", 64), Findings: []finding.Finding{
		{Package: "p1", Name: "x", Version: "1", PURL: "pkg:npm/x@1", Vulnerability: "CVE-1", Severity: s}}}}
	r.Documents = []scan.Stored{{Format: scan.Neutral, MediaType: "application/json", Name: "sbom.stella.json", Ref: blob.Ref{Digest: r.SBOMDigest, Size: int64(len(text))}, Content: text}}
	job, _, err := of.Scans().Submit(t.Context(), scan.Request{Image: "registry.example/app:1"}, "")
	if err != nil {
		t.Fatal(err)
	}
	l, err := of.Scans().Claim(t.Context(), scan.ClaimRequest{JobID: job.ID, Holder: "w", Length: time.Minute})
	if err == nil {
		err = of.Scans().Complete(t.Context(), *l, r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return job.ID
}

// finish completes a scan that is evaluating.
func (g *rig) finish(t testing.TB, tenant, id string) {
	t.Helper()
	of, err := g.root.Tenant(tenant)
	if err != nil {
		t.Fatal(err)
	}
	e, err := of.Scans().ClaimEvaluation(t.Context(), scan.ClaimRequest{JobID: id, Holder: "web", Length: time.Minute})
	if err == nil {
		err = of.Scans().FinishEvaluation(t.Context(), e.Lease, scan.Conclusion{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// decide has the gateway decide about a scan now.
func (g *rig) decide(t testing.TB, tenant, id string) []policy.Record {
	t.Helper()
	r, err := g.gateway.Evaluate(t.Context(), tenant, policy.Request{ScanID: id, At: time.Now(), Cause: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
