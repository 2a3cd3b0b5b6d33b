package version

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFor(t *testing.T) {
	got := map[string]string{}
	want := map[string]string{
		"Debian": "deb", "Debian:12": "deb", "Debian:sid": "deb", "Ubuntu:22.04:LTS": "deb", "Ubuntu:Pro:18.04:LTS": "deb", "Echo": "deb",
		"Alpine": "apk", "Alpine:v3.18": "apk", "Wolfi": "apk", "Chainguard": "apk", "MinimOS": "apk", "CleanStart": "apk", "Alpaquita:stream": "apk",
		"BellSoft Hardened Containers:23": "apk",
		"Red Hat:rhel_aus:8.4::appstream": "rpm", "Rocky Linux:9": "rpm", "AlmaLinux:9": "rpm", "SUSE:Linux Enterprise Server 15": "rpm",
		"openSUSE:Leap 15.5": "rpm", "Mageia:9": "rpm", "openEuler:22.03-LTS": "rpm", "Photon OS:3.0": "rpm", "Azure Linux:3": "rpm",
		"Amazon Linux": "rpm", "Oracle Linux:9": "rpm",
		"Go": "golang", "Kubernetes": "golang", "npm": "npm", "PyPI": "pypi", "Maven": "maven", "Maven:https://maven.google.com": "maven",
		"RubyGems": "gem", "NuGet": "nuget", "Packagist": "composer", "Packagist:https://packages.drupal.org/8": "composer",
		"crates.io": "semver", "Hex": "semver", "Pub": "pub", "CRAN": "cran", "Bioconductor": "cran", "ConanCenter": "conan",
		"Bitnami": "bitnami", "SwiftURL": "semver", "GitHub Actions": "semver", "VSCode:https://open-vsx.org": "semver", "GHC": "semver",
		"Julia": "julia", "Hackage": "hackage", "opam": "opam", "CPE": "cpe", "CPE:wordpress": "cpe",
		"TuxCare:Red Hat": "rpm", "TuxCare:Alpine:v3.16": "apk", "Root:PyPI": "pypi", "Root:Debian:12": "deb",
		"Docker Hardened Images:Alpine:3.23": "apk",
	}
	for name := range want {
		s, err := For(name)
		if err != nil {
			t.Errorf("For(%q): %v", name, err)
		}
		got[name] = s.String()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("schemes (-want +got):\n%s", diff)
	}
	for _, name := range []string{
		"", ":", "debian", "Debian ", "Android", "Linux", "OSS-Fuzz", "FreeBSD:ports", "GIT", "TuxCare", "TuxCare:TuxCare:npm", "Root:", strings.Repeat("x", 1<<16),
	} {
		if s, err := For(name); !errors.Is(err, ErrUnsupported) || s != (Scheme{}) {
			t.Errorf("For(%.20q): got %v, %v", name, s, err)
		}
	}
}

func TestForVERS(t *testing.T) {
	for typ, want := range map[string]string{
		"deb": "deb", "apk": "apk", "rpm": "rpm", "alpm": "alpm", "gentoo": "gentoo", "ebuild": "gentoo", "openssl": "openssl",
		"npm": "npm", "pypi": "pypi", "golang": "golang", "maven": "maven", "gem": "gem", "nuget": "nuget", "composer": "composer",
		"cargo": "semver", "hex": "semver", "swift": "semver", "github": "semver", "bitnami": "bitnami", "semver": "semver",
		"pub": "pub", "dart": "pub", "julia": "julia", "cran": "cran", "hackage": "hackage", "conan": "conan", "opam": "opam",
		"intdot": "intdot", "lexicographic": "lexicographic", "datetime": "datetime",
	} {
		if s, err := ForVERS(typ); err != nil || s.String() != want {
			t.Errorf("ForVERS(%q): got %v, %v, want %s", typ, s, err, want)
		}
	}
	for _, typ := range []string{"", "all", "none", "generic", "NPM", "nosuch"} {
		if _, err := ForVERS(typ); !errors.Is(err, ErrUnsupported) {
			t.Errorf("ForVERS(%q): got %v", typ, err)
		}
	}
}

