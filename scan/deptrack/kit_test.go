package deptrack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/deptrack"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/sqlite"
)

const bom = `{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"metadata":{"component":{"type":"application","bom-ref":"app","name":"shop","version":"1.4"}},
	"components":[{"type":"library","bom-ref":"a","name":"lodash","version":"4.17.20","purl":"pkg:npm/lodash@4.17.20"},{"type":"library","bom-ref":"b","name":"left-pad","version":"1.3.0","purl":"pkg:npm/left-pad@1.3.0"}]}`

// site is the API over a store in a file, with a worker.
type site struct {
	testing.TB
	root    *store.Root
	bucket  *blob.Bucket
	handler *deptrack.Handler
	server  *httptest.Server
	worker  *scan.Worker
	quota   scan.Quota
	mu      sync.Mutex
	reports []string
}

// matcher finds the vulnerability of lodash.
type matcher struct{}

func (matcher) Match(_ context.Context, doc *sbom.Document) (*finding.Report, error) {
	r := &finding.Report{Snapshot: "sha256:snap", Findings: []finding.Finding{}}
	for i := range doc.Packages {
		p := &doc.Packages[i]
		if p.Name != "lodash" {
			continue
		}
		f := finding.Finding{Package: p.ID, Name: p.Name, Version: p.Version, PURL: p.PURL.String(), Vulnerability: "CVE-2021-23337", Advisory: "GHSA-35jh-r3h4-6jhm", Severity: finding.Medium, Fixed: []string{"4.17.21"}, Summary: "Command injection"}
		g := f
		g.Advisory, g.Aliases, g.Severity = "OTHER-1", []string{"CVE-2021-23337"}, finding.High
		h := f
		h.Vulnerability, h.Advisory, h.Severity, h.Fixed = "MAL-1", "MAL-1", finding.Unknown, nil
		r.Findings = append(r.Findings, f, g, h)
	}
	return r, nil
}

// identify takes a key such as "acme/ci", as a gateway does that knows keys.
func identify(r *http.Request) (deptrack.Identity, error) {
	tenant, subject, ok := strings.Cut(r.Header.Get("X-Api-Key"), "/")
	if !ok {
		return deptrack.Identity{}, fmt.Errorf("no key: %w", fault.Unauthenticated)
	}
	return deptrack.Identity{Tenant: tenant, Subject: subject}, nil
}

func newSite(t testing.TB) *site {
	s := &site{TB: t}
	var err error
	if s.root, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stella.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.root.Close() })
	if s.bucket, err = blob.Open(t.Context(), "file:"+t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.bucket.Close() })
	s.handler = &deptrack.Handler{
		Scans:    func(tenant string) (deptrack.Scans, error) { return s.scans(tenant) },
		Uploads:  func(tenant string) (scan.Uploads, error) { return s.bucket.Sub(tenant) },
		Identify: identify, Version: "1.0.0", Report: s.report,
	}
	s.server = httptest.NewServer(s.handler)
	t.Cleanup(s.server.Close)
	s.worker = &scan.Worker{
		Jobs:      func(tenant string) (scan.Jobs, error) { return s.scans(tenant) },
		Scanner:   func(string) *scan.Scanner { return &scan.Scanner{Analyzers: all.Set()} },
		Open:      func(context.Context, scan.Target) (*scan.Image, error) { return nil, fmt.Errorf("no images here") },
		Matcher:   matcher{},
		Artifacts: func(tenant string) (scan.Artifacts, error) { return s.bucket.Sub(tenant) },
		Decode:    format.Decode,
		MediaType: func(name string) (string, string) { return format.MediaType(name), format.Suffix(name) },
		Encode: func(w io.Writer, d *sbom.Document, name string) (string, string, error) {
			_, err := format.Encode(w, d, name, nil)
			return format.MediaType(name), format.Suffix(name), err
		},
		Holder: "worker-1", Report: func(err error) { s.report("worker", err) },
	}
	return s
}

func (s *site) report(id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, id+" "+err.Error())
}

func (s *site) scans(tenant string) (*store.Scans, error) {
	t, err := s.root.Tenant(tenant)
	if err != nil {
		return nil, err
	}
	return t.Scans().With(&store.ScansOptions{Quota: s.quota}), nil
}

// answer is a response that was read whole.
type answer struct {
	*http.Response
	body string
}

func (s *site) send(key, method, path, body string, header ...string) *answer {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.server.URL+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	if key != "" {
		r.Header.Set("X-Api-Key", key)
	}
	if method != "GET" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range header {
		if name, value, ok := strings.Cut(line, ": "); ok {
			r.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return &answer{resp, string(b)}
}

// form makes a form of pairs of names and values; the SBOM is a file, as clients have it.
func form(t testing.TB, pairs ...string) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		create := w.CreateFormField
		if pairs[i] == "bom" {
			create = func(name string) (io.Writer, error) { return w.CreateFormFile(name, "bom") }
		}
		part, err := create(pairs[i])
		if err == nil {
			_, err = io.WriteString(part, pairs[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

func read[T any](s *site, a *answer, status int) (v T) {
	s.Helper()
	if err := json.Unmarshal([]byte(a.body), &v); err != nil || a.StatusCode != status {
		s.Fatalf("%d, want %d: %v %s", a.StatusCode, status, err, a.body)
	}
	return v
}

// work has the worker do a job, and the results evaluated.
func (s *site) work(tenant, id string) {
	s.Helper()
	s.handle(s.worker.Handle, tenant, id, event.ScanJob, "job/1")
	completer := &scan.Completer{Jobs: func(tenant string) (scan.Evaluations, error) { return s.scans(tenant) }, Holder: "web-1"}
	s.handle(completer.Handle, tenant, id, event.SBOMCreated, "sbom")
}

func (s *site) handle(handle func(context.Context, []byte) error, tenant, id string, t event.Type, suffix string) {
	s.Helper()
	e := event.Event{ID: id + "/" + suffix, Type: t, Source: "scanner", Tenant: tenant, Data: (&event.Scan{JobID: id}).Encode()}
	b, err := e.Encode()
	if err == nil {
		err = handle(s.Context(), b)
	}
	if err != nil {
		s.Fatal(err)
	}
}

// newRequest makes a request as a server sees it, of what may be none.
func newRequest(method, path string, body []byte) (*http.Request, error) {
	r, err := http.NewRequest(method, "http://dtrack.example"+path, bytes.NewReader(body))
	if err == nil && !strings.HasPrefix(path, "/") {
		err = fmt.Errorf("no path")
	}
	return r, err
}
