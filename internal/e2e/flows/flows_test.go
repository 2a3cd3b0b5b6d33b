package flows

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// flows goes through the six flows of an installation that runs, as its tenant's people and
// programs would.
func flows(t *testing.T, s *site, admin *caller, tenant, password string) {
	f := &flow{T: t, site: s, ci: s.ci(admin, everything...), home: t.TempDir()}
	f.first()
	f.settings()
	id := f.scan(tenant, password)
	f.drift(id)
	f.vex(id)
	f.policy(id)
	f.told()
	f.export(id)
	f.timeline(id)
	f.refusals(id)
	f.compat(admin)
}

// flow is where one run of them stands.
type flow struct {
	*testing.T
	*site
	ci   *caller
	home string
}

// Both are testing.TB: the test's own counts.
func (f *flow) Helper()                   { f.T.Helper() }
func (f *flow) Fatal(args ...any)         { f.T.Helper(); f.T.Fatal(args...) }
func (f *flow) Fatalf(s string, a ...any) { f.T.Helper(); f.T.Fatalf(s, a...) }
func (f *flow) Errorf(s string, a ...any) { f.T.Helper(); f.T.Errorf(s, a...) }
func (f *flow) TempDir() string           { return f.T.TempDir() }

// first wants the sources to have been read once, which makes the first head.
func (f *flow) first() {
	f.until("there are advisories", time.Minute, func() bool {
		status, _, _ := f.ci.send("GET", "/api/v1/advisories/heads/current", "", nil)
		return status == http.StatusOK
	})
}

// settings says what the tenant wants: a policy that decides, and somebody who is told.
func (f *flow) settings() {
	status, _, text := f.ci.send("POST", "/api/v1/policies", "application/yaml", "id: release\nversion: 1\nrules:\n  - id: known\n    match: {fix: available}\n    action: block\n    because: a repaired version is there\n")
	if status != http.StatusCreated {
		f.Fatalf("keep a policy: %d: %s", status, text)
	}
	f.ci.do("POST", "/api/v1/policies/release/versions/1/activate", map[string]any{"environment": "production", "reason": "the first one"}, http.StatusOK)
	f.ci.put("/api/v1/notify/endpoints/hook", map[string]any{"type": "webhook", "url": f.site.told.url, "secrets": map[string]string{"signing": "file:hook"}})
	f.ci.put("/api/v1/notify/rules/all", map[string]any{"to": []any{map[string]any{"endpoint": "hook"}}})
}

// put sets what was not there.
func (c *caller) put(path string, body any) {
	c.Helper()
	status, _, text := c.send("PUT", path, "application/json", body, "If-None-Match", "*")
	if status != http.StatusCreated && status != http.StatusOK {
		c.Fatalf("PUT %s: %d: %s", path, status, text)
	}
}

// scan is flow 1, as the documented diagram begins: a person logs in and has an image
// scanned by the server.
func (f *flow) scan(tenant, password string) string {
	f.login(f.home, tenant, "admin", password)
	out, err := f.tool(f.home, "scan", "docker://"+f.registry+"/app:1", "--sbom-format=spdx", "--server", f.gateway, "-o", "spdx-json=app.spdx.json")
	if err == nil {
		f.Errorf("stella scan passes although the policy blocks: %s", out)
	}
	text, err := os.ReadFile(filepath.Join(f.dir, "app.spdx.json"))
	if err != nil || !strings.Contains(string(text), "bolt") {
		f.Fatalf("stella scan wrote %.200s (%v): %s", text, err, out)
	}
	page := f.ci.do("GET", "/api/v1/scans", nil, http.StatusOK)
	jobs, _ := page["scans"].([]any)
	if len(jobs) != 1 {
		f.Fatalf("%d scans: %v", len(jobs), page)
	}
	job, _ := jobs[0].(map[string]any)
	id, _ := job["job_id"].(string)
	if job["status"] != "completed" || job["owner"] == "" {
		f.Errorf("the scan is %v", job)
	}
	if got := f.ci.vulnerabilities(id); got != "CVE-2024-10001" {
		f.Errorf("findings: %s", got)
	}
	return id
}

// drift is flow 2: advisories change, and a scan that was completed before has another
// finding, without its image.
func (f *flow) drift(id string) {
	f.publish(`{"pkg":{"name":"bolt","secfixes":{"1.9-r3":["CVE-2024-10001"]}}},{"pkg":{"name":"nut","secfixes":{"2.0-r1":["CVE-2024-20002"]}}}`)
	f.ci.do("POST", "/api/v1/advisories/sources/wolfi/sync", nil, http.StatusAccepted)
	f.until("the scan has drifted", time.Minute, func() bool {
		return slices.Contains(strings.Split(f.ci.vulnerabilities(id), ","), "CVE-2024-20002")
	})
}

// vex is flow 3: suppliers contradict each other, and who is believed decides.
func (f *flow) vex(id string) {
	f.ci.do("PUT", "/api/v1/vex/trust", map[string]any{"issuers": []any{map[string]any{"id": "us", "tier": 1, "sources": []string{"upload"}, "products": []string{"*"}, "unsigned": []string{"affected", "not_affected", "under_investigation"}}}}, http.StatusOK)
	f.statement("supplier.json", "bolt", "CVE-2024-10001", "not_affected")
	f.until("the verdict believes it", time.Minute, func() bool { return f.verdict(id)["blocked"] == 1.0 })
	f.statement("ours.json", "bolt", "CVE-2024-10001", "affected")
	f.until("the verdict is in doubt", time.Minute, func() bool { return f.verdict(id)["blocked"] == 2.0 })
}

