package scanhttp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/scanhttp"
)

// trouble is a store whose database is in trouble.
type trouble struct {
	scan.Store
	scan.Jobs
	err error
}

func (s trouble) Job(context.Context, string) (*scan.Job, error) { return nil, s.err }
func (s trouble) Heartbeat(context.Context, scan.Lease) (*scan.Lease, error) {
	return nil, s.err
}

// TestErrors brings an error of each kind through handler and client.
func TestErrors(t *testing.T) {
	g := newRig(t)
	foreign := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("db.internal:5432 refused")}
	for name, test := range map[string]struct {
		err    error
		status int
		want   error
		told   bool // the operator, and not the client
	}{
		"invalid":       {fmt.Errorf("why: %w", fault.Invalid), 422, scanhttp.ErrInvalid, false},
		"unsupported":   {fmt.Errorf("why: %w", fault.Unsupported), 422, scanhttp.ErrUnsupported, false},
		"not found":     {fmt.Errorf("why: %w", fault.NotFound), 404, scanhttp.ErrNotFound, false},
		"conflict":      {fmt.Errorf("why: %w", fault.Conflict), 409, scanhttp.ErrConflict, false},
		"fenced":        {fmt.Errorf("why: %w", fault.Fenced), 409, scanhttp.ErrFenced, false},
		"forbidden":     {fmt.Errorf("why: %w", fault.Forbidden), 403, scanhttp.ErrForbidden, false},
		"token":         {fmt.Errorf("why: %w", fault.Unauthenticated), 401, scanhttp.ErrUnauthenticated, false},
		"limit":         {&fault.LimitError{What: "why", Where: "x", Max: 1}, 413, scanhttp.ErrLimit, false},
		"mismatch":      {&fault.MismatchError{What: "why", Want: "a", Got: "b"}, 422, scanhttp.ErrMismatch, false},
		"not due":       {fmt.Errorf("why: %w", fault.Unavailable), 503, scanhttp.ErrUnavailable, false},
		"database away": {fmt.Errorf("read: %w: %w", foreign, fault.Unavailable), 503, scanhttp.ErrUnavailable, true},
		"bug":           {fmt.Errorf("read: %w", foreign), 500, nil, true},
		"corrupt":       {fmt.Errorf("read: %w: %w", foreign, fault.Invalid), 500, nil, true},
	} {
		g.handler.Store = func(string) (scan.Store, error) { return trouble{err: test.err}, nil }
		g.handler.Jobs = func(string) (scan.Jobs, error) { return trouble{err: test.err}, nil }
		g.reports = nil
		a := g.send(t, "acme/ann", "GET", "/api/v1/scans/scan-1", nil)
		if a.StatusCode != test.status || a.Header.Get("Content-Type") != "application/problem+json" || strings.Contains(string(a.body), "why") == test.told {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
		if (a.Header.Get("Retry-After") != "") != (test.status == 503) {
			t.Errorf("%s: Retry-After %q", name, a.Header.Get("Retry-After"))
		}
		if strings.Contains(string(a.body), "5432") {
			t.Errorf("%s tells the client %s", name, a.body)
		}
		if test.told != (len(g.reports) == 1 && strings.Contains(g.reports[0], "5432") && strings.Contains(string(a.body), strings.Fields(g.reports[0])[0])) {
			t.Errorf("%s: the client was told %s, the operator %q", name, a.body, g.reports)
		}
		c := g.client("acme/w/worker")
		c.Attempts = 1
		_, e1 := c.Job(t.Context(), "scan-1")
		_, e2 := c.Heartbeat(t.Context(), scan.Lease{JobID: "scan-1", Epoch: 1})
		for _, err := range []error{e1, e2} {
			if err == nil || test.want != nil && !errors.Is(err, test.want) || test.want == nil && fault.KindOf(err) != "" {
				t.Errorf("%s comes back as %v", name, err)
			}
		}
	}
	g.handler.Store = func(string) (scan.Store, error) { return nil, fmt.Errorf("tenant: %w", fault.Invalid) }
	if a := g.send(t, "acme/ann", "GET", "/api/v1/scans/scan-1", nil); a.StatusCode != 500 {
		t.Errorf("a tenant that the store refuses: %d %s", a.StatusCode, a.body)
	}
}

