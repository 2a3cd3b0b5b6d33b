package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// The beginnings of small documents of each format, to which a test adds members.
const (
	cdxHead  = `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1`
	spdxHead = `{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"n","documentNamespace":"https://example.com/n","creationInfo":{"created":"2024-01-01T00:00:00Z","creators":["Tool: t-1"]}`
	syftHead = `{"artifacts":[{"id":"a","name":"x","version":"1"}],"schema":{"version":"16.0.2"},"source":{"id":"s","type":"directory"}`
	tagHead  = "SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\nDocumentName: n\nDocumentNamespace: https://example.com/n\nCreator: Tool: t-1\nCreated: 2024-01-01T00:00:00Z\n"
	xmlHead  = `<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.6" version="1">`
)

func nested(open, end string, n int) string { return strings.Repeat(open, n) + strings.Repeat(end, n) }

// TestBadInput: each class of bad input is an error of its kind that names the
// place, and the limit where there is one. None takes long, none panics.
func TestBadInput(t *testing.T) {
	laughs := `<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>`
	for _, c := range []struct {
		class, in string
		kind      error
		says      string
	}{
		{"depth, CycloneDX", cdxHead + `,"x":` + nested("[", "]", 5000) + "}", fault.Limit, "nesting depth: 5001 is over the limit of 512"},
		{"depth of components", cdxHead + `,"components":` + nested(`[{"name":"a","components":`, "}]", 10_000) + "}", fault.Limit, "is over the limit of 512"},
		{"depth, XML", xmlHead + nested("<components><component type='library'><name>a</name>", "</component></components>", 10_000) + "</bom>", fault.Limit, "is over the limit of 512"},
		{"depth, SPDX", spdxHead + `,"x":` + nested("[", "]", 5000) + "}", fault.Limit, "nesting: 65 is over the limit of 64"},
		{"depth, YAML", "spdxVersion: SPDX-2.3\nx: " + nested("[", "]", 5000), fault.Limit, "line 2: nesting: 65 is over the limit of 64"},
		{"depth, syft", syftHead + `,"x":` + nested("[", "]", 20_000) + "}", fault.Invalid, "at /x/0"},
		{"same identifier, SPDX", spdxHead + `,"packages":[{"SPDXID":"SPDXRef-a","name":"x"},{"SPDXID":"SPDXRef-a","name":"y"}]}`, fault.Invalid, `/packages/1: SPDXID "SPDXRef-a" is already that of /packages/0`},
		{"same identifier, tag-value", tagHead + "PackageName: a\nSPDXID: SPDXRef-a\nPackageName: b\nSPDXID: SPDXRef-a\n", fault.Invalid, `line 10: SPDXID "SPDXRef-a" is already that of line 8`},
		{"same identifier, syft", `{"artifacts":[{"id":"a","name":"x"},{"id":"a","name":"y"}],"schema":{"version":"16.0.0"}}`, fault.Invalid, `/artifacts/1: id "a" is already that of /artifacts/0`},
		{"same member, CycloneDX", cdxHead + `,"components":[{"name":"x","name":"y"}]}`, fault.Invalid, "/components/0/name"},
		{"same member, SPDX", spdxHead + `,"packages":[{"SPDXID":"SPDXRef-a","name":"x","name":"y"}]}`, fault.Invalid, "/packages/0/name"},
		{"same member, syft", `{"artifacts":[{"id":"a","id":"b","name":"x"}],"schema":{"version":"16.0.0"}}`, fault.Invalid, "/artifacts/0/id"},
		{"same tag", tagHead + "PackageName: a\nPackageVersion: 1\nPackageVersion: 2\n", fault.Invalid, "line 10: PackageVersion: it is given twice"},
		{"not UTF-8, CycloneDX", cdxHead + ",\"components\":[{\"name\":\"\xff\"}]}", fault.Invalid, "/components/0"},
		{"not UTF-8, XML", xmlHead + "<components>\n<component type='library'><name>\xff</name></component></components></bom>", fault.Invalid, "line 2"},
		{"not UTF-8, SPDX", spdxHead + ",\"comment\":\"\xff\"}", fault.Invalid, "/comment"},
		{"not UTF-8, tag-value", tagHead + "PackageName: \xff\n", fault.Invalid, "line 8"},
		{"not UTF-8, syft", `{"artifacts":[{"id":"a","name":"` + "\xff" + `"}],"schema":{"version":"16.0.0"}}`, fault.Invalid, "/artifacts/0/name"},
		{"huge number as text", cdxHead + `,"components":[{"name":1e999999}]}`, fault.Invalid, "/components/0/name: a number instead of a string"},
		{"huge number, syft", `{"artifacts":[],"schema":{"version":16e999999}}`, fault.Invalid, "/schema/version"},
		{"NaN", cdxHead + `,"version":NaN}`, fault.Invalid, "/version"},
		{"DTD", laughs + `<bom xmlns="http://cyclonedx.org/schema/bom/1.6"/>`, fault.Invalid, "line 1, column"},
		{"entity from a file", xmlHead + `<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]></bom>`, fault.Invalid, "document type declarations are not read"},
		{"entity without a DTD", xmlHead + "<components>\n<component type='library'><name>&lol;</name></component></components></bom>", fault.Invalid, "line 2: invalid character entity &lol;"},
		{"billion laughs, YAML", "spdxVersion: SPDX-2.3\na: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", fault.Invalid, "line 3: aliases are not accepted"},
		{"unknown version, CycloneDX", `{"bomFormat":"CycloneDX","specVersion":"1.99"}`, fault.Unsupported, `"1.99" is not one of 1.0 to 1.7`},
		{"unknown version, SPDX", `{"spdxVersion":"SPDX-9.9","SPDXID":"SPDXRef-DOCUMENT"}`, fault.Unsupported, `"SPDX-9.9" is not read, only 2.2 and 2.3 are`},
		{"unknown version, syft", `{"artifacts":[],"schema":{"version":"99.0.0"}}`, fault.Unsupported, `"99.0.0" is not read, only 11 to 16 are`},
		{"cut off, CycloneDX", cdxHead + `,"components":[{"name":"a"`, fault.Invalid, "/components/0"},
		{"cut off, SPDX", spdxHead + `,"packages":[{"SPDXID":`, fault.Invalid, "/packages/0/SPDXID"},
		{"cut off, tag-value", tagHead + "PackageComment: <text>a\nb", fault.Invalid, "line 8"},
		{"cut off, XML", xmlHead + "\n<components>", fault.Invalid, "line 2"},
		{"cut off, syft", syftHead + `,"files":[{`, fault.Invalid, "/files/0"},
		{"more after it, CycloneDX", cdxHead + "}{}", fault.Invalid, "after the document"},
		{"more after it, SPDX", spdxHead + "}{}", fault.Invalid, "after the document"},
		{"more after it, syft", syftHead + "}{}", fault.Invalid, "after the document"},
		{"a NUL", cdxHead + ",\"components\":[{\"name\":\"a\x00\"}]}", fault.Invalid, "/components/0"},
	} {
		t.Run(c.class, func(t *testing.T) {
			d, _, err := format.Decode(strings.NewReader(c.in))
			if !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.says) || d != nil {
				t.Errorf("%.500v\nwant %v with %q", err, c.kind, c.says)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// TestOddInput: what can be read nevertheless is read, said in a gap, and written
// again in every format.
func TestOddInput(t *testing.T) {
	component := func(members string) string {
		return cdxHead + `,"components":[{"bom-ref":"a","name":"x",` + members + `}]}`
	}
	pkg := func(members string) string {
		return spdxHead + `,"packages":[{"SPDXID":"SPDXRef-a","name":"x",` + members + `}]}`
	}
	url := func(u string) string {
		return `"externalRefs":[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"` + u + `"}]`
	}
	for _, c := range []struct{ class, in, gap string }{
		{"dangling, CycloneDX", cdxHead + `,"dependencies":[{"ref":"q","dependsOn":["r"]}]}`, `"q"`},
		{"dangling, SPDX", spdxHead + `,"relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-q"}]}`, "SPDXRef-q is not an element"},
		{"dangling, syft", syftHead + `,"artifactRelationships":[{"parent":"a","child":"q","type":"dependency-of"}]}`, "an end of it is not in the document"},
		{"on itself, CycloneDX", cdxHead + `,"components":[{"bom-ref":"a","name":"x"}],"dependencies":[{"ref":"a","dependsOn":["a"]}]}`, ""},
		{"on itself, SPDX", spdxHead + `,"packages":[{"SPDXID":"SPDXRef-a","name":"x"}],"relationships":[{"spdxElementId":"SPDXRef-a","relationshipType":"DEPENDS_ON","relatedSpdxElement":"SPDXRef-a"},{"spdxElementId":"SPDXRef-a","relationshipType":"CONTAINS","relatedSpdxElement":"SPDXRef-a"}]}`, ""},
		{"package URL without a type", component(`"purl":"pkg:x"`), "purl"},
		{"package URL with a bad escape", component(`"purl":"pkg:npm/a%zz@1"`), "purl"},
		{"package URL with a NUL", component(`"purl":"pkg:npm/a%00@1"`), ""},
		{"package URL of 64 KiB", component(`"purl":"pkg:npm/` + strings.Repeat("a", 64<<10) + `@1"`), ""},
		{"no package URL, SPDX", pkg(url("pkg:/")), "pkg:/"},
		{"CPE", component(`"cpe":"cpe:2.3:nonsense"`), ""},
		{"hash of unknown kind", component(`"hashes":[{"alg":"ROT13","content":"00"}]`), "ROT13"},
		{"hash of wrong length", component(`"hashes":[{"alg":"SHA-256","content":"00"}]`), "hash"},
		{"hash of wrong length, SPDX", pkg(`"checksums":[{"algorithm":"SHA256","checksumValue":"00"}]`), "checksum"},
		{"time", cdxHead + `,"metadata":{"timestamp":"yesterday"}}`, "yesterday"},
		{"leap second", cdxHead + `,"metadata":{"timestamp":"2016-12-31T23:59:60Z"}}`, "23:59:60"},
		{"expression of 10,000 levels", component(`"licenses":[{"expression":"` + nested("(", ")", 10_000) + `"}]`), ""},
		{"expression of 10,000 levels, SPDX", pkg(`"licenseDeclared":"` + strings.Repeat("(", 10_000) + "MIT" + strings.Repeat(")", 10_000) + `"`), ""},
		{"huge version", `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1e999999}`, ""},
		{"negative version", `{"bomFormat":"CycloneDX","specVersion":"1.6","version":-1}`, ""},
		{"NOASSERTION everywhere", pkg(`"versionInfo":"NOASSERTION","supplier":"NOASSERTION","downloadLocation":"NOASSERTION","licenseDeclared":"NOASSERTION","licenseConcluded":"NONE","copyrightText":"NOASSERTION"`), ""},
		{"no components", cdxHead + `,"components":[]}`, ""},
		{"private URL", component(`"externalReferences":[{"type":"website","url":"file:///etc/passwd"},{"type":"vcs","url":"http://169.254.169.254/"}]`), ""},
		{"BOM-Link to itself", cdxHead + `,"serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79","externalReferences":[{"type":"bom","url":"urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1"}]}`, ""},
	} {
		t.Run(c.class, func(t *testing.T) {
			d, _, err := format.Decode(strings.NewReader(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if found := fmt.Sprint(d.Gaps); !strings.Contains(found, c.gap) {
				t.Errorf("gaps %.500s\nwant one with %q", found, c.gap)
			}
			for _, to := range format.Writable() {
				again(t, d, to)
			}
		})
	}
}

// TestLongChains: a cycle through all packages, and a chain of all, which
// recursion could not follow, are read and written.
func TestLongChains(t *testing.T) {
	const n = 5000
	d := &sbom.Document{Subject: sbom.Subject{ID: "s", Kind: sbom.SubjectOther}}
	for i := range n {
		d.Packages = append(d.Packages, sbom.Package{ID: fmt.Sprintf("p%d", i), Name: "p", Version: fmt.Sprint(i)})
		d.Relationships = append(d.Relationships, sbom.Relationship{From: fmt.Sprintf("p%d", i), Kind: sbom.DependsOn, To: fmt.Sprintf("p%d", (i+1)%n)})
		if i > 0 {
			d.Relationships = append(d.Relationships, sbom.Relationship{From: fmt.Sprintf("p%d", i-1), Kind: sbom.Contains, To: fmt.Sprintf("p%d", i)})
		}
	}
	d.Normalize()
	for _, to := range format.Writable() {
		if back := again(t, d, to); len(back.Relationships) != len(d.Relationships) {
			t.Errorf("%s: %d relationships of %d", to, len(back.Relationships), len(d.Relationships))
		}
	}
}

// TestBrokenReader: an error of the reader stays what it is.
func TestBrokenReader(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, in := range []string{"", cdxHead, spdxHead, syftHead, tagHead, xmlHead, `{"schema":"stella-sbom/1","subject":{`} {
		_, _, err := format.Decode(io.MultiReader(strings.NewReader(in), bytes.NewReader(nil), failing{broken}))
		if !errors.Is(err, broken) || errors.Is(err, fault.Invalid) {
			t.Errorf("after %.30q: %v", in, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
