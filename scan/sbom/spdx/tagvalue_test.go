package spdx

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/sbom"
)

// withoutForeign returns a copy of d without what the model has no place for.
func withoutForeign(d *sbom.Document) *sbom.Document {
	c := *d
	c.Foreign = nil
	c.Packages = slices.Clone(d.Packages)
	for i := range c.Packages {
		c.Packages[i].Foreign = nil
	}
	if c.Subject.Package != nil {
		p := *c.Subject.Package
		p.Foreign = nil
		c.Subject.Package = &p
	}
	return &c
}

// The published sample documents exist in three syntaxes. JSON and YAML hold the
// same; the tag-value ones lack annotations of packages and other parts that are
// outside the model, so that only the model must agree.
func TestSameDocumentInThreeSyntaxes(t *testing.T) {
	files := testdata.Open(t, "conformance/spdx-tools-golang.tar.gz")
	for _, version := range []string{"2.2", "2.3"} {
		names := []string{"json/SPDXJSONExample-v" + version + ".spdx.json", "yaml/SPDXYAMLExample-" + version + ".spdx.yaml", "tv/SPDXTagExample-v" + version + ".spdx"}
		var docs []*sbom.Document
		for _, name := range names {
			d, err := Decode(bytes.NewReader(files["examples/sample-docs/"+name]), nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			docs = append(docs, d)
		}
		if diff := cmp.Diff(docs[0], docs[1]); diff != "" {
			t.Errorf("%s: JSON and YAML differ:\n%s", version, diff)
		}
		if diff := cmp.Diff(withoutForeign(docs[0]), withoutForeign(docs[2])); diff != "" {
			t.Errorf("%s: JSON and tag-value differ:\n%s", version, diff)
		}
		if len(docs[0].Packages) < 4 {
			t.Errorf("%s: only %d packages", version, len(docs[0].Packages))
		}
	}
}

// Published tag-value documents come back equal, as tag-value and as JSON.
func TestRoundTripOfRealTagValue(t *testing.T) {
	count := 0
	for _, pack := range []string{"conformance/spdx-examples.tar.gz", "conformance/spdx-tools-golang.tar.gz"} {
		for name, source := range testdata.Open(t, pack) {
			if !strings.HasSuffix(name, ".spdx") {
				continue
			}
			count++
			d, err := Decode(bytes.NewReader(source), nil)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			for _, opt := range []EncodeOptions{{TagValue: true}, {}} {
				opt.Version = "2.2"
				if bytes.Contains(source, []byte("SPDX-2.3")) {
					opt.Version = "2.3"
				}
				out, losses := encoded(t, d, &opt)
				again, err := Decode(bytes.NewReader(out), nil)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				if diff := cmp.Diff(d, again); diff != "" || len(losses) > 0 {
					t.Errorf("%s %+v: losses %v, (-was +is)\n%s", name, opt, losses, diff)
				}
			}
		}
	}
	if count < 16 {
		t.Errorf("only %d documents", count)
	}
}

// Real JSON documents lose nothing of the model as tag-value, and say what else
// they lose.
func TestTagValueOfRealJSON(t *testing.T) {
	t.Parallel()
	docs := realDocuments(t)
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		d := docs[name].decoded(t)
		out, losses := encoded(t, d, &EncodeOptions{TagValue: true})
		again, err := Decode(bytes.NewReader(out), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := changes(withoutForeign(d), withoutForeign(again), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: (-was +is)\n%.1500s", name, diff)
		}
		for _, l := range losses {
			t.Logf("%s: %v", name, l)
		}
	}
}

func TestTagLines(t *testing.T) {
	head := "SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\nDocumentName: n\nDocumentNamespace: https://example.com/n\nCreator: Tool: t-1\nCreated: 2024-01-01T00:00:00Z\n"
	pkg := "PackageName: p\nSPDXID: SPDXRef-p\nPackageDownloadLocation: NOASSERTION\n"
	tests := map[string]struct {
		in   string
		want string // of the package's description
	}{
		"plain":           {"PackageDescription: some words\n", "some words"},
		"blanks":          {"   PackageDescription :   some words  \n", "some words"},
		"CRLF":            {"PackageDescription: <text>one\r\ntwo</text>\r\n", "one\ntwo"},
		"text":            {"PackageDescription: <text>one\n\n # two: three\n</text>\n", "one\n\n # two: three\n"},
		"text with tags":  {"PackageDescription: <text>a <b> <text> c</text>\n", "a <b> <text> c"},
		"no final LF":     {"PackageDescription: end", "end"},
		"comments":        {"# comment\n\n  # another\nPackageDescription: x\n", "x"},
		"long":            {"PackageDescription: " + strings.Repeat("x", 200_000) + "\n", strings.Repeat("x", 200_000)},
		"colon in value":  {"PackageDescription: a: b\n", "a: b"},
		"empty":           {"PackageDescription:\n", ""},
		"blank kept":      {"PackageDescription: <text> x </text>\n", " x "},
		"text not at 1st": {"PackageDescription: a <text>b</text>\n", "a <text>b</text>"},
	}
	for name, test := range tests {
		d, err := Decode(strings.NewReader(head+pkg+test.in), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := d.Packages[0].Description; got != test.want {
			t.Errorf("%s: %.60q, want %.60q", name, got, test.want)
		}
	}
	broken := map[string]struct{ in, want string }{
		"no colon":           {"PackageDescription some words\n", "line 11"},
		"unknown tag":        {"PackageColour: red\n", `line 11: unknown tag "PackageColour"`},
		"open text":          {"PackageDescription: <text>one\ntwo\n", "line 11: the text of PackageDescription has no end"},
		"after text":         {"PackageDescription: <text>one</text> two\n", "line 11"},
		"twice":              {"PackageDescription: a\nPackageDescription: b\n", "line 12: PackageDescription: it is given twice"},
		"not UTF-8":          {"PackageDescription: \xff\n", "line 11: the text is not UTF-8"},
		"relationship":       {"Relationship: SPDXRef-p CONTAINS\n", "line 11"},
		"checksum":           {"PackageChecksum: abc\n", "line 11"},
		"external reference": {"ExternalRef: SECURITY cpe\n", "line 11"},
		"range":              {"SnippetSPDXID: SPDXRef-s\nSnippetByteRange: 1-2\n", "line 12"},
		"comment of nothing": {"RelationshipComment: x\n", "line 11"},
		"annotation":         {"Annotator: Tool: x\nSPDXREF: SPDXRef-q\n", "line 11"},
		"second id":          {"SPDXID: SPDXRef-q\n", "line 11"},
		"same id":            {"PackageName: q\nSPDXID: SPDXRef-p\n", `line 11: SPDXID "SPDXRef-p" is already that of line 8`},
		"no id":              {"PackageName: q\n", "line 11: the element has no SPDXID"},
		"boolean":            {"FilesAnalyzed: maybe\n", "line 11"},
		"file tag":           {"FileComment: x\n", "line 11: FileComment: there is no element yet"},
		"verification code":  {"PackageVerificationCode: a\nPackageVerificationCode: b\n", "line 12"},
	}
	for name, test := range broken {
		_, err := Decode(strings.NewReader(head+pkg+test.in), nil)
		wantInvalid(t, name, err, test.want)
	}
}
