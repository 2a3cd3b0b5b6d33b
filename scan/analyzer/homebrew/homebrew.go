// Package homebrew reads what Homebrew has installed, on macOS and on Linux: the receipts of
// formulae and casks, and the formula or cask that is kept beside them, which tells licence,
// description and where the source is from.
//
// The version is that of the folder, with Homebrew's revision after an underscore. It leaves
// out the files of a package, of which Homebrew has no list (all below its folder belong to
// it), and taps, which say what could be installed.
//
// Package URLs have the tap as namespace unless it is homebrew/core. What was installed from a
// file of one's own is in no tap and has none.
//
// Format: Homebrew Library/Homebrew/tab.rb, cask/tab.rb, cask/metadata.rb; docs.brew.sh,
// "Formula Cookbook" and "Cask Cookbook".
package homebrew

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	scope    = "homebrew" // all packages form one name space
	maxBytes = 8 << 20    // of one file
	receipt  = "INSTALL_RECEIPT.json"
)

// Analyzer reads what Homebrew keeps of its packages. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info {
	return analyzer.Info{Name: "homebrew", Version: 2, Authoritative: true}
}

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Names: []string{receipt}, Suffixes: []string{".rb", ".json"}, Accept: func(p string) bool {
		if !strings.Contains(p, "Cellar/") && !strings.Contains(p, "Caskroom/") {
			return false // at once: there are many files of JSON
		}
		_, ok := placeOf(p)
		return ok
	}}
}

// place is what the path of a file says: of which package it is.
type place struct {
	key           string // folder of the package
	name, version string // the version is empty where the path has none
	time          string // when the cask was installed
	cask, receipt bool
}

// placeOf reads the paths of
//
//	Cellar/<name>/<version>/INSTALL_RECEIPT.json
//	Cellar/<name>/<version>/.brew/<name>.rb
//	Caskroom/<token>/.metadata/INSTALL_RECEIPT.json
//	Caskroom/<token>/.metadata/<version>/<time>/Casks/<token>.rb or .json
//
// below any folder.
func placeOf(p string) (place, bool) {
	part := strings.Split(p, "/")
	n := len(part)
	folder := func(upTo int) string { return strings.Join(part[:upTo], "/") }
	base := part[n-1]
	ext := path.Ext(base)
	name := strings.TrimSuffix(base, ext)
	switch {
	case n >= 4 && base == receipt && part[n-4] == "Cellar":
		return place{key: folder(n - 1), name: part[n-3], version: part[n-2], receipt: true}, true
	case n >= 5 && ext == ".rb" && part[n-2] == ".brew" && part[n-5] == "Cellar" && name == part[n-4]:
		return place{key: folder(n - 2), name: name, version: part[n-3]}, true
	case n >= 4 && base == receipt && part[n-2] == ".metadata" && part[n-4] == "Caskroom":
		return place{key: folder(n - 2), name: part[n-3], cask: true, receipt: true}, true
	case n >= 7 && (ext == ".rb" || ext == ".json") && part[n-2] == "Casks" && part[n-5] == ".metadata" && part[n-7] == "Caskroom" && name == part[n-6]:
		return place{key: folder(n - 5), name: name, version: part[n-4], time: part[n-3], cask: true}, true
	}
	return place{}, false
}

// Extract implements analyzer.Analyzer: a receipt is a package, what is beside it a part.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	at, ok := placeOf(f.Path)
	if !ok {
		return nil, nil
	}
	data, err := f.Bytes(maxBytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	p := &sbom.Package{Name: at.name, Version: at.version}
	if at.cask {
		p.Type = "application"
	}
	fact := analyzer.Fact{Kind: analyzer.KindPart, Scope: scope, Key: at.key, Package: p}
	switch {
	case at.receipt:
		fact.Kind = analyzer.KindPackage
		err = readReceipt(&fact, at.cask, data)
	case path.Ext(f.Path) == ".json":
		err = readCask(p, data)
	default:
		readRuby(p, strings.ToValidUTF8(string(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))), "\uFFFD"))
	}
	switch {
	case p.Name == "":
		return nil, fmt.Errorf("read %s: no name in the path: %w", f.Path, fault.Invalid)
	case err != nil:
		return []analyzer.Fact{fact}, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return []analyzer.Fact{fact}, nil
}
