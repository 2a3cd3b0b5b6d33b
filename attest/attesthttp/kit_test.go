package attesthttp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/sqlite"
)

// The keys are fixed, so that what is signed is the same each time.
const (
	signingKey = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n-----END PRIVATE KEY-----\n"
	logKey     = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC\n-----END PRIVATE KEY-----\n"
	strangeKey = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD\n-----END PRIVATE KEY-----\n"
)

// rig is the three services over a store in a file and a bucket in a folder.
type rig struct {
	root    *store.Root
	bucket  *blob.Bucket
	folder  string // of the bucket
	key     *key.Key
	log     *tlog.Log
	trust   *attest.Trust
	center  *export.Center
	signs   *attesthttp.SignHandler
	attests *attesthttp.AttestHandler
	exports *attesthttp.ExportHandler
	server  *httptest.Server
	away    bool // the log does not answer

	mu      sync.Mutex
	reports []string
	healed  []string
	seen    []exchange
}

// exchange is a request with its answer.
type exchange struct {
	method, path, contentType string
	request                   []byte
	status                    int
	header                    http.Header
	body                      []byte
}

// identify reads a token such as "acme/ann" or "acme/ann/operator".
func identify(r *http.Request) (attesthttp.Identity, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	part := strings.Split(token, "/")
	if !ok || len(part) < 2 {
		return attesthttp.Identity{}, fmt.Errorf("no token: %w", fault.Unauthenticated)
	}
	return attesthttp.Identity{Tenant: part[0], Subject: part[1], Operator: len(part) > 2}, nil
}

func parseKey(t testing.TB, text string) *key.Key {
	t.Helper()
	k, err := key.Parse([]byte(text), "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newRig(t testing.TB) *rig {
	t.Helper()
	g := &rig{folder: t.TempDir(), key: parseKey(t, signingKey)}
	var err error
	if g.root, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stella.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.root.Close() })
	if g.bucket, err = blob.Open(t.Context(), "file:"+g.folder); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.bucket.Close() })
	k := parseKey(t, logKey)
	signer, err := tlog.NewLogSigner("log.example/stella", k.Public(), k)
	if err == nil {
		g.log, err = tlog.Open(t.Context(), tlog.NewMem(), signer, &tlog.Options{MaxDelay: -1})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.log.Close() })
	g.trust = &attest.Trust{
		Keys: key.Ring{Members: []key.Member{{Key: g.key.Public(), From: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), Purposes: []string{key.AnyPurpose}}}},
		Logs: tlog.Policy{Logs: []tlog.LogKey{{Key: g.log.Key()}}},
	}
	g.serve(t)
	return g
}

