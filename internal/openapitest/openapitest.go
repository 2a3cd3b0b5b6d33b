// Package openapitest holds an API to its OpenAPI 3.1 document: real answers
// must match the schemas, and may have no member that is not described. It is for
// tests.
package openapitest

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// methods are the members of a path that are operations.
var methods = []string{"get", "put", "post", "delete", "patch", "head", "options", "trace"}

// Document is an OpenAPI document. It is for one goroutine.
type Document struct {
	root     map[string]any
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema // by the address of a schema's value
}

// Open reads a document, in YAML or JSON, or ends the test.
func Open(t testing.TB, file string) *Document {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	d := &Document{compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	d.compiler.AssertFormat()
	d.root = root.(map[string]any)
	// Here, and only here, no answer may have a member that is not described.
	for _, s := range d.root["components"].(map[string]any)["schemas"].(map[string]any) {
		closeObjects(s)
	}
	if err := d.compiler.AddResource("api.json", d.root); err != nil {
		t.Fatalf("%s: %v", file, err)
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

// Operations lists method and path of every operation, "GET /a/{b}", sorted.
func (d *Document) Operations() []string {
	var out []string
	for path, item := range d.root["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			if slices.Contains(methods, method) {
				out = append(out, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(out)
	return out
}

// At returns what names lead to from the document's root; references on the way
// are followed.
func (d *Document) At(names ...string) (any, bool) { return d.within(d.root, names...) }

func (d *Document) within(v any, names ...string) (any, bool) {
	for _, name := range append(slices.Clone(names), "") {
		m, ok := v.(map[string]any)
		if ref, isRef := m["$ref"].(string); ok && isRef {
			v, _ = d.At(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
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
func (d *Document) check(t testing.TB, what string, schema any, text []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if err := d.compile(t, schema).Validate(value); err != nil {
		t.Errorf("%s does not match its schema: %v\n%.2000s", what, err, text)
	}
}

// compile compiles a schema somewhere within as a document beside the API's.
func (d *Document) compile(t testing.TB, schema any) *jsonschema.Schema {
	t.Helper()
	name := fmt.Sprintf("at-%p.json", schema)
	if s := d.compiled[name]; s != nil {
		return s
	}
	if err := d.compiler.AddResource(name, rebase(schema)); err != nil {
		t.Fatal(err)
	}
	s, err := d.compiler.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	d.compiled[name] = s
	return s
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
