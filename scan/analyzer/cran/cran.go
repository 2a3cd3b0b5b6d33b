// Package cran reads packages of R: what is installed in a library, and what a renv.lock and
// a packrat.lock name.
//
// An installed package is a folder with a DESCRIPTION that has the field "Built". Sources of
// packages have none and are left out. Packages that are part of R ("Priority: base") come
// from no repository and have no package URL.
//
// Packages of CRAN and of other repositories, which "repository_url" names, have the package
// URL type "cran", those of Bioconductor the type "bioconductor", which OSV uses. Those of a
// version control system have vcs_url, those of an address download_url. What comes from a
// folder, or from nobody knows where, has no package URL, and the property "cran:source"
// says so.
package cran

import (
	"context"
	"path"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxDescription bounds the bytes of a DESCRIPTION.
const maxDescription = 1 << 20

// Analyzer reads the files of the R ecosystem. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "cran", Version: 2} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Names: []string{"DESCRIPTION", "renv.lock", "packrat.lock"}}
}

// Extract implements analyzer.Analyzer: one fact for each package.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	var read func([]byte) ([]analyzer.Fact, error)
	limit := int64(locked.MaxBytes)
	switch path.Base(f.Path) {
	case "DESCRIPTION":
		read, limit = func(data []byte) ([]analyzer.Fact, error) { return readDescription(f.Path, data) }, maxDescription
	case "renv.lock":
		read = readRenv
	case "packrat.lock":
		read = readPackrat
	default:
		return nil, nil
	}
	return locked.Read(f, limit, read)
}

// Join implements analyzer.Joiner: what an installed package needs is looked for in its own
// library first, then in the first other one that has it, as R does by the order of
// libraries, which the image does not tell.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	here, anywhere := map[string]bool{}, map[string]string{}
	for _, f := range in.Facts {
		if f.Scope == library {
			here[f.Key] = true
			if _, known := anywhere[f.Package.Name]; !known {
				anywhere[f.Package.Name] = f.Key
			}
		}
	}
	out := make([]analyzer.Located, 0, len(in.Facts))
	for _, f := range in.Facts {
		if f.Scope == library {
			f.DependsOn = keysOf(f, here, anywhere)
		}
		out = append(out, f)
	}
	return out, nil
}
