package advisoryhttp_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/internal/fault"
)

// wide is a view in which each package has many advisories, or which is broken.
type wide struct {
	advisory.View
	n   int
	err error
	of  int // affected packages of each record
}

func (w wide) Affected(_ context.Context, ecosystem, name string) ([]advisory.Entry, error) {
	list := make([]advisory.Entry, w.n)
	for i := range list {
		list[i] = advisory.Entry{Affected: advisory.Affected{Ecosystem: ecosystem, Name: name}, Record: advisory.Ref(i)}
	}
	return list, w.err
}

func (w wide) Record(_ context.Context, ref advisory.Ref) (*advisory.Record, error) {
	return &advisory.Record{ID: fmt.Sprintf("A-%d", ref)}, w.err
}

func (w wide) Text(context.Context, advisory.Ref) (*advisory.Text, error) {
	return &advisory.Text{Affected: make([]advisory.Affected, w.of)}, w.err
}

func (w wide) Named(context.Context, string) ([]advisory.Ref, error) {
	return make([]advisory.Ref, w.n), w.err
}

func (w wide) Signals(context.Context, string) ([]advisory.Signal, error) { return nil, w.err }

// over serves a view.
func over(t testing.TB, b *backend, v advisory.View) (*advisoryhttp.Client, http.Handler) {
	t.Helper()
	h := b.handler()
	h.View = func(context.Context, string) (advisory.View, func(), error) { return v, func() {}, nil }
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &advisoryhttp.Client{URL: server.URL, Attempts: 1, Token: func(context.Context) (string, error) { return "reader", nil }}, h
}

// TestPages reads a package about which there is more than fits on a page.
func TestPages(t *testing.T) {
	b := newBackend(t)
	c, _ := over(t, b, wide{View: b.snap, n: 2*advisoryhttp.MaxKnown + 7})
	a, err := c.Package(t.Context(), "npm", "linux")
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Records) != 2*advisoryhttp.MaxKnown+7 || a.Next != 0 {
		t.Errorf("%d records, next %d", len(a.Records), a.Next)
	}
	for i, k := range a.Records {
		if k.Record.ID != fmt.Sprintf("A-%d", i) {
			t.Fatalf("record %d is %s", i, k.Record.ID)
		}
	}
	big, _ := over(t, b, wide{View: b.snap, n: 5, of: advisoryhttp.MaxEntries/2 + 1})
	if a, err := big.Package(t.Context(), "npm", "linux"); err != nil || len(a.Records) != 5 {
		t.Errorf("a package of large records: %v", err)
	}
	var l *fault.LimitError
	if _, err := big.Advisory(t.Context(), "x"); !errors.As(err, &l) || l.Max != advisoryhttp.MaxEntries {
		t.Errorf("an id of large records: %v", err)
	}
	if _, err := c.Advisory(t.Context(), "x"); !errors.As(err, &l) || l.Max != advisoryhttp.MaxKnown || l.Seen != 2*advisoryhttp.MaxKnown+7 {
		t.Errorf("an id that too many records name: %v", err)
	}
}

// TestPrefetchLess: a view asks less at once where an answer would be too large.
func TestPrefetchLess(t *testing.T) {
	b := newBackend(t)
	const each = advisoryhttp.MaxEntries / 8
	_, large := over(t, b, wide{View: b.snap, n: each})
	sent, refused := 0, 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/query") {
			b.handler().ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		large.ServeHTTP(rec, r)
		if sent++; rec.Code == http.StatusRequestEntityTooLarge {
			refused++
		}
		for k, list := range rec.Header() {
			w.Header()[k] = list
		}
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	}))
	defer server.Close()
	c := &advisoryhttp.Client{URL: server.URL, Attempts: 1, Token: func(context.Context) (string, error) { return "reader", nil }}
	v, err := c.View(t.Context(), b.snap.Digest())
	if err != nil {
		t.Fatal(err)
	}
	list := make([]advisory.Lookup, 10)
	for i := range list {
		list[i] = advisory.Lookup{Ecosystem: "npm", Name: fmt.Sprint(i)}
	}
	if err := v.Prefetch(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	if refused != 1 || sent != 3 {
		t.Errorf("%d requests, %d refused", sent, refused)
	}
	if got, err := v.Affected(t.Context(), "npm", "9"); err != nil || len(got) != each || sent != 3 {
		t.Errorf("%d entries, %v, %d requests", len(got), err, sent)
	}
}

