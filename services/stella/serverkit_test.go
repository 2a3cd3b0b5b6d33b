package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyhttp"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/scan/scanhttp"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/account"
	"github.com/stella-ops/stella/store/account/accounttest"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/cache"
)

// fakeServer is what "stella scan --server" asks: a real authority and door, the real
// handlers, and scans that run as far as their image's name says. The flows on real stores
// and workers are tested end to end elsewhere.
type fakeServer struct {
	url      string
	accounts *accounttest.Memory
	issuer   *issuer.Server
	door     *auth.Verifier
	scans    *scanhttp.Handler
	policies *policyhttp.Handler

	mu        sync.Mutex
	jobs      []*scan.Job
	formats   map[string][]string
	verdicts  map[string]*policy.Record // by scan
	exports   map[string]int            // how often an export was asked for
	documents map[string][]byte         // by digest
}

// startServer starts one, and returns it with the private key of its client "ci".
func startServer(t testing.TB) (*fakeServer, []byte) {
	t.Helper()
	s := &fakeServer{accounts: accounttest.NewMemory(), formats: map[string][]string{}, verdicts: map[string]*policy.Record{}, exports: map[string]int{}, documents: map[string][]byte{}}
	server := httptest.NewUnstartedServer(s)
	s.url = "http://" + server.Listener.Addr().String()
	seen := cache.New(cache.NewMem(cache.MemLimits{}))
	nonces := func(audience string) *dpop.Nonces {
		return &dpop.Nonces{Secret: bytes.Repeat([]byte("s"), dpop.MinSecret), Audience: audience, Epochs: seen}
	}
	s.issuer = &issuer.Server{
		Issuer: s.url, Audiences: []string{s.url}, Store: s.accounts, Seal: [][]byte{bytes.Repeat([]byte("k"), issuer.SealSize)}, Replay: seen, Nonces: nonces("authority"),
		Identify: func(*http.Request) (*auth.Identity, error) { return nil, fault.Unauthenticated },
		Report:   func(id string, err error) { t.Logf("authority %s: %v", id, err) },
	}
	s.door = &auth.Verifier{
		Tokens: &token.Verifier{Issuer: s.url, Audience: s.url, Keys: jwks.Local(s.issuer.Keys), Revoked: s.issuer.Revoked, Cache: -1},
		Proofs: &dpop.Verifier{Origins: []string{s.url}, Replay: seen, Nonces: nonces("api")},
	}
	report := func(id string, err error) { t.Logf("service %s: %v", id, err) }
	s.scans = &scanhttp.Handler{
		Store: func(string) (scan.Store, error) { return s, nil }, Documents: func(string) (scanhttp.Documents, error) { return s, nil }, Report: report,
		Identify: func(r *http.Request) (scanhttp.Identity, error) {
			who := auth.FromContext(r.Context())
			if r.Method == http.MethodPost && !who.Has(auth.ScannerScan) {
				return scanhttp.Identity{}, fmt.Errorf("want the right %s: %w", auth.ScannerScan, fault.Forbidden)
			}
			return scanhttp.Identity{Tenant: who.Tenant, Subject: who.Subject}, nil
		},
	}
	s.policies = &policyhttp.Handler{
		Stores: func(string) (policyhttp.Store, error) { return heldVerdicts{s: s}, nil }, Report: report,
		Identify: func(r *http.Request) (policyhttp.Identity, error) {
			who := auth.FromContext(r.Context())
			if !who.Has(auth.PolicyRead) {
				return policyhttp.Identity{}, fmt.Errorf("want the right %s: %w", auth.PolicyRead, fault.Forbidden)
			}
			return policyhttp.Identity{Tenant: who.Tenant, Subject: who.Subject}, nil
		},
	}
	key := s.fill(t)
	server.Start()
	t.Cleanup(server.Close)
	return s, key
}

