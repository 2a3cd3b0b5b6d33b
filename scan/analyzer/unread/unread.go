// Package unread notices package databases and lockfiles of ecosystems that no
// analyzer of the SDK reads yet, so that what was not assessed is said instead
// of left out.
package unread

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// kind is one ecosystem and the files by which it is noticed.
type kind struct {
	name     string
	system   bool // a database of operating system packages
	names    []string
	suffixes []string
	within   []string // parts of which the path must have one; empty: anywhere
}

var kinds = []kind{
	{name: "pacman packages", system: true, names: []string{"desc"}, within: []string{"var/lib/pacman/local/"}},
	{name: "portage packages", system: true, names: []string{"CONTENTS"}, within: []string{"var/db/pkg/"}},
	{name: "opkg packages", system: true, names: []string{"status"}, within: []string{"usr/lib/opkg/", "var/lib/opkg/"}},
	{name: "Ruby gems", names: []string{"Gemfile.lock", "gems.locked"}},
	{name: "Ruby gems", suffixes: []string{".gemspec"}, within: []string{"/specifications/", "specifications/"}},
	{name: "Rust crates", names: []string{"Cargo.lock"}},
	{name: "PHP packages", names: []string{"composer.lock"}},
	{name: "PHP packages", names: []string{"installed.json"}, within: []string{"vendor/composer/"}},
	{name: ".NET packages", names: []string{"packages.lock.json", "packages.config"}, suffixes: []string{".deps.json"}},
	{name: "Dart packages", names: []string{"pubspec.lock"}},
	{name: "Elixir packages", names: []string{"mix.lock"}},
	{name: "Erlang packages", names: []string{"rebar.lock"}},
	{name: "Swift packages", names: []string{"Package.resolved"}},
	{name: "CocoaPods", names: []string{"Podfile.lock"}},
	{name: "Conan packages", names: []string{"conan.lock"}},
	{name: "Conda packages", suffixes: []string{".json"}, within: []string{"/conda-meta/", "conda-meta/"}},
	{name: "Julia packages", names: []string{"JuliaManifest.toml"}},
	{name: "R packages", names: []string{"renv.lock"}},
	{name: "Deno packages", names: []string{"deno.lock"}},
	{name: "Bun packages", names: []string{"bun.lock", "bun.lockb"}},
}

// Analyzer notices files. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "unread", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	var p analyzer.Paths
	for _, k := range kinds {
		p.Names = append(p.Names, k.names...)
		p.Suffixes = append(p.Suffixes, k.suffixes...)
	}
	p.Accept = func(path string) bool { return of(path) != nil }
	return p
}

// of returns the kind that a path belongs to, or nil.
func of(path string) *kind {
	base := path[strings.LastIndexByte(path, '/')+1:]
	for i := range kinds {
		k := &kinds[i]
		named := slices.Contains(k.names, base) || slices.ContainsFunc(k.suffixes, func(s string) bool { return strings.HasSuffix(base, s) })
		if named && (len(k.within) == 0 || slices.ContainsFunc(k.within, func(part string) bool { return strings.Contains(path, part) })) {
			return k
		}
	}
	return nil
}

// Extract implements analyzer.Analyzer: it says that the file is there, and
// reads nothing.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	k := of(f.Path)
	if k == nil {
		return nil, nil
	}
	return []analyzer.Fact{{Kind: analyzer.KindPart, Key: k.name}}, nil
}

// Join implements analyzer.Joiner: one gap for each ecosystem that was seen. It
// is blocking for operating system packages, without which nothing can be said
// of an image.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	count, first := map[string]int{}, map[string]string{}
	for _, f := range in.Facts {
		if count[f.Key]++; count[f.Key] == 1 {
			first[f.Key] = f.Path
		}
	}
	var gaps []sbom.Gap
	for i, k := range kinds {
		if count[k.name] == 0 || slices.ContainsFunc(kinds[:i], func(before kind) bool { return before.name == k.name }) {
			continue
		}
		gaps = append(gaps, sbom.Gap{Code: sbom.GapUnsupported, Blocking: k.system, Where: first[k.name],
			What: fmt.Sprintf("%s are not read by this version (%d files)", k.name, count[k.name])})
	}
	return nil, gaps
}
