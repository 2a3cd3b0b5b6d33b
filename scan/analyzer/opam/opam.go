// Package opam reads packages of OCaml: what opam installed in its switches, what a lockfile
// names, and the project itself.
//
// A switch keeps the description of each package that is installed
// (".opam-switch/packages/name.version/opam"). A lockfile ("opam.locked", "name.opam.locked")
// gives a version to each dependency; those of pin-depends come from an address, which is the
// qualifier vcs_url where it is a repository. Dependencies that only tests, documentation or
// development need have the scope dev. Of a project's own file ("name.opam", "opam") the
// project is read, as an application, and nothing of what it depends on: it has ranges.
//
// Repositories of descriptions ("repo/…/packages/name/name.version/opam") hold every package
// that there is, and are left out.
package opam

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
)

// maxBytes bounds one file. Real ones stay below 100 KiB.
const maxBytes = 4 << 20

// Analyzer reads the files of opam. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "opam", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names:    []string{"opam", "opam.locked"},
		Suffixes: []string{".opam", ".opam.locked"},
		Accept:   func(file string) bool { return formatOf(file) != nil },
	}
}

// format reads one kind of file.
type format func(file string, data []byte) ([]analyzer.Fact, error)

// formatOf returns the format of a file by its path, or nil.
func formatOf(file string) format {
	base, dir := path.Base(file), path.Dir(file)
	switch {
	case base == "opam.locked" || strings.HasSuffix(base, ".opam.locked"):
		return readLock
	case base == "opam" && path.Base(path.Dir(dir)) == "packages" && path.Base(path.Dir(path.Dir(dir))) == ".opam-switch":
		return readInstalled
	case strings.Contains("/"+file, "/.opam-switch/"), strings.Contains("/"+dir+"/", "/packages/"), strings.Contains("/"+dir+"/", "/.opam/"):
		return nil // sources of a build, or a repository
	case base == "opam" || strings.HasSuffix(base, ".opam") && base != ".opam":
		return readProject
	}
	return nil
}

// Extract implements analyzer.Analyzer: one fact for each package.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	read := formatOf(f.Path)
	if read == nil {
		return nil, nil
	}
	if path.Base(f.Path) == "opam" && f.Size > maxBytes {
		return nil, nil // opam itself
	}
	data, err := f.Bytes(maxBytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	facts, err := read(f.Path, data)
	if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, nil
}
