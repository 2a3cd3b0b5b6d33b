// Package locked turns what a lockfile says, entry by entry, into facts: entries of one key
// are one package, dependencies lead to keys of the same file, and everything is bounded.
package locked

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// The limits on one lockfile.
const (
	MaxBytes   = 32 << 20
	MaxEntries = 100_000
	MaxEdges   = 2_000_000
)

// Entry is one package of a lockfile.
type Entry struct {
	// Key names the package in its file; "" is name@version.
	Key     string
	Package sbom.Package
	// Also are names beside the package's own under which others want it.
	Also []string
	// Wants are what it depends on: keys, or names that stand for every entry of that name.
	Wants []string
}

// File is what a lockfile says, in its order. The zero value is empty.
type File struct {
	Entries []Entry
	odd     error
}

// Put adds an entry as one that the file declares. One without a name, or over the limit, is
// left out and becomes the file's error.
func (f *File) Put(e Entry) {
	switch {
	case e.Package.Name == "":
		f.Odd(fmt.Errorf("entry %d has no name: %w", len(f.Entries)+1, fault.Invalid))
	case len(f.Entries) == MaxEntries:
		f.Odd(&fault.LimitError{What: "packages of a lockfile", Where: e.Package.Name, Max: MaxEntries, Seen: MaxEntries + 1})
	default:
		e.Package.State = sbom.Declared
		e.Key = cmp.Or(e.Key, e.Package.Name+"@"+e.Package.Version)
		f.Entries = append(f.Entries, e)
	}
}

// Odd notes what is wrong with a part of the file, while the rest is read. The first counts.
func (f *File) Odd(err error) { f.odd = cmp.Or(f.odd, err) }

// Facts returns one fact for each package, in the order of the file, and the first error: of
// reading, which is the argument, or of an entry.
func (f *File) Facts(err error) ([]analyzer.Fact, error) {
	byName := map[string][]string{}
	known := make(map[string]bool, len(f.Entries))
	for i := range f.Entries {
		e := &f.Entries[i]
		if !known[e.Key] {
			for _, name := range append([]string{e.Package.Name}, e.Also...) {
				byName[name] = append(byName[name], e.Key)
			}
		}
		known[e.Key] = true
	}
	out := make([]analyzer.Fact, 0, len(f.Entries))
	at := make(map[string]int, len(f.Entries))
	edges := 0
	for i := range f.Entries {
		e := &f.Entries[i]
		j, again := at[e.Key]
		if !again {
			j = len(out)
			at[e.Key] = j
			p := e.Package
			p.Hashes, p.Properties = slices.Clip(p.Hashes), slices.Clip(p.Properties) // the entry keeps its own
			out = append(out, analyzer.Fact{Kind: analyzer.KindPackage, Key: e.Key, Package: &p})
		} else {
			merge(out[j].Package, &e.Package)
		}
		for _, w := range e.Wants {
			keys := byName[w]
			if known[w] {
				keys = []string{w}
			}
			if edges += len(keys); edges > MaxEdges {
				f.Odd(&fault.LimitError{What: "dependencies of a lockfile", Where: e.Package.Name, Max: MaxEdges, Seen: int64(edges)})
				break
			}
			for _, k := range keys {
				if k != e.Key {
					out[j].DependsOn = append(out[j].DependsOn, k)
				}
			}
		}
	}
	for i := range out {
		sortFact(&out[i])
	}
	return out, cmp.Or(err, f.odd)
}

func sortFact(f *analyzer.Fact) {
	slices.Sort(f.DependsOn)
	f.DependsOn = slices.Compact(f.DependsOn)
	p := f.Package
	slices.SortFunc(p.Hashes, func(a, b sbom.Hash) int {
		return cmp.Or(cmp.Compare(a.Algorithm, b.Algorithm), cmp.Compare(a.Value, b.Value))
	})
	p.Hashes = slices.Compact(p.Hashes)
	slices.SortStableFunc(p.Properties, func(a, b sbom.Property) int { return cmp.Compare(a.Name, b.Name) })
	p.Properties = slices.Compact(p.Properties)
}

// merge adds what a further entry of one package says. The lists of p are its own.
func merge(p, more *sbom.Package) {
	p.Scope = Wider(p.Scope, more.Scope)
	p.Hashes = append(p.Hashes, more.Hashes...)
	p.Properties = append(p.Properties, more.Properties...)
	if p.PURL.IsZero() {
		p.PURL = more.PURL
	}
	if len(p.Licenses) == 0 {
		p.Licenses = more.Licenses
	}
	p.Download = cmp.Or(p.Download, more.Download)
}

// Wider returns the scope of a package that is needed in two ways.
func Wider(a, b sbom.Scope) sbom.Scope {
	switch {
	case a == b:
		return a
	case a == sbom.ScopeRuntime || b == sbom.ScopeRuntime:
		return sbom.ScopeRuntime
	}
	return sbom.ScopeOptional
}

// URL makes a package URL, or none where a part of it cannot be one.
func URL(kind, namespace, name, version string) purl.PackageURL {
	u := purl.PackageURL{Type: kind, Namespace: namespace, Name: name, Version: version}.Normalize()
	back, err := purl.Parse(u.String())
	if err != nil || back.Namespace != u.Namespace || back.Name != u.Name || back.Version != u.Version {
		return purl.PackageURL{}
	}
	return u
}

// sizes are the bytes of digests.
var sizes = map[string]int{"md5": 16, "sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64}

// Hex reads a digest in hex: "" or a word that is none gives nothing.
func Hex(algorithm, text string) []sbom.Hash {
	raw, err := hex.DecodeString(text)
	if err != nil || sizes[algorithm] == 0 || len(raw) != sizes[algorithm] {
		return nil
	}
	return []sbom.Hash{{Algorithm: algorithm, Value: strings.ToLower(text)}}
}

// Base64 reads a digest in base64.
func Base64(algorithm, text string) []sbom.Hash {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || sizes[algorithm] == 0 || len(raw) != sizes[algorithm] {
		return nil
	}
	return []sbom.Hash{{Algorithm: algorithm, Value: hex.EncodeToString(raw)}}
}
