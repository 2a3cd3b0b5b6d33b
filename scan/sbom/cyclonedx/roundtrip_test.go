package cyclonedx

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// TestRoundTrip checks that documents of the model come back as they were, in
// every version and both formats, without a loss and without a note.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for v := oldestOut; v <= newest; v++ {
		for _, xml := range []bool{false, true} {
			o := &EncodeOptions{Version: v.String(), XML: xml, Indent: true}
			t.Run(fmt.Sprintf("%v,xml=%v", v, xml), rapid.MakeCheck(func(t *rapid.T) {
				d := drawDocument(t, v)
				var out bytes.Buffer
				losses, err := Encode(&out, d, o)
				if err != nil {
					t.Fatal(err)
				}
				got, err := Decode(bytes.NewReader(out.Bytes()), nil)
				if err != nil {
					t.Fatalf("%v\n%s", err, out.Bytes())
				}
				want := *d
				want.Namespace = cmp.Or(want.Namespace, got.Namespace)
				if !fitSerial(got.Namespace) && got.Namespace != d.Namespace {
					t.Errorf("serial number %q", got.Namespace)
				}
				if diff := changes(&want, got); diff != "" || len(losses) > 0 {
					t.Errorf("-want +got:\n%s\nlosses: %v\n%s", diff, losses, out.Bytes())
				}
			}))
		}
	}
}

// text draws strings with what JSON and XML escape.
func text(t *rapid.T, label string) string {
	return rapid.StringOfN(rapid.RuneFrom([]rune("abcXYZ019 .-_/:@#%&<>\"'\\{}[]()\n\t\r,;=+*?~äß€漢😀")), 1, 12, -1).Draw(t, label)
}

func maybe(t *rapid.T, label string) string {
	if rapid.Bool().Draw(t, label+"?") {
		return text(t, label)
	}
	return ""
}

func digest(t *rapid.T) string {
	return fmt.Sprintf("sha256:%064x", rapid.IntRange(0, 3).Draw(t, "digest"))
}

