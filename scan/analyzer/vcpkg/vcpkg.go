// Package vcpkg reads packages ("ports") of vcpkg, Microsoft's package manager of C and C++:
// what its database says is installed, and what a vcpkg.json asks for.
//
// The database of a tree of installed packages is the folder vcpkg/ in it: "status", the
// numbered files in "updates", which vcpkg adds to it when it runs the next time, and for
// each package a list of files in "info". Where the first two are missing, the names of the
// lists tell what is there. The property "vcpkg:triplet" says what a package was built for,
// "vcpkg:features" which of its parts were chosen.
//
// A vcpkg.json asks for packages without a version, unless it overrides it; at least the
// version of "version>=" is kept as the property "vcpkg:requirement". The versions that its
// "builtin-baseline" stands for are in the registry. Recipes of a registry ("ports") are left
// out, and so is share/<name>/vcpkg.spdx.json, which is an SBOM and read as one.
package vcpkg

import (
	"context"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
)

// The limits on a database.
const (
	maxDatabase = 32 << 20  // bytes of one file
	maxPackages = 100_000   // paragraphs of one file
	maxNeeds    = 1_000_000 // dependencies of one file
)

// Analyzer reads the files of the vcpkg ecosystem. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "vcpkg", Version: 1} }

// Paths implements analyzer.Analyzer. Updates, which are named by numbers, are known by how
// they begin.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names:    []string{"status", "vcpkg.json"},
		Suffixes: []string{".list"},
		Magic:    []string{"Package:"},
		Accept:   func(file string) bool { return kindOf(file) != none },
	}
}

// kind is what a file is, by its path.
type kind int

const (
	none kind = iota
	manifest
	status
	listing
)

func kindOf(file string) kind {
	dir, base := path.Split("/" + file)
	switch {
	case base == "vcpkg.json":
		// Recipes stand in ports/<name>, sources of packages in buildtrees.
		if up := path.Base(path.Dir(path.Clean(dir))); up == "ports" || up == "test_ports" || strings.Contains(dir, "/buildtrees/") {
			return none
		}
		return manifest
	case base == "status" && strings.HasSuffix(dir, "/vcpkg/"):
		return status
	case strings.HasSuffix(dir, "/vcpkg/updates/") && len(base) == 10 && strings.Trim(base, "0123456789") == "":
		return status
	case strings.HasSuffix(dir, "/vcpkg/info/") && strings.Count(base, "_") >= 2 && strings.HasSuffix(base, ".list"):
		return listing
	}
	return none
}

// Extract implements analyzer.Analyzer: one fact for each package, which Join completes.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	var read func([]byte) ([]analyzer.Fact, error)
	limit := int64(maxDatabase)
	switch kindOf(f.Path) {
	case manifest:
		read, limit = readManifest, locked.MaxBytes
	case status:
		read = readStatus
	case listing:
		return listed(path.Base(f.Path)), nil
	default:
		return nil, nil
	}
	return locked.Read(f, limit, read)
}
