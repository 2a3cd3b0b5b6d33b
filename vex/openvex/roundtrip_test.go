package openvex_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/openvex"
)

func encode(doc *openvex.Document) ([]byte, error) {
	var b bytes.Buffer
	err := openvex.Encode(&b, doc)
	return b.Bytes(), err
}

// diff compares what statements claim.
func diff(a, b *vex.Statement) string {
	return cmp.Diff(a, b, cmpopts.IgnoreUnexported(vex.Product{}), cmpopts.IgnoreFields(vex.Statement{}, "ID", "Origin"), cmpopts.EquateEmpty())
}

// unique returns the statements of which the same was not said before. Products that
// are alike are one.
func unique(list []*vex.Statement) (out []*vex.Statement) {
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s.Content] {
			seen[s.Content] = true
			out = append(out, s)
		}
	}
	return out
}

// products draws products that can be written, without subcomponents.
func products(t *rapid.T, label string, most int) (out []vex.Product) {
	for i := range rapid.IntRange(0, most).Draw(t, label) { // each is another one
		p := vex.Product{}
		switch rapid.IntRange(0, 3).Draw(t, label+" kind") {
		case 0:
			p.PURL = fmt.Sprintf("pkg:npm/p%d@1.%d.0", i, rapid.IntRange(0, 9).Draw(t, "minor"))
		case 1:
			p.CPE = fmt.Sprintf("cpe:2.3:a:example:p%d:1.0:*:*:*:*:*:*:*", i)
		case 2:
			p.CPE = fmt.Sprintf("cpe:/a:example:p%d:1.0", i)
			p.PURL = fmt.Sprintf("pkg:deb/debian/p%d", i)
		}
		if p.PURL == "" && p.CPE == "" || rapid.Bool().Draw(t, "digest") {
			p.Digests = []string{"sha256:" + strings.Repeat(fmt.Sprint(i), 64)}
		}
		out = append(out, p)
	}
	return out
}

// statement draws a statement that can be written.
func statement(t *rapid.T) *vex.Statement {
	s := &vex.Statement{
		Vulnerability: rapid.SampledFrom([]string{"CVE-2024-1", "GHSA-jfh8-c2jp-5v3q", "X 1/~2"}).Draw(t, "vulnerability"),
		Aliases:       rapid.SliceOfDistinct(rapid.SampledFrom([]string{"A", "B", "C"}), rapid.ID).Draw(t, "aliases"),
		Status:        rapid.SampledFrom(vex.Statuses).Draw(t, "status"),
		Notes:         rapid.String().Draw(t, "notes"),
		Time:          time.Unix(rapid.Int64Range(-1e9, 4e9).Draw(t, "time"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC(),
		Origin:        vex.Origin{Format: "openvex", Author: "Example"},
	}
	switch s.Status {
	case vex.NotAffected:
		s.Justification = rapid.SampledFrom(vex.Justifications).Draw(t, "justification")
		s.Impact = rapid.String().Draw(t, "impact")
	case vex.Affected:
		s.Action = "do " + rapid.String().Draw(t, "action")
	}
	s.Notes, s.Impact, s.Action = strings.ReplaceAll(s.Notes, "\x00", ""), strings.ReplaceAll(s.Impact, "\x00", ""), strings.ReplaceAll(s.Action, "\x00", "")
	s.Products = append(products(t, "products", 3), vex.Product{PURL: "pkg:oci/app?repository_url=registry.example.com/app"})
	for i := range s.Products {
		s.Products[i].Subcomponents = products(t, "subcomponents", 2)
	}
	return s
}

// TestRoundTrip: what is written is read as the same claims, and once more written
// gives the same bytes.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := &openvex.Document{Author: "Example", Role: "Vendor", Timestamp: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC), Tooling: "none"}
		for range rapid.IntRange(1, 4).Draw(t, "statements") {
			s := statement(t)
			if err := s.Prepare(); err != nil {
				t.Fatal(err)
			}
			doc.Statements = append(doc.Statements, s)
		}
		text, err := encode(doc)
		if err != nil {
			t.Fatal(err)
		}
		var again []*vex.Statement
		for s, err := range openvex.Decode("x", text, nil) {
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, s)
		}
		before := unique(doc.Statements)
		if len(again) != len(before) {
			t.Fatalf("%d statements of %d", len(again), len(before))
		}
		for i := range again {
			if again[i].Content != before[i].Content {
				t.Fatalf("statement %d (-before +after):\n%s", i, diff(before[i], again[i]))
			}
		}
		copied := *doc
		copied.Statements = again
		if twice, err := encode(&copied); err != nil || !bytes.Equal(text, twice) {
			t.Fatalf("written again it differs: %v\n%s", err, cmp.Diff(string(text), string(twice)))
		}
	})
}

