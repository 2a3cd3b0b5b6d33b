package scanhttp_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/openapitest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/scanhttp"
)

const documentFile = "../../docs/openapi/scanner.yaml"

// pattern returns the route's path that a request's path belongs to, or "".
func pattern(p string) string {
	p, _, _ = strings.Cut(p, "?")
	part := strings.Split(strings.TrimPrefix(p, "/"), "/")
	if len(part) < 3 || part[2] != "scans" && p != "/api/v1/scan-states" {
		return ""
	}
	if len(part) > 3 {
		part[3] = "{scan_id}"
	}
	if len(part) > 5 {
		part[5] = "{format}"
	}
	return "/" + strings.Join(part, "/")
}

// TestRoutesAreDocumented: the handler serves what the document has, and nothing
// else.
func TestRoutesAreDocumented(t *testing.T) {
	openapitest.Open(t, documentFile).CheckRoutes(t, scanhttp.Routes())
}

// TestModulePage: the page for people names every route, state and problem type.
func TestModulePage(t *testing.T) {
	text, err := os.ReadFile("../../docs/modules/scanner.md")
	if err != nil {
		t.Fatal(err)
	}
	openapitest.Open(t, documentFile).CheckPage(t, string(text))
	for _, s := range scan.States() {
		if !strings.Contains(string(text), "`"+string(s)+"`") {
			t.Errorf("the page does not name the state %s", s)
		}
	}
}

// TestAnswersMatchDocument validates the exchanges of the golden file.
func TestAnswersMatchDocument(t *testing.T) {
	_, exchanges := play(t)
	var list []openapitest.Exchange
	for _, x := range exchanges {
		list = append(list, openapitest.Exchange{Name: x.name, Method: x.method, Path: pattern(x.path), Request: x.request, Status: x.StatusCode, Header: x.Header, Body: x.body})
	}
	openapitest.Open(t, documentFile).Check(t, list)
}
