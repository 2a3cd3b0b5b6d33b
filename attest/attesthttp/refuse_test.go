package attesthttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/internal/fault"
)

const (
	spdxType     = "Content-Type: application/spdx+json"
	envelopeType = "Content-Type: " + attesthttp.TypeEnvelope
	bundleType   = "Content-Type: " + attesthttp.TypeBundle
	linesType    = "Content-Type: " + attesthttp.TypeLines
)

// TestRefusals sends what is wrong, each in one way.
func TestRefusals(t *testing.T) {
	g := newRig(t)
	g.want(t, "acme", export.Sign)
	id := g.scan(t, "acme", image(0), true)
	g.made(t, "acme", id, export.SPDX)
	const none = "/scans/scan-aaaaaaaaaaaaaaaaaaaaaaaaaa"
	const ann, olga = "acme/ann", "acme/olga/operator"
	sha := digest("none")
	exported := "/scans/" + id + "/export?format=spdx"
	target := func(text string) string { return `{"mode":"sign","formats":null,"targets":[` + text + `]}` }
	for _, c := range []struct {
		token, method, path, body string
		header                    string
		want                      int
	}{
		// who asks
		{"", "POST", "/sign", "{}", "", 401}, {"/ann", "POST", "/attest", "{}", envelopeType, 403}, {"/ann", "GET", exported, "", "", 403}, {"", "GET", "/trust-root", "", "", 401},
		{ann, "PUT", "/export-settings", "{}", `If-Match: "0"`, 403},
		// paths and methods
		{ann, "GET", "/nothing", "", "", 404}, {ann, "GET", "/attestations/", "", "", 404}, {ann, "GET", "/attestations/a%2Fb", "", "", 404}, {ann, "GET", "/scans/../attestations", "", "", 404}, {ann, "GET", "/scans/%00/exports", "", "", 404},
		{ann, "GET", "/scans/scan-A/exports", "", "", 404}, {ann, "GET", "/scans/" + strings.Repeat("a", 2000) + "/export?format=spdx", "", "", 404}, {ann, "GET", "/attestations/SHA256:" + sha[7:], "", "", 404}, {ann, "GET", "/attestations/" + sha, "", "", 404},
		{ann, "TRACE", "/attestations", "", "", 405}, {ann, "PATCH", "/export-settings", "{}", "", 405}, {ann, "GET", "/sign", "", "", 405}, {ann, "DELETE", exported, "", "", 405}, {ann, "PUT", "/attest", "{}", envelopeType, 405},
		// queries
		{ann, "GET", "/attestations?limit=0", "", "", 400}, {ann, "GET", "/attestations?limit=1001", "", "", 400}, {ann, "GET", "/attestations?limit=1e2", "", "", 400}, {ann, "GET", "/attestations?order=x", "", "", 400},
		{ann, "GET", "/attestations?limit=1&limit=1", "", "", 400}, {ann, "GET", "/attestations?after=x", "", "", 400}, {ann, "GET", "/attestations?subject=x", "", "", 400}, {ann, "GET", "/attestations?subject=", "", "", 400},
		{ann, "GET", "/attestations?predicate_type=spd", "", "", 400}, {ann, "GET", "/attestations?scan_id=../x", "", "", 404}, {ann, "GET", "/attestations?a=%zz", "", "", 400}, {ann, "GET", "/attestations?" + strings.Repeat("a=b&", 10000), "", "", 400},
		{ann, "GET", "/scans/" + id + "/export", "", "", 400}, {ann, "GET", exported + "&format=csv", "", "", 400}, {ann, "GET", "/scans/" + id + "/export?format=SPDX", "", "", 400}, {ann, "GET", "/scans/" + id + "/export?format=csv", "", "", 404},
		{ann, "GET", none + "/export?format=spdx", "", "", 404}, {ann, "GET", none + "/exports", "", "", 404}, {ann, "POST", none + "/exports", "{}", "", 404},
		// headers
		{ann, "GET", exported, "", "Accept: text/html", 406}, {ann, "GET", exported, "", "Accept: x", 400}, {ann, "GET", "/attestations/" + sha, "", "Accept: image/png", 406}, {ann, "GET", exported, "", "Range: bytes=5-1", 400}, {ann, "GET", exported, "", "Range: bytes=9999999-", 416},
		{ann, "GET", exported, "", `If-Match: "x"`, 412}, {olga, "PUT", "/export-settings", "{}", "X: y", 428}, {olga, "PUT", "/export-settings", "{}", `If-Match: *`, 400}, {olga, "PUT", "/export-settings", "{}", `If-Match: W/"1"`, 400},
		{olga, "PUT", "/export-settings", "{}", `If-Match: "01"`, 400}, {olga, "PUT", "/export-settings", "{}", `If-Match: "1", "2"`, 400}, {olga, "PUT", "/export-settings", "{}", `If-Match: "99999999999999999999"`, 400},
		{olga, "PUT", "/export-settings", `{"mode":"off","formats":null}`, `If-Match: "7"`, 412},
		// bodies
		{ann, "POST", "/sign", `{`, "", 400}, {ann, "POST", "/sign", `{}`, "", 422}, {ann, "POST", "/sign", `{"scan_id":"` + id + `"}`, "", 422}, {ann, "POST", "/sign", `{"scan_id":"` + id + `","predicate_type":"spdx","tenant":"other"}`, "", 400},
		{ann, "POST", "/sign", `{"scan_id":"` + id + `","scan_id":"` + id + `","predicate_type":"spdx"}`, "", 400}, {ann, "POST", "/sign", `{"scan_id":"` + id + `","predicate_type":"spdx"} x`, "", 400}, {ann, "POST", "/sign", strings.Repeat("[", 1e5), "", 400},
		{ann, "POST", "/sign", `{"scan_id":"` + id + `","predicate_type":"spdx","digest":"x"}`, "", 422}, {ann, "POST", "/sign", `{"scan_id":"` + id + `","predicate_type":"spdx","digest":"` + sha + `"}`, "", 422}, {ann, "POST", "/sign", `{"scan_id":"` + id + `","predicate_type":"verdict"}`, "", 404},
		{ann, "POST", "/sign", `{"scan_id":"` + id + `","predicate_type":"spdx","key_id":"x"}`, "", 404}, {ann, "POST", "/sign", `{"scan_id":"x","predicate_type":"spdx"}`, "", 404}, {ann, "POST", "/sign?scan_id=" + id, `{"scan_id":"` + id + `","predicate_type":"spdx"}`, "", 400},
		{ann, "POST", "/sign", `{"scan_id":"\ud800","predicate_type":"spdx"}`, "", 400}, {ann, "POST", "/sign", `{"scan_id":"` + strings.Repeat("a", attesthttp.MaxBody) + `"}`, "", 413},
		{ann, "POST", "/sign?scan_id=" + id, `{"a":1}`, spdxType, 422}, {ann, "POST", "/sign", `{"a":1}`, spdxType, 400}, {ann, "POST", "/sign?scan_id=" + id, `x`, "Content-Type: text/plain", 415}, {ann, "POST", "/sign?scan_id=" + id, `x`, spdxType + "; charset=utf-16", 415},
		{ann, "POST", "/attest", `{`, envelopeType, 422}, {ann, "POST", "/attest", `{}`, envelopeType, 422}, {ann, "POST", "/attest", `{"payload":"","payload":"","payloadType":"x","signatures":[]}`, envelopeType, 422}, {ann, "POST", "/attest", `{}`, "", 415},
		{ann, "POST", "/attest", `{"payloadType":"x","payload":"e30=","signatures":[{"sig":"AA=="}]}`, envelopeType, 422}, {ann, "POST", "/attest?scan_id=x", `{}`, envelopeType, 404}, {ann, "POST", "/attest?scan=x", `{}`, envelopeType, 400},
		{ann, "POST", "/attestations/verify", `{}`, "", 415}, {ann, "POST", "/attestations/verify", `{}`, bundleType, 422}, {ann, "POST", "/attestations/verify", ``, linesType, 422}, {ann, "POST", "/attestations/verify?evidence=true", `{}`, bundleType, 400},
		{ann, "POST", "/attestations/verify?logged=1", `{}`, bundleType, 400}, {ann, "POST", "/attestations/verify?threshold=-1", `{}`, bundleType, 400}, {ann, "POST", "/attestations/verify?max_age=0", `{}`, bundleType, 400}, {ann, "POST", "/attestations/verify?max_age=-5h", `{}`, bundleType, 400},
		{ann, "POST", "/attestations/verify?digest=x", `{}`, bundleType, 400}, {ann, "POST", "/attestations/verify?subject=,", `{}`, bundleType, 400}, {ann, "POST", "/attestations/verify?at=2020-01-01T00:00:00Z", `{}`, bundleType, 400}, {ann, "POST", "/attestations/verify?digest=" + sha, `{}`, bundleType, 422},
		{ann, "POST", "/attestations/verify", strings.Repeat("[", 1e5), bundleType, 422},
		{ann, "POST", "/scans/" + id + "/exports", `{"formats":[]}`, "", 422}, {ann, "POST", "/scans/" + id + "/exports", `{"formats":["pdf"]}`, "", 422}, {ann, "POST", "/scans/" + id + "/exports", `{"formats":["spdx","spdx"]}`, "", 422}, {ann, "POST", "/scans/" + id + "/exports", ``, "", 415},
		{ann, "POST", "/scans/" + id + "/exports", `{"formats":"spdx"}`, "", 400}, {ann, "POST", "/scans/" + id + "/exports", `{"key":"x"}`, "", 400},
		{olga, "PUT", "/export-settings", `{}`, `If-Match: "1"`, 422}, {olga, "PUT", "/export-settings", `{"mode":"always"}`, `If-Match: "1"`, 422}, {olga, "PUT", "/export-settings", `{"mode":"off","formats":["evidence"]}`, `If-Match: "1"`, 422}, {olga, "PUT", "/export-settings", `{"mode":"off","number":1}`, `If-Match: "1"`, 400},
		{olga, "PUT", "/export-settings", target(`{"name":"a","url":"file:/etc"}`), `If-Match: "1"`, 403}, {olga, "PUT", "/export-settings", target(`{"name":"a","url":"gopher://x/"}`), `If-Match: "1"`, 422}, {olga, "PUT", "/export-settings", target(`{"name":"a","url":"http://x/"}`), `If-Match: "1"`, 422},
		{olga, "PUT", "/export-settings", target(`{"name":"a","url":"https://ann:secret@x/"}`), `If-Match: "1"`, 422}, {olga, "PUT", "/export-settings", target(`{"name":"a","url":"https:///x"}`), `If-Match: "1"`, 422}, {olga, "PUT", "/export-settings", target(`{"name":"a","url":"https://x/\n"}`), `If-Match: "1"`, 422},
		{olga, "PUT", "/export-settings", target(`{"name":"a","url":"https://x/","secret":"hunter2"}`), `If-Match: "1"`, 422}, {olga, "PUT", "/export-settings", target(`{"name":"a\u0000","url":"https://x/"}`), `If-Match: "1"`, 422}, {olga, "PUT", "/export-settings", target(`{"name":"a","url":"s3:bucket"}`), `If-Match: "1"`, 422},
		{olga, "PUT", "/export-settings", target(`{"name":"a","url":"https://x/"},{"name":"a","url":"https://y/"}`), `If-Match: "1"`, 422},
	} {
		var header []string
		if c.header != "" {
			header = append(header, c.header)
		}
		var body []byte
		if c.body != "" || c.header == linesType {
			body = []byte(c.body)
		}
		a := g.send(t, c.token, c.method, "/api/v1"+c.path, body, header...)
		if a.StatusCode != c.want || a.Header.Get("Content-Type") != "application/problem+json" || strings.Contains(string(a.body), "secret@") || strings.Contains(string(a.body), "hunter2") {
			t.Errorf("%s %.80s %.60s %s: %d, want %d: %s", c.method, c.path, c.body, c.header, a.StatusCode, c.want, a.body)
		}
	}
	if len(g.reports) > 0 {
		t.Errorf("the operator was told: %q", g.reports)
	}
	if s, err := g.client(olga).Settings(t.Context()); err != nil || s.Number != 1 {
		t.Errorf("settings after all that: %+v, %v", s, err)
	}
	if _, err := g.client(ann).Find(t.Context(), attest.Query{}); err != nil {
		t.Error(err)
	}
}

