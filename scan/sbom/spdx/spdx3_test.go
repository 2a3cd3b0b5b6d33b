package spdx

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/sbom"
)

// The checker must accept the published examples and refuse broken ones, or it
// proves nothing.
func TestModel3Checker(t *testing.T) {
	m := loadModel3(t)
	for name, doc := range testdata.Open(t, "conformance/spdx-examples.tar.gz") {
		if strings.Contains(name, "spdx3.0/example7") && !strings.Contains(name, "example7-bin") { // the others say "createdBy" of tools
			if problems := m.checkGraph(doc); len(problems) > 0 {
				t.Errorf("%s: %q", name, problems)
			}
		}
	}
	for broken, object := range map[string]map[string]any{
		"class":       {"type": "software_Pakage"},
		"property":    {"type": "Tool", "spdxId": "a", "creationInfo": "b", "software_packageVersion": "1"},
		"missing":     {"type": "Relationship", "spdxId": "a", "creationInfo": "b", "from": "c", "relationshipType": "contains"},
		"enumeration": {"type": "Hash", "algorithm": "sha257", "hashValue": "00"},
		"pattern":     {"type": "CreationInfo", "specVersion": "3", "created": "2024-01-01T00:00:00Z", "createdBy": []any{"a"}},
		"list":        {"type": "Tool", "spdxId": "a", "creationInfo": "b", "name": []any{"x"}},
	} {
		if len(m.check(object)) == 0 {
			t.Errorf("the checker accepts a wrong %s", broken)
		}
	}
}

func TestSPDX3OfRealDocuments(t *testing.T) {
	t.Parallel()
	m := loadModel3(t)
	docs := realDocuments(t)
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		if len(docs[name].text) > 1<<20 || strings.Contains(name, "broken-refs") { // big ones add nothing but time; a broken reference stays broken
			continue
		}
		t.Run(name, func(t *testing.T) {
			d := docs[name].decoded(t)
			out, losses := encoded(t, d, &EncodeOptions{Version: Version301, Indent: true})
			if problems := m.checkGraph(out); len(problems) > 0 {
				t.Errorf("%q", problems)
			}
			for i, l := range losses {
				if i < 3 {
					t.Logf("loss: %v", l)
				}
			}
			if again, _ := encoded(t, d, &EncodeOptions{Version: Version301, Indent: true}); !bytes.Equal(out, again) {
				t.Error("not deterministic")
			}
		})
	}
}

func TestSPDX3OfModels(tb *testing.T) {
	tb.Parallel()
	m := loadModel3(tb)
	rapid.Check(tb, func(t *rapid.T) {
		d := documents().Draw(t, "document")
		var b bytes.Buffer
		losses, err := Encode(&b, d, &EncodeOptions{Version: Version301})
		if err != nil || len(losses) > 0 {
			t.Fatalf("%v, losses %v", err, losses)
		}
		if problems := m.checkGraph(b.Bytes()); len(problems) > 0 {
			t.Fatalf("%q\n%s", problems, b.Bytes())
		}
	})
}

// A file that no package accounts for is a File, one that has a version a Package.
func TestSPDX3Files(t *testing.T) {
	d := &sbom.Document{Packages: []sbom.Package{
		{Type: sbom.TypeFile, Name: "bin/a", Locations: []sbom.Location{{Path: "bin/a"}}, Hashes: []sbom.Hash{{Algorithm: "sha256", Value: strings.Repeat("ab", 32)}}, Properties: []sbom.Property{{Name: "file:kind", Value: "elf"}}},
		{Type: sbom.TypeFile, Name: "bin/b", Version: "1"}}}
	d.Normalize()
	out, losses := encoded(t, d, &EncodeOptions{Version: Version301})
	var g graph3
	if err := json.Unmarshal(out, &g); err != nil || len(losses) > 0 {
		t.Fatal(err, losses)
	}
	classes := map[string]string{}
	for _, e := range g.Graph {
		if e.Purpose == "file" {
			classes[e.Name] = e.Type
		}
	}
	if classes["bin/a"] != "software_File" || classes["bin/b"] != "software_Package" {
		t.Errorf("%v", classes)
	}
	if problems := loadModel3(t).checkGraph(out); len(problems) > 0 {
		t.Errorf("%q", problems)
	}
}
