package cyclonedx

import (
	"bytes"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/testdata"
)

// realPacks hold documents that producers made: bom-examples of the CycloneDX
// project, Red Hat's and others' from Trustify.
var realPacks = []string{"sbom/cdx-examples.tar.gz", "sbom/redhat-trustify.tar.gz", "vex/cdx-vex.tar.gz"}

func realDocs(t testing.TB) map[string][]byte {
	t.Helper()
	docs := map[string][]byte{}
	for _, pack := range realPacks {
		for name, b := range testdata.Open(t, pack) {
			if ext := path.Ext(name); (ext == ".json" || ext == ".xml") && Sniff(b[:min(len(b), 2048)]) {
				docs[name] = b
			}
		}
	}
	if len(docs) < 50 {
		t.Fatalf("only %d documents", len(docs))
	}
	return docs
}

func TestRealDocuments(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	docs := realDocs(t)
	for _, name := range testdata.Names(docs) {
		in := docs[name]
		t.Run(name, func(t *testing.T) {
			version := specVersion(t, in)
			d, err := Decode(bytes.NewReader(in), nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %d packages, %d relationships, %d notes", version, len(d.Packages), len(d.Relationships), len(d.Gaps))
			for i, g := range d.Gaps {
				if i < 3 {
					t.Log(g)
				}
			}
			if version < "1.4" {
				version = "1.4"
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
					t.Errorf("changed (-in +out):\n%.3000s", diff)
				}
				if v.checkJSON(t, version, in) == nil {
					if err := v.checkJSON(t, version, out.Bytes()); err != nil {
						t.Errorf("output is invalid: %v", err)
					}
				}
				return
			}
			if diff := cmp.Diff(flatXML(t, in), flatXML(t, out.Bytes())); diff != "" {
				t.Errorf("changed (-in +out):\n%.3000s", diff)
			}
		})
	}
}

func specVersion(t testing.TB, doc []byte) string {
	t.Helper()
	if i := bytes.Index(doc, []byte(namespacePrefix)); i >= 0 && bytes.HasPrefix(bytes.TrimSpace(doc), []byte("<")) {
		return string(doc[i+len(namespacePrefix):][:3])
	}
	n, err := parseNode(doc)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(n.str("specVersion"))
}