// TestLargeBodies: what is too large is refused before it is read whole.
func TestLargeBodies(t *testing.T) {
	g := newRig(t)
	for path, c := range map[string]struct {
		contentType string
		most        int64
	}{"/sign?scan_id=scan-a": {attesthttp.TypeSPDX, attesthttp.MaxSBOM}, "/attest": {attesthttp.TypeEnvelope, dsse.MaxEnvelope}, "/attestations/verify": {attesthttp.TypeBundle, attesthttp.MaxVerify}} {
		for _, told := range []bool{true, false} {
			read := &endless{most: c.most + 1<<20}
			r, err := http.NewRequest(http.MethodPost, "http://proof.example/api/v1"+path, read)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer acme/ann")
			r.Header.Set("Content-Type", c.contentType)
			if r.ContentLength = -1; told {
				r.ContentLength = c.most + 1
			}
			w := &discard{header: http.Header{}}
			if testing.Short() && !told {
				continue
			}
			g.handler("/api/v1"+strings.Split(path, "?")[0]).ServeHTTP(w, r)
			if w.status != http.StatusRequestEntityTooLarge || told && read.n > 0 || read.n > c.most+1<<16 {
				t.Errorf("%s: %d after %d bytes", path, w.status, read.n)
			}
		}
	}
}