// TestOrder has what the lists of others lack: each line is in rising order, and
// versions joined by = are equal.
func TestOrder(t *testing.T) {
	for ecosystem, lines := range map[string][]string{
		"Debian": {
			"1~~ 1~~a 1~ 1=1-0=0:1=+0:1 1+b1 1.0 1.0-1~bpo1 1.0-1 1.0-1ubuntu1 1.0-1+deb12u1 1.0-10 1:0",
			"1-1 1-1-1 1:1:1-1",
			"1.0=\t1.0\u00a0 1.1", // dpkg trims blanks
		},
		"Red Hat": {
			"1~rc1 1 1-0 1^git1 1a 1.1=1_1 1:0=01:0",
			"0:1=1=:1 1- 1-1",
		},
		"Alpine": {
			"1.0_alpha 1.0_beta 1.0_pre 1.0_rc 1.0 1.0-r1 1.0~ab 1.0_cvs 1.0_svn 1.0_git 1.0_hg 1.0_p 1.0_p1 1.0_p1_p 1.0a 1.0a1 1.0.0",
			"1.05 1.1 1.10",        // a leading zero makes a decimal fraction, as in apk-tools 3
			"1-r=1-r0 1-r1",        // as in apk-tools 2
			"10.2.r0 10.2 10.2-r0", // nothing after a dot
			"6.6.2_p1 6.6.2p1 6.6.2p2",
		},
		"Go": {
			"0.0.0-20200101000000-abcdef012345=v0.0.0-20200101000000-abcdef012345 v0.0.0-20210101000000-abcdef012345 0.0.0",
			"1.2.3-0 1.2.3-pre 1.2.3-pre.0.20200101000000-abcdef012345 1.2.3=v1.2.3+incompatible 1.2.4-0.20200101000000-abcdef012345",
			"1.21.0-0 1.21beta1 1.21.0-rc.1=go1.21rc1=1.21rc1 1.21.0-rc.2 go1.21.0=1.21.0=go1.21=1.21 go1.21.1 go1.21.10",
			"go1.21.3 go1.21.4\u00a0X:boringcrypto=go1.21.4-vendor",
		},
		"npm":     {"1.2.3-beta=1.2.3beta 1.2.3=v1.2.3=01.2.3+b"},
		"Bitnami": {"7.4.0-9 7.4.1-rc.1 7.4.1-rc.1-2 7.4.1=v7.4.1 7.4.1-0 7.4.1-1 7.4.1-10 7.4.2"},
		"Hex":     {"1.0.0-rc.1 1.0.0-rc.10 1.0.0=1=1.0 1.0.0.1"},
		"Pub":     {"1.0.0-a 1.0.0-a+1 1.0.0 1.0.0+1 1.0.0+10 1.0.0+a"},
		"Julia":   {"1.0.0- 1.0.0-rc1=1.0rc1 1.0.0=1=v1.0 1.0.0+0 1.0.0+1 1.0.0+10 1.0.1"},
		"Maven":   {"1-alpha1=1a1=1-ALPHA-1 1-beta 1-milestone 1-rc=1-cr 1-SNAPSHOT 1=1.0=1-ga=1.final=1-RELEASE 1-sp 1-abc 1-xyz 1-1 1.1"},
		"NuGet":   {"1.0--10 1.0--9 1.0-0=1.0--0 1.0-1 1.0-2 1.0-10 1.0-alpha=1.0-ALPHA=1.0.0-Alpha+x 1.0-beta 1.0=1=1.0.0.0=01.0 1.0.0.1"},
		"Hackage": {"1 1.0 1.0.0 1.0.1 1.1"},
		"CRAN":    {"1.0 1.0-0=1.0.0 1.0-1 1.1"},
		"ConanCenter": {
			"1.0-alpha 1.0=1=1.0.0 1.0+b1 1.0+b2 1.1 1.a cci.20210118",
			"1.0-0=1.0--0 1.0--5 1.0-5 1.0",
			"5.12.0 5.12.0_1=5.12.1 5.12.1_", // an underscore may be between digits, as in Python
		},
		"opam": {"v0.9~alpha v0.9 v0.14.0 v0.14.0-1"},
		"RubyGems": {
			"1.0.a=1.a 1.0.b2=1.b.2 1.0-1=1.0.pre.1 1.0=1=1.0.0 1.0.1 1.10",
			"1.0.a.0.b 1.0.a.0=1.0.a 1.0.a.0.1 1.0--a=1.0.pre.pre.a 1.0",
		},
		"Packagist": {
			"dev-a dev-b=dev-b 1.0-dev 1.0a1=1.0.0.0-alpha1 1.0b 1.0-RC1=1.0rc1=v1.0.0-rc.1 1.0=1.0.0=V1=1.0.0.0+x=1.0@dev 1.0-p1=1.0-patch1 1.0.1 1.x-dev 2.0",
			"1.0.0-beta 1.0.0-beta1-dev 1.0.0-beta1 1.0.0",
			"2010-01-02 2010-02-01 20100102 20100103",
		},
		"PyPI": {
			"a-legacy-one not.a.version 1.dev0=1.0.DEV 1a0=1.0a=1alpha 1b2 1rc1=1c1=1-preview-1 1=1.0=v1.0.0=\u00a01.0 1+abc 1+abc.5 1+5 1.post1.dev2 1.post1=1-1=1.0-r1 1.1 1!0",
		},
	} {
		for _, line := range lines {
			checkRising(t, ecosystem, line)
		}
	}
}

