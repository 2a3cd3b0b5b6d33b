package pypi

import (
	"cmp"

	"github.com/stella-ops/stella/scan/analyzer/internal/tomltree"
	"github.com/stella-ops/stella/scan/sbom"
)

// readUV reads uv.lock (https://docs.astral.sh/uv/concepts/projects/layout/). It
// does not say what a package is for; that follows from what the projects in it
// need, with which extras and in which groups.
func readUV(l *lockfile, data []byte) error {
	doc, err := tomltree.Read(data)
	packages := doc.List("package")
	use := newUses(packages)
	for i, p := range packages {
		e := entry{name: p.Str("name"), version: p.Str("version"), scope: use.scope(i)}
		e.from, e.project = uvSource(p.Get("source"))
		if sdist := p.Get("sdist"); sdist != nil {
			e.hashes = append(e.hashes, hash(sdist.Str("hash"))...)
			if e.from == (source{}) {
				e.from.text = sdist.Str("url")
			}
		}
		for _, w := range p.List("wheels") {
			e.hashes = append(e.hashes, hash(w.Str("hash"))...)
		}
		for _, list := range needsOf(p) {
			for _, d := range list.items {
				e.wants = append(e.wants, want{normalize(d.Str("name")), d.Str("version")})
			}
		}
		l.put(e)
	}
	return err
}

// uvSource reads where a package comes from, and whether it is a project of the
// lockfile itself.
func uvSource(s *tomltree.Table) (from source, project bool) {
	for _, kind := range []string{"virtual", "editable", "directory"} {
		if dir := s.Str(kind); dir != "" {
			return source{local, dir}, dir == "."
		}
	}
	if git := s.Str("git"); git != "" {
		return repository(git, ""), false
	}
	if address := cmp.Or(s.Str("url"), s.Str("path")); address != "" {
		return source{archive, address}, false
	}
	return source{}, false
}

// need is one list of dependencies: those of the package itself, of an extra or
// of a group.
type need struct {
	scope sbom.Scope
	extra string
	items []*tomltree.Table
}

func needsOf(p *tomltree.Table) []need {
	out := []need{{items: p.List("dependencies")}}
	if extras := p.Get("optional-dependencies"); extras != nil {
		for _, m := range extras.Members {
			out = append(out, need{sbom.ScopeOptional, m.Key, m.Value.Items})
		}
	}
	if groups := p.Get("dev-dependencies"); groups != nil {
		for _, m := range groups.Members {
			out = append(out, need{sbom.ScopeDev, m.Key, m.Value.Items})
		}
	}
	return out
}
