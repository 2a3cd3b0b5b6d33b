package notifyhttp_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/internal/openapitest"
	"github.com/stella-ops/stella/notify/notifyhttp"
)

const documentFile = "../../docs/openapi/notify.yaml"

// patterns finds the route of a path as the handler does.
func patterns() *http.ServeMux {
	m := http.NewServeMux()
	for _, r := range append(notifyhttp.Routes(), notifyhttp.TimelineRoutes()...) {
		m.HandleFunc(r[0]+" "+r[1], http.NotFound)
	}
	return m
}

// exchanges are those that were seen, as a document is held to them.
func (g *rig) exchanges(t testing.TB) (list []openapitest.Exchange) {
	t.Helper()
	mux := patterns()
	for n, x := range g.seen {
		r, err := http.NewRequest(strings.Replace(x.method, "HEAD", "GET", 1), "http://notify.example"+x.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, pattern := mux.Handler(r)
		_, path, _ := strings.Cut(pattern, " ")
		e := openapitest.Exchange{Name: fmt.Sprint(n, " ", x.method, " ", x.path), Method: x.method, Path: path, Status: x.status, Header: x.header, Body: x.body}
		if x.contentType == "application/json" {
			e.Request = x.request
		}
		if x.header.Get("Content-Type") == notifyhttp.TypeLines {
			e.Body = nil // lines are no JSON value; an export is verified elsewhere
		}
		list = append(list, e)
	}
	return list
}

// TestAnswersMatchDocument holds what travels in the golden file and by the client to the
// document.
func TestAnswersMatchDocument(t *testing.T) {
	played := play(t)
	g := newRig(t)
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{g: g}
	for _, f := range txtar.Parse(text).Files {
		if !strings.HasSuffix(f.Name, answerName) {
			s.do(t, string(f.Data))
		}
	}
	g.unchanged(t)
	openapitest.Open(t, documentFile).Check(t, append(played.exchanges(t), g.exchanges(t)...))
}

// unchanged has each kind of setting read by somebody who has it.
func (g *rig) unchanged(t *testing.T) {
	t.Helper()
	const token = "acme/ann/operator"
	for path, body := range map[string]string{
		"endpoints/e2": `{"type":"webhook"}`, "rules/r2": `{"to":[{"endpoint":"hook"}]}`, "templates/t2": `{"type":"webhook","parts":{"text":"a"}}`, "maintenance/m2": `{"from":"2026-12-01T22:00:00Z","until":"2026-12-02T04:00:00Z"}`,
		"inhibitions/i2": `{"source":{"causes":["kev"]},"target":{"causes":["new"]},"equal":["image"],"for":"1h"}`, "preferences/hook": `{"to":[]}`, "users/dan/preferences/hook": `{"to":[]}`,
	} {
		path = "/api/v1/notify/" + path
		if a := g.send(t, token, "PUT", path, body, "If-None-Match: *"); a.StatusCode != http.StatusCreated || a.Header.Get("Location") != path {
			t.Errorf("%s: %d at %q: %s", path, a.StatusCode, a.Header.Get("Location"), a.body)
		}
		get := g.send(t, token, "GET", path, "")
		if a := g.send(t, token, "GET", path, "", "If-None-Match: "+get.Header.Get("ETag")); a.StatusCode != http.StatusNotModified || len(a.body) > 0 {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
		head := g.send(t, token, "HEAD", path, "")
		get.Header.Del("Date")
		head.Header.Del("Date")
		if diff := cmp.Diff(get.Header, head.Header); diff != "" || head.StatusCode != http.StatusOK {
			t.Errorf("HEAD %s: %d (-get +head)\n%s", path, head.StatusCode, diff)
		}
	}
}

// TestRoutesAreDocumented: the handler serves what the document has, and nothing else.
func TestRoutesAreDocumented(t *testing.T) {
	openapitest.Open(t, documentFile).CheckRoutes(t, notifyhttp.Routes())
}

// TestModulePage: the page for people names every route, type of problem and the header.
func TestModulePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/modules/notify.md")
	if err != nil {
		t.Fatal(err)
	}
	openapitest.Open(t, documentFile).CheckPage(t, string(page))
	if !strings.Contains(string(page), "`"+notifyhttp.TypeHeader+"`") {
		t.Errorf("the page does not explain %s", notifyhttp.TypeHeader)
	}
}
