package cran

import (
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// licences reads the field License (Writing R Extensions, "Licensing"): alternatives by "|",
// each a name that may have a bound for its version ("GPL (>= 2)") and further terms in a
// file ("MIT + file LICENSE"). The file of the MIT and BSD licences says only whose copyright
// it is; any other changes the licence, and the field stays as it is found.
func licences(text string) []sbom.License {
	if text == "" {
		return nil
	}
	var parts []string
	for one := range strings.SplitSeq(text, "|") {
		expr := alternative(strings.TrimSpace(one))
		if expr == "" {
			return []sbom.License{{Name: text}}
		}
		parts = append(parts, expr)
	}
	if expr := strings.Join(parts, " OR "); license.Valid(expr) {
		return []sbom.License{{Expression: expr}}
	}
	return []sbom.License{{Name: text}}
}

// byName are R's own names that others do not use.
var byName = map[string]string{"BSD_2_clause": "BSD-2-Clause", "BSD_3_clause": "BSD-3-Clause"}

func alternative(text string) string {
	name, terms, more := strings.Cut(text, "+")
	name = strings.TrimSpace(name)
	if more && (!strings.HasPrefix(strings.TrimSpace(terms), "file ") || name != "MIT" && byName[name] == "") {
		return ""
	}
	if id := byName[name]; id != "" {
		return id
	}
	name, bound, bounded := strings.Cut(name, "(")
	if bounded {
		bound = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(bound), ")"))
		version, atLeast := strings.CutPrefix(bound, ">=")
		if !atLeast {
			version = strings.TrimPrefix(bound, "==")
			if version == bound {
				return ""
			}
		}
		name = strings.TrimSpace(name) + " " + strings.TrimSpace(version)
		if atLeast {
			name += "+"
		}
	}
	expr, _ := license.Normalize(name)
	return expr
}
