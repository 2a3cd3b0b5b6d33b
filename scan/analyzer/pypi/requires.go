package pypi

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
)

// readRequires reads the requires.txt of an egg-info folder, which holds what
// PKG-INFO lacks there
// (https://setuptools.pypa.io/en/latest/deprecated/python_eggs.html). Sections
// with a name are for extras and left out; "[:marker]" is not.
func readRequires(file string, data []byte) ([]analyzer.Fact, error) {
	var names []string
	extra := false
	for line := range strings.Lines(text(data)) {
		line, _, _ = strings.Cut(line, " #")
		line = strings.TrimSpace(line)
		if section, ok := strings.CutPrefix(line, "["); ok {
			extra = !strings.HasPrefix(section, ":")
			continue
		}
		if r, ok := parseRequirement(line); ok && !extra {
			names = append(names, normalize(r.name))
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	slices.Sort(names)
	return []analyzer.Fact{{Kind: analyzer.KindPart, Scope: partNeeds, Key: about(file), DependsOn: slices.Compact(names)}}, nil
}
