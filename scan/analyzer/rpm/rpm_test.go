package rpm

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/rpmdb/rpmdbtest"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	fedoraDB = "usr/lib/sysimage/rpm/rpmdb.sqlite"
	suseDB   = "usr/lib/sysimage/rpm/Packages.db"
)

// header returns a header with the tags that tests need. Lists have spaces
// between.
func header(name, version, release, requires, provides string, files ...string) []byte {
	fields := []rpmdbtest.Field{rpmdbtest.Text(1000, name), rpmdbtest.Text(1001, version), rpmdbtest.Text(1002, release), rpmdbtest.Text(1022, "noarch")}
	if provides != "" {
		fields = append(fields, rpmdbtest.Texts(1047, strings.Fields(provides)...))
	}
	if requires != "" {
		fields = append(fields, rpmdbtest.Texts(1049, strings.Fields(requires)...))
	}
	if len(files) > 0 {
		fields = append(fields, rpmdbtest.Numbers(1116, make([]uint32, len(files))...), rpmdbtest.Texts(1117, files...), rpmdbtest.Texts(1118, "/usr/bin/"))
	}
	return rpmdbtest.Header(fields)
}

func extract(t testing.TB, path string, data []byte) []analyzer.Fact {
	t.Helper()
	facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(path, data))
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func realFile(t testing.TB, pack, name string) []byte {
	t.Helper()
	b, ok := testdata.Open(t, pack)[name]
	if !ok {
		t.Skipf("%s lacks %s", pack, name)
	}
	return b
}

