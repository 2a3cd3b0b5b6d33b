package advisoryhttp_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/advisory/finding"
)

// calls are all calls of a Client, each with arguments that a backend has.
func calls(b *backend) map[string]func(context.Context, *advisoryhttp.Client) error {
	q := advisoryhttp.Question{PURL: "pkg:npm/p1@1.4.0", Vulnerability: "CVE-2024-0002"}
	return map[string]func(context.Context, *advisoryhttp.Client) error{
		"Head": func(ctx context.Context, c *advisoryhttp.Client) error { _, err := c.Head(ctx, 7); return err },
		"Facts": func(ctx context.Context, c *advisoryhttp.Client) error {
			for _, err := range c.Facts(ctx, 7) {
				return err
			}
			return errors.New("no facts")
		},
		"Sources": func(ctx context.Context, c *advisoryhttp.Client) error { _, err := c.Sources(ctx); return err },
		"Approve": func(ctx context.Context, c *advisoryhttp.Client) error { return c.Approve(ctx, "ghsa", 4) },
		"Sync":    func(ctx context.Context, c *advisoryhttp.Client) error { return c.Sync(ctx, "ghsa") },
		"Advisory": func(ctx context.Context, c *advisoryhttp.Client) error {
			_, err := c.Advisory(ctx, "GHSA-0004")
			return err
		},
		"Package": func(ctx context.Context, c *advisoryhttp.Client) error {
			_, err := c.Package(ctx, "npm", "p1")
			return err
		},
		"Linkset": func(ctx context.Context, c *advisoryhttp.Client) error {
			_, err := c.Linkset(ctx, "CVE-2024-0002")
			return err
		},
		"Match": func(ctx context.Context, c *advisoryhttp.Client) error {
			_, err := c.Match(ctx, []byte(`{"bomFormat":"CycloneDX","specVersion":"1.5"}`), nil)
			return err
		},
		"Explain": func(ctx context.Context, c *advisoryhttp.Client) error { _, err := c.Explain(ctx, q, nil); return err },
		"Raw":     func(ctx context.Context, c *advisoryhttp.Client) error { _, err := c.Raw(ctx, b.page()); return err },
		"Manifest": func(ctx context.Context, c *advisoryhttp.Client) error {
			_, err := c.Manifest(ctx, b.snap.Digest())
			return err
		},
		"Object": func(ctx context.Context, c *advisoryhttp.Client) error {
			_, err := c.Object(ctx, b.digests()[2])
			return err
		},
		"View": func(ctx context.Context, c *advisoryhttp.Client) error {
			_, err := c.View(ctx, b.snap.Digest())
			return err
		},
	}
}

// page adds a document that has its own digest.
func (b *backend) page() string {
	text := []byte("a page")
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(text))
	b.raw[digest] = text
	return digest
}

// lossy loses the first answer, after the request had its effect.
type lossy struct{ sent atomic.Int32 }

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err == nil && l.sent.Add(1) == 1 {
		resp.Body.Close()
		return nil, errors.New("connection reset")
	}
	return resp, err
}

// TestLostAnswers loses the answer of each call once. All are repeated but
// Approve, which had its effect: its caller looks.
func TestLostAnswers(t *testing.T) {
	b := newBackend(t)
	for name, call := range calls(b) {
		l := &lossy{}
		c := serve(t, b, "operator")
		c.Transport = l
		err := call(t.Context(), c)
		if name == "Approve" {
			if !errors.Is(err, advisoryhttp.ErrUnavailable) || l.sent.Load() != 1 || len(b.approved) != 1 {
				t.Errorf("Approve: %v after %d requests, approved by %q", err, l.sent.Load(), b.approved)
			}
			continue
		}
		if err != nil || l.sent.Load() != 2 {
			t.Errorf("%s: %v after %d requests", name, err, l.sent.Load())
		}
	}
}

// TestOtherServers: answers that are not the service's are not believed.
func TestOtherServers(t *testing.T) {
	b := newBackend(t)
	for name, test := range map[string]struct {
		status            int
		contentType, body string
	}{
		"HTML 404":      {404, "text/html", "<h1>Not Found</h1>"},
		"HTML 409":      {409, "text/html", ""},
		"portal":        {200, "text/html", "<h1>Log in</h1>"},
		"empty object":  {200, "application/json", "{}"},
		"null":          {200, "application/json", "null"},
		"another thing": {200, "application/json", `{"number":3,"head":3,"key":"x","asked":"x","snapshot":"x","records":[{"ref":"1"}],"findings":null}`},
		"half":          {200, "application/json", `{"number":7,"dig`},
		"redirect":      {302, "text/html", ""},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.Header().Set("Content-Type", test.contentType)
			w.WriteHeader(test.status)
			io.WriteString(w, test.body)
		}))
		for call, do := range calls(b) {
			if call == "Manifest" && test.contentType == "application/json" {
				continue // snapshot.Cache checks what it is
			}
			err := do(t.Context(), &advisoryhttp.Client{URL: server.URL, Attempts: 1})
			bad := errors.Is(err, advisoryhttp.ErrNotFound) || errors.Is(err, advisoryhttp.ErrConflict)
			if err == nil || bad || call != "View" && !errors.Is(err, advisoryhttp.ErrUnavailable) {
				t.Errorf("%s: %s: %v", name, call, err)
			}
		}
		server.Close()
	}
	// The service at another path.
	c := serve(t, b, "operator")
	c.URL, c.Attempts = c.URL+"/elsewhere", 1
	if _, err := c.Head(t.Context(), 7); err == nil || errors.Is(err, advisoryhttp.ErrNotFound) {
		t.Errorf("a wrong path: %v", err)
	}
}

