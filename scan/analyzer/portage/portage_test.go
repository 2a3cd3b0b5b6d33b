package portage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/portage"
	"github.com/stella-ops/stella/scan/sbom"
)

const dir = "var/db/pkg/dev-libs/openssl-3.0.13-r2/"

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, portage.Analyzer{}) }

func FuzzContents(f *testing.F)     { analyzertest.Fuzz(f, portage.Analyzer{}, dir+"CONTENTS") }
func FuzzDependencies(f *testing.F) { analyzertest.Fuzz(f, portage.Analyzer{}, dir+"RDEPEND") }
func FuzzLicence(f *testing.F)      { analyzertest.Fuzz(f, portage.Analyzer{}, dir+"LICENSE") }

// join returns the packages that folders of the database stand for.
func join(t *testing.T, os *sbom.OS, folders ...string) ([]analyzer.Located, []sbom.Gap) {
	t.Helper()
	in := &analyzer.Squashed{OS: os}
	for _, folder := range folders {
		p := "var/db/pkg/" + folder + "/PF"
		facts, err := portage.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(p, []byte(folder[strings.IndexByte(folder, '/')+1:])))
		if err != nil {
			t.Fatal(err)
		}
		in.Facts = append(in.Facts, analyzer.Located{Fact: facts[0], Path: p})
	}
	return portage.Analyzer{}.Join(in)
}

// TestVersions: where a name ends and its version begins (PMS 3.1 and 3.2).
func TestVersions(t *testing.T) {
	for folder, want := range map[string]string{
		"a/b-1":                            "a/b 1",
		"a/b-1.2.3-r10":                    "a/b 1.2.3-r10",
		"a/gtk+-2.24.33-r3":                "a/gtk+ 2.24.33-r3",
		"a/b-2-1.0":                        "a/b-2 1.0",
		"a/b-1.0z_alpha1_p20240101-r1":     "a/b 1.0z_alpha1_p20240101-r1",
		"dev-libs/b-9999":                  "dev-libs/b 9999",
		"dev-libs/lib-x-0.1_pre20200101":   "dev-libs/lib-x 0.1_pre20200101",
		"media-fonts/font-bh-75dpi-1.0.4":  "media-fonts/font-bh-75dpi 1.0.4",
		"dev-libs/b":                       "dev-libs/b ",
		"dev-libs/b-r1":                    "dev-libs/b-r1 ",
		"dev-libs/b-1_gamma":               "dev-libs/b-1_gamma ",
		"dev-libs/b-1..2":                  "dev-libs/b-1..2 ",
		"sys-kernel/gentoo-sources-6.6.13": "sys-kernel/gentoo-sources 6.6.13",
	} {
		out, gaps := join(t, nil, folder)
		got := out[0].Package.Name + " " + out[0].Package.Version
		if got != want {
			t.Errorf("%s: %q, want %q", folder, got, want)
		}
		if unversioned := len(gaps) > 0 && gaps[0].Code == sbom.GapNoVersion; unversioned != strings.HasSuffix(want, " ") {
			t.Errorf("%s: gaps %v", folder, gaps)
		}
	}
}

