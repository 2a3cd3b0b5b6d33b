package policyhttp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/openapitest"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyhttp"
)

const documentFile = "../../docs/openapi/policy.yaml"

// text is a policy that blocks from a severity on, as JSON, which is YAML.
func text(version int, block string) []byte {
	return fmt.Appendf(nil, `{"id": "release", "version": %d, "threshold": {"block": %q}}`, version, block)
}

// pattern returns the route's path that a request's path belongs to, or "".
func pattern(p string) string {
	part := strings.Split(strings.TrimPrefix(p, "/"), "/")
	if len(part) < 3 {
		return ""
	}
	names := map[string]string{"exceptions": "{exception_id}", "scans": "{scan_id}", "verdicts": "{key}", "policies": "{policy_id}"}
	if len(part) > 3 && part[3] != "activations" && part[3] != "deactivate" && part[3] != "simulate" {
		part[3] = names[part[2]]
	}
	if len(part) > 5 {
		part[5] = "{version}"
	}
	return "/" + strings.Join(part, "/")
}

// play goes through everything that the API can do, by its client.
func play(t *testing.T) *rig {
	g := newRig(t)
	ctx := t.Context()
	ann, bob := g.client("acme/ann/author"), g.client("acme/bob/approver")
	r, repeated, err := ann.Add(ctx, text(1, "high"))
	if err != nil || repeated || r.By != "ann" {
		t.Fatalf("%+v, %v, %v", r, repeated, err)
	}
	if again, repeated, err := ann.Add(ctx, append(text(1, "high"), '\n')); err != nil || !repeated || again.Digest != r.Digest {
		t.Errorf("again: %+v, %v, %v", again, repeated, err)
	}
	if _, _, err := ann.Add(ctx, text(1, "low")); !errors.Is(err, policyhttp.ErrConflict) {
		t.Errorf("another policy as the same version: %v", err)
	}
	if _, _, err := ann.Add(ctx, text(2, "critical")); err != nil {
		t.Fatal(err)
	}
	list, next, err := ann.Policies(ctx, "")
	if err != nil || len(list) != 2 || next != "" || list[0].Version != 2 {
		t.Errorf("%+v, %q, %v", list, next, err)
	}
	for version, want := range map[int]int{0: 2, 1: 1, 2: 2} {
		if p, err := bob.Policy(ctx, "release", version); err != nil || p.Version != want {
			t.Errorf("version %d: %+v, %v", version, p, err)
		}
	}
	if source, err := bob.Source(ctx, "release", 1); err != nil || string(source) != string(text(1, "high")) {
		t.Errorf("%s, %v", source, err)
	}
	use := func(version int, rollback bool, reason string) error {
		_, err := ann.Activate(ctx, policy.Activation{Environment: "production", Policy: policy.Named{ID: "release", Version: version}, Controls: []string{"waf"}, Rollback: rollback, Reason: reason})
		return err
	}
	if err := errors.Join(use(2, false, ""), use(1, true, "version 2 lets too much pass")); err != nil {
		t.Error(err)
	}
	if err := errors.Join(use(2, false, "")); err != nil {
		t.Error(err)
	}
	if err := use(1, false, ""); !errors.Is(err, policyhttp.ErrConflict) {
		t.Errorf("an older version: %v", err)
	}
	if err := use(1, true, "version 2 lets too much pass"); err != nil {
		t.Error(err)
	}
	if a, _, err := bob.Activations(ctx, 0); err != nil || len(a) != 4 || !a[0].Rollback || a[0].By != "ann" {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := ann.Activate(ctx, policy.Activation{Environment: "old", Policy: policy.Named{ID: "release", Version: 1}}); err != nil {
		t.Error(err)
	}
	if a, err := ann.Deactivate(ctx, "old", "nobody uses it"); err != nil || a.Policy != (policy.Named{}) || a.Reason == "" {
		t.Errorf("%+v, %v", a, err)
	}
	g.playScan(t, ann, bob)
	return g
}

func (g *rig) playScan(t *testing.T, ann, bob *policyhttp.Client) {
	ctx := t.Context()
	id := g.scan(t, "acme", finding.High)
	if s, err := ann.Verdict(ctx, id); err != nil || s.Allows || s.Outcome != policy.NotAssessed || len(s.Verdicts) != 0 {
		t.Errorf("before anybody decided: %+v, %v", s, err)
	}
	key := g.decide(t, "acme", id)[0].Key
	s, err := ann.Verdict(ctx, id, "production")
	if err != nil || s.Allows || s.Outcome != policy.Block || s.Verdicts[0].Key != key {
		t.Fatalf("%+v, %v", s, err)
	}
	if s, err := ann.Verdict(ctx, id, "staging"); err != nil || s.Allows || s.Outcome != policy.NotAssessed {
		t.Errorf("in an environment without a policy: %+v, %v", s, err)
	}
	if all, next, err := ann.Verdicts(ctx, id, ""); err != nil || len(all) != 1 || next != "" || all[0].Key != key {
		t.Errorf("%+v, %q, %v", all, next, err)
	}
	body, v, err := bob.Find(ctx, key)
	if err != nil || v.Outcome != policy.Block || len(body) == 0 {
		t.Fatalf("%s, %v", body, err)
	}
	if trace, err := bob.Trace(ctx, v); err != nil || len(trace) == 0 {
		t.Error(err)
	}
	forged := *v
	forged.Trace = "sha256:" + strings.Repeat("0", 64)
	if _, err := bob.Trace(ctx, &forged); !errors.Is(err, policyhttp.ErrMismatch) {
		t.Errorf("a trace that is another verdict's: %v", err)
	}
	sim, err := bob.Simulate(ctx, policyhttp.Simulation{ScanID: id, Policy: string(text(9, "critical")), Environment: "production", Trace: true})
	if err != nil || sim.Outcome != policy.Pass || sim.Trace == nil {
		t.Errorf("%+v, %v", sim, err)
	}
	draft := policyhttp.Draft{Scope: policy.ExceptionScope{Vulnerabilities: []string{"CVE-1"}}, Effect: policy.Suppress, Owner: "carl", Reason: "it is not reachable", Expires: time.Now().Add(time.Hour)}
	k, repeated, err := bob.Except(ctx, draft, "request-1")
	if err != nil || repeated || k.Exception.Approver != "bob" || k.Exception.Owner != "carl" {
		t.Fatalf("%+v, %v, %v", k, repeated, err)
	}
	if again, repeated, err := bob.Except(ctx, draft, "request-1"); err != nil || !repeated || again.Exception.ID != k.Exception.ID {
		t.Errorf("again: %+v, %v, %v", again, repeated, err)
	}
	if other, repeated, err := bob.Except(ctx, draft, ""); err != nil || repeated || other.Exception.ID == k.Exception.ID {
		t.Errorf("without a key: %+v, %v, %v", other, repeated, err)
	}
	draft.Reason = "something else"
	if _, _, err := bob.Except(ctx, draft, "request-1"); !errors.Is(err, policyhttp.ErrConflict) {
		t.Errorf("another exception by the same key: %v", err)
	}
	g.playPosture(t, ann, id)
	g.decide(t, "acme", id)
	if s, err := ann.Verdict(ctx, id); err != nil || !s.Allows || s.Outcome != policy.Pass {
		t.Errorf("with an exception: %+v, %v", s, err)
	}
	if list, _, err := ann.Exceptions(ctx, ""); err != nil || len(list) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	if got, err := bob.Revoke(ctx, k.Exception.ID, "a fix is out"); err != nil || len(got.Events) != 2 || got.Events[1].By != "bob" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ann.Exception(ctx, k.Exception.ID); err != nil || got.Exception.Revoked.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	for _, path := range []string{"/policies/release", "/policies/release/versions/1", "/policies/release/versions/1/source", "/exceptions/" + k.Exception.ID, "/verdicts/" + key, "/verdicts/" + key + "/trace"} {
		resp, _ := g.send(t, "acme/ann", "GET", "/api/v1"+path, "")
		again, body := g.send(t, "acme/ann", "GET", "/api/v1"+path, "", "If-None-Match: "+resp.Header.Get("ETag"))
		if resp.Header.Get("ETag") == "" || again.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%s: %q, then %d %s", path, resp.Header.Get("ETag"), again.StatusCode, body)
		}
	}
}

