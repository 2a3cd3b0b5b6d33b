package deptrack_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/deptrack"
)

type uploaded struct {
	Token   string `json:"token"`
	Project string `json:"projectUuid"`
}

type processing struct {
	Processing bool `json:"processing"`
}

// scanOf is the scan that a token is of.
func (s *site) scanOf(tenant, token string) string {
	s.Helper()
	scans, err := s.scans(tenant)
	if err != nil {
		s.Fatal(err)
	}
	id, err := scans.Upload(s.Context(), token)
	if err != nil {
		s.Fatal(err)
	}
	return id
}

// TestFlow does what the plugins of CI servers do: upload in every form, wait for the token,
// look the project up, and read page by page.
func TestFlow(t *testing.T) {
	s := newSite(t)
	encoded := base64.StdEncoding.EncodeToString([]byte("\xef\xbb\xbf" + bom))
	contentType, asForm := form(t, "projectName", "My shop", "projectVersion", "1.4", "autoCreate", "true", "projectTags", "payments,ci, ", "isLatest", "true", "bom", bom)
	var all []uploaded
	all = append(all, read[uploaded](s, s.send("acme/ci", "POST", "/api/v1/bom", asForm, "Content-Type: "+contentType), 200))
	all = append(all, read[uploaded](s, s.send("acme/ci", "PUT", "/api/v1/bom", `{"projectName":"My shop","projectVersion":"1.4","autoCreate":true,"projectTags":[{"name":"payments"},{"name":"ci"}],"later":1,"bom":"`+encoded+`"}`), 200))
	all = append(all, read[uploaded](s, s.send("acme/ci", "PUT", "/api/v1/bom", `{"project":"`+all[0].Project+`","bom":"`+encoded[:76]+`\r\n`+encoded[76:]+`"}`), 200))
	all = append(all, read[uploaded](s, s.send("acme/ci", "POST", "/api/v1/bom", `{"projectName":" My shop ","projectVersion":"1.4","bom":"`+encoded+`"}`), 200))
	if want := scan.ProjectID("acme", scan.ProjectName{Name: "My shop", Version: "1.4"}); all[0].Project != want {
		t.Errorf("project %s, want %s", all[0].Project, want)
	}
	scans, _ := s.scans("acme")
	digests := map[string]bool{}
	for i, u := range all {
		if u.Project != all[0].Project || i > 0 && u.Token == all[0].Token {
			t.Errorf("upload %d: %+v, the first %+v", i, u, all[0])
		}
		for _, path := range []string{"/api/v1/bom/token/", "/api/v1/event/token/"} {
			if !read[processing](s, s.send("acme/ci", "GET", path+u.Token, ""), 200).Processing {
				t.Errorf("upload %d is not processed any more", i)
			}
		}
		id := s.scanOf("acme", u.Token)
		if a := s.send("acme/ci", "GET", "/api/v1/finding/project/"+u.Project, ""); a.StatusCode != 409 || a.Header.Get("Retry-After") == "" {
			t.Errorf("findings too early: %d %s", a.StatusCode, a.body)
		}
		s.work("acme", id)
		if read[processing](s, s.send("acme/ci", "GET", "/api/v1/bom/token/"+u.Token, ""), 200).Processing {
			t.Errorf("upload %d is processed still", i)
		}
		job, err := scans.Job(t.Context(), id)
		if err != nil || job.State != scan.Completed || job.Image != "My shop@1.4" || job.Owner != "ci" || job.Summary.Packages != 2 || job.Summary.Findings != 3 || job.Summary.ImageDigest != "" {
			t.Fatalf("%+v %+v %v", job, job.Summary, err)
		}
		digests[job.Summary.SBOMDigest] = true
	}
	if len(digests) != 1 {
		t.Errorf("one SBOM gave %d documents", len(digests))
	}
	s.kept(scans, all[0])
	s.findings(all[0].Project)
	if len(s.reports) > 0 {
		t.Errorf("the operator was told: %q", s.reports)
	}
}

