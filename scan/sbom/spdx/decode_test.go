package spdx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

func wantInvalid(t *testing.T, name string, err error, want string) {
	t.Helper()
	if !errors.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("%s: got %v, want an invalid-input error with %q", name, err, want)
	}
}

// document returns a small document with more members in it.
func small(members string) string {
	return `{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"n","documentNamespace":"https://example.com/n",` +
		`"creationInfo":{"created":"2024-01-01T00:00:00Z","creators":["Tool: t-1"]}` + members + `}`
}

func TestDecodeRefusesBrokenJSON(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"empty":                 {"", "neither JSON nor"},
		"blank":                 {" \n ", "neither JSON nor"},
		"prose":                 {"hello", "neither JSON nor"},
		"UTF-16":                {"\xff\xfe{\x00", "neither JSON nor"},
		"cut off":               {`{"spdxVersion":`, "at /spdxVersion: unexpected EOF"},
		"no version":            {`{"SPDXID":"SPDXRef-DOCUMENT"}`, "no spdxVersion"},
		"strange version":       {`{"spdxVersion":"2.3"}`, `at /spdxVersion: "2.3" is not a version`},
		"version of wrong kind": {`{"spdxVersion":2.3}`, "at /spdxVersion: a number does not belong here"},
		"trailing data":         {small("") + "{}", "data after the document"},
		"trailing garbage":      {small("") + " x", "byte"},
		"duplicate member":      {small(`,"name":"m"`), "at /name: the member occurs twice"},
		"duplicate in package":  {small(`,"packages":[{"SPDXID":"SPDXRef-a","name":"x","name":"y"}]`), "at /packages/0/name: the member occurs twice"},
		"duplicate in unknown":  {small(`,"x":{"a":1,"a":2}`), "at /x/a: the member occurs twice"},
		"not UTF-8":             {small(`,"comment":"` + "\xff" + `"`), "at /comment"},
		"lone surrogate":        {small(`,"comment":"\ud800"`), "at /comment"},
		"NaN":                   {small(`,"x":NaN`), "at /x"},
		"control character":     {small(",\"comment\":\"\x01\""), "at /comment"},
		"wrong kind":            {small(`,"packages":[{"SPDXID":"SPDXRef-a","name":["x"]}]`), "at /packages/0/name: an array does not belong here"},
		"packages an object":    {small(`,"packages":{}`), "at /packages: an object is not an array"},
		"same SPDXID":           {small(`,"packages":[{"SPDXID":"SPDXRef-a","name":"x"},{"SPDXID":"SPDXRef-a","name":"y"}]`), `at /packages/1: SPDXID "SPDXRef-a" is already that of /packages/0`},
		"SPDXID of document":    {small(`,"packages":[{"SPDXID":"SPDXRef-DOCUMENT","name":"x"}]`), "already that of the document"},
		"SPDXID of file":        {small(`,"packages":[{"SPDXID":"SPDXRef-a"}],"files":[{"SPDXID":"SPDXRef-a"}]`), "at /files/0"},
		"no SPDXID":             {small(`,"packages":[{"name":"x"}]`), "at /packages/0: the element has no SPDXID"},
		"empty relationship":    {small(`,"relationships":[{}]`), "at /relationships/0"},
		"document in document":  {`{"spdxVersion":"SPDX-2.3","sbom":` + small("") + `}`, "at /sbom"},
		"array":                 {`[]`, "neither JSON nor"},
		"licence without id":    {small(`,"hasExtractedLicensingInfos":[{"name":"x"}]`), "the licence has no identifier"},
		"case of members":       {strings.Replace(small(""), "spdxVersion", "SpdxVersion", 1), "no spdxVersion"},
	}
	for name, test := range tests {
		_, err := Decode(strings.NewReader(test.in), nil)
		wantInvalid(t, name, err, test.want)
	}
}

func TestDecodeUnsupported(t *testing.T) {
	for name, in := range map[string]string{
		"2.1":             `{"spdxVersion":"SPDX-2.1"}`,
		"2.1 tag-value":   "SPDXVersion: SPDX-2.1\n",
		"3.0":             `{"spdxVersion":"SPDX-3.0"}`,
		"3.0 JSON-LD":     `{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[]}`,
		"JSON-LD, @graph": `{"@graph":[]}`,
		"RDF":             `<?xml version="1.0"?><rdf:RDF/>`,
		"DTD":             `<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>`,
	} {
		if _, err := Decode(strings.NewReader(in), nil); !errors.Is(err, fault.Unsupported) {
			t.Errorf("%s: got %v, want unsupported", name, err)
		}
	}
}