// TestAdmission asks each route as nobody, as nobody's, as a person, and in ways
// that it does not know.
func TestAdmission(t *testing.T) {
	g := newRig(t)
	id := g.submit(t, "acme", "alpine")
	for _, r := range scanhttp.Routes() {
		method, path := r[0], strings.NewReplacer("{scan_id}", id, "{format}", "spdx-json").Replace(r[1])
		var body []byte
		if method == "POST" {
			body = []byte(`{}`)
		}
		if a := g.send(t, "", method, path, body); a.StatusCode != 401 || a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s %s without a token: %d", method, path, a.StatusCode)
		}
		if a := g.send(t, "/ann/worker", method, path, body); a.StatusCode != 403 {
			t.Errorf("%s %s without a tenant: %d", method, path, a.StatusCode)
		}
		worker := strings.Contains("claim heartbeat resolve complete fail", filepath.Base(path))
		if a := g.send(t, "acme/ann", method, path, body); (a.StatusCode == 403) != worker {
			t.Errorf("%s %s by a person: %d", method, path, a.StatusCode)
		}
		if a := g.send(t, "acme/w/worker", method, path+"?x=1", body); a.StatusCode != 400 || !strings.Contains(string(a.body), "query_keys") {
			t.Errorf("%s %s with a query: %d %s", method, path, a.StatusCode, a.body)
		}
		for _, other := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			known := false
			for _, o := range scanhttp.Routes() {
				known = known || o[1] == r[1] && (o[0] == other || o[0] == "GET" && other == "HEAD")
			}
			a := g.send(t, "acme/w/worker", other, path, body)
			if known == (a.StatusCode == 405) || !known && !strings.Contains(a.Header.Get("Allow"), method) || strings.Contains(a.Header.Get("Allow"), other) {
				t.Errorf("%s %s: %d, Allow %q", other, path, a.StatusCode, a.Header.Get("Allow"))
			}
		}
		if method == "POST" {
			for name, bad := range map[string]struct {
				body   []byte
				header string
				status int
			}{
				"no JSON": {[]byte(`{`), "", 400}, "array": {[]byte(`[]`), "", 400}, "unknown member": {[]byte(`{"tenant":"other"}`), "", 400}, "no body": {nil, "Content-Type: application/json", 400},
				"form": {[]byte(`a=b`), "Content-Type: application/x-www-form-urlencoded", 415}, "deep": {[]byte(strings.Repeat("[", 100)), "", 400},
				"long": {append([]byte(`{}`), bytes.Repeat([]byte(" "), scanhttp.MaxBody)...), "Expect: 100-continue", 413},
			} {
				if name == "long" && (strings.HasSuffix(path, "/complete") || path == "/api/v1/scans") {
					bad.status = 422 // the limit is another one, of results and of SBOMs, and the body is empty
				}
				if a := g.send(t, "acme/w/worker", method, path, bad.body, bad.header); a.StatusCode != bad.status {
					t.Errorf("%s %s with %s: %d %s", method, path, name, a.StatusCode, a.body)
				}
			}
		}
	}
	if len(g.reports) > 0 {
		t.Errorf("the operator was told: %q", g.reports)
	}
	long := append([]byte(`{}`), bytes.Repeat([]byte(" "), scanhttp.MaxResults)...)
	if a := g.send(t, "acme/w/worker", "POST", "/api/v1/scans/"+id+"/complete", long, "Expect: 100-continue"); a.StatusCode != 413 || !strings.Contains(string(a.body), `"max":67108864`) {
		t.Errorf("results over their limit: %d %s", a.StatusCode, a.body)
	}
}

