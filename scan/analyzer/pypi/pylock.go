package pypi

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/tomltree"
	"github.com/stella-ops/stella/scan/sbom"
)

// readPylock reads pylock.toml (PEP 751,
// https://packaging.python.org/specifications/pylock-toml/).
func readPylock(l *lockfile, data []byte) error {
	doc, err := tomltree.Read(data)
	defaults := doc.List("default-groups")
	for _, p := range doc.List("packages") {
		e := entry{name: p.Str("name"), version: p.Str("version"), scope: markerScope(p.Str("marker"), defaults)}
		switch {
		case p.Get("vcs") != nil:
			v := p.Get("vcs")
			e.from = repository(cmp.Or(v.Str("url"), v.Str("path")), v.Str("commit-id"))
		case p.Get("directory") != nil:
			e.from = source{local, p.Get("directory").Str("path")}
		case p.Get("archive") != nil:
			a := p.Get("archive")
			at := fromAddress(cmp.Or(a.Str("url"), a.Str("path")))
			e.from, e.version, e.hashes = source{archive, at.from.text}, cmp.Or(e.version, at.version), digests(a)
		case p.Get("sdist") != nil:
			e.from.text = p.Get("sdist").Str("url")
			e.hashes = digests(p.Get("sdist"))
		}
		for _, w := range p.List("wheels") {
			e.hashes = append(e.hashes, digests(w)...)
		}
		for _, d := range p.List("dependencies") {
			e.wants = append(e.wants, want{normalize(d.Str("name")), d.Str("version")})
		}
		l.put(e)
	}
	if v := doc.Str("lock-version"); err == nil && v != "" && v != "1" && !strings.HasPrefix(v, "1.") {
		err = fmt.Errorf("lock-version %.20q: %w", v, fault.Unsupported)
	}
	return err
}

// digests reads the table of hashes that every file of the format has.
func digests(file *tomltree.Table) []sbom.Hash {
	var out []sbom.Hash
	if hashes := file.Get("hashes"); hashes != nil {
		for _, m := range hashes.Members {
			out = append(out, digestOf(m.Key, m.Value.Text)...)
		}
	}
	return out
}

// markerScope derives the scope from a marker that asks for a group or an extra
// and nothing else, such as "'dev' in dependency_groups". Any other marker
// leaves the package as needed.
func markerScope(marker string, defaults []*tomltree.Table) sbom.Scope {
	if marker == "" {
		return sbom.ScopeRuntime
	}
	scope := sbom.Scope("none")
	for clause := range strings.SplitSeq(marker, " or ") {
		name, set, ok := strings.Cut(strings.Trim(clause, " ()"), " in ")
		name = strings.Trim(name, ` '"`)
		one := sbom.ScopeRuntime
		switch {
		case !ok || strings.ContainsAny(name, " '\""):
		case set == "extras":
			one = sbom.ScopeOptional
		case set == "dependency_groups" && !slices.ContainsFunc(defaults, isText(name)):
			one = sbom.ScopeDev
		}
		if scope == "none" {
			scope = one
		}
		scope = locked.Wider(scope, one)
	}
	return scope
}
