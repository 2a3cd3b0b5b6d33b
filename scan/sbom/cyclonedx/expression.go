package cyclonedx

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/stella-ops/stella/scan/sbom"
)

// licensesText lists the identifiers that the CycloneDX schemas allow in
// license.id (spdx.schema.json): the SPDX licence list.
//
//go:embed licenses.txt
var licensesText string

var licenseIDs = sync.OnceValue(func() map[string]bool {
	ids := map[string]bool{}
	for id := range strings.Lines(licensesText) {
		ids[strings.TrimSpace(id)] = true
	}
	return ids
})

// licensesOf reads a list of licences. It is exact where writing the result
// again gives the same list, whatever the version.
func licensesOf(list *node) (licenses []sbom.License, exact bool) {
	exact = len(list.items) > 0
	compound := 0
	for i := range list.items {
		l, ok, isExpression := licenseOf(&list.items[i])
		if isExpression {
			compound++
		}
		exact = exact && ok
		if l != (sbom.License{}) {
			licenses = append(licenses, l)
		}
	}
	return licenses, exact && (compound == 0 || len(list.items) == 1)
}

// validExpression reports whether s is an SPDX licence expression (SPDX 2.3
// annex D) whose licences are listed or local references.
func validExpression(s string) bool {
	open, operand := 0, false // operand: the last thing read can end an expression
	rest := strings.TrimSpace(s)
	for rest != "" {
		var token string
		switch {
		case rest[0] == '(' && !operand:
			open, rest = open+1, rest[1:]
		case rest[0] == ')' && operand && open > 0:
			open, rest = open-1, rest[1:]
		default:
			token, rest = cutToken(rest)
			next, ok := expressionToken(token, operand, &rest)
			if !ok {
				return false
			}
			operand = next
		}
		rest = strings.TrimLeft(rest, " \t\r\n")
	}
	return operand && open == 0
}

func cutToken(s string) (token, rest string) {
	i := strings.IndexAny(s, "() \t\r\n")
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i:]
}

// expressionToken takes an operator after an operand, or a licence after an
// operator.
func expressionToken(token string, operand bool, rest *string) (next, ok bool) {
	if !operand {
		return true, simpleLicense(token)
	}
	switch token {
	case "AND", "OR":
		return false, true
	case "WITH":
		exception, after := cutToken(strings.TrimLeft(*rest, " \t\r\n"))
		*rest = after
		return true, exception != "" && idString(exception)
	}
	return false, false
}

func simpleLicense(s string) bool {
	if document, reference, ok := strings.Cut(s, ":"); ok && strings.HasPrefix(document, "DocumentRef-") {
		return idString(document) && simpleLicense(reference) && strings.HasPrefix(reference, "LicenseRef-")
	}
	if strings.HasPrefix(s, "LicenseRef-") {
		return len(s) > len("LicenseRef-") && idString(s)
	}
	return licenseIDs()[s] || licenseIDs()[strings.TrimSuffix(s, "+")]
}

func idString(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.')
	})
}
