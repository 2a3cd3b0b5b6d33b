package dpkg_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/dpkg"
	"github.com/stella-ops/stella/scan/sbom"
)

func extract(t testing.TB, path string, data []byte) ([]analyzer.Fact, error) {
	t.Helper()
	return dpkg.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(path, data))
}

// plainStatus reads name, version and architecture of a status file the slow
// way, as an answer that does not come from the code under test.
func plainStatus(data []byte) (out []string) {
	for _, stanza := range strings.Split(string(data), "\n\n") {
		f := map[string]string{}
		for _, line := range strings.Split(stanza, "\n") {
			if k, v, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(k, " ") {
				f[k] = v
			}
		}
		if strings.HasSuffix(f["Status"], " installed") {
			out = append(out, f["Package"]+" "+f["Version"]+" "+f["Architecture"])
		}
	}
	slices.Sort(out)
	return out
}

func names(facts []analyzer.Fact) (out []string) {
	for _, f := range facts {
		out = append(out, f.Package.Name+" "+f.Package.Version+" "+f.Package.Arch)
	}
	slices.Sort(out)
	return out
}

func TestRealStatus(t *testing.T) {
	files := testdata.Open(t, "pkgdb/debian-bookworm-minbase.tar.gz")
	for name, data := range testdata.Open(t, "pkgdb/dpkg-claircore.tar.gz") {
		if strings.HasSuffix(name, ".status") && !strings.Contains(name, "vcpkg") { // vcpkg writes stanzas without versions
			files[name] = data
		}
	}
	checked := 0
	for _, name := range testdata.Names(files) {
		if !strings.HasSuffix(name, "status") {
			continue
		}
		facts, err := extract(t, "var/lib/dpkg/status", files[name])
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(plainStatus(files[name]), names(facts)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		checked++
	}
	if checked < 3 {
		t.Errorf("only %d status files were checked", checked)
	}
}

func TestRealTree(t *testing.T) {
	files := testdata.Open(t, "pkgdb/debian-bookworm-minbase.tar.gz")
	set := analyzer.NewSet(dpkg.Analyzer{})
	in := &analyzer.Squashed{OS: &sbom.OS{ID: "debian", VersionID: "12"}, Resolve: func(p string) string {
		if p == "usr/share/doc/libgcc-s1/copyright" {
			return "usr/share/doc/gcc-12-base/copyright" // a link in the real tree
		}
		return p
	}}
	for _, name := range testdata.Names(files) {
		if len(set.ByPath(nil, name)) == 0 {
			continue
		}
		facts, err := extract(t, name, files[name])
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, f := range facts {
			in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: name})
		}
	}
	out, gaps := dpkg.Analyzer{}.Join(in)
	if len(gaps) > 0 {
		t.Errorf("gaps: %v", gaps)
	}
	byName := map[string]analyzer.Located{}
	for _, f := range out {
		byName[f.Package.Name] = f
	}
	libc := byName["libc6"]
	if got, want := libc.Package.PURL.String(), "pkg:deb/debian/libc6@"+strings.ReplaceAll(libc.Package.Version, "+", "%2B")+"?arch=amd64&distro=debian-12&upstream=glibc"; got != want {
		t.Errorf("package URL %s, want %s", got, want)
	}
	if !slices.Contains(libc.Owns, "etc/ld.so.conf.d/x86_64-linux-gnu.conf") {
		t.Errorf("libc6 does not own its configuration; it owns %d paths", len(libc.Owns))
	}
	if !slices.Contains(libc.DependsOn, byName["libgcc-s1"].Key) {
		t.Errorf("libc6 depends on %v, want libgcc-s1 among them", libc.DependsOn)
	}
	for _, f := range out {
		if len(f.Package.Licenses) == 0 {
			t.Logf("%s: no licence found", f.Package.Name)
		}
		if len(f.Owns) == 0 {
			t.Errorf("%s owns nothing", f.Package.Name)
		}
	}
	if len(byName["libgcc-s1"].Package.Licenses) == 0 {
		t.Error("the licence behind a linked documentation folder was not found")
	}
}