func TestExtractSQLite(t *testing.T) {
	facts := extract(t, fedoraDB, realFile(t, "pkgdb/rpmdb-scancode.tar.gz", "rpmdb.sqlite"))
	if len(facts) != 2 {
		t.Fatalf("%d facts", len(facts))
	}
	got := facts[slices.IndexFunc(facts, func(f analyzer.Fact) bool { return f.Package.Name == "libgcc" })]
	want := analyzer.Fact{Kind: analyzer.KindPackage, Scope: "rpm", Key: "libgcc-13.1.1-2.fc38.x86_64", Package: &sbom.Package{
		Name: "libgcc", Version: "13.1.1-2.fc38", Arch: "x86_64", Supplier: "Fedora Project",
		Upstream:    &sbom.Upstream{Name: "gcc"},
		Description: "GCC version 13 shared support library", Homepage: "http://gcc.gnu.org",
		Licenses: []sbom.License{{Name: "GPLv3+ and GPLv3+ with exceptions and GPLv2+ with exceptions and LGPLv2+ and BSD"}},
		Properties: []sbom.Property{{Name: "rpm:keyid", Value: "809a8d7ceb10b464"}, {Name: "rpm:sigmd5", Value: "5160cc361dfdcec388d78cf5b29d6a7c"},
			{Name: "rpm:sourcerpm", Value: "gcc-13.1.1-2.fc38.src.rpm"}},
	}, Owns: []string{
		"lib64/libgcc_s-13-20230511.so.1", "lib64/libgcc_s.so.1", "usr/lib/.build-id", "usr/lib/.build-id/d8",
		"usr/lib/.build-id/d8/b84f24cd65c389cb4c8346e2118daef1dccfee", "usr/share/licenses/libgcc", "usr/share/licenses/libgcc/COPYING",
		"usr/share/licenses/libgcc/COPYING.LIB", "usr/share/licenses/libgcc/COPYING.RUNTIME", "usr/share/licenses/libgcc/COPYING3", "usr/share/licenses/libgcc/COPYING3.LIB",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestExtractNDB: the dependencies of a whole, if small, system.
func TestExtractNDB(t *testing.T) {
	facts := extract(t, suseDB, realFile(t, "pkgdb/rpmdb.tar.gz", "pkg/testdata/sle15-bci/Packages.db"))
	byName := map[string]analyzer.Fact{}
	edges := 0
	for _, f := range facts {
		byName[f.Package.Name] = f
		edges += len(f.DependsOn)
		if !slices.IsSorted(f.Owns) || !slices.IsSorted(f.DependsOn) || len(slices.Compact(slices.Clone(f.DependsOn))) != len(f.DependsOn) {
			t.Errorf("%s: lists are out of order", f.Key)
		}
	}
	t.Logf("%d packages, %d dependencies", len(facts), edges)
	var names []string
	for _, key := range byName["bash"].DependsOn {
		names = append(names, key[:strings.LastIndexByte(key[:strings.LastIndexByte(key, '-')], '-')])
	}
	if want := []string{"glibc", "libreadline7"}; !slices.Equal(names, want) {
		t.Errorf("bash needs %v, want %v", names, want)
	}
}

func TestDependencies(t *testing.T) {
	db := rpmdbtest.NDB(
		header("app", "1", "1", "lib /usr/bin/sh virtual missing app (x if y) rpmlib(z)", "app", "app"),
		header("lib", "2", "1", "libself", "lib libself"),
		header("shell", "3", "1", "", "", "bash", "sh"),
		header("gpg-pubkey", "8d8b756f", "629e59ec", "", ""),
		header("virtual-a", "1", "1", "", "virtual"),
		header("virtual-b", "1", "1", "/usr/bin/app", "virtual virtual"),
	)
	got := map[string][]string{}
	for _, f := range extract(t, suseDB, db) {
		got[f.Key] = f.DependsOn
	}
	want := map[string][]string{
		"app-1-1.noarch":       {"lib-2-1.noarch", "shell-3-1.noarch", "virtual-a-1-1.noarch", "virtual-b-1-1.noarch"},
		"lib-2-1.noarch":       nil,
		"shell-3-1.noarch":     nil,
		"virtual-a-1-1.noarch": nil,
		"virtual-b-1-1.noarch": {"app-1-1.noarch"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDamagedDatabase: what can be read is kept, what cannot is counted.
func TestDamagedDatabase(t *testing.T) {
	db := rpmdbtest.NDB(header("a", "1", "1", "", ""), header("b", "1", "1", "", ""), header("c", "1", "1", "", ""))
	for off := 4096; off < len(db); off++ {
		if string(db[off:off+2]) == "a\x00" || string(db[off:off+2]) == "c\x00" {
			db[off]++ // the checksum says so
		}
	}
	facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(suseDB, db))
	if len(facts) != 1 || facts[0].Package.Name != "b" {
		t.Errorf("facts %+v", facts)
	}
	if !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), suseDB) || !strings.HasSuffix(err.Error(), "(and 1 more)") {
		t.Errorf("error %v", err)
	}
	facts, err = Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(suseDB, []byte("no database")))
	if len(facts) != 0 || !errors.Is(err, fault.Invalid) {
		t.Errorf("%d facts, %v", len(facts), err)
	}
}

func TestExtractStopsWhenTold(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	db := rpmdbtest.NDB(header("a", "1", "1", "", ""), header("b", "1", "1", "", ""))
	if facts, err := (Analyzer{}).Extract(ctx, analyzer.NewMemoryFile(suseDB, db)); !errors.Is(err, context.Canceled) || len(facts) > 1 {
		t.Errorf("%d facts, %v", len(facts), err)
	}
}

// TestFactsSurviveTheCache: facts are kept as JSON.
func TestFactsSurviveTheCache(t *testing.T) {
	facts := extract(t, suseDB, realFile(t, "pkgdb/rpmdb.tar.gz", "pkg/testdata/sle15-bci/Packages.db"))
	b, err := json.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	var back []analyzer.Fact
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(facts, back); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPaths(t *testing.T) {
	set := analyzer.NewSet(Analyzer{})
	for path, want := range map[string]bool{
		"var/lib/rpm/Packages": true, "usr/lib/sysimage/rpm/rpmdb.sqlite": true, "usr/share/rpm/Packages.db": true,
		"var/lib/rpm/rpmdb.sqlite-wal": true, "var/lib/rpmmanifest/container-manifest-2": true,
		"var/lib/rpm/Name": false, "var/lib/rpm/rpmdb.sqlite-shm": false, "opt/rpmdb.sqlite": false, "Packages": false,
	} {
		if got := len(set.ByPath(nil, path)) == 1; got != want {
			t.Errorf("%s: wanted is %v", path, got)
		}
	}
}
