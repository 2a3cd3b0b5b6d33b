package pypi

import "strings"

// requirement is one dependency specifier (PEP 508), or what a lockfile says in
// its place.
type requirement struct {
	name   string // as written
	spec   string // ">=1.0,<2", without parentheses; empty for any version
	url    string // "name @ url"
	marker string // the condition behind ";"
}

// parseRequirement reads "name[extra] (>=1.0) ; marker" or "name @ url ; marker".
func parseRequirement(text string) (requirement, bool) {
	text = strings.TrimSpace(text)
	n := 0
	for n < len(text) && (isAlnum(text[n]) || strings.IndexByte("-_.", text[n]) >= 0) {
		n++
	}
	r := requirement{name: text[:n]}
	rest := strings.TrimLeft(text[n:], " \t")
	if strings.HasPrefix(rest, "[") {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return r, false
		}
		rest = strings.TrimLeft(rest[end+1:], " \t")
	}
	if url, ok := strings.CutPrefix(rest, "@"); ok {
		r.url, r.marker, _ = strings.Cut(url, " ;")
		r.url, r.marker = strings.TrimSpace(r.url), strings.TrimSpace(r.marker)
		return r, validName(r.name) && r.url != "" && !strings.ContainsAny(r.url, " \t")
	}
	r.spec, r.marker, _ = strings.Cut(rest, ";")
	r.spec, r.marker = strings.TrimSpace(r.spec), strings.TrimSpace(r.marker)
	if inner, ok := strings.CutPrefix(r.spec, "("); ok {
		if inner, ok = strings.CutSuffix(inner, ")"); ok {
			r.spec = strings.TrimSpace(inner)
		}
	}
	return r, validName(r.name) && validSpec(r.spec)
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// operators compare versions (PEP 440), longer ones first.
var operators = []string{"===", "~=", "==", "!=", "<=", ">=", "<", ">"}

// clause splits one comparison of a specifier.
func clause(text string) (operator, version string, ok bool) {
	text = strings.TrimSpace(text)
	for _, op := range operators {
		if v, found := strings.CutPrefix(text, op); found {
			v = strings.TrimSpace(v)
			return op, v, v != "" && !strings.ContainsAny(v, " \t=<>~")
		}
	}
	return "", "", false
}

func validSpec(spec string) bool {
	if spec == "" {
		return true
	}
	for part := range strings.SplitSeq(spec, ",") {
		if _, _, ok := clause(part); !ok {
			return false
		}
	}
	return true
}

// pinned returns the one version that the requirement allows, or "".
func (r requirement) pinned() string {
	for part := range strings.SplitSeq(r.spec, ",") {
		op, v, ok := clause(part)
		if ok && (op == "===" || op == "==" && !strings.HasSuffix(v, ".*")) && !strings.Contains(v, "$") {
			return v
		}
	}
	return ""
}

// onlyForExtra reports whether the requirement holds only where an extra was
// asked for.
func (r requirement) onlyForExtra() bool {
	for rest := r.marker; ; {
		n := strings.Index(rest, "extra")
		if n < 0 {
			return false
		}
		before, after := rest[:n], strings.TrimLeft(rest[n+len("extra"):], " \t")
		if strings.HasPrefix(after, "==") && (before == "" || !isAlnum(before[len(before)-1]) && before[len(before)-1] != '_') {
			return true
		}
		rest = after
	}
}
