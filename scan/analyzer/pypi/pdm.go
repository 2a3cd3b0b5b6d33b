package pypi

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer/internal/tomltree"
	"github.com/stella-ops/stella/scan/sbom"
)

// readPDM reads pdm.lock (https://pdm-project.org/en/latest/usage/lockfile/). A
// package that is locked with extras has a second entry, which names the same
// package. Groups other than "default" and "dev" are extras or further groups
// for development; which of the two only pyproject.toml says.
func readPDM(l *lockfile, data []byte) error {
	doc, err := tomltree.Read(data)
	files := filesOfPDM(doc.Get("metadata").Get("files"))
	for _, p := range doc.List("package") {
		e := entry{name: p.Str("name"), version: p.Str("version"), description: p.Str("summary")}
		switch {
		case p.Str("git") != "":
			e.from = repository(p.Str("git"), p.Str("revision"))
		case p.Str("url") != "":
			e.from = source{archive, p.Str("url")}
		case p.Str("path") != "":
			e.from = source{local, p.Str("path")}
		}
		groups := p.List("groups")
		switch {
		case len(groups) == 0 || slices.ContainsFunc(groups, isText("default")):
		case slices.ContainsFunc(groups, isText("dev")):
			e.scope = sbom.ScopeDev
		default:
			e.scope = sbom.ScopeOptional
		}
		for _, f := range append(p.List("files"), files[normalize(e.name)+" "+e.version]...) {
			e.hashes = append(e.hashes, hash(f.Str("hash"))...)
		}
		needs := p.Get("dependencies")
		for _, d := range p.List("dependencies") {
			if r, ok := parseRequirement(d.Text); ok {
				e.wants = append(e.wants, want{name: normalize(r.name)})
			}
		}
		if needs != nil { // a table in old versions
			for _, m := range needs.Members {
				e.wants = append(e.wants, want{name: normalize(m.Key)})
			}
		}
		l.put(e)
	}
	return err
}

// filesOfPDM indexes the table of older lockfiles, whose keys are "name version".
func filesOfPDM(files *tomltree.Table) map[string][]*tomltree.Table {
	out := map[string][]*tomltree.Table{}
	if files != nil {
		for _, m := range files.Members {
			if name, version, ok := strings.Cut(m.Key, " "); ok {
				out[normalize(name)+" "+version] = m.Value.Items
			}
		}
	}
	return out
}
