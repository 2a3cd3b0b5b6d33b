package spdx

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	oraclejson "github.com/spdx/tools-golang/json"
	oracle "github.com/spdx/tools-golang/spdx"
	oracletag "github.com/spdx/tools-golang/tagvalue"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// sample is a document such as a scan makes.
func sample() *sbom.Document {
	u := func(s string) purl.PackageURL {
		p, err := purl.Parse(s)
		if err != nil {
			panic(err)
		}
		return p
	}
	d := &sbom.Document{
		Created: "2024-05-06T07:08:09Z", Tools: []sbom.Tool{{Vendor: "stella-ops", Name: "stella", Version: "0.1.0"}},
		Subject: sbom.Subject{ID: "image", Kind: sbom.SubjectImage, Name: "sha256:" + strings.Repeat("ab", 32), ConfigDigest: "sha256:" + strings.Repeat("ab", 32),
			Platform: "linux/amd64", OS: &sbom.OS{ID: "debian", Name: "Debian GNU/Linux", PrettyName: "Debian GNU/Linux 12 (bookworm)", VersionID: "12", Codename: "bookworm"},
			Layers: []sbom.Layer{{DiffID: "sha256:" + strings.Repeat("01", 32), CreatedBy: "ADD file:… in /"}}},
		Packages: []sbom.Package{
			{Name: "libc6", Version: "2.36-9+deb12u4", PURL: u("pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12&upstream=glibc"), Arch: "amd64",
				Upstream: &sbom.Upstream{Name: "glibc"}, FoundBy: "dpkg", Locations: []sbom.Location{{Path: "var/lib/dpkg/status", Layer: "sha256:" + strings.Repeat("01", 32)}},
				Licenses: []sbom.License{{Expression: "GPL-2.0-only"}, {Expression: "LGPL-2.1-or-later"}, {Name: "BSD-like, see file"}}, Supplier: "GNU Libc Maintainers (debian-glibc@lists.debian.org)",
				Description: "GNU C Library: Shared libraries\nContains the standard libraries.", Homepage: "https://www.gnu.org/software/libc/libc.html",
				CPEs: []string{"cpe:2.3:a:gnu:glibc:2.36:*:*:*:*:*:*:*"}},
			{Name: "@babel/core", Version: "7.1.0", PURL: u("pkg:npm/%40babel/core@7.1.0"), State: sbom.Declared, Scope: sbom.ScopeDev, FoundBy: "npm", Type: "library",
				Locations: []sbom.Location{{Path: "app/package-lock.json"}}, Licenses: []sbom.License{{Expression: "MIT"}}, Hashes: []sbom.Hash{{Algorithm: "sha512", Value: strings.Repeat("cd", 64)}}},
			{Name: "perl-base", Version: "5.36.0-7", PURL: u("pkg:deb/debian/perl-base@5.36.0-7?arch=amd64&distro=debian-12"), Arch: "amd64", FoundBy: "dpkg"},
		},
		Gaps: []sbom.Gap{{Code: sbom.GapLimit, Blocking: true, Where: "app/big.jar", What: "nested too deep"}},
	}
	d.Normalize()
	id := map[string]string{}
	for _, p := range d.Packages {
		id[p.Name] = p.ID
		d.Relationships = append(d.Relationships, sbom.Relationship{From: "image", Kind: sbom.Contains, To: p.ID})
	}
	d.Relationships = append(d.Relationships, sbom.Relationship{From: id["perl-base"], Kind: sbom.DependsOn, To: id["libc6"]},
		sbom.Relationship{From: id["@babel/core"], Kind: sbom.OwnedBy, To: id["perl-base"]})
	d.Normalize()
	return d
}

// row is what the oracle and our wire types both know of a package.
type row struct{ id, name, version, declared, purl, supplier, checksums string }

func oracleRows(d *oracle.Document) (rows []row, edges []string) {
	for _, p := range d.Packages {
		r := row{id: string(p.PackageSPDXIdentifier), name: p.PackageName, version: p.PackageVersion, declared: p.PackageLicenseDeclared}
		for _, ref := range p.PackageExternalReferences {
			if ref.RefType == "purl" {
				r.purl = ref.Locator
			}
		}
		if p.PackageSupplier != nil {
			r.supplier = p.PackageSupplier.Supplier
		}
		for _, c := range p.PackageChecksums {
			r.checksums += string(c.Algorithm) + "=" + c.Value
		}
		rows = append(rows, r)
	}
	for _, r := range d.Relationships {
		edges = append(edges, string(r.RefA.ElementRefID)+" "+r.Relationship+" "+string(r.RefB.ElementRefID)+" "+r.RelationshipComment)
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.id, b.id) })
	slices.Sort(edges)
	return rows, edges
}