// checkRising compares each version of the line with each. A no-break space
// stands for a space in a version.
func checkRising(t *testing.T, ecosystem, line string) {
	t.Helper()
	rank := map[string]int{}
	var versions []string
	for i, group := range strings.Split(line, " ") {
		for v := range strings.SplitSeq(group, "=") {
			v = strings.ReplaceAll(v, "\u00a0", " ")
			rank[v] = i
			versions = append(versions, v)
		}
	}
	for _, a := range versions {
		for _, b := range versions {
			want := sign(rank[a] - rank[b])
			if got, err := Compare(ecosystem, a, b); err != nil || got != want {
				t.Errorf("Compare(%q, %q, %q): got %d, %v, want %d", ecosystem, a, b, got, err, want)
			}
		}
	}
}

func TestParseErrors(t *testing.T) {
	for ecosystem, versions := range map[string][]string{
		"Debian":      {"a", "v1.0", ":1", "1:", "a:1", "-1:1", "2147483648:1", "1-", "-1", "1 2", "1_0", "1-1_0", "1\x00"},
		"Red Hat":     {"1 2", "1\n", "\x7f"},
		"Alpine":      {"a", ".1", "-r1", "1_", "1_foo", "1_alpha1_", "1~", "1~xyz", "1-1", "1-r1-r2", "1-r1_p1", "1.0bc", "1A", "1 "},
		"Go":          {"(devel)", "devel", "v", "go", "goo", "1.2.3-", "1.2.3+", "1.21foo1", "1.21rc", "go1.21+x", "1..2", "latest"},
		"npm":         {"1", "1.2", "1.2.3.4", "1.2.34.5", "latest", "1.2.x", "^1.2.3", "9007199254740992.0.0", strings.Repeat("1", 250) + ".0.0.0.0"},
		"crates.io":   {"a", "1.", ".1", "1..2", "1.0.0-", "1.0.0-a..b", "1.0.0-é", "1.0.0+", " 1.0.0"},
		"Julia":       {"1.0+", "1.0-a..b", "x"},
		"PyPI":        {"1\x00", "a b", " "},
		"Maven":       {"1 2", "1\t"},
		"RubyGems":    {"a", "1a", "1..2", "1.", "1-", "1-_", "1_0"},
		"NuGet":       {"v1.0", "1.2.3.4.5", "1.0-", "1.0-01", "1.0-a..b", "a", "1.0-é"},
		"Packagist":   {"foo", "v", "a.x-dev", "1.0#", "1.0 2", "dev-", "-1"},
		"CRAN":        {"1.", "1..2", "a", "1.0a", "-1"},
		"Hackage":     {"1.", "1-1", "a"},
		"ConanCenter": {"1 2"},
		"opam":        {"1:0", "1 2", "é"},
	} {
		for _, v := range append(versions, "") {
			s, err := For(ecosystem)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.Parse(v); !errors.Is(err, ErrInvalid) || got.String() != "" {
				t.Errorf("%s: Parse(%.30q): got %v, %v, want an error of kind invalid", ecosystem, v, got, err)
			}
			for _, pair := range [][2]string{{v, "1.0.0"}, {"1.0.0", v}} {
				if c, err := s.Compare(pair[0], pair[1]); !errors.Is(err, ErrInvalid) || c != 0 {
					t.Errorf("%s: Compare(%.30q): got %d, %v, want an error of kind invalid", ecosystem, pair, c, err)
				}
			}
		}
	}
}

