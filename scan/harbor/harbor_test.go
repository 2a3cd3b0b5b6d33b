package harbor_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan"
)

const (
	vulns    = "application/vnd.security.vulnerability.report; version=1.1"
	vulnsOld = "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0"
	sbomType = "application/vnd.security.sbom.report+json; version=1.0"
)

// found is told by two records of one source and one of another.
func found() *finding.Report {
	f := finding.Finding{Package: "p1", Name: "musl", Version: "1.2.5-r0", PURL: "pkg:apk/alpine/musl@1.2.5-r0", Vulnerability: "CVE-2025-26519", Advisory: "ALPINE-CVE-2025-26519",
		Severity: finding.Medium, Fixed: []string{"1.2.5-r1"}, Summary: "iconv writes out of bounds", URL: "https://security.alpinelinux.org/vuln/CVE-2025-26519",
		Scores: []finding.Score{{Type: "CVSS_V4", Value: "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}, {Type: "CVSS_V3", Value: "CVSS:3.1/AV:L/AC:H/PR:N/UI:N/S:C/C:H/I:H/A:H"}, {Type: "CVSS_V2", Value: "AV:N/AC:L/Au:N/C:N/I:N/A:P"}}}
	g := f
	g.Advisory, g.Severity, g.Fixed, g.URL, g.Exploited = "GHSA-1", finding.High, []string{"1.2.5-r1", "1.2.6"}, "javascript:alert(1)", "2026-01-02"
	h := finding.Finding{Package: "p1", Name: "musl", Version: "1.2.5-r0", Vulnerability: "X-1", Advisory: "X-1"}
	return &finding.Report{Snapshot: "sha256:snap", Findings: []finding.Finding{f, g, h}}
}

// pull drives the scanner as Harbor does: it asks, follows where it is sent until there is
// a report, and returns it.
func (s *site) pull(accept, query string) (id string, last *answer) {
	s.Helper()
	a := s.send("acme/harbor", "POST", "/api/v1/scan", s.ask(basic))
	var got struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &got); a.StatusCode != 202 || err != nil || a.Header.Get("Content-Type") != "application/vnd.scanner.adapter.scan.response+json; version=1.0" {
		s.Fatalf("%d %v %s", a.StatusCode, err, a.body)
	}
	path := "/harbor/api/v1/scan/" + got.ID + "/report" + query
	for polls := 0; ; polls++ {
		last = s.send("acme/harbor", "GET", strings.TrimPrefix(path, "/harbor"), "", "Accept: "+accept)
		if last.StatusCode != 302 {
			return got.ID, last
		}
		at, err := last.Location() // resolves what is relative
		if err != nil || at.RequestURI() != path || !regexp.MustCompile(`^\d+$`).MatchString(last.Header.Get("Refresh-After")) {
			s.Fatalf("sent to %v, %v, Refresh-After %q", at, err, last.Header.Get("Refresh-After"))
		}
		if polls > 0 {
			s.Fatal("still sent on after the scan")
		}
		s.work("acme", got.ID)
	}
}

func TestVulnerabilities(t *testing.T) {
	s := newSite(t)
	s.matcher.report = found()
	id, a := s.pull(vulns, "")
	want := `{"generated_at":"TIME","artifact":{"repository":"library/demo","digest":"` + s.digest + `","tag":"1","mime_type":"application/vnd.docker.distribution.manifest.v2+json"},` +
		`"scanner":{"name":"stella","vendor":"Stella Ops","version":"1.0.0"},"severity":"High","vulnerabilities":[` +
		`{"id":"CVE-2025-26519","package":"musl","version":"1.2.5-r0","fix_version":"1.2.5-r1, 1.2.6","severity":"High","description":"iconv writes out of bounds",` +
		`"links":["https://security.alpinelinux.org/vuln/CVE-2025-26519","https://nvd.nist.gov/vuln/detail/CVE-2025-26519"],` +
		`"preferred_cvss":{"score_v3":8.1,"score_v2":5.0,"vector_v3":"CVSS:3.1/AV:L/AC:H/PR:N/UI:N/S:C/C:H/I:H/A:H","vector_v2":"AV:N/AC:L/Au:N/C:N/I:N/A:P"},` +
		`"vendor_attributes":{"stella":{"advisories":["ALPINE-CVE-2025-26519","GHSA-1"],"exploited":"2026-01-02","purl":"pkg:apk/alpine/musl@1.2.5-r0"}}},` +
		`{"id":"X-1","package":"musl","version":"1.2.5-r0","severity":"Unknown","description":"","links":[],"vendor_attributes":{"stella":{"advisories":["X-1"]}}}]}`
	got := regexp.MustCompile(`"generated_at":"[^"]+"`).ReplaceAllString(strings.TrimSpace(a.body), `"generated_at":"TIME"`)
	if diff := cmp.Diff(want, got); a.StatusCode != 200 || a.Header.Get("Content-Type") != vulns || diff != "" {
		t.Errorf("%d %s (-want +got):\n%s", a.StatusCode, a.Header.Get("Content-Type"), diff)
	}
	for accept, mediaType := range map[string]string{vulnsOld: vulnsOld, "application/vnd.security.vulnerability.report;version=\"1.1\"": vulns, "*/*": vulns, "text/html, " + vulnsOld + ";q=0.5": vulnsOld} {
		b := s.send("acme/harbor", "GET", "/api/v1/scan/"+id+"/report", "", "Accept: "+accept)
		if b.StatusCode != 200 || b.Header.Get("Content-Type") != mediaType || b.body != a.body {
			t.Errorf("%s: %d %s", accept, b.StatusCode, b.Header.Get("Content-Type"))
		}
	}
	if s.refused != 1 { // the first request, which asks what to present
		t.Errorf("the registry refused %d requests", s.refused)
	}
	if len(s.reports) > 0 {
		t.Errorf("the operator was told: %q", s.reports)
	}
}

func TestSBOM(t *testing.T) {
	s := newSite(t)
	s.matcher.report = &finding.Report{Snapshot: "sha256:snap"}
	for form, member := range map[string]string{"application/spdx+json": "spdxVersion", "application/vnd.cyclonedx+json": "bomFormat"} {
		_, a := s.pull(sbomType, "?"+url.Values{"sbom_media_type": {form}}.Encode())
		var got struct {
			MediaType string         `json:"media_type"`
			SBOM      map[string]any `json:"sbom"`
			Artifact  struct{ Digest string }
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.StatusCode != 200 || a.Header.Get("Content-Type") != sbomType || got.MediaType != form || got.SBOM[member] == nil || got.Artifact.Digest != s.digest {
			t.Errorf("%s: %d %v %.300s", form, a.StatusCode, err, a.body)
		}
	}
}

// TestNothingFound: an image without findings has no severity, one that was not assessed
// has Unknown, and one that nothing is known about has no report.
func TestNothingFound(t *testing.T) {
	s := newSite(t)
	s.matcher.report = &finding.Report{Snapshot: "sha256:snap"}
	if _, a := s.pull(vulns, ""); a.StatusCode != 200 || strings.Contains(a.body, "severity") || !strings.Contains(a.body, `"vulnerabilities":[]`) {
		t.Errorf("clean: %d %s", a.StatusCode, a.body)
	}
	s.worker.Matcher = nil
	if _, a := s.pull(vulns, ""); a.StatusCode != 500 || !strings.Contains(a.body, `{"error":{"message":"the packages were not compared`) {
		t.Errorf("not matched: %d %s", a.StatusCode, a.body)
	}
}

// TestFailure: the wrong credential ends the scan, and Harbor is told why.
func TestFailure(t *testing.T) {
	s := newSite(t)
	s.matcher.report = found()
	a := s.send("acme/harbor", "POST", "/api/v1/scan", strings.ReplaceAll(s.ask(basic), s.digest, "sha256:"+strings.Repeat("0", 64)))
	var got struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.StatusCode != 202 {
		t.Fatal(a.StatusCode, a.body)
	}
	s.handle(s.worker.Handle, "acme", got.ID, "scan.job", "job/1")
	b := s.send("acme/harbor", "GET", "/api/v1/scan/"+got.ID+"/report", "", "Accept: "+vulns)
	if b.StatusCode != 500 || b.Header.Get("Content-Type") != "application/vnd.scanner.adapter.error+json; version=1.0" || !strings.Contains(b.body, "the scan is failed") {
		t.Errorf("%d %s %s", b.StatusCode, b.Header.Get("Content-Type"), b.body)
	}
}

// TestCanary looks for the registry's password in everything that was written, said and
// answered, before and after the scan.
func TestCanary(t *testing.T) {
	s := newSite(t)
	s.matcher.report = found()
	secrets := []string{canary, strings.TrimPrefix(basic, "Basic "), strings.TrimPrefix(basic, "Basic ")[20:40]}
	look := func(when, what, text string) {
		t.Helper()
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s: %s has the secret", when, what)
			}
		}
	}
	everywhere := func(when string) {
		t.Helper()
		files := 0
		err := filepath.WalkDir(s.folder, func(p string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(p)
			files++
			look(when, p, string(b))
			return err
		})
		if err != nil || files == 0 {
			t.Fatal(files, err)
		}
		look(when, "what the operator was told", strings.Join(s.reports, "\n"))
	}
	a := s.send("acme/harbor", "POST", "/api/v1/scan", s.ask(basic))
	var got struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	look("submitted", "the answer", a.body)
	everywhere("submitted")
	tn, err := s.root.Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := tn.Scans().Manifest(t.Context(), got.ID)
	if err != nil || !strings.Contains(string(manifest), `"credential":true`) {
		t.Errorf("%s %v", manifest, err)
	}
	lease, err := tn.Scans().Claim(t.Context(), scan.ClaimRequest{JobID: got.ID, Holder: "w2", Length: 15e9})
	if err != nil || len(lease.Sealed) == 0 {
		t.Fatal(err)
	}
	look("claimed", "the lease", string(lease.Sealed))
	if err := tn.Scans().Fail(t.Context(), *lease, scan.Failure{Cause: "trying"}); err != nil {
		t.Fatal(err)
	}
	id, b := s.pull(vulns, "")
	look("scanned", "the report", b.body)
	everywhere("scanned")
	lease, err = tn.Scans().Claim(t.Context(), scan.ClaimRequest{JobID: id, Holder: "w2", Length: 15e9})
	if err == nil {
		t.Errorf("a completed job was claimed: %v", lease)
	}
	// Refused requests do not repeat it either.
	for _, bad := range []string{strings.Replace(s.ask(basic), `"Basic `, `"Digest `, 1), strings.Replace(s.ask(basic), `"library/demo"`, `7`, 1), strings.Replace(s.ask(basic), `"registry"`, `"registry":{},"registry"`, 1), s.ask(basic)[:200]} {
		c := s.send("acme/harbor", "POST", "/api/v1/scan", bad)
		look("refused", "the answer", c.body)
		if c.StatusCode < 400 {
			t.Errorf("%d %s", c.StatusCode, c.body)
		}
	}
}

func TestRefused(t *testing.T) {
	s := newSite(t)
	good := s.ask("")
	change := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the request has no %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, test := range map[string]struct {
		body, header string
		status       int
		says         string
	}{
		"no JSON":        {`{`, "", 400, "no JSON"},
		"wrong type":     {change(`"library/demo"`, `{}`), "", 400, "/artifact/repository"},
		"twice":          {change(`"artifact"`, `"artifact":{},"artifact"`), "", 400, ""},
		"empty":          {`{}`, "", 422, "registry.url"},
		"no scheme":      {change(s.registry.URL, s.host()), "", 422, "registry.url"},
		"file":           {change(s.registry.URL, "file:///etc"), "", 422, "registry.url"},
		"user":           {change("http://", "http://a:b@"), "", 422, "registry.url"},
		"path":           {change(s.registry.URL, s.registry.URL+"/v2"), "", 422, "registry.url"},
		"no repository":  {change("library/demo", ""), "", 422, "artifact.repository"},
		"repository":     {change("library/demo", "library/demo@sha256:0"), "", 422, "artifact.repository"},
		"up":             {change("library/demo", "../demo"), "", 422, ""},
		"no digest":      {change(s.digest, ""), "", 422, ""},
		"digest":         {change(s.digest, "sha256:0"), "", 422, ""},
		"artifact":       {change("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.cncf.helm.chart"), "", 501, "are not scanned"},
		"capability":     {change(`"type":"vulnerability"`, `"type":"malware"`), "", 422, "capability"},
		"report":         {change("version=1.1", "version=9"), "", 501, ""},
		"SBOM":           {change(`"type":"vulnerability","produces_mime_types":["application/vnd.security.vulnerability.report; version=1.1"],"parameters":null`, `"type":"sbom","parameters":{"sbom_media_types":["text/plain"]}`), "", 422, "text/plain"},
		"credential":     {change(`"authorization":""`, `"authorization":"Digest x"`), "", 422, "neither Basic nor Bearer"},
		"not base64":     {change(`"authorization":""`, `"authorization":"Basic ***"`), "", 422, "base64"},
		"tag":            {change(`"tag":"1"`, `"tag":"`+strings.Repeat("x", 600)+`"`), "", 422, "labels"},
		"form":           {good, "Content-Type: application/x-www-form-urlencoded", 415, ""},
		"long":           {good + strings.Repeat(" ", 300<<10), "", 413, "limit"},
		"as nobody":      {good, "Authorization: Basic x", 401, ""},
		"of no tenant":   {good, "Authorization: Bearer /x", 403, ""},
		"no such tenant": {good, "Authorization: Bearer a b/x", 500, "request_id"},
	} {
		a := s.send("acme/harbor", "POST", "/api/v1/scan", test.body, test.header)
		if a.StatusCode != test.status || !strings.Contains(a.body, test.says) || !strings.HasPrefix(a.body, `{"error":{"message":"`) || a.Header.Get("Content-Type") != "application/vnd.scanner.adapter.error+json; version=1.0" {
			t.Errorf("%s: %d %s %s", name, a.StatusCode, a.Header.Get("Content-Type"), a.body)
		}
	}
	s.handler.PlainHTTP = false
	if a := s.send("acme/harbor", "POST", "/api/v1/scan", good); a.StatusCode != 422 || !strings.Contains(a.body, "without encryption") {
		t.Errorf("plain HTTP: %d %s", a.StatusCode, a.body)
	}
}

func TestReportRefused(t *testing.T) {
	s := newSite(t)
	s.matcher.report = found()
	id, _ := s.pull(vulns, "")
	report := func(id string) string { return "/api/v1/scan/" + id + "/report" }
	for name, test := range map[string]struct {
		token, path, accept string
		status              int
	}{
		"another tenant's":   {"other/x", report(id), vulns, 404},
		"missing":            {"acme/x", report("scan-none"), vulns, 404},
		"no id":              {"acme/x", report("..%2fx"), vulns, 404},
		"raw":                {"acme/x", report(id), "application/vnd.scanner.adapter.vuln.report.raw", 501},
		"no form":            {"acme/x", report(id), sbomType, 400},
		"unknown form":       {"acme/x", report(id) + "?sbom_media_type=text/html", sbomType, 400},
		"form of no SBOM":    {"acme/x", report(id) + "?sbom_media_type=application/spdx%2Bjson", vulns, 400},
		"unknown key":        {"acme/x", report(id) + "?a=b", vulns, 400},
		"no path":            {"acme/x", "/api/v1/scans", vulns, 404},
		"as nobody":          {"", report(id), vulns, 401},
		"metadata, nobody's": {"", "/api/v1/metadata", "", 401},
	} {
		if a := s.send(test.token, "GET", test.path, "", "Accept: "+test.accept); a.StatusCode != test.status || !strings.HasPrefix(a.body, `{"error":`) {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	other := s.send("other/x", "GET", report(id), "", "Accept: "+vulns)
	missing := s.send("other/x", "GET", report("scan-aaaaaaaaaaaaaaaaaaaaaaaaaa"), "", "Accept: "+vulns)
	if strings.ReplaceAll(other.body, id, "ID") != strings.ReplaceAll(missing.body, "scan-aaaaaaaaaaaaaaaaaaaaaaaaaa", "ID") {
		t.Errorf("another tenant's id is told from a missing one: %s, %s", other.body, missing.body)
	}
	s.quota.Open = 1
	if a := s.send("acme/x", "POST", "/api/v1/scan", s.ask(basic)); a.StatusCode != 202 {
		t.Errorf("within the quota: %d %s", a.StatusCode, a.body)
	}
	if a := s.send("acme/x", "POST", "/api/v1/scan", s.ask(basic)); a.StatusCode != 429 || a.Header.Get("Retry-After") == "" {
		t.Errorf("over the quota: %d %s", a.StatusCode, a.body)
	}
}

func TestMetadata(t *testing.T) {
	s := newSite(t)
	a := s.send("acme/harbor", "GET", "/api/v1/metadata", "")
	want := `{"scanner":{"name":"stella","vendor":"Stella Ops","version":"1.0.0"},"capabilities":[` +
		`{"type":"vulnerability","consumes_mime_types":["application/vnd.oci.image.manifest.v1+json","application/vnd.docker.distribution.manifest.v2+json"],"produces_mime_types":["` + vulns + `","` + vulnsOld + `"]},` +
		`{"type":"sbom","consumes_mime_types":["application/vnd.oci.image.manifest.v1+json","application/vnd.docker.distribution.manifest.v2+json"],"produces_mime_types":["` + sbomType + `"],"additional_attributes":{"sbom_media_types":["application/spdx+json","application/vnd.cyclonedx+json"]}}],` +
		`"properties":{"harbor.scanner-adapter/scanner-type":"os-package-vulnerability","harbor.scanner-adapter/vulnerability-database-updated-at":"2026-11-01T00:00:00Z"}}`
	if diff := cmp.Diff(want, strings.TrimSpace(a.body)); a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/vnd.scanner.adapter.metadata+json; version=1.1" || diff != "" {
		t.Errorf("%d %s (-want +got):\n%s", a.StatusCode, a.Header.Get("Content-Type"), diff)
	}
}