// kept looks at what a scan of an upload keeps.
func (s *site) kept(scans scan.Store, u uploaded) {
	s.Helper()
	id := s.scanOf("acme", u.Token)
	text, err := scans.Manifest(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	m, err := scan.DecodeManifest(text)
	if err != nil || !strings.HasPrefix(m.Reference, "sbom:sha256:") || m.Name != "My shop@1.4" || m.SBOM == nil {
		s.Errorf("manifest: %s %v", text, err)
	}
	if diff := cmp.Diff(map[string]string{"project": "My shop", "project.version": "1.4", "tag/ci": "true", "tag/payments": "true"}, m.Labels); diff != "" {
		s.Errorf("labels (-want +got):\n%s", diff)
	}
	docs, err := scans.Documents(s.Context(), id)
	if err != nil || len(docs) != 2 || docs[1].Format != scan.Uploaded || docs[1].Name != "uploaded.cyclonedx-1.5.json" || docs[1].MediaType != "application/vnd.cyclonedx+json" || docs[1].Ref.Size != int64(len(bom)) {
		s.Errorf("documents: %+v %v", docs, err)
	}
	acme, err := s.root.Tenant("acme")
	if err != nil {
		s.Fatal(err)
	}
	if free, err := acme.References().Condemn(s.Context(), m.SBOM.Digest); free || err != nil {
		s.Errorf("the upload may be collected: %v", err)
	}
}

// findings reads them by pages of one.
func (s *site) findings(project string) {
	s.Helper()
	type found struct {
		Component struct{ Name, Version, PURL, Project string }
		Vuln      struct {
			VulnID, Source, Severity, Recommendation string
			Aliases                                  []map[string]string
		} `json:"vulnerability"`
		Matrix string
	}
	var got []found
	for n := 1; n <= 3; n++ {
		a := s.send("acme/ci", "GET", fmt.Sprintf("/api/v1/finding/project/%s?pageNumber=%d&pageSize=1", project, n), "")
		if a.Header.Get("X-Total-Count") != "2" {
			s.Errorf("X-Total-Count %q", a.Header.Get("X-Total-Count"))
		}
		got = append(got, read[[]found](s, a, 200)...)
	}
	if len(got) != 2 || got[0].Vuln.VulnID != "CVE-2021-23337" || got[0].Vuln.Severity != "HIGH" || got[0].Vuln.Source != "NVD" || got[0].Vuln.Recommendation != "Fixed in 4.17.21" ||
		got[0].Vuln.Aliases[0]["ghsaId"] != "GHSA-35jh-r3h4-6jhm" || got[1].Vuln.Severity != "UNASSIGNED" || got[1].Vuln.Source != "OSV" || got[0].Component.PURL != "pkg:npm/lodash@4.17.20" ||
		got[0].Component.Project != project || strings.Count(got[0].Matrix, ":") != 2 {
		s.Errorf("findings: %+v", got)
	}
	m := read[map[string]float64](s, s.send("acme/ci", "GET", "/api/v1/metrics/project/"+project+"/current", ""), 200)
	if m["high"] != 1 || m["unassigned"] != 1 || m["vulnerabilities"] != 2 || m["vulnerableComponents"] != 1 || m["components"] != 2 || m["medium"] != 0 {
		s.Errorf("metrics: %v", m)
	}
}

func TestProjects(t *testing.T) {
	s := newSite(t)
	encoded := base64.StdEncoding.EncodeToString([]byte(bom))
	var ids []string
	for _, v := range []string{"2", "1", ""} {
		ids = append(ids, read[uploaded](s, s.send("acme/ci", "PUT", "/api/v1/bom", `{"projectName":"shop & co","projectVersion":"`+v+`","autoCreate":true,"bom":"`+encoded+`"}`), 200).Project)
	}
	type project struct{ UUID, Name, Version string }
	var got []project
	for n := 1; n <= 2; n++ {
		a := s.send("acme/ci", "GET", fmt.Sprintf("/api/v1/project?pageNumber=%d&pageSize=2&excludeInactive=true&sortName=name&sortOrder=asc", n), "")
		if a.Header.Get("X-Total-Count") != "3" || !strings.HasPrefix(a.Header.Get("X-Powered-By"), "Dependency-Track v") {
			t.Errorf("%v", a.Header)
		}
		got = append(got, read[[]project](s, a, 200)...)
	}
	want := []project{{ids[2], "shop & co", ""}, {ids[1], "shop & co", "1"}, {ids[0], "shop & co", "2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("projects (-want +got):\n%s", diff)
	}
	for _, p := range want {
		q := url.Values{"name": {p.Name}, "version": {p.Version}}.Encode()
		for _, path := range []string{"/api/v1/project/lookup?" + q, "/api/v1/project/" + p.UUID} {
			if diff := cmp.Diff(p, read[project](s, s.send("acme/ci", "GET", path, ""), 200)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		}
	}
	if list := read[[]project](s, s.send("other/ci", "GET", "/api/v1/project", ""), 200); len(list) != 0 {
		t.Errorf("another tenant sees %v", list)
	}
	// Another tenant's are like none.
	none := scan.DerivedID("none")
	for _, path := range []string{"/api/v1/project/", "/api/v1/finding/project/", "/api/v1/metrics/project/"} {
		end := map[bool]string{true: "/current"}[strings.Contains(path, "metrics")]
		a, b := s.send("other/ci", "GET", path+ids[0]+end, ""), s.send("other/ci", "GET", path+none+end, "")
		if a.StatusCode != 404 || strings.ReplaceAll(a.body, ids[0], none) != b.body {
			t.Errorf("%s: %d %s, %s", path, a.StatusCode, a.body, b.body)
		}
	}
	if a := s.send("other/ci", "PUT", "/api/v1/bom", `{"project":"`+ids[0]+`","bom":"`+encoded+`"}`); a.StatusCode != 404 {
		t.Errorf("upload to another tenant's project: %d %s", a.StatusCode, a.body)
	}
	token := scan.UploadToken("acme", "scan-x")
	if read[processing](s, s.send("other/ci", "GET", "/api/v1/bom/token/"+token, ""), 200).Processing {
		t.Error("an unknown token is processed")
	}
}

// TestFailedUpload: what cannot be processed has no findings, not none.
func TestFailedUpload(t *testing.T) {
	s := newSite(t)
	s.worker.Decode = nil
	u := read[uploaded](s, s.send("acme/ci", "PUT", "/api/v1/bom", `{"projectName":"a","autoCreate":true,"bom":"`+base64.StdEncoding.EncodeToString([]byte(bom))+`"}`), 200)
	s.handle(s.worker.Handle, "acme", s.scanOf("acme", u.Token), "scan.job", "job/1")
	if read[processing](s, s.send("acme/ci", "GET", "/api/v1/bom/token/"+u.Token, ""), 200).Processing {
		t.Error("it is processed still")
	}
	if a := s.send("acme/ci", "GET", "/api/v1/finding/project/"+u.Project, ""); a.StatusCode != 409 || !strings.Contains(a.body, "reads no SBOMs") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestRefused(t *testing.T) {
	s := newSite(t)
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	body := func(members string) string {
		return `{"projectName":"a","projectVersion":"1","autoCreate":true` + members + `}`
	}
	good := `,"bom":"` + encode(bom) + `"`
	many := make([]string, 0, 80)
	for i := range 40 {
		many = append(many, fmt.Sprint("f", i), "x")
	}
	formType, forms := "", map[string]string{}
	for name, pairs := range map[string][]string{"parts": many, "twice": {"bom", bom, "bom", bom}, "no SBOM": {"projectName", "a"}, "long field": {"projectName", strings.Repeat("a", 5000), "bom", bom}, "cut": {"projectName", "a", "autoCreate", "true", "bom", bom}} {
		contentType, text := form(t, pairs...)
		if name == "cut" {
			text = text[:len(text)-100]
		}
		forms[name] = contentType + "\n" + text
	}
	for name, test := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"no JSON": {`{`, 400, "no JSON"}, "shape": {`{"bom":{}}`, 400, "/bom"}, "empty": {`{}`, 400, "bom"}, "no project": {`{"bom":"` + encode(bom) + `"}`, 400, "projectName"},
		"not base64": {body(`,"bom":"***"`), 400, "base64"}, "url base64": {body(`,"bom":"_-__"`), 400, "base64"}, "no SBOM": {body(`,"bom":"` + encode("hello") + `"`), 400, "neither CycloneDX"},
		"broken SBOM": {body(`,"bom":"` + encode(bom[:100]) + `"`), 400, "bom:"}, "not created": {`{"projectName":"b","projectVersion":"1"` + good + `}`, 404, "could not be found"},
		"no UUID": {`{"project":"1"` + good + `}`, 400, "UUID"}, "unknown UUID": {`{"project":"` + scan.DerivedID("x") + `"` + good + `}`, 404, "could not be found"},
		"control": {`{"projectName":"a\u0007b","autoCreate":true` + good + `}`, 400, "control"}, "long name": {`{"projectName":"` + strings.Repeat("a", 300) + `","autoCreate":true` + good + `}`, 400, "project"},
		"tag": {body(`,"projectTags":[{"name":"a b"}]` + good), 400, "labels"}, "twice": {body(good + good), 400, "/bom"},
	} {
		a := s.send("acme/ci", "PUT", "/api/v1/bom", test.body)
		if a.StatusCode != test.status || !strings.Contains(a.body, test.says) || a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	for name, text := range forms {
		formType, text, _ = strings.Cut(text, "\n")
		want := map[string]int{"long field": 413}[name]
		if want == 0 {
			want = 400
		}
		if a := s.send("acme/ci", "POST", "/api/v1/bom", text, "Content-Type: "+formType); a.StatusCode != want {
			t.Errorf("form, %s: %d %s", name, a.StatusCode, a.body)
		}
	}
	for _, test := range []struct {
		key, method, path, header string
		status                    int
	}{
		{"", "PUT", "/api/v1/bom", "", 401}, {"/x", "PUT", "/api/v1/bom", "", 403}, {"a b/x", "GET", "/api/version", "", 500}, {"acme/x", "POST", "/api/v1/bom", "Content-Type: text/xml", 415},
		{"acme/x", "DELETE", "/api/v1/bom", "", 405}, {"acme/x", "GET", "/api/v1/bom/token/1", "", 400}, {"acme/x", "GET", "/api/v1/project/lookup", "", 400}, {"acme/x", "GET", "/api/v1/project?pageSize=0", "", 400},
		{"acme/x", "GET", "/api/v1/project?pageNumber=-1", "", 400}, {"acme/x", "GET", "/api/v1/project?name=a", "", 400}, {"acme/x", "GET", "/api/v1/project/a", "", 404}, {"acme/x", "GET", "/api/v1/component", "", 404},
	} {
		if a := s.send(test.key, test.method, test.path, "x", test.header); a.StatusCode != test.status {
			t.Errorf("%+v: %d %s", test, a.StatusCode, a.body)
		}
	}
	s.quota.Daily = 1
	s.send("acme/ci", "PUT", "/api/v1/bom", body(good))
	if a := s.send("acme/ci", "PUT", "/api/v1/bom", body(good)); a.StatusCode != 429 || a.Header.Get("Retry-After") == "" {
		t.Errorf("over the quota: %d %s", a.StatusCode, a.body)
	}
}

// TestWhoAmI: what plugins ask when they are set up.
func TestWhoAmI(t *testing.T) {
	s := newSite(t)
	v := read[map[string]any](s, s.send("acme/ci", "GET", "/api/version", ""), 200)
	if v["version"] != deptrack.APIVersion {
		t.Errorf("version: %v", v)
	}
	team := read[struct {
		Name        string
		Permissions []struct{ Name string }
	}](s, s.send("acme/ci", "GET", "/api/v1/team/self", ""), 200)
	if team.Name != "acme" || len(team.Permissions) != 4 {
		t.Errorf("team: %+v", team)
	}
}

// TestServe answers a client from outside for as long as STELLA_DEPTRACK_SERVE names a file
// that its address is written to, and that is removed to end it. Jobs are done as they come.
func TestServe(t *testing.T) {
	file := os.Getenv("STELLA_DEPTRACK_SERVE")
	if file == "" {
		t.Skip("for a client from outside: see docs/modules/deptrack.md")
	}
	s := newSite(t)
	if err := os.WriteFile(file, []byte(s.server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	scans, err := s.scans("acme")
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(file); err != nil {
			return
		}
		page, err := scans.List(t.Context(), scan.Query{State: scan.Queued})
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range page.Jobs {
			s.work("acme", j.ID)
			t.Logf("%s: %s", j.Image, j.ID)
		}
	}
}
