package cyclonedx

import (
	"bytes"
	"reflect"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/internal/imagetest/scanned"
	"github.com/stella-ops/stella/scan/sbom"
)

// TestScannedIsValid writes what scans of real package databases, lock files
// and archives say, in every version and both formats: it is valid by the
// published schemas, the CycloneDX project's library reads all of it, and we
// read back what we wrote.
func TestScannedIsValid(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	xmlOut := map[string]map[string][]byte{}
	for _, name := range scanned.Names {
		d := scanned.Document(t, name)
		for version := oldestOut; version <= newest; version++ {
			for _, xml := range []bool{false, true} {
				id := name + " " + version.String()
				var out bytes.Buffer
				losses, err := Encode(&out, d, &EncodeOptions{Version: version.String(), XML: xml})
				if err != nil {
					t.Fatal(id, err)
				}
				for _, l := range losses {
					t.Errorf("%s xml=%v: lost %+v", id, xml, l)
				}
				if xml {
					if xmlOut[version.String()] == nil {
						xmlOut[version.String()] = map[string][]byte{}
					}
					xmlOut[version.String()][name] = out.Bytes()
				} else if err := v.checkJSON(t, version.String(), out.Bytes()); err != nil {
					t.Errorf("%s: output is invalid: %.1500v", id, err)
				}
				back, err := Decode(bytes.NewReader(out.Bytes()), nil)
				if err != nil {
					t.Fatal(id, err)
				}
				back.Namespace = d.Namespace
				if diff := changes(d, back); diff != "" {
					t.Errorf("%s xml=%v: comes back changed (-was +is):\n%.2000s", id, xml, diff)
				}
				if version < newest { // the library ends at 1.6
					libraryCounts(t, id, xml, out.Bytes(), d)
				}
			}
		}
	}
	t.Run("xmllint", func(t *testing.T) {
		for version, docs := range xmlOut {
			for name, why := range v.checkXML(t, version, docs) {
				t.Errorf("%s as %s: output is invalid:\n%.1500s", name, version, why)
			}
		}
	})
}

// changes is gocmp.Diff, which takes its time, where there is a difference.
func changes(was, is *sbom.Document) string {
	if reflect.DeepEqual(was, is) {
		return ""
	}
	return gocmp.Diff(was, is, cmpopts.EquateEmpty())
}

// libraryCounts compares what the CycloneDX library reads with the document.
func libraryCounts(t *testing.T, id string, xml bool, out []byte, d *sbom.Document) {
	t.Helper()
	format := cdx.BOMFileFormatJSON
	if xml {
		format = cdx.BOMFileFormatXML
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(out), format).Decode(&bom); err != nil {
		t.Fatalf("%s: the library: %v", id, err)
	}
	urls := map[string]int{}
	var walk func(list *[]cdx.Component)
	walk = func(list *[]cdx.Component) {
		if list == nil {
			return
		}
		for _, c := range *list {
			urls[c.PackageURL]++
			walk(c.Components)
		}
	}
	walk(bom.Components)
	for _, p := range d.Packages {
		if u := p.PURL.String(); u != "" {
			if urls[u]--; urls[u] < 0 {
				t.Errorf("%s: the library does not see %s", id, u)
			}
		}
	}
}
