package deptrack_test

import (
	"encoding/base64"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/openapitest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/deptrack"
)

const documentFile = "../../docs/openapi/deptrack.yaml"

func TestRoutesAreDocumented(t *testing.T) {
	openapitest.Open(t, documentFile).CheckRoutes(t, deptrack.Routes())
}

// TestModulePage: the page for people names every route and problem type.
func TestModulePage(t *testing.T) {
	text, err := os.ReadFile("../../docs/modules/deptrack.md")
	if err != nil {
		t.Fatal(err)
	}
	openapitest.Open(t, documentFile).CheckPage(t, string(text))
}

// TestAnswersMatchDocument validates an exchange of every kind.
func TestAnswersMatchDocument(t *testing.T) {
	s := newSite(t)
	upload := `{"projectName":"shop","projectVersion":"1","autoCreate":true,"projectTags":[{"name":"a"}],"bom":"` + base64.StdEncoding.EncodeToString([]byte(bom)) + `"}`
	u := read[uploaded](s, s.send("acme/ci", "POST", "/api/v1/bom", upload), 200)
	s.work("acme", s.scanOf("acme", u.Token))
	var list []openapitest.Exchange
	try := func(key, method, pattern, rest, body string) {
		t.Helper()
		id := u.Project
		if strings.Contains(pattern, "/token/") {
			id = u.Token
		}
		a := s.send(key, method, strings.Replace(pattern, "{uuid}", id, 1)+rest, body)
		x := openapitest.Exchange{Name: method + " " + pattern + rest + " as " + key, Method: method, Path: pattern, Status: a.StatusCode, Header: a.Header, Body: []byte(a.body)}
		if body != "" {
			x.Request = []byte(body)
		}
		list = append(list, x)
	}
	routes := deptrack.Routes()
	slices.SortStableFunc(routes, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) }) // uploads come last
	for _, r := range routes {
		body, rest := "", ""
		switch {
		case r[0] != "GET":
			body = upload
		case strings.HasSuffix(r[1], "/lookup"):
			rest = "?name=shop&version=1"
		}
		try("acme/ci", r[0], r[1], rest, body)
		try("", r[0], r[1], rest, body)
		try("/x", r[0], r[1], rest, body)
		try("acme/ci", r[0], r[1], "?x=1", body)
		if r[0] == "GET" && strings.Contains(r[1], "project/") {
			try("other/ci", r[0], r[1], rest, "")
		}
	}
	try("acme/ci", "PUT", "/api/v1/bom", "", `{"projectName":"none","bom":"`+base64.StdEncoding.EncodeToString([]byte(bom))+`"}`)
	try("acme/ci", "GET", "/api/v1/finding/project/{uuid}", "", "") // the last upload waits: 409
	s.quota = scan.Quota{Open: 1}
	try("acme/ci", "PUT", "/api/v1/bom", "", upload)
	openapitest.Open(t, documentFile).Check(t, list)
}