func TestHostilePaths(t *testing.T) {
	g := newRig(t)
	g.submit(t, "acme", "alpine")
	for _, id := range []string{"scan-", "SCAN-1", "scan-A", "scan-1%00", "scan-1%0a", "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%252e", "scan-1;x", "scan-1'--", "scan-%F0%9F%98%80", "scan-1%20", strings.Repeat("scan-", 100), "%ff", "-", "*", "{scan_id}", "scan-1.."} {
		for _, r := range scanhttp.Routes() {
			if !strings.Contains(r[1], "{scan_id}") {
				continue
			}
			path := strings.NewReplacer("{scan_id}", id, "{format}", "x").Replace(r[1])
			if a := g.send(t, "acme/w/worker", r[0], path, []byte(`{}`)); a.StatusCode != 404 || a.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s: %d %s", r[0], path, a.StatusCode, a.body)
			}
		}
	}
	for _, path := range []string{"/", "/api/v1/scans/", "/api/v1//scans", "/api/v1/scans/../scans", "//api/v1/scans", "/api/v1/scans/./x", "/API/v1/scans", "/api/v1/scans/scan-1/"} {
		if a := g.send(t, "acme/ann", "GET", path, nil); a.StatusCode != 404 || a.Header.Get("Location") != "" {
			t.Errorf("%s: %d, Location %q", path, a.StatusCode, a.Header.Get("Location"))
		}
	}
	id := g.submit(t, "acme", "alpine")
	g.complete(t, "acme", id)
	for _, format := range []string{"..", "%2e%2e%2fx", "stella-json%00", "x'y", strings.Repeat("f", 5000)} {
		if a := g.send(t, "acme/ann", "GET", "/api/v1/scans/"+id+"/documents/"+format, nil); a.StatusCode != 404 || len(a.body) > 10_000 {
			t.Errorf("format %.20s: %d", format, a.StatusCode)
		}
	}
	for _, keys := range [][]string{{"Idempotency-Key: a", "Idempotency-Key: b"}, {"Idempotency-Key: \xff"}, {"Idempotency-Key: " + strings.Repeat("k", scan.MaxKey+1)}} {
		if a := g.send(t, "acme/ann", "POST", "/api/v1/scans", []byte(`{"image_ref":"alpine"}`), keys...); a.StatusCode != 400 {
			t.Errorf("keys %.40q: %d", keys, a.StatusCode)
		}
	}
	for _, query := range []string{"%zz", "limit=0", "limit=-1", "limit=1e3", "limit=99999999999999999999", "state=%00", "a;b", "after=9.%ff'"} {
		if a := g.send(t, "acme/ann", "GET", "/api/v1/scans?"+query, nil); a.StatusCode != 400 && query != "after=9.%ff'" || a.StatusCode >= 500 {
			t.Errorf("query %s: %d %s", query, a.StatusCode, a.body)
		}
	}
	if len(g.reports) > 0 {
		t.Errorf("the operator was told: %q", g.reports)
	}
}

// TestTenants: nobody sees or changes what belongs to another tenant, whatever
// the request says.
func TestTenants(t *testing.T) {
	g := newRig(t)
	id := g.submit(t, "acme", "alpine")
	g.complete(t, "acme", id)
	claims := []string{"X-Tenant: acme", "X-Stella-Tenant: acme", "X-Forwarded-User: ann", "Forwarded: for=acme"}
	for _, r := range scanhttp.Routes() {
		if !strings.Contains(r[1], "{scan_id}") {
			continue
		}
		body := []byte(nil)
		switch {
		case strings.HasSuffix(r[1], "/claim"):
			body = []byte(`{"holder":"eve","length_ns":15000000000}`)
		case strings.HasSuffix(r[1], "/cancel"):
			body = []byte(`{}`)
		case strings.HasSuffix(r[1], "/complete"):
			body = []byte(`{"lease":{"epoch":1,"holder":"w1","length_ns":15000000000,"attempt":1},"results":{"sbom_digest":"sha256:1","documents":[{"format":"stella-json","media_type":"a/b","name":"x","digest":"sha256:1","size":1}],"packages":[]}}`)
		case r[0] == "POST":
			body = []byte(`{"lease":{"epoch":1,"holder":"w1","length_ns":15000000000,"attempt":1}}`)
		}
		path := strings.NewReplacer("{scan_id}", id, "{format}", "stella-json").Replace(r[1])
		a := g.send(t, "evil/eve/worker", r[0], path, body, claims...)
		missing := a.StatusCode == 404 || strings.HasSuffix(path, "/heartbeat") && a.StatusCode == 409
		if !missing || strings.Contains(string(a.body), "alpine") {
			t.Errorf("%s %s: %d %s", r[0], path, a.StatusCode, a.body)
		}
	}
	if a := g.send(t, "evil/eve", "GET", "/api/v1/scans", nil, claims...); string(a.body) != "{\"scans\":[]}\n" {
		t.Errorf("list: %s", a.body)
	}
	a := g.send(t, "evil/eve", "POST", "/api/v1/scans", []byte(`{"image_ref":"alpine"}`), append(claims, "Prefer: return=representation")...)
	if !strings.Contains(string(a.body), `"owner":"eve"`) {
		t.Errorf("the owner of a submission: %s", a.body)
	}
	// The same key of two tenants is two keys.
	one := g.send(t, "acme/ann", "POST", "/api/v1/scans", []byte(`{"image_ref":"a"}`), "Idempotency-Key: k")
	two := g.send(t, "evil/ann", "POST", "/api/v1/scans", []byte(`{"image_ref":"b"}`), "Idempotency-Key: k")
	if one.StatusCode != 202 || two.StatusCode != 202 || bytes.Equal(one.body, two.body) {
		t.Errorf("%s and %s", one.body, two.body)
	}
}

