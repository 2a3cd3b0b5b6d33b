package openapitest_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/openapitest"
)

const api = `
openapi: 3.1.0
paths:
  /things/{id}:
    get:
      responses:
        '200':
          headers: {ETag: {required: true, schema: {type: string}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
        '404': {$ref: '#/components/responses/No'}
    post:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}}
      responses:
        '204': {description: done}
components:
  responses:
    No: {content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}}
  schemas:
    Thing: {type: object, required: [n], properties: {n: {type: integer}}}
    Problem: {type: object, properties: {type: {enum: [urn:stella:problem:not-found]}}}
`

// told is a test that is told what is wrong.
type told struct {
	testing.TB
	errors []string
}

func (t *told) Helper() {}
func (t *told) Error(args ...any) {
	t.errors = append(t.errors, fmt.Sprintln(args...))
}
func (t *told) Errorf(format string, args ...any) {
	t.errors = append(t.errors, fmt.Sprintf(format, args...))
}

func open(t *testing.T) *openapitest.Document {
	file := filepath.Join(t.TempDir(), "api.yaml")
	if err := os.WriteFile(file, []byte(api), 0o600); err != nil {
		t.Fatal(err)
	}
	return openapitest.Open(t, file)
}

// TestCheck: exchanges that keep to the document pass, and each that does not is
// told of.
func TestCheck(t *testing.T) {
	header := func(contentType string) http.Header {
		return http.Header{"Content-Type": {contentType}, "Etag": {`"a"`}}
	}
	const path, problem = "/things/{id}", "application/problem+json"
	get := openapitest.Exchange{Name: "get", Method: "GET", Path: path, Status: 200, Header: header("application/json"), Body: []byte(`{"n":1}`)}
	post := openapitest.Exchange{Name: "post", Method: "POST", Path: path, Request: []byte(`{"n":1}`), Status: 204, Header: http.Header{}}
	change := func(x openapitest.Exchange, f func(*openapitest.Exchange)) openapitest.Exchange { f(&x); return x }
	for name, tt := range map[string]struct {
		more []openapitest.Exchange
		want string // "" for no error
	}{
		"right": {[]openapitest.Exchange{
			{Method: "HEAD", Path: path, Status: 200, Header: header("application/json")}, {Method: "GET", Path: path, Status: 404, Header: header(problem), Body: []byte(`{"type":"urn:stella:problem:not-found"}`)},
			{Method: "PUT", Path: path, Status: 405}, {Method: "GET", Status: 404},
		}, ""},
		"type":           {[]openapitest.Exchange{change(get, func(x *openapitest.Exchange) { x.Body = []byte(`{"n":"1"}`) })}, "does not match its schema"},
		"unknown member": {[]openapitest.Exchange{change(get, func(x *openapitest.Exchange) { x.Body = []byte(`{"n":1,"m":2}`) })}, "does not match its schema"},
		"no JSON":        {[]openapitest.Exchange{change(get, func(x *openapitest.Exchange) { x.Body = []byte(`{`) })}, "get: "},
		"no header":      {[]openapitest.Exchange{change(get, func(x *openapitest.Exchange) { x.Header = http.Header{"Content-Type": {"application/json"}} })}, "no header ETag"},
		"media type":     {[]openapitest.Exchange{change(get, func(x *openapitest.Exchange) { x.Header = header("text/html") })}, "which is not described"},
		"status":         {[]openapitest.Exchange{change(get, func(x *openapitest.Exchange) { x.Status = 500 })}, "does not say that it answers 500"},
		"method":         {[]openapitest.Exchange{change(get, func(x *openapitest.Exchange) { x.Method = "PUT" })}, "no operation put"},
		"request":        {[]openapitest.Exchange{change(post, func(x *openapitest.Exchange) { x.Request = []byte(`{}`) })}, "the request does not match"},
		"problem":        {[]openapitest.Exchange{{Name: "p", Method: "GET", Path: path, Status: 404, Header: header(problem), Body: []byte(`{"type":"about:blank"}`)}}, "does not match its schema"},
	} {
		got := &told{TB: t}
		open(t).Check(got, append([]openapitest.Exchange{get, post}, tt.more...))
		if text := strings.Join(got.errors, "\n"); tt.want == "" && text != "" || tt.want != "" && (len(got.errors) != 1 || !strings.Contains(text, tt.want)) {
			t.Errorf("%s: told %q, want %q", name, got.errors, tt.want)
		}
	}
	got := &told{TB: t}
	if open(t).Check(got, []openapitest.Exchange{get}); len(got.errors) != 1 || !strings.Contains(got.errors[0], "no exchange shows post /things/{id} 204") {
		t.Errorf("an answer that nothing shows: %q", got.errors)
	}
}

func TestCheckRoutes(t *testing.T) {
	d, got := open(t), &told{TB: t}
	d.CheckRoutes(got, [][2]string{{"GET", "/things/{id}"}, {"POST", "/things/{id}"}})
	if len(got.errors) != 0 {
		t.Errorf("told %q", got.errors)
	}
	d.CheckRoutes(got, [][2]string{{"GET", "/things/{id}"}, {"GET", "/others"}})
	want := []string{"the document lacks GET /others", "nothing serves POST /things/{id}"}
	if diff := cmp.Diff(want, got.errors); diff != "" {
		t.Error(diff)
	}
}

func TestCheckPage(t *testing.T) {
	d, got := open(t), &told{TB: t}
	d.CheckPage(got, "| `GET /things/{id}` | \n| `POST /things/{id}?x=` |\n| `not-found` | 404")
	if len(got.errors) != 0 {
		t.Errorf("told %q", got.errors)
	}
	if d.CheckPage(got, "`GET /things/{id}` not-found"); len(got.errors) != 3 {
		t.Errorf("told %q", got.errors)
	}
}
