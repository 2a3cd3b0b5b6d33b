package pypi

import (
	"slices"

	"github.com/stella-ops/stella/scan/analyzer/internal/tomltree"
	"github.com/stella-ops/stella/scan/sbom"
)

// readPoetry reads poetry.lock. Version 1.1 says "category", version 2.1
// "groups"; those between say neither.
func readPoetry(l *lockfile, data []byte) error {
	doc, err := tomltree.Read(data)
	files := filesByName(doc.Get("metadata").Get("files"))
	for _, p := range doc.List("package") {
		e := entry{name: p.Str("name"), version: p.Str("version"), description: p.Str("description")}
		e.from = poetrySource(p.Get("source"))
		groups := p.List("groups")
		switch {
		case p.Str("category") == "dev", len(groups) > 0 && !slices.ContainsFunc(groups, isText("main")):
			e.scope = sbom.ScopeDev
		case p.Str("optional") == "true" || p.Str("category") != "" && p.Str("category") != "main":
			e.scope = sbom.ScopeOptional
		}
		for _, f := range append(p.List("files"), files[normalize(e.name)]...) {
			e.hashes = append(e.hashes, hash(f.Str("hash"))...)
		}
		if needs := p.Get("dependencies"); needs != nil {
			for _, m := range needs.Members {
				e.wants = append(e.wants, want{name: normalize(m.Key)})
			}
		}
		l.put(e)
	}
	return err
}

func poetrySource(s *tomltree.Table) source {
	url := s.Str("url")
	switch s.Str("type") {
	case "git":
		revision := s.Str("resolved_reference")
		if revision == "" {
			revision = s.Str("reference")
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
func filesByName(files *tomltree.Table) map[string][]*tomltree.Table {
	out := map[string][]*tomltree.Table{}
	if files != nil {
		for _, m := range files.Members {
			out[normalize(m.Key)] = m.Value.Items
		}
	}
	return out
}

func isText(s string) func(*tomltree.Table) bool {
	return func(t *tomltree.Table) bool { return t.Text == s }
}
