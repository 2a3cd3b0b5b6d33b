package advisory_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan/sbom"
)

func TestKeys(t *testing.T) {
	debian := &sbom.OS{ID: "debian", VersionID: "12"}
	for name, c := range map[string]struct {
		os   *sbom.OS
		url  string
		cpes []string
		want string
	}{
		"source package":     {debian, "pkg:deb/debian/libssl3@3.0?upstream=openssl%403.0", nil, "Debian/openssl"},
		"its own source":     {debian, "pkg:deb/debian/bash@5", nil, "Debian/bash"},
		"binary package":     {nil, "pkg:rpm/almalinux/bash-doc@5?distro=almalinux-9&upstream=bash", nil, "AlmaLinux/bash-doc"},
		"either":             {nil, "pkg:apk/wolfi/openssl-dev@3?distro=wolfi&upstream=openssl", nil, "Wolfi/openssl Wolfi/openssl-dev"},
		"Red Hat":            {nil, "pkg:rpm/redhat/bash@5?distro=rhel-9.2", nil, "Red Hat/bash"},
		"SUSE":               {nil, "pkg:rpm/suse/bash@5?distro=sles-15.5", nil, "SUSE/bash"},
		"unknown system":     {nil, "pkg:deb/bash@5", nil, ""},
		"system nobody has":  {nil, "pkg:deb/hobby/bash@5?distro=hobby-1", nil, ""},
		"canonical":          {nil, "pkg:pypi/Foo_.Bar@1", nil, "PyPI/foo-bar"},
		"scope":              {nil, "pkg:npm/%40a/b@1", nil, "npm/@a/b"},
		"nobody's type":      {nil, "pkg:generic/x@1", nil, ""},
		"CPE":                {nil, "pkg:generic/x@1", []string{`cpe:2.3:a:Open\:ssl:openssl:3.0:*:*:*:*:*:*:*`, "cpe:/a:gnu:bash:5", "nonsense", "cpe:2.3:a:x:*:1"}, `CPE/a:gnu:bash CPE/a:open\:ssl:openssl`},
		"name that is none":  {nil, "pkg:npm/" + strings.Repeat("x", advisory.MaxKeyName+1) + "@1", nil, ""},
		"longest name there": {nil, "pkg:npm/" + strings.Repeat("x", advisory.MaxKeyName) + "@1", nil, "npm/" + strings.Repeat("x", advisory.MaxKeyName)},
	} {
		doc := document(c.os, c.url)
		doc.Packages[0].CPEs = c.cpes
		var got []string
		keys := advisory.Keys(doc)
		for _, k := range keys[0].Keys {
			got = append(got, k.Ecosystem+"/"+k.Name)
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" || (keys[0].Fact != "") != (c.want != "") || keys[0].Package != c.url {
			t.Errorf("%s: %+v (-want +got):\n%s", name, keys, diff)
		}
	}
}

// the systems and types that packages of the property are of.
var (
	randomSystems = []string{"deb/debian debian-12 Debian:12", "deb/ubuntu ubuntu-22.04 Ubuntu:22.04:LTS", "apk/alpine alpine-3.20.1 Alpine:v3.20", "apk/wolfi wolfi Wolfi",
		"rpm/redhat rhel-9.2 Red Hat:enterprise_linux:9::appstream", "rpm/rocky rocky-9.1 Rocky Linux:9", "rpm/almalinux almalinux-8.5 AlmaLinux:8", "rpm/suse sles-15.5 SUSE:Linux Enterprise Server 15 SP5",
		"rpm/azurelinux azurelinux-3.0 Azure Linux:3", "rpm/opensuse opensuse-leap-15.5 openSUSE:Leap 15.5", "rpm/amzn amzn-2023 Amazon Linux:2023", "deb/chainguard chainguard Chainguard"}
	randomTypes = []string{"npm npm", "pypi PyPI", "golang Go", "maven Maven", "cargo crates.io", "gem RubyGems", "nuget NuGet", "composer Packagist"}
	someNames   = []string{"a", "c_d", "E.f"}
)

// palette is what one run is about: few things, so that they meet.
type palette struct{ systems, types []string }

func drawPalette(t *rapid.T) palette {
	return palette{
		rapid.SliceOfN(rapid.SampledFrom(randomSystems), 1, 2).Draw(t, "systems"),
		rapid.SliceOfN(rapid.SampledFrom(randomTypes), 1, 2).Draw(t, "types"),
	}
}