func TestParseVERSSchemeErrors(t *testing.T) {
	for typ, versions := range map[string][]string{
		"gentoo":        {"a", "1.", "1-r", "1_foo", "1ab", "1-1"},
		"openssl":       {"1.0", "1.0.2a1", "3.0.0a", "1.0.2-", "x"},
		"alpm":          {"1 2"},
		"intdot":        {"x", ".1", "1..2"},
		"lexicographic": {"\xff"},
		"datetime":      {"2024", "2024-01-01T00:00:00", "2024-01-01 00:00:00Z", "2024-01-01T00:00:00,5Z", "2024-13-01T00:00:00Z", "2024-01-01t00:00:00z"},
	} {
		s, err := ForVERS(typ)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range append(versions, "") {
			if _, err := s.Parse(v); !errors.Is(err, ErrInvalid) {
				t.Errorf("%s: Parse(%q): got %v, want an error of kind invalid", typ, v, err)
			}
		}
	}
}

func TestZeroAndMixed(t *testing.T) {
	var s Scheme
	if s.String() != "" {
		t.Errorf("zero Scheme: String is %q", s)
	}
	if _, err := s.Parse("1"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("zero Scheme: Parse: %v", err)
	}
	if _, err := s.Compare("1", "2"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("zero Scheme: Compare: %v", err)
	}
	if _, err := Compare("nosuch", "1", "2"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("Compare of no ecosystem: %v", err)
	}
	deb, err := Scheme{&deb}.Parse("1.0")
	if err != nil {
		t.Fatal(err)
	}
	rpm, err := Scheme{&rpm}.Parse("1.0")
	if err != nil {
		t.Fatal(err)
	}
	var zero Version
	for _, c := range []struct {
		name string
		v, w Version
		want int
	}{
		{"zero and zero", zero, zero, 0},
		{"deb and itself", deb, deb, 0},
		{"deb and zero", deb, zero, Incomparable},
		{"deb and rpm", deb, rpm, Incomparable},
	} {
		if got := c.v.Compare(c.w); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

// TestAllocs holds comparing to no allocation, for versions of usual length.
func TestAllocs(t *testing.T) {
	for _, c := range benchmarked {
		if n := testing.AllocsPerRun(100, func() { _, _ = Compare(c.ecosystem, c.a, c.b) }); n != 0 {
			t.Errorf("%s: %v allocations to compare %s and %s", c.ecosystem, n, c.a, c.b)
		}
	}
}

// TestLongNumbers compares numbers beyond any integer type.
func TestLongNumbers(t *testing.T) {
	long := "1" + strings.Repeat("0", 400)
	for _, ecosystem := range []string{"Debian", "Red Hat", "Alpine", "Go", "PyPI", "Maven", "RubyGems", "NuGet", "Packagist", "Hackage"} {
		if got, err := Compare(ecosystem, "1."+long, "1."+long[:400]); err != nil || got != 1 {
			t.Errorf("%s: got %d, %v, want 1", ecosystem, got, err)
		}
		if got, err := Compare(ecosystem, "1."+long, "1."+long[:400]+"1"); err != nil || got != -1 {
			t.Errorf("%s: got %d, %v, want -1", ecosystem, got, err)
		}
	}
}