func wireRows(t *testing.T, doc []byte) (rows []row, edges []string) {
	w, err := read(bytes.NewReader(doc), (*DecodeOptions)(nil).withDefaults(), new(Form))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range w.Packages {
		r := row{id: modelID(p.SPDXID), name: text(p.Name), version: text(p.Version), declared: text(p.LicenseDeclared), supplier: actor(p.Supplier)}
		for _, ref := range p.ExternalRefs {
			if ref.Type == "purl" {
				r.purl = ref.Locator
			}
		}
		for _, c := range p.Checksums {
			r.checksums += c.Algorithm + "=" + c.Value
		}
		rows = append(rows, r)
	}
	for _, r := range w.Relationships {
		edges = append(edges, modelID(r.From)+" "+r.Type+" "+modelID(r.To)+" "+text(r.Comment))
	}
	slices.Sort(edges)
	return rows, edges
}

// What we write, the reference library of the SPDX project must read with the same
// meaning, in both syntaxes and versions.
func TestOracleReadsWhatWeWrite(t *testing.T) {
	for _, opt := range forms {
		out, losses := encoded(t, sample(), &opt)
		if len(losses) > 0 {
			t.Errorf("%+v: %v", opt, losses)
		}
		var d *oracle.Document
		var err error
		if opt.TagValue {
			d, err = oracletag.Read(bytes.NewReader(out))
		} else {
			d, err = oraclejson.Read(bytes.NewReader(out))
		}
		if err != nil {
			t.Errorf("%+v: %v\n%s", opt, err, out)
			continue
		}
		rows, edges := oracleRows(d)
		ours, ourEdges := wireRows(t, out)
		if diff := gocmp.Diff(rows, ours, gocmp.AllowUnexported(row{})); diff != "" || len(rows) != 5 {
			t.Errorf("%+v: %d packages\n%s", opt, len(rows), diff)
		}
		if diff := gocmp.Diff(edges, ourEdges); diff != "" || len(edges) != 7 {
			t.Errorf("%+v: %d relationships\n%s", opt, len(edges), diff)
		}
		if d.CreationInfo.Created != "2024-05-06T07:08:09Z" || len(d.OtherLicenses) != 1 {
			t.Errorf("%+v: created %q, %d licences", opt, d.CreationInfo.Created, len(d.OtherLicenses))
		}
	}
}

// What the reference library writes, we must read as it does.
func TestWeReadWhatTheOracleWrites(t *testing.T) {
	files := testdata.Open(t, "conformance/spdx-tools-golang.tar.gz")
	source := files["examples/sample-docs/json/SPDXJSONExample-v2.3.spdx.json"]
	d, err := oraclejson.Read(bytes.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	want, wantEdges := oracleRows(d)
	var asJSON, asTags bytes.Buffer
	if err := oraclejson.Write(d, &asJSON); err != nil {
		t.Fatal(err)
	}
	if err := oracletag.Write(d, &asTags); err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string][]byte{"JSON": asJSON.Bytes(), "tag-value": asTags.Bytes()} {
		rows, edges := wireRows(t, doc)
		for i := range rows {
			rows[i].supplier = strings.TrimSuffix(rows[i].supplier, " ()")
		}
		if diff := gocmp.Diff(want, rows, gocmp.AllowUnexported(row{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		for i := range wantEdges {
			wantEdges[i] = strings.ReplaceAll(wantEdges[i], "ToolsElement", "DocumentRef-spdx-tool-1.2:SPDXRef-ToolsElement")
		}
		if len(edges) != len(wantEdges) {
			t.Errorf("%s: %d relationships, want %d\n%s", name, len(edges), len(wantEdges), gocmp.Diff(wantEdges, edges))
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	docs := realDocuments(b)
	for name, doc := range map[string][]byte{"redhat": docs["spdx/OCP-TOOLS-4.11-RHEL-8.json"].text, "syft": docs["top-dh-sboms/nginx.json"].text} {
		b.Run(name+"/ours", func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(bytes.NewReader(doc), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/tools-golang", func(b *testing.B) { // without a model behind it
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := oraclejson.Read(bytes.NewReader(doc)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	d := sample()
	base := d.Packages
	for i := range 3000 {
		p := base[i%len(base)]
		p.ID = ""
		p.Version += strings.Repeat("1", i%7) + string(rune('a'+i%26))
		d.Packages = append(d.Packages, p)
	}
	d.Normalize()
	for _, opt := range append(forms, EncodeOptions{Version: Version301}) {
		name := cmp.Or(opt.Version, Version23)
		if opt.TagValue {
			name += "-tag-value"
		}
		if opt.Indent {
			name += "-indented"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var out bytes.Buffer
				if _, err := Encode(&out, d, &opt); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(out.Len()))
			}
		})
	}
}
