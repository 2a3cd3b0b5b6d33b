// Package hackage reads packages of Haskell: what a cabal.project.freeze and a
// stack.yaml.lock name, and what GHC has registered.
//
// Registered packages are the *.conf files of a package database: GHC's own package.conf.d,
// Cabal's store (package.db) and Stack's pkgdb. What stands in a project's own database
// (packagedb) was built from its folder: it is an application without a package URL.
//
// A freeze file pins versions; what it bounds otherwise has none, and the property
// "hackage:requirement" keeps the bound. What is needed by a package's Setup alone has the
// scope "dev". A stack.yaml.lock has only what a project adds to a snapshot of Stackage; that
// the snapshot itself is not in it is said as a gap.
package hackage

import (
	"context"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxConf bounds the bytes of one registered package: large ones list thousands of modules.
const maxConf = 4 << 20

// Analyzer reads the files of the Haskell ecosystem. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "hackage", Version: 1} }

// Paths implements analyzer.Analyzer. A freeze file is named after the project's file.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names:    []string{"stack.yaml.lock"},
		Suffixes: []string{".freeze", ".conf"},
		Accept: func(file string) bool {
			switch path.Ext(file) {
			case ".conf":
				return registered(file) != elsewhere
			case ".freeze":
				return strings.HasSuffix(file, ".project.freeze")
			}
			return true
		},
	}
}

// database is whose database a *.conf file is in.
type database int

const (
	elsewhere database = iota
	shared             // GHC's, or a store of what was built
	own                // of a project: dist-newstyle/packagedb/ghc-9.4.7
)

func registered(file string) database {
	dir := path.Dir(file)
	switch base := path.Base(dir); {
	case base == "package.conf.d", base == "package.db", base == "pkgdb":
		return shared
	case strings.HasPrefix(base, "ghc-") && path.Base(path.Dir(dir)) == "packagedb":
		return own
	}
	return elsewhere
}

// Extract implements analyzer.Analyzer: one fact for each package.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	var read func([]byte) ([]analyzer.Fact, error)
	limit := int64(locked.MaxBytes)
	switch path.Ext(f.Path) {
	case ".freeze":
		read = readFreeze
	case ".lock":
		read = readStack
	case ".conf":
		from := registered(f.Path)
		read, limit = func(data []byte) ([]analyzer.Fact, error) { return readConf(data, from) }, maxConf
	default:
		return nil, nil
	}
	return locked.Read(f, limit, read)
}

// Join implements analyzer.Joiner: a snapshot that a lockfile refers to becomes a gap.
func (Analyzer) Join(in *analyzer.Squashed) (out []analyzer.Located, gaps []sbom.Gap) {
	for _, f := range in.Facts {
		if f.Kind == analyzer.KindPart {
			gaps = append(gaps, sbom.Gap{Code: sbom.GapUnresolved, Where: f.Path, What: "packages of the snapshot " + f.Key + " are not in the file"})
			continue
		}
		out = append(out, f)
	}
	return out, gaps
}
