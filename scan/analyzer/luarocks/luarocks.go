// Package luarocks reads rocks, the packages of Lua: what LuaRocks installed in its trees,
// and what a luarocks.lock names.
//
// A tree has a folder for each rock (lib/luarocks/rocks-5.4/name/version) with its rockspec,
// the list of its files (rock_manifest) and the user whose manifest it came from
// (rock_namespace). The manifest of the tree lists all rocks: one that has no folder any
// more becomes a declared package. A rockspec elsewhere is that of the project it lies in.
// The interpreter, which rocks ask for as "lua", is no rock.
//
// These files are programs in Lua. They are read and never run: assignments, tables, texts,
// and what joins texts. What a program computes in other ways has no value here.
package luarocks

import (
	"context"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
)

// Analyzer reads the files of LuaRocks. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "luarocks", Version: 2} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names:    []string{"luarocks.lock", "manifest", "rock_manifest", "rock_namespace"},
		Suffixes: []string{".rockspec"},
		Accept:   func(file string) bool { return formatOf(file) != nil },
	}
}

// format reads one kind of file.
type format func(file string, data []byte) ([]analyzer.Fact, error)

// formatOf returns the format of a file by its path, or nil.
func formatOf(file string) format {
	base := path.Base(file)
	_, inTree := placeOf(file)
	switch {
	case base == "luarocks.lock":
		return readLock
	case base == "manifest":
		if isTree(path.Dir(file)) {
			return readManifest
		}
	case base == "rock_manifest" && inTree:
		return readPresence
	case base == "rock_namespace" && inTree:
		return readNamespace
	case strings.HasSuffix(base, ".rockspec") && inTree:
		return readInstalled
	case strings.HasSuffix(base, ".rockspec") && !strings.Contains("/"+file, "/luarocks/rocks"):
		return readProject
	}
	return nil
}

// isTree reports whether dir is where a tree keeps its rocks: ".../luarocks/rocks-5.4", or
// "rocks" before LuaRocks 2.
func isTree(dir string) bool {
	base := path.Base(dir)
	return (base == "rocks" || strings.HasPrefix(base, "rocks-")) && path.Base(path.Dir(dir)) == "luarocks"
}

// place is the folder of a rock in a tree.
type place struct{ tree, name, version string }

func placeOf(file string) (p place, ok bool) {
	version := path.Dir(file)
	name := path.Dir(version)
	tree := path.Dir(name)
	return place{tree, path.Base(name), path.Base(version)}, isTree(tree)
}

func (p place) scope() string { return "rocks in " + p.tree }
func (p place) key() string   { return p.name + "@" + p.version }

// Extract implements analyzer.Analyzer: one fact for each rock, which Join completes.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	read := formatOf(f.Path)
	if read == nil {
		return nil, nil
	}
	return locked.ReadAt(f, locked.MaxBytes, read)
}