func TestStates(t *testing.T) {
	const text = `Package: gone
Status: deinstall ok config-files
Version: 1
Architecture: all

Package: half
Status: install ok half-configured
Version: 2
Architecture: amd64
Depends: real (>= 1) | other,
 virtual:any
Source: src (2:3-1)
Description: first line
 second line

Package: provider
Status: install ok installed
Version: 3
Architecture: amd64
Provides: virtual (= 3), extra`
	facts, err := extract(t, "var/lib/dpkg/status", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"half 2 amd64", "provider 3 amd64"}, names(facts)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&sbom.Upstream{Name: "src", Version: "2:3-1"}, facts[0].Package.Upstream); diff != "" {
		t.Errorf("upstream (-want +got):\n%s", diff)
	}
	in := &analyzer.Squashed{Resolve: func(p string) string { return p }}
	for _, f := range facts {
		in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: "var/lib/dpkg/status"})
	}
	out, gaps := dpkg.Analyzer{}.Join(in)
	if diff := cmp.Diff([]string{"provider:amd64"}, out[0].DependsOn); diff != "" {
		t.Errorf("depends on (-want +got):\n%s", diff)
	}
	if len(gaps) != 1 || gaps[0].Code != sbom.GapUnidentified || !gaps[0].Blocking {
		t.Errorf("gaps %v; want one: the distribution is not known", gaps)
	}
}

func TestBrokenStanzasAreNamed(t *testing.T) {
	const good = "Package: good\nStatus: install ok installed\nVersion: 1\n\n"
	for name, bad := range map[string]string{
		"no name":       "Status: install ok installed\nVersion: 1\n",
		"no version":    "Package: x\nStatus: install ok installed\n",
		"no status":     "Package: x\nVersion: 1\n",
		"no field name": "Package: x\nStatus: install ok installed\nVersion: 1\nrubbish\n",
		"path as name":  "Package: ../x\nStatus: install ok installed\nVersion: 1\n",
	} {
		facts, err := extract(t, "var/lib/dpkg/status", []byte(good+bad+"\n"+good))
		if !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "line") {
			t.Errorf("%s: error %v; want an invalid input that names a line", name, err)
		}
		if len(facts) < 2 {
			t.Errorf("%s: the good stanzas around it were lost: %d facts", name, len(facts))
		}
	}
}

func FuzzExtract(f *testing.F) {
	f.Add("var/lib/dpkg/status", []byte("Package: a\nStatus: install ok installed\nVersion: 1\nDepends: b | c (>= 1), d:any\n\n"))
	f.Add("var/lib/dpkg/info/a.list", []byte("/.\n/usr\n/usr/bin/a\n"))
	f.Add("var/lib/dpkg/status.d/a.md5sums", []byte("d41d8cd98f00b204e9800998ecf8427e  usr/bin/a\n"))
	f.Add("usr/share/doc/a/copyright", []byte("Format: x\n\nFiles: *\nLicense: GPL-2+\n"))
	f.Add("usr/share/doc/a/copyright", []byte("see /usr/share/common-licenses/GPL-2.\n"))
	f.Fuzz(func(t *testing.T, path string, data []byte) {
		facts, _ := extract(t, path, data)
		in := &analyzer.Squashed{Resolve: func(p string) string { return p }}
		for _, fact := range facts {
			in.Facts = append(in.Facts, analyzer.Located{Fact: fact, Path: path})
		}
		dpkg.Analyzer{}.Join(in)
	})
}

func BenchmarkStatus(b *testing.B) {
	data := testdata.Open(b, "pkgdb/debian-bookworm-minbase.tar.gz")["var/lib/dpkg/status"]
	big := bytes.Repeat(append(data, '\n'), 10)
	b.SetBytes(int64(len(big)))
	for b.Loop() {
		if _, err := extract(b, "var/lib/dpkg/status", big); err != nil {
			b.Fatal(err)
		}
	}
}

// TestThisMachine compares with dpkg itself where the machine has it.
func TestThisMachine(t *testing.T) {
	const path = "/var/lib/dpkg/status"
	data, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		t.Skip("this machine has no dpkg database")
	}
	facts, err := extract(t, "var/lib/dpkg/status", data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plainStatus(data), names(facts)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
