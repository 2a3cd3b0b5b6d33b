package rpm

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/rpmdb"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/distro"
	"github.com/stella-ops/stella/scan/sbom"
)

func join(os *sbom.OS, facts ...analyzer.Located) (purls []string, gaps []sbom.Gap) {
	out, gaps := Analyzer{}.Join(&analyzer.Squashed{OS: os, Facts: facts, Resolve: func(p string) string { return p }})
	for _, f := range out {
		purls = append(purls, f.Package.PURL.String())
	}
	return purls, gaps
}

func located(path string, p rpmdb.Package) analyzer.Located {
	return analyzer.Located{Fact: packageFact(&p), Path: path}
}

func TestPackageURL(t *testing.T) {
	full := rpmdb.Package{Name: "perl-libs", Version: "5.26.3", Release: "419.el8_4.1~x^y+z", Epoch: 4, HasEpoch: true, Arch: "x86_64",
		SourceRPM: "perl-5.26.3-419.el8_4.1.src.rpm", ModularityLabel: "perl:5.26:8040:ab12"}
	plain := rpmdb.Package{Name: "Mixed", Version: "1", Release: "2", Arch: "noarch"}
	for _, c := range []struct {
		os   *sbom.OS
		p    rpmdb.Package
		want string
	}{
		{&sbom.OS{ID: "rhel", VersionID: "8.4"}, full, "pkg:rpm/redhat/perl-libs@5.26.3-419.el8_4.1~x%5Ey%2Bz?arch=x86_64&distro=rhel-8.4&epoch=4&modularitylabel=perl:5.26:8040:ab12&upstream=perl-5.26.3-419.el8_4.1.src.rpm"},
		{&sbom.OS{ID: "opensuse-tumbleweed"}, plain, "pkg:rpm/opensuse/Mixed@1-2?arch=noarch&distro=opensuse-tumbleweed"},
		{&sbom.OS{ID: "sles", VersionID: "15.6"}, plain, "pkg:rpm/suse/Mixed@1-2?arch=noarch&distro=sles-15.6"},
		{&sbom.OS{ID: "sl-micro", VersionID: "6.0"}, plain, "pkg:rpm/suse/Mixed@1-2?arch=noarch&distro=sl-micro-6.0"},
		{&sbom.OS{ID: "ol", VersionID: "9.2"}, plain, "pkg:rpm/oracle/Mixed@1-2?arch=noarch&distro=ol-9.2"},
		{&sbom.OS{ID: "amzn", VersionID: "2023"}, plain, "pkg:rpm/amazon/Mixed@1-2?arch=noarch&distro=amzn-2023"},
		{&sbom.OS{ID: "rocky", VersionID: "9.3"}, plain, "pkg:rpm/rocky/Mixed@1-2?arch=noarch&distro=rocky-9.3"},
		{&sbom.OS{ID: "almalinux", VersionID: "9.3"}, plain, "pkg:rpm/almalinux/Mixed@1-2?arch=noarch&distro=almalinux-9.3"},
		{&sbom.OS{ID: "azurelinux", VersionID: "3.0"}, plain, "pkg:rpm/azurelinux/Mixed@1-2?arch=noarch&distro=azurelinux-3.0"},
		{&sbom.OS{ID: "openEuler", VersionID: "24.03"}, plain, "pkg:rpm/openeuler/Mixed@1-2?arch=noarch&distro=openEuler-24.03"},
	} {
		purls, gaps := join(c.os, located(fedoraDB, c.p))
		if len(purls) != 1 || purls[0] != c.want || len(gaps) != 0 {
			t.Errorf("got %v %v, want %s", purls, gaps, c.want)
		}
	}
}

func TestUnknownDistribution(t *testing.T) {
	for _, os := range []*sbom.OS{nil, {}} {
		purls, gaps := join(os, located(fedoraDB, rpmdb.Package{Name: "a", Version: "1", Release: "2"}))
		want := []sbom.Gap{{Code: sbom.GapUnidentified, Blocking: true, Where: fedoraDB, What: "rpm packages, but no os-release says which distribution they belong to"}}
		if diff := cmp.Diff(want, gaps); diff != "" || !slices.Equal(purls, []string{"pkg:rpm/a@1-2"}) {
			t.Errorf("%v (-want +got):\n%s", purls, diff)
		}
	}
	if purls, gaps := join(nil); purls != nil || gaps != nil {
		t.Errorf("no facts: %v %v", purls, gaps)
	}
}

