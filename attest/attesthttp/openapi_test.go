package attesthttp_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/openapitest"
)

// systems are the documents, in the order of Routes.
var systems = [3]string{"signer", "attestor", "export-center"}

func document(t testing.TB, system string) *openapitest.Document {
	return openapitest.Open(t, "../../docs/openapi/"+system+".yaml")
}

// pattern returns the route's path that a request's path belongs to, or "".
func pattern(path string) string {
	part := strings.Split(strings.TrimPrefix(path, "/"), "/")
	switch {
	case len(part) == 5 && part[2] == "scans":
		part[3] = "{scan_id}"
	case len(part) == 4 && part[2] == "attestations" && part[3] != "verify":
		part[3] = "{attestation_id}"
	case len(part) == 3 && part[2] == "export", len(part) < 3:
		return ""
	}
	return "/" + strings.Join(part, "/")
}

// TestRoutesAreDocumented: the handlers serve what the documents have, and nothing else.
func TestRoutesAreDocumented(t *testing.T) {
	for i, routes := range attesthttp.Routes() {
		document(t, systems[i]).CheckRoutes(t, routes)
	}
}

// TestModulePages: the pages for people name every route, type of problem, header and
// code.
func TestModulePages(t *testing.T) {
	all := ""
	for _, system := range systems {
		page, err := os.ReadFile("../../docs/modules/" + system + ".md")
		if err != nil {
			t.Fatal(err)
		}
		document(t, system).CheckPage(t, string(page))
		all += string(page)
	}
	for _, name := range []string{
		attesthttp.KeyHeader, attesthttp.DocumentHeader, attesthttp.AttestationHeader, attesthttp.VersionHeader, attesthttp.MissingHeader, attesthttp.StateHeader,
		attesthttp.CodePanic, attesthttp.CodeMissing, attesthttp.CodeDamaged, string(export.Queued), string(export.Completed), string(export.Failed),
	} {
		if !strings.Contains(all, "`"+name+"`") {
			t.Errorf("no page explains %s", name)
		}
	}
	for _, f := range export.Formats() {
		if !strings.Contains(all, "| `"+string(f)+"` |") {
			t.Errorf("no row about the format %s", f)
		}
	}
}

// TestAnswersMatchDocuments holds what travels in the client's tests and in the golden
// file to the documents.
func TestAnswersMatchDocuments(t *testing.T) {
	played, id := play(t)
	played.send(t, "acme/ann", "GET", "/api/v1/attestations/"+played.first(t), nil, "If-None-Match: *")
	played.made(t, "acme", id, export.CycloneDX)
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	g := newRig(t)
	g.want(t, "acme", export.SignLog)
	s := &script{g: g, ids: []string{g.scan(t, "acme", image(0), true), g.scan(t, "acme", image(1), false), g.scan(t, "other", image(2), true)}}
	for _, f := range txtar.Parse(text).Files {
		if !strings.HasSuffix(f.Name, answerName) {
			s.do(t, string(f.Data))
		}
	}
	var lists [3][]openapitest.Exchange
	for n, x := range append(played.seen, g.seen...) {
		e := openapitest.Exchange{Name: fmt.Sprint(n, " ", x.method, " ", x.path), Method: x.method, Path: pattern(x.path), Status: x.status, Header: x.header, Body: x.body}
		if x.contentType == "application/json" {
			e.Request = x.request
		}
		for i, routes := range attesthttp.Routes() {
			for _, r := range routes {
				if r[1] == e.Path && (len(lists[i]) == 0 || lists[i][len(lists[i])-1].Name != e.Name) {
					lists[i] = append(lists[i], e)
				}
			}
		}
	}
	for i, list := range lists {
		document(t, systems[i]).Check(t, list)
	}
}

// first is the id of the newest attestation.
func (g *rig) first(t *testing.T) string {
	t.Helper()
	a := g.send(t, "acme/ann", "GET", "/api/v1/attestations?limit=1", nil)
	_, rest, _ := strings.Cut(string(a.body), `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}