// TestDocuments reads documents that are kept inline, as objects, and damaged.
// testContent: a client has the bytes that a document's reference names, or none.
func testContent(t *testing.T, g *rig, id string, want map[string][]byte) {
	t.Helper()
	c := g.client("acme/ann")
	list, err := c.Documents(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		d := &list[i]
		if body, ok := want[d.Format]; ok {
			if got, err := c.Content(t.Context(), id, d, 4<<20); err != nil || !bytes.Equal(got, body) {
				t.Errorf("%s: %d bytes, %v", d.Format, len(got), err)
			}
		}
		d.Content = nil // it is asked for
		if d.Ref.Size > 1000 {
			if _, err := c.Content(t.Context(), id, d, 1000); !errors.Is(err, scanhttp.ErrLimit) {
				t.Errorf("%s, which is too large: %v", d.Format, err)
			}
		}
		d.Ref.Digest = "sha256:" + strings.Repeat("0", 64)
		if _, err := c.Content(t.Context(), id, d, 4<<20); !errors.Is(err, scanhttp.ErrMismatch) {
			t.Errorf("%s, which has other bytes: %v", d.Format, err)
		}
		if _, err := c.Content(t.Context(), "no scan", d, 4<<20); !errors.Is(err, scanhttp.ErrNotFound) {
			t.Errorf("%s of no scan: %v", d.Format, err)
		}
	}
}

func TestDocuments(t *testing.T) {
	g := newRig(t)
	id := g.submit(t, "acme", "alpine")
	large := bytes.Repeat([]byte("0123456789abcdef"), 200_000) // 3.2 MB, four chunks
	small := []byte("SPDXVersion: SPDX-2.3\n")
	evil := []byte("<script>alert(1)</script>")
	wrong := scan.Stored{Format: "inline-wrong", MediaType: "application/json", Name: "../../x\"\r\n", Ref: g.put(t, "acme", small), Content: []byte("something else")}
	lost := scan.Stored{Format: "lost", MediaType: "application/json", Name: "lost", Ref: g.put(t, "acme", []byte("lost"))}
	g.complete(t, "acme", id,
		scan.Stored{Format: "large", MediaType: "application/spdx+json", Name: "sbom.spdx.json", Ref: g.put(t, "acme", large)},
		scan.Stored{Format: "tag-value", MediaType: "text/spdx; charset=utf-8", Name: "sbom.spdx", Ref: g.put(t, "acme", small), Content: small},
		scan.Stored{Format: "evil", MediaType: "text/html", Name: ".htaccess", Ref: g.put(t, "acme", evil), Content: evil}, wrong, lost)
	path := "/api/v1/scans/" + id + "/documents/"
	for format, want := range map[string]struct {
		body []byte
		kind string
		name string
	}{
		"large": {large, "application/spdx+json", "sbom.spdx.json"}, "tag-value": {small, "text/spdx; charset=utf-8", "sbom.spdx"},
		"evil": {evil, "application/octet-stream", "document"}, "inline-wrong": {small, "application/json", "document"},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			a := g.send(t, "acme/ann", method, path+format, nil)
			body := want.body
			if method == "HEAD" {
				body = nil
			}
			if a.StatusCode != 200 || !bytes.Equal(a.body, body) || a.ContentLength != int64(len(want.body)) || a.Header.Get("Content-Type") != want.kind || a.Header.Get("X-Content-Type-Options") != "nosniff" ||
				a.Header.Get("Content-Disposition") != `attachment; filename="`+id+"-"+want.name+`"` || a.Header.Get("ETag") != fmt.Sprintf(`"sha256:%x"`, sha256.Sum256(want.body)) {
				t.Errorf("%s %s: %d, %d bytes, %v", method, format, a.StatusCode, len(a.body), a.Header)
			}
		}
		tag := g.send(t, "acme/ann", "HEAD", path+format, nil).Header.Get("ETag")
		for _, known := range []string{tag, "W/" + tag, `"a", ` + tag, "*"} {
			if a := g.send(t, "acme/ann", "GET", path+format, nil, "If-None-Match: "+known); a.StatusCode != 304 || len(a.body) > 0 {
				t.Errorf("%s that is known as %s: %d", format, known, a.StatusCode)
			}
		}
		if a := g.send(t, "acme/ann", "GET", path+format, nil, `If-None-Match: "other"`); a.StatusCode != 200 {
			t.Errorf("%s of which another is known: %d", format, a.StatusCode)
		}
	}
	testContent(t, g, id, map[string][]byte{"large": large, "tag-value": small, "evil": evil})
	damage(t, g.folder, lost.Ref.Digest, 0)
	g.reports = nil
	a := g.send(t, "acme/ann", "GET", path+"lost", nil)
	if a.StatusCode != 500 || !strings.Contains(string(a.body), "urn:stella:problem:content-mismatch") || !strings.Contains(string(a.body), "request_id") || len(g.reports) != 1 || a.Header.Get("ETag") != "" {
		t.Errorf("a damaged object: %d %s, operator %q", a.StatusCode, a.body, g.reports)
	}
	// Damage after the first chunk: what was sent before is right, and the client
	// sees that the rest is missing.
	damage(t, g.folder, fmt.Sprintf("sha256:%x", sha256.Sum256(large)), 2<<20)
	r, _ := http.NewRequest("GET", g.server.URL+path+"large", nil)
	r.Header.Set("Authorization", "Bearer acme/ann")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got bytes.Buffer
	if _, err := got.ReadFrom(resp.Body); err == nil || !bytes.HasPrefix(large, got.Bytes()) || got.Len() >= len(large) {
		t.Errorf("a document that is damaged within: %d bytes, %v", got.Len(), err)
	}
}