// ask sends a request to a handler.
func ask(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer reader")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestLimits(t *testing.T) {
	b := newBackend(t)
	h := b.handler()
	query := "/api/v1/advisories/snapshots/" + b.snap.Digest() + "/query"
	many := func(item string, n int) string { return "[" + strings.Repeat(item+",", n-1) + item + "]" }
	for name, tt := range map[string]struct{ method, path, body, want string }{
		"body":     {"POST", query, strings.Repeat(" ", advisoryhttp.MaxBody) + "{}", fmt.Sprintf(`"max":%d`, advisoryhttp.MaxBody)},
		"approval": {"POST", "/api/v1/advisories/sources/ghsa/approve", strings.Repeat(" ", advisoryhttp.MaxBody) + "{}", fmt.Sprintf(`"max":%d`, advisoryhttp.MaxBody)},
		"question": {"POST", "/api/v1/advisories/explain", strings.Repeat(" ", advisoryhttp.MaxBody) + "{}", fmt.Sprintf(`"max":%d`, advisoryhttp.MaxBody)},
		"lookups":  {"POST", query, `{"affected":` + many(`{"ecosystem":"a","name":"b"}`, 4000) + `,"signals":` + many(`"c"`, 1001) + `}`, fmt.Sprintf(`"max":%d,"seen":5001`, advisoryhttp.MaxLookups)},
		"texts":    {"POST", query, `{"texts":` + many(`{"ref":"1"}`, advisoryhttp.MaxTexts+1) + `}`, fmt.Sprintf(`"max":%d`, advisoryhttp.MaxTexts)},
	} {
		if w := ask(h, tt.method, tt.path, tt.body, "Authorization: Bearer operator"); w.Code != 413 || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s, want %s", name, w.Code, w.Body, tt.want)
		}
	}
	if w := ask(h, "POST", query, `{"texts":`+many(`{"ref":"1"}`, advisoryhttp.MaxTexts)+`}`); w.Code != 200 {
		t.Errorf("as many texts as may be: %d %.300s", w.Code, w.Body)
	}
	r := httptest.NewRequest("POST", "/api/v1/advisories/match", strings.NewReader("x"))
	r.Header.Set("Authorization", "Bearer reader")
	r.ContentLength = advisoryhttp.MaxDocument + 1
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 413 {
		t.Errorf("a large SBOM: %d %s", w.Code, w.Body)
	}
	_, large := over(t, b, wide{View: b.snap, n: advisoryhttp.MaxEntries/2 + 1})
	for _, body := range []string{`{"affected":` + many(`{"ecosystem":"a","name":"b"}`, 2) + `}`, `{"named":` + many(`"a"`, 2) + `}`} {
		if w := ask(large, "POST", query, body); w.Code != 413 || !strings.Contains(w.Body.String(), fmt.Sprintf(`"max":%d`, advisoryhttp.MaxEntries)) {
			t.Errorf("%s: %d %.300s", body, w.Code, w.Body)
		}
	}
}

// paths are the routes with names that a backend has.
func (b *backend) paths() [][2]string {
	var out [][2]string
	for _, r := range advisoryhttp.Routes() {
		path := strings.NewReplacer("{id}", "GHSA-0004", "{number}", "7", "{key}", "CVE-2024-0002", "{source}", "ghsa").Replace(r[1])
		digest := b.snap.Digest()
		switch {
		case strings.Contains(path, "/objects/"):
			digest = b.digests()[2]
		case strings.Contains(path, "/documents/"):
			digest = fakeDigest(1)
		}
		if path = strings.Replace(path, "{digest}", digest, 1); path == "/api/v1/advisories" {
			path += "?ecosystem=npm&name=p1"
		}
		out = append(out, [2]string{r[0], path})
	}
	return out
}

// TestAdmission asks each route as nobody, as a reader, and in ways that it does
// not know.
func TestAdmission(t *testing.T) {
	b := newBackend(t)
	h := b.handler()
	for i, r := range b.paths() {
		route := advisoryhttp.Routes()[i]
		body := ""
		if r[0] == "POST" {
			body = `{}`
		}
		if w := ask(h, r[0], r[1], body, "Authorization: "); w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s %s without a token: %d", r[0], r[1], w.Code)
		}
		if w := ask(h, r[0], r[1], body); (w.Code == 403) != slices.Contains(advisoryhttp.Operators(), route) {
			t.Errorf("%s %s by a reader: %d", r[0], r[1], w.Code)
		}
		joint := "?"
		if strings.Contains(r[1], "?") {
			joint = "&"
		}
		if w := ask(h, r[0], r[1]+joint+"x=1", body, "Authorization: Bearer operator"); w.Code != 400 || !strings.Contains(w.Body.String(), "query_keys") {
			t.Errorf("%s %s with a query: %d %s", r[0], r[1], w.Code, w.Body)
		}
		for _, other := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			known := other == r[0] || other == "HEAD" && r[0] == "GET"
			w := ask(h, other, r[1], body, "Authorization: Bearer operator")
			if known == (w.Code == 405) || !known && !strings.Contains(w.Header().Get("Allow"), r[0]) {
				t.Errorf("%s %s: %d, Allow %q", other, r[1], w.Code, w.Header().Get("Allow"))
			}
		}
		if r[0] == "GET" {
			get, head := ask(h, "GET", r[1], ""), ask(h, "HEAD", r[1], "")
			if get.Code != 200 || head.Code != 200 || get.Header().Get("ETag") != head.Header().Get("ETag") || get.Header().Get("Content-Length") != head.Header().Get("Content-Length") {
				t.Errorf("%s: GET %d %v, HEAD %d %v", r[1], get.Code, get.Header(), head.Code, head.Header())
			}
			if tag := get.Header().Get("ETag"); tag != "" {
				if w := ask(h, "GET", r[1], "", `If-None-Match: "x", W/`+tag); w.Code != 304 || w.Body.Len() > 0 || w.Header().Get("ETag") != tag {
					t.Errorf("%s that is known: %d", r[1], w.Code)
				}
			} else if strings.Contains(route[1], "{digest}") || strings.HasSuffix(route[1], "{number}") {
				t.Errorf("%s has no entity tag", r[1])
			}
		}
	}
	if len(b.reports) > 0 {
		t.Errorf("the operator was told: %q", b.reports)
	}
	h = b.handler()
	h.Sync = nil
	if w := ask(h, "POST", "/api/v1/advisories/sources/ghsa/sync", "", "Authorization: Bearer operator"); w.Code != 422 || !strings.Contains(w.Body.String(), "reads no sources") {
		t.Errorf("sync where nothing reads: %d %s", w.Code, w.Body)
	}
}

