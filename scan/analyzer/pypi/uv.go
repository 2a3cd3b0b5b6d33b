package pypi

import (
	"cmp"

	"github.com/stella-ops/stella/scan/sbom"
)

// readUV reads uv.lock (https://docs.astral.sh/uv/concepts/projects/layout/). It
// does not say what a package is for; that follows from what the projects in it
// need, with which extras and in which groups.
func readUV(l *lockfile, data []byte) error {
	doc, err := readTOML(data)
	packages := doc.list("package")
	use := newUses(packages)
	for i, p := range packages {
		e := entry{name: p.str("name"), version: p.str("version"), scope: use.scope(i)}
		e.from, e.project = uvSource(p.get("source"))
		if sdist := p.get("sdist"); sdist != nil {
			e.hashes = append(e.hashes, hash(sdist.str("hash"))...)
			if e.from == (source{}) {
				e.from.text = sdist.str("url")
			}
		}
		for _, w := range p.list("wheels") {
			e.hashes = append(e.hashes, hash(w.str("hash"))...)
		}
		for _, list := range needsOf(p) {
			for _, d := range list.items {
				e.wants = append(e.wants, want{normalize(d.str("name")), d.str("version")})
			}
		}
		l.put(e)
	}
	return err
}

// uvSource reads where a package comes from, and whether it is a project of the
// lockfile itself.
func uvSource(s *table) (from source, project bool) {
	for _, kind := range []string{"virtual", "editable", "directory"} {
		if dir := s.str(kind); dir != "" {
			return source{local, dir}, dir == "."
		}
	}
	if git := s.str("git"); git != "" {
		return repository(git, ""), false
	}
	if address := cmp.Or(s.str("url"), s.str("path")); address != "" {
		return source{archive, address}, false
	}
	return source{}, false
}

// need is one list of dependencies: those of the package itself, of an extra or
// of a group.
type need struct {
	scope sbom.Scope
	extra string
	items []*table
}

func needsOf(p *table) []need {
	out := []need{{items: p.list("dependencies")}}
	if extras := p.get("optional-dependencies"); extras != nil {
		for _, m := range extras.members {
			out = append(out, need{sbom.ScopeOptional, m.key, m.value.items})
		}
	}
	if groups := p.get("dev-dependencies"); groups != nil {
		for _, m := range groups.members {
			out = append(out, need{sbom.ScopeDev, m.key, m.value.items})
		}
	}
	return out
}
