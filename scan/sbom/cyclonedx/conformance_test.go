package cyclonedx

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	schemaPack = "conformance/cyclonedx-schema.tar.gz"
	docsPack   = "conformance/cyclonedx-docs.tar.gz"
)

// validator holds documents against the published schemas.
type validator struct {
	files    map[string][]byte
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	json     map[string]*jsonschema.Schema
}

// shared are the schemas, which take long to compile, for all tests.
var shared struct {
	sync.Mutex
	*validator
}

func newValidator(t testing.TB) *validator {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.validator == nil {
		shared.validator = &validator{files: testdata.Open(t, schemaPack), json: map[string]*jsonschema.Schema{}}
	}
	return shared.validator
}

func (v *validator) schema(t testing.TB, version string) *jsonschema.Schema {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if s := v.json[version]; s != nil {
		return s
	}
	if v.compiler == nil {
		v.compiler = newCompiler(t, v.files)
	}
	s, err := v.compiler.Compile("http://cyclonedx.org/schema/bom-" + version + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	v.json[version] = s
	return s
}

// newCompiler knows the JSON schemas among files.
func newCompiler(t testing.TB, files map[string][]byte) *jsonschema.Compiler {
	t.Helper()
	c := jsonschema.NewCompiler()
	for name, b := range files {
		if !strings.HasSuffix(name, ".json") || strings.HasPrefix(name, "schema/ext/") {
			continue
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("http://cyclonedx.org/schema/"+path.Base(name), doc); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (v *validator) checkJSON(t testing.TB, version string, doc []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return err
	}
	return v.schema(t, version).Validate(value)
}

// checkXML runs xmllint, or skips the test where it is not installed.
func (v *validator) checkXML(t testing.TB, version string, docs map[string][]byte) map[string]string {
	t.Helper()
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not on PATH: XML output is not held against the XML schemas")
	}
	dir := t.TempDir()
	for _, name := range []string{"spdx.xsd", "bom-" + version + ".xsd"} {
		text := bytes.ReplaceAll(v.files["schema/"+name], []byte("http://cyclonedx.org/schema/spdx\" schemaLocation=\"http://cyclonedx.org/schema/spdx"), []byte("http://cyclonedx.org/schema/spdx\" schemaLocation=\"spdx.xsd"))
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	failed := map[string]string{}
	var args []string
	names := map[string]string{}
	for i, name := range slices.Sorted(maps.Keys(docs)) {
		file := fmt.Sprintf("doc-%d.xml", i)
		names[file] = name
		args = append(args, file)
		if err := os.WriteFile(filepath.Join(dir, file), docs[name], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if len(args) == 0 {
		return nil
	}
	cmd := exec.Command(lint, append([]string{"--noout", "--nonet", "--schema", "bom-" + version + ".xsd"}, args...)...)
	cmd.Dir = dir // whose name may have a '#', which ends a path for xmllint
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if !bytes.Contains(out, []byte("fails to validate")) {
		t.Fatalf("xmllint: %v\n%s", err, out)
	}
	for file, name := range names {
		if bytes.Contains(out, []byte(file+" fails to validate")) {
			for line := range strings.Lines(string(out)) {
				if strings.HasPrefix(line, file+":") {
					failed[name] += line
				}
			}
		}
	}
	return failed
}

// conformanceDocs returns the documents whose names begin with prefix.
func conformanceDocs(t testing.TB, prefix string) map[string][]byte {
	t.Helper()
	docs := map[string][]byte{}
	for name, b := range testdata.Open(t, docsPack) {
		base := path.Base(name)
		if ext := path.Ext(base); strings.HasPrefix(base, prefix) && (ext == ".json" || ext == ".xml") {
			docs[path.Base(path.Dir(name))+"/"+base] = b
		}
	}
	if len(docs) < 50 {
		t.Fatalf("only %d documents %s* in %s", len(docs), prefix, docsPack)
	}
	return docs
}

func optionsFor(name, version string) *EncodeOptions {
	return &EncodeOptions{Version: version, XML: strings.HasSuffix(name, ".xml")}
}

// TestValidDocuments decodes every valid document of the CycloneDX project and
// encodes it again in its own version (1.4 for the older ones, which Encode
// does not write): nothing may be lost, noted or changed.
func TestValidDocuments(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	xmlOut := map[string]map[string][]byte{}
	docs := conformanceDocs(t, "valid-")
	for _, name := range testdata.Names(docs) {
		in := docs[name]
		t.Run(name, func(t *testing.T) {
			version, _, _ := strings.Cut(name, "/")
			if version < "1.4" {
				version = "1.4"
			}
			d, err := Decode(bytes.NewReader(in), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range d.Gaps {
				if !expectedNote(name, g) {
					t.Errorf("noted: %s: %s", g.Where, g.What)
				}
			}
			var out bytes.Buffer
			losses, err := Encode(&out, d, optionsFor(name, version))
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range losses {
				t.Errorf("lost: %+v", l)
			}
			if path.Ext(name) == ".json" {
				if diff := cmp.Diff(comparable(t, in), comparable(t, out.Bytes())); diff != "" {
					t.Errorf("changed (-in +out):\n%s", diff)
				}
				if err := v.checkJSON(t, version, out.Bytes()); err != nil {
					t.Errorf("output is invalid: %v", err)
				}
				return
			}
			if diff := cmp.Diff(flatXML(t, in), flatXML(t, out.Bytes())); diff != "" {
				t.Errorf("changed (-in +out):\n%s", diff)
			}
			if xmlOut[version] == nil {
				xmlOut[version] = map[string][]byte{}
			}
			xmlOut[version][name] = out.Bytes()
		})
	}
	t.Run("xmllint", func(t *testing.T) {
		for version, docs := range xmlOut {
			for name, why := range v.checkXML(t, version, docs) {
				t.Errorf("%s: output is invalid:\n%s", name, why)
			}
		}
	})
}

// expectedNote knows the oddities that valid documents have.
func expectedNote(name string, g sbom.Gap) bool {
	return false
}

// comparable returns a JSON document with the lists sorted whose order has no
// meaning in CycloneDX and which the model sorts, and without the members that
// name the version.
func comparable(t testing.TB, doc []byte) string {
	t.Helper()
	n, err := parseNode(bytes.TrimPrefix(doc, byteOrderMark))
	if err != nil {
		t.Fatal(err)
	}
	n.remove("$schema")
	n.remove("specVersion")
	sortSets(&n, "")
	b, err := indent(n.append(nil))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var sets = map[string]bool{"components": true, "dependencies": true, "dependsOn": true, "licenses": true, "hashes": true,
	"externalReferences": true, "properties": true, "occurrences": true}

func sortSets(n *node, name string) {
	for i := range n.fields {
		sortSets(&n.fields[i].value, n.fields[i].name)
	}
	for i := range n.items {
		sortSets(&n.items[i], "")
	}
	n.sort()
	if name == "dependencies" {
		mergeDependencies(n)
	}
	if sets[name] {
		items := map[string]node{}
		for _, item := range n.items {
			items[string(item.append(nil))] = item
		}
		n.items = n.items[:0]
		for _, text := range slices.Sorted(maps.Keys(items)) {
			n.items = append(n.items, items[text])
		}
	}
}

// mergeDependencies joins entries for the same ref, which say what one entry
// would say.
func mergeDependencies(n *node) {
	at := map[string]int{}
	var items []node
	for _, d := range n.items {
		ref := d.str("ref")
		i, ok := at[ref]
		if !ok || ref == "" {
			at[ref] = len(items)
			items = append(items, d)
			continue
		}
		on, more := items[i].get("dependsOn"), d.get("dependsOn")
		on.kind = '['
		on.items = append(on.items, more.items...)
		sortSets(&on, "dependsOn")
		items[i].set("dependsOn", on)
	}
	n.items = items
}

// flatXML counts the elements, attributes and texts of a document by their
// path, read by encoding/xml and nothing of this package. The order is left to
// the XML schemas.
func flatXML(t testing.TB, doc []byte) map[string]int {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(doc))
	flat := map[string]int{}
	var at []string
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return flat
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			space := e.Name.Space
			if strings.HasPrefix(space, namespacePrefix) {
				space = ""
			}
			at = append(at, space+" "+e.Name.Local)
			p := strings.Join(at, "/")
			flat[p]++
			for _, a := range e.Attr {
				if !declaration(a) {
					flat[fmt.Sprintf("%s@%s %s=%s", p, a.Name.Space, a.Name.Local, a.Value)]++
				}
			}
		case xml.EndElement:
			at = at[:len(at)-1]
		case xml.CharData:
			if s := strings.TrimSpace(string(e)); s != "" {
				flat[strings.Join(at, "/")+"="+s]++
			}
		}
	}
}