// playPosture asks what holds about all images, before and after somebody looked.
func (g *rig) playPosture(t *testing.T, ann *policyhttp.Client, id string) {
	t.Helper()
	ctx := t.Context()
	if h, err := ann.Posture(ctx, "", time.Time{}); err != nil || h.Newest != nil || len(h.Samples)+len(h.Environments) > 0 {
		t.Errorf("before anybody looked: %+v, %v", h, err)
	}
	g.finish(t, "acme", id)
	if n, err := g.root.SamplePostures(ctx); err != nil || n != 1 {
		t.Fatalf("%d samples, %v", n, err)
	}
	for _, environment := range []string{"", "production"} {
		h, err := ann.Posture(ctx, environment, time.Now().Add(-time.Hour))
		if err != nil || h.Environment != "production" || len(h.Samples) != 1 || h.Newest == nil || h.Newest.Outcomes.Block != 1 || h.Newest.Severities.High != 1 || len(h.Newest.Worst) != 1 || h.Newest.Worst[0].ScanID != id {
			t.Errorf("in %q: %+v, %v", environment, h, err)
		}
	}
	if h, err := ann.Posture(ctx, "staging", time.Time{}); err != nil || h.Newest != nil || len(h.Environments) != 1 {
		t.Errorf("of an environment without a policy: %+v, %v", h, err)
	}
	if h, err := ann.Posture(ctx, "production", time.Now().Add(time.Hour)); err != nil || len(h.Samples) != 0 || h.Newest == nil {
		t.Errorf("since later: %+v, %v", h, err)
	}
	if h, err := g.client("other/eve").Posture(ctx, "production", time.Time{}); err != nil || h.Newest != nil || len(h.Environments) > 0 {
		t.Errorf("another tenant: %+v, %v", h, err)
	}
	for _, query := range []string{"since=yesterday", "since=0001-01-01T00:00:00Z", "until=2026-01-01T00:00:00Z"} {
		if resp, body := g.send(t, "acme/ann", "GET", "/api/v1/posture?"+query, ""); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, resp.StatusCode, body)
		}
	}
}

