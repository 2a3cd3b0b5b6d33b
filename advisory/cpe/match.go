package cpe

import "strings"

// Relation says how the products that one name describes stand to those of
// another.
type Relation uint8

// The relations. The zero Relation is Undefined.
const (
	Undefined Relation = iota // the target has wildcards, or the names overlap in part
	Disjoint                  // no product has both names
	Equal
	Subset
	Superset
)

// String returns the relation's name.
func (r Relation) String() string {
	return [...]string{"undefined", "disjoint", "equal", "subset", "superset"}[r]
}

// Match reports whether everything that target describes, source describes too:
// whether they are equal or source is a superset.
//
// Source: NISTIR 7696 §6.3, CPE_EQUAL and CPE_SUPERSET.
func Match(source, target Name) bool {
	r := Compare(source, target)
	return r == Equal || r == Superset
}

// Compare compares two names attribute by attribute.
//
// Source: NISTIR 7696 §6.1, table 6-4, and §6.2, table 6-2.
func Compare(source, target Name) Relation {
	s, t := source.attributes(), target.attributes()
	out := Equal
	for i := range s {
		switch r := CompareAttribute(or(*s[i]), or(*t[i])); {
		case r == Disjoint:
			return Disjoint
		case r == Undefined || out == Undefined:
			out = Undefined
		case r == Equal:
		case out == Equal:
			out = r
		case out != r:
			out = Undefined
		}
	}
	return out
}

// CompareAttribute compares two attributes. Of a target with wildcards it says
// Undefined, unless source is Any or NA.
func CompareAttribute(source, target string) Relation {
	switch {
	case source == Any && target == Any, source == NA && target == NA:
		return Equal
	case source == Any && HasWildcard(target):
		return Undefined
	case source == Any:
		return Superset
	case target == Any:
		return Subset
	case source == NA && HasWildcard(target):
		return Undefined
	case source == NA || target == NA:
		return Disjoint
	case HasWildcard(target):
		return Undefined
	case source == target:
		return Equal
	case HasWildcard(source) && wildcardMatch(source, target):
		return Superset
	}
	return Disjoint
}

// HasWildcard reports whether an attribute has wildcards beside a value; Any has
// none.
func HasWildcard(a string) bool {
	if a == Any || a == "" {
		return false
	}
	last := len(a) - 1
	return a[0] == '*' || a[0] == '?' || (a[last] == '*' || a[last] == '?') && (last == 0 || a[last-1] != '\\')
}

// wildcardMatch reports whether a target without wildcards is one of those that
// source describes. At either edge, an asterisk stands for any characters,
// question marks for as many or fewer.
func wildcardMatch(source, target string) bool {
	body := source
	var startAny, endAny bool
	var start, end int
	if strings.HasPrefix(body, "*") {
		body, startAny = body[1:], true
	}
	for strings.HasPrefix(body, "?") {
		body, start = body[1:], start+1
	}
	if n := len(body); n > 0 && body[n-1] == '*' && (n == 1 || body[n-2] != '\\') {
		body, endAny = body[:n-1], true
	}
	for n := len(body); n > 0 && body[n-1] == '?' && (n == 1 || body[n-2] != '\\'); n = len(body) {
		body, end = body[:n-1], end+1
	}
	for i := 0; i+len(body) <= len(target); i++ {
		if strings.HasPrefix(target[i:], body) && (startAny || length(target[:i]) <= start) && (endAny || length(target[i+len(body):]) <= end) && (i == 0 || !cutsEscape(target, i)) {
			return true
		}
	}
	return false
}

// length counts characters: an escape is one.
func length(s string) (n int) {
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		n++
	}
	return n
}

// cutsEscape reports whether i is between a backslash and what it escapes.
func cutsEscape(s string, i int) bool {
	n := 0
	for i > 0 && s[i-1] == '\\' {
		i--
		n++
	}
	return n%2 == 1
}
