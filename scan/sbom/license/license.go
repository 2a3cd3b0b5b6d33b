// Package license checks SPDX licence expressions and turns the spellings that
// package ecosystems use into them.
//
// The grammar is that of the SPDX specification 2.3, annex D: identifiers are
// matched without regard to case, the operators AND, OR and WITH are upper case.
// Identifiers come from the SPDX licence list, see [ListVersion]; deprecated ones
// are valid.
package license

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// MaxLength is the longest expression, in bytes, that is looked at. What is
// longer is a licence text, not an expression.
const MaxLength = 16 << 10

// Parse checks that expr is an SPDX licence expression. The error wraps the
// kind "invalid input" and says what was found where. Neither "NONE" nor
// "NOASSERTION" is an expression, nor is the empty string.
func Parse(expr string) error {
	_, err := canonical(expr)
	return err
}

// Valid reports whether expr is an SPDX licence expression.
func Valid(expr string) bool { return Parse(expr) == nil }

// IsID reports whether id is an identifier of the licence list, without regard
// to case.
func IsID(id string) bool { return listed(licenseIDs, id) != "" }

// References returns the user-defined references (LicenseRef-…, with their
// DocumentRef-…: in front) that expr names, sorted, each once. It looks at words
// alone: expr need not be valid.
func References(expr string) []string {
	var refs []string
	for rest := expr; rest != ""; {
		var t token
		t, rest = next(rest, 0)
		if t.kind == word && isReference(t.text) {
			refs = append(refs, t.text)
		}
	}
	slices.Sort(refs)
	return slices.Compact(refs)
}

// canonical checks expr and returns it with identifiers spelled as the list
// spells them and one blank between words.
func canonical(expr string) (string, error) {
	fail := func(at int, format string, args ...any) (string, error) {
		return "", fmt.Errorf("parse licence expression %.60q: %s at byte %d: %w", expr, fmt.Sprintf(format, args...), at, fault.Invalid)
	}
	if len(expr) > MaxLength {
		return fail(MaxLength, "longer than %d bytes", MaxLength)
	}
	var c checker
	for rest, at := expr, 0; ; {
		var t token
		t, rest = next(rest, at)
		if why := c.take(t); why != "" {
			return fail(t.at, "%s", why)
		}
		if t.kind == end {
			return c.out.String(), nil
		}
		at = len(expr) - len(rest)
	}
}

// checker walks over the tokens of an expression. It keeps no stack: the grammar
// needs only the depth of parentheses, so that deep nesting costs nothing.
type checker struct {
	out   strings.Builder
	depth int
	after afterKind
}

// afterKind says what the previous token allows to follow.
type afterKind int

const (
	afterOperator afterKind = iota // a licence or "(" must follow; also the start
	afterWith                      // an exception must follow
	afterSimple                    // an operator, WITH, ")" or the end
	afterGroup                     // an operator, ")" or the end
)

// take accepts one token, or says why it cannot stand there.
func (c *checker) take(t token) string {
	switch {
	case t.kind == end:
		return c.finish()
	case c.after == afterWith:
		id := ""
		if t.kind == word {
			id = listed(exceptionIDs, t.text)
		}
		if id == "" {
			return fmt.Sprintf("%q is not a licence exception", t.text)
		}
		c.add(id, afterGroup)
		return ""
	case c.after == afterOperator:
		return c.operand(t)
	}
	return c.operator(t)
}

func (c *checker) finish() string {
	switch {
	case c.after == afterOperator || c.after == afterWith:
		return "a licence is missing"
	case c.depth > 0:
		return "a parenthesis is not closed"
	}
	return ""
}

func (c *checker) operand(t token) string {
	switch t.kind {
	case open:
		c.depth++
		c.add("(", afterOperator)
		return ""
	case word:
		if id := licence(t.text); id != "" {
			c.add(id, afterSimple)
			return ""
		}
		return fmt.Sprintf("unknown licence identifier %q", t.text)
	}
	return "a licence is missing"
}

func (c *checker) operator(t token) string {
	switch {
	case t.kind == closing && c.depth > 0:
		c.depth--
		c.add(")", afterGroup)
		return ""
	case t.kind == closing:
		return "a parenthesis is closed that was not opened"
	case t.text == "AND" || t.text == "OR":
		c.add(t.text, afterOperator)
		return ""
	case t.text == "WITH" && c.after == afterSimple:
		c.add(t.text, afterWith)
		return ""
	}
	return fmt.Sprintf("an operator is missing before %q", t.text)
}

// add appends a word and remembers what may follow.
func (c *checker) add(s string, after afterKind) {
	if n := c.out.Len(); n > 0 && s != ")" && c.out.String()[n-1] != '(' {
		c.out.WriteByte(' ')
	}
	c.out.WriteString(s)
	c.after = after
}

// licence returns the canonical spelling of a simple expression, or "".
func licence(s string) string {
	if isReference(s) {
		return s
	}
	if id := listed(licenseIDs, s); id != "" {
		return id
	}
	if base, ok := strings.CutSuffix(s, "+"); ok {
		if id := listed(licenseIDs, base); id != "" {
			return id + "+"
		}
	}
	return ""
}

// isReference reports whether s is ["DocumentRef-"idstring":"]"LicenseRef-"idstring.
func isReference(s string) bool {
	if doc, ref, ok := strings.Cut(s, ":"); ok {
		id, ok := strings.CutPrefix(doc, "DocumentRef-")
		if !ok || !isIDString(id) {
			return false
		}
		s = ref
	}
	id, ok := strings.CutPrefix(s, "LicenseRef-")
	return ok && isIDString(id)
}

func isIDString(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '-' && c != '.' {
			return false
		}
	}
	return s != ""
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// listed returns the spelling of id in a sorted table, or "".
func listed(table []string, id string) string {
	if i, ok := slices.BinarySearchFunc(table, id, compareFold); ok {
		return table[i]
	}
	return ""
}

// compareFold orders ASCII strings without regard to case.
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