func TestDecodeLimits(t *testing.T) {
	deep := func(n int) string { return small(`,"x":` + strings.Repeat("[", n) + strings.Repeat("]", n)) }
	many := small(`,"packages":[` + strings.TrimSuffix(strings.Repeat(`null,`, 100), ",") + `]`)
	tests := map[string]struct {
		in  string
		opt *DecodeOptions
		ok  bool
	}{
		"bytes":                {small(""), &DecodeOptions{MaxBytes: int64(len(small(""))) - 1}, false},
		"just as many bytes":   {small(""), &DecodeOptions{MaxBytes: int64(len(small("")))}, true},
		"depth bomb":           {deep(100_000), nil, false},
		"just as deep":         {deep(DefaultMaxDepth - 1), nil, true},
		"one deeper":           {deep(DefaultMaxDepth), nil, false},
		"depth 2":              {small(`,"packages":[]`), &DecodeOptions{MaxDepth: 1}, false},
		"brackets in strings":  {small(`,"comment":"` + strings.Repeat(`[{\"`, 1000) + `"`), nil, true},
		"elements":             {many, &DecodeOptions{MaxElements: 99}, false},
		"just as many":         {many, &DecodeOptions{MaxElements: 100}, true},
		"elements, tag-value":  {"SPDXVersion: SPDX-2.3\n" + strings.Repeat("Annotator: x\n", 3), &DecodeOptions{MaxElements: 2}, false},
		"bytes, tag-value":     {"SPDXVersion: SPDX-2.3\nDocumentComment: <text>" + strings.Repeat("x\n", 1000), &DecodeOptions{MaxBytes: 500}, false},
		"depth, YAML":          {"spdxVersion: SPDX-2.3\nx: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "\n", nil, false},
		"size, YAML":           {"spdxVersion: SPDX-2.3\ncomment: " + strings.Repeat("x", maxYAML), nil, false},
		"large, before limits": {"spdxVersion: SPDX-2.3\ncomment: x\n", &DecodeOptions{MaxBytes: 10}, false},
	}
	for name, test := range tests {
		_, err := Decode(iotest.HalfReader(strings.NewReader(test.in)), test.opt)
		if got := err == nil; got != test.ok || err != nil && !errors.Is(err, fault.Limit) {
			t.Errorf("%s: got %v, want ok %v", name, err, test.ok)
		}
	}
}

func TestDecodeReturnsErrorsOfTheReader(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, head := range []string{"", `{"spdxVersion":`, "SPDXVersion: SPDX-2.3\n" + strings.Repeat("# x\n", sniffLength), "spdxVersion: x\n"} {
		_, err := Decode(io.MultiReader(strings.NewReader(head), iotest.ErrReader(broken)), nil)
		if !errors.Is(err, broken) || errors.Is(err, fault.Invalid) {
			t.Errorf("after %.20q: got %v", head, err)
		}
	}
}

// Irregularities that do not make a document unreadable are said.
func TestDecodeNotes(t *testing.T) {
	oddity := func(where, what string) sbom.Gap { return sbom.Gap{Code: sbom.GapOddity, Where: where, What: what} }
	tests := map[string]struct {
		members string
		want    []sbom.Gap
	}{
		"none": {`,"packages":[{"SPDXID":"SPDXRef-a","name":"x"}]`, nil},
		"dangling": {`,"relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-x"}]`,
			[]sbom.Gap{oddity("relationship SPDXRef-DOCUMENT DESCRIBES SPDXRef-x", "SPDXRef-x is not an element of the document")}},
		"external is fine": {`,"relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"COPY_OF","relatedSpdxElement":"DocumentRef-o:SPDXRef-x"}]`, nil},
		"checksum": {`,"packages":[{"SPDXID":"SPDXRef-a","name":"x","checksums":[{"algorithm":"SHA256","checksumValue":"00"}]}]`,
			[]sbom.Gap{oddity("SPDXRef-a", `checksum SHA256: "00" is not one`)}},
		"null package": {`,"packages":[null]`, []sbom.Gap{oddity("/packages", "an element is null")}},
		"licence": {`,"packages":[{"SPDXID":"SPDXRef-a","name":"x","licenseDeclared":"LicenseRef-q OR MIT"}]`,
			[]sbom.Gap{oddity("SPDXRef-a", "LicenseRef-q is not an element of the document")}},
		"nameless": {`,"packages":[{"SPDXID":"SPDXRef-a"}]`, []sbom.Gap{oddity("SPDXRef-a", "the package has no name")}},
		"same name without prefix": {`,"packages":[{"SPDXID":"SPDXRef-a","name":"x"},{"SPDXID":"a","name":"y"}]`,
			[]sbom.Gap{oddity("a", `another element has the same identifier "a"`)}},
		"files": {`,"packages":[{"SPDXID":"SPDXRef-a","name":"x","hasFiles":["SPDXRef-f"]}]`, []sbom.Gap{oddity("SPDXRef-a", "SPDXRef-f is not an element of the document")}},
		"our annotation, broken": {`,"annotations":[{"annotator":"Tool: stella-sbom-1","comment":"{\"gap\":[]}"}]`,
			[]sbom.Gap{oddity("document", `the annotation "Tool: stella-sbom-1" cannot be read: at /gap: an array does not belong here: invalid input`)}},
		"our annotation, too much": {`,"annotations":[{"annotator":"Tool: stella-sbom-1","comment":"{\"document\":{\"packages\":[]}}"}]`,
			[]sbom.Gap{oddity("document", `the annotation "Tool: stella-sbom-1" cannot be read: unknown member "packages": invalid input`)}},
	}
	for name, test := range tests {
		d, err := Decode(strings.NewReader(small(test.members)), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(test.want, d.Gaps); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	d, err := Decode(strings.NewReader(small(`,"packages":[{"SPDXID":"SPDXRef-a","name":"x","externalRefs":[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"nonsense"}]}]`)), nil)
	if err != nil || len(d.Gaps) != 1 || !d.Blocked() || d.Gaps[0].Where != "SPDXRef-a" || !strings.Contains(d.Gaps[0].What, "nonsense") {
		t.Errorf("package URL: %v, %v", d.Gaps, err)
	}
	many := strings.Repeat(`{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"OTHER","relatedSpdxElement":"SPDXRef-x"},`, maxNotes+7)
	d, err = Decode(strings.NewReader(small(`,"relationships":[`+strings.TrimSuffix(many, ",")+`]`)), nil)
	if err != nil || len(d.Gaps) > maxNotes+1 {
		t.Errorf("%d gaps, %v", len(d.Gaps), err)
	}
}

func TestDecodeEnvelopeAndByteOrderMark(t *testing.T) {
	want, err := Decode(strings.NewReader(small("")), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{`{"sbom":` + small("") + `}`, "\ufeff" + small(""), " \n" + small("")} {
		got, err := Decode(strings.NewReader(in), nil)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%.20q: %v %s", in, err, diff)
		}
	}
}

func TestYAMLRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"aliases":        "spdxVersion: SPDX-2.3\nx: &a [1]\ny: *a\n",
		"merge":          "spdxVersion: SPDX-2.3\nx: &a {b: 1}\ny:\n  <<: *a\n",
		"second":         "spdxVersion: SPDX-2.3\n---\nspdxVersion: SPDX-2.3\n",
		"duplicate":      "spdxVersion: SPDX-2.3\nspdxVersion: SPDX-2.3\n",
		"complex name":   "spdxVersion: SPDX-2.3\n? [a]\n: b\n",
		"broken":         "spdxVersion: SPDX-2.3\nx: [\n",
		"wrong kind":     "spdxVersion: SPDX-2.3\npackages: 3\n",
		"number as name": "spdxVersion: SPDX-2.3\nname: true\n",
	} {
		_, err := Decode(strings.NewReader(in), nil)
		wantInvalid(t, name, err, "decode SPDX: ")
	}
}

func TestSniff(t *testing.T) {
	for in, want := range map[string]bool{
		small(""): true, "SPDXVersion: SPDX-2.3\n": true, "# hello\n\nSPDXVersion: SPDX-2.3\n": true, "spdxVersion: SPDX-2.3\n": true,
		"---\nSPDXID: SPDXRef-DOCUMENT\ncreationInfo:\n  created: x\n": true, `{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}`: true,
		`{"SPDXID":"SPDXRef-DOCUMENT",`: true, "\ufeff" + small(""): true,
		"": false, "{}": false, `{"bomFormat":"CycloneDX"}`: false, "<bom/>": false, "hello": false, "\x00\x01": false, "key: value\n": false,
		`{"artifacts":[],"schema":{}}`: false, "  packages:\n": false,
	} {
		if got := Sniff([]byte(in)); got != want {
			t.Errorf("Sniff(%.40q) = %v", in, got)
		}
	}
}

// large returns a document of n packages, licences and relationships.
func large(n int) []byte {
	var b bytes.Buffer
	b.WriteString(strings.TrimSuffix(small(""), "}") + `,"packages":[`)
	for i := range n {
		fmt.Fprintf(&b, `{"SPDXID":"SPDXRef-%d","name":"p","licenseDeclared":"LicenseRef-%d"},`, i, i)
	}
	b.Truncate(b.Len() - 1)
	b.WriteString(`],"hasExtractedLicensingInfos":[`)
	for i := range n {
		fmt.Fprintf(&b, `{"licenseId":"LicenseRef-%d","name":"n%d","extractedText":"t"},`, i, i)
	}
	b.Truncate(b.Len() - 1)
	b.WriteString(`],"relationships":[`)
	for i := range n {
		fmt.Fprintf(&b, `{"spdxElementId":"SPDXRef-%d","relationshipType":"DEPENDS_ON","relatedSpdxElement":"SPDXRef-%d"},`, i, (i+1)%n)
	}
	b.Truncate(b.Len() - 1)
	b.WriteString(`]}`)
	return b.Bytes()
}
