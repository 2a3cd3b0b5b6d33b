package npm

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/internal/yamltree"
	"github.com/stella-ops/stella/scan/sbom"
)

// berryLock reads a yarn.lock of yarn 2 and later: YAML whose keys list the
// requests ("name@protocol:range") that one resolution ("name@protocol:…")
// answers. The checksum in it is of a zip that yarn makes, not of what the
// registry has, and is left out.
type berryLock struct {
	*lockfile
	*yamltree.Tree
	requests map[string]int // request → entry
}

func readBerryLock(l *lockfile, data []byte) error {
	tree, err := yamltree.Read(data)
	if err != nil {
		return err
	}
	b := berryLock{lockfile: l, Tree: tree, requests: map[string]int{}}
	for _, root := range tree.Docs {
		for c := range tree.Children(root) {
			if key := string(b.Nodes[c].Key); key != "__metadata" {
				b.pkg(key, c)
			}
		}
	}
	for i := range b.entries {
		e := &b.entries[i]
		for _, request := range e.wants {
			if n, ok := b.requests[request]; ok {
				e.needs = append(e.needs, n)
			}
		}
		e.wants = nil
	}
	return nil
}

func (b *berryLock) pkg(key string, c int) {
	resolution := b.Text(c, "resolution")
	if resolution == "" {
		b.odd = cmp.Or(b.odd, fmt.Errorf("line %d: %.60q has no resolution: %w", b.Nodes[c].Line, key, fault.Invalid))
		return
	}
	e := entry{place: resolution, version: b.Text(c, "version")}
	var reference string
	e.name, reference = splitRequest(resolution)
	e.settle(reference, 0)
	if b.Text(c, "conditions") != "" {
		e.scope = sbom.ScopeOptional // for some systems only
	}
	for _, list := range []string{"dependencies", "optionalDependencies"} {
		if d := b.Child(c, list); d >= 0 {
			for n := range b.Children(d) {
				e.wants = append(e.wants, request(string(b.Nodes[n].Key), string(b.Nodes[n].Text)))
			}
		}
	}
	if n, ok := b.put(e); ok {
		for r := range strings.SplitSeq(key, ", ") {
			if len(b.requests) == maxRequests {
				b.odd = &fault.LimitError{What: "requests", Where: e.place, Max: maxRequests, Seen: maxRequests + 1}
				return
			}
			name, specifier := splitRequest(r)
			b.requests[request(name, specifier)] = n
		}
	}
}

// request writes a request the way newer lockfiles do: old ones leave out the
// protocol "npm:".
func request(name, specifier string) string {
	if !strings.Contains(specifier, ":") {
		return name + "@npm:" + specifier
	}
	return name + "@" + specifier
}

// maxPatches bounds how often a reference may wrap another one.
const maxPatches = 8

// settle understands the reference of a resolution
// (https://yarnpkg.com/protocols).
func (e *entry) settle(reference string, depth int) {
	protocol, rest, _ := strings.Cut(reference, ":")
	switch {
	case protocol == "npm": // "npm:1.0.0::__archiveUrl=https%3A%2F%2F…"
		_, bindings, _ := strings.Cut(rest, "::")
		e.from = sourceOf(binding(bindings, "__archiveUrl"))
	case protocol == "patch" && depth < maxPatches: // "patch:name@npm%3A1.0.0#…": a registry package, changed
		inner, _, _ := strings.Cut(rest, "#")
		if inner, err := url.PathUnescape(inner); err == nil {
			_, reference := splitRequest(inner)
			e.settle(reference, depth+1)
		}
	case protocol == "virtual" && depth < maxPatches: // "virtual:<hash>#npm:1.0.0"
		_, inner, _ := strings.Cut(rest, "#")
		e.settle(inner, depth+1)
	default: // yarn binds folders and tarballs to the workspace they are named in: "file:./x.tgz#./x.tgz::hash=…&locator=…"
		if e.from = sourceOf(reference); e.from.kind == local {
			e.version = realVersion(e.version)
			e.project = reference == "workspace:."
			e.from.text, _, _ = strings.Cut(reference, "::")
		}
	}
}

// binding returns the value of one of "a=1&b=2", unescaped.
func binding(bindings, name string) string {
	values, err := url.ParseQuery(bindings)
	if err != nil {
		return ""
	}
	return values.Get(name)
}
