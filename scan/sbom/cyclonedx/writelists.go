package cyclonedx

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// firstCPE is the one that goes into the member cpe: the first that properties
// do not tell. Both lists are sorted.
func firstCPE(cpes, told []string) string {
	for _, cpe := range cpes {
		if fitCPE(cpe) && !contains(told, cpe) {
			return cpe
		}
	}
	return ""
}

func (e *encoder) hashes(p *sbom.Package, f *node) {
	rest := f.get("hashes")
	f.remove("hashes")
	if len(p.Hashes) == 0 && rest.kind == 0 {
		return
	}
	mark := len(e.b)
	e.key("hashes")
	e.begin('[')
	empty := len(e.b)
	held := map[sbom.Hash]bool{} // said in other words by the foreign ones
	for i := range rest.items {
		h, _, _ := hashOf(&rest.items[i])
		held[h] = true
	}
	for _, h := range p.Hashes {
		if held[h] {
			continue
		}
		name, ok := hashName(h)
		if !ok || strings.HasPrefix(name, "Streebog") && e.version < 7 {
			e.lose("hashes", "hash "+quote(h.Algorithm)+" is malformed or not known to this version")
			continue
		}
		e.begin('{')
		e.text("alg", name)
		e.text("content", h.Value)
		e.end('}')
	}
	for i := range rest.items {
		e.node(&rest.items[i])
	}
	if len(e.b) == empty && rest.kind == 0 {
		e.b = e.b[:mark]
		return
	}
	e.end(']')
}

func (e *encoder) references(p *sbom.Package, f *node) {
	rest := f.get("externalReferences")
	f.remove("externalReferences")
	e.refs = rest
	home := fitURI(p.Homepage) && !refersTo(&rest, "website", p.Homepage)
	download := fitURI(p.Download) && !refersTo(&rest, "distribution", p.Download)
	if !home && !download && rest.kind == 0 {
		return
	}
	e.key("externalReferences")
	e.begin('[')
	if home {
		e.reference("website", p.Homepage)
	}
	if download {
		e.reference("distribution", p.Download)
	}
	for i := range rest.items {
		e.node(&rest.items[i])
	}
	e.end(']')
}

func (e *encoder) reference(kind, url string) {
	e.begin('{')
	e.text("type", kind)
	e.text("url", url)
	e.end('}')
}

// refersTo reports whether the first reference of that type has that URL.
func refersTo(list *node, kind, url string) bool {
	for i := range list.items {
		if list.items[i].str("type") == kind {
			return list.items[i].str("url") == url
		}
	}
	return false
}

// evidence writes where a package was found: since 1.5 as occurrences, before
// that packageProperties does.
func (e *encoder) evidence(p *sbom.Package, f *node) {
	evidence := f.get("evidence")
	f.remove("evidence")
	held := evidence.get("occurrences")
	paths := e.paths(p, e.known.locations)
	if held.kind == '[' && samePaths(&held, p.Locations) {
		paths = nil
	} else {
		evidence.remove("occurrences")
	}
	if e.version < 5 {
		paths = nil
	}
	if len(paths) == 0 && (evidence.kind == 0 || held.kind != 0 && len(evidence.fields) == 0) {
		return
	}
	e.key("evidence")
	e.begin('{')
	if len(paths) > 0 {
		e.key("occurrences")
		e.begin('[')
		for _, path := range paths {
			e.begin('{')
			e.text("location", path)
			e.end('}')
		}
		e.end(']')
	}
	e.members(&evidence)
	e.end('}')
}

// paths returns the places of p, each once, or none where other members tell
// them.
func (e *encoder) paths(p *sbom.Package, inferred []sbom.Location) []string {
	if slices.Equal(p.Locations, inferred) {
		return nil
	}
	var paths []string
	for _, l := range p.Locations {
		if l.Path != "" && (len(paths) == 0 || paths[len(paths)-1] != l.Path) {
			paths = append(paths, l.Path)
		}
	}
	return paths
}

func samePaths(occurrences *node, locations []sbom.Location) bool {
	has := map[string]bool{}
	for i := range occurrences.items {
		if path, _ := locationOf(&occurrences.items[i]); path != "" {
			has[path] = true
		}
	}
	want := map[string]bool{}
	for _, l := range locations {
		if !has[l.Path] {
			return false
		}
		want[l.Path] = true
	}
	return len(want) == len(has)
}
