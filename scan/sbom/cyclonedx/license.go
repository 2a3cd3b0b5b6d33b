package cyclonedx

import (
	_ "embed"
	"slices"
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

// licenseOf reads one entry: {license:{…}} or {expression:…}.
func licenseOf(entry *node) (l sbom.License, exact, isExpression bool) {
	if entry.has("expression") {
		l.Expression = entry.str("expression")
		members := 1 + acknowledged(entry, &l)
		exact = len(entry.fields) == members && validExpression(l.Expression) && !licenseIDs()[l.Expression]
		if !validExpression(l.Expression) {
			l.Name, l.Expression = l.Expression, ""
		}
		return l, exact, true
	}
	inner := entry.get("license")
	members := acknowledged(&inner, &l)
	if id := inner.str("id"); id != "" {
		l.Expression = id
		members++
		exact = licenseIDs()[id]
	} else if name := inner.str("name"); name != "" {
		members++
		if exact = !validExpression(name); exact {
			l.Name = name
		} else {
			l.Expression = name
		}
	}
	if l.URL = inner.str("url"); l.URL != "" {
		members++
		exact = exact && fitURI(l.URL)
	}
	if l.Expression == "" && l.Name == "" {
		return sbom.License{}, false, false
	}
	return l, exact && len(inner.fields) == members && len(entry.fields) == 1, false
}

// acknowledged reads who says so and returns how many members that took.
func acknowledged(n *node, l *sbom.License) int {
	if n.str("acknowledgement") != "concluded" {
		return 0
	}
	l.Kind = sbom.LicenseConcluded
	return 1
}

// sameLicenses compares without regard to order and repetition.
func sameLicenses(a, b []sbom.License) bool {
	set := make(map[sbom.License]bool, len(a))
	for _, l := range a {
		set[l] = true
	}
	found := make(map[sbom.License]bool, len(b))
	for _, l := range b {
		if !set[l] {
			return false
		}
		found[l] = true
	}
	return len(found) == len(set)
}

// checkLicenses notes entries that name no licence, or one that is not listed.
func (r *reader) checkLicenses(list *node) {
	for i := range list.items {
		entry := &list.items[i]
		inner := entry.get("license")
		id, name := inner.str("id"), inner.str("name")
		switch {
		case entry.has("expression") && entry.has("license"), id != "" && name != "":
			r.noteHere("a licence is stated in two ways")
		case !entry.has("expression") && id == "" && name == "":
			r.noteHere("a licence has neither id nor name")
		case id != "" && !licenseIDs()[id]:
			r.noteHere("licence id " + quote(id) + " is not in the SPDX list")
		}
	}
}

// licenses writes the list of licences that version allows: until 1.6 either
// one expression or entries of id and name, from 1.7 both.
func (e *encoder) licenses(list []sbom.License) {
	if e.version < 6 {
		list = slices.DeleteFunc(slices.Clone(list), func(l sbom.License) bool {
			if l.Kind == sbom.LicenseConcluded {
				e.lose("licenses", "concluded licence "+quote(l.Expression+l.Name)+": told apart only since CycloneDX 1.6")
			}
			return l.Kind == sbom.LicenseConcluded
		})
	}
	if len(list) == 0 {
		return
	}
	e.key("licenses")
	e.begin('[')
	for _, l := range list {
		alone := len(list) == 1 || e.version >= 7
		e.license(l, alone)
	}
	e.end(']')
}

func (e *encoder) license(l sbom.License, alone bool) {
	e.begin('{')
	isID := licenseIDs()[l.Expression]
	if l.Expression != "" && !isID && alone && validExpression(l.Expression) {
		e.text("expression", l.Expression)
		e.concluded(l)
		if l.URL != "" {
			e.lose("licenses", "the URL of an expression has no member")
		}
		e.end('}')
		return
	}
	e.key("license")
	e.begin('{')
	switch {
	case isID:
		e.text("id", l.Expression)
	case l.Expression != "": // read again as an expression if it is one
		e.text("name", l.Expression)
	default:
		e.key("name")
		e.quote(l.Name)
	}
	if l.URL != "" && fitURI(l.URL) {
		e.text("url", l.URL)
	} else if l.URL != "" {
		e.lose("licenses", "the URL of a licence is not a URI")
	}
	e.concluded(l)
	e.end('}')
	e.end('}')
}

func (e *encoder) concluded(l sbom.License) {
	if l.Kind == sbom.LicenseConcluded {
		e.text("acknowledgement", "concluded")
	}
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