// document draws packages of systems and languages, some owned.
func (c palette) document(t *rapid.T) *sbom.Document {
	doc := &sbom.Document{}
	if rapid.Bool().Draw(t, "has os") {
		doc.Subject.OS = rapid.SampledFrom([]*sbom.OS{{ID: "debian", VersionID: "12"}, {ID: "alpine", VersionID: "3.20.1"}, {ID: "rhel", VersionID: "9", CPE: "cpe:/o:redhat:enterprise_linux:9::baseos"}}).Draw(t, "os")
	}
	for range rapid.IntRange(0, 10).Draw(t, "packages") {
		name, v := rapid.SampledFrom(someNames).Draw(t, "name"), rapid.SampledFrom([]string{"1.0", "1.5", "2.0", ""}).Draw(t, "version")
		url := ""
		if rapid.Bool().Draw(t, "system") {
			parts := strings.SplitN(rapid.SampledFrom(c.systems).Draw(t, "of"), " ", 3)
			url = "pkg:" + parts[0] + "/" + name + "@" + v + "?distro=" + parts[1]
			if rapid.Bool().Draw(t, "has source") {
				url += "&upstream=" + rapid.SampledFrom(someNames).Draw(t, "source") + rapid.SampledFrom([]string{"", "%401.2"}).Draw(t, "source version")
			}
		} else {
			typ, _, _ := strings.Cut(rapid.SampledFrom(c.types).Draw(t, "type"), " ")
			if url = "pkg:" + typ + "/" + name + "@" + v; typ == "maven" || typ == "golang" || typ == "composer" {
				url = "pkg:" + typ + "/g/" + name + "@" + v
			}
		}
		p := pkg(strings.Replace(url, "@?", "?", 1))
		p.ID = fmt.Sprint("p", len(doc.Packages))
		if rapid.Bool().Draw(t, "has a CPE") {
			p.CPEs = []string{"cpe:2.3:a:" + rapid.SampledFrom([]string{"v:x", "v:y"}).Draw(t, "product") + ":" + rapid.SampledFrom([]string{"1.0", "*"}).Draw(t, "CPE version") + ":*:*:*:*:*:*:*"}
		}
		if p.PURL.Type == "rpm" && rapid.Bool().Draw(t, "modular") {
			p.Properties = []sbom.Property{{Name: "rpm:modularitylabel", Value: "nodejs:18:1:x"}}
		}
		doc.Packages = append(doc.Packages, p)
		if rapid.IntRange(0, 4).Draw(t, "owned") == 0 {
			doc.Relationships = append(doc.Relationships, sbom.Relationship{From: p.ID, To: "p0", Kind: sbom.OwnedBy})
		}
	}
	return doc
}

// records draws records about the same packages.
func (c palette) records(t *rapid.T) []*advisory.Record {
	var list []*advisory.Record
	for i := range rapid.IntRange(0, 20).Draw(t, "records") {
		ecosystem := ""
		if rapid.Bool().Draw(t, "system record") {
			ecosystem = strings.SplitN(rapid.SampledFrom(c.systems).Draw(t, "about"), " ", 3)[2]
		} else {
			_, ecosystem, _ = strings.Cut(rapid.SampledFrom(c.types).Draw(t, "about"), " ")
		}
		name := rapid.SampledFrom(someNames).Draw(t, "names")
		if rapid.IntRange(0, 3).Draw(t, "CPE record") == 0 {
			ecosystem, name = "CPE", rapid.SampledFrom([]string{"a:v:x", "a:v:y"}).Draw(t, "product")
		}
		switch ecosystem {
		case "Maven":
			name = "g:" + name
		case "Go", "Packagist":
			name = "g/" + name
		}
		list = append(list, record(fmt.Sprint("R-", i), in(ecosystem, name, v("0", rapid.SampledFrom([]string{"1.2", "1.7", "3"}).Draw(t, "fixed"))),
			aliases(rapid.SampledFrom([]string{"CVE-2024-1", "CVE-2024-2", "X-1"}).Draw(t, "alias"))))
	}
	return list
}

// TestKeysAreComplete: whatever a view has, a finding is about a key of its
// package; and packages matched by their facts have the findings that they have
// in their document.
func TestKeysAreComplete(t *testing.T) {
	found, byCPE := 0, 0
	check := func(t *rapid.T) {
		c := drawPalette(t)
		doc, known := c.document(t), view(t, c.records(t)...)
		keys := advisory.Keys(doc)
		m := advisory.Matcher{View: known, Options: advisory.Options{MatchOwned: rapid.Bool().Draw(t, "match owned"), CPE: rapid.Bool().Draw(t, "by CPE")}}
		whole, err := m.Match(t.Context(), doc)
		if err != nil {
			t.Fatal(err)
		}
		at := map[string]int{}
		var facts []string
		for i, k := range keys {
			if k.Package != doc.Packages[i].ID {
				t.Fatalf("key %d is of %s", i, k.Package)
			}
			if k.Fact != "" {
				at[k.Package] = len(facts)
				facts = append(facts, k.Fact)
			}
		}
		want := map[string][]finding.Finding{}
		for _, f := range whole.Findings {
			if found++; f.Evidence.Ecosystem == "CPE" {
				byCPE++
			}
			i := slices.IndexFunc(keys, func(k advisory.PackageKey) bool { return k.Package == f.Package })
			key := finding.Key{Ecosystem: advisory.BaseEcosystem(f.Evidence.Ecosystem), Name: f.Evidence.Name}
			if i < 0 || !slices.Contains(keys[i].Keys, key) {
				t.Fatalf("%v is not among the keys of %s: %+v", key, f.PURL, keys)
			}
			f.Package = strconv.Itoa(at[f.Package])
			want[f.Package] = append(want[f.Package], f)
		}
		got := map[string][]finding.Finding{}
		docs, err := advisory.Recall(facts)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			r, err := m.Match(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range r.Findings {
				got[f.Package] = append(got[f.Package], f)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("by facts (-document +facts):\n%s", diff)
		}
	}
	// Few draws of a short run meet: draw until enough do.
	for n := 0; n < 20 && (found < 50 || byCPE < 5); n++ {
		rapid.Check(t, check)
	}
	if found < 50 || byCPE < 5 {
		t.Errorf("only %d findings were looked at, %d by CPE", found, byCPE)
	}
}

func TestRecallRefuses(t *testing.T) {
	for _, f := range []string{"", "[]", `{"p":"npm"}`, `{"n":1}`, `{"n":"a","n":"b"}`} {
		if _, err := advisory.Recall([]string{f}); err == nil || !strings.Contains(err.Error(), "package fact") {
			t.Errorf("%q: %v", f, err)
		}
	}
}
