package pypi

import (
	"cmp"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// answers are the versions of installed packages by normalised name. A name
// with several versions has "".
type answers map[string]string

func answersOf(facts []analyzer.Located) answers {
	out := answers{}
	for _, f := range facts {
		if f.Kind != analyzer.KindPackage || f.Scope != installed {
			continue
		}
		name := normalize(f.Package.Name)
		if v, seen := out[name]; seen && v != f.Package.Version {
			out[name] = ""
		} else {
			out[name] = f.Package.Version
		}
	}
	return out
}

// settle gives a requirement without a version the one that is installed, if
// that is the only one in the image and the requirement allows it: the file says
// what was asked for, the image what came of it.
func (a answers) settle(p *sbom.Package) {
	if p.State != sbom.Declared || p.Version != "" || !p.PURL.IsZero() {
		return
	}
	spec := ""
	for _, q := range p.Properties {
		switch q.Name {
		case requirementProperty:
			spec = q.Value
		case sourceProperty:
			return
		}
	}
	if v := a[normalize(p.Name)]; v != "" && allows(spec, v) {
		p.Version = v
	}
}

// allows reports whether a specifier allows a version (PEP 440). Only versions
// that are numbers and dots are compared; all else is not allowed, and the
// requirement stays without a version.
func allows(spec, v string) bool {
	if spec == "" {
		return true
	}
	for part := range strings.SplitSeq(spec, ",") {
		op, bound, ok := clause(part)
		if !ok {
			return false
		}
		prefix, wild := strings.CutSuffix(bound, ".*")
		if op == "~=" {
			prefix = prefix[:max(strings.LastIndexByte(prefix, '.'), 0)]
		}
		inside := v == prefix || strings.HasPrefix(v, prefix+".")
		if wild {
			if op == "==" && inside || op == "!=" && !inside {
				continue
			}
			return false
		}
		if c, ok := compareReleases(v, bound); !ok || !compared(op, c, inside) {
			return false
		}
	}
	return true
}

// compared reports whether an operator allows what compares to its bound as c.
func compared(op string, c int, inside bool) bool {
	switch op {
	case ">=":
		return c >= 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case "<":
		return c < 0
	case "!=":
		return c != 0
	case "==", "===":
		return c == 0
	case "~=":
		return c >= 0 && inside
	}
	return false
}

// compareReleases compares versions that are numbers and dots; ok is false for
// others.
func compareReleases(a, b string) (c int, ok bool) {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if strings.Trim(x+y, "0123456789") != "" {
			return 0, false
		}
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		c = cmp.Or(c, cmp.Compare(len(x), len(y)), strings.Compare(x, y))
	}
	return c, true
}