func drawDocument(t *rapid.T, v version) *sbom.Document {
	d := &sbom.Document{
		Name:      maybe(t, "document name"),
		Namespace: rapid.SampledFrom([]string{"", "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79", "https://example.org/sbom/1"}).Draw(t, "namespace"),
		Created:   rapid.SampledFrom([]string{"", "2026-01-02T03:04:05Z", "0001-01-01T00:00:00Z"}).Draw(t, "created"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "tools") {
		d.Tools = append(d.Tools, sbom.Tool{Vendor: maybe(t, "vendor"), Name: text(t, "tool"), Version: maybe(t, "tool version")})
	}
	drawSubject(t, d)
	for range rapid.IntRange(0, 4).Draw(t, "packages") {
		d.Packages = append(d.Packages, drawPackage(t, v))
	}
	for range rapid.IntRange(0, 2).Draw(t, "gaps") {
		d.Gaps = append(d.Gaps, sbom.Gap{Code: rapid.SampledFrom([]sbom.GapCode{sbom.GapLimit, sbom.GapOddity}).Draw(t, "code"),
			Blocking: true, Where: text(t, "where"), Layer: maybe(t, "layer"), What: text(t, "what")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "secrets") {
		d.Secrets = append(d.Secrets, sbom.Secret{Rule: text(t, "rule"), Title: maybe(t, "title"), Path: text(t, "path"), Layer: maybe(t, "layer"),
			Line: rapid.IntRange(0, 1<<31).Draw(t, "line"), Masked: maybe(t, "masked"), Removed: rapid.Bool().Draw(t, "removed")})
	}
	if rapid.Bool().Draw(t, "composed") {
		d.Composition = &sbom.Composition{Root: digest(t)}
		for range rapid.IntRange(0, 2).Draw(t, "fragments") {
			d.Composition.Fragments = append(d.Composition.Fragments, sbom.FragmentRef{DiffID: digest(t), Digest: digest(t)})
		}
	}
	if rapid.Bool().Draw(t, "sourced") {
		d.Source = &sbom.Source{Reference: text(t, "reference"), Index: maybe(t, "index"), Manifest: digest(t), Tags: []string{text(t, "tag")},
			MediaType: maybe(t, "media type"), PlatformChoice: maybe(t, "choice"),
			Layers: []sbom.Descriptor{{MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Digest: digest(t), Size: 123}}}
	}
	d.Normalize()
	d.Packages = slices.CompactFunc(d.Packages, func(a, b sbom.Package) bool { return a.ID == b.ID })
	drawRelationships(t, d)
	d.Normalize()
	return d
}

func drawSubject(t *rapid.T, d *sbom.Document) {
	s := &d.Subject
	switch s.Kind = rapid.SampledFrom([]sbom.SubjectKind{"", sbom.SubjectImage, sbom.SubjectDirectory, sbom.SubjectOther}).Draw(t, "kind"); s.Kind {
	case "":
		return
	case sbom.SubjectImage:
		s.ConfigDigest = digest(t)
		s.Name, s.Platform = s.ConfigDigest, "linux/arm64/v8"
		s.Labels = []sbom.Property{{Name: "a", Value: maybe(t, "label")}, {Name: "b:c", Value: "=\n\u00e9"}}
		for range rapid.IntRange(0, 2).Draw(t, "layers") {
			s.Layers = append(s.Layers, sbom.Layer{DiffID: digest(t), CreatedBy: maybe(t, "created by")})
		}
	default:
		s.Name, s.Version = text(t, "subject"), maybe(t, "subject version")
	}
	if rapid.Bool().Draw(t, "os") {
		s.OS = &sbom.OS{ID: "rocky", IDLike: []string{"rhel", "fedora"}, Name: maybe(t, "os name"), PrettyName: maybe(t, "pretty"), VersionID: "9.3",
			Codename: maybe(t, "codename"), CPE: maybe(t, "os cpe"), BuildID: maybe(t, "build"), VariantID: maybe(t, "variant")}
	}
	if rapid.Bool().Draw(t, "more of the subject") {
		s.Package = &sbom.Package{Name: s.Name, Version: s.Version, Description: text(t, "subject description"), Usage: drawUsage(t)}
	}
}

func drawPackage(t *rapid.T, v version) sbom.Package {
	p := sbom.Package{
		ID:   rapid.SampledFrom([]string{"", "", "a", "b", "ref with \"quotes\" & <angles>"}).Draw(t, "id"),
		Type: rapid.SampledFrom([]string{"", "application", "framework", "file"}).Draw(t, "type"),
		Name: text(t, "name"), Version: maybe(t, "version"),
		State:   rapid.SampledFrom([]sbom.State{sbom.Installed, sbom.Declared}).Draw(t, "state"),
		Scope:   rapid.SampledFrom([]sbom.Scope{sbom.ScopeRuntime, sbom.ScopeDev, sbom.ScopeOptional}).Draw(t, "scope"),
		FoundBy: maybe(t, "found by"), Description: maybe(t, "description"), Supplier: maybe(t, "supplier"), Originator: maybe(t, "originator"),
		Homepage: maybe(t, "homepage"), Download: maybe(t, "download"), Copyright: maybe(t, "copyright"), Arch: maybe(t, "arch"),
	}
	drawIdentity(t, &p)
	if rapid.Bool().Draw(t, "long") {
		p.Version = strings.Repeat("9", 1025)
	}
	if rapid.Bool().Draw(t, "supplier with mail") {
		p.Supplier = "Someone (someone@example.org)"
	}
	if rapid.Bool().Draw(t, "urls") {
		p.Homepage, p.Download = "https://example.org/?a=b#c", "git+https://example.org/x.git"
	}
	if rapid.Bool().Draw(t, "upstream?") {
		p.Upstream = &sbom.Upstream{Name: text(t, "upstream"), Version: maybe(t, "upstream version")}
	}
	drawPlaces(t, &p)
	drawLicenses(t, &p, v)
	if rapid.Bool().Draw(t, "hashes") {
		p.Hashes = []sbom.Hash{{Algorithm: "sha1", Value: strings.Repeat("0a", 20)}, {Algorithm: "blake2b256", Value: strings.Repeat("f1", 32)}}
	}
	p.CPEs = slices.Compact(rapid.SliceOfN(rapid.SampledFrom([]string{"cpe:2.3:a:x:y:1:*:*:*:*:*:*:*", "cpe:2.3:a:x:z\\&:1:*:*:*:*:*:*:*", "not a cpe"}), 0, 3).Draw(t, "cpes"))
	p.Usage = drawUsage(t)
	for range rapid.IntRange(0, 2).Draw(t, "properties") {
		p.Properties = append(p.Properties, sbom.Property{Name: "rpm:" + text(t, "property"), Value: maybe(t, "value")})
	}
	return p
}

func drawUsage(t *rapid.T) *sbom.Usage {
	switch rapid.IntRange(0, 2).Draw(t, "usage") {
	case 1:
		return &sbom.Usage{State: sbom.Unreached}
	case 2:
		u := &sbom.Usage{State: sbom.Reached}
		for range rapid.IntRange(0, 11).Draw(t, "chain") {
			u.Chain = append(u.Chain, maybe(t, "file"))
		}
		return u
	}
	return nil
}

func drawIdentity(t *rapid.T, p *sbom.Package) {
	u, err := purl.Parse(rapid.SampledFrom([]string{"pkg:npm/%40babel/core@7.0.0", "pkg:maven/org.slf4j/slf4j-api@1.7.36?type=jar",
		"pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc", "pkg:rpm/redhat/openssl@3.0.7-18.el9?arch=x86_64&epoch=1&upstream=openssl-3.0.7-18.el9.src.rpm",
		"pkg:golang/github.com/google/go-cmp@v0.7.0", "pkg:composer/laravel/framework@7.12.0", "pkg:generic/x"}).Draw(t, "purl"))
	if err != nil {
		t.Fatal(err)
	}
	if !rapid.Bool().Draw(t, "with purl") {
		return
	}
	p.PURL = u
	p.Name = rapid.SampledFrom([]string{p.Name, "@babel/core", "org.slf4j:slf4j-api", "laravel/framework", "openssl"}).Draw(t, "ecosystem name")
	p.Version = rapid.SampledFrom([]string{p.Version, "3.0.7-18.el9", "1:3.0.7-18.el9"}).Draw(t, "ecosystem version")
}

func drawPlaces(t *rapid.T, p *sbom.Package) {
	for range rapid.IntRange(0, 3).Draw(t, "locations") {
		p.Locations = append(p.Locations, sbom.Location{
			Path:  rapid.SampledFrom([]string{"usr/lib/a b", "app/x.jar!/META-INF/y", "var/lib/dpkg/status"}).Draw(t, "path"),
			Layer: rapid.SampledFrom([]string{"", "sha256:aa", "sha256:bb"}).Draw(t, "layer")})
	}
}

func drawLicenses(t *rapid.T, p *sbom.Package, v version) {
	for range rapid.IntRange(0, 3).Draw(t, "licenses") {
		l := rapid.SampledFrom([]sbom.License{{Expression: "MIT"}, {Expression: "MIT", URL: "https://opensource.org/license/mit"}, {Name: "Some licence"},
			{Expression: "GPL-2.0-only WITH Classpath-exception-2.0 OR MIT"}, {Expression: "LicenseRef-x"}, {Name: "MIT or so"}}).Draw(t, "license")
		if v >= 6 {
			l.Kind = rapid.SampledFrom([]sbom.LicenseKind{sbom.LicenseDeclared, sbom.LicenseConcluded}).Draw(t, "stated")
		}
		if l.URL == "" && rapid.IntRange(0, 3).Draw(t, "in a text") == 0 {
			l.Kind = sbom.LicenseDetected
		}
		p.Licenses = append(p.Licenses, l)
	}
}

func drawRelationships(t *rapid.T, d *sbom.Document) {
	var ids []string
	for i := range d.Packages {
		ids = append(ids, d.Packages[i].ID)
	}
	all := rapid.Bool().Draw(t, "the subject contains all")
	if d.Subject.Kind != "" {
		for _, id := range ids {
			if all {
				d.Relationships = append(d.Relationships, sbom.Relationship{From: d.Subject.ID, Kind: sbom.Contains, To: id})
			}
		}
		ids = append(ids, d.Subject.ID)
	}
	if len(ids) == 0 {
		return
	}
	for range rapid.IntRange(0, 5).Draw(t, "relationships") {
		d.Relationships = append(d.Relationships, sbom.Relationship{
			From: rapid.SampledFrom(ids).Draw(t, "from"),
			Kind: rapid.SampledFrom([]sbom.RelationshipKind{sbom.Contains, sbom.DependsOn, sbom.OwnedBy}).Draw(t, "relation"),
			To:   rapid.SampledFrom(ids).Draw(t, "to")})
	}
}
