package oracle

import (
	"bytes"
	"cmp"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	theirs "github.com/anchore/go-rpmdb/pkg"
	_ "github.com/glebarez/go-sqlite" // the driver that the oracle asks for
	gocmp "github.com/google/go-cmp/cmp"

	ours "github.com/stella-ops/stella/internal/rpmdb"
	"github.com/stella-ops/stella/internal/testdata"
)

// installed is what both readers must say of a package.
type installed struct {
	Name, Version, Release, Arch string
	Epoch                        int // -1: none
	SourceRPM, Vendor, License   string
	Summary, URL                 string
	Modularity, SigMD5           string
	Files, Requires, Provides    []string
}

// TestRPMDatabases holds our reader of rpm databases against go-rpmdb on every
// real database at hand.
func TestRPMDatabases(t *testing.T) {
	dbs := rpmDatabases(t)
	formats := map[ours.Format]int{}
	for _, name := range testdata.Names(dbs) {
		t.Run(name, func(t *testing.T) {
			want, err := readTheirs(t, dbs[name])
			if err != nil {
				t.Fatalf("the oracle cannot read it: %v", err)
			}
			got, format := readOurs(t, dbs[name])
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("packages (-oracle +ours):\n%.8000s", diff)
			}
			formats[format]++
			t.Logf("%s: %d packages", format, len(got))
		})
	}
	for _, f := range []ours.Format{ours.SQLite, ours.NDB, ours.BerkeleyDB} {
		if formats[f] == 0 {
			t.Errorf("no database in the format %s was compared", f)
		}
	}
}

// rpmDatabases are those of the oracle's own tests and of the shared data.
func rpmDatabases(t *testing.T) map[string][]byte {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/anchore/go-rpmdb").Output()
	if err != nil {
		t.Fatalf("find the oracle's test data: %v", err)
	}
	dbs := map[string][]byte{}
	root := filepath.Join(strings.TrimSpace(string(out)), "pkg", "testdata")
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !isRPMDatabase(d.Name()) {
			return err
		}
		b, err := os.ReadFile(p)
		dbs["go-rpmdb/"+filepath.ToSlash(strings.TrimPrefix(p, root+string(filepath.Separator)))] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(dbs) == 0 {
		t.Fatal("the oracle has no databases")
	}
	shared(t, dbs)
	return dbs
}

// shared adds the databases of the shared data, where it is.
func shared(t *testing.T, dbs map[string][]byte) {
	for _, pack := range []string{"pkgdb/rpmdb.tar.gz", "pkgdb/rpmdb-scancode.tar.gz"} {
		t.Run("shared data", func(t *testing.T) { // a skip is of this one alone
			for name, b := range testdata.Open(t, pack) {
				if isRPMDatabase(filepath.Base(name)) {
					dbs[pack+"/"+name] = b
				}
			}
		})
	}
}

func isRPMDatabase(base string) bool {
	return base == "rpmdb.sqlite" || base == "Packages" || base == "Packages.db"
}

func readTheirs(t *testing.T, b []byte) ([]installed, error) {
	file := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := theirs.Open(file)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	list, err := db.ListPackages()
	if err != nil {
		return nil, err
	}
	var out []installed
	for _, p := range list {
		files, err := p.InstalledFileNames()
		if err != nil {
			return nil, err
		}
		for i := range files {
			files[i] = strings.TrimPrefix(files[i], "/")
		}
		i := installed{
			Name: p.Name, Version: p.Version, Release: p.Release, Arch: p.Arch, Epoch: -1, SourceRPM: p.SourceRpm, Vendor: p.Vendor,
			License: p.License, Summary: p.Summary, URL: p.URL, Modularity: p.Modularitylabel, SigMD5: p.SigMD5, Files: files, Requires: p.Requires, Provides: p.Provides,
		}
		if p.Epoch != nil {
			i.Epoch = *p.Epoch
		}
		out = append(out, i)
	}
	return tidy(out), nil
}

func readOurs(t *testing.T, b []byte) ([]installed, ours.Format) {
	db, err := ours.Open(bytes.NewReader(b), int64(len(b)), nil)
	if err != nil {
		t.Fatal(err)
	}
	var out []installed
	for blob, err := range db.Headers() {
		if err != nil {
			t.Fatal(err)
		}
		p, err := ours.Decode(blob, nil)
		if err != nil {
			t.Fatal(err)
		}
		i := installed{
			Name: p.Name, Version: p.Version, Release: p.Release, Arch: p.Arch, Epoch: -1, SourceRPM: p.SourceRPM, Vendor: p.Vendor,
			License: p.License, Summary: p.Summary, URL: p.URL, Modularity: p.ModularityLabel, SigMD5: p.SigMD5, Files: p.Files, Requires: p.Requires, Provides: p.Provides,
		}
		if p.HasEpoch {
			i.Epoch = int(p.Epoch)
		}
		out = append(out, i)
	}
	return tidy(out), db.Format()
}

// tidy takes out what the two readers are free to say differently: the order of
// packages and lists, and "(none)", which is how rpm prints what is missing.
func tidy(list []installed) []installed {
	for i := range list {
		p := &list[i]
		for _, s := range []*string{&p.Arch, &p.SourceRPM, &p.Vendor, &p.License, &p.Summary, &p.URL, &p.Modularity} {
			if *s == "(none)" {
				*s = ""
			}
			*s = strings.ToValidUTF8(*s, "\uFFFD")
		}
		for _, l := range []*[]string{&p.Files, &p.Requires, &p.Provides} {
			for k := range *l {
				(*l)[k] = strings.ToValidUTF8((*l)[k], "\uFFFD")
			}
			slices.Sort(*l)
			*l = slices.DeleteFunc(slices.Compact(*l), func(s string) bool { return s == "" })
			if len(*l) == 0 {
				*l = nil
			}
		}
	}
	slices.SortFunc(list, func(a, b installed) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version), strings.Compare(a.Release, b.Release), strings.Compare(a.Arch, b.Arch), strings.Compare(a.SigMD5, b.SigMD5))
	})
	return list
}
