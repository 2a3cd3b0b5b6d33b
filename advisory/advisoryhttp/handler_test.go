package advisoryhttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// known are the records that the service of these tests has.
func known() []*advisory.Record {
	var list []*advisory.Record
	for i := range 30 {
		list = append(list, &advisory.Record{
			ID: fmt.Sprintf("GHSA-%04d", i), Source: "ghsa", Modified: "2024-05-20T16:03:47Z", Aliases: []string{fmt.Sprintf("CVE-2024-%04d", i/2)}, Summary: "a summary", Details: "all of it",
			Digest: fmt.Sprintf("sha256:%064x", i), Scores: []finding.Score{{Type: "CVSS_V3", Value: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}},
			References: []advisory.Reference{{Type: "WEB", URL: "https://example.org"}}, CWEs: []string{"CWE-79"},
			Affected: []advisory.Affected{{Ecosystem: "npm", Name: fmt.Sprintf("p%d", i/3), Versions: advisory.NewVersionList("0.1"),
				Ranges: []advisory.Range{{Type: advisory.RangeSemver, Events: []version.Event{{Introduced: "0"}, {Fixed: fmt.Sprintf("1.%d.0", i)}}}}}},
		})
	}
	list[3].Withdrawn = "2024-06-01T00:00:00Z"
	return list
}

// backend is everything that a Handler needs.
type backend struct {
	snap     *snapshot.Snapshot
	head     *advisory.Head
	facts    int
	approved []string
	asked    []string // sources that were asked to be read
	raw      map[string][]byte
	trouble  map[string]error // of documents by digest
	reports  []string
	mu       sync.Mutex // of reports
}

