package quality_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/quality"
)

// whole is a document that has all that is asked for.
func whole() *sbom.Document {
	url := purl.PackageURL{Type: "generic", Name: "a", Version: "1"}
	var properties []sbom.Property
	for _, word := range []string{"archive", "executable", "structured"} {
		properties = append(properties, sbom.Property{Name: "bsi:component:" + word, Value: "no"})
	}
	return &sbom.Document{
		Created: "2026-01-02T03:04:05Z", Tools: []sbom.Tool{{Name: "stella", Version: "1"}}, Gaps: []sbom.Gap{{Code: sbom.GapOddity}}, Subject: sbom.Subject{ID: "s"},
		Packages: []sbom.Package{{ID: "a", Name: "a", Version: "1", PURL: url, Supplier: "A (mail@a.example)", Licenses: []sbom.License{{Expression: "MIT"}}, Download: "https://a.example/a.tgz",
			Hashes: []sbom.Hash{{Algorithm: "sha512", Value: "00"}}, Locations: []sbom.Location{{Path: "opt/a.tgz"}}, Properties: properties}},
		Relationships: []sbom.Relationship{{From: "s", Kind: sbom.Contains, To: "a"}},
		Foreign:       sbom.Foreign{"cyclonedx": `{"metadata":{"authors":[{"name":"Somebody","email":"some@body.example"}]}}`},
	}
}

// TestEach: what has everything meets every guide, and each thing that is taken away is
// missed by those that ask for it.
func TestEach(t *testing.T) {
	reports, err := quality.Assess(whole())
	if err != nil || len(reports) != 3 {
		t.Fatal(reports, err)
	}
	for _, r := range reports {
		for _, e := range r.Elements {
			if !e.Met() || e.Clause == "" {
				t.Errorf("%s: %+v", r.Guide, e)
			}
		}
	}
	for name, c := range map[string]struct {
		without func(*sbom.Document, *sbom.Package)
		unmet   []quality.Guide
	}{
		"timestamp":     {func(d *sbom.Document, _ *sbom.Package) { d.Created = "" }, quality.Guides()},
		"tools":         {func(d *sbom.Document, _ *sbom.Package) { d.Tools = nil }, []quality.Guide{quality.OpenChain}},
		"authors":       {func(d *sbom.Document, _ *sbom.Package) { d.Foreign = nil }, []quality.Guide{quality.BSI}},
		"any author":    {func(d *sbom.Document, _ *sbom.Package) { d.Foreign, d.Tools = nil, nil }, quality.Guides()},
		"name":          {func(_ *sbom.Document, p *sbom.Package) { p.Name = "" }, quality.Guides()},
		"version":       {func(_ *sbom.Document, p *sbom.Package) { p.Version = "" }, quality.Guides()},
		"supplier":      {func(_ *sbom.Document, p *sbom.Package) { p.Supplier = "" }, quality.Guides()},
		"mail":          {func(_ *sbom.Document, p *sbom.Package) { p.Supplier = "A" }, []quality.Guide{quality.BSI}},
		"package URL":   {func(_ *sbom.Document, p *sbom.Package) { p.PURL = purl.PackageURL{} }, []quality.Guide{quality.NTIA}},
		"relationship":  {func(d *sbom.Document, _ *sbom.Package) { d.Relationships = nil }, quality.Guides()},
		"licence":       {func(_ *sbom.Document, p *sbom.Package) { p.Licenses = nil }, []quality.Guide{quality.BSI}},
		"longest hash":  {func(_ *sbom.Document, p *sbom.Package) { p.Hashes[0].Algorithm = "sha256" }, []quality.Guide{quality.BSI}},
		"own location":  {func(_ *sbom.Document, p *sbom.Package) { p.Locations[0].Path = "var/lib/dpkg/status" }, []quality.Guide{quality.BSI}},
		"location":      {func(_ *sbom.Document, p *sbom.Package) { p.Locations = nil }, []quality.Guide{quality.BSI}},
		"properties":    {func(_ *sbom.Document, p *sbom.Package) { p.Properties = nil }, []quality.Guide{quality.BSI}},
		"download":      {func(_ *sbom.Document, p *sbom.Package) { p.Download = "" }, nil},
		"what is known": {func(d *sbom.Document, _ *sbom.Package) { d.Gaps = nil }, nil},
	} {
		d := whole()
		c.without(d, &d.Packages[0])
		reports, err := quality.Assess(d)
		if err != nil {
			t.Fatal(err)
		}
		var unmet []quality.Guide
		missed := false
		for _, r := range reports {
			if !r.Met() {
				unmet = append(unmet, r.Guide)
			}
			for _, e := range r.Elements {
				missed = missed || !e.Met()
			}
		}
		if !reflect.DeepEqual(unmet, c.unmet) || !missed {
			t.Errorf("without its %s a document does not meet %v, want %v (missed: %v)", name, unmet, c.unmet, missed)
		}
	}
}

// TestBounds: examples are bounded, a document without packages lacks none.
func TestBounds(t *testing.T) {
	var d sbom.Document
	for i := range 30 {
		d.Packages = append(d.Packages, sbom.Package{Name: "p", ID: fmt.Sprint(i)})
	}
	reports, err := quality.Assess(&d, quality.NTIA)
	if err != nil || len(reports) != 1 {
		t.Fatal(reports, err)
	}
	if e := reports[0].Elements[2]; e.Have != 0 || e.Of != 30 || len(e.Missing) != quality.MaxMissing || e.Missing[0] != "p@" {
		t.Errorf("%+v", e)
	}
	if _, err := quality.Assess(&d, "ntai"); !errors.Is(err, quality.ErrInvalid) {
		t.Error(err)
	}
}

func ExampleAssess() {
	doc := &sbom.Document{Tools: []sbom.Tool{{Name: "stella"}}, Created: "2026-01-02T03:04:05Z",
		Packages: []sbom.Package{{ID: "1", Name: "zlib", Version: "1.3.1"}, {ID: "2", Name: "mystery"}}}
	reports, err := quality.Assess(doc, quality.NTIA)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range reports[0].Elements {
		if e.Level == quality.Required && !e.Met() {
			fmt.Println(e.Name, e.Have, "of", e.Of, e.Missing)
		}
	}
	// Output:
	// supplier name 0 of 2 [zlib@1.3.1 mystery@]
	// version of the component 1 of 2 [mystery@]
	// other unique identifiers 0 of 2 [zlib@1.3.1 mystery@]
	// dependency relationship 0 of 2 [zlib@1.3.1 mystery@]
}
