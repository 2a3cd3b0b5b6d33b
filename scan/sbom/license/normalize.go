package license

import "strings"

// maxSpelling is the longest text that Normalize looks at: longer ones are
// licence texts.
const maxSpelling = 1 << 10

// Normalize turns a licence as package metadata spells it into an SPDX
// expression, and reports whether it could. It knows the short names of Debian
// copyright files ("GPL-2+", "Expat"), of RPM before SPDX ("GPLv2+ and MIT"), of
// Maven ("The Apache Software License, Version 2.0"), npm ("(MIT OR Apache 2)",
// "MIT/Apache-2.0") and PyPI ("License :: OSI Approved :: MIT License").
//
// It never guesses: a name that several licences go by ("BSD", "GPL",
// "Artistic") is not normalised, nor is an expression with such a name in it.
// The result is canonical: [Parse] accepts it and Normalize returns it unchanged.
func Normalize(s string) (expr string, ok bool) {
	if len(s) > maxSpelling {
		return "", false
	}
	s = strings.Trim(s, blanks+`"'.;`)
	if i := strings.LastIndex(s, " :: "); i >= 0 {
		s = s[i+len(" :: "):]
	}
	if expr, err := canonical(s); err == nil {
		return expr, true
	}
	if expr, err := canonical(resolve(s)); err == nil {
		return expr, true
	}
	expr, err := canonical(rewrite(perl(s)))
	return expr, err == nil
}

// perl spells out the licence of Perl, which is one although "Artistic" alone is
// several: "GPL-1+ or Artistic" of Debian and "GPL+ or Artistic" of Fedora, whose
// licence data has it as GPL-1.0-or-later_OR_Artistic-1.0-Perl.
func perl(s string) string {
	low := strings.ToLower(s)
	if len(low) != len(s) {
		return s
	}
	for _, name := range []string{"gpl-1+ or artistic", "gpl+ or artistic", "artistic or gpl-1+", "artistic or gpl+"} {
		at := strings.Index(low, name)
		if at < 0 || at > 0 && !strings.ContainsRune("( ", rune(low[at-1])) {
			continue
		}
		if end := at + len(name); end == len(s) || strings.ContainsRune("), ", rune(s[end])) && !strings.HasPrefix(strings.TrimLeft(low[end:], " "), "2") {
			return s[:at] + "GPL-1.0-or-later or Artistic-1.0-Perl" + s[end:]
		}
	}
	return s
}

// rewrite replaces the spellings in an expression word by word. What it does not
// know stays, and makes the result invalid.
func rewrite(s string) string {
	var out, atom []string
	flush := func() {
		if len(atom) > 0 {
			out = append(out, resolve(strings.Join(atom, " ")))
			atom = atom[:0]
		}
	}
	for rest := grouped(s); ; {
		var t token
		t, rest = next(rest, 0)
		op := operators[strings.ToLower(t.text)]
		if t.kind == word && op == "" {
			atom = append(atom, t.text)
			continue
		}
		flush()
		switch t.kind {
		case end:
			return strings.Join(out, " ")
		case word:
			out = append(out, op)
		default:
			out = append(out, t.text)
		}
	}
}

var operators = map[string]string{"and": "AND", "or": "OR", "&": "AND", "&&": "AND", "|": "OR", "||": "OR"}

// grouped makes the comma of Debian copyright files explicit: in "A or B, and C"
// it binds weaker than the operators.
func grouped(s string) string {
	for _, op := range []string{"and", "or"} {
		parts := strings.Split(s, ", "+op+" ")
		if len(parts) > 1 {
			return "(" + strings.Join(parts, ") "+op+" (") + ")"
		}
	}
	return s
}

// resolve returns the expression for one licence name, or the name.
func resolve(name string) string {
	if id := spelling(name); id != "" {
		return id
	}
	left, right, ok := cutFold(name, " with ")
	if !ok { // Debian's short names have no blanks
		left, right, ok = cutFold(name, "-with-")
	}
	if ok {
		left, right = strings.TrimRight(left, blanks+","), strings.ReplaceAll(right, "-", " ")
		if id, exception := spelling(left), exceptionFor(left, right); id != "" && exception != "" {
			return id + " WITH " + exception
		}
	}
	// Cargo and npm used a slash for OR.
	if left, right, ok := strings.Cut(name, "/"); ok {
		if a, b := spelling(left), spelling(right); a != "" && b != "" {
			return "(" + a + " OR " + b + ")"
		}
	}
	return name
}

// spelling returns the identifier that one name stands for, or "".
func spelling(name string) string {
	if id := licence(name); id != "" {
		return id
	}
	key := fold(name)
	if id := aliases[key]; id != "" {
		return id
	}
	if id := gnu(key); id != "" {
		return id
	}
	// "Mozilla Public License 2.0 (MPL 2.0)": the name in parentheses repeats
	// the one before it. Both must say the same.
	long, short, ok := strings.Cut(name, "(")
	if short, closed := strings.CutSuffix(short, ")"); ok && closed && !strings.ContainsAny(short, "()") && fold(long) != "" {
		if a, b := spelling(strings.TrimSpace(long)), spelling(short); a != "" && (a == b || fold(short) == fold(long)) {
			return a
		}
	}
	return ""
}

// fold reduces a name to its telling words: lower case, without "the",
// "license", "version" and punctuation.
func fold(name string) string {
	name = strings.Map(func(r rune) rune {
		switch r {
		case ',', '"', '\'', '_', ':', ';', '(', ')':
			return ' '
		}
		return r
	}, strings.ToLower(name))
	words := strings.Fields(name)
	kept := words[:0]
	for _, w := range words {
		switch w {
		case "the", "license", "licence", "version", "v", "v.", "-", "ver.":
			continue
		}
		if len(w) > 1 && w[0] == 'v' && '0' <= w[1] && w[1] <= '9' {
			w = w[1:]
		}
		kept = append(kept, w)
	}
	return strings.Join(kept, " ")
}

// cutFold is strings.Cut without regard to case.
func cutFold(s, sep string) (before, after string, found bool) {
	if i := strings.Index(strings.ToLower(s), sep); i >= 0 && len(strings.ToLower(s)) == len(s) {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
