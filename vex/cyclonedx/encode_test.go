package cyclonedx_test

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/cyclonedx"
)

func encode(doc *cyclonedx.Document) ([]byte, error) {
	var b bytes.Buffer
	err := cyclonedx.Encode(&b, doc)
	return b.Bytes(), err
}

// product draws a product that can be written.
func product(t *rapid.T, label, name string) vex.Product {
	p := vex.Product{}
	switch rapid.IntRange(0, 3).Draw(t, label) {
	case 0:
		p.PURL = "pkg:npm/" + name + "@1.0.0"
	case 1:
		p.CPE = "cpe:2.3:a:example:" + name + ":1.0:*:*:*:*:*:*:*"
	case 2:
		p.PURL, p.Versions = "pkg:npm/"+name, "vers:npm/>=1.0.0|<2.0.0"
	}
	if p.Versions == "" && (p.PURL == "" && p.CPE == "" || rapid.Bool().Draw(t, label+" digest")) {
		p.Digests = []string{"sha256:" + strings.Repeat(fmt.Sprintf("%x", name[len(name)-1]), 32)}
	}
	return p
}

// statements draws statements that can be written.
func statements(t *rapid.T) (out []*vex.Statement) {
	for range rapid.IntRange(1, 4).Draw(t, "statements") {
		s := &vex.Statement{
			Vulnerability: rapid.SampledFrom([]string{"CVE-2024-1001", "GHSA-jfh8-c2jp-5v3q"}).Draw(t, "vulnerability"),
			Aliases:       rapid.SliceOfDistinct(rapid.SampledFrom([]string{"EX-A", "EX-B"}), rapid.ID).Draw(t, "aliases"),
			Status:        rapid.SampledFrom(vex.Statuses).Draw(t, "status"),
			Notes:         rapid.SampledFrom([]string{"", "a note"}).Draw(t, "notes"),
			Time:          time.Unix(rapid.Int64Range(1e9, 4e9).Draw(t, "time"), 0).UTC(),
			Origin:        vex.Origin{Format: "cyclonedx", Author: "Example"},
		}
		switch s.Status {
		case vex.NotAffected:
			s.Justification = rapid.SampledFrom(vex.Justifications).Draw(t, "justification")
			s.Impact = rapid.SampledFrom([]string{"", "No loop.", "Ünïcode\nlines"}).Draw(t, "impact")
		case vex.Affected:
			s.Action = rapid.SampledFrom([]string{"", "Update."}).Draw(t, "action")
		}
		for i := range rapid.IntRange(1, 3).Draw(t, "products") {
			p := product(t, "product", fmt.Sprintf("p%d", i))
			if p.Versions == "" && rapid.Bool().Draw(t, "parts") {
				p.Subcomponents = []vex.Product{product(t, "part", "part")}
			}
			s.Products = append(s.Products, p)
		}
		out = append(out, s)
	}
	return out
}

// TestRoundTrip: what is written is read as the same claims, and once more written
// gives the same bytes.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := &cyclonedx.Document{Author: "Example", Timestamp: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC), Statements: statements(t)}
		for _, s := range doc.Statements {
			if err := s.Prepare(); err != nil {
				t.Fatal(err)
			}
		}
		text, err := encode(doc)
		if err != nil {
			t.Fatal(err)
		}
		var again []*vex.Statement
		for s, err := range cyclonedx.Decode("x", text, nil) {
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, s)
		}
		var before []*vex.Statement
		seen := map[string]bool{}
		for _, s := range doc.Statements {
			if !seen[s.Content] {
				seen[s.Content] = true
				before = append(before, s)
			}
		}
		if diff := cmp.Diff(before, again, cmpopts.IgnoreUnexported(vex.Product{}), cmpopts.IgnoreFields(vex.Statement{}, "ID", "Content"),
			cmpopts.IgnoreFields(vex.Product{}, "Name"), cmpopts.IgnoreFields(vex.Origin{}, "Document", "ID", "Version", "Pointer"), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-before +after):\n%s\n%s", diff, text)
		}
		if twice, err := encode(doc); err != nil || !bytes.Equal(text, twice) {
			t.Fatalf("written again it differs: %v", err)
		}
	})
}

// TestSchema: what is written is valid by the published schema.
func TestSchema(t *testing.T) {
	files := testdata.Open(t, "conformance/cyclonedx-schema.tar.gz")
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for name, text := range files {
		if path.Ext(name) != ".json" {
			continue
		}
		parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("http://cyclonedx.org/schema/"+path.Base(name), parsed); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		list := statements(t)
		text, err := encode(&cyclonedx.Document{Author: "Example", Timestamp: time.Unix(0, 0), Statements: append(list, list...)})
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

// TestEncodeRefuses: what CycloneDX cannot say is not written.
func TestEncodeRefuses(t *testing.T) {
	good := vex.Statement{Vulnerability: "CVE-2024-1001", Products: []vex.Product{{PURL: "pkg:npm/bolt@1"}}, Status: vex.Fixed}
	for name, tt := range map[string]struct {
		change func(*cyclonedx.Document, *vex.Statement)
		want   error
	}{
		"no time":        {func(d *cyclonedx.Document, _ *vex.Statement) { d.Timestamp = time.Time{} }, cyclonedx.ErrInvalid},
		"a wrong serial": {func(d *cyclonedx.Document, _ *vex.Statement) { d.Serial = "urn:uuid:1" }, cyclonedx.ErrInvalid},
		"no reason":      {func(_ *cyclonedx.Document, s *vex.Statement) { s.Status = vex.NotAffected }, cyclonedx.ErrInvalid},
		"an end":         {func(_ *cyclonedx.Document, s *vex.Statement) { s.Until = time.Unix(1e9, 0) }, cyclonedx.ErrUnsupported},
		"an unknown algorithm": {func(_ *cyclonedx.Document, s *vex.Statement) {
			s.Products = []vex.Product{{Digests: []string{"crc32:00"}}}
		}, cyclonedx.ErrUnsupported},
		"a digest of nothing": {func(_ *cyclonedx.Document, s *vex.Statement) {
			s.Products = []vex.Product{{Digests: []string{"sha256:00"}}}
		}, cyclonedx.ErrInvalid},
		"a range of a whole": {func(_ *cyclonedx.Document, s *vex.Statement) {
			s.Products = []vex.Product{{PURL: "pkg:npm/app", Versions: "vers:npm/<2", Subcomponents: s.Products}}
		}, cyclonedx.ErrUnsupported},
	} {
		s := good
		doc := &cyclonedx.Document{Timestamp: time.Unix(1e9, 0), Statements: []*vex.Statement{&s}}
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
			if s.ID == "" || s.Origin.Pointer == "" || s.Vulnerability == "" {
				t.Fatalf("%+v is not complete", s)
			}
		}
	})
}
