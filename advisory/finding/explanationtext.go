package finding

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// WriteText writes an explanation for people: lines of text, equal for equal
// explanations. Characters that could command a terminal are replaced.
func (x *Explanation) WriteText(w io.Writer) error {
	var t textWriter
	t.head(x)
	t.scope(&x.Scope)
	t.records(x.Records)
	if b := x.Backport; b != nil {
		t.line(0, "backport    %s", b.Why)
		t.fixes("others", b.Upstream)
		t.fixes("here", b.Distribution)
	}
	for i := range x.Findings {
		f := &x.Findings[i]
		t.line(0, "finding     %s by %s, severity %s%s", f.Vulnerability, f.Advisory, orUnknown(string(f.Severity)), prefixed(", fixed in ", strings.Join(f.Fixed, ", ")))
	}
	for _, g := range x.Gaps {
		t.line(0, "not assessed, whatever the vulnerability: %s: %s", g.Where, g.What)
	}
	if x.Snapshot != "" {
		t.line(0, "data        %s", x.Snapshot)
	}
	_, err := w.Write(t.b.Bytes())
	return err
}

// textWriter collects lines.
type textWriter struct{ b bytes.Buffer }

func (t *textWriter) line(depth int, format string, args ...any) {
	text := strings.Map(func(r rune) rune {
		if isUnsafe(r) {
			return '\ufffd'
		}
		return r
	}, fmt.Sprintf(format, args...))
	fmt.Fprintf(&t.b, "%*s%s\n", 2*depth, "", text)
}

// isUnsafe says which runes could command a terminal or reorder a line.
func isUnsafe(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f
}

func (t *textWriter) head(x *Explanation) {
	name := x.Package.PURL
	if name == "" {
		name = strings.TrimSpace(x.Package.Name + " " + x.Package.Version)
	}
	t.line(0, "%s: %s", name, strings.ReplaceAll(string(x.Conclusion), "_", " "))
	t.line(0, "because     %s [%s]", x.Why, x.Reason)
	t.line(0, "asked       %s%s", x.Asked, prefixed(", which is ", others(x.Vulnerabilities, x.Asked)))
	if x.Package.Owner != "" {
		t.line(0, "installed by %s", x.Package.Owner)
	}
}

// others joins the texts that are not except.
func others(list []string, except string) string {
	var out []string
	for _, s := range list {
		if s != except {
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}

func (t *textWriter) scope(s *Scope) {
	if s.Name == "" {
		return
	}
	if len(s.Ecosystems) == 0 {
		t.line(0, "looked up   nowhere: %s", s.Name)
		return
	}
	t.line(0, "looked up   in %s, by the order of %s versions", s.Name, s.Scheme)
	for _, l := range s.Lookups {
		t.line(1, "%s %s: %s", l.Name, orUnknown(l.Version), l.Why)
	}
	for _, e := range s.Ecosystems {
		t.line(1, "%s, newest record of %s", e.Name, orUnknown(e.Modified))
	}
}

func (t *textWriter) records(list []ConsideredRecord) {
	for i := range list {
		r := &list[i]
		word := "does not apply"
		if r.Applies {
			word = "applies"
		}
		t.line(0, "%s %s: %s [%s]", r.ID, word, r.Why, r.Reason)
		t.line(1, "%s%s", orUnknown(r.Digest), prefixed(" from ", r.Source))
		if len(r.Path) > 2 {
			t.line(1, "by %s", strings.Join(r.Path, " → "))
		}
		for j := range r.Entries {
			t.entry(&r.Entries[j])
		}
		if len(r.Elsewhere) > 0 {
			more := ""
			if r.More > 0 {
				more = fmt.Sprintf(" and %d more", r.More)
			}
			word := "about"
			if len(r.Entries) > 0 {
				word = "also about"
			}
			t.line(1, "%s %s%s", word, strings.Join(r.Elsewhere, ", "), more)
		}
	}
}

func (t *textWriter) entry(e *ConsideredEntry) {
	t.line(1, "%s %s%s%s: %s [%s]", e.Ecosystem, e.Name, prefixed(" of ", e.Stream), prefixed(", status ", e.Status), e.Why, e.Reason)
	for _, c := range e.Compared {
		t.line(2, "%s %s: %s%s", c.Type, c.Range, c.Answer, prefixed("; ", c.Why))
	}
}

func (t *textWriter) fixes(where string, list []FixedIn) {
	for _, f := range list {
		t.line(1, "%s: %s %s in %s (%s)", where, f.Ecosystem, f.Name, strings.Join(f.Versions, ", "), f.Record)
	}
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
