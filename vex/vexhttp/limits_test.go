package vexhttp_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/vexhttp"
)

// ask sends a request as somebody, without a network.
func ask(h http.Handler, method, path, token string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestRights: who may not is refused, whatever the scope, before anything is read.
func TestRights(t *testing.T) {
	s := newService(t)
	h := s.handler()
	for _, r := range vexhttp.Restricted() {
		for _, c := range []struct {
			token, scope string
			want         int
		}{{"ben", "own", 403}, {"ben", "public", 403}, {"ann", "public", 403}, {"op", "own", 403}, {"nobody", "own", 401}, {"nobody", "public", 401}} {
			if w := ask(h, r[0], r[1]+"?scope="+c.scope, c.token, []byte(`{"issuers":[]}`)); w.Code != c.want {
				t.Errorf("%s %s of %s as %s: %d %s", r[0], r[1], c.scope, c.token, w.Code, w.Body)
			}
		}
	}
	if len(s.changed) > 0 {
		t.Errorf("changed: %q", s.changed)
	}
	for _, r := range vexhttp.Routes() { // nothing is for strangers
		if w := ask(h, r[0], strings.NewReplacer("{digest}", fakeDigest(1), "{number}", "1").Replace(r[1]), "nobody", nil); w.Code != 401 {
			t.Errorf("%s %s as nobody: %d", r[0], r[1], w.Code)
		}
	}
	// An operator writes what is public, and everybody reads it.
	op := s.client("op", vexhttp.Public)
	if _, err := op.Upload(t.Context(), "a", []byte(openVEX("a", 1, "CVE-2026-9", "affected", "pkg:npm/x@1"))); err != nil {
		t.Fatal(err)
	}
	s.publish("")
	for token, scope := range map[string]vexhttp.Scope{"ben": vexhttp.Public, "eve": vexhttp.Public} {
		if got, err := s.client(token, scope).Statements(t.Context(), "CVE-2026-9", ""); err != nil || len(got) != 1 {
			t.Errorf("%s: %d statements, %v", token, len(got), err)
		}
	}
	s.publish("acme")
	if got, err := s.client("ben", vexhttp.Own).Statements(t.Context(), "CVE-2026-9", ""); err != nil || len(got) != 0 {
		t.Errorf("what is public is mixed into a tenant's own: %d statements, %v", len(got), err)
	}
}

func TestLimits(t *testing.T) {
	s := newService(t)
	h := s.handler()
	names := `"CVE-1"` + strings.Repeat(`,"CVE-1"`, vexhttp.MaxNames)
	query := "/api/v1/vex/snapshots/" + fakeDigest(1) + "/query"
	for name, c := range map[string]struct {
		method, path, token string
		body                []byte
	}{
		"many names":   {"POST", query, "ben", []byte(`{"vulnerabilities":[` + names + `]}`)},
		"a long query": {"POST", query, "ben", []byte(`{"vulnerabilities":["` + strings.Repeat("x", vexhttp.MaxBody) + `"]}`)},
		"a long trust": {"PUT", "/api/v1/vex/trust", "ann", []byte(`{"issuers":[{"id":"` + strings.Repeat("x", vexhttp.MaxTrust) + `"}]}`)},
		"many issuers": {"PUT", "/api/v1/vex/trust", "ann", []byte(`{"issuers":[{}` + strings.Repeat(",{}", vex.MaxIssuers) + `]}`)},
		"a large file": {"POST", "/api/v1/vex/documents", "ann", make([]byte, vexhttp.MaxDocument+1)},
	} {
		w := ask(h, c.method, c.path, c.token, c.body)
		if w.Code != 413 || !strings.Contains(w.Body.String(), `"limit"`) {
			t.Errorf("%s: %d %.300s", name, w.Code, w.Body)
		}
	}
	client := s.client("ann", "")
	if _, err := client.Upload(t.Context(), "", make([]byte, vexhttp.MaxDocument+1)); !errors.Is(err, vexhttp.ErrLimit) {
		t.Errorf("a client sends what is too long: %v", err)
	}
	for _, u := range []string{"", "ftp://x", "https://user:secret@x", "https://x?a=b"} {
		if _, err := (&vexhttp.Client{URL: u}).Sources(t.Context()); !errors.Is(err, vexhttp.ErrInvalid) || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("URL %q: %v", u, err)
		}
	}
	// Without snapshots, and without anybody who is told.
	bare := &vexhttp.Handler{Scope: h.Scope, Identify: h.Identify}
	for _, path := range []string{query, strings.TrimSuffix(query, "/query")} {
		method := map[bool]string{true: "POST", false: "GET"}[strings.HasSuffix(path, "/query")]
		if w := ask(bare, method, path, "ben", []byte(`{"vulnerabilities":[]}`)); w.Code != 422 || !strings.Contains(w.Body.String(), "unsupported") {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
}

// FuzzHandler sends any body to each route. The service never breaks, and answers
// only with statuses that it documents.
func FuzzHandler(f *testing.F) {
	for i := range vexhttp.Routes() {
		for _, s := range []string{openVEX("a", 1, "CVE-2026-1", "affected", "pkg:npm/x@1"), `{"issuers":[]}`, `{"vulnerabilities":["CVE-2026-1"]}`, `{"issuers":[{"id":"a","tier":1,"sources":["s"],"products":["pkg:npm/x"],"unsigned":["fixed"]}]}`,
			`{"document":{"category":"csaf_vex"}}`, `{"payload":"","payloadType":"","signatures":[]}`, `[`, "\xff"} {
			f.Add(i, []byte(s))
		}
	}
	s := newService(f) // all inputs of this process share it
	h := s.handler()
	f.Fuzz(func(t *testing.T, n int, text []byte) {
		r := vexhttp.Routes()[uint(n)%uint(len(vexhttp.Routes()))]
		path := strings.NewReplacer("{digest}", vex.NewSet(nil).Digest(), "{number}", "current").Replace(r[1])
		switch w := ask(h, r[0], path, "ann", text); w.Code {
		case 200, 201, 400, 404, 413, 422:
		default:
			t.Fatalf("%s %s answers %d %s", r[0], path, w.Code, w.Body)
		}
	})
}
