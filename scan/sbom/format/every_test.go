package format_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/internal/covered"
)

// everything is a document that uses every field of the model but Foreign.
func everything() *sbom.Document {
	d := document()
	d.Name, d.Namespace = "inventory", "https://example.com/sbom/1"
	image := &d.Subject
	image.Version, image.Labels = "1", []sbom.Property{{Name: "maintainer", Value: "x"}}
	image.OS.IDLike, image.OS.Name, image.OS.CPE, image.OS.BuildID, image.OS.VariantID = []string{"x", "y"}, "Debian", "cpe:/o:debian:debian_linux:12", "b", "v"
	image.Package = &sbom.Package{Name: image.Name, Version: image.Version, Description: "the image"}
	d.Source.Index, d.Source.MediaType, d.Source.Tags, d.Source.PlatformChoice = "sha256:"+strings.Repeat("d", 64), "application/vnd.oci.image.manifest.v1+json", []string{"debian:12"}, "the first"
	d.Source.Layers = []sbom.Descriptor{{MediaType: "application/vnd.oci.image.layer.v1.tar", Digest: "sha256:" + strings.Repeat("e", 64), Size: 7}}
	d.Composition = &sbom.Composition{Root: "sha256:" + strings.Repeat("1", 64), Fragments: []sbom.FragmentRef{{DiffID: image.Layers[0].DiffID, Digest: "sha256:" + strings.Repeat("2", 64)}}}
	p := &d.Packages[0]
	p.Type, p.Originator, p.Download, p.Copyright = "application", "Somebody", "https://example.com/a.tgz", "(c) all"
	p.Licenses = append(p.Licenses, sbom.License{Kind: sbom.LicenseConcluded, Expression: "MIT"}, sbom.License{Expression: "ISC", URL: "https://example.com/isc"})
	p.Usage, d.Packages[1].Usage = &sbom.Usage{State: sbom.Reached, Chain: []string{"bin/sh", "lib/x86_64-linux-gnu/libc.so.6"}}, &sbom.Usage{State: sbom.Unreached}
	d.Packages = append(d.Packages, sbom.Package{Type: sbom.TypeFile, Name: "usr/local/bin/tool", FoundBy: "files", Hashes: []sbom.Hash{{Algorithm: "sha256", Value: strings.Repeat("ab", 32)}},
		Locations: []sbom.Location{{Path: "usr/local/bin/tool", Layer: image.Layers[0].DiffID}}, Properties: []sbom.Property{{Name: "file:kind", Value: "elf"}}, Usage: &sbom.Usage{State: sbom.Reached, Chain: []string{"usr/local/bin/tool"}}})
	d.Secrets = []sbom.Secret{{Rule: "aws-access-key-id", Title: "AWS access key", Path: "app/a.jar!/config", Layer: image.Layers[0].DiffID, Line: 3, Masked: "key=****", Removed: true}, {Rule: "private-key", Path: "root/.ssh/id"}}
	d.Gaps[0].Layer = image.Layers[0].DiffID
	d.Normalize()
	return d
}

// TestEveryField: a document that sets every field of the model comes back whole
// from every format, and from one by way of another.
func TestEveryField(t *testing.T) {
	d := everything()
	if missing := covered.Missing(d); len(missing) > 0 {
		t.Fatalf("the document does not set %q", missing)
	}
	for _, way := range readable {
		want := d
		if strings.Contains(way, "@1.4") || strings.Contains(way, "@1.5") { // they do not say who says so
			want = everything()
			want.Packages[packageNamed(want, "libc6")].Licenses = []sbom.License{{Expression: "MIT"}}
		}
		back := want
		for step := range strings.FieldsSeq(way) {
			back = through(t, back, step)
		}
		// What a document of one family keeps for its own sake is no part of the model.
		if diff := cmp.Diff(want, back, cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(sbom.Foreign{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", way, diff)
		}
	}
}

func packageNamed(d *sbom.Document, name string) int {
	for i := range d.Packages {
		if d.Packages[i].Name == name {
			return i
		}
	}
	return -1
}
