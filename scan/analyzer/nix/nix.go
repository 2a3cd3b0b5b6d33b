// Package nix reads the store of Nix: each folder nix/store/<hash>-<name>-<version> is an
// output of a package.
//
// A path says all there is to know, so no file is opened. An analyzer sees files, not folders:
// it asks for those of each output that tell that something is there, and leaves out what
// comes by the thousand and never alone, such as headers and manuals. Outputs of one package
// ("-bin", "-dev", "-lib") are one package with a location for each.
//
// The type nix is a candidate of the package URL specification; tools that write it agree on
// pkg:nix/name@version. What is left out: folders without a version (wrappers, environments,
// sources), outputs that hold nothing but documentation or headers, store paths that are
// single files (sources, patches, recipes), and which package needs which, which the store's
// database (SQLite) knows.
package nix

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// Analyzer reads the store of Nix. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "nix", Version: 2} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Dirs: []string{strings.TrimSuffix(store, "/")}, Accept: func(p string) bool {
		folder, inside, ok := split(p)
		if !ok || !isTelling(inside) {
			return false
		}
		_, ok = parse(folder)
		return ok
	}}
}

const store = "nix/store/"

// split cuts a path into the folder in the store and the place in it.
func split(p string) (folder, inside string, ok bool) {
	rest, ok := strings.CutPrefix(p, store)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

// Extract implements analyzer.Analyzer: it says that the folder is there.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	folder, _, ok := split(f.Path)
	if !ok {
		return nil, nil
	}
	return []analyzer.Fact{{Kind: analyzer.KindPart, Key: folder}}, nil
}

// Join implements analyzer.Joiner: one fact for each folder, at its first file.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	var out []analyzer.Located
	seen := map[string]bool{}
	for _, f := range in.Facts {
		o, ok := parse(f.Key)
		if !ok || seen[f.Key] {
			continue
		}
		seen[f.Key] = true
		p := sbom.Package{Name: o.name, Version: o.version, PURL: locked.URL("nix", "", o.name, o.version)}
		if o.output != "" {
			p.Properties = []sbom.Property{{Name: "nix:output", Value: o.output}}
		}
		out = append(out, analyzer.Located{Path: f.Path, Layer: f.Layer, Fact: analyzer.Fact{Kind: analyzer.KindPackage, Key: f.Key, Package: &p, Holds: []string{store + f.Key + "/"}}})
	}
	return out, nil
}

// output is what the name of a folder in the store says.
type output struct{ name, version, output string }

const hashLength = 32 // digits of base 32

// parse reads "<hash>-<name>-<version>[-<output>]". The version begins at the first dash that
// no letter follows, as builtins.parseDrvName of Nix has it, or at "-unstable-" before a date.
func parse(folder string) (o output, ok bool) {
	if len(folder) < hashLength+2 || folder[hashLength] != '-' || !isHash(folder[:hashLength]) || !isText(folder) {
		return o, false
	}
	rest := folder[hashLength+1:]
	at := versionAt(rest)
	if at <= 0 {
		return o, false
	}
	o.name, o.version = rest[:at], rest[at+1:]
	if slices.Contains(files[:], path.Ext(o.version)) {
		return o, false
	}
	if dash := strings.LastIndexByte(o.version, '-'); dash > 0 && isOutput(o.version[dash+1:]) {
		o.version, o.output = o.version[:dash], o.version[dash+1:]
	}
	return o, true
}

// files are ends of names that sources and recipes have, unpacked or not.
var files = [...]string{".drv", ".lock", ".patch", ".diff", ".sh", ".tar", ".gz", ".bz2", ".xz", ".zst", ".zip", ".tgz", ".json", ".crate", ".nix"}

// isOutput reports whether the last word of a version is the name of an output: letters
// alone, other than the words that versions end in.
func isOutput(word string) bool {
	switch word {
	case "", "alpha", "beta", "rc", "pre", "preview", "snapshot", "nightly", "git", "svn", "hg", "unstable", "stable", "final", "release", "lts", "esr", "ga":
		return false
	}
	for i := range len(word) {
		if c := word[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// versionAt returns the place of the dash in front of the version, or -1.
func versionAt(s string) int {
	for i := range len(s) - 1 {
		if s[i] != '-' {
			continue
		}
		if rest := s[i+1:]; isDigit(rest[0]) {
			return i
		} else if date, ok := strings.CutPrefix(rest, "unstable-"); ok && date != "" && isDigit(date[0]) {
			return i
		}
	}
	return -1
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isHash reports whether s is written in the base 32 of Nix, which leaves out four letters.
func isHash(s string) bool { return strings.Trim(s, "0123456789abcdfghijklmnpqrsvwxyz") == "" }

// isText reports whether s has only the characters that names in the store may have.
func isText(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c|0x20 < 'a' || c|0x20 > 'z') && !isDigit(c) && strings.IndexByte("+-._?=", c) < 0 {
			return false
		}
	}
	return true
}

// isTelling reports whether a file of an output is one by which the output is noticed. It
// errs on the side of yes: what it refuses is not all that a package has.
func isTelling(inside string) bool {
	top, rest, deep := strings.Cut(inside, "/")
	base := path.Base(rest)
	switch {
	case !deep:
		return true
	case top == "include", top == "nix-support":
		return false
	case top == "share":
		kind, _, _ := strings.Cut(rest, "/")
		switch kind {
		case "man", "doc", "info", "gtk-doc", "devhelp", "locale", "help":
			return false
		case "zoneinfo":
			return base == "tzdata.zi" || base == "zone.tab"
		}
	}
	switch {
	case within(rest, "node_modules"):
		return base == "package.json" && strings.Count(rest, "node_modules/") == 1
	case within(rest, "site-packages"):
		return base == "METADATA" || base == "PKG-INFO" || path.Base(path.Dir(rest)) == "site-packages"
	case within(rest, "gems"):
		return strings.HasSuffix(base, ".gemspec")
	case top == "lib" && (strings.HasPrefix(rest, "python") || strings.HasPrefix(rest, "modules/") || strings.HasPrefix(rest, "gconv/")):
		return strings.Count(rest, "/") == 1 // the standard library, the modules of a kernel
	}
	switch path.Ext(base) {
	case ".h", ".hpp", ".mo", ".pyc", ".pod", ".html", ".go", ".rs", ".elc":
		return false
	}
	return true
}

// within reports whether a folder of that name is on the way to a file.
func within(p, folder string) bool {
	return strings.HasPrefix(p, folder+"/") || strings.Contains(p, "/"+folder+"/")
}