func TestHostilePaths(t *testing.T) {
	b := newBackend(t)
	h := b.handler()
	for _, id := range []string{"%00", "%0a", "a%7f", "..%2f..%2fetc%2fpasswd", "%252e", "%ff", strings.Repeat("a", 5000), "*", "{digest}"} {
		for _, r := range advisoryhttp.Routes() {
			path := strings.NewReplacer("{id}", id, "{number}", id, "{key}", id, "{source}", id, "{digest}", id).Replace(r[1])
			if path == r[1] {
				continue
			}
			w := ask(h, r[0], path, `{}`, "Authorization: Bearer operator")
			if w.Code != 404 || w.Header().Get("Content-Type") != "application/problem+json" || w.Body.Len() > 20_000 {
				t.Errorf("%s %.100s: %d %.300s", r[0], path, w.Code, w.Body)
			}
		}
	}
	for _, path := range []string{"/", "/api/v1/advisories/", "/api/v1//advisories", "/api/v1/advisories/../advisories", "/API/v1/advisories", "/api/v1/advisories/GHSA-0004/"} {
		if w := ask(h, "GET", path, ""); w.Code != 404 || w.Header().Get("Location") != "" {
			t.Errorf("%s: %d, Location %q", path, w.Code, w.Header().Get("Location"))
		}
	}
	if len(b.reports) > 0 {
		t.Errorf("the operator was told: %q", b.reports)
	}
}

// TestLeaks: what a backend says is told to the operator, and not to clients.
func TestLeaks(t *testing.T) {
	foreign := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("db.internal:5432 refused")}
	for name, tt := range map[string]struct {
		err    error
		status int
		want   string
	}{
		"bug":           {fmt.Errorf("read: %w", foreign), 500, "problem:internal"},
		"database away": {fmt.Errorf("read: %w: %w", foreign, fault.Unavailable), 503, "problem:unavailable"},
		"invalid":       {fmt.Errorf("read db.internal:5432: %w", fault.Invalid), 500, "problem:content-mismatch"},
		"damaged":       {&fault.MismatchError{What: "db.internal:5432", Want: "a", Got: "b"}, 500, "problem:content-mismatch"},
	} {
		b := newBackend(t)
		h := b.handler()
		for _, broken := range []string{"view", "reads"} {
			h.View = func(context.Context, string) (advisory.View, func(), error) {
				if broken == "view" {
					return nil, nil, tt.err
				}
				return wide{View: b.snap, err: tt.err}, func() {}, nil
			}
			for _, r := range [][3]string{
				{"GET", "?ecosystem=npm&name=p1"}, {"GET", "/GHSA-0004"}, {"POST", "/snapshots/" + b.snap.Digest() + "/query", `{"affected":[{"ecosystem":"npm","name":"p1"}]}`},
				{"POST", "/match", `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"type":"library","name":"p1","version":"1","purl":"pkg:npm/p1@1"}]}`},
				{"POST", "/explain", `{"purl":"pkg:npm/p1@1","vulnerability":"CVE-2024-0002"}`},
			} {
				b.reports = nil
				w := ask(h, r[0], "/api/v1/advisories"+r[1], r[2])
				if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) || strings.Contains(w.Body.String(), "5432") {
					t.Errorf("%s of the %s: %s %s: %d %s", name, broken, r[0], r[1], w.Code, w.Body)
				}
				if len(b.reports) != 1 || !strings.Contains(b.reports[0], "5432") || !strings.Contains(w.Body.String(), strings.Fields(b.reports[0])[0]) {
					t.Errorf("%s of the %s: %s %s: the client was told %s, the operator %q", name, broken, r[0], r[1], w.Body, b.reports)
				}
			}
		}
	}
}
