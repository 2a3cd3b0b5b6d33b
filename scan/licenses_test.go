package scan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

func licensed(typ, name, at string, change func(*found)) found {
	f := found{owner: -1, Located: analyzer.Located{Path: at, Fact: analyzer.Fact{Kind: analyzer.KindPackage,
		Package: &sbom.Package{Name: name, Version: "1", PURL: purl.PackageURL{Type: typ, Name: name, Version: "1"}}}}}
	if change != nil {
		change(&f)
	}
	return f
}

func textAt(p string, expressions ...string) analyzer.Located {
	said := &sbom.Package{}
	for _, e := range expressions {
		said.Licenses = append(said.Licenses, sbom.License{Kind: sbom.LicenseDetected, Expression: e})
	}
	return analyzer.Located{Path: p, Fact: analyzer.Fact{Kind: analyzer.KindLicense, Package: said}}
}

// TestAttachLicenses: to whom a text belongs.
func TestAttachLicenses(t *testing.T) {
	all := []found{
		licensed("npm", "a", "app/node_modules/a/package.json", nil),
		licensed("npm", "b", "app/node_modules/a/node_modules/b/package.json", nil),
		licensed("npm", "app", "app/package.json", nil),
		licensed("npm", "locked", "app/package-lock.json", func(f *found) { f.Package.State = sbom.Declared }),
		licensed("pypi", "p", "usr/lib/p-1.dist-info/METADATA", nil),
		licensed("composer", "v/c", "web/vendor/composer/installed.json", nil),
		licensed("gem", "g", "gems/specifications/g-1.gemspec", nil),
		licensed("golang", "example.com/m", "src/vendor/modules.txt", func(f *found) { f.Package.State = sbom.Declared }),
		licensed("maven", "j", "app/lib/j.jar", nil),
		licensed("generic", "jdk", "opt/jdk/release", func(f *found) { f.Holds = []string{"./"} }),
		licensed("deb", "libx", "var/lib/dpkg/status", func(f *found) {
			f.Owns = []string{"usr/bin/x", "usr/share/doc/libx-common/LICENSE", "usr/share/docs"}
			f.Package.Licenses = []sbom.License{{Name: "GPL-2+ and Expat"}}
		}),
		licensed("rpm", "r", "var/lib/rpm/rpmdb.sqlite", nil),
	}
	texts := []analyzer.Located{
		textAt("app/LICENSE", "Apache-2.0"),
		textAt("app/lib/LICENSE", "EPL-2.0"),
		textAt("app/node_modules/a/LICENSE", "ISC", "MIT"),
		textAt("app/node_modules/a/node_modules/b/LICENSE", "0BSD"),
		textAt("app/node_modules/a/vendor/z/LICENSE", "Zlib"),
		textAt("gems/gems/g-1/COPYING", "Ruby"),
		textAt("opt/jdk/legal/java.base/LICENSE", "GPL-2.0-only"),
		textAt("src/vendor/example.com/m/LICENSE", "BSD-3-Clause"),
		textAt("src/vendor/example.com/other/LICENSE", "BSD-2-Clause"),
		textAt("usr/lib/p-1.dist-info/licenses/LICENSE", "PSF-2.0"),
		textAt("usr/share/doc/libx-common/LICENSE", "GPL-2.0-only"),
		textAt("usr/share/licenses/r/COPYING", "LGPL-2.1-only"),
		textAt("usr/share/licenses/unknown/COPYING", "LGPL-2.1-only"),
		textAt("web/vendor/v/c/LICENSE", "MIT"),
	}
	before := all[10].Package
	attachLicenses(all, texts)
	var got []string
	for _, f := range all {
		var list []string
		for _, l := range f.Package.Licenses {
			if l.Kind == sbom.LicenseDetected {
				list = append(list, l.Expression)
			}
		}
		for _, p := range f.Package.Properties {
			list = append(list, p.Value)
		}
		got = append(got, fmt.Sprintf("%s %s", f.Package.Name, strings.Join(list, " ")))
	}
	want := []string{
		"a ISC MIT app/node_modules/a/LICENSE",
		"b 0BSD app/node_modules/a/node_modules/b/LICENSE",
		"app Apache-2.0 app/LICENSE",
		"locked ",
		"p PSF-2.0 usr/lib/p-1.dist-info/licenses/LICENSE",
		"v/c MIT web/vendor/v/c/LICENSE",
		"g Ruby gems/gems/g-1/COPYING",
		"example.com/m BSD-3-Clause src/vendor/example.com/m/LICENSE",
		"j ",
		"jdk GPL-2.0-only opt/jdk/legal/java.base/LICENSE",
		"libx GPL-2.0-or-later usr/share/doc/libx-common/LICENSE", // the text is that of what the package declares
		"r LGPL-2.1-only usr/share/licenses/r/COPYING",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(before.Licenses) != 1 || before.Properties != nil {
		t.Errorf("the fact was changed: %+v", before)
	}
}

// TestSameText: the text of a GNU licence is that of what the package declares,
// and of nothing else.
func TestSameText(t *testing.T) {
	declared := func(s ...string) (out []sbom.License) {
		for _, x := range s {
			out = append(out, sbom.License{Name: x})
		}
		return out
	}
	for _, tt := range []struct {
		detected string
		declared []sbom.License
		want     string
	}{
		{"GPL-2.0-only", nil, "GPL-2.0-only"},
		{"GPL-2.0-only", declared("GPL-2+"), "GPL-2.0-or-later"},
		{"GPL-2.0-only", declared("MIT", "(GPL-2.0+ OR MIT)"), "GPL-2.0-or-later"},
		{"GPL-2.0-only", declared("GPL-3+", "LGPL-2.0+", "GPL-2"), "GPL-2.0-only"},
		{"GPL-2.0-only", []sbom.License{{Kind: sbom.LicenseConcluded, Expression: "GPL-2.0-or-later"}}, "GPL-2.0-only"},
		{"MIT", declared("GPL-2+"), "MIT"},
	} {
		if got := sameText(tt.detected, tt.declared); got != tt.want {
			t.Errorf("sameText(%s, %v) = %s, want %s", tt.detected, tt.declared, got, tt.want)
		}
	}
}

// TestTakeLicenses: texts leave the facts, sorted by path.
func TestTakeLicenses(t *testing.T) {
	set := analyzer.NewSet(inert("x"), inert("y"))
	c := &composition{run: &run{Scanner: &Scanner{Analyzers: set}}, visible: map[string][]analyzer.Located{
		"x": {textAt("b/LICENSE", "MIT"), licensed("npm", "a", "a/package.json", nil).Located},
		"y": {textAt("a/LICENSE", "ISC"), {Path: "c", Fact: analyzer.Fact{Kind: analyzer.KindLicense}}},
	}}
	var paths []string
	for _, f := range c.takeLicenses() {
		paths = append(paths, f.Path)
	}
	if want := []string{"a/LICENSE", "b/LICENSE"}; !slices.Equal(paths, want) {
		t.Errorf("texts %q, want %q", paths, want)
	}
	if len(c.visible["x"]) != 1 || len(c.visible["y"]) != 0 {
		t.Errorf("left: %v", c.visible)
	}
}

// inert is an analyzer that wants nothing.
type inert string

func (a inert) Info() analyzer.Info { return analyzer.Info{Name: string(a), Version: 1} }
func (inert) Paths() analyzer.Paths { return analyzer.Paths{} }
func (inert) Extract(context.Context, *analyzer.File) ([]analyzer.Fact, error) {
	return nil, nil
}
