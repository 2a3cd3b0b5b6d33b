package analyzer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

// wants is an analyzer that only has wishes.
type wants struct {
	name  string
	paths analyzer.Paths
}

func (w wants) Info() analyzer.Info   { return analyzer.Info{Name: w.name, Version: 1} }
func (w wants) Paths() analyzer.Paths { return w.paths }
func (w wants) Extract(context.Context, *analyzer.File) ([]analyzer.Fact, error) {
	return nil, nil
}

var list = []analyzer.Analyzer{
	wants{"exact", analyzer.Paths{Exact: []string{"etc/os-release"}}},
	wants{"dirs", analyzer.Paths{Dirs: []string{"var/lib/dpkg/status.d"}}},
	wants{"names", analyzer.Paths{Names: []string{"package.json"}, Accept: func(p string) bool { return strings.Contains(p, "node_modules/") }}},
	wants{"suffixes", analyzer.Paths{Suffixes: []string{".jar", ".tar.gz", "-lock.yaml"}}},
	wants{"magic", analyzer.Paths{Magic: []string{"\x7fELF", "MZ"}}},
	wants{"both", analyzer.Paths{Names: []string{"package.json"}, Suffixes: []string{".json"}}},
}

func TestSetFindsWhoWantsAFile(t *testing.T) {
	set := analyzer.NewSet(list...)
	for path, want := range map[string]string{
		"etc/os-release":                  "exact",
		"usr/etc/os-release":              "",
		"var/lib/dpkg/status.d/libc6":     "dirs",
		"var/lib/dpkg/status.d/a/b":       "dirs",
		"var/lib/dpkg/status.d":           "",
		"app/node_modules/x/package.json": "both names",
		"app/package.json":                "both",
		"a.JAR":                           "suffixes",
		"jar":                             "",
		"x/pnpm-lock.yaml":                "suffixes",
		"x/a.tar.gz":                      "suffixes",
		"x/a.gz":                          "",
	} {
		var got []string
		for _, i := range set.ByPath(nil, path) {
			_, info := set.At(i)
			got = append(got, info.Name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(strings.Fields(want), got, cmp.Transformer("nil", func(s []string) string { return strings.Join(s, " ") })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	if got := set.ByMagic(nil, "bin/x", []byte("\x7fELF\x02\x01\x01\x00")); len(got) != 1 {
		t.Errorf("an ELF file is wanted by %v, want one", got)
	}
	if got := set.ByMagic(nil, "bin/x", []byte("#!/bin/sh")); len(got) != 0 {
		t.Errorf("a script is wanted by %v", got)
	}
}

func TestIdentityDependsOnVersions(t *testing.T) {
	a, b := analyzer.NewSet(list[0], list[1]), analyzer.NewSet(list[1], list[0])
	if a.Identity() == b.Identity() || a.Identity() != analyzer.NewSet(list[0], list[1]).Identity() {
		t.Error("the identity must tell sets apart by their analyzers and order, and by nothing else")
	}
}

func TestBudget(t *testing.T) {
	b := analyzer.NewBudget(analyzer.Limits{Entries: 2, ArchiveEntries: 5, ArchiveBytes: 10, Facts: 1})
	for i, err := range []error{b.Entry("a"), b.Entry("b"), b.Member("c", 5), b.Derive("d", 10), b.Fact("e", 1)} {
		if err != nil {
			t.Errorf("charge %d: %v", i, err)
		}
	}
	for i, err := range []error{b.Entry("x"), b.Member("x", 1), b.Derive("x", 1), b.Fact("x", 1)} {
		var limit *fault.LimitError
		if !errors.As(err, &limit) || limit.Where != "x" || limit.Seen != limit.Max+1 {
			t.Errorf("charge %d over the limit: %v", i, err)
		}
	}
}

func TestFileBytes(t *testing.T) {
	f := analyzer.NewMemoryFile("a", []byte("12345"))
	if _, err := f.Bytes(4); !errors.Is(err, fault.Limit) {
		t.Errorf("5 bytes with a limit of 4: %v", err)
	}
	if b, err := f.Bytes(5); string(b) != "12345" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func ExampleSet_ByPath() {
	set := analyzer.NewSet(list...)
	for _, i := range set.ByPath(nil, "opt/app/lib/log4j-core-2.14.1.jar") {
		_, info := set.At(i)
		fmt.Println(info.Name)
	}
	// Output: suffixes
}