// TestClientRefuses what it should not send, and what it was not given.
func TestClientRefuses(t *testing.T) {
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("Content-Type", "application/octet-stream")
		io.WriteString(w, "other")
	}))
	defer server.Close()
	c, ctx := &advisoryhttp.Client{URL: server.URL}, t.Context()
	for _, id := range []string{"", ".", "..", "a\x00", "a\nb", strings.Repeat("a", 1025)} {
		_, e1 := c.Advisory(ctx, id)
		_, e2 := c.Linkset(ctx, id)
		_, e3 := c.Raw(ctx, id)
		_, e4 := c.Object(ctx, id)
		_, e5 := c.Manifest(ctx, "sha256:"+id)
		for _, err := range []error{e1, e2, e3, e4, e5, c.Approve(ctx, id, 1), c.Sync(ctx, id)} {
			if !errors.Is(err, advisoryhttp.ErrNotFound) {
				t.Errorf("%.20q: %v", id, err)
			}
		}
	}
	if _, err := c.Explain(ctx, advisoryhttp.Question{PURL: strings.Repeat("p", advisoryhttp.MaxBody)}, nil); !errors.Is(err, advisoryhttp.ErrLimit) {
		t.Errorf("a long question: %v", err)
	}
	if n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	if _, err := c.Raw(ctx, fakeDigest(1)); !errors.Is(err, advisoryhttp.ErrMismatch) {
		t.Errorf("another document: %v", err)
	}
	for _, u := range []string{"", "concelier.example", "https://ann:hunter2@a", "https://a?x=1"} {
		if _, err := (&advisoryhttp.Client{URL: u}).Sources(ctx); !errors.Is(err, advisoryhttp.ErrInvalid) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("URL %s: %v", u, err)
		}
	}
}

// TestReads looks at what calls return.
func TestReads(t *testing.T) {
	b, ctx := newBackend(t), t.Context()
	c := serve(t, b, "reader")
	n := 0
	for f, err := range c.Facts(ctx, 7) {
		if err != nil || f.Name != fmt.Sprint(n) {
			t.Fatalf("fact %d: %+v, %v", n, f, err)
		}
		n++
	}
	if n != advisoryhttp.MaxFacts+5 {
		t.Errorf("%d facts", n)
	}
	l, err := c.Linkset(ctx, "CVE-2024-0002")
	if err != nil || l.Confidence != 70 || len(l.Members) != 2 {
		t.Errorf("linkset %+v, %v", l, err)
	}
	if _, err := c.Linkset(ctx, "a/../b?c"); !errors.Is(err, advisoryhttp.ErrNotFound) {
		t.Errorf("no linkset: %v", err)
	}
	if text, err := c.Raw(ctx, b.page()); err != nil || string(text) != "a page" {
		t.Errorf("raw: %q, %v", text, err)
	}
	if err := c.Sync(ctx, "ghsa"); !errors.Is(err, advisoryhttp.ErrForbidden) || len(b.asked) != 0 {
		t.Errorf("sync by a reader: %v, %q", err, b.asked)
	}
	if err := serve(t, b, "operator").Sync(ctx, "ghsa"); err != nil || len(b.asked) != 1 {
		t.Errorf("sync: %v, %q", err, b.asked)
	}
	for _, opts := range []*advisoryhttp.Options{nil, {Snapshot: b.snap.Digest(), MatchOwned: true, CPE: true}} {
		r, err := c.Match(ctx, []byte(`{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"type":"library","name":"p1","version":"1.4.0","purl":"pkg:npm/p1@1.4.0"}]}`), opts)
		if err != nil || len(r.Findings) != 1 || r.Findings[0].Advisory != "GHSA-0005" {
			t.Errorf("match: %+v, %v", r, err)
		}
	}
	if _, err := c.Match(ctx, []byte("x"), &advisoryhttp.Options{Snapshot: fakeDigest(9)}); !errors.Is(err, advisoryhttp.ErrUnsupported) {
		t.Errorf("match no SBOM: %v", err)
	}
}

// TestExplain: what the service explains is what matching explains here.
func TestExplain(t *testing.T) {
	b, ctx := newBackend(t), t.Context()
	c := serve(t, b, "reader")
	for _, q := range []advisoryhttp.Question{
		{PURL: "pkg:npm/p1@1.4.0", Vulnerability: "CVE-2024-0002"}, {PURL: "pkg:npm/p1@9.0.0", Vulnerability: "GHSA-0004"}, {PURL: "pkg:pypi/p1@1", Vulnerability: "GHSA-0004"}, {PURL: "pkg:npm/p1@1", Vulnerability: "none"},
	} {
		doc, err := advisory.PackageDocument(q.PURL)
		if err != nil {
			t.Fatal(err)
		}
		want, err := advisory.Matcher{View: b.snap, Options: advisory.Options{At: b.handler().Now()}}.Explain(ctx, doc, doc.Packages[0].ID, q.Vulnerability)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Explain(ctx, q, nil)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%+v: %v (-here +service)\n%s", q, err, diff)
		}
	}
	x, err := c.Explain(ctx, advisoryhttp.Question{PURL: "pkg:npm/p1@9.0.0", Vulnerability: "GHSA-0004"}, nil)
	if err != nil || x.Conclusion != finding.NotAffected {
		t.Errorf("a fixed package: %+v, %v", x, err)
	}
	if _, err := c.Explain(ctx, advisoryhttp.Question{PURL: "p1", Vulnerability: "x"}, nil); !errors.Is(err, advisoryhttp.ErrInvalid) {
		t.Errorf("no package URL: %v", err)
	}
}
