package apk_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/apk"
	"github.com/stella-ops/stella/scan/sbom"
)

func extract(data []byte) ([]analyzer.Fact, error) {
	return apk.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("lib/apk/db/installed", data))
}

// TestOfficialRoots compares with a plain count of the P: and V: lines of the
// databases of official images.
func TestOfficialRoots(t *testing.T) {
	files := testdata.Open(t, "pkgdb/alpine-roots.tar.gz")
	checked := 0
	for _, name := range testdata.Names(files) {
		if path.Base(name) != "installed" {
			continue
		}
		var want, got []string
		pkg := ""
		for line := range strings.Lines(string(files[name])) {
			if p, ok := strings.CutPrefix(line, "P:"); ok {
				pkg = strings.TrimSpace(p)
			} else if v, ok := strings.CutPrefix(line, "V:"); ok {
				want = append(want, pkg+" "+strings.TrimSpace(v))
			}
		}
		facts, err := extract(files[name])
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, f := range facts {
			got = append(got, f.Package.Name+" "+f.Package.Version)
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" && len(want) > 0 {
			// V: comes before or after P: by version of the format; both orders must do.
			if len(want) != len(got) {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		checked++
	}
	if checked < 5 {
		t.Errorf("only %d databases were checked", checked)
	}
}

const database = `C:Q1abc=
P:busybox
V:1.36.1-r29
A:x86_64
S:500000
T:Size optimized toolbox
U:https://busybox.net/
L:GPL-2.0-only
o:busybox
m:Somebody <s@example.org>
D:so:libc.musl-x86_64.so.1 !old
p:cmd:sh=1.36.1-r29 /bin/sh
F:bin
R:busybox
Z:Q1def=
F:etc
R:securetty

P:musl
V:1.2.5-r0
A:x86_64
o:musl-src
p:so:libc.musl-x86_64.so.1=1
F:lib
R:ld-musl-x86_64.so.1
`

func TestRecords(t *testing.T) {
	facts, err := extract([]byte(database))
	if err != nil {
		t.Fatal(err)
	}
	in := &analyzer.Squashed{OS: &sbom.OS{ID: "alpine", VersionID: "3.20.1"}}
	for _, f := range facts {
		in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: "lib/apk/db/installed"})
	}
	out, gaps := apk.Analyzer{}.Join(in)
	if len(out) != 2 || len(gaps) != 0 {
		t.Fatalf("%d packages, gaps %v", len(out), gaps)
	}
	if diff := cmp.Diff([]string{"musl"}, out[0].DependsOn); diff != "" {
		t.Errorf("busybox depends on (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"bin/busybox", "etc/securetty"}, out[0].Owns); diff != "" {
		t.Errorf("busybox owns (-want +got):\n%s", diff)
	}
	if got, want := out[1].Package.PURL.String(), "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1&upstream=musl-src"; got != want {
		t.Errorf("package URL %s, want %s", got, want)
	}
}

func TestBrokenRecords(t *testing.T) {
	for name, bad := range map[string]string{"no version": "P:x\n\n", "rubbish": "P:x\nrubbish\n", "no name": "V:1\n"} {
		facts, err := extract([]byte(database + "\n" + bad))
		if !errors.Is(err, fault.Invalid) || len(facts) != 2 {
			t.Errorf("%s: %d facts, error %v; want the two good records and an invalid input", name, len(facts), err)
		}
	}
}

func FuzzExtract(f *testing.F) {
	f.Add([]byte(database))
	f.Fuzz(func(t *testing.T, data []byte) {
		facts, _ := extract(data)
		in := &analyzer.Squashed{}
		for _, fact := range facts {
			in.Facts = append(in.Facts, analyzer.Located{Fact: fact})
		}
		apk.Analyzer{}.Join(in)
	})
}

func ExampleAnalyzer() {
	facts, err := extract([]byte("P:musl\nV:1.2.5-r0\nA:x86_64\n"))
	fmt.Println(facts[0].Package.Name, facts[0].Package.Version, err)
	// Output: musl 1.2.5-r0 <nil>
}
