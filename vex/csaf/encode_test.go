package csaf_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/csaf"
)

func encode(doc *csaf.Document) ([]byte, error) {
	var b bytes.Buffer
	err := csaf.Encode(&b, doc)
	return b.Bytes(), err
}

// example is a document of statements.
func example(statements ...*vex.Statement) *csaf.Document {
	return &csaf.Document{
		ID: "EX-1", Title: "t", Publisher: "Example", Namespace: "https://example.com",
		Timestamp: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC), Statements: statements,
	}
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
	if p.PURL == "" && p.CPE == "" || rapid.Bool().Draw(t, label+" digest") {
		p.Digests = []string{"sha256:" + strings.Repeat(fmt.Sprintf("%x", name[len(name)-1]), 32)}
	}
	return p
}

// TestRoundTrip: what is written passes the tests of the standard and is read as the
// same claims, and once more written gives the same bytes.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := example()
		for n := range rapid.IntRange(1, 4).Draw(t, "statements") {
			s := &vex.Statement{
				Vulnerability: fmt.Sprintf(rapid.SampledFrom([]string{"CVE-2024-100%d", "GHSA-jfh8-c2jp-%d"}).Draw(t, "vulnerability"), n),
				Aliases:       rapid.SliceOfDistinct(rapid.SampledFrom([]string{"EX-A", "EX-B"}), rapid.ID).Draw(t, "aliases"),
				Status:        rapid.SampledFrom(vex.Statuses).Draw(t, "status"), Time: doc.Timestamp,
				Origin: vex.Origin{Format: "csaf", Author: "Example"},
			}
			switch s.Status {
			case vex.NotAffected:
				s.Justification = rapid.SampledFrom(vex.Justifications).Draw(t, "justification")
				s.Impact = rapid.SampledFrom([]string{"", "No loop.", "Ünïcode\nlines"}).Draw(t, "impact")
			case vex.Affected:
				s.Action = rapid.SampledFrom([]string{"vendor_fix: Update.", "mitigation: Turn it off.", "no_fix_planned: -"}).Draw(t, "action")
			}
			for i := range rapid.IntRange(1, 3).Draw(t, "products") {
				p := product(t, "product", fmt.Sprintf("p%d", i))
				if len(p.Versions) == 0 && rapid.Bool().Draw(t, "parts") {
					p.Subcomponents = []vex.Product{product(t, "part", "part")}
				}
				s.Products = append(s.Products, p)
			}
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
		for s, err := range csaf.Decode("x", text, nil) {
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, s)
		}
		// Products with parts are one product for each part, and have names.
		if diff := cmp.Diff(doc.Statements, again, cmpopts.IgnoreUnexported(vex.Product{}), cmpopts.IgnoreFields(vex.Statement{}, "ID", "Content"),
			cmpopts.IgnoreFields(vex.Product{}, "Name"), cmpopts.IgnoreFields(vex.Origin{}, "Document", "ID", "Version", "Pointer"), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-before +after):\n%s\n%s", diff, text)
		}
		if twice, err := encode(doc); err != nil || !bytes.Equal(text, twice) {
			t.Fatalf("written again it differs: %v", err)
		}
	})
}

// TestHistory: a document's version follows from its releases.
func TestHistory(t *testing.T) {
	doc := example(&vex.Statement{Vulnerability: "CVE-2024-1001", Products: []vex.Product{{PURL: "pkg:npm/bolt"}}, Status: vex.Fixed, Notes: "n"})
	doc.History = []time.Time{doc.Timestamp.Add(-48 * time.Hour), doc.Timestamp.Add(-24 * time.Hour)}
	text, err := encode(doc)
	if err != nil {
		t.Fatal(err)
	}
	statements, _, err := read(t, csaf.Filename(doc.ID), text, nil)
	if err != nil || statements[0].Origin.Version != "3" || !statements[0].Time.Equal(doc.Timestamp) {
		t.Errorf("%+v, %v", statements, err)
	}
	doc.History[0] = doc.Timestamp.Add(time.Hour)
	if _, err := encode(doc); !errors.Is(err, csaf.ErrInvalid) {
		t.Errorf("a release before the first: %v", err)
	}
}

// TestEncodeRefuses: what would not pass the tests, or CSAF cannot say, is not
// written.
func TestEncodeRefuses(t *testing.T) {
	bolt := []vex.Product{{PURL: "pkg:npm/bolt@1"}}
	good := vex.Statement{Vulnerability: "CVE-2024-1001", Products: bolt, Status: vex.Fixed}
	for name, tt := range map[string]struct {
		change func(*csaf.Document, *vex.Statement)
		want   error
	}{
		"no id":         {func(d *csaf.Document, _ *vex.Statement) { d.ID = "" }, csaf.ErrInvalid},
		"no publisher":  {func(d *csaf.Document, _ *vex.Statement) { d.Publisher = "" }, csaf.ErrInvalid},
		"no namespace":  {func(d *csaf.Document, _ *vex.Statement) { d.Namespace = "example" }, csaf.ErrInvalid},
		"no statements": {func(d *csaf.Document, _ *vex.Statement) { d.Statements = nil }, csaf.ErrInvalid},
		"no reason":     {func(_ *csaf.Document, s *vex.Statement) { s.Status = vex.NotAffected }, csaf.ErrInvalid},
		"a bad reason":  {func(_ *csaf.Document, s *vex.Statement) { s.Status, s.Impact = vex.NotAffected, "low" }, csaf.ErrInvalid},
		"no action":     {func(_ *csaf.Document, s *vex.Statement) { s.Status = vex.Affected }, csaf.ErrInvalid},
		"an end":        {func(_ *csaf.Document, s *vex.Statement) { s.Until = time.Unix(1e9, 0) }, csaf.ErrUnsupported},
		"both statuses": {func(d *csaf.Document, s *vex.Statement) {
			d.Statements = append(d.Statements, &vex.Statement{Vulnerability: s.Vulnerability, Products: bolt, Status: vex.Affected, Action: "x"})
		}, csaf.ErrInvalid},
		"a digest of nothing": {func(_ *csaf.Document, s *vex.Statement) { s.Products = []vex.Product{{Digests: []string{"sha256:x"}}} }, csaf.ErrInvalid},
	} {
		s := good
		doc := example(&s)
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
