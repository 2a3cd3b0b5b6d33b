package pypi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// pipfilePackage is what Pipfile.lock says of one package.
type pipfilePackage struct {
	Version string   `json:"version"`
	Hashes  []string `json:"hashes"`
	Git     string   `json:"git"`
	Ref     string   `json:"ref"`
	Path    string   `json:"path"`
	File    string   `json:"file"`
}

// readPipfile reads Pipfile.lock (https://pipenv.pypa.io/en/latest/pipfile.html):
// one object for each category, of which "default" is for running and "develop"
// for development.
func readPipfile(l *lockfile, data []byte) error {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(data, &doc); err != nil {
		return jsonError(data, err)
	}
	for _, category := range slices.Sorted(maps.Keys(doc)) {
		if category == "_meta" {
			continue
		}
		var packages map[string]json.RawMessage
		if err := json.Unmarshal(doc[category], &packages); err != nil {
			l.odd = cmp.Or(l.odd, fmt.Errorf("%.60q is no object: %w", category, fault.Invalid))
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(packages)) {
			var p pipfilePackage
			if json.Unmarshal(packages[name], &p) != nil {
				l.odd = cmp.Or(l.odd, fmt.Errorf("%.60q in %.60q: a member is not of its type: %w", name, category, fault.Invalid))
			}
			e := p.entry(name)
			switch category {
			case "default":
			case "develop":
				e.scope = sbom.ScopeDev
			default:
				e.scope = sbom.ScopeOptional
			}
			l.put(e)
		}
	}
	return nil
}

func (p pipfilePackage) entry(name string) entry {
	req := requirement{name: name, spec: p.Version}
	e := entry{name: name, version: req.pinned()}
	if e.version == "" {
		e.requirement = strings.TrimPrefix(p.Version, "*")
	}
	switch {
	case p.Git != "":
		e.from = repository(p.Git, p.Ref)
	case p.File != "":
		at := fromAddress(p.File)
		e.from, e.version = at.from, cmp.Or(e.version, at.version)
	case p.Path != "":
		e.from = source{local, p.Path}
	}
	for _, h := range p.Hashes {
		e.hashes = append(e.hashes, hash(h)...)
	}
	return e
}

// jsonError names the line of a syntax error.
func jsonError(data []byte, err error) error {
	if at, ok := err.(*json.SyntaxError); ok {
		return fmt.Errorf("line %d: %v: %w", 1+strings.Count(string(data[:at.Offset]), "\n"), err, fault.Invalid)
	}
	return fmt.Errorf("%v: %w", err, fault.Invalid)
}
