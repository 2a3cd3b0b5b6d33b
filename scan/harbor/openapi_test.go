package harbor_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/openapitest"
	"github.com/stella-ops/stella/scan/harbor"
)

const documentFile = "../../docs/openapi/harbor.yaml"

func TestRoutesAreDocumented(t *testing.T) {
	openapitest.Open(t, documentFile).CheckRoutes(t, harbor.Routes())
}

// TestModulePage: the page for people names every route.
func TestModulePage(t *testing.T) {
	text, err := os.ReadFile("../../docs/modules/harbor.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range harbor.Routes() {
		if line := "| `" + r[0] + " " + r[1]; !strings.Contains(string(text), line+"`") && !strings.Contains(string(text), line+"?") {
			t.Errorf("no line of the page is about %v", r)
		}
	}
}

// plain gives media types names that say that they are JSON, which Harbor's do not all do.
var plain = strings.NewReplacer("application/vnd.scanner.adapter.scan.request+json; version=1.1", "application/json", vulns, "application/vulnerabilities+json",
	"+json; version=1.0", "-1+json", "+json; version=1.1", "-2+json")

// TestAnswersMatchDocument validates an exchange of every kind against the document, whose
// schemas are those of Harbor's specification with what is always there required.
func TestAnswersMatchDocument(t *testing.T) {
	s := newSite(t)
	s.matcher.report = found()
	text, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "harbor.yaml")
	if err := os.WriteFile(file, []byte(plain.Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	var list []openapitest.Exchange
	try := func(token, method, path, body string, header ...string) *answer {
		t.Helper()
		a := s.send(token, method, path, body, header...)
		x := openapitest.Exchange{Name: method + " " + path + " as " + token, Method: method, Path: path, Status: a.StatusCode, Header: a.Header.Clone(), Body: []byte(a.body)}
		x.Header.Set("Content-Type", plain.Replace(a.Header.Get("Content-Type")))
		if a.StatusCode == 302 {
			x.Body = nil
		}
		if strings.Contains(path, "/report") {
			x.Path = "/api/v1/scan/{scan_request_id}/report"
		}
		if body != "" {
			x.Request = []byte(body)
		}
		list = append(list, x)
		return a
	}
	id, _ := s.pull(vulns, "")
	report := "/api/v1/scan/" + id + "/report"
	spdx := "?" + url.Values{"sbom_media_type": {"application/spdx+json"}}.Encode()
	for _, token := range []string{"acme/x", "", "/x", "a b/x"} {
		try(token, "GET", "/api/v1/metadata", "")
		try(token, "POST", "/api/v1/scan", s.ask(basic))
		try(token, "GET", report, "", "Accept: "+vulns)
		try(token, "GET", report+spdx, "", "Accept: "+sbomType)
	}
	for _, bad := range []string{"{", "{}", strings.Replace(s.ask(basic), "manifest.v2+json", "other", 1), s.ask(basic) + strings.Repeat(" ", 300<<10)} {
		try("acme/x", "POST", "/api/v1/scan", bad)
	}
	try("acme/x", "POST", "/api/v1/scan", "x", "Content-Type: text/plain")
	try("other/x", "GET", report, "")
	try("acme/x", "GET", report, "", "Accept: text/html")
	try("acme/x", "GET", report, "", "Accept: "+sbomType)
	try("acme/x", "GET", report+"?x=1", "")
	again := s.send("acme/x", "POST", "/api/v1/scan", s.ask(basic))
	try("acme/x", "GET", "/api/v1/scan/"+again.body[len(`{"id":"`):len(`{"id":"`)+31]+"/report", "")
	s.quota.Open = 1
	try("acme/x", "POST", "/api/v1/scan", s.ask(basic))
	openapitest.Open(t, file).Check(t, list)
}
