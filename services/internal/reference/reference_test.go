package reference

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/docs/openapi"
	"github.com/stella-ops/stella/services/internal/system"
)

var update = flag.Bool("update", false, "write docs/api anew")

const folder = "../../../docs/api"

// TestPages: docs/api is what the documents and the table of rights say, and nothing else is
// there.
func TestPages(t *testing.T) {
	want, err := Pages(openapi.Files, system.Routes())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := map[string]string{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(text)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("docs/api is not what the documents say; -update writes it (-there +wanted):\n%s", diff)
	}
}

// TestNoOperationIsMissing: each route of the gateway that a document describes is on the
// page of all, and says whose right it is.
func TestNoOperationIsMissing(t *testing.T) {
	pages, err := Pages(openapi.Files, system.Routes())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range system.Routes() {
		if r.System == "console" || r.Path == "/{$}" {
			continue // pages for people
		}
		line := "`" + r.Method + " " + r.Path + "`"
		i := strings.Index(pages["README.md"], line)
		if i < 0 {
			t.Errorf("%s is on no page", line)
			continue
		}
		row, _, _ := strings.Cut(pages["README.md"][i:], "\n")
		for _, scope := range r.Scopes {
			if !strings.Contains(row, "`"+scope+"`") {
				t.Errorf("%s: %q does not name %s", line, row, scope)
			}
		}
	}
}

// TestForms says how values are told.
func TestForms(t *testing.T) {
	const text = `
info: {title: Example, description: "An example."}
paths:
  /things/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string, pattern: '^a|b$'}}]
    get:
      summary: Read a thing
      parameters: [{name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 9, default: 3}}]
      responses:
        '200': {description: It., content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}}
        '404': {$ref: '#/components/responses/NotFound'}
components:
  responses: {NotFound: {description: There is none.}, Unused: {description: Never.}}
  schemas:
    Thing:
      type: object
      required: [name]
      properties:
        name: {type: string, description: What it is called.}
        parts: {type: array, items: {type: object, properties: {size: {type: integer}}}}
        state: {enum: [new, old]}
`
	d, err := parse([]byte(text), []system.Route{{Method: "GET", Path: "/things/{id}", Scopes: []string{"thing:read"}}})
	if err != nil {
		t.Fatal(err)
	}
	page := d.page("example")
	for _, want := range []string{
		"## `GET /things/{id}`\n\nRead a thing.\n\n**Right:** `thing:read`.",
		"| `id` | path | string, `^a\\|b$` |",
		"| `limit` | query | integer, 1 to 9, default `3` |",
		"| 200 | It. | `application/json`: [Thing](#thing) |\n\n[Errors](#errors): 404.",
		"| `name` * | string | What it is called. |\n| `parts` | list of object |  |\n| `parts[].size` | integer |  |\n| `state` | `new`, `old` |  |",
		"| 404 | There is none. |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "Never.") {
		t.Error("the page has an answer that nothing gives")
	}
}
