// Package npm reads packages of the npm registry: what is installed below
// node_modules folders, and what the lockfiles of npm, pnpm, yarn and Bun name.
// The binary lockfile that Bun wrote before version 1.2 is answered with an error.
//
// Installed packages are every package.json that has a name and a version,
// wherever it lies; npm calls nothing else a package. So an app's own
// package.json is one, and so are copies that a bundler vendored. Lockfiles
// below a node_modules folder are left out: they are notes of a package's
// developers and say nothing about what is there. The exception is
// node_modules/.package-lock.json, in which npm writes down what it installed;
// it completes the installed packages.
//
// Packages that come from a folder (workspaces, "link:", "portal:", "file:" of
// a folder) are not registry packages, whatever their name is: as lockfile
// entries they have no package URL, and the property "npm:source" says where
// they come from. Packages from a git repository keep name and version and
// carry the repository in the package URL's vcs_url. An alias
// ("npm:real@1.0") counts as the package that it stands for.
package npm

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
)

// The limits on files of this ecosystem. Published package.json files stay
// below 1 MiB, the largest lockfiles of known monorepos below 10 MiB.
const (
	maxManifest = 8 << 20  // bytes of a package.json
	maxLock     = 32 << 20 // bytes of a lockfile
	maxEntries  = 100_000  // packages of a lockfile
	maxRequests = 500_000  // requests that the packages of a yarn.lock answer
)

// Analyzer reads the files of the npm ecosystem. The zero value is ready to
// use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "npm", Version: 3} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names:  []string{"package.json", "package-lock.json", "npm-shrinkwrap.json", ".package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb"},
		Accept: accept,
	}
}

func accept(file string) bool {
	dir, base := path.Split(file)
	switch base {
	case "package.json":
		return true
	case ".package-lock.json":
		return path.Base(dir) == "node_modules"
	}
	return !strings.Contains("/"+dir, "/node_modules/")
}

// Extract implements analyzer.Analyzer: one fact for each package, which Join
// completes. A lockfile that breaks off gives what it says up to there beside
// the error.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	facts, err := extract(f)
	if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, nil
}

func extract(f *analyzer.File) ([]analyzer.Fact, error) {
	dir, base := path.Split(f.Path)
	dir = strings.TrimSuffix(dir, "/")
	if base == "package.json" {
		data, err := f.Bytes(maxManifest)
		if err != nil {
			return nil, err
		}
		return manifestFacts(dir, data)
	}
	if base == "bun.lockb" {
		return nil, readBunBinary()
	}
	data, err := f.Bytes(maxLock)
	if err != nil {
		return nil, err
	}
	var lock lockfile
	switch base {
	case ".package-lock.json":
		err = readPackageLock(&lock, data)
		return lock.parts(strings.TrimSuffix(dir, "node_modules")), cmp.Or(err, lock.odd)
	case "pnpm-lock.yaml":
		err = readPnpmLock(&lock, data)
	case "bun.lock":
		err = readBunLock(&lock, data)
	case "yarn.lock":
		if isBerry(data) {
			err = readBerryLock(&lock, data)
		} else {
			readYarnLock(&lock, data)
		}
	default:
		err = readPackageLock(&lock, data)
	}
	return lock.facts(), cmp.Or(err, lock.odd)
}

func isBerry(data []byte) bool {
	return bytes.HasPrefix(data, []byte("__metadata:")) || bytes.Contains(data, []byte("\n__metadata:"))
}
