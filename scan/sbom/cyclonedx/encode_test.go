package cyclonedx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

func mustEncode(t testing.TB, d *sbom.Document, o *EncodeOptions) (string, []sbom.Loss) {
	t.Helper()
	var b bytes.Buffer
	losses, err := Encode(&b, d, o)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), losses
}

func mustDecode(t testing.TB, in string) *sbom.Document {
	t.Helper()
	d, err := Decode(strings.NewReader(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestGeneratedIsValid holds documents of the model against the schemas.
func TestGeneratedIsValid(t *testing.T) {
	schemas := newValidator(t)
	for v := oldestOut; v <= newest; v++ {
		docs := rapid.Custom(func(t *rapid.T) *sbom.Document { return drawDocument(t, v) })
		xmlDocs := map[string][]byte{}
		for seed := range 60 {
			d := docs.Example(seed)
			out, _ := mustEncode(t, d, &EncodeOptions{Version: v.String()})
			if err := schemas.checkJSON(t, v.String(), []byte(out)); err != nil {
				t.Errorf("%v: %v\n%s", v, err, out)
			}
			out, _ = mustEncode(t, d, &EncodeOptions{Version: v.String(), XML: true})
			xmlDocs[fmt.Sprint(seed)] = []byte(out)
		}
		t.Run("xmllint", func(t *testing.T) {
			for seed, why := range schemas.checkXML(t, v.String(), xmlDocs) {
				t.Errorf("%v: %s\n%s", v, why, xmlDocs[seed])
			}
		})
	}
}

func TestSameBytes(t *testing.T) {
	d := largeDocument(500)
	for _, o := range []EncodeOptions{{}, {XML: true}, {Version: "1.4", Indent: true}} {
		first, _ := mustEncode(t, d, &o)
		for range 20 {
			if again, _ := mustEncode(t, d, &o); again != first {
				t.Fatalf("%+v: the bytes differ", o)
			}
		}
	}
}

// TestSource checks that the source is the only thing that differs with it:
// the serial number stays.
func TestSource(t *testing.T) {
	for _, d := range []*sbom.Document{largeDocument(10), {}} {
		d.Normalize()
		without, _ := mustEncode(t, d, &EncodeOptions{Indent: true})
		d.Source = &sbom.Source{Reference: "docker.io/library/debian:12", Manifest: "sha256:aa", Tags: []string{"12"},
			Layers: []sbom.Descriptor{{MediaType: "x", Digest: "sha256:bb", Size: 7}}}
		with, _ := mustEncode(t, d, &EncodeOptions{Indent: true})
		back := mustDecode(t, with)
		if diff := cmp.Diff(d.Source, back.Source); diff != "" {
			t.Errorf("source (-want +got):\n%s", diff)
		}
		back.Source = nil
		if again, _ := mustEncode(t, back, &EncodeOptions{Indent: true}); again != without {
			t.Errorf("without the source the bytes differ:\n%s", cmp.Diff(without, again))
		}
	}
}

func TestSerialNumber(t *testing.T) {
	serial := func(d *sbom.Document, o *EncodeOptions) string {
		out, _ := mustEncode(t, d, o)
		i := strings.Index(out, "urn:uuid:")
		return out[i : i+45]
	}
	a, b := largeDocument(3), largeDocument(3)
	b.Packages[0].Version += "x"
	first := serial(a, nil)
	if !fitSerial(first) || first[23] != '8' || !strings.ContainsRune("89ab", rune(first[28])) {
		t.Errorf("%s is not a UUID of version 8", first)
	}
	if got := serial(a, &EncodeOptions{Indent: true}); got != first {
		t.Errorf("indented it is %s", got)
	}
	if got := serial(a, &EncodeOptions{XML: true}); got != first {
		t.Errorf("in XML it is %s", got)
	}
	if serial(b, nil) == first {
		t.Error("other content has the same serial number")
	}
	a.Namespace = "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79"
	if got := serial(a, nil); got != a.Namespace {
		t.Errorf("the namespace is not kept: %s", got)
	}
}

func TestEncodeRefuses(t *testing.T) {
	two := func(a, b string) *sbom.Document {
		return &sbom.Document{Packages: []sbom.Package{{ID: a, Name: "a"}, {ID: b, Name: "b"}}}
	}
	for _, c := range []struct {
		name string
		d    *sbom.Document
		o    *EncodeOptions
		kind fault.Kind
	}{
		{"nil", nil, nil, fault.Invalid},
		{"no ID", two("", "b"), nil, fault.Invalid},
		{"not sorted", two("b", "a"), nil, fault.Invalid},
		{"ID twice", two("a", "a"), nil, fault.Invalid},
		{"version 1.3", two("a", "b"), &EncodeOptions{Version: "1.3"}, fault.Unsupported},
		{"version 1.8", two("a", "b"), &EncodeOptions{Version: "1.8"}, fault.Unsupported},
		{"ID of the subject", &sbom.Document{Subject: sbom.Subject{ID: "a"}, Packages: []sbom.Package{{ID: "a"}}}, nil, fault.Invalid},
	} {
		var b bytes.Buffer
		if _, err := Encode(&b, c.d, c.o); !errors.Is(err, c.kind) || b.Len() > 0 {
			t.Errorf("%s: %v, %d bytes written", c.name, err, b.Len())
		}
	}
	full := errors.New("disk full")
	if _, err := Encode(failingWriter{full}, two("a", "b"), nil); !errors.Is(err, full) {
		t.Errorf("a writer's error is lost: %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// wantLosses lists what the document of TestLosses cannot carry into some forms.
var wantLosses = []struct {
	o    EncodeOptions
	want []string
}{
	{EncodeOptions{Version: "1.7"}, []string{
		`document: foreign XML elements or attributes have no place in JSON`,
		`relationship a depends-on b: an end is not in the document`,
		`relationship a likes a: CycloneDX has no relationship of this kind`,
		`document: created: the time "yesterday" is not RFC 3339 in UTC with seconds`,
		`package a: supplier: what the decoded document said is superseded by the model`,
		`package a: bytes that are not UTF-8 were replaced in "a\xffb"`,
		`package a: hashes: hash "crc32" is malformed or not known to this version`,
		`package a: licenses: the URL of a licence is not a URI`,
		`package a: licenses: the URL of an expression has no member`,
	}},
	{EncodeOptions{Version: "1.4"}, []string{
		`document: foreign XML elements or attributes have no place in JSON`,
		`document: /annotations: only since CycloneDX 1.5`,
		`document: /formulation: only since CycloneDX 1.5`,
		`document: /services/0/data/0/name: only since CycloneDX 1.5`,
		`document: /vulnerabilities/0/tools: only a list of tools before CycloneDX 1.5`,
		`document: /vulnerabilities/0/ratings/0/method: value "SSVC" only since CycloneDX 1.5`,
		`document: /vulnerabilities/0/analysis/firstIssued: only since CycloneDX 1.5`,
		`relationship a depends-on b: an end is not in the document`,
		`relationship a likes a: CycloneDX has no relationship of this kind`,
		`document: created: the time "yesterday" is not RFC 3339 in UTC with seconds`,
		`package a: /modelCard: only since CycloneDX 1.5`,
		`package a: /evidence/occurrences: only since CycloneDX 1.5`,
		`package a: type: component type "data" is not in this version, written as library`,
		`package a: supplier: what the decoded document said is superseded by the model`,
		`package a: bytes that are not UTF-8 were replaced in "a\xffb"`,
		`package a: hashes: hash "crc32" is malformed or not known to this version`,
		`package a: hashes: hash "streebog256" is malformed or not known to this version`,
		`package a: licenses: concluded licence "MIT": told apart only since CycloneDX 1.6`,
		`package a: licenses: the URL of a licence is not a URI`,
	}},
	{EncodeOptions{Version: "1.6", XML: true}, []string{
		`relationship a depends-on b: an end is not in the document`,
		`relationship a likes a: CycloneDX has no relationship of this kind`,
		`document: created: the time "yesterday" is not RFC 3339 in UTC with seconds`,
		`package a: /extra: the XML form has no such member`,
		`package a: /signature: this format has no such member`,
		`package a: supplier: what the decoded document said is superseded by the model`,
		`package a: bytes that are not UTF-8 were replaced in "a\xffb"`,
		`package a: hashes: hash "crc32" is malformed or not known to this version`,
		`package a: hashes: hash "streebog256" is malformed or not known to this version`,
		`package a: licenses: the URL of a licence is not a URI`,
		`/components/0/description: characters that XML cannot hold were replaced`,
		`document: a foreign element cannot be written: 2 elements`,
		`document: a foreign element cannot be written: a directive`,
		`document: a foreign element cannot be written: XML syntax error on line 1: unexpected EOF`,
	}},
}

func TestLosses(t *testing.T) {
	d := &sbom.Document{
		Created: "yesterday",
		Packages: []sbom.Package{{
			ID: "a", Type: "data", Name: "a\xffb", Description: "bell\x07",
			Hashes:   []sbom.Hash{{Algorithm: "crc32", Value: "00000000"}, {Algorithm: "streebog256", Value: strings.Repeat("0", 64)}},
			Licenses: []sbom.License{{Kind: sbom.LicenseConcluded, Expression: "MIT"}, {Name: "x", URL: "not a url"}, {Expression: "MIT OR ISC", URL: "https://example.org"}},
			Foreign:  sbom.Foreign{family: `{"evidence":{"occurrences":[{"line":3,"location":"x"}]},"extra":1,"modelCard":{},"signature":{},"supplier":{"name":"S"}}`},
		}},
		Relationships: []sbom.Relationship{{From: "a", Kind: sbom.DependsOn, To: "b"}, {From: "a", Kind: "likes", To: "a"}},
		Foreign: sbom.Foreign{family: `{"#xml":{"any":["<a/><b/>","<!DOCTYPE a>","<a>"]},"annotations":[{"bom-ref":"n"}],"formulation":[],
			"services":[{"name":"s","data":[{"flow":"x","classification":"y","name":"n"}]}],
			"vulnerabilities":[{"tools":{"components":[]},"ratings":[{"method":"SSVC"}],"analysis":{"firstIssued":"x"}}]}`},
	}
	for _, c := range wantLosses {
		d.Normalize()
		out, losses := mustEncode(t, d, &c.o)
		var got []string
		for _, l := range losses {
			got = append(got, l.Where+": "+l.What)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.o, diff)
		}
		if _, err := Decode(strings.NewReader(out), nil); err != nil {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

// TestNesting checks that nested components are flat in the model and nested
// again in the output, wherever a package was taken out in between.
func TestNesting(t *testing.T) {
	in := head + `"metadata":{"component":{"type":"application","name":"root","components":[{"type":"library","name":"in root"}]}},
		"components":[{"type":"library","bom-ref":"a","name":"a","components":[{"type":"library","name":"b","components":[
		{"type":"file","bom-ref":"c","name":"c"}]},{"type":"library","bom-ref":"d","name":"d","components":[]}]}]}`
	d := mustDecode(t, in)
	names := map[string]string{d.Subject.ID: "root"}
	for _, p := range d.Packages {
		names[p.ID] = p.Name
	}
	var got []string
	for _, r := range d.Relationships {
		got = append(got, names[r.From]+" "+string(r.Kind)+" "+names[r.To])
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a contains b", "a contains d", "b contains c", "root contains in root"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	out, losses := mustEncode(t, d, nil)
	if diff := cmp.Diff(comparable(t, []byte(in)), comparable(t, []byte(out))); diff != "" || len(losses) > 0 {
		t.Errorf("-in +out:\n%s%v", diff, losses)
	}
	// a circle of packages that claim to be nested: none gets lost
	mark := sbom.Foreign{family: `{"#nested":true}`}
	d = &sbom.Document{Packages: []sbom.Package{{ID: "x", Name: "x", Foreign: mark}, {ID: "y", Name: "y", Foreign: mark}, {ID: "z", Name: "z", Foreign: mark}},
		Relationships: []sbom.Relationship{{From: "x", Kind: sbom.Contains, To: "y"}, {From: "y", Kind: sbom.Contains, To: "z"}, {From: "z", Kind: sbom.Contains, To: "x"}}}
	d.Normalize()
	out, _ = mustEncode(t, d, nil)
	back := mustDecode(t, out)
	if diff := cmp.Diff(d.Relationships, back.Relationships); diff != "" || len(back.Packages) != 3 {
		t.Errorf("circle: %d packages\n%s", len(back.Packages), diff)
	}
}

// TestIncomplete checks that "not assessed" survives and that other readers see
// it too.
func TestIncomplete(t *testing.T) {
	d := &sbom.Document{Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: "sha256:aa"},
		Gaps: []sbom.Gap{{Code: sbom.GapUnreadable, Blocking: true, Where: "var/lib/rpm/rpmdb.sqlite", What: "cut short"}}}
	d.Normalize()
	for _, o := range []EncodeOptions{{}, {Version: "1.4"}, {XML: true}} {
		out, _ := mustEncode(t, d, &o)
		if !strings.Contains(out, "incomplete") || !strings.Contains(out, "rpmdb.sqlite") {
			t.Errorf("%+v: %s", o, out)
		}
		back := mustDecode(t, out)
		if diff := cmp.Diff(d.Gaps, back.Gaps); diff != "" || !back.Blocked() || back.Foreign != nil {
			t.Errorf("%+v: %s %v", o, diff, back.Foreign)
		}
	}
}

// TestModelWins checks that what was changed in the model is written, not what
// the decoded document said.
func TestModelWins(t *testing.T) {
	in := head + `"components":[{"type":"library","bom-ref":"a","group":"g","name":"n","version":"1","purl":"pkg:npm/n?b=1&a=2",
		"supplier":{"name":"S","url":["https://s.example"]},"licenses":[{"license":{"id":"MIT","text":{"content":"…"}}}],
		"scope":"required","author":"","externalReferences":[{"type":"website","url":"https://old.example","comment":"c"}]}]}`
	d := mustDecode(t, in)
	out, losses := mustEncode(t, d, nil)
	if diff := cmp.Diff(comparable(t, []byte(in)), comparable(t, []byte(out))); diff != "" || len(losses) > 0 {
		t.Fatalf("unchanged (-in +out):\n%s%v", diff, losses)
	}
	p := &d.Packages[0]
	p.Name, p.Supplier, p.Scope, p.Originator = "m", "T", sbom.ScopeOptional, "O"
	p.PURL = purl.PackageURL{Type: "npm", Name: "m"}
	p.Licenses = []sbom.License{{Expression: "ISC"}}
	p.Homepage = "https://new.example"
	out, losses = mustEncode(t, d, nil)
	if len(losses) == 0 {
		t.Error("details of the decoded document went without a loss")
	}
	got := mustDecode(t, out).Packages[0]
	got.Foreign, p.Foreign = nil, nil
	if diff := cmp.Diff(*p, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestLibraryReadsOutput checks with the CycloneDX project's own Go library
// that other readers find what was written.
func TestLibraryReadsOutput(t *testing.T) {
	d := largeDocument(300)
	for _, o := range []EncodeOptions{{}, {Version: "1.4"}, {Version: "1.7", Indent: true}, {XML: true}, {Version: "1.4", XML: true, Indent: true}} {
		out, _ := mustEncode(t, d, &o)
		format := cdx.BOMFileFormatJSON
		if o.XML {
			format = cdx.BOMFileFormatXML
		}
		var bom cdx.BOM
		if err := cdx.NewBOMDecoder(strings.NewReader(out), format).Decode(&bom); err != nil {
			t.Fatal(err)
		}
		want, got := map[string]string{}, map[string]string{}
		for _, p := range d.Packages {
			want[p.ID] = p.Name + " " + p.Version + " " + p.PURL.String() + " " + p.Licenses[0].Expression
		}
		for _, c := range *bom.Components {
			if c.Type != cdx.ComponentTypeOS {
				got[c.BOMRef] = c.Name + " " + c.Version + " " + c.PackageURL + " " + (*c.Licenses)[0].License.ID
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", o, diff)
		}
		edges := 0
		for _, dep := range *bom.Dependencies {
			edges += len(*dep.Dependencies)
		}
		if edges != len(d.Relationships) {
			t.Errorf("%+v: %d edges, want %d", o, edges, len(d.Relationships))
		}
	}
}

func TestEncodeLeavesDocument(t *testing.T) {
	docs := realDocs(t)
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		if len(docs[name]) > 64<<10 {
			continue
		}
		d, again := mustDecode(t, string(docs[name])), mustDecode(t, string(docs[name]))
		for _, o := range []EncodeOptions{{}, {Version: "1.4"}, {XML: true}} {
			if _, err := Encode(io.Discard, d, &o); err != nil {
				t.Fatal(name, err)
			}
		}
		if diff := cmp.Diff(again, d); diff != "" {
			t.Errorf("%s was changed:\n%s", name, diff)
		}
	}
}