// serve makes the services.
func (g *rig) serve(t testing.TB) {
	attests := func(tenant string) (attest.Store, error) {
		of, err := g.root.Tenant(tenant)
		if err != nil {
			return nil, err
		}
		return of.Attest(), nil
	}
	exports := func(tenant string) (*store.Exports, error) {
		of, err := g.root.Tenant(tenant)
		if err != nil {
			return nil, err
		}
		return of.Exports(), nil
	}
	readers := func(tenant string) (*export.Reader, error) {
		e, err := exports(tenant)
		if err != nil {
			return nil, err
		}
		objects, err := g.bucket.Sub(tenant)
		return &export.Reader{Source: e, Objects: objects, Tool: "test"}, err
	}
	report := func(id string, err error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.reports = append(g.reports, err.Error())
	}
	signer := &attest.Signer{
		Facts: func(tenant string) (attest.Facts, error) { return readers(tenant) }, Keys: g, Stores: attests, Grants: []attest.Grant{{Tenants: []string{"acme", "other"}}},
	}
	attestor := &attest.Attestor{
		Trust:  func(context.Context, string) (*attest.Trust, error) { return g.trust, nil },
		Stores: attests, Objects: func(tenant string) (attest.Objects, error) { return g.bucket.Sub(tenant) }, Log: g, Now: time.Now, Patience: time.Minute,
	}
	p, _, err := policyfile.Default()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := policy.Compile(p, &policy.Options{Expressions: policyfile.Expressions, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	g.center = &export.Center{
		Readers: readers, Stores: func(tenant string) (export.Store, error) { return exports(tenant) }, Signer: signer, Attestor: attestor, Default: engine, Tool: "test",
		Pushes: func(tenant string) (export.Pushes, error) { return exports(tenant) },
	}
	g.signs = &attesthttp.SignHandler{Signer: signer, Identify: identify, Report: report}
	g.attests = &attesthttp.AttestHandler{
		Attestor: attestor, Settings: g.center.Of, Identify: identify, Report: report,
		Root: func(context.Context, string) (*attest.Root, error) {
			return &attest.Root{Keys: g.trust.Keys, Logs: g.trust.Logs}, nil
		},
	}
	g.exports = &attesthttp.ExportHandler{
		Center: g.center, Objects: func(tenant string) (attesthttp.Objects, error) { return g.bucket.Sub(tenant) }, Identify: identify, Report: report,
		Heal: func(_ context.Context, tenant, id string, f export.Format) error {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.healed = append(g.healed, fmt.Sprint(tenant, " ", id, " ", f))
			return nil
		},
	}
	g.server = httptest.NewServer(http.HandlerFunc(g.record))
	t.Cleanup(g.server.Close)
}

// handler is the service that has a path.
func (g *rig) handler(path string) http.Handler {
	switch {
	case path == "/api/v1/sign":
		return g.signs
	case strings.HasPrefix(path, "/api/v1/attest"), path == "/api/v1/trust-root":
		return g.attests
	}
	return g.exports
}

// record answers a request, and remembers both.
func (g *rig) record(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
	rec := httptest.NewRecorder()
	g.handler(r.URL.Path).ServeHTTP(rec, r)
	g.mu.Lock()
	g.seen = append(g.seen, exchange{r.Method, r.URL.Path, r.Header.Get("Content-Type"), body, rec.Code, rec.Header().Clone(), rec.Body.Bytes()})
	g.mu.Unlock()
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes())
}

// failing is how a body ends.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}

// Current and Key make the rig's key that of everybody.
func (g *rig) Current(context.Context, string, string) (string, error) { return g.key.KeyID(), nil }

func (g *rig) Key(_ context.Context, _, id, _ string) (attest.Key, error) {
	if id != g.key.KeyID() {
		return nil, fmt.Errorf("key %.80q: %w", id, fault.NotFound)
	}
	return g.key, nil
}

// Name and Enter make the rig a log that can be away.
func (g *rig) Name() string { return g.log.Origin() }

func (g *rig) Enter(ctx context.Context, r *rekor.Record) (*bundle.Entry, error) {
	if g.away {
		return nil, fmt.Errorf("the log is away: %w", fault.Unavailable)
	}
	return (&attest.Embedded{Log: g.log}).Enter(ctx, r)
}

func (g *rig) client(token string) *attesthttp.Client {
	return &attesthttp.Client{URL: g.server.URL, Token: func(context.Context) (string, error) { return token, nil }, Attempts: 1}
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
		name, value, _ := strings.Cut(line, ":")
		if name == "Content-Type" {
			r.Header.Del(name)
		}
		r.Header.Add(name, strings.TrimSpace(value))
	}
	resp, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(r)
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

// image is an image with two packages, and so many more.
func image(more int) *sbom.Document {
	d := &sbom.Document{
		Created: "2026-11-01T00:00:00Z", Tools: []sbom.Tool{{Name: "stella", Version: "test"}},
		Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: digest("config"), ConfigDigest: digest("config"), Platform: "linux/amd64"},
		Source:  &sbom.Source{Reference: "example/app:1", Manifest: digest("manifest")},
	}
	for i := range 2 + more {
		p, err := purl.Parse(fmt.Sprintf("pkg:npm/package-%d@1.0.0", i))
		if err != nil {
			panic(err)
		}
		d.Packages = append(d.Packages, sbom.Package{Name: p.Name, Version: p.Version, PURL: p})
	}
	d.Normalize()
	return d
}