func TestPrecedence(t *testing.T) {
	const (
		sqlite   = "var/lib/rpm/rpmdb.sqlite"
		ndb      = "var/lib/rpm/Packages.db"
		berkeley = "var/lib/rpm/Packages"
	)
	fedora, suse, rhel8 := &sbom.OS{ID: "fedora", VersionID: "40"}, &sbom.OS{ID: "opensuse-leap", VersionID: "15.6"}, &sbom.OS{ID: "rhel", VersionID: "8.10"}
	for _, c := range []struct {
		os    *sbom.OS
		paths []string // sorted; each has a package of its own and a common one
		want  string
		gaps  int
	}{
		{fedora, []string{berkeley, ndb, sqlite}, sqlite, 2},
		{suse, []string{berkeley, ndb, sqlite}, ndb, 2},
		{suse, []string{sqlite}, sqlite, 0},
		{rhel8, []string{berkeley, sqlite}, berkeley, 1},
		{&sbom.OS{ID: "rhel", VersionID: "9.1"}, []string{berkeley, sqlite}, sqlite, 1},
		{&sbom.OS{ID: "amzn", VersionID: "2"}, []string{berkeley, sqlite}, berkeley, 1},
		{&sbom.OS{ID: "amzn", VersionID: "2023"}, []string{berkeley, sqlite}, sqlite, 1},
		{nil, []string{berkeley, ndb}, ndb, 2},
		{fedora, []string{fedoraDB, sqlite}, fedoraDB, 1},
		{fedora, []string{"usr/share/rpm/rpmdb.sqlite", sqlite}, "usr/share/rpm/rpmdb.sqlite", 1},
		{rhel8, []string{suseDB, berkeley}, suseDB, 1},
		{fedora, []string{sqlite, longManifest}, sqlite, 1},
		{fedora, []string{nameManifest, longManifest}, longManifest, 0},
		{fedora, []string{nameManifest}, nameManifest, 1},
	} {
		var facts []analyzer.Located
		for _, p := range c.paths {
			facts = append(facts, located(p, rpmdb.Package{Name: p, Version: "1", Release: "2"}), located(p, rpmdb.Package{Name: "common", Version: "1", Release: "2"}))
		}
		out, gaps := Analyzer{}.Join(&analyzer.Squashed{OS: c.os, Facts: facts})
		if len(out) != 2 || out[0].Path != c.want || out[1].Path != c.want || len(gaps) != c.gaps {
			t.Errorf("%v: %+v, gaps %+v; want %s", c.paths, out, gaps, c.want)
		}
		for _, g := range gaps {
			if g.Code == sbom.GapOddity && g.Where != nameManifest && !strings.Contains(g.What, "rpm uses "+c.want+"; 1 of the 2 packages here") {
				t.Errorf("%v: gap %+v", c.paths, g)
			}
		}
	}
}

func TestJoinLeavesItsInputAlone(t *testing.T) {
	facts := []analyzer.Located{located(fedoraDB, rpmdb.Package{Name: "a", Version: "1", Release: "2", SourceRPM: "b-1-2.src.rpm"}), located(suseDB, rpmdb.Package{Name: "b"})}
	before := []analyzer.Located{located(fedoraDB, rpmdb.Package{Name: "a", Version: "1", Release: "2", SourceRPM: "b-1-2.src.rpm"}), located(suseDB, rpmdb.Package{Name: "b"})}
	for range 2 {
		if purls, _ := join(&sbom.OS{ID: "fedora"}, facts...); len(purls) != 1 {
			t.Errorf("%v", purls)
		}
	}
	if diff := cmp.Diff(before, facts); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestUpstream(t *testing.T) {
	for _, c := range []struct {
		p    rpmdb.Package
		want *sbom.Upstream
	}{
		{rpmdb.Package{Name: "bash", Version: "5", Release: "1", SourceRPM: "bash-5-1.src.rpm"}, nil},
		{rpmdb.Package{Name: "libuuid", Version: "2", Release: "1", SourceRPM: "util-linux-2-1.src.rpm"}, &sbom.Upstream{Name: "util-linux"}},
		{rpmdb.Package{Name: "perl", Version: "2", Release: "1", SourceRPM: "perl-5-1.src.rpm"}, &sbom.Upstream{Name: "perl", Version: "5-1"}},
		{rpmdb.Package{Name: "x", SourceRPM: "a-b-1.2-3.nosrc.rpm"}, &sbom.Upstream{Name: "a-b", Version: "1.2-3"}},
		{rpmdb.Package{Name: "x"}, nil},
		{rpmdb.Package{Name: "x", SourceRPM: "odd"}, nil},
		{rpmdb.Package{Name: "x", SourceRPM: "a-1.src.rpm"}, nil},
		{rpmdb.Package{Name: "x", SourceRPM: "-1-2.src.rpm"}, nil},
	} {
		if diff := cmp.Diff(c.want, distro.RPMUpstream(c.p.Name, c.p.VR(), c.p.SourceRPM)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.p.SourceRPM, diff)
		}
	}
}

func TestSplitSourceProperty(t *testing.T) {
	part := rapid.StringMatching(`[a-z0-9.+~^_]+`)
	rapid.Check(t, func(t *rapid.T) {
		name := strings.Join(rapid.SliceOfN(part, 1, 4).Draw(t, "name"), "-")
		version := part.Draw(t, "version") + "-" + part.Draw(t, "release")
		n, v, ok := distro.SplitSource(name + "-" + version + ".src.rpm")
		if !ok || n != name || v != version {
			t.Fatalf("%s-%s.src.rpm splits into %q %q %v", name, version, n, v, ok)
		}
	})
}

// TestPrecedenceProperty: every path of the analyzer has one rank, whatever the
// distribution, and the database decides before the manifests.
func TestPrecedenceProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		os := &sbom.OS{ID: rapid.SampledFrom([]string{"", "rhel", "fedora", "sles", "amzn", "ol", "odd"}).Draw(t, "id"), VersionID: rapid.SampledFrom([]string{"", "7", "8.1", "9", "2", "2023", "x"}).Draw(t, "version")}
		order := precedence(os)
		var databases []string
		for _, p := range (Analyzer{}).Paths().Exact {
			if !strings.HasSuffix(p, walName) && !strings.HasSuffix(p, rollbackName) {
				databases = append(databases, p)
			}
		}
		if !slices.Equal(order[9:], []string{longManifest, nameManifest}) {
			t.Fatalf("last are %v", order[9:])
		}
		slices.Sort(databases)
		if slices.Sort(order); !slices.Equal(order, databases) {
			t.Fatalf("%v, want %v in some order", order, databases)
		}
	})
}
