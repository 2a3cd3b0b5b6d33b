package flows

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/client"
	"github.com/stella-ops/stella/services/auth/envelope"
)

// operation is one of the API, as its own document has it.
type operation struct {
	method, path string
	scopes       []string // one of which is needed; none of a public one
	keys         bool     // for API keys, and no tokens
}

// String is how tables name it.
func (o *operation) String() string { return o.method + " " + o.path }

// hostile is an installation with two tenants. What the first has is named after alpha.
type hostile struct {
	*testing.T
	*site
	process      *process
	ours, theirs *caller // programs, which may everything that a tenant's may
	admin, rival *caller // administrators
	operations   []operation
	ids          map[string]string // of our objects, by the name that paths have for them
	tags         map[string]string // their entity tags, by path
	nobody       *http.Client
}

func (h *hostile) Helper()                   { h.T.Helper() }
func (h *hostile) Fatal(args ...any)         { h.T.Helper(); h.T.Fatal(args...) }
func (h *hostile) Fatalf(s string, a ...any) { h.T.Helper(); h.T.Fatalf(s, a...) }
func (h *hostile) Errorf(s string, a ...any) { h.T.Helper(); h.T.Errorf(s, a...) }
func (h *hostile) TempDir() string           { return h.T.TempDir() }
func (h *hostile) Name() string              { return h.T.Name() }

// TestHostile attacks an installation from outside: as another tenant, as nobody, with bad
// HTTP, and by the key of a worker.
func TestHostile(t *testing.T) {
	s := newSite(t)
	s.gateway = "http://" + free(t, 1)[0]
	s.settings = s.common() + "data: " + filepath.Join(s.dir, "data") + "\ngateway: {rate: {per_second: 5000, burst: 5000}}\n"
	h := &hostile{T: t, site: s, ids: map[string]string{}, tags: map[string]string{}, nobody: from("127.0.0.9")}
	h.process = s.start(group{name: "all", config: "listen: " + strings.TrimPrefix(s.gateway, "http://") + "\n"})
	password, err := os.ReadFile(filepath.Join(s.dir, "data", "initial-password"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.tool(t.TempDir(), "authority", "bootstrap", "--config", h.process.config, "--first-tenant", "rival", "--management.listen=")
	made := regexp.MustCompile(`(?m)^password (\S+)$`).FindStringSubmatch(out)
	if err != nil || made == nil {
		t.Fatalf("a second tenant: %v: %s", err, out)
	}
	var group sync.WaitGroup // a person takes the time of a poll to log in
	group.Go(func() { h.admin = s.admin("default", strings.TrimSpace(string(password))) })
	group.Go(func() { h.rival = s.admin("rival", made[1]) })
	if group.Wait(); h.admin == nil || h.rival == nil {
		t.FailNow()
	}
	rights := slices.DeleteFunc(append(slices.Clone(everything), "notify.payloads", "attest:sign"), func(r string) bool { return r == "advisory:manage" })
	h.ours, h.theirs = s.ci(h.admin, rights...), s.ci(h.rival, rights...)
	h.document()
	for _, part := range []struct {
		name string
		run  func()
	}{
		{"what the first tenant has", h.fill}, {"installation rights", h.installation}, {"tenants", h.tenants}, {"lists", h.lists}, {"keys of requests", h.idempotency},
		{"replays", h.replays}, {"inside", h.inside}, {"worker", h.worker}, {"targets", h.targets}, {"API keys", h.keys}, {"bodies", h.bodies}, {"queries", h.queries}, {"headers", h.headers}, {"raw", h.raw}, {"nobody", h.tokens},
	} {
		began := time.Now()
		part.run()
		h.alive(part.name)
		t.Logf("%s: %v", part.name, time.Since(began).Round(time.Millisecond))
	}
	h.kept()
}

// from is a client at another address of this machine, where there are several.
func from(address string) *http.Client {
	d := &net.Dialer{}
	if runtime.GOOS == "linux" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(address)}
	}
	return &http.Client{Transport: &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: 64}, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// document reads the operations.
func (h *hostile) document() {
	_, _, text := h.anonymous("GET", "/openapi.json", nil)
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		h.Fatal(err)
	}
	for path, item := range doc.Paths {
		for _, method := range []string{"get", "put", "post", "delete"} {
			if item[method] == nil {
				continue
			}
			var op struct {
				Security []map[string][]string `json:"security"`
			}
			if err := json.Unmarshal(item[method], &op); err != nil {
				h.Fatal(err)
			}
			o := operation{method: strings.ToUpper(method), path: path}
			for _, s := range op.Security {
				o.scopes = append(o.scopes, s["dpop"]...)
				if _, ok := s["key"]; ok {
					o.keys = true
				}
			}
			h.operations = append(h.operations, o)
		}
	}
	slices.SortFunc(h.operations, func(a, b operation) int { return strings.Compare(a.String(), b.String()) })
	if len(h.operations) < 140 {
		h.Fatalf("only %d operations", len(h.operations))
	}
}