func digest(s string) string { return sum.Of([]byte(s)) }

// scan brings a scan of an image there, with something that was found in it, to
// completed where done says so.
func (g *rig) scan(t testing.TB, tenant string, d *sbom.Document, done bool) string {
	t.Helper()
	of, err := g.root.Tenant(tenant)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := g.bucket.Sub(tenant)
	if err != nil {
		t.Fatal(err)
	}
	r := scan.Results{ImageDigest: d.Subject.ConfigDigest, Report: &finding.Report{Snapshot: digest("snapshot"), Findings: []finding.Finding{
		{Package: d.Packages[0].ID, Name: "package-0", Version: "1.0.0", PURL: "pkg:npm/package-0@1.0.0", Vulnerability: "CVE-2026-0001", Advisory: "A-1", Severity: finding.High, Scores: []finding.Score{}}}}}
	for name, f := range map[string]string{"sbom.stella.json": format.StellaJSON, "sbom.spdx.json": format.SPDXJSON} {
		var text bytes.Buffer
		if _, err := format.Encode(&text, d, f, nil); err != nil {
			t.Fatal(err)
		}
		ref, err := bucket.Put(t.Context(), bytes.NewReader(text.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if f == format.StellaJSON {
			r.SBOMDigest = ref.Digest
		}
		r.Documents = append(r.Documents, scan.Stored{Format: f, MediaType: format.MediaType(f), Name: name, Ref: ref})
	}
	job, _, err := of.Scans().Submit(t.Context(), scan.Request{Image: "example/app:1"}, "")
	if err != nil {
		t.Fatal(err)
	}
	l, err := of.Scans().Claim(t.Context(), scan.ClaimRequest{JobID: job.ID, Holder: "w", Length: time.Minute})
	if err == nil {
		err = of.Scans().Complete(t.Context(), *l, r)
	}
	if err == nil && done {
		var e *scan.Evaluation
		if e, err = of.Scans().ClaimEvaluation(t.Context(), scan.ClaimRequest{JobID: job.ID, Holder: "web", Message: job.ID + "/sbom", Length: time.Minute}); err == nil {
			err = of.Scans().FinishEvaluation(t.Context(), e.Lease, scan.Conclusion{})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return job.ID
}

// want sets how far a tenant's evidence goes.
func (g *rig) want(t testing.TB, tenant string, m export.Mode) {
	t.Helper()
	c := g.client(tenant + "/olga/operator")
	s, err := c.Settings(t.Context())
	if err == nil {
		s.Mode, s.Formats = m, nil
		_, err = c.SetSettings(t.Context(), s)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// made has exports of a scan made.
func (g *rig) made(t testing.TB, tenant, id string, formats ...export.Format) {
	t.Helper()
	if _, err := g.client(tenant+"/ann").Request(t.Context(), id, formats...); err != nil {
		t.Fatal(err)
	}
	for _, f := range formats {
		g.make(t, tenant, id, f)
	}
}

// make makes an export as it is wanted, or once more.
func (g *rig) make(t testing.TB, tenant, id string, f export.Format) {
	t.Helper()
	if err := g.center.Make(t.Context(), tenant, id, f, ""); err != nil {
		t.Fatal(err)
	}
}

// object is the file of an object.
func (g *rig) object(t testing.TB, digest string) string {
	t.Helper()
	found := ""
	filepath.WalkDir(g.folder, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(name, strings.TrimPrefix(digest, "sha256:")) {
			found = name
		}
		return nil
	})
	if found == "" {
		t.Fatalf("no file of %s", digest)
	}
	return found
}
