// Package julia reads packages of Julia: what a Manifest.toml names, and what is in a depot.
//
// Manifests of both formats are read, under all their names: Manifest.toml,
// JuliaManifest.toml and those for one version of Julia (Manifest-v1.11.toml). In the first
// format packages are tables of the document, in the second of its table "deps". What a
// package can use but does not need ("weakdeps") is a dependency where the manifest has it.
//
// A package of the standard library that has no version of its own has none here: the
// property "julia:stdlib" is the version of Julia that it comes with, if the file says that.
// What is taken from a folder has no package URL, and the property "julia:source" names the
// folder.
//
// In a depot, packages/<name>/<slug>/Project.toml is an installed package. Other manifests
// below that folder are notes of a package's developers and left out.
package julia

import (
	"context"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/tomltree"
)

// maxProject bounds the bytes of a Project.toml.
const maxProject = 1 << 20

// Analyzer reads the files of the Julia ecosystem. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "julia", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Suffixes: []string{".toml"}, Accept: func(file string) bool { return kindOf(file) != none }}
}

// kind is what a file is, by its path.
type kind int

const (
	none kind = iota
	manifest
	project
)

func kindOf(file string) kind {
	base := strings.TrimPrefix(path.Base(file), "Julia")
	stem := strings.TrimSuffix(base, ".toml")
	version, versioned := strings.CutPrefix(stem, "Manifest-v")
	switch depth := inDepot(file); {
	case base == "Project.toml" && depth == 2:
		return project
	case depth > 0:
		return none
	case stem == "Manifest", versioned && version != "" && strings.Trim(version, "0123456789.") == "":
		return manifest
	}
	return none
}

// inDepot returns how many folders below a depot's packages/ a file is; 0: it is in none. A
// depot is known by its usual name, or by the slug in packages/<name>/<slug>/.
func inDepot(file string) int {
	parts := strings.Split(path.Dir(file), "/")
	for i, part := range parts {
		if part != "packages" || i+2 >= len(parts) {
			continue
		}
		if i > 0 && (parts[i-1] == ".julia" || parts[i-1] == "julia") || isSlug(parts[i+2]) {
			return len(parts) - i - 1
		}
	}
	return 0
}

// isSlug reports whether a folder is named as Julia names versions: five letters and digits,
// of which one at least is no lower-case letter, so that words are none.
func isSlug(name string) bool {
	other := false
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z':
		case '0' <= c && c <= '9', 'A' <= c && c <= 'Z':
			other = true
		default:
			return false
		}
	}
	return other && len(name) == 5
}

// Extract implements analyzer.Analyzer: one fact for each package.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	read, limit := readManifest, int64(locked.MaxBytes)
	switch kindOf(f.Path) {
	case none:
		return nil, nil
	case project:
		read, limit = readProject, maxProject
	}
	return locked.Read(f, limit, func(data []byte) ([]analyzer.Fact, error) {
		doc, err := tomltree.Read(data)
		return read(doc, err)
	})
}
