package cyclonedx

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

func indent(b []byte) ([]byte, error) {
	return jsontext.AppendFormat(nil, b, jsontext.Multiline(true), jsontext.WithIndent("  "), jsontext.SpaceAfterColon(true))
}

// largeDocument is an image with n packages, half of them of a distribution.
func largeDocument(n int) *sbom.Document {
	layer := func(i int) string { return fmt.Sprintf("sha256:%064x", i%8) }
	d := &sbom.Document{Created: "2026-01-02T03:04:05Z", Tools: []sbom.Tool{{Vendor: "Stella", Name: "stella", Version: "1.0"}}}
	d.Subject = sbom.Subject{Kind: sbom.SubjectImage, Name: "sha256:" + layer(99)[7:], ConfigDigest: layer(99), Platform: "linux/amd64",
		OS: &sbom.OS{ID: "debian", VersionID: "12", PrettyName: "Debian GNU/Linux 12 (bookworm)"}}
	for i := range n {
		name, version := fmt.Sprintf("package-%d", i), fmt.Sprintf("1.%d.0", i%50)
		p := sbom.Package{Name: name, Version: version, Licenses: []sbom.License{{Expression: "MIT"}},
			Locations: []sbom.Location{{Path: "usr/lib/node_modules/" + name + "/package.json", Layer: layer(i)}},
			PURL:      purl.PackageURL{Type: "npm", Name: name, Version: version}, FoundBy: "npm"}
		if i%2 == 0 {
			p.Version += "-1+deb12u1"
			p.PURL = purl.PackageURL{Type: "deb", Namespace: "debian", Name: name, Version: p.Version, Qualifiers: []purl.Qualifier{{Key: "arch", Value: "amd64"}, {Key: "distro", Value: "debian-12"}, {Key: "upstream", Value: "source-" + name}}}
			p.Arch, p.FoundBy = "amd64", "dpkg"
			p.Upstream = &sbom.Upstream{Name: "source-" + name}
			p.Supplier = "Maintainers (team@example.org)"
			p.Locations[0].Path = "var/lib/dpkg/status"
		}
		d.Packages = append(d.Packages, p)
	}
	d.Normalize()
	for i := range d.Packages[:n-1] {
		d.Relationships = append(d.Relationships, sbom.Relationship{From: d.Packages[i].ID, Kind: sbom.DependsOn, To: d.Packages[i+1].ID})
	}
	d.Normalize()
	return d
}

func BenchmarkEncode(b *testing.B) {
	d := largeDocument(20_000)
	for _, o := range []EncodeOptions{{}, {Indent: true}, {XML: true}} {
		b.Run(fmt.Sprintf("xml=%v,indent=%v", o.XML, o.Indent), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Encode(io.Discard, d, &o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEncodeLibrary writes the same document by cyclonedx-go, whose model
// is filled outside of the measurement.
func BenchmarkEncodeLibrary(b *testing.B) {
	var buf bytes.Buffer
	if _, err := Encode(&buf, largeDocument(20_000), nil); err != nil {
		b.Fatal(err)
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(&buf, cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		b.Fatal(err)
	}
	for _, format := range []cdx.BOMFileFormat{cdx.BOMFileFormatJSON, cdx.BOMFileFormatXML} {
		b.Run(fmt.Sprintf("format=%d", format), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := cdx.NewBOMEncoder(io.Discard, format).Encode(&bom); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	real := testdata.Open(b, "sbom/cdx-examples.tar.gz")["OBOM/Example-1-Standalone/bom.json"]
	var large, largeXML bytes.Buffer
	d := largeDocument(20_000)
	if _, err := Encode(&large, d, nil); err != nil {
		b.Fatal(err)
	}
	if _, err := Encode(&largeXML, d, &EncodeOptions{XML: true}); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		in   []byte
	}{{"obom-2.2MB", real}, {"20000", large.Bytes()}, {"20000-xml", largeXML.Bytes()}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.in)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(bytes.NewReader(c.in), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/cyclonedx-go", func(b *testing.B) {
			b.SetBytes(int64(len(c.in)))
			b.ReportAllocs()
			format := cdx.BOMFileFormatJSON
			if c.in[0] == '<' {
				format = cdx.BOMFileFormatXML
			}
			for b.Loop() {
				var bom cdx.BOM
				if err := cdx.NewBOMDecoder(bytes.NewReader(c.in), format).Decode(&bom); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