// endless is a body of zeros.
type endless struct{ n, most int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.n >= e.most {
		return 0, io.EOF
	}
	clear(p)
	e.n += int64(len(p))
	return len(p), nil
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// TestTenants: to another tenant what is there looks as what is not.
func TestTenants(t *testing.T) {
	g, id := play(t)
	page, err := g.client("acme/ann").Find(t.Context(), attest.Query{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	made := page.Attestations[0].ID
	const noScan = "scan-aaaaaaaaaaaaaaaaaaaaaaaaaa"
	blank := strings.NewReplacer(id, "SCAN", noScan, "SCAN", made, "ID", digest("none"), "ID")
	for _, c := range [][3]string{
		{"GET", "/attestations/%", ""}, {"GET", "/scans/%/exports", ""}, {"GET", "/scans/%/export?format=spdx", ""}, {"POST", "/scans/%/exports", `{"formats":["spdx"]}`},
		{"POST", "/sign", `{"scan_id":"%","predicate_type":"spdx"}`}, {"GET", "/attestations?scan_id=%", ""},
	} {
		var got []string
		for _, there := range []bool{true, false} {
			name := map[bool]string{true: id, false: noScan}[there]
			if strings.HasPrefix(c[1], "/attestations/") {
				name = map[bool]string{true: made, false: digest("none")}[there]
			}
			var body []byte
			if c[2] != "" {
				body = []byte(strings.ReplaceAll(c[2], "%", name))
			}
			a := g.send(t, "other/eve/operator", c[0], "/api/v1"+strings.ReplaceAll(c[1], "%", name), body)
			got = append(got, fmt.Sprintln(a.StatusCode, blank.Replace(string(a.body))))
		}
		if got[0] != got[1] || !strings.HasPrefix(got[0], "404") && !strings.Contains(c[1], "?scan_id") {
			t.Errorf("%s %s: %s", c[0], c[1], cmp.Diff(got[1], got[0]))
		}
	}
	// A cursor is a place in a list, and says nothing about what is there.
	if page.Next != "" {
		if theirs, err := g.client("other/eve").Find(t.Context(), attest.Query{After: page.Next}); err != nil || len(theirs.Attestations) != 0 {
			t.Errorf("with another tenant's cursor: %+v, %v", theirs, err)
		}
	}
	if s, err := g.client("other/eve/operator").Settings(t.Context()); err != nil || s.Number != 0 || s.Mode != export.Off {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestEveryByte flips each byte of a bundle: none of the answers is a success.
func TestEveryByte(t *testing.T) {
	g := newRig(t)
	g.want(t, "acme", export.SignLog)
	id := g.scan(t, "acme", image(0), true)
	ann := g.client("acme/ann")
	signed, err := ann.Sign(t.Context(), attest.Order{ScanID: id, Predicate: "spdx"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := ann.Attest(t.Context(), signed.Encoded, id)
	if err != nil {
		t.Fatal(err)
	}
	step := 7
	if testing.Short() {
		step = 97
	}
	for i := 0; i < len(a.Encoded); i += step {
		text := bytes.Clone(a.Encoded)
		text[i] ^= 1
		_, err := ann.Verify(t.Context(), text, &attesthttp.Check{Canonical: true, Logged: true})
		if attesthttp.Code(err) == "" || !errors.Is(err, attesthttp.ErrMismatch) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
}

// broken verifies certificates by breaking down.
type broken struct{}

func (broken) VerifyCertified(context.Context, []byte, []byte) (*attest.Verified, error) {
	panic("out of range")
}

// TestPanic: a verifier that breaks down has refused.
func TestPanic(t *testing.T) {
	g := newRig(t)
	g.trust = &attest.Trust{Keys: key.Ring{Members: g.trust.Keys.Members}, Logs: g.trust.Logs, Certificates: broken{}}
	text := []byte(`{"mediaType":"` + attesthttp.TypeBundle + `","verificationMaterial":{"certificate":{"rawBytes":"MAA="}},"dsseEnvelope":{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"sig":"AA=="}]}}`)
	_, err := g.client("acme/ann").Verify(t.Context(), text, nil)
	if attesthttp.Code(err) != attesthttp.CodePanic || !errors.Is(err, attesthttp.ErrMismatch) || len(g.reports) != 1 || !strings.Contains(g.reports[0], "out of range") {
		t.Errorf("%q: %v; the operator was told %q", attesthttp.Code(err), err, g.reports)
	}
}

// TestOutages: what is wrong inside is not the client's fault, and not told to it.
func TestOutages(t *testing.T) {
	g := newRig(t)
	g.want(t, "acme", export.SignLog)
	id := g.scan(t, "acme", image(0), true)
	ann := g.client("acme/ann")
	signed, err := ann.Sign(t.Context(), attest.Order{ScanID: id, Predicate: "spdx"})
	if err != nil {
		t.Fatal(err)
	}
	inside := fmt.Errorf("ring of db.internal: %w", fault.Invalid)
	trust := g.attests.Attestor.Trust
	for name, c := range map[string]struct {
		err  error
		want error
	}{"broken": {inside, nil}, "away": {fmt.Errorf("it is away: %w", fault.Unavailable), attesthttp.ErrUnavailable}} {
		g.attests.Attestor.Trust = func(context.Context, string) (*attest.Trust, error) { return nil, c.err }
		_, attestErr := ann.Attest(t.Context(), signed.Encoded, "")
		_, verifyErr := ann.Verify(t.Context(), signed.Encoded, nil)
		for _, err := range []error{attestErr, verifyErr} {
			if err == nil || c.want != nil && !errors.Is(err, c.want) || c.want == nil && fault.KindOf(err) != "" || strings.Contains(err.Error(), "db.internal") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	g.attests.Attestor.Trust = trust
	g.trust.Logs.Logs = nil // the log's proofs cannot be believed any more
	if _, err := ann.Attest(t.Context(), signed.Encoded, ""); err == nil || attesthttp.Code(err) != "" || fault.KindOf(err) != "" {
		t.Errorf("a log that proves nothing: %v", err)
	}
	if a, err := ann.Attestation(t.Context(), signedID(t, signed)); err != nil || len(a.Missing) != 1 {
		t.Errorf("afterwards: %+v, %v", a, err)
	}
	if len(g.reports) != 3 {
		t.Errorf("the operator was told: %q", g.reports)
	}
}

func signedID(t *testing.T, s *attest.Signed) string {
	t.Helper()
	return digest(string(s.Encoded))
}
