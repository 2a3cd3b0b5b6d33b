package quality_test

import (
	"slices"
	"testing"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/quality"
)

// element returns what a report says of one element.
func element(t *testing.T, d *sbom.Document, g quality.Guide, name string) quality.Element {
	t.Helper()
	reports, err := quality.Assess(d, g)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(reports[0].Elements, func(e quality.Element) bool { return e.Name == name })
	if at < 0 {
		t.Fatalf("%s has no %q", g, name)
	}
	return reports[0].Elements[at]
}

// TestFiles: files have a name, a digest and a place, and owe no version.
func TestFiles(t *testing.T) {
	d := whole()
	d.Packages = append(d.Packages, sbom.Package{ID: "f", Type: sbom.TypeFile, Name: "usr/bin/x", Locations: []sbom.Location{{Path: "usr/bin/x"}}})
	for name, want := range map[string][2]int{"component version": {1, 1}, "distribution licences": {1, 1}, "component name": {2, 2}, "filename of the component": {2, 2}, "hash value of the deployable component, SHA-512": {1, 2}, "dependencies on other components": {1, 2}} {
		if e := element(t, d, quality.BSI, name); [2]int{e.Have, e.Of} != want || e.Have < e.Of && !slices.Equal(e.Missing, []string{"usr/bin/x"}) {
			t.Errorf("%+v, want %v", e, want)
		}
	}
	d.Packages = d.Packages[1:]
	if e := element(t, d, quality.NTIA, "version of the component"); !e.Met() || e.Of != 0 {
		t.Errorf("of files alone: %+v", e)
	}
}

// TestFilename: where a package was found is its file name only where that is the
// package itself.
func TestFilename(t *testing.T) {
	for name, c := range map[string]struct {
		p    sbom.Package
		want bool
	}{
		"database": {sbom.Package{PURL: purl.PackageURL{Type: "deb", Name: "a"}, Locations: []sbom.Location{{Path: "var/lib/dpkg/status.d/a"}}, Type: "application"}, false},
		"lockfile": {sbom.Package{State: sbom.Declared, Locations: []sbom.Location{{Path: "a.jar"}}}, false},
		"archive":  {sbom.Package{Locations: []sbom.Location{{Path: "app/a.war!/WEB-INF/lib/B.JAR"}}}, true},
		"manifest": {sbom.Package{Locations: []sbom.Location{{Path: "node_modules/a/package.json"}}}, false},
		"program":  {sbom.Package{Type: "application", Locations: []sbom.Location{{Path: "usr/local/bin/node"}}}, true},
		"property": {sbom.Package{Properties: []sbom.Property{{Name: "bsi:component:filename", Value: "a"}}}, true},
	} {
		c.p.Name = "a"
		if e := element(t, &sbom.Document{Packages: []sbom.Package{c.p}}, quality.BSI, "filename of the component"); e.Met() != c.want {
			t.Errorf("%s: %v", name, e.Met())
		}
	}
}

// TestAuthors: people and organisations are found where each format keeps them.
func TestAuthors(t *testing.T) {
	for foreign, want := range map[string]bool{
		`{"metadata":{"manufacturer":{"name":"A","url":["https://a.example"]}}}`:             true,
		`{"metadata":{"supplier":{"name":"A","contact":[{"email":"a@a.example"}]}}}`:         true,
		`{"metadata":{"manufacture":{"name":"A"}}}`:                                          false,
		`{"document":{"creationInfo":{"creators":["Tool: x@y","Organization: A ()"]}}}`:      false,
		`{"document":{"creationInfo":{"creators":["Tool: x-1","Person: A (a@a.example)"]}}}`: true,
		`{"metadata":[]}`: false,
	} {
		d := &sbom.Document{Foreign: sbom.Foreign{"cyclonedx": sbom.RawObject(foreign), "spdx": sbom.RawObject(foreign)}}
		if e := element(t, d, quality.BSI, "creator of the SBOM, by mail address or URL"); e.Met() != want {
			t.Errorf("%s: %v", foreign, e.Met())
		}
	}
}