func (s *fakeServer) fill(t testing.TB) []byte {
	ctx := context.Background()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwks.New(jwks.Key{Public: &key.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	all := []string{auth.PolicyRead, auth.ScannerExport, auth.ScannerRead, auth.ScannerScan}
	for _, err := range []error{
		s.accounts.PutTenant(ctx, &account.Tenant{ID: "acme", Name: "Acme"}, "test"),
		s.accounts.PutUser(ctx, &account.User{Tenant: "acme", ID: "u-ann", Login: "ann", Scopes: all}, "test"),
		s.accounts.PutClient(ctx, &account.Client{ID: defaultClient, Name: "CLI", Public: true, Scopes: all,
			Grants: []string{"refresh_token", "urn:ietf:params:oauth:grant-type:device_code"}}, "test"),
		s.accounts.PutClient(ctx, &account.Client{ID: "ci", Tenant: "acme", Keys: set.Marshal(), Scopes: []string{auth.ScannerRead, auth.ScannerScan}, Grants: []string{"client_credentials"}}, "test"),
		s.accounts.PutClient(ctx, &account.Client{ID: "reader", Tenant: "acme", Keys: set.Marshal(), Scopes: []string{auth.ScannerRead}, Grants: []string{"client_credentials"}}, "test"),
		s.issuer.Maintain(ctx),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (s *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		seen := &copied{ResponseWriter: w}
		s.issuer.ServeHTTP(seen, r)
		if r.URL.Path == "/device_authorization" {
			s.agree(seen.text.Bytes())
		}
		return
	}
	who, _, err := s.door.Check(w.Header(), r)
	if err != nil {
		refused := err.(*auth.Refusal)
		refused.SetHeader(w.Header())
		p := &httpjson.Problem{Type: "urn:stella:problem:unauthenticated", Title: "unauthenticated", Status: refused.Status, Detail: refused.Description, RequestID: "req-1"}
		p.Write(w)
		return
	}
	r = r.WithContext(auth.NewContext(r.Context(), who))
	switch {
	case strings.Contains(r.URL.Path, "/export"):
		s.export(w, r)
	case strings.Contains(r.URL.Path, "/verdict"):
		s.policies.ServeHTTP(w, r)
	default:
		s.scans.ServeHTTP(w, r)
	}
}

type copied struct {
	http.ResponseWriter
	text bytes.Buffer
}

func (c *copied) Write(b []byte) (int, error) {
	c.text.Write(b)
	return c.ResponseWriter.Write(b)
}

// agree is the person, who opens the page and agrees.
func (s *fakeServer) agree(answer []byte) {
	var a struct {
		UserCode string `json:"user_code"`
	}
	if json.Unmarshal(answer, &a) != nil || a.UserCode == "" {
		return
	}
	g, err := s.accounts.Pending(context.Background(), strings.ReplaceAll(a.UserCode, "-", ""))
	if err != nil {
		return
	}
	g.State, g.Tenant, g.User, g.AuthTime = account.Open, "acme", "u-ann", time.Now()
	_ = s.accounts.Decide(context.Background(), g)
}

// export answers as the Export Center does: not found until it was asked for, then being
// made, then there.
func (s *fakeServer) export(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := strings.Split(r.URL.Path, "/")[4]
	if r.Method == http.MethodPost {
		s.exports[id] = 1
		httpjson.Write(w, http.StatusAccepted, map[string]any{"exports": []any{map[string]any{"format": "spdx", "state": "queued"}}})
		return
	}
	switch s.exports[id]++; s.exports[id] {
	case 1:
		s.exports[id] = 0
		(&httpjson.Problem{Type: "urn:stella:problem:not-found", Title: "not found", Status: 404, Detail: "not exported"}).Write(w)
	case 2:
		w.Header().Set("Retry-After", "1")
		httpjson.Write(w, http.StatusAccepted, map[string]any{})
	default:
		text := []byte(`{"bundle":"of ` + id + `"}` + "\n")
		w.Header().Set("ETag", httpjson.Tag(sum.Of(text)))
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		w.Header().Set("Content-Type", "application/vnd.in-toto+json")
		w.Write(text)
	}
}

func scanned() *sbom.Document {
	musl := purl.PackageURL{Type: "apk", Namespace: "alpine", Name: "musl", Version: "1.2.5-r0"}
	d := &sbom.Document{Name: "app", Subject: sbom.Subject{Name: "app"}, Packages: []sbom.Package{{Name: "musl", Version: "1.2.5-r0", PURL: musl}}}
	d.Normalize()
	return d
}

// encoded is the document in a format, as a server writes it.
func (s *fakeServer) encoded(name string) []byte {
	var b bytes.Buffer
	if _, err := format.Encode(&b, scanned(), name, nil); err != nil {
		panic(err)
	}
	s.documents[sum.Of(b.Bytes())] = b.Bytes()
	return b.Bytes()
}

// Submit implements scan.Store, as the methods after it.
func (s *fakeServer) Submit(_ context.Context, r scan.Request, _ string) (*scan.Job, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := &scan.Job{ID: fmt.Sprintf("scan-%026d", len(s.jobs)+1), State: scan.Queued, Image: r.Image, Platform: r.Platform, Owner: r.Owner, Priority: *r.Priority,
		Created: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), Updated: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	s.jobs, s.formats[j.ID] = append(s.jobs, j), r.Formats
	out := *j
	return &out, false, nil
}

func (s *fakeServer) find(id string) (*scan.Job, error) {
	for _, j := range s.jobs {
		if j.ID == id {
			return j, nil
		}
	}
	return nil, fmt.Errorf("scan job %s: %w", id, fault.NotFound)
}

// Job moves a job on with each question.
func (s *fakeServer) Job(_ context.Context, id string) (*scan.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.find(id)
	if err != nil {
		return nil, err
	}
	switch {
	case j.State == scan.Queued:
		j.State, j.Attempt = scan.Running, 1
	case j.State == scan.Running && strings.Contains(j.Image, "broken"):
		j.State, j.Reason = scan.Failed, "manifest unknown\x1b[31m"
	case j.State == scan.Running && !strings.Contains(j.Image, "stuck"):
		j.State = scan.Evaluating
	case j.State == scan.Evaluating:
		if err := s.complete(j); err != nil {
			return nil, err
		}
	}
	out := *j
	return &out, nil
}

func (s *fakeServer) complete(j *scan.Job) error {
	neutral := s.encoded(scan.Neutral)
	report := reportOf(j)
	j.State, j.Summary = scan.Completed, &scan.Summary{SBOMDigest: sum.Of(neutral), Packages: 1, Findings: len(report.Findings), Snapshot: report.Snapshot, At: j.Created}
	if !strings.Contains(j.Image, "policy") {
		return nil
	}
	e, err := policy.Compile(&policy.Policy{ID: "release", Version: 1, Semantics: policy.Semantics, Gates: policy.Gates{Threshold: policy.Threshold{Block: finding.High}}}, nil)
	if err != nil {
		return err
	}
	in := &policy.Inputs{Environment: "production", At: j.Created}
	in.Of(scanned())
	in.Findings = report.Findings
	in.Digests = policy.Digests{SBOM: sum.Of(neutral), Advisories: report.Snapshot, Report: policy.ReportDigest(in.Findings, in.Gaps)}
	r, err := e.Evaluate(in)
	if err != nil {
		return err
	}
	j.Summary.Outcome = string(r.Verdict.Outcome)
	s.verdicts[j.ID] = &policy.Record{Environment: "production", Policy: r.Verdict.Policy, Outcome: r.Verdict.Outcome, Because: r.Verdict.Because,
		Key: r.Verdict.Key(), Digest: r.Verdict.Digest(), At: j.Created, Body: r.Body, Trace: r.Trace}
	return nil
}

func reportOf(j *scan.Job) *finding.Report {
	r := &finding.Report{Findings: []finding.Finding{}}
	if strings.Contains(j.Image, "unassessed") {
		r.Gaps = []sbom.Gap{{Where: "apk", What: "there is no advisory data", Blocking: true}}
		return r
	}
	r.Snapshot = "sha256:" + strings.Repeat("a", 64)
	if !strings.Contains(j.Image, "clean") {
		r.Findings = append(r.Findings, finding.Finding{Package: scanned().Packages[0].ID, Name: "musl", Version: "1.2.5-r0", PURL: "pkg:apk/alpine/musl@1.2.5-r0", Vulnerability: "CVE-2026-0001", Advisory: "CVE-2026-0001", Severity: finding.High, Fixed: []string{"1.2.5-r1"}})
	}
	return r
}

// List returns jobs, the newest first.
func (s *fakeServer) List(_ context.Context, q scan.Query) (*scan.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &scan.Page{Jobs: []scan.Job{}}
	for _, j := range slices.Backward(s.jobs) {
		if (q.State == "" || q.State == j.State) && (q.Image == "" || q.Image == j.Image) && len(p.Jobs) < q.Limit {
			p.Jobs = append(p.Jobs, *j)
		}
	}
	return p, nil
}

func (s *fakeServer) Manifest(context.Context, string) ([]byte, error) {
	return nil, fault.NotFound
}

func (s *fakeServer) Cancel(_ context.Context, id, reason string) (*scan.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.find(id)
	if err != nil {
		return nil, err
	}
	if j.State.Terminal() && j.State != scan.Cancelled {
		return nil, fmt.Errorf("scan job %s is %s: %w", id, j.State, fault.Conflict)
	}
	j.State, j.Reason = scan.Cancelled, reason
	out := *j
	return &out, nil
}

func (s *fakeServer) Documents(_ context.Context, id string) ([]scan.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	neutral := s.encoded(scan.Neutral)
	out := []scan.Stored{{Format: scan.Neutral, MediaType: "application/json", Name: "sbom.json", Ref: blob.Ref{Digest: sum.Of(neutral), Size: int64(len(neutral))}, Content: neutral}}
	for _, name := range s.formats[id] {
		text := s.encoded(name)
		ref := blob.Ref{Digest: sum.Of(text), Size: int64(len(text))}
		if j, err := s.find(id); err == nil && strings.Contains(j.Image, "forged") {
			s.documents[ref.Digest] = bytes.Replace(text, []byte("musl"), []byte("most"), 1)
		}
		out = append(out, scan.Stored{Format: name, MediaType: "application/json", Name: "sbom", Ref: ref})
	}
	return out, nil
}

func (s *fakeServer) Findings(_ context.Context, id string) (*finding.Report, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.find(id)
	if err != nil {
		return nil, err
	}
	return reportOf(j), nil
}

// Open implements scanhttp.Documents.
func (s *fakeServer) Open(_ context.Context, ref blob.Ref) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return io.NopCloser(bytes.NewReader(s.documents[ref.Digest])), nil
}

// heldVerdicts is a policyhttp.Store of verdicts alone.
type heldVerdicts struct {
	policyhttp.Store
	s *fakeServer
}

func (h heldVerdicts) Find(_ context.Context, key string) (*policy.Record, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	for _, r := range h.s.verdicts {
		if r.Key == key {
			return r, nil
		}
	}
	return nil, fmt.Errorf("verdict %s: %w", key, fault.NotFound)
}

func (h heldVerdicts) Current(_ context.Context, id string) ([]policy.Standing, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	if r := h.s.verdicts[id]; r != nil {
		return []policy.Standing{{Environment: r.Environment, Outcome: r.Outcome, Because: r.Because, Key: r.Key, Digest: r.Digest, Policy: r.Policy, At: r.At, Since: r.At}}, nil
	}
	return []policy.Standing{}, nil
}

func (heldVerdicts) Decisions(context.Context, string, string, int) ([]policy.Decision, string, error) {
	return nil, "", nil
}