// TestAnswersMatchDocument goes through the API and holds what travels to its document.
func TestAnswersMatchDocument(t *testing.T) {
	g := play(t)
	var list []openapitest.Exchange
	for i, x := range g.seen {
		list = append(list, openapitest.Exchange{Name: fmt.Sprint(i, " ", x.method, " ", x.path), Method: x.method, Path: pattern(x.path), Request: x.request, Status: x.status, Header: x.header, Body: x.body})
	}
	openapitest.Open(t, documentFile).Check(t, list)
	if len(g.reports) > 0 {
		t.Errorf("the operator was told: %q", g.reports)
	}
}

// TestRoutesAreDocumented: the handler serves what the document has, and nothing else.
func TestRoutesAreDocumented(t *testing.T) {
	openapitest.Open(t, documentFile).CheckRoutes(t, policyhttp.Routes())
}

// TestModulePage: the page for people names every route and problem type.
func TestModulePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/modules/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	openapitest.Open(t, documentFile).CheckPage(t, string(page))
}

func TestRefusals(t *testing.T) {
	g := newRig(t)
	const id = "/scans/scan-aaaaaaaaaaaaaaaaaaaaaaaaaa"
	digest := "sha256:" + strings.Repeat("0", 64)
	for _, c := range []struct {
		token, method, path, body string
		header                    string
		want                      int
	}{
		{"", "GET", "/policies", "", "", 401},
		{"/ann", "GET", "/policies", "", "", 403},
		{"acme/ann", "GET", "/policies?limit=0", "", "", 400},
		{"acme/ann", "GET", "/policies?limit=1001", "", "", 400},
		{"acme/ann", "GET", "/policies?after=x", "", "", 400},
		{"acme/ann", "GET", "/policies?order=x", "", "", 400},
		{"acme/ann", "GET", "/policies/activations?after=-1", "", "", 400},
		{"acme/ann", "GET", "/policies/none", "", "", 404},
		{"acme/ann", "GET", "/policies/a%2Fb", "", "", 404},
		{"acme/ann", "GET", "/policies/" + strings.Repeat("a", 200), "", "", 404},
		{"acme/ann", "GET", "/policies/none/versions/0", "", "", 404},
		{"acme/ann", "GET", "/policies/none/versions/+1", "", "", 404},
		{"acme/ann", "GET", "/policies/none/versions/99999999999", "", "", 404},
		{"acme/ann", "DELETE", "/policies/none", "", "", 405},
		{"acme/ann", "GET", "/nothing", "", "", 404},
		{"acme/ann/author", "POST", "/policies", "id: release\nversion: 1\nrules: [{}]\n", "Content-Type: application/yaml", 422},
		{"acme/ann/author", "POST", "/policies", "id: simulate\nversion: 1\n", "Content-Type: application/yaml", 422},
		{"acme/ann/author", "POST", "/policies", "id: a/b\nversion: 1\n", "Content-Type: application/yaml", 422},
		{"acme/ann/author", "POST", "/policies", "id: release\nversion: 1\nrules: [{id: a, when: nothing > 1, action: block, because: x}]\n", "Content-Type: application/yaml", 422},
		{"acme/ann/author", "POST", "/policies", "id: release\nversion: 1\n", "Content-Type: text/plain", 415},
		{"acme/ann/author", "POST", "/policies", strings.Repeat("#", policyhttp.MaxPolicy+1), "Content-Type: application/yaml", 413},
		{"acme/ann/author", "POST", "/policies/none/versions/1/activate", `{"environment":""}`, "", 404},
		{"acme/ann/author", "POST", "/policies/none/versions/1/activate", `{"environment":"a b"}`, "", 422},
		{"acme/ann/author", "POST", "/policies/none/versions/1/activate", `{"environment":"","by":"eve"}`, "", 400},
		{"acme/ann/author", "POST", "/policies/none/versions/1/activate", `{"environment":"","rollback":true}`, "", 422},
		{"acme/ann/author", "POST", "/policies/deactivate", `{"environment":"none","reason":"r"}`, "", 404},
		{"acme/ann/author", "POST", "/policies/deactivate", `{"environment":"none","reason":""}`, "", 422},
		{"acme/ann", "POST", "/policies/simulate", `{"scan_id":"x","policy":"id: a"}`, "", 404},
		{"acme/ann", "POST", "/policies/simulate", `{"scan_id":"scan-a","policy":"id: a"}`, "", 422},
		{"acme/ann", "POST", "/policies/simulate", `{"scan_id":"scan-a","policy":"id: a\nversion: 1\n"}`, "", 404},
		{"acme/ann", "POST", "/policies/simulate", `{`, "", 400},
		{"acme/ann/approver", "POST", "/exceptions", `{"scope":{},"effect":"suppress","reason":"r"}`, "", 422},
		{"acme/ann/approver", "POST", "/exceptions", `{"scope":{"paths":["*"]},"effect":"suppress","reason":"r","approver":"eve"}`, "", 400},
		{"acme/ann/approver", "POST", "/exceptions", `{"scope":{"paths":["*"]},"effect":"suppress","reason":"r","id":"a/b"}`, "", 422},
		{"acme/ann/approver", "POST", "/exceptions", `{"scope":{"paths":["*"]},"effect":"suppress","reason":"r"}`, "Idempotency-Key: ", 400},
		{"acme/ann/approver", "POST", "/exceptions/none/revoke", `{"reason":"r"}`, "", 404},
		{"acme/ann/approver", "POST", "/exceptions/none/revoke", `{"reason":" "}`, "", 422},
		{"acme/ann", "GET", "/exceptions/none", "", "", 404},
		{"acme/ann", "GET", id + "/verdict", "", "", 404},
		{"acme/ann", "GET", "/scans/x/verdict", "", "", 404},
		{"acme/ann", "GET", id + "/verdicts", "", "", 404},
		{"acme/ann", "GET", id + "/verdicts?after=x", "", "", 400},
		{"acme/ann", "GET", "/verdicts/" + digest, "", "", 404},
		{"acme/ann", "GET", "/verdicts/" + digest + "/trace", "", "", 404},
		{"acme/ann", "GET", "/verdicts/x", "", "", 404},
	} {
		var header []string
		if c.header != "" {
			header = append(header, c.header)
		}
		resp, body := g.send(t, c.token, c.method, "/api/v1"+c.path, c.body, header...)
		if resp.StatusCode != c.want || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s %.60s: %d, want %d: %s", c.method, c.path, c.body, resp.StatusCode, c.want, body)
		}
	}
	for _, r := range policyhttp.Restricted() {
		path := strings.NewReplacer("{policy_id}", "p", "{version}", "1", "{exception_id}", "e").Replace(r[1])
		for _, token := range []string{"acme/ann", map[bool]string{true: "acme/ann/author", false: "acme/ann/approver"}[strings.Contains(r[1], "exceptions")]} {
			if resp, body := g.send(t, token, r[0], path, "{}"); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s by %s: %d %s", r[0], path, token, resp.StatusCode, body)
			}
		}
	}
	if len(g.reports) > 0 {
		t.Errorf("the operator was told: %q", g.reports)
	}
}

