package portage

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

const (
	maxNesting   = 100    // parentheses of a dependency or licence
	maxRelations = 10_000 // packages that one package names as needed
)

// dependencies reads what a package needs (PMS 8.2): each entry is category/name, with a slot
// after a colon where one is asked for; the alternatives of an any-of group are one entry with
// bars between. The database keeps what holds for the USE flags of the package; where
// a condition is left, its group counts.
func dependencies(where, text string) ([]string, error) {
	var out, group []string
	anyOf := 0 // depth of the outermost any-of group, or 0
	depth, count := 0, 0
	words := strings.Fields(text)
	for i, w := range words {
		switch {
		case w == "(":
			if depth++; depth > maxNesting {
				return out, &fault.LimitError{What: "nested groups", Where: where, Max: maxNesting, Seen: int64(depth)}
			}
			if anyOf == 0 && i > 0 && words[i-1] == "||" {
				anyOf = depth
			}
		case w == ")":
			if depth == 0 {
				return out, fmt.Errorf("a parenthesis is closed that was not opened: %w", fault.Invalid)
			}
			if depth == anyOf {
				if len(group) > 0 {
					out = append(out, strings.Join(group, "|"))
				}
				group, anyOf = nil, 0
			}
			depth--
		case strings.HasSuffix(w, "?"), strings.HasSuffix(w, "||"), w[0] == '!':
			// a condition, the start of a group, or what must not be there
		default:
			if count++; count > maxRelations {
				return out, &fault.LimitError{What: "dependencies of a package", Where: where, Max: maxRelations, Seen: int64(count)}
			}
			if a := atom(w); a == "" {
				return out, fmt.Errorf("%.80q is no dependency: %w", w, fault.Invalid)
			} else if anyOf > 0 {
				group = append(group, a)
			} else {
				out = append(out, a)
			}
		}
	}
	if depth > 0 {
		return out, fmt.Errorf("a parenthesis is not closed: %w", fault.Invalid)
	}
	return out, nil
}

// atom reads ">=dev-libs/openssl-1.1.1:0/3=[-bindist]" as "dev-libs/openssl:0" (PMS 8.3).
func atom(w string) string {
	if i := strings.IndexByte(w, '['); i >= 0 {
		w = w[:i]
	}
	bare := strings.TrimLeft(w, "<>=~")
	name, slot, _ := strings.Cut(bare, ":")
	if len(bare) < len(w) { // with an operator there is a version
		if n, _, ok := split(strings.TrimSuffix(name, "*")); ok {
			name = n
		}
	}
	category, pkg, ok := strings.Cut(name, "/")
	if !ok || category == "" || pkg == "" || strings.ContainsAny(name, "|()") {
		return ""
	}
	slot, _, _ = strings.Cut(slot, "/")
	slot, _, _ = strings.Cut(slot, ":") // a repository
	if slot = strings.TrimRight(slot, "=*"); slot != "" {
		return name + ":" + slot
	}
	return name
}

// gentooNames are licence files of Gentoo's repository whose names mean one licence there and
// several elsewhere.
var gentooNames = map[string]string{
	"BSD": "BSD-3-Clause", "BSD-1": "BSD-1-Clause", "ZLIB": "Zlib", "FDL-1.1": "GFDL-1.1-only", "FDL-1.2": "GFDL-1.2-only", "FDL-1.3": "GFDL-1.3-only",
	"FDL-1.1+": "GFDL-1.1-or-later", "FDL-1.2+": "GFDL-1.2-or-later", "FDL-1.3+": "GFDL-1.3-or-later",
}

// licences turns a LICENSE (PMS 7.3), "|| ( GPL-2+ MIT ) BSD", into an SPDX expression; one
// that has a name outside of the list stays as it is.
func licences(text string) []sbom.License {
	if text == "" {
		return nil
	}
	var b strings.Builder
	open := []string{"AND"} // the operator of each open group
	fresh := true           // nothing stands before on this level
	anyOf := false          // the next group is one
	for w := range strings.FieldsSeq(text) {
		switch {
		case w == "||":
			anyOf = true
			continue
		case strings.HasSuffix(w, "?"): // a condition that was kept: its group counts
			continue
		case w == ")":
			if len(open) == 1 || fresh {
				return []sbom.License{{Name: text}}
			}
			open = open[:len(open)-1]
			b.WriteString(")")
			continue
		}
		if !fresh {
			b.WriteString(" " + open[len(open)-1] + " ")
		}
		if fresh = w == "("; !fresh {
			if id := gentooNames[w]; id != "" {
				w = id
			}
			b.WriteString(w)
			continue
		}
		operator := "AND"
		if anyOf {
			operator = "OR"
		}
		if open, anyOf = append(open, operator), false; len(open) > maxNesting {
			return []sbom.License{{Name: text}}
		}
		b.WriteString("(")
	}
	if expr, ok := license.Normalize(b.String()); ok && len(open) == 1 {
		return []sbom.License{{Expression: expr}}
	}
	return []sbom.License{{Name: text}}
}
