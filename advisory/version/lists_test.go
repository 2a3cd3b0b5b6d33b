package version

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
)

// Why a line of a list is not right.
const (
	apkRefuses    = "apk version --check refuses one side, in apk-tools 2 and 3"
	apkDigit      = "apk-tools 3 refuses a version that does not start with a digit"
	gemRefuses    = "Gem::Version.correct? refuses one side"
	composerHash  = "Composer refuses #, which is in no version of a package"
	composerZeros = "Composer pads both to 1.0.0.0 before it compares them"
	mavenOldGA    = "since Maven 3.9 a qualifier and its number are one item: ga1 is not 1"
	mavenOldJoin  = "since Maven 3.9 letters and their number are one item, with or without a hyphen"
	mavenOldZeros = "Maven drops zeros before a qualifier: both are 2-a"
	rpmNames      = "a package's name is no part of its version: rpm -q splits it off first"
	npmNoThree    = "node-semver refuses a version without exactly three numbers"
	npmTooLarge   = "node-semver refuses numbers over Number.MAX_SAFE_INTEGER"
)

// deviations are all lines of the lists that this package does not agree with,
// by ecosystem.
var deviations = map[string]map[string]string{
	"Alpine": {
		"1-r-0 < 1-r0":            apkRefuses,
		"1-r-1 < 1-r0":            apkRefuses,
		"1.2.0A < 1.2.0d":         apkRefuses,
		"1.2.0D < 1.2.0d":         apkRefuses,
		"1-r2 > 1-r-1":            apkRefuses,
		"1 > 1-ruff":              apkRefuses,
		"1-r0-1 = 1-r-2":          apkRefuses,
		"1-r0-1 = 1-r0-2":         apkRefuses,
		"1-ruff2 = 1-ruff1":       apkRefuses,
		"1-ruff2 = 1--ruff1":      apkRefuses,
		"1-r0-ruff2 = 1-r0-ruff1": apkRefuses,
		"1.2 > 1.2_blah":          apkRefuses,
		"1.2_svn1 > 1.2_csv2":     apkRefuses,
		"1.2_cvs1 > 1.2_blah":     apkRefuses,
		"23_foo > 4_beta":         apkRefuses,
		"1.0 < 1.0bc":             apkRefuses,
		".1 < 1":                  apkDigit,
		"1 > .1":                  apkDigit,
		".2 > .1":                 apkDigit,
		"a < b":                   apkDigit,
		"c > b":                   apkDigit,
		"c = c":                   apkDigit,
	},
	"Maven": {
		"1-1 = 1-ga-1": mavenOldGA,
		"1-1.foo-bar-1-baz-0.1 = 1-1.foo-bar1baz-.1": mavenOldJoin,
		"2.0.a < 2.0.0.a": mavenOldZeros,
	},
	"Packagist": {
		"1.0.0 > 1.0":          composerZeros,
		"1.2.3.# = 1.2.3":      composerHash,
		"1.2.3.# = 1.2.3.#":    composerHash,
		"1.2.3.# = 1.2.3.1":    composerHash,
		"1.2.3.#.1 > 1.2.3":    composerHash,
		"1.2.3.#.p3 > 1.2.3":   composerHash,
		"1.2.3.#.beta < 1.2.3": composerHash,
	},
	"Red Hat": {
		"fonts-filesystem-0:2.0.5-12.fc39.noarch = fonts-filesystem-2.0.5-12.fc39.noarch": rpmNames,
		"a-1-1 > 1-1": rpmNames,
	},
	"RubyGems": {
		"1 > 1beta":  gemRefuses,
		"1 > 1gamma": gemRefuses,
	},
	"npm": {
		"1.1.3.4.5 = 1.1.3.4.5": npmNoThree,
		"999999999999999999999999999991 < 999999999999999999999999999999": npmNoThree,
		"999999999999999999999999999991.999999999999999999999999999991.999999999999999999999999999991" +
			" < 999999999999999999999999999999.999999999999999999999999999991.999999999999999999999999999991": npmTooLarge,
	},
}

