package pypi

import (
	"slices"

	"github.com/stella-ops/stella/scan/sbom"
)

// readPoetry reads poetry.lock. Version 1.1 says "category", version 2.1
// "groups"; those between say neither.
func readPoetry(l *lockfile, data []byte) error {
	doc, err := readTOML(data)
	files := filesByName(doc.get("metadata").get("files"))
	for _, p := range doc.list("package") {
		e := entry{name: p.str("name"), version: p.str("version"), description: p.str("description")}
		e.from = poetrySource(p.get("source"))
		groups := p.list("groups")
		switch {
		case p.str("category") == "dev", len(groups) > 0 && !slices.ContainsFunc(groups, isText("main")):
			e.scope = sbom.ScopeDev
		case p.str("optional") == "true" || p.str("category") != "" && p.str("category") != "main":
			e.scope = sbom.ScopeOptional
		}
		for _, f := range append(p.list("files"), files[normalize(e.name)]...) {
			e.hashes = append(e.hashes, hash(f.str("hash"))...)
		}
		if needs := p.get("dependencies"); needs != nil {
			for _, m := range needs.members {
				e.wants = append(e.wants, want{name: normalize(m.key)})
			}
		}
		l.put(e)
	}
	return err
}

func poetrySource(s *table) source {
	url := s.str("url")
	switch s.str("type") {
	case "git":
		revision := s.str("resolved_reference")
		if revision == "" {
			revision = s.str("reference")
		}
		return repository(url, revision)
	case "directory":
		return source{local, url}
	case "file", "url":
		return source{archive, url}
	}
	return source{}
}

// filesByName indexes the table that older lockfiles keep all files in.
func filesByName(files *table) map[string][]*table {
	out := map[string][]*table{}
	if files != nil {
		for _, m := range files.members {
			out[normalize(m.key)] = m.value.items
		}
	}
	return out
}

func isText(s string) func(*table) bool { return func(t *table) bool { return t.text == s } }
