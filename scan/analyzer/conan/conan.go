// Package conan reads packages of Conan, the package manager of C and C++: what a conan.lock
// and a conanfile.txt name, and what the cache of Conan 1 holds.
//
// Lockfiles are read in all their forms: the graphs of Conan 1 (up to version 0.4) and the
// lists of Conan 2 (0.5). What is needed only to build, and the code of recipes
// (python_requires), has the scope "dev". The version of a requirement in a conanfile.txt is
// one where the file pins it; a range is kept as the property "conan:requirement".
//
// Of a cache of Conan 1 every binary package has a conaninfo.txt whose path names it. Conan 2
// keeps names in a database: that one is seen is said as a gap. A conanfile.py is a program
// and is left out.
//
// User, channel and revisions are qualifiers of the package URL ("user", "channel", "rrev",
// "prev"). The project itself is an application without one; so has what is edited in a
// folder, which the property "conan:source" names.
package conan

import (
	"context"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxText bounds the bytes of a conanfile.txt and a conaninfo.txt.
const maxText = 1 << 20

// Analyzer reads the files of the Conan ecosystem. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "conan", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names: []string{"conan.lock", "conanfile.txt", "conaninfo.txt", "cache.sqlite3"},
		Accept: func(file string) bool {
			switch path.Base(file) {
			case "conaninfo.txt":
				_, ok := cached(file)
				return ok
			case "cache.sqlite3":
				return newCache(file)
			}
			return true
		},
	}
}

// newCache reports whether a file is the database of a cache of Conan 2.
func newCache(file string) bool { return strings.HasSuffix("/"+file, "/.conan2/p/cache.sqlite3") }

// Extract implements analyzer.Analyzer: one fact for each package.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	read, limit := readLock, int64(locked.MaxBytes)
	switch path.Base(f.Path) {
	case "conanfile.txt":
		read, limit = readConanfile, maxText
	case "conaninfo.txt":
		ref, ok := cached(f.Path)
		if !ok {
			return nil, nil
		}
		read, limit = func(data []byte) ([]analyzer.Fact, error) { return readInfo(ref, data), nil }, maxText
	case "cache.sqlite3":
		return []analyzer.Fact{{Kind: analyzer.KindPart, Key: "cache"}}, nil
	}
	return locked.Read(f, limit, read)
}

// Join implements analyzer.Joiner: a cache that is not read becomes a gap.
func (Analyzer) Join(in *analyzer.Squashed) (out []analyzer.Located, gaps []sbom.Gap) {
	for _, f := range in.Facts {
		if f.Kind == analyzer.KindPart {
			gaps = append(gaps, sbom.Gap{Code: sbom.GapUnsupported, Where: f.Path, What: "packages in a cache of Conan 2 are not read by this version"})
			continue
		}
		out = append(out, f)
	}
	return out, gaps
}
