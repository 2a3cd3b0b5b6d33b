package cyclonedx

import (
	"regexp"
	"strings"
	"testing"

	"encoding/json"
	"encoding/xml"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// TestProducers reads components as other producers write them: what matching
// needs is found where they keep it, and nothing is added when the document is
// written again.
func TestProducers(t *testing.T) {
	for _, c := range []struct {
		name, component string
		want            func(p *sbom.Package)
	}{
		{"syft deb", `{"type":"library","bom-ref":"r","name":"libc6","version":"2.36-9","purl":"pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc",
			"properties":[{"name":"syft:package:foundBy","value":"dpkg-db-cataloger"},{"name":"syft:location:0:path","value":"/var/lib/dpkg/status"},
			{"name":"syft:location:0:layerID","value":"sha256:aa"},{"name":"syft:cpe23","value":"cpe:2.3:a:gnu:glibc:2.36:*:*:*:*:*:*:*"}]}`, func(p *sbom.Package) {
			p.Name, p.Version, p.Arch, p.Upstream, p.FoundBy = "libc6", "2.36-9", "amd64", &sbom.Upstream{Name: "glibc"}, "dpkg-db-cataloger"
			p.Locations = []sbom.Location{{Path: "var/lib/dpkg/status", Layer: "sha256:aa"}}
			p.CPEs = []string{"cpe:2.3:a:gnu:glibc:2.36:*:*:*:*:*:*:*"}
		}},
		{"trivy rpm", `{"type":"library","bom-ref":"r","name":"openssl-libs","version":"3.0.7-18.el9","purl":"pkg:rpm/redhat/openssl-libs@3.0.7-18.el9?arch=x86_64&distro=redhat-9&epoch=1",
			"supplier":{"name":"Red Hat"},"properties":[{"name":"aquasecurity:trivy:SrcName","value":"openssl"},{"name":"aquasecurity:trivy:SrcVersion","value":"3.0.7"},
			{"name":"aquasecurity:trivy:SrcRelease","value":"18.el9"},{"name":"aquasecurity:trivy:SrcEpoch","value":"1"}]}`, func(p *sbom.Package) {
			p.Name, p.Version, p.Arch, p.Supplier = "openssl-libs", "1:3.0.7-18.el9", "x86_64", "Red Hat"
			p.Upstream = &sbom.Upstream{Name: "openssl", Version: "1:3.0.7-18.el9"}
		}},
		{"trivy npm", `{"type":"library","bom-ref":"r","group":"@babel","name":"core","version":"7.0.0","purl":"pkg:npm/%40babel/core@7.0.0",
			"properties":[{"name":"aquasecurity:trivy:FilePath","value":"app/package.json"},{"name":"aquasecurity:trivy:LayerDiffID","value":"sha256:bb"}]}`, func(p *sbom.Package) {
			p.Name, p.Version = "@babel/core", "7.0.0"
			p.Locations = []sbom.Location{{Path: "app/package.json", Layer: "sha256:bb"}}
		}},
		{"source rpm", `{"type":"library","bom-ref":"r","name":"bash","version":"5.1-1","purl":"pkg:rpm/fedora/bash@5.1-1?upstream=bash-5.1-1.src.rpm"}`, func(p *sbom.Package) {
			p.Name, p.Version = "bash", "5.1-1" // its own source: no upstream
		}},
		{"cdxgen", `{"type":"framework","bom-ref":"r","group":"org.slf4j","name":"slf4j-api","version":"1.7","scope":"optional","purl":"pkg:maven/org.slf4j/slf4j-api@1.7?type=jar",
			"evidence":{"identity":[{"field":"purl","confidence":1}],"occurrences":[{"location":"/src/A.java","line":3}]}}`, func(p *sbom.Package) {
			p.Type, p.Name, p.Version, p.Scope = "framework", "org.slf4j:slf4j-api", "1.7", sbom.ScopeOptional
			p.Locations = []sbom.Location{{Path: "src/A.java"}}
		}},
		{"red hat maven", `{"type":"library","bom-ref":"r","group":"com.redhat","name":"x","version":"1","publisher":"Red Hat","authors":[{"name":"A"},{"email":"b@example.org"}],
			"licenses":[{"license":{"name":"Apache-2.0"}},{"license":{"name":"GNU stuff"}}],"cpe":"cpe:/a:redhat:x:1","purl":"pkg:maven/com.redhat/x@1?type=jar&repository_url=https://maven.repository.redhat.com/ga/"}`, func(p *sbom.Package) {
			p.Name, p.Version, p.Originator = "com.redhat:x", "1", "A, b@example.org"
			p.Licenses = []sbom.License{{Name: "GNU stuff"}, {Expression: "Apache-2.0"}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := head + `"components":[` + c.component + `]}`
			d := mustDecode(t, in)
			if len(d.Gaps) > 0 {
				t.Errorf("noted: %v", d.Gaps)
			}
			got, want := d.Packages[0], sbom.Package{ID: "r"}
			c.want(&want)
			var raw struct{ Purl string }
			if err := json.Unmarshal([]byte(c.component), &raw); err != nil {
				t.Fatal(err)
			}
			want.PURL, _ = purl.Parse(raw.Purl)
			want.Properties, want.Foreign = got.Properties, got.Foreign
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			out, losses := mustEncode(t, d, nil)
			if diff := cmp.Diff(comparable(t, []byte(in)), comparable(t, []byte(out))); diff != "" || len(losses) > 0 {
				t.Errorf("-in +out:\n%s%v", diff, losses)
			}
		})
	}
}

// TestImagesOfProducers reads subjects and distributions of other producers.
func TestImagesOfProducers(t *testing.T) {
	in := head + `"metadata":{"component":{"type":"container","bom-ref":"i","name":"debian:12","properties":[
		{"name":"aquasecurity:trivy:ImageID","value":"sha256:cc"},{"name":"aquasecurity:trivy:DiffID","value":"sha256:aa"},{"name":"aquasecurity:trivy:DiffID","value":"sha256:bb"}]},
		"tools":{"components":[{"type":"application","group":"aquasecurity","name":"trivy","version":"0.50"}],"services":[]}},
		"components":[{"type":"operating-system","bom-ref":"o","name":"debian","version":"12","properties":[{"name":"syft:distro:prettyName","value":"Debian GNU/Linux 12"},
		{"name":"syft:distro:idLike:0","value":"x"}]}],
		"dependencies":[{"ref":"i","dependsOn":["o"]},{"ref":"o","dependsOn":[]}]}`
	d := mustDecode(t, in)
	want := sbom.Subject{ID: "i", Kind: sbom.SubjectImage, Name: "debian:12", ConfigDigest: "sha256:cc", Layers: []sbom.Layer{{DiffID: "sha256:aa"}, {DiffID: "sha256:bb"}},
		OS: &sbom.OS{ID: "debian", VersionID: "12", PrettyName: "Debian GNU/Linux 12", IDLike: []string{"x"}}, Package: d.Subject.Package}
	if diff := cmp.Diff(want, d.Subject); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]sbom.Tool{{Vendor: "aquasecurity", Name: "trivy", Version: "0.50"}}, d.Tools); diff != "" {
		t.Errorf("tools (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]sbom.Relationship{{From: "i", Kind: sbom.DependsOn, To: "o"}}, d.Relationships); diff != "" {
		t.Errorf("relationships (-want +got):\n%s", diff)
	}
	out, losses := mustEncode(t, d, nil)
	if diff := cmp.Diff(comparable(t, []byte(in)), comparable(t, []byte(out))); diff != "" || len(losses) > 0 {
		t.Errorf("-in +out:\n%s%v", diff, losses)
	}
}

// TestCPE compares with the pattern of the XML schema.
func TestCPE(t *testing.T) {
	files := testdata.Open(t, schemaPack)
	var root xsd
	if err := xml.Unmarshal(files["schema/bom-1.6.xsd"], &root); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(`name="cpe">(?s:.*?)<xs:pattern value="([^"]*)"`).FindSubmatch(files["schema/bom-1.6.xsd"])
	var text string
	if err := xml.Unmarshal([]byte("<a>"+string(pattern[1])+"</a>"), &text); err != nil {
		t.Fatal(err)
	}
	schema := regexp.MustCompile("^(?:" + text + ")$")
	part := rapid.StringOfN(rapid.RuneFrom([]rune("aZ0-._*?\\:!\"#$%&'()+,/;<=>@[]^`{|}~ €")), 0, 6, -1)
	fit := 0
	rapid.Check(t, func(t *rapid.T) {
		fields := strings.Split("cpe:2.3:a:v:p:1:u:e:en-us:s:t:h:o", ":")
		for range 2 {
			fields[rapid.IntRange(2, 12).Draw(t, "field")] = rapid.OneOf(part, rapid.SampledFrom([]string{"*", "-", "?a?", "*a*", "a\\:b", "de", "o"})).Draw(t, "value")
		}
		s := strings.Join(fields, ":")
		if fitCPE(s) {
			fit++
			if !schema.MatchString(s) {
				t.Errorf("%q passes and the schema refuses it", s)
			}
		}
	})
	if fit == 0 {
		t.Error("nothing passed")
	}
	for _, s := range []string{"cpe:2.3:a:vendor:product:1.0:*:*:*:*:*:*:*", "cpe:2.3:o:a\\:b:p_q:-:up?:*x*:de-AT:??a:*:-:*", "cpe:2.3:h:*:*:*:*:*:*:*:*:*:*"} {
		if !fitCPE(s) || !schema.MatchString(s) {
			t.Errorf("%q should pass", s)
		}
	}
}

func TestLicenseList(t *testing.T) {
	var schema struct{ Enum []string }
	if err := json.Unmarshal(testdata.Open(t, schemaPack)["schema/spdx.schema.json"], &schema); err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for _, id := range schema.Enum {
		allowed[id] = true
	}
	if len(licenseIDs()) < 700 {
		t.Errorf("%d licences", len(licenseIDs()))
	}
	for id := range licenseIDs() {
		if !allowed[id] {
			t.Errorf("%s is not in the schema", id)
		}
	}
}

func TestExpressions(t *testing.T) {
	for s, want := range map[string]bool{
		"MIT": true, "MIT OR Apache-2.0": true, "(MIT)": true, "GPL-2.0+": true, "GPL-2.0-only WITH Classpath-exception-2.0": true,
		"(MIT AND (ISC OR Zlib)) OR LicenseRef-x": true, "DocumentRef-a:LicenseRef-b": true, " MIT  AND ISC ": true,
		"": false, "MIT ISC": false, "MIT OR": false, "OR MIT": false, "(MIT": false, "MIT)": false, "()": false, "mit": false, "Foo": false,
		"MIT WITH": false, "NOASSERTION": false, "LicenseRef-": false, "MIT or ISC": false, "(MIT)(ISC)": false, "DocumentRef-a:MIT": false,
		strings.Repeat("(", 10_000) + "MIT" + strings.Repeat(")", 10_000): true,
	} {
		if got := validExpression(s); got != want {
			t.Errorf("%.60q: %v", s, got)
		}
	}
}

func TestURIs(t *testing.T) {
	for s, want := range map[string]bool{
		"https://example.org/a?b=c#d": true, "git+ssh://x/y": true, "a/b": true, "urn:cdx:x/1#y": true, "mailto:a@b": true,
		"": false, "a b": false, "http://[": false, "http://a/%zz": false, "http://a/%2": false, "http://ä": false, "1http://x": false, "a#b#c": false, "http://a:b/": false,
	} {
		if got := fitURI(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}