// TestDistribution: it is in the package URL; without one a gap says so.
func TestDistribution(t *testing.T) {
	out, gaps := join(t, &sbom.OS{ID: "gentoo", VersionID: "2.15"}, "dev-libs/openssl-3.0.13-r2")
	if got, want := out[0].Package.PURL.String(), "pkg:generic/gentoo/dev-libs/openssl@3.0.13-r2?distro=gentoo-2.15"; got != want {
		t.Errorf("package URL %s, want %s", got, want)
	}
	unsupported := sbom.Gap{Code: sbom.GapUnsupported, Blocking: true, Where: "var/db/pkg", What: "no advisories are known for Portage packages: 1 are listed, not assessed"}
	if diff := cmp.Diff([]sbom.Gap{unsupported}, gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	_, gaps = join(t, nil, "dev-libs/openssl-3.0.13-r2")
	if len(gaps) != 2 || gaps[0].Code != sbom.GapUnidentified || !gaps[0].Blocking {
		t.Errorf("without a distribution: gaps %v", gaps)
	}
}

// TestLicences: what is an SPDX expression and what stays as it is.
func TestLicences(t *testing.T) {
	for text, want := range map[string]sbom.License{
		"GPL-2+":                            {Expression: "GPL-2.0-or-later"},
		"BSD":                               {Expression: "BSD-3-Clause"},
		"|| ( Apache-2.0 MIT )":             {Expression: "(Apache-2.0 OR MIT)"},
		"GPL-2 || ( ( MIT ISC ) ZLIB )":     {Expression: "GPL-2.0-only AND ((MIT AND ISC) OR Zlib)"},
		"ssl? ( openssl ) LGPL-2.1+":        {Expression: "(OpenSSL) AND LGPL-2.1+"},
		"Apache-2.0 BSD BSD-2 MIT":          {Expression: "Apache-2.0 AND BSD-3-Clause AND BSD-2-Clause AND MIT"},
		"public-domain MIT":                 {Name: "public-domain MIT"},
		"|| ( MIT":                          {Name: "|| ( MIT"},
		") MIT":                             {Name: ") MIT"},
		strings.Repeat("( ", 200) + "MIT )": {Name: strings.Repeat("( ", 200) + "MIT )"},
	} {
		facts, err := portage.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(dir+"LICENSE", []byte(text+"\n")))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]sbom.License{want}, facts[0].Package.Licenses); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, portage.Analyzer{},
		analyzertest.Growth{Name: "files", Path: dir + "CONTENTS", Data: func(n int) string {
			return analyzertest.Lines(n, "obj /usr/share/%d 0123456789abcdef0123456789abcdef 1710000000\n")
		}},
		analyzertest.Growth{Name: "one long path", Path: dir + "CONTENTS", Data: func(n int) string {
			return "obj " + strings.Repeat("/a b", n) + " 0123456789abcdef0123456789abcdef 1710000000\n"
		}},
		analyzertest.Growth{Name: "dependencies", Path: dir + "RDEPEND", Data: func(n int) string {
			return analyzertest.Lines(n/4, "|| ( >=a/b%d-1.0:0/2= c/d ) ")
		}},
		analyzertest.Growth{Name: "licences", Path: dir + "LICENSE", Data: func(n int) string {
			return analyzertest.Lines(n, "( X%d ) ")
		}},
	)
}

// TestLimits: what is too much is an error, and what was read before it is kept.
func TestLimits(t *testing.T) {
	for name, h := range map[string]struct{ path, data string }{
		"dependencies": {dir + "RDEPEND", strings.Repeat("a/b ", 10_001)},
		"files":        {dir + "CONTENTS", strings.Repeat("obj /a b c\n", 500_001)},
	} {
		facts, err := portage.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(h.path, []byte(h.data)))
		if !errors.Is(err, fault.Limit) || len(facts) == 0 {
			t.Errorf("%s: %d facts, error %v; want a limit", name, len(facts), err)
		}
	}
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, portage.Analyzer{},
		analyzertest.Hostile{Name: "nested groups", Path: dir + "RDEPEND", Data: strings.Repeat("( ", 10_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "a large text", Path: dir + "DESCRIPTION", Data: strings.Repeat("a", 1<<20+1), Want: fault.Limit},
		analyzertest.Hostile{Name: "another package", Path: dir + "PF", Data: "zlib-1.3", Want: fault.Invalid},
		analyzertest.Hostile{Name: "an empty list", Path: dir + "CONTENTS"},
	)
}

func Example() {
	files := map[string][]byte{
		dir + "CONTENTS": []byte("obj /usr/bin/openssl 0123456789abcdef0123456789abcdef 1710000000\n"),
		dir + "LICENSE":  []byte("Apache-2.0\n"),
	}
	for _, f := range analyzertest.Scan(portage.Analyzer{}, files).Packages {
		fmt.Println(f.Package.Name, f.Package.Version, f.Package.Licenses[0].Expression, f.Owns)
	}
	// Output: dev-libs/openssl 3.0.13-r2 Apache-2.0 [usr/bin/openssl]
}
