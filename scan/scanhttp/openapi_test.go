package scanhttp_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/scanhttp"
)

const documentFile = "../../docs/openapi/scanner.yaml"

// apiDocument is the OpenAPI document as JSON values.
type apiDocument struct {
	root     map[string]any
	compiler *jsonschema.Compiler
}

func openDocument(t *testing.T) *apiDocument {
	t.Helper()
	text, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := &apiDocument{compiler: jsonschema.NewCompiler()}
	d.compiler.AssertFormat()
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	d.root = root.(map[string]any)
	// Here, and only here, no answer may have a member that is not described.
	for _, s := range d.root["components"].(map[string]any)["schemas"].(map[string]any) {
		closeObjects(s)
	}
	if err := d.compiler.AddResource("api.json", d.root); err != nil {
		t.Fatal(err)
	}
	return d
}

func closeObjects(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		if s["type"] == "object" && s["properties"] != nil && s["additionalProperties"] == nil {
			s["additionalProperties"] = false
		}
		for _, v := range s {
			closeObjects(v)
		}
	case []any:
		for _, v := range s {
			closeObjects(v)
		}
	}
}

// at follows names and references.
func (d *apiDocument) at(t *testing.T, v any, names ...string) (any, bool) {
	t.Helper()
	for _, name := range append(names, "") {
		m, ok := v.(map[string]any)
		if ref, isRef := m["$ref"].(string); ok && isRef {
			v, _ = d.at(t, d.root, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			m, ok = v.(map[string]any)
		}
		if name == "" {
			return v, v != nil
		}
		if !ok || m[name] == nil {
			return nil, false
		}
		v = m[name]
	}
	return v, true
}

// check validates JSON against a schema of the document.
func (d *apiDocument) check(t *testing.T, what string, schema any, text []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	// A schema somewhere within is compiled as a document beside the API's.
	name := "at-" + fmt.Sprintf("%p", schema) + ".json"
	wrapped := rebase(schema)
	if err := d.compiler.AddResource(name, wrapped); err != nil && !strings.Contains(err.Error(), "already") {
		t.Fatal(err)
	}
	compiled, err := d.compiler.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(value); err != nil {
		t.Errorf("%s does not match its schema: %v\n%s", what, err, text)
	}
}

// rebase makes references lead into the API's document.
func rebase(schema any) any {
	switch s := schema.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, v := range s {
			if ref, ok := v.(string); ok && k == "$ref" && strings.HasPrefix(ref, "#") {
				v = "api.json" + ref
			}
			out[k] = rebase(v)
		}
		return out
	case []any:
		out := slices.Clone(s)
		for i := range out {
			out[i] = rebase(out[i])
		}
		return out
	}
	return schema
}

// pattern returns the route's path that a request's path belongs to, or "".
func pattern(p string) string {
	p, _, _ = strings.Cut(p, "?")
	part := strings.Split(strings.TrimPrefix(p, "/"), "/")
	if len(part) < 3 || part[2] != "scans" {
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
	d := openDocument(t)
	var documented, served []string
	for path, item := range d.root["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	for _, r := range scanhttp.Routes() {
		served = append(served, r[0]+" "+r[1])
	}
	slices.Sort(documented)
	slices.Sort(served)
	if diff := cmp.Diff(documented, served); diff != "" {
		t.Errorf("-document +handler:\n%s", diff)
	}
}

// TestModulePage: the page for people names every route, state and problem type.
func TestModulePage(t *testing.T) {
	text, err := os.ReadFile("../../docs/modules/scanner.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, r := range scanhttp.Routes() {
		if line := "| `" + r[0] + " " + r[1]; !strings.Contains(page, line+"`") && !strings.Contains(page, line+"?") {
			t.Errorf("no line of the page is about %s %s", r[0], r[1])
		}
	}
	for _, s := range scan.States() {
		if !strings.Contains(page, "`"+string(s)+"`") {
			t.Errorf("the page does not name the state %s", s)
		}
	}
	d := openDocument(t)
	types, _ := d.at(t, d.root, "components", "schemas", "Problem", "properties", "type", "enum")
	for _, name := range types.([]any) {
		if !strings.Contains(page, "| `"+strings.TrimPrefix(name.(string), "urn:stella:problem:")+"` |") {
			t.Errorf("the page does not explain %s", name)
		}
	}
}

// TestAnswersMatchDocument validates the exchanges of the golden file: bodies of
// requests that succeeded, and all answers with their statuses and headers.
func TestAnswersMatchDocument(t *testing.T) {
	d := openDocument(t)
	_, exchanges := play(t)
	seen := map[string]bool{}
	for _, x := range exchanges {
		if x.StatusCode == http.StatusMethodNotAllowed || pattern(x.path) == "" {
			continue // no operation
		}
		method := strings.ToLower(strings.Replace(x.method, "HEAD", "GET", 1))
		operation, ok := d.at(t, d.root, "paths", pattern(x.path), method)
		if !ok {
			t.Errorf("%s: no operation %s %s", x.name, method, pattern(x.path))
			continue
		}
		if x.StatusCode < 300 && len(x.request) > 0 {
			schema, _ := d.at(t, operation, "requestBody", "content", "application/json", "schema")
			d.check(t, x.name, schema, x.request)
		}
		response, ok := d.at(t, operation, "responses", fmt.Sprint(x.StatusCode))
		if !ok {
			t.Errorf("%s: %s %s does not say that it answers %d", x.name, method, pattern(x.path), x.StatusCode)
			continue
		}
		seen[method+" "+pattern(x.path)+" "+fmt.Sprint(x.StatusCode)] = true
		if headers, ok := d.at(t, response, "headers"); ok {
			for name, h := range headers.(map[string]any) {
				if h.(map[string]any)["required"] == true && x.Header.Get(name) == "" {
					t.Errorf("%s: no header %s", x.name, name)
				}
			}
		}
		contentType := x.Header.Get("Content-Type")
		schema, ok := d.at(t, response, "content", contentType, "schema")
		if _, any := d.at(t, response, "content", "*/*"); !ok && !any && len(x.body) > 0 {
			t.Errorf("%s: answers %d with %s, which is not described", x.name, x.StatusCode, contentType)
		}
		if ok && len(x.body) > 0 {
			d.check(t, x.name, schema, x.body)
		}
	}
	for _, r := range scanhttp.Routes() {
		operation, _ := d.at(t, d.root, "paths", r[1], strings.ToLower(r[0]), "responses")
		for status := range operation.(map[string]any) {
			if key := strings.ToLower(r[0]) + " " + r[1] + " " + status; status < "400" && !seen[key] {
				t.Errorf("no golden exchange shows %s", key)
			}
		}
	}
}
