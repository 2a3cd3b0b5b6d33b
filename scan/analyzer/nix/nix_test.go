package nix_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/nix"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, nix.Analyzer{}) }

const hash = "nix/store/1ddf3x30m0z6kknmrmapsc7liz8npi1w-"

// FuzzName: any path in the store. What is wanted has a name and a version, and says the
// same twice.
func FuzzName(f *testing.F) {
	for _, s := range []string{"glibc-2.38-44-bin/lib/x", "a-unstable-2023-01-01/x", "-1/x", "a-1-/x", "a--1/x", "a-1/lib/node_modules/b/package.json"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		path := hash + name
		r := analyzertest.Scan(nix.Analyzer{}, map[string][]byte{path: nil})
		if wanted := len(analyzer.NewSet(nix.Analyzer{}).ByPath(nil, path)) > 0; wanted != (len(r.Packages) == 1) {
			t.Fatalf("%q is wanted: %v, but gives %d packages", path, wanted, len(r.Packages))
		}
		for _, p := range r.Packages {
			if p.Package.Name == "" || p.Package.Version == "" || p.Package.PURL.IsZero() {
				t.Fatalf("%q: %+v", path, p.Package)
			}
			if whole := p.Package.Name + "-" + p.Package.Version; !strings.HasPrefix(name, whole) {
				t.Fatalf("%q is not %q", path, whole)
			}
			analyzertest.Check(t, nix.Analyzer{}, path, nil)
		}
	})
}

// TestTelling holds files by which an output is noticed, and those that are left out.
func TestTelling(t *testing.T) {
	set := analyzer.NewSet(nix.Analyzer{})
	for inside, want := range map[string]bool{
		"x": true, "bin/x": true, "lib/libx.so": true, "libexec/x/y": true, "etc/ssl/certs/ca-bundle.crt": true, "share/fonts/truetype/x.ttf": true,
		"lib/perl5/site_perl/5.38.2/X.pm": true, "lib/node_modules/x/package.json": true, "lib/node_modules/x/node_modules/y/package.json": false,
		"lib/node_modules/x/index.js": false, "include/x.h": false, "share/man/man1/x.1.gz": false, "share/doc/x/README": false, "nix-support/setup-hook": false,
		"lib/python3.11/site-packages/six.py": true, "lib/python3.11/site-packages/x/y.py": false, "lib/python3.11/site-packages/x-1.dist-info/METADATA": true,
		"lib/python3.11/os.py": true, "lib/python3.11/json/decoder.py": false, "share/emacs/site-lisp/x.el": true, "share/emacs/site-lisp/x.elc": false,
		"lib/ruby/gems/3.1.0/specifications/x-1.gemspec": true, "lib/ruby/gems/3.1.0/gems/x-1/lib/x.rb": false, "lib/modules/6.1.0/kernel/fs/x.ko": false, "lib/modules/6.1.0/modules.dep": false,
		"share/zoneinfo/zone.tab": true, "share/zoneinfo/Europe/Berlin": false,
	} {
		if got := len(set.ByPath(nil, hash+"a-1.0/"+inside)) > 0; got != want {
			t.Errorf("%s is wanted: %v", inside, got)
		}
	}
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, nix.Analyzer{},
		analyzertest.Hostile{Name: "dashes", Path: hash + strings.Repeat("-", 1<<16) + "1/x"},
		analyzertest.Hostile{Name: "folders", Path: hash + "a-1/" + strings.Repeat("x/", 1<<16)},
		analyzertest.Hostile{Name: "another place", Path: "x"},
		analyzertest.Hostile{Name: "no version", Path: hash + "a/x"},
	)
}

// TestJoinMany: an output is one package at its first file, however many it has.
func TestJoinMany(t *testing.T) {
	in := &analyzer.Squashed{}
	for i := range 200_000 {
		in.Facts = append(in.Facts, analyzer.Located{Path: fmt.Sprintf("%sa-1/bin/%d", hash, i), Fact: analyzer.Fact{Kind: analyzer.KindPart, Key: strings.TrimPrefix(hash, "nix/store/") + "a-1"}})
	}
	if out, gaps := (nix.Analyzer{}).Join(in); len(out) != 1 || len(gaps) != 0 || out[0].Path != hash+"a-1/bin/0" {
		t.Errorf("%d packages, gaps %v", len(out), gaps)
	}
}

func Example() {
	a := nix.Analyzer{}
	path := "nix/store/h0cnbmfcn93xm5dg2x27ixhag1cwndga-glibc-2.38-44-bin/bin/ldd"
	facts, err := a.Extract(context.Background(), analyzer.NewMemoryFile(path, nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	packages, _ := a.Join(&analyzer.Squashed{Facts: []analyzer.Located{{Fact: facts[0], Path: path}}})
	for _, p := range packages {
		fmt.Println(p.Package.PURL, p.Package.Properties)
	}
	// Output: pkg:nix/glibc@2.38-44 [{nix:output bin}]
}