// TestTenants: with another tenant's token nothing is there.
func TestTenants(t *testing.T) {
	g := play(t)
	paths := map[string]bool{}
	for _, x := range g.seen {
		if x.method == http.MethodGet && x.status == http.StatusOK && strings.Count(x.path, "/") > 3 && !strings.HasSuffix(x.path, "/activations") {
			paths[x.path] = true
		}
	}
	for path := range paths {
		if resp, body := g.send(t, "other/eve", "GET", path, ""); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	for _, list := range []string{"policies", "exceptions", "policies/activations"} {
		_, body := g.send(t, "other/eve", "GET", "/api/v1/"+list, "")
		key := list[strings.LastIndex(list, "/")+1:]
		if diff := cmp.Diff(fmt.Sprintf("{%q:[]}\n", key), body); diff != "" {
			t.Errorf("%s (-want +got):\n%s", list, diff)
		}
	}
	if len(paths) < 8 {
		t.Errorf("only %d paths", len(paths))
	}
}

// TestAnswersThatAreNone: what is not the service's answer allows nothing.
func TestAnswersThatAreNone(t *testing.T) {
	id := "scan-aaaaaaaaaaaaaaaaaaaaaaaaaa"
	for name, body := range map[string]string{
		"empty": `{}`, "another scan": `{"scan_id":"scan-b","outcome":"pass","allows":true,"verdicts":[]}`,
		"allowed by nothing":  `{"scan_id":"` + id + `","outcome":"pass","allows":true,"stale":false,"verdicts":[]}`,
		"allowed by a block":  `{"scan_id":"` + id + `","outcome":"pass","allows":true,"verdicts":[{"environment":"","outcome":"block"}]}`,
		"an unknown outcome":  `{"scan_id":"` + id + `","outcome":"fine","allows":true,"verdicts":[{"environment":"","outcome":"fine"}]}`,
		"not JSON":            `allow`,
		"of another protocol": `{"allow":true}`,
	} {
		c := policyhttp.Client{URL: "http://policy.example", Attempts: 1, Transport: answering(body)}
		if s, err := c.Verdict(t.Context(), id); err == nil && s.Allows {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// answering is a server that always says the same.
type answering string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(a))), Request: r}, nil
}
