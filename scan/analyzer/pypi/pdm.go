package pypi

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// readPDM reads pdm.lock (https://pdm-project.org/en/latest/usage/lockfile/). A
// package that is locked with extras has a second entry, which names the same
// package. Groups other than "default" and "dev" are extras or further groups
// for development; which of the two only pyproject.toml says.
func readPDM(l *lockfile, data []byte) error {
	doc, err := readTOML(data)
	files := filesOfPDM(doc.get("metadata").get("files"))
	for _, p := range doc.list("package") {
		e := entry{name: p.str("name"), version: p.str("version"), description: p.str("summary")}
		switch {
		case p.str("git") != "":
			e.from = repository(p.str("git"), p.str("revision"))
		case p.str("url") != "":
			e.from = source{archive, p.str("url")}
		case p.str("path") != "":
			e.from = source{local, p.str("path")}
		}
		groups := p.list("groups")
		switch {
		case len(groups) == 0 || slices.ContainsFunc(groups, isText("default")):
		case slices.ContainsFunc(groups, isText("dev")):
			e.scope = sbom.ScopeDev
		default:
			e.scope = sbom.ScopeOptional
		}
		for _, f := range append(p.list("files"), files[normalize(e.name)+" "+e.version]...) {
			e.hashes = append(e.hashes, hash(f.str("hash"))...)
		}
		needs := p.get("dependencies")
		for _, d := range p.list("dependencies") {
			if r, ok := parseRequirement(d.text); ok {
				e.wants = append(e.wants, want{name: normalize(r.name)})
			}
		}
		if needs != nil { // a table in old versions
			for _, m := range needs.members {
				e.wants = append(e.wants, want{name: normalize(m.key)})
			}
		}
		l.put(e)
	}
	return err
}

// filesOfPDM indexes the table of older lockfiles, whose keys are "name version".
func filesOfPDM(files *table) map[string][]*table {
	out := map[string][]*table{}
	if files != nil {
		for _, m := range files.members {
			if name, version, ok := strings.Cut(m.key, " "); ok {
				out[normalize(name)+" "+version] = m.value.items
			}
		}
	}
	return out
}