// anonymous sends a request without anything.
func (h *hostile) anonymous(method, path string, body []byte, headers ...string) (int, http.Header, []byte) {
	h.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, h.gateway+path, bytes.NewReader(body))
	if err != nil {
		h.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := h.nobody.Do(r)
	if err != nil {
		h.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, resp.Header, text
}

// problem is what a refusal says.
type problem struct {
	Type, Title, Detail, Instance string
	Status                        int
	Request                       string `json:"request_id"`
}

// refusal wants a problem document with what, where and why, and the name of the request.
func (h *hostile) refusal(what string, status int, header http.Header, text []byte) *problem {
	h.Helper()
	p := new(problem)
	if err := json.Unmarshal(text, p); err != nil && len(text) > 0 {
		h.Errorf("%s: %d: %v: %.200s", what, status, err, text)
	}
	switch {
	case status < 400 || status > 499 && status != 501:
		h.Errorf("%s: %d, want a refusal: %.300s", what, status, text)
	case len(text) == 0: // an answer to HEAD
	case header.Get("Content-Type") != "application/problem+json", !strings.HasPrefix(p.Type, "urn:stella:problem:"), p.Title == "", p.Detail == "", p.Status != status:
		h.Errorf("%s: %d: %v, %.300s", what, status, header, text)
	}
	if header.Get("Stella-Request-Id") == "" {
		h.Errorf("%s: the answer has no name", what)
	}
	return p
}

// alive wants the process to have answered for itself: no panic, and nothing that failed
// within.
func (h *hostile) alive(after string) {
	h.Helper()
	log := h.logs[h.process.name].String()
	if strings.Contains(log, "panic") {
		h.Fatalf("after %s: %s", after, log)
	}
	resp, err := http.Get("http://" + h.process.manage + "/metrics")
	if err != nil {
		h.Fatalf("after %s: %v", after, err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"5xx"`) && !strings.HasSuffix(line, " 0\n") && !strings.HasPrefix(line, "#") && !strings.Contains(line, `reason="method"`) && !strings.Contains(line, `reason="framing"`) && strings.Contains(line, "decisions") {
			h.Errorf("after %s: %s%s", after, line, log[max(0, len(log)-1000):])
		}
	}
}

// made sends what must succeed, and keeps the entity tag.
func (h *hostile) made(method, path string, body any, headers ...string) map[string]any {
	h.Helper()
	c := h.ours
	if strings.HasPrefix(path, "/api/v1/authority") {
		c = h.admin
	}
	status, header, text := c.send(method, path, "application/json", body, headers...)
	if status < 200 || status > 299 {
		h.Fatalf("%s %s: %d: %s", method, path, status, text)
	}
	out := map[string]any{}
	if bytes.HasPrefix(text, []byte("{")) {
		if err := json.Unmarshal(text, &out); err != nil {
			h.Fatal(err)
		}
	}
	if tag := header.Get("ETag"); tag != "" {
		h.tags[path] = tag
	}
	return out
}

// dig returns a member of a member, such as the id of the first of a list, as text.
func dig(v any, path ...any) string {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return ""
			}
			v = l[p]
		}
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// settings of notifications and schedules that the first tenant keeps: path to body.
func (h *hostile) settings() [][2]any {
	return [][2]any{
		{"/api/v1/notify/endpoints/alpha-hook", map[string]any{"type": "webhook", "url": h.told.url, "secrets": map[string]string{"signing": "file:hook"}}},
		{"/api/v1/notify/rules/alpha-rule", map[string]any{"to": []any{map[string]any{"endpoint": "alpha-hook"}}, "escalation": []any{map[string]any{"after": "1h", "to": []any{map[string]any{"endpoint": "alpha-hook"}}}}}},
		{"/api/v1/notify/templates/alpha-template", map[string]any{"type": "slack", "parts": map[string]string{"text": "alpha"}}},
		{"/api/v1/notify/maintenance/alpha-night", map[string]any{"from": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z"}},
		{"/api/v1/notify/inhibitions/alpha-silence", map[string]any{"source": map[string]any{"causes": []string{"kev"}}, "target": map[string]any{"causes": []string{"new"}}, "equal": []string{"image"}, "for": "1h"}},
		{"/api/v1/notify/preferences/alpha-hook", map[string]any{"to": []any{}}},
		{"/api/v1/scheduler/schedules/alpha-schedule", map[string]any{"cron": "@yearly", "kind": "rescan"}},
	}
}

const (
	alphaPolicy = "id: alpha-policy\nversion: 1\nrules:\n  - id: known\n    match: {fix: available}\n    action: block\n    because: a repaired version is there\n"
	alphaVEX    = `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://vex.example/alpha.json","author":"alpha","timestamp":"2026-01-01T00:00:00Z","version":1,"statements":[{"vulnerability":{"name":"CVE-2024-77777"},"products":[{"@id":"pkg:apk/wolfi/alpha"}],"status":"affected","action_statement":"update"}]}`
)

// fill makes one of everything for the first tenant.
func (h *hostile) fill() {
	h.until("there are advisories", time.Minute, func() bool {
		status, _, _ := h.ours.send("GET", "/api/v1/advisories/heads/current", "", nil)
		return status == http.StatusOK
	})
	if status, _, text := h.ours.send("POST", "/api/v1/policies", "application/yaml", alphaPolicy); status != http.StatusCreated {
		h.Fatalf("policy: %d: %s", status, text)
	}
	h.made("POST", "/api/v1/policies/alpha-policy/versions/1/activate", map[string]any{"environment": "alpha-production", "reason": "the first one"})
	for _, s := range h.settings() {
		h.made("PUT", s[0].(string), s[1], "If-None-Match", "*")
	}
	h.made("PUT", "/api/v1/vex/trust", map[string]any{"issuers": []any{map[string]any{"id": "alpha-us", "tier": 1, "sources": []string{"upload"}, "products": []string{"*"}, "unsigned": []string{"affected"}}}})
	vex := h.made("POST", "/api/v1/vex/documents?name=alpha.json", json.RawMessage(alphaVEX))
	exception := h.made("POST", "/api/v1/exceptions", map[string]any{"scope": map[string]any{"vulnerabilities": []string{"CVE-2024-77777"}}, "effect": "suppress", "reason": "alpha", "owner": "ann", "expires": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
	user := h.made("POST", "/api/v1/authority/users", map[string]any{"login": "alpha-user", "scopes": []string{"scanner:read"}})
	program := h.made("POST", "/api/v1/authority/clients", map[string]any{"client_name": "alpha-client", "public": true, "grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code"}, "scopes": []string{"scanner:read"}})
	key := h.made("POST", "/api/v1/authority/api-keys", map[string]any{"name": "alpha-key", "scopes": []string{"scanner:read"}, "expires": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
	run := h.made("POST", "/api/v1/scheduler/schedules/alpha-schedule/run", nil)
	h.ids = map[string]string{
		"scan_id": h.ours.submit("app:1"), "format": "spdx-json", "policy_id": "alpha-policy", "version": "1", "exception_id": dig(exception, "exception", "id"), "digest": dig(vex, "reading", "digest"),
		"endpoint_id": "alpha-hook", "rule_id": "alpha-rule", "template_id": "alpha-template", "maintenance_id": "alpha-night", "inhibition_id": "alpha-silence", "schedule_id": "alpha-schedule", "run_id": dig(run, "id"),
		"user": "ann", "user_id": dig(user, "user", "id"), "client_id": dig(program, "client_id"), "key_id": dig(key, "api_key", "id"), "tenant_id": "default", "source": "wolfi", "secret": dig(key, "secret"),
	}
	scan := h.ids["scan_id"]
	h.ours.completed(scan)
	h.until("there is a verdict", time.Minute, func() bool {
		h.ids["key"] = dig(h.made("GET", "/api/v1/scans/"+scan+"/verdict", nil), "verdicts", 0, "key")
		return h.ids["key"] != ""
	})
	h.until("there is an attestation", time.Minute, func() bool {
		h.ids["attestation_id"] = dig(h.made("GET", "/api/v1/attestations?scan_id="+scan, nil), "attestations", 0, "id")
		return h.ids["attestation_id"] != ""
	})
	h.until("there is a delivery", time.Minute, func() bool {
		d := h.made("GET", "/api/v1/notify/deliveries", nil)
		h.ids["delivery_id"], h.ids["incident_id"] = dig(d, "deliveries", 0, "delivery_id"), dig(d, "deliveries", 0, "incident")
		return h.ids["delivery_id"] != ""
	})
	for name, id := range h.ids {
		if id == "" {
			h.Errorf("there is no %s", name)
		}
	}
}

// installation wants administrators of further tenants to have no rights over what is
// everybody's, and no way to them.
func (h *hostile) installation() {
	users := h.rival.do("GET", "/api/v1/authority/users", nil, http.StatusOK)
	for _, right := range []string{"advisory:manage", "vex:manage", "scanner:work"} {
		if strings.Contains(fmt.Sprint(users), right) {
			h.Errorf("the administrator of a further tenant has %s: %v", right, users)
		}
		for path, body := range map[string]any{
			"/api/v1/authority/users":    map[string]any{"login": "mole", "scopes": []string{right}},
			"/api/v1/authority/clients":  map[string]any{"public": true, "grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code"}, "scopes": []string{right}},
			"/api/v1/authority/api-keys": map[string]any{"scopes": []string{right}, "expires": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)},
		} {
			status, header, text := h.rival.send("POST", path, "application/json", body)
			if h.refusal(path+" with "+right, status, header, text); status != http.StatusForbidden {
				h.Errorf("%s with %s: %d", path, right, status)
			}
		}
	}
	for _, r := range [][3]string{
		{"PUT", "/api/v1/authority/tenants/third", `{"name":"x"}`}, {"PUT", "/api/v1/authority/tenants/default", `{"disabled":true}`}, {"POST", "/api/v1/authority/keys", `{}`},
		{"POST", "/api/v1/advisories/sources/wolfi/sync", ""}, {"POST", "/api/v1/advisories/sources/wolfi/approve", `{}`}, {"PUT", "/api/v1/vex/trust?scope=public", `{"issuers":[]}`}, {"POST", "/api/v1/vex/documents?scope=public&name=x", alphaVEX},
	} {
		status, header, text := h.rival.send(r[0], r[1], "application/json", r[2], "If-None-Match", "*")
		if h.refusal(r[1], status, header, text); status != http.StatusForbidden {
			h.Errorf("%s %s: %d: %s", r[0], r[1], status, text)
		}
	}
}

// fake is a made-up id of the form of another one.
func fake(id string) string {
	end := len(id) - 1
	switch c := id[end]; {
	case c == '0' || c == 'a' || c == 'A':
		return id[:end] + string(c+1)
	case '1' <= c && c <= '9', 'b' <= c && c <= 'z', 'B' <= c && c <= 'Z':
		return id[:end] + string(c-1)
	}
	return id[:end] + "x"
}

// bodyOf is a right one of an operation that changes what is there.
func (h *hostile) bodyOf(o *operation) any {
	for _, s := range h.settings() {
		if o.method == "PUT" && strings.HasPrefix(s[0].(string), o.path[:strings.LastIndex(o.path, "/")+1]) {
			return s[1]
		}
	}
	switch path := o.path[strings.LastIndex(o.path, "/")+1:]; {
	case o.method == "GET" || o.method == "DELETE":
		return nil
	case path == "activate":
		return map[string]any{"environment": "x", "reason": "x"}
	case path == "cancel", path == "revoke":
		return map[string]any{"reason": "x"}
	case path == "exports":
		return map[string]any{"formats": []string{"spdx"}}
	case path == "query":
		return map[string]any{"vulnerabilities": []string{"CVE-2024-77777"}}
	case path == "{user_id}":
		return map[string]any{"login": "x", "scopes": []string{}}
	case path == "{client_id}":
		return map[string]any{"public": true, "grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code"}, "scopes": []string{}}
	case path == "run", path == "replay", path == "secret":
		return nil
	}
	return map[string]any{}
}

// global are what no tenant owns, and what has the same name in each of them.
var global = regexp.MustCompile(`^/api/v1/advisories|/vex/heads/|/timeline/(events|checkpoints)/|/tenants/\{tenant_id\}`)

// tenants asks for everything of the first tenant's in the name of the second, and wants no
// other answers than about what nobody has.
func (h *hostile) tenants() {
	asked := 0
	for i := range h.operations {
		o := &h.operations[i]
		if !strings.Contains(o.path, "{") || len(o.scopes) == 0 || o.keys || global.MatchString(o.path) {
			continue
		}
		real, made := o.path, o.path
		var swaps []string
		for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(o.path, -1) {
			id := h.ids[m[1]]
			if id == "" {
				h.Errorf("%s: there is no %s to ask for", o, m[1])
				continue
			}
			other := fake(id)
			if m[1] == "format" || m[1] == "version" {
				other = id
			}
			real, made = strings.Replace(real, m[0], id, 1), strings.Replace(made, m[0], other, 1)
			swaps = append(swaps, other, id)
		}
		query := ""
		if strings.HasSuffix(o.path, "/export") {
			query = "?format=spdx"
		}
		tag := `"1"`
		if t := h.tags[real]; t != "" {
			tag = t
		}
		type answer struct {
			Status                        int
			Type, Title, Detail, Instance string
			Headers                       []string
		}
		ask := func(path string, swap ...string) answer {
			headers := []string{"If-Match", tag}
			if o.method == "GET" {
				headers[0] = "If-None-Match"
			}
			status, header, text := h.rival.send(o.method, path+query, "application/json", h.bodyOf(o), headers...)
			what := o.method + " " + path + query
			if status == http.StatusOK && strings.HasSuffix(o.path, "/{user}/preferences") && !strings.Contains(string(text), "alpha") {
				return answer{Status: 404} // nobody has any
			}
			p := h.refusal(what, status, header, text)
			to := strings.NewReplacer(swap...)
			a := answer{status, p.Type, p.Title, to.Replace(p.Detail), to.Replace(p.Instance), nil}
			for name := range header {
				a.Headers = append(a.Headers, name)
			}
			slices.Sort(a.Headers)
			if header.Get("ETag") != "" {
				h.Errorf("%s: it has an entity tag", what)
			}
			return a
		}
		theirs, none := ask(real), ask(made, swaps...)
		asked += 2
		if diff := cmp.Diff(none, theirs); diff != "" {
			h.Errorf("%s is told from what is not there (-made up +ours)\n%s", o, diff)
		}
		if want := http.StatusNotFound; theirs.Status != want && !(slices.Contains(o.scopes, auth.ScannerWork) && theirs.Status == http.StatusForbidden) &&
			!(o.method == "PUT" && (theirs.Status == http.StatusPreconditionFailed || theirs.Status == http.StatusUnprocessableEntity)) { // that one names an endpoint
			h.Errorf("%s: %d: %s", o, theirs.Status, theirs.Detail)
		}
	}
	if asked < 90 {
		h.Errorf("only %d requests", asked)
	}
}

// lists wants nothing of the first tenant's in what the second one can list, and nothing by
// queries that name it.
func (h *hostile) lists() {
	scan := h.ids["scan_id"]
	paths := []string{
		"/api/v1/scheduler/evaluations?scan=" + scan, "/api/v1/attestations?scan_id=" + scan, "/api/v1/scans?image_ref=" + h.registry + "/app:1", "/api/v1/scans?after=" + scan,
		"/api/v1/timeline/events?limit=1000", "/api/v1/timeline/events?scan=" + scan, "/api/v1/timeline/export", "/api/v1/vex/statements?vulnerability=CVE-2024-77777", "/api/v1/vex/consensus?vulnerability=CVE-2024-77777",
		"/api/v1/notify/deliveries?after=" + h.ids["delivery_id"], "/api/v1/exceptions?after=" + h.ids["exception_id"], "/api/v1/authority/users?tenant=default", "/api/v1/authority/journal?tenant=default", "/api/v1/authority/api-keys?after=" + h.ids["key_id"],
		"/api/v1/attestations?after=" + h.ids["attestation_id"], "/api/v1/policies?after=alpha", "/api/v1/notify/rules?after=alpha", "/api/v1/scheduler/schedules?after=alpha", "/api/v1/authority/clients?after=" + h.ids["client_id"],
	}
	for i := range h.operations {
		if o := &h.operations[i]; o.method == "GET" && !strings.Contains(o.path, "{") && len(o.scopes) > 0 && !o.keys && !strings.HasPrefix(o.path, "/api/v1/advisories") {
			paths = append(paths, o.path)
		}
	}
	marks := []string{"alpha", "CVE-2024-77777"}
	for name, id := range h.ids {
		if id != "" && !slices.Contains([]string{"format", "version", "user", "tenant_id", "source"}, name) {
			marks = append(marks, id)
		}
	}
	for _, path := range paths {
		status, header, text := h.rival.send("GET", path, "", nil)
		if status >= 500 {
			h.Errorf("%s: %d", path, status)
		}
		if status >= 400 { // it says what was asked for
			h.refusal(path, status, header, text)
			continue
		}
		for _, m := range marks {
			if bytes.Contains(text, []byte(m)) {
				h.Errorf("%s: the second tenant sees %s: %.500s", path, m, text)
			}
		}
	}
	if n := len(paths); n < 40 {
		h.Errorf("only %d lists", n)
	}
	// What has the same content in two tenants is new to each.
	status, _, text := h.theirs.send("POST", "/api/v1/vex/documents?name=alpha.json", "application/json", alphaVEX)
	if status != http.StatusCreated {
		h.Errorf("a document that another tenant has: %d: %s", status, text)
	}
	// Names are a tenant's own.
	if status, _, text := h.theirs.send("POST", "/api/v1/policies", "application/yaml", strings.ReplaceAll(alphaPolicy, "block", "warn")); status != http.StatusCreated {
		h.Errorf("a policy of the name of another tenant's: %d: %s", status, text)
	}
	// A signature about a scan of somebody else's.
	for _, path := range []string{"/api/v1/sign?scan_id=", "/api/v1/attest?scan_id="} {
		var said []string
		for _, id := range []string{scan, fake(scan)} {
			status, header, text := h.theirs.send("POST", path+id, "application/json", `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT"}`)
			p := h.refusal(path+id, status, header, text)
			said = append(said, fmt.Sprint(status, strings.ReplaceAll(p.Detail, id, "")))
		}
		if said[0] != said[1] {
			h.Errorf("%s: %q", path, said)
		}
	}
}

// idempotency wants keys of requests to be a tenant's own, and of one request.
func (h *hostile) idempotency() {
	scan := func(c *caller, image string, key ...string) (int, string, *problem) {
		var headers []string
		for _, k := range key {
			headers = append(headers, "Idempotency-Key", k)
		}
		status, header, text := c.send("POST", "/api/v1/scans", "application/json", map[string]any{"image_ref": h.registry + "/" + image}, headers...)
		if status >= 400 {
			return status, "", h.refusal("Idempotency-Key", status, header, text)
		}
		var job map[string]any
		json.Unmarshal(text, &job)
		return status, dig(job, "job_id"), nil
	}
	status, ours, _ := scan(h.ours, "other:1", "the-same-key")
	_, again, _ := scan(h.ours, "other:1", "the-same-key")
	other, theirs, _ := scan(h.theirs, "app:1", "the-same-key")
	if status != 202 || other != 202 || ours != again || ours == theirs || ours == "" || theirs == "" {
		h.Errorf("one key in two tenants: %d %q %q, %d %q", status, ours, again, other, theirs)
	}
	if status, _, p := scan(h.ours, "app:1", "the-same-key"); status != http.StatusConflict {
		h.Errorf("another request by a key: %d, %+v", status, p)
	}
	for _, key := range []string{strings.Repeat("k", 10_000), "", " ", "\xff", "schlüssel"} {
		if status, id, _ := scan(h.ours, "other:1", key); status != http.StatusBadRequest {
			h.Errorf("key %.20q: %d %s", key, status, id)
		}
	}
	status, header, text := h.ours.send("POST", "/api/v1/exceptions", "application/json", map[string]any{"scope": map[string]any{"paths": []string{"*"}}, "effect": "suppress", "reason": "r"}, "Idempotency-Key", strings.Repeat("k", 10_000))
	h.refusal("a long key of an exception", status, header, text)
}

// kept wants what the first tenant has to be as it was.
func (h *hostile) kept() {
	for path, tag := range h.tags {
		if strings.Contains(path, "?") || path == "/api/v1/vex/trust" {
			continue
		}
		c := h.ours
		if strings.HasPrefix(path, "/api/v1/authority") {
			c = h.admin
		}
		if status, header, text := c.send("GET", path, "", nil); !strings.HasSuffix(path, "s") && (status != http.StatusOK || header.Get("ETag") != tag) {
			h.Errorf("%s was changed: %d, %s instead of %s: %s", path, status, header.Get("ETag"), tag, text)
		}
	}
	h.ours.completed(h.ids["scan_id"])
	for _, path := range []string{"/users/" + h.ids["user_id"], "/clients/" + h.ids["client_id"], "/api-keys/" + h.ids["key_id"]} {
		h.admin.do("GET", "/api/v1/authority"+path, nil, http.StatusOK)
	}
}

// holder takes a request that is ready to be sent, with its proof, instead of sending it.
type holder struct {
	base http.RoundTripper
	held *http.Request
}

var errHeld = errors.New("held")

func (c *holder) RoundTrip(r *http.Request) (*http.Response, error) {
	part := strings.Split(r.Header.Get("DPoP"), ".")
	if claims, err := base64.RawURLEncoding.DecodeString(part[min(1, len(part)-1)]); err != nil || !bytes.Contains(claims, []byte(`"nonce"`)) {
		return c.base.RoundTrip(r) // the server gives one in its answer
	}
	c.held = r
	return nil, errHeld
}

// hold makes a request of a caller with a proof that was not used.
func (h *hostile) hold(c *caller, method, path string) *http.Request {
	h.Helper()
	t := c.http.Transport.(*client.Transport)
	keep := &holder{base: http.DefaultTransport}
	r, err := http.NewRequestWithContext(h.T.Context(), method, h.gateway+path, nil)
	if err != nil {
		h.Fatal(err)
	}
	_, err = (&client.Transport{Base: keep, Service: t.Service, Source: t.Source, Key: t.Key}).RoundTrip(r)
	if keep.held == nil || !errors.Is(err, errHeld) {
		h.Fatalf("no request to hold: %v", err)
	}
	return keep.held
}

// replays sends one proof many times at once, and where it does not belong.
func (h *hostile) replays() {
	held := h.hold(h.theirs, "GET", "/api/v1/scans")
	send := func(method, path string, header http.Header) (int, http.Header, []byte) {
		r, _ := http.NewRequest(method, h.gateway+path, nil)
		r.Header = header
		resp, err := from("127.0.0.8").Do(r)
		if err != nil {
			return 0, nil, []byte(err.Error())
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, resp.Header, text
	}
	for name, r := range map[string][2]string{"another path": {"GET", "/api/v1/policies"}, "a path below": {"GET", "/api/v1/scans/" + h.ids["scan_id"]}, "another method": {"POST", "/api/v1/scans"}} {
		status, header, text := send(r[0], r[1], held.Header.Clone())
		if h.refusal(name, status, header, text); status != http.StatusUnauthorized || !strings.Contains(header.Get("WWW-Authenticate"), "invalid_dpop_proof") {
			h.Errorf("a proof for %s: %d, %q", name, status, header.Get("WWW-Authenticate"))
		}
	}
	stolen := held.Header.Clone()
	stolen.Set("DPoP", h.hold(h.ours, "GET", "/api/v1/scans").Header.Get("DPoP")) // a proof of another key
	bearer := held.Header.Clone()
	bearer.Set("Authorization", "Bearer "+strings.TrimPrefix(bearer.Get("Authorization"), "DPoP "))
	bare := held.Header.Clone()
	bare.Del("DPoP")
	twice := held.Header.Clone()
	twice.Add("Authorization", stolen.Get("Authorization"))
	for name, header := range map[string]http.Header{"a proof of another key": stolen, "a bound token as bearer": bearer, "no proof": bare, "two tokens": twice} {
		status, answer, text := send("GET", "/api/v1/scans", header)
		if h.refusal(name, status, answer, text); status != http.StatusUnauthorized && (name != "two tokens" || status != http.StatusBadRequest) {
			h.Errorf("%s: %d", name, status)
		}
	}
	const times = 50
	var group sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	for range times {
		group.Go(func() {
			status, _, _ := send("GET", "/api/v1/scans", held.Header.Clone())
			mu.Lock()
			defer mu.Unlock()
			count[status]++
		})
	}
	group.Wait()
	if count[http.StatusOK] != 1 || count[http.StatusUnauthorized] != times-1 {
		h.Errorf("one proof %d times at once: %v", times, count)
	}
}

// inside reaches for what is not for clients.
func (h *hostile) inside() {
	for _, path := range []string{"/internal/v1/introspect", "/internal/", "/internal", "/revocations?after=0", "/metrics", "/healthz", "/readyz", "/debug/pprof/", "/api/v1/", "/api", "/harbor/"} {
		for _, method := range []string{"GET", "POST"} {
			status, header, text := h.anonymous(method, path, nil)
			h.refusal(method+" "+path, status, header, text)
			if status != http.StatusNotFound {
				h.Errorf("%s %s: %d", method, path, status)
			}
			if status, _, _ := h.admin.send(method, path, "application/json", nil); status != http.StatusNotFound {
				h.Errorf("%s %s by an administrator: %d", method, path, status)
			}
		}
	}
	for _, path := range []string{"/", "/api/v1/scans", "/openapi.json", "/token", "/jwks", "/authorize", "/internal/v1/introspect", "/revocations", "/debug/pprof/", "/debug/pprof/heap"} {
		for _, method := range []string{"GET", "POST"} {
			r, _ := http.NewRequest(method, "http://"+h.process.manage+path, nil)
			resp, err := h.nobody.Do(r)
			if err != nil {
				h.Errorf("the management port: %s %s: %v", method, path, err)
				continue
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed {
				h.Errorf("the management port has %s %s: %s", method, path, resp.Status)
			}
		}
	}
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	ann := &auth.Identity{Tenant: "default", Subject: "ann", Client: "stella-cli", Scopes: []string{"authority:admin", "scanner:read"}, Proof: auth.ProofDPoP}
	for _, name := range []string{"gateway", "worker", "scanner-web", "export-center"} {
		text, err := (&envelope.Signer{Name: name, Key: key}).Sign(ann, envelope.Binding{Audience: "scanner", Method: "GET", Target: "/api/v1/scans", Digest: envelope.Digest(nil)}, "")
		if err != nil {
			h.Fatal(err)
		}
		forged := []string{envelope.Header, text, "X-Forwarded-User", "ann", "Stella-Request-Id", "forged-request-id\n", "X-Forwarded-For", "127.0.0.1"}
		forged[5] = "forged-request-id"
		if status, header, body := h.anonymous("GET", "/api/v1/scans", nil, forged...); status != http.StatusUnauthorized {
			h.Errorf("an envelope of %s from outside: %d %v %s", name, status, header, body)
		}
		status, _, body := h.theirs.send("GET", "/api/v1/scans", "", nil, forged...)
		if status != http.StatusOK || bytes.Contains(body, []byte(h.ids["scan_id"])) {
			h.Errorf("an envelope of %s beside a token: %d %s", name, status, body)
		}
		if status, _, _ := h.anonymous("GET", "/jwks", nil, forged...); status != http.StatusOK {
			h.Errorf("an envelope at a public path: %d", status)
		}
	}
	if status, header, text := h.theirs.send("GET", "/api/v1/scans", "", nil, "Stella-Tenant", "default"); status != http.StatusForbidden {
		h.Errorf("another tenant by a header: %d %v %s", status, header, text)
	}
	// Tokens of the API are no credentials of clients.
	held := h.hold(h.theirs, "GET", "/api/v1/scans")
	for _, path := range []string{"/introspect", "/revoke", "/token"} {
		status, _, text := h.anonymous("POST", path, []byte("token=x&grant_type=client_credentials"), "Content-Type", "application/x-www-form-urlencoded", "Authorization", held.Header.Get("Authorization"), "DPoP", held.Header.Get("DPoP"))
		if status != http.StatusUnauthorized && status != http.StatusBadRequest || bytes.Contains(text, []byte("access_token")) {
			h.Errorf("%s by an access token: %d %s", path, status, text)
		}
	}
	// Where people go after they have logged in is not for a stranger to say.
	for _, redirect := range []string{"https://eve.example/", "//eve.example", "javascript:alert(1)", "http://127.0.0.1.eve.example/callback", "http://127.0.0.1@eve.example/callback", "http://127.0.0.1/callback/../x", "http://127.0.0.1/callback#x", "http://[::1]:1/other"} {
		query := url.Values{"client_id": {"stella-cli"}, "response_type": {"code"}, "redirect_uri": {redirect}, "code_challenge": {strings.Repeat("a", 43)}, "code_challenge_method": {"S256"}, "state": {"x"}}
		if status, header, _ := h.anonymous("GET", "/authorize?"+query.Encode(), nil); status < 400 || status > 499 || header.Get("Location") != "" {
			h.Errorf("redirect to %s: %d, %q", redirect, status, header.Get("Location"))
		}
	}
}

// worker attacks a Scanner of its own process by the key of a worker.
func (h *hostile) worker() {
	h.keyPair("worker")
	at := free(h.T, 1)[0]
	h.start(group{name: "scanner", systems: []string{"scanner"}, config: "listen: " + at + "\nidentity: {trust: " + filepath.Join(h.dir, "trust") + "}\n"})
	key, err := privateKey(filepath.Join(h.dir, "worker.key"))
	if err != nil {
		h.Fatal(err)
	}
	scan := "/api/v1/scans/" + h.ids["scan_id"]
	self := &auth.Identity{Tenant: "default", Subject: "worker", Client: "worker", Scopes: []string{auth.ScannerWork}, Proof: auth.ProofService}
	ann := &auth.Identity{Tenant: "default", Subject: "ann", Client: "stella-cli", Scopes: []string{auth.ScannerRead, auth.ScannerScan}, Proof: auth.ProofDPoP}
	more := &auth.Identity{Tenant: "default", Subject: "worker", Client: "worker", Scopes: []string{auth.ScannerRead, auth.ScannerWork}, Proof: auth.ProofService}
	send := func(method, path, body, sealed string) (int, http.Header, []byte) {
		r, _ := http.NewRequest(method, "http://"+at+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if sealed != "" {
			r.Header.Set(envelope.Header, sealed)
		}
		resp, err := h.nobody.Do(r)
		if err != nil {
			h.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, resp.Header, text
	}
	seal := func(name, audience, method, path, body string, who *auth.Identity) string {
		text, err := (&envelope.Signer{Name: name, Key: key}).Sign(who, envelope.Binding{Audience: audience, Method: method, Target: path, Digest: envelope.Digest([]byte(body))}, "")
		if err != nil {
			h.Fatal(err)
		}
		return text
	}
	for name, c := range map[string]struct {
		method, path, body, sealed string
		status                     int
	}{
		"reports on a job":     {"POST", scan + "/heartbeat", "{}", seal("worker", "scanner", "POST", scan+"/heartbeat", "{}", self), 422},
		"reads":                {"GET", scan, "", seal("worker", "scanner", "GET", scan, "", self), 403},
		"lists":                {"GET", "/api/v1/scans", "", seal("worker", "scanner", "GET", "/api/v1/scans", "", self), 403},
		"submits":              {"POST", "/api/v1/scans", `{"image_ref":"x"}`, seal("worker", "scanner", "POST", "/api/v1/scans", `{"image_ref":"x"}`, self), 403},
		"cancels":              {"POST", scan + "/cancel", `{"reason":"x"}`, seal("worker", "scanner", "POST", scan+"/cancel", `{"reason":"x"}`, self), 403},
		"as a user":            {"GET", scan, "", seal("worker", "scanner", "GET", scan, "", ann), 403},
		"as the gateway":       {"GET", scan, "", seal("gateway", "scanner", "GET", scan, "", ann), 401},
		"with more rights":     {"GET", scan, "", seal("worker", "scanner", "GET", scan, "", more), 403},
		"for another path":     {"POST", scan + "/claim", "{}", seal("worker", "scanner", "POST", scan+"/heartbeat", "{}", self), 401},
		"for another body":     {"POST", scan + "/fail", `{"x":1}`, seal("worker", "scanner", "POST", scan+"/fail", "{}", self), 401},
		"for another system":   {"POST", scan + "/claim", "{}", seal("worker", "policy", "POST", scan+"/claim", "{}", self), 401},
		"without an envelope":  {"GET", scan, "", "", 401},
		"with half of one":     {"GET", scan, "", "v1.e30", 401},
		"inside":               {"POST", "/internal/v1/introspect", "", "", 404},
		"a system that is not": {"GET", "/api/v1/policies", "", "", 404},
	} {
		status, _, text := send(c.method, c.path, c.body, c.sealed)
		if status != c.status && !(c.status == 422 && status >= 400 && status < 500 && status != 401 && status != 403) {
			h.Errorf("a worker's key %s: %d, want %d: %s", name, status, c.status, text)
		}
		if again, _, _ := send(c.method, c.path, c.body, c.sealed); c.status == 422 && again != 401 {
			h.Errorf("a worker's key %s: its envelope again: %d", name, again)
		}
	}
}

// privateKey reads the key of a process.
func privateKey(file string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return key.(ed25519.PrivateKey), nil
}

// tokens sends every operation without a token, and with one that has not the right.
func (h *hostile) tokens() {
	weak := []*caller{h.ci(h.rival, "timeline:read"), h.ci(h.rival, "attest:read")}
	path := func(o *operation) string { return regexp.MustCompile(`\{\w+\}`).ReplaceAllString(o.path, "x") }
	asked := 0
	for i := range h.operations {
		o := &h.operations[i]
		if len(o.scopes) == 0 && !o.keys {
			continue
		}
		methods := []string{o.method}
		if o.method == "GET" {
			methods = append(methods, "HEAD")
		}
		for _, method := range methods {
			asked++
			status, header, text := h.anonymous(method, path(o), nil)
			for status == http.StatusTooManyRequests { // addresses that are refused too often are turned away
				time.Sleep(time.Second)
				status, header, text = h.anonymous(method, path(o), nil)
			}
			h.refusal(o.String(), status, header, text)
			challenge := header.Get("WWW-Authenticate")
			if status != http.StatusUnauthorized || strings.Contains(challenge, "error") || !strings.HasPrefix(challenge, "DPoP") && !o.keys || challenge == "" {
				h.Errorf("%s by nobody: %d, %q", o, status, challenge)
			}
			who, want := weak[0], http.StatusForbidden
			if slices.Contains(o.scopes, "timeline:read") {
				who = weak[1]
			}
			if o.keys {
				want = http.StatusUnauthorized
			}
			asked++
			status, header, text = who.send(method, path(o), "application/json", nil)
			h.refusal(o.String(), status, header, text)
			challenge = header.Get("WWW-Authenticate")
			if status != want || want == http.StatusForbidden && (!strings.Contains(challenge, `error="insufficient_scope"`) || !strings.Contains(challenge, o.scopes[0])) {
				h.Errorf("%s without the right: %d, %q: %s", o, status, challenge, text)
			}
		}
	}
	if asked < 300 {
		h.Errorf("only %d requests", asked)
	}
}