// statement uploads an OpenVEX document.
func (f *flow) statement(name, pkg, cve, status string) {
	s := map[string]any{"vulnerability": map[string]any{"name": cve}, "products": []any{map[string]any{"@id": "pkg:apk/wolfi/" + pkg}}, "status": status}
	if status == "not_affected" {
		s["justification"] = "vulnerable_code_not_present"
	} else {
		s["action_statement"] = "update"
	}
	doc, _ := json.Marshal(map[string]any{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://vex.example/" + name, "author": "somebody", "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": []any{s}})
	code, _, text := f.ci.send("POST", "/api/v1/vex/documents?name="+name, "application/json", doc)
	if code != http.StatusCreated && code != http.StatusOK {
		f.Fatalf("upload %s: %d: %s", name, code, text)
	}
}

// verdict is that of production about a scan.
func (f *flow) verdict(id string) map[string]any {
	f.Helper()
	out := f.ci.do("GET", "/api/v1/scans/"+id+"/verdict", nil, http.StatusOK)
	list, _ := out["verdicts"].([]any)
	for _, v := range list {
		if m, ok := v.(map[string]any); ok && m["environment"] == "production" {
			return m
		}
	}
	f.Fatalf("no verdict of production: %v", out)
	return nil
}

// policy is flow 4: another policy is put in force, and decides about the scan again.
func (f *flow) policy(id string) {
	status, _, text := f.ci.send("POST", "/api/v1/policies", "application/yaml", "id: release\nversion: 2\nrules:\n  - id: known\n    match: {fix: available}\n    action: warn\n    because: a repaired version is there\n")
	if status != http.StatusCreated {
		f.Fatalf("keep a policy: %d: %s", status, text)
	}
	before := f.verdict(id)["outcome"]
	f.ci.do("POST", "/api/v1/policies/release/versions/2/activate", map[string]any{"environment": "production", "reason": "people repair within a week"}, http.StatusOK)
	f.until("the verdict follows from the new policy", time.Minute, func() bool { return f.verdict(id)["outcome"] == "warn" })
	if before != "block" {
		f.Errorf("the verdict was %v before", before)
	}
}

// told is flow 5: somebody was told of the new vulnerability, and of the scan.
func (f *flow) told() {
	f.until("somebody is told of the new vulnerability", time.Minute, func() bool { return f.site.told.heard("CVE-2024-20002", "app:1") })
	f.until("the delivery is noted", time.Minute, func() bool {
		out := f.ci.do("GET", "/api/v1/notify/deliveries?status=delivered", nil, http.StatusOK)
		list, _ := out["deliveries"].([]any)
		return len(list) > 0
	})
}

// export is flow 6: what is downloaded proves itself without the installation.
func (f *flow) export(id string) {
	f.ci.do("POST", "/api/v1/scans/"+id+"/exports", map[string]any{"formats": []string{"spdx", "evidence"}}, http.StatusAccepted)
	var bundle []byte
	f.until("the export is made and logged", time.Minute, func() bool {
		status, header, text := f.ci.send("GET", "/api/v1/scans/"+id+"/export?format=spdx", "", nil)
		if status == http.StatusOK && !strings.HasPrefix(header.Get("Content-Type"), "application/vnd.in-toto+json") {
			f.Fatalf("the export is %s: %.300s", header.Get("Content-Type"), text)
		}
		bundle = text
		return status == http.StatusOK && strings.Contains(string(text), "logIndex")
	})
	file := f.write("export.jsonl", bundle)
	_, _, root := f.ci.send("GET", "/api/v1/trust-root", "", nil)
	trust := f.write("root.json", root)
	if out, err := f.tool(f.home, "verify", file, "--trust-root", trust, "--offline", "--logged"); err != nil {
		f.Errorf("stella verify: %v: %s", err, out)
	}
	bundle[len(bundle)/2] ^= 1
	if out, err := f.tool(f.home, "verify", f.write("forged.jsonl", bundle), "--trust-root", trust, "--offline"); err == nil {
		f.Errorf("a forged export is verified: %s", out)
	}
}

// timeline wants all that happened to be on it.
func (f *flow) timeline(id string) {
	want := []string{"scan.queued", "sbom.created", "scan.completed", "advisory.drift", "policy.verdict.changed"}
	f.until("the timeline has it all", time.Minute, func() bool {
		out := f.ci.do("GET", "/api/v1/timeline/events?limit=1000", nil, http.StatusOK)
		text, _ := json.Marshal(out)
		return !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(string(text), `"`+w+`"`) })
	})
	if out := f.ci.do("GET", "/api/v1/timeline/gaps", nil, http.StatusOK); out["gaps"] != nil {
		if list, _ := out["gaps"].([]any); len(list) > 0 {
			f.Errorf("the timeline has gaps: %v", list)
		}
	}
}

// refusals: nobody comes in without a token, and an unknown id is one like any other.
func (f *flow) refusals(id string) {
	resp, err := http.Get(f.gateway + "/api/v1/scans/" + id)
	if err != nil {
		f.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(resp.Header.Get("WWW-Authenticate"), "DPoP") {
		f.Errorf("without a token: %s, %v", resp.Status, resp.Header)
	}
	if status, header, _ := f.ci.send("GET", "/api/v1/scans/scan-00000000000000000000000000000000", "", nil); status != http.StatusNotFound || !strings.HasPrefix(header.Get("Content-Type"), "application/problem+json") {
		f.Errorf("an unknown scan: %d, %v", status, header)
	}
}
