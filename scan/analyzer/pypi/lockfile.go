package pypi

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxEdges bounds the dependencies of one lockfile. Names that stand for many
// versions multiply them.
const maxEdges = 2_000_000

const (
	sourceProperty      = "pypi:source"      // where a package comes from that no server has
	requirementProperty = "pypi:requirement" // the condition on a package without a version
)

// lockfile is what a lockfile or requirements file says, in its order.
type lockfile struct {
	entries []entry
	odd     error // the first entry that was left out, and why
}

// entry is one package of a lockfile.
type entry struct {
	name, version string
	requirement   string // the condition where there is no version
	from          source
	project       bool // the project that the lockfile is for
	scope         sbom.Scope
	description   string
	hashes        []sbom.Hash
	wants         []want
}

// want is a dependency. Without a version it means all that the file has.
type want struct {
	name, version string // name normalised
}

// source is where a package comes from.
type source struct {
	kind sourceKind
	text string // address or folder
}

type sourceKind uint8

const (
	index   sourceKind = iota // a package index; text is where its file is, if known
	archive                   // a file elsewhere, at an address or in the project
	vcs                       // a revision in a repository, as "git+https://…@revision"
	local                     // a folder
)

// put adds an entry.
func (l *lockfile) put(e entry) {
	switch {
	case !validName(e.name):
		l.odd = cmp.Or(l.odd, fmt.Errorf("entry %d: %.60q is not a package name: %w", len(l.entries)+1, e.name, fault.Invalid))
	case len(l.entries) == maxEntries:
		l.odd = &fault.LimitError{What: "packages of a lockfile", Where: e.name, Max: maxEntries, Seen: maxEntries + 1}
	default:
		l.entries = append(l.entries, e)
	}
}

// key names the package: entries with one key are one package.
func (e *entry) key() string {
	if e.from.kind == index {
		return normalize(e.name) + "@" + e.version
	}
	return normalize(e.name) + "@" + e.version + "@" + e.from.text
}

func (e *entry) describe() *sbom.Package {
	p := &sbom.Package{Name: e.name, Version: e.version, State: sbom.Declared, Scope: e.scope, Description: e.description}
	if e.project {
		p.Type = "application"
	}
	from := e.from
	from.text = locked.Anonymous(from.text)
	switch from.kind {
	case index:
		p.Download = from.text
	case vcs:
		p.Download = from.text
		p.PURL = packageURL(e.name, e.version).With("vcs_url", from.text)
	case archive:
		if p.PURL = packageURL(e.name, e.version); strings.Contains(from.text, "://") {
			p.Download = from.text
			p.PURL = p.PURL.With("download_url", from.text)
			break
		}
		fallthrough
	case local:
		p.Properties = append(p.Properties, sbom.Property{Name: sourceProperty, Value: from.text})
	}
	if e.requirement != "" {
		p.Properties = append(p.Properties, sbom.Property{Name: requirementProperty, Value: e.requirement})
	}
	return p
}

// facts returns one fact for each package, in the order of the file.
func (l *lockfile) facts() []analyzer.Fact {
	keys := make([]string, len(l.entries))
	byName := map[string][]int{}
	for i := range l.entries {
		e := &l.entries[i]
		keys[i] = e.key()
		name := normalize(e.name)
		byName[name] = append(byName[name], i)
	}
	out := make([]analyzer.Fact, 0, len(l.entries))
	at := make(map[string]int, len(l.entries))
	edges := 0
	for i := range l.entries {
		e := &l.entries[i]
		j, known := at[keys[i]]
		if !known {
			j = len(out)
			at[keys[i]] = j
			out = append(out, analyzer.Fact{Kind: analyzer.KindPackage, Key: keys[i], Package: e.describe()})
		}
		f := &out[j]
		f.Package.Scope = locked.Wider(f.Package.Scope, e.scope)
		f.Package.Hashes = append(f.Package.Hashes, e.hashes...)
		for _, w := range e.wants {
			for _, n := range byName[w.name] {
				if edges++; edges > maxEdges {
					l.odd = &fault.LimitError{What: "dependencies of a lockfile", Where: e.name, Max: maxEdges, Seen: int64(edges)}
					break
				}
				if (w.version == "" || w.version == l.entries[n].version) && keys[n] != keys[i] {
					f.DependsOn = append(f.DependsOn, keys[n])
				}
			}
		}
	}
	for i := range out {
		f := &out[i]
		slices.Sort(f.DependsOn)
		f.DependsOn = slices.Compact(f.DependsOn)
		slices.SortFunc(f.Package.Hashes, compareHashes)
		f.Package.Hashes = slices.Compact(f.Package.Hashes)
	}
	return out
}

// hash reads "sha256:<hex>". What is not a digest is ignored.
func hash(text string) []sbom.Hash {
	alg, digest, _ := strings.Cut(text, ":")
	return digestOf(alg, digest)
}

func digestOf(alg, digest string) []sbom.Hash {
	size := map[string]int{"md5": 16, "sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64}[alg]
	raw, err := hex.DecodeString(digest)
	if err != nil || size == 0 || len(raw) != size {
		return nil
	}
	return []sbom.Hash{{Algorithm: alg, Value: strings.ToLower(digest)}}
}

func compareHashes(a, b sbom.Hash) int {
	return cmp.Or(cmp.Compare(a.Algorithm, b.Algorithm), cmp.Compare(a.Value, b.Value))
}

// repository writes a git address as SPDX and purl do: "git+https://…@revision".
func repository(url, revision string) source {
	url, fragment, _ := strings.Cut(url, "#")
	url, _, _ = strings.Cut(url, "?")
	if !strings.HasPrefix(url, "git+") {
		url = "git+" + url
	}
	if revision = cmp.Or(revision, fragment); revision != "" {
		url += "@" + revision
	}
	return source{vcs, url}
}
