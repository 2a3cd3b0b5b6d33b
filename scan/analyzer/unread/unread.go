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
	prefixes []string // of base names; "" is any. They need within
	within   []string // parts of which the path must have one; empty: anywhere
}

var kinds = []kind{
	{name: "xbps packages", system: true, prefixes: []string{"pkgdb-"}, within: []string{"var/db/xbps/"}},
	{name: "Slackware packages", system: true, prefixes: []string{""}, within: []string{"var/log/packages/", "var/lib/pkgtools/packages/"}},
	{name: "eopkg packages", system: true, names: []string{"metadata.xml"}, within: []string{"var/lib/eopkg/package/"}},
	{name: "Clear Linux bundles", system: true, prefixes: []string{""}, within: []string{"usr/share/clear/bundles/"}},
	{name: "Guix packages", system: true, names: []string{"manifest"}, within: []string{"gnu/store/"}},
	{name: "Bower components", names: []string{".bower.json"}},
	{name: "Nim packages", names: []string{"nimble.lock"}},
	{name: "Zig packages", names: []string{"build.zig.zon"}},
	{name: "Crystal shards", names: []string{"shard.lock"}},
	{name: "Elm packages", names: []string{"elm.json"}},
	{name: "D packages", names: []string{"dub.selections.json"}},
	{name: "Haxe libraries", names: []string{"haxelib.json"}},
}

// Analyzer notices files. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "unread", Version: 3} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	var p analyzer.Paths
	for _, k := range kinds {
		p.Names = append(p.Names, k.names...)
		if len(k.prefixes) > 0 {
			for _, dir := range k.within {
				p.Dirs = append(p.Dirs, strings.TrimSuffix(dir, "/"))
			}
		}
	}
	p.Accept = func(path string) bool { return of(path) != nil }
	return p
}

// of returns the kind that a path belongs to, or nil.
func of(path string) *kind {
	base := path[strings.LastIndexByte(path, '/')+1:]
	for i := range kinds {
		k := &kinds[i]
		named := slices.Contains(k.names, base) ||
			slices.ContainsFunc(k.prefixes, func(s string) bool { return strings.HasPrefix(base, s) })
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