func TestOrderedLists(t *testing.T) {
	const scalibr, claircore = "conformance/version-lists-scalibr.tar.gz", "conformance/version-lists-claircore.tar.gz"
	used := map[string]bool{}
	for _, list := range []struct {
		pack, name string
		ecosystems []string
	}{
		{scalibr, "semantic/testdata/alpine-versions.txt", []string{"Alpine"}},
		{scalibr, "semantic/testdata/cran-versions.txt", []string{"CRAN", "Bioconductor"}},
		{scalibr, "semantic/testdata/debian-versions.txt", []string{"Debian:12", "Ubuntu:22.04:LTS"}},
		{scalibr, "semantic/testdata/hackage-versions.txt", []string{"Hackage"}},
		{scalibr, "semantic/testdata/maven-versions.txt", []string{"Maven"}},
		{scalibr, "semantic/testdata/nuget-versions.txt", []string{"NuGet"}},
		{scalibr, "semantic/testdata/packagist-versions.txt", []string{"Packagist"}},
		{scalibr, "semantic/testdata/pub-versions.txt", []string{"Pub"}},
		{scalibr, "semantic/testdata/pypi-versions.txt", []string{"PyPI"}},
		{scalibr, "semantic/testdata/redhat-versions.txt", []string{"Red Hat", "SUSE", "AlmaLinux:9"}},
		{scalibr, "semantic/testdata/rubygems-versions.txt", []string{"RubyGems"}},
		{scalibr, "semantic/testdata/semver-versions.txt", []string{"Go", "crates.io", "Hex", "SwiftURL", "npm"}},
		{claircore, "internal/maven/testdata/compare.list", []string{"Maven"}},
		{claircore, "internal/rpmver/testdata/rpmvercmp", []string{"Red Hat"}},
		{claircore, "internal/rpmver/testdata/compare", []string{"Red Hat"}},
	} {
		for _, ecosystem := range list.ecosystems {
			lines := readOrdered(t, list.pack, list.name)
			t.Logf("%s: %d lines as %s", list.name, len(lines), ecosystem)
			for _, line := range lines {
				key := line.a + " " + line.op + " " + line.b
				agrees, got := line.agrees(ecosystem)
				why, isListed := deviations[ecosystem][key]
				used[ecosystem+key] = true
				switch {
				case agrees && isListed:
					t.Errorf("%s: %s: agrees, yet it is listed as a deviation: %s", ecosystem, key, why)
				case !agrees && !isListed:
					t.Errorf("%s: %s: got %s", ecosystem, key, got)
				}
			}
		}
	}
	for ecosystem, lines := range deviations {
		for key := range lines {
			if !used[ecosystem+key] {
				t.Errorf("%s: %s: listed as a deviation, but in no list", ecosystem, key)
			}
		}
	}
}

// ordered is one line of a list: a, an operator of < = > and b.
type ordered struct{ a, op, b string }

// agrees compares both ways round.
func (o ordered) agrees(ecosystem string) (ok bool, got string) {
	want := map[string]int{"<": -1, "=": 0, ">": 1}[o.op]
	c, err := Compare(ecosystem, o.a, o.b)
	if err != nil {
		return false, err.Error()
	}
	if d, err := Compare(ecosystem, o.b, o.a); err != nil || d != -c {
		return false, "another order the other way round"
	}
	return c == want, "<=>"[c+1 : c+2]
}

func readOrdered(t *testing.T, pack, name string) []ordered {
	t.Helper()
	data, ok := testdata.Open(t, pack)[name]
	if !ok {
		t.Fatalf("%s has no %s", pack, name)
	}
	var lines []ordered
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if line == "" || line[0] == '#' || strings.HasPrefix(line, "//") {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 3 {
			t.Fatalf("%s: line %q", name, line)
		}
		lines = append(lines, ordered{f[0], strings.Replace(f[1], "==", "=", 1), f[2]})
	}
	return lines
}
