package validate_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/scan/sbom/validate"
)

const (
	cdx  = `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1`
	spdx = `{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"n","documentNamespace":"https://example.com/n","creationInfo":{"created":"2024-01-01T00:00:00Z","creators":["Tool: t-1"]}`
	pkg  = `{"SPDXID":"SPDXRef-a","name":"a","downloadLocation":"NOASSERTION"}`
)

func validated(t testing.TB, doc string) *validate.Report {
	t.Helper()
	r, err := validate.Validate([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestProblems: each kind of problem is told with its place and its rule.
func TestProblems(t *testing.T) {
	for name, c := range map[string]struct{ doc, want string }{
		"good":             {cdx + `,"components":[{"type":"library","bom-ref":"a","name":"a"}],"dependencies":[{"ref":"a","dependsOn":["urn:cdx:f08a6ccd-4dce-4759-bd84-c626675d60a7/1#x"]}]}`, ""},
		"schema":           {cdx + `,"components":[{"type":"libary","name":"a"}]}`, `/components/0/type http://cyclonedx.org/schema/bom-1.6.schema.json#/definitions/component/properties/type/enum`},
		"additional":       {cdx + `,"componentz":[]}`, ` http://cyclonedx.org/schema/bom-1.6.schema.json#/additionalProperties`},
		"missing":          {cdx + `,"components":[{"type":"library"}]}`, `/components/0 http://cyclonedx.org/schema/bom-1.6.schema.json#/definitions/component/required` + "\n" + ` syntax`},
		"bom-ref twice":    {cdx + `,"components":[{"type":"library","bom-ref":"a","name":"a"},{"type":"library","bom-ref":"a","name":"b"}]}`, `/components/1/bom-ref identifier`},
		"dangling ref":     {cdx + `,"dependencies":[{"ref":"b"}],"compositions":[{"aggregate":"complete","assemblies":["c"]}]}`, "/compositions/0/assemblies/0 reference\n/dependencies/0/ref reference"},
		"expression":       {cdx + `,"components":[{"type":"library","name":"a","licenses":[{"expression":"MIT OR"}]}]}`, `/components/0/licenses/0/expression license`},
		"one of two":       {cdx + `,"components":[{"type":"library","name":"a","licenses":[{"license":{"id":"Nope"}}]}]}`, `/components/0/licenses/0/license/id http://cyclonedx.org/schema/spdx.schema.json#/enum`},
		"circle":           {cdx + `,"components":[{"type":"library","bom-ref":"a","name":"a","properties":[{"name":"stella:contained-by","value":"b"}]},{"type":"library","bom-ref":"b","name":"b","properties":[{"name":"stella:contained-by","value":"a"}]}]}`, `a circle`},
		"good SPDX":        {spdx + `,"packages":[` + pkg + `],"documentDescribes":["SPDXRef-a"],"relationships":[{"spdxElementId":"SPDXRef-a","relationshipType":"DEPENDS_ON","relatedSpdxElement":"NONE"}]}`, ""},
		"SPDX schema":      {spdx + `,"packages":[{"SPDXID":"SPDXRef-a","name":"a"}]}`, `/packages/0 http://spdx.org/rdf/terms/2.3#/properties/packages/items/required`},
		"SPDXID twice":     {spdx + `,"packages":[` + pkg + "," + pkg + `]}`, "/packages/1/SPDXID identifier\n syntax"},
		"SPDX reference":   {spdx + `,"packages":[` + pkg + `],"relationships":[{"spdxElementId":"SPDXRef-a","relationshipType":"CONTAINS","relatedSpdxElement":"SPDXRef-x"}]}`, `/relationships/0/relatedSpdxElement reference`},
		"SPDX licence":     {spdx + `,"packages":[` + strings.Replace(pkg, "}", `,"licenseDeclared":"MIT (c)"}`, 1) + `]}`, `/packages/0/licenseDeclared license`},
		"no JSON":          {"{", " syntax"},
		"unknown version":  {strings.Replace(cdx, "1.6", "9.9", 1) + "}", " syntax"},
		"another thing":    {"[]", " syntax"},
		"duplicate member": {cdx + `,"version":1}`, " syntax"},
		"tag-value":        {"SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\nDocumentName: n\nDocumentNamespace: https://example.com/n\nCreator: Tool: t\nCreated: 2024-01-01T00:00:00Z\nPackageName: a\nSPDXID: SPDXRef-a\nPackageLicenseDeclared: MIT\nRelationship: SPDXRef-a CONTAINS SPDXRef-a\n", "a circle"},
	} {
		var got []string
		for _, p := range validated(t, c.doc).Problems {
			got = append(got, p.Pointer+" "+p.Rule)
			if p.What == "" || strings.Contains(p.What, "\n") {
				t.Errorf("%s: %+v says nothing, or more than a line", name, p)
			}
		}
		want := strings.Split(c.want, "\n")
		slices.Sort(want)
		slices.Sort(got)
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestWritten: what is written in every format is valid, SPDX 3 by its schema too.
func TestWritten(t *testing.T) {
	d := &sbom.Document{Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: "i"}, Tools: []sbom.Tool{{Name: "t", Version: "1"}}, Packages: []sbom.Package{
		{Name: "a", Version: "1", Licenses: []sbom.License{{Expression: "MIT"}, {Name: "odd"}}, Usage: &sbom.Usage{State: sbom.Reached, Chain: []string{"a"}}, Supplier: "X (x@example.com)"},
		{Type: sbom.TypeFile, Name: "b", Hashes: []sbom.Hash{{Algorithm: "sha256", Value: strings.Repeat("ab", 32)}}}}, Secrets: []sbom.Secret{{Rule: "r", Path: "p"}}}
	d.Normalize()
	d.Relationships = []sbom.Relationship{{From: d.Packages[0].ID, Kind: sbom.DependsOn, To: d.Packages[1].ID}, {From: d.Subject.ID, Kind: sbom.Contains, To: d.Packages[0].ID}}
	d.Normalize()
	for _, f := range format.Writable() {
		for _, version := range format.Versions(f) {
			name := f + "@" + version
			var b bytes.Buffer
			if _, err := format.Encode(&b, d, name, nil); err != nil {
				t.Fatal(err)
			}
			r := validated(t, b.String())
			if !r.Valid() || r.Format != name || (r.Schema != "") != (f == format.CycloneDXJSON || f == format.SPDXJSON) {
				t.Errorf("%s: %s %q %v", name, r.Format, r.Schema, r.Problems)
			}
		}
	}
}

// TestConformance: of the documents of the CycloneDX project in JSON, from 1.2 on,
// those that are called valid are so, and those that are called invalid are not.
func TestConformance(t *testing.T) {
	n := map[string]int{}
	for name, doc := range testdata.Open(t, "conformance/cyclonedx-docs.tar.gz") {
		kind, _, _ := strings.Cut(path.Base(name), "-")
		if path.Ext(name) != ".json" || kind != "valid" && kind != "invalid" {
			continue
		}
		r := validated(t, string(doc))
		if r.Schema == "" && !strings.Contains(name, "bomformat") {
			t.Errorf("%s: no schema for %s", name, r.Format)
		}
		n[kind]++
		for _, p := range r.Problems {
			if kind == "valid" && (strings.HasPrefix(p.Rule, "http") || p.Rule == validate.RuleSyntax) {
				t.Errorf("%s: %+v", name, p)
			}
		}
		if kind == "invalid" && r.Valid() {
			t.Errorf("%s is taken for valid", name)
		}
	}
	if n["valid"] < 90 || n["invalid"] < 50 {
		t.Errorf("only %v documents", n)
	}
}

// TestSchemasAreThePublished: the schemas that are built in are the shared copies of
// those that were published.
func TestSchemasAreThePublished(t *testing.T) {
	data, err := os.ReadFile("schemas.zip")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	published := map[string][]byte{"spdx/2.2.json": testdata.Open(t, "conformance/spdx-schema22.tar.gz")["schemas/spdx-schema.json"], "spdx/2.3.json": testdata.Open(t, "conformance/spdx-schema23.tar.gz")["schemas/spdx-schema.json"]}
	for name, b := range testdata.Open(t, "conformance/cyclonedx-schema.tar.gz") {
		published["cyclonedx/"+path.Base(name)] = b
	}
	for _, f := range archive.File {
		if f.Name == "spdx/3.0.1.json" {
			continue // of which there is no shared copy
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(b, published[f.Name]) {
			t.Errorf("%s is not what was published: %v", f.Name, err)
		}
	}
}

// TestBounds: problems are bounded, and deep circles are no deep recursion.
func TestBounds(t *testing.T) {
	var b strings.Builder
	b.WriteString(cdx + `,"dependencies":[`)
	for i := range validate.MaxProblems + 100 {
		fmt.Fprintf(&b, `{"ref":"x%d"},`, i)
	}
	r := validated(t, strings.TrimSuffix(b.String(), ",")+"]}")
	if len(r.Problems) != validate.MaxProblems || r.More != 100 {
		t.Errorf("%d problems and %d more", len(r.Problems), r.More)
	}
	b.Reset()
	b.WriteString(cdx + `,"components":[`)
	for i := range 20_000 {
		fmt.Fprintf(&b, `{"type":"library","name":"a","bom-ref":"%d","properties":[{"name":"stella:contained-by","value":"%d"}]},`, i, (i+1)%20_000)
	}
	r = validated(t, strings.TrimSuffix(b.String(), ",")+"]}")
	if len(r.Problems) != 1 || r.Problems[0].Rule != validate.RuleCircle {
		t.Errorf("%d problems: %.300v", len(r.Problems), r.Problems)
	}
}

func FuzzValidate(f *testing.F) {
	for _, s := range []string{cdx + "}", spdx + `,"packages":[` + pkg + "]}", `{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[{"type":"Tool","spdxId":"a","creationInfo":"_:b"}]}`, "[]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		r := validated(t, doc)
		if again := validated(t, doc); fmt.Sprint(again.Problems) != fmt.Sprint(r.Problems) {
			t.Errorf("%v, and again %v", r.Problems, again.Problems)
		}
		if r.Valid() && r.Document == nil && !strings.HasPrefix(r.Format, "spdx-json@3") {
			t.Error("valid, and not read")
		}
	})
}

func ExampleValidate() {
	r, err := validate.Validate([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"a","scope":"often"}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range r.Problems {
		fmt.Println(p.Pointer, p.What)
	}
	// Output: /components/0/scope value must be one of 'required', 'optional', 'excluded'
}