func newBackend(t testing.TB) *backend {
	t.Helper()
	list := known()
	segment, object, err := snapshot.EncodeSegment(advisory.Part{Source: "ghsa", Database: "GHSA", Ecosystem: "npm"}, func(yield func(*advisory.Record, error) bool) {
		for _, r := range list {
			_ = yield(r, nil)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	overlay, signals, err := snapshot.EncodeOverlay("kev", func(yield func(*advisory.Signal, error) bool) {
		_ = yield(&advisory.Signal{Vulnerability: "CVE-2024-0002", Exploited: "2024-07-01", EPSS: "0.5"}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	m := &snapshot.Manifest{Segments: []snapshot.Segment{*segment}, Overlays: []snapshot.Overlay{*overlay}, Sources: []snapshot.Origin{{Name: "ghsa", Checked: "2026-11-27T00:00:00Z", StaleAfter: 72}}}
	text, digest, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	err = snapshot.Assemble(&b, text, func(d string) ([]byte, error) {
		return map[string][]byte{segment.Digest: object, overlay.Digest: signals}[d], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Read(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return &backend{snap: s, head: &advisory.Head{Number: 7, Digest: digest, Runs: map[string]int64{"ghsa": 3}, At: time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)}, facts: advisoryhttp.MaxFacts + 5, raw: map[string][]byte{fakeDigest(1): []byte("<script>")}}
}

func (b *backend) Head(_ context.Context, number int64) (*advisory.Head, error) {
	if number != 0 && number != b.head.Number {
		return nil, fmt.Errorf("head %d: %w", number, advisory.ErrNotFound)
	}
	return b.head, nil
}

func (b *backend) Sources(context.Context) ([]advisory.SourceState, error) {
	at := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	return []advisory.SourceState{
		{Source: "ghsa", Released: 3, Records: 30, Documents: 30, Quarantined: 1, Problems: 2, Succeeded: at, Held: 4, Why: "90 fewer records, of 120; at most 20 are expected"},
		{Source: "kev", Failed: at, Cause: "no answer"},
	}, nil
}

func (b *backend) Approve(_ context.Context, source string, run int64, by string) error {
	if source != "ghsa" {
		return fmt.Errorf("source %s: %w", source, advisory.ErrNotFound)
	}
	if run != 4 || len(b.approved) > 0 {
		return fmt.Errorf("run %d of source %s is not held: %w", run, source, advisory.ErrConflict)
	}
	b.approved = append(b.approved, by)
	return nil
}

func (b *backend) Linkset(_ context.Context, key string) (*advisory.Linkset, error) {
	if !strings.HasPrefix(key, "CVE-2024-") {
		return nil, fmt.Errorf("linkset %s: %w", key, advisory.ErrNotFound)
	}
	return &advisory.Linkset{
		Key: key, Members: []advisory.Member{{Source: "ghsa", ID: "GHSA-0004", Digest: fakeDigest(4), Path: []string{"GHSA-0004", key}}, {ID: "A-1", Digest: fakeDigest(5), Withdrawn: true, Path: []string{"A-1", key}}},
		Aliases: []string{"A-1", "GHSA-0004"}, Upstream: []string{"CVE-2024-9998"}, Related: []string{"CVE-2024-9999"}, Confidence: 70,
		Conflicts: []advisory.Conflict{{Kind: advisory.ConflictWithdrawn, Field: "withdrawn", Values: []advisory.Stated{{Record: "A-1", Value: "yes"}, {Record: "GHSA-0004", Value: "no"}}}},
	}, nil
}

func (b *backend) Facts(_ context.Context, head int64) iter.Seq2[advisory.Fact, error] {
	return func(yield func(advisory.Fact, error) bool) {
		for i := range b.facts {
			if !yield(advisory.Fact{Ecosystem: "npm", Name: fmt.Sprint(i), Record: "GHSA-0001", Vulnerability: "CVE-2024-0000", Cause: advisory.CauseNew}, nil) {
				return
			}
		}
	}
}

func (b *backend) Raw(_ context.Context, digest string) ([]byte, error) {
	if err := b.trouble[digest]; err != nil {
		return nil, err
	}
	if b.raw[digest] == nil {
		return nil, fmt.Errorf("document %s: %w", digest, advisory.ErrNotFound)
	}
	return b.raw[digest], nil
}

func fakeDigest(n int) string { return fmt.Sprintf("sha256:%064x", n) }

func (b *backend) handler() *advisoryhttp.Handler {
	return &advisoryhttp.Handler{
		Advisories: b,
		View: func(_ context.Context, digest string) (advisory.View, func(), error) {
			if digest != b.snap.Digest() {
				return nil, nil, fmt.Errorf("snapshot %s: %w", digest, advisory.ErrNotFound)
			}
			return b.snap, func() {}, nil
		},
		Object: func(_ context.Context, digest string) ([]byte, error) { return b.snap.Object(digest) },
		Identify: func(r *http.Request) (advisoryhttp.Identity, error) {
			who := r.Header.Get("Authorization")
			if who == "" {
				return advisoryhttp.Identity{}, fmt.Errorf("no token: %w", advisoryhttp.ErrUnauthenticated)
			}
			return advisoryhttp.Identity{Subject: who, Operator: who == "Bearer operator"}, nil
		},
		Sync: func(_ context.Context, source string) error {
			if source != "ghsa" {
				return fmt.Errorf("source %s: %w", source, advisory.ErrNotFound)
			}
			b.asked = append(b.asked, source)
			return nil
		},
		Report: func(id string, err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.reports = append(b.reports, id+" "+err.Error())
		},
		Now: func() time.Time { return time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC) },
	}
}

func serve(t testing.TB, b *backend, token string) *advisoryhttp.Client {
	t.Helper()
	server := httptest.NewServer(b.handler())
	t.Cleanup(server.Close)
	return &advisoryhttp.Client{URL: server.URL, Token: func(context.Context) (string, error) { return token, nil }}
}

func document(t testing.TB) *sbom.Document {
	t.Helper()
	doc := &sbom.Document{}
	for i := range 12 {
		u, err := purl.Parse(fmt.Sprintf("pkg:npm/p%d@1.5.0", i))
		if err != nil {
			t.Fatal(err)
		}
		doc.Packages = append(doc.Packages, sbom.Package{ID: fmt.Sprint(i), Name: u.Name, Version: u.Version, PURL: u})
	}
	return doc
}

// TestViews: a view that asks the service, and a snapshot that was fetched from
// it, answer like the service's own.
func TestViews(t *testing.T) {
	b := newBackend(t)
	c := serve(t, b, "worker")
	far, err := c.View(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("asking", func(t *testing.T) { advisorytest.TestView(t, b.snap, far, known(), document(t)) })
	cache := &snapshot.Cache{Dir: filepath.Join(t.TempDir(), "s"), Manifest: c.Manifest, Object: c.Object}
	fetched, done, err := cache.View(t.Context(), b.snap.Digest())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("fetched", func(t *testing.T) { advisorytest.TestView(t, b.snap, fetched, known(), document(t)) })
	done()
	if err := cache.Close(); err != nil {
		t.Error(err)
	}
}

// TestFewRequests: matching a document asks once for all of its packages.
func TestFewRequests(t *testing.T) {
	b := newBackend(t)
	h, n := b.handler(), 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n++; h.ServeHTTP(w, r) }))
	defer server.Close()
	c := &advisoryhttp.Client{URL: server.URL, Token: func(context.Context) (string, error) { return "worker", nil }}
	v, err := c.View(t.Context(), b.snap.Digest())
	if err != nil {
		t.Fatal(err)
	}
	doc := &sbom.Document{}
	for i := range 2000 {
		u := purl.PackageURL{Type: "npm", Name: fmt.Sprintf("unheard-%d", i), Version: "1"}
		doc.Packages = append(doc.Packages, sbom.Package{ID: u.Name, Name: u.Name, Version: "1", PURL: u})
	}
	n = 0
	if _, err := (advisory.Matcher{View: v}).Match(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	if n != 1 {
		t.Errorf("%d requests for 2000 packages", n)
	}
}

func TestClient(t *testing.T) {
	b, ctx := newBackend(t), t.Context()
	c := serve(t, b, "operator")
	head, err := c.Head(ctx, 0)
	if err != nil || head.Number != 7 || head.Digest != b.snap.Digest() || head.Runs["ghsa"] != 3 {
		t.Errorf("head %+v, %v", head, err)
	}
	if _, err := c.Head(ctx, 8); !errors.Is(err, advisoryhttp.ErrNotFound) {
		t.Errorf("a head that does not exist: %v", err)
	}
	list, err := c.Sources(ctx)
	if err != nil || len(list) != 2 || list[0].Held != 4 {
		t.Errorf("sources %+v, %v", list, err)
	}
	if err := c.Approve(ctx, "ghsa", 4); err != nil || len(b.approved) != 1 || b.approved[0] != "Bearer operator" {
		t.Errorf("approved by %q, %v", b.approved, err)
	}
	if err := c.Approve(ctx, "ghsa", 5); !errors.Is(err, advisoryhttp.ErrConflict) {
		t.Errorf("a run that is not held: %v", err)
	}
	if err := serve(t, b, "worker").Approve(ctx, "ghsa", 4); !errors.Is(err, advisoryhttp.ErrForbidden) {
		t.Errorf("approved by a worker: %v", err)
	}
	a, err := c.Advisory(ctx, "CVE-2024-0002")
	if err != nil || len(a.Records) != 2 || a.Records[0].Text.Details != "all of it" || len(a.Signals) != 1 || a.Signals[0].Source != "kev" || len(a.Linksets) != 1 {
		t.Errorf("advisory %+v, %v", a, err)
	}
	if _, err := c.Advisory(ctx, "nothing"); !errors.Is(err, advisoryhttp.ErrNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
	if _, err := c.Object(ctx, fakeDigest(9)); !errors.Is(err, advisoryhttp.ErrNotFound) {
		t.Errorf("an unknown object: %v", err)
	}
}

// TestHandler looks at the answers themselves.
func TestHandler(t *testing.T) {
	b := newBackend(t)
	h := b.handler()
	const root = "/api/v1/advisories"
	boms := `{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"type": "library", "name": "p1", "version": "1.4.0", "purl": "pkg:npm/p1@1.4.0"}]}`
	for _, tt := range []struct {
		method, path, body string
		status             int
		want               string // a part of the answer
	}{
		{"GET", root + "?ecosystem=npm&name=p1", "", 200, `"id":"GHSA-0003"`},
		{"GET", root + "?ecosystem=npm&name=nobody", "", 200, `"records":[]`},
		{"GET", root + "?ecosystem=npm", "", 400, "ecosystem and name are required"},
		{"GET", root + "?ecosystem=npm&name=p1&x=1", "", 400, `no key is called \"x\" here`},
		{"GET", root + "/GHSA-0001?snapshot=" + fakeDigest(9), "", 404, "not found"},
		{"GET", root + "/GHSA-0001?snapshot=../x", "", 404, "not found"},
		{"GET", root + "/heads/0", "", 404, "not found"},
		{"GET", root + "/heads/+7", "", 404, "not found"},
		{"GET", root + "/heads/7/facts", "", 200, `"next":1000`},
		{"GET", root + "/heads/current/facts?after=1000", "", 200, `"facts":[{"ecosystem":"npm","name":"1000"`},
		{"GET", root + "/heads/current/facts?after=-1", "", 400, "not what an earlier page gave"},
		{"GET", root + "/documents/" + fakeDigest(1), "", 200, "<script>"},
		{"GET", root + "/documents/" + fakeDigest(2), "", 404, "not found"},
		{"GET", root + "/documents/x", "", 404, "not found"},
		{"GET", root + "/snapshots/" + b.snap.Digest(), "", 200, `"database":"GHSA"`},
		{"POST", root + "/snapshots/" + b.snap.Digest() + "/query", `{"affected": [{"ecosystem": "npm", "name": "p0"}], "unknown": 1}`, 400, "unknown"},
		{"POST", root + "/snapshots/" + b.snap.Digest() + "/query", `{"records": [{"ref": "99999"}]}`, 404, "not found"},
		{"POST", root + "/snapshots/" + b.snap.Digest() + "/query", `{"named": [` + strings.Repeat(`"a",`, advisoryhttp.MaxLookups) + `"a"]}`, 413, "limit"},
		{"POST", root + "/match", boms, 200, `"vulnerability":"CVE-2024-0002"`},
		{"POST", root + "/match?cpe=maybe", boms, 400, "cpe is true or false"},
		{"POST", root + "/match", "not an SBOM", 422, "neither CycloneDX"},
		{"POST", root + "/sources/ghsa/sync", "", 403, "for operators"},
		{"DELETE", root + "/sources", "", 405, "want GET, HEAD"},
		{"GET", root + "/a/b/c", "", 404, "not part of this API"},
	} {
		r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
		r.Header.Set("Authorization", "Bearer reader")
		if tt.body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s %s: %d, want %d with %q:\n%.400s", tt.method, tt.path, w.Code, tt.status, tt.want, w.Body)
		}
		if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: the error is %s", tt.method, tt.path, w.Header().Get("Content-Type"))
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", root+"/sources", nil))
	if w.Code != 401 {
		t.Errorf("without a token: %d", w.Code)
	}
	r := httptest.NewRequest("GET", root+"/documents/"+fakeDigest(1), nil)
	r.Header.Set("Authorization", "Bearer reader")
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if diff := cmp.Diff([]string{"application/octet-stream", "attachment", "nosniff"}, []string{w.Header().Get("Content-Type"), w.Header().Get("Content-Disposition"), w.Header().Get("X-Content-Type-Options")}); diff != "" {
		t.Errorf("a raw document (-want +got)\n%s", diff)
	}
	r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if text, _ := io.ReadAll(w.Body); w.Code != 304 || len(text) > 0 {
		t.Errorf("what the client has: %d, %q", w.Code, text)
	}
}
