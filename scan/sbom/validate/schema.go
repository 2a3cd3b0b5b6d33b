package validate

import (
	"archive/zip"
	"bytes"
	_ "embed" // for the schemas
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/stella-ops/stella/scan/sbom/format"
)

// schemas.zip holds the published schemas as they are; README.md names their sources
// and licences.
//
//go:embed schemas.zip
var schemas []byte

// addresses are where the schemas are published, by the format that they describe.
var addresses = map[string]string{
	"spdx-json@2.2": "http://spdx.org/rdf/terms/2.2", "spdx-json@2.3": "http://spdx.org/rdf/terms/2.3", "spdx-json@3.0.1": "https://spdx.org/schema/3.0.1/spdx-json-schema.json",
	"cyclonedx-json@1.2": cyclonedxSchemas + "bom-1.2.schema.json", "cyclonedx-json@1.3": cyclonedxSchemas + "bom-1.3.schema.json",
	"cyclonedx-json@1.4": cyclonedxSchemas + "bom-1.4.schema.json", "cyclonedx-json@1.5": cyclonedxSchemas + "bom-1.5.schema.json",
	"cyclonedx-json@1.6": cyclonedxSchemas + "bom-1.6.schema.json", "cyclonedx-json@1.7": cyclonedxSchemas + "bom-1.7.schema.json",
}

const cyclonedxSchemas = "http://cyclonedx.org/schema/"

// formatOf returns the name of the JSON format of an object as it names itself, or "".
func formatOf(object map[string]any) string {
	text := func(name string) string { s, _ := object[name].(string); return s }
	switch {
	case text("bomFormat") == "CycloneDX":
		return format.CycloneDXJSON + "@" + text("specVersion")
	case strings.HasPrefix(text("spdxVersion"), "SPDX-"):
		return format.SPDXJSON + "@" + strings.TrimPrefix(text("spdxVersion"), "SPDX-")
	case strings.HasPrefix(text("@context"), "https://spdx.org/rdf/3"):
		version, _, _ := strings.Cut(strings.TrimPrefix(text("@context"), "https://spdx.org/rdf/"), "/")
		return format.SPDXJSON + "@" + version
	}
	return ""
}

// bySchema holds an object against the schema of its format, where there is one.
func (r *Report) bySchema(object map[string]any) ([]Problem, error) {
	name := formatOf(object)
	address, known := addresses[name]
	if !known {
		return nil, nil
	}
	r.Format, r.Schema = name, address
	s, err := compiled(address)
	if err != nil {
		return nil, fmt.Errorf("validate: schema of %s: %w", name, err)
	}
	err = s.Validate(object)
	var failed *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil, nil
	case !errors.As(err, &failed):
		return nil, fmt.Errorf("validate: schema of %s: %w", name, err)
	}
	var out []Problem
	for _, leaf := range leaves(failed) {
		unit := leaf.BasicOutput()
		what := ""
		if unit.Error != nil {
			what = unit.Error.String()
		} else if len(unit.Errors) > 0 && unit.Errors[0].Error != nil {
			what = unit.Errors[0].Error.String()
		}
		out = append(out, Problem{Pointer: pointer(leaf.InstanceLocation), Rule: ruleOf(leaf), What: oneLine(what)})
	}
	return out, nil
}

// compiledSchemas are kept: compiling takes longer than most documents.
var compiledSchemas struct {
	sync.Mutex
	compiler *jsonschema.Compiler
	byURL    map[string]*jsonschema.Schema
}

func compiled(address string) (*jsonschema.Schema, error) {
	c := &compiledSchemas
	c.Lock()
	defer c.Unlock()
	if s := c.byURL[address]; s != nil {
		return s, nil
	}
	if c.compiler == nil {
		compiler, err := newCompiler()
		if err != nil {
			return nil, err
		}
		c.compiler, c.byURL = compiler, map[string]*jsonschema.Schema{}
	}
	s, err := c.compiler.Compile(address)
	if err == nil {
		c.byURL[address] = s
	}
	return s, err
}

// newCompiler knows all schemas by their addresses, and fetches none.
func newCompiler() (*jsonschema.Compiler, error) {
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{})
	c.UseRegexpEngine(compileRegexp)
	archive, err := zip.NewReader(bytes.NewReader(schemas), int64(len(schemas)))
	if err != nil {
		return nil, err
	}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		if err := c.AddResource(addressOf(f.Name), doc); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func addressOf(file string) string {
	if name, ok := strings.CutPrefix(file, "cyclonedx/"); ok {
		return cyclonedxSchemas + name
	}
	return addresses["spdx-json@"+strings.TrimSuffix(strings.TrimPrefix(file, "spdx/"), ".json")]
}

// leaves returns the failures that nothing else explains. Where several schemas were
// tried and none fits, it is those of the one that is closest.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var lists [][]*jsonschema.ValidationError
	for _, c := range e.Causes {
		lists = append(lists, leaves(c))
	}
	switch e.ErrorKind.(type) {
	case *kind.OneOf, *kind.AnyOf:
		best := lists[0]
		for _, l := range lists[1:] {
			if closer(l, best) {
				best = l
			}
		}
		return best
	}
	var out []*jsonschema.ValidationError
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// closer reports whether a schema with the failures a fits better than one with b:
// it is about the kind of object that is there, its failures lie deeper inside, or
// there are fewer.
func closer(a, b []*jsonschema.ValidationError) bool {
	if x, y := otherKind(a), otherKind(b); x != y {
		return y
	}
	if x, y := deepest(a), deepest(b); x != y {
		return x > y
	}
	return len(a) < len(b)
}

// otherKind reports whether a member that tells kinds of objects apart does not fit.
func otherKind(list []*jsonschema.ValidationError) bool {
	for _, e := range list {
		at := e.InstanceLocation
		if len(at) == 0 || at[len(at)-1] != "type" {
			continue
		}
		switch e.ErrorKind.(type) {
		case *kind.Const, *kind.Enum:
			return true
		}
	}
	return false
}

func deepest(list []*jsonschema.ValidationError) int {
	n := 0
	for _, e := range list {
		n = max(n, len(e.InstanceLocation))
	}
	return n
}

// ruleOf is the place of the keyword that failed.
func ruleOf(e *jsonschema.ValidationError) string {
	base, at, _ := strings.Cut(e.SchemaURL, "#")
	return base + "#" + at + pointer(e.ErrorKind.KeywordPath())
}

// maxPointer bounds pointers, in bytes: a document makes them as long as it likes.
const maxPointer = 300

// pointer makes a JSON pointer (RFC 6901), with "…" behind it where it is cut short.
func pointer(tokens []string) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteByte('/')
		_, _ = escapePointer.WriteString(&b, t[:min(len(t), maxPointer)]) // memory does not fail
		if b.Len() > maxPointer {
			return strings.ToValidUTF8(b.String()[:maxPointer], "") + "…"
		}
	}
	return b.String()
}

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1")