// damage changes a byte of a kept object.
func damage(t *testing.T, folder, digest string, at int64) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, strings.TrimPrefix(digest, "sha256:")) {
			return err
		}
		n++
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		b[at] ^= 1
		os.Chmod(p, 0o600)
		return os.WriteFile(p, b, 0o600)
	})
	if err != nil || n != 1 {
		t.Fatalf("%d files damaged: %v", n, err)
	}
}

func TestSubmitAcceptsRegistriesOnly(t *testing.T) {
	g := newRig(t)
	for _, ref := range []string{"dir:/etc", "docker-archive:/tmp/x.tar", "oci:x", "oci-archive:x", "oci-dir:x", "docker:alpine", "docker-daemon:alpine", "podman:alpine", "sbom:x", "/etc", "./x", "x.tar", "file:///etc/passwd", "http://a/b"} {
		a := g.send(t, "acme/ann", "POST", "/api/v1/scans", []byte(fmt.Sprintf(`{"image_ref":%q}`, ref)))
		scheme, _, named := strings.Cut(ref, ":")
		if a.StatusCode != 422 || !strings.Contains(string(a.body), "problem:unsupported") || named && !strings.Contains(string(a.body), "scheme "+scheme) {
			t.Errorf("%s: %d %s", ref, a.StatusCode, a.body)
		}
	}
	for _, ref := range []string{"alpine", "docker://alpine:3", "registry:localhost:5000/a", "ghcr.io/a/b@sha256:" + strings.Repeat("a", 64)} {
		if a := g.send(t, "acme/ann", "POST", "/api/v1/scans", []byte(fmt.Sprintf(`{"image_ref":%q}`, ref))); a.StatusCode != 202 {
			t.Errorf("%s: %d %s", ref, a.StatusCode, a.body)
		}
	}
	a := g.send(t, "acme/ann", "POST", "/api/v1/scans", []byte(`{"image_ref":"ann:hunter2@registry.example/a"}`))
	if a.StatusCode != 422 || strings.Contains(string(a.body), "hunter2") {
		t.Errorf("a password: %d %s", a.StatusCode, a.body)
	}
}

// TestSubmitKnowsFormats: a format that no worker writes is refused at once.
func TestSubmitKnowsFormats(t *testing.T) {
	g := newRig(t)
	for format, want := range map[string]int{"pdf": 422, "syft-json": 422, "cyclonedx-json@0.1": 422, "spdx-json": 202, "cyclonedx-xml@1.4": 202} {
		a := g.send(t, "acme/ann", "POST", "/api/v1/scans", []byte(fmt.Sprintf(`{"image_ref":"alpine","formats":[%q]}`, format)))
		if a.StatusCode != want || want == 422 && (!strings.Contains(string(a.body), format) || !strings.Contains(string(a.body), "spdx-tag-value")) {
			t.Errorf("%s: %d %s", format, a.StatusCode, a.body)
		}
	}
}
