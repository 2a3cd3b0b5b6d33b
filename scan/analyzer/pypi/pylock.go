package pypi

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// readPylock reads pylock.toml (PEP 751,
// https://packaging.python.org/specifications/pylock-toml/).
func readPylock(l *lockfile, data []byte) error {
	doc, err := readTOML(data)
	defaults := doc.list("default-groups")
	for _, p := range doc.list("packages") {
		e := entry{name: p.str("name"), version: p.str("version"), scope: markerScope(p.str("marker"), defaults)}
		switch {
		case p.get("vcs") != nil:
			v := p.get("vcs")
			e.from = repository(cmp.Or(v.str("url"), v.str("path")), v.str("commit-id"))
		case p.get("directory") != nil:
			e.from = source{local, p.get("directory").str("path")}
		case p.get("archive") != nil:
			a := p.get("archive")
			at := fromAddress(cmp.Or(a.str("url"), a.str("path")))
			e.from, e.version, e.hashes = source{archive, at.from.text}, cmp.Or(e.version, at.version), digests(a)
		case p.get("sdist") != nil:
			e.from.text = p.get("sdist").str("url")
			e.hashes = digests(p.get("sdist"))
		}
		for _, w := range p.list("wheels") {
			e.hashes = append(e.hashes, digests(w)...)
		}
		for _, d := range p.list("dependencies") {
			e.wants = append(e.wants, want{normalize(d.str("name")), d.str("version")})
		}
		l.put(e)
	}
	if v := doc.str("lock-version"); err == nil && v != "" && v != "1" && !strings.HasPrefix(v, "1.") {
		err = fmt.Errorf("lock-version %.20q: %w", v, fault.Unsupported)
	}
	return err
}

// digests reads the table of hashes that every file of the format has.
func digests(file *table) []sbom.Hash {
	var out []sbom.Hash
	if hashes := file.get("hashes"); hashes != nil {
		for _, m := range hashes.members {
			out = append(out, digestOf(m.key, m.value.text)...)
		}
	}
	return out
}

// markerScope derives the scope from a marker that asks for a group or an extra
// and nothing else, such as "'dev' in dependency_groups". Any other marker
// leaves the package as needed.
func markerScope(marker string, defaults []*table) sbom.Scope {
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
		scope = wider(scope, one)
	}
	return scope
}