// TestSchema: what is written is valid by the published schema.
func TestSchema(t *testing.T) {
	files := testdata.Open(t, "vex/openvex-spec.tar.gz")
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(files["openvex_json_schema.json"]))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openvex.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("openvex.json")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := statement(t)
		s.Products = append(s.Products, s.Products...)
		for i := range s.Products {
			s.Products[i].Subcomponents = append(s.Products[i].Subcomponents, s.Products[i].Subcomponents...)
		}
		text, err := encode(&openvex.Document{Author: "Example", Timestamp: time.Unix(0, 0), Statements: []*vex.Statement{s, s}})
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	})
}

// TestEncodeRefuses: what OpenVEX cannot say is not written.
func TestEncodeRefuses(t *testing.T) {
	at := time.Unix(1e9, 0)
	product := []vex.Product{{PURL: "pkg:npm/bolt"}}
	good := vex.Statement{Vulnerability: "CVE-1", Products: product, Status: vex.Fixed}
	for name, tt := range map[string]struct {
		change func(*openvex.Document, *vex.Statement)
		want   error
	}{
		"no author":     {func(d *openvex.Document, _ *vex.Statement) { d.Author = "" }, openvex.ErrInvalid},
		"no time":       {func(d *openvex.Document, _ *vex.Statement) { d.Timestamp = time.Time{} }, openvex.ErrInvalid},
		"no statements": {func(d *openvex.Document, _ *vex.Statement) { d.Statements = nil }, openvex.ErrInvalid},
		"no reason":     {func(_ *openvex.Document, s *vex.Statement) { s.Status = vex.NotAffected }, openvex.ErrInvalid},
		"no action":     {func(_ *openvex.Document, s *vex.Statement) { s.Status = vex.Affected }, openvex.ErrInvalid},
		"an end":        {func(_ *openvex.Document, s *vex.Statement) { s.Until = at }, openvex.ErrUnsupported},
		"a name only":   {func(_ *openvex.Document, s *vex.Statement) { s.Products = []vex.Product{{Name: "bolt"}} }, openvex.ErrInvalid},
		"a range of a CPE": {func(_ *openvex.Document, s *vex.Statement) {
			s.Products = []vex.Product{{CPE: "cpe:/a:x:y", Versions: "vers:npm/<2"}}
		}, openvex.ErrUnsupported},
		"an unknown algorithm": {func(_ *openvex.Document, s *vex.Statement) {
			s.Products = []vex.Product{{Digests: []string{"crc32:00"}}}
		}, openvex.ErrUnsupported},
	} {
		s := good
		doc := &openvex.Document{Author: "Example", Timestamp: at, Statements: []*vex.Statement{&s}}
		tt.change(doc, &s)
		if _, err := encode(doc); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// FuzzDecode: whatever the text, errors have their place and statements are whole.
func FuzzDecode(f *testing.F) {
	for _, tt := range hostile {
		f.Add([]byte(tt.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		statements, _, _ := read(t, "x", text, nil)
		for _, s := range statements {
			if s.ID == "" || s.Origin.Pointer == "" || s.Time.IsZero() {
				t.Fatalf("%+v is not complete", s)
			}
		}
	})
}
