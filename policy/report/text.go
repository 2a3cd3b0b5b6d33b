package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/plain"
	"github.com/stella-ops/stella/policy"
)

// Text writes the whole story for people: of the image, and of each finding that is
// chosen with its facts, what each rule answered and the condition that decided, what
// suppliers say, and which exceptions were considered. An error wraps ErrNotFound where
// a finding was asked for that there is none of, ErrInvalid, or is that of w.
func Text(w io.Writer, t *policy.Trace, opts *Options) error {
	v, err := newView(t, opts)
	if err != nil {
		return fmt.Errorf("explain a verdict: no trace: %w", err)
	}
	list := v.chosen(false)
	if len(list) == 0 && (v.opts.Vulnerability != "" || v.opts.Package != "") {
		return fmt.Errorf("explain a verdict: no finding of %q in %q: %w", v.opts.Vulnerability, v.opts.Package, fault.NotFound)
	}
	b := &textWriter{}
	v.head(b)
	for _, d := range list {
		b.line(0, "")
		v.decided(b, d)
	}
	v.textBeside(b)
	if n := len(v.Decisions) - len(list); n > 0 {
		b.line(0, "")
		b.line(0, "%d more findings are not shown", n)
	}
	_, err = w.Write(b.b.Bytes())
	return err
}

// textWriter collects lines.
type textWriter struct{ b bytes.Buffer }

func (t *textWriter) line(depth int, format string, args ...any) {
	text := plain.Text(fmt.Sprintf(format, args...))
	if text != "" {
		fmt.Fprintf(&t.b, "%*s%s", 2*depth, "", text)
	}
	t.b.WriteByte('\n')
}

// field writes a name and a text, unless it is empty.
func (t *textWriter) field(depth int, name, text string) {
	if text != "" {
		t.line(depth, "%-12s %s", name, text)
	}
}

func (v *view) head(b *textWriter) {
	b.line(0, "%s: %s", cmp.Or(v.Subject.Name, "verdict"), words(v.Outcome))
	b.field(0, "because", v.Because)
	b.field(0, "policy", fmt.Sprintf("%s version %d, %s", v.Policy.ID, v.Policy.Version, v.Inputs.Policy))
	b.field(0, "environment", v.Environment)
	b.field(0, "controls", strings.Join(v.Controls, ", "))
	b.field(0, "as of", v.At.UTC().Format(time.RFC3339))
	if !v.NextChange.IsZero() {
		b.field(0, "next change", v.NextChange.UTC().Format(time.RFC3339)+" at the earliest, with the same data")
	}
	b.field(0, "SBOM", v.Inputs.SBOM)
	b.field(0, "advisories", cmp.Or(v.Inputs.Advisories, "none: nothing was assessed"))
	b.field(0, "statements", strings.Join(v.Inputs.VEX, ", "))
	b.field(0, "trust", v.Inputs.Trust)
	b.field(0, "exceptions", v.Inputs.Exceptions)
	b.field(0, "findings", v.counted())
	b.field(0, "secrets", v.tally(policy.AboutSecret))
	b.field(0, "files", v.tally(policy.AboutFile))
	for _, g := range v.Gaps {
		if g.Blocking {
			b.field(0, "gap", fmt.Sprintf("%s: %s: %s [%s]", words(v.evidence), g.Where, g.What, g.Code))
		} else {
			b.field(0, "note", fmt.Sprintf("%s: %s [%s]", g.Where, g.What, g.Code))
		}
	}
	v.facts(b, 0, "image facts", v.Facts)
}

// counted says how many findings there are of each outcome.
func (v *view) counted() string {
	counts := map[policy.Outcome]int{}
	for i := range v.Decisions {
		counts[v.Decisions[i].Outcome]++
	}
	parts := []string{fmt.Sprintf("%d in all", len(v.Decisions))}
	for _, o := range []policy.Outcome{policy.Error, policy.Block, policy.NotAssessed, policy.Warn, policy.Pass} {
		if counts[o] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[o], words(o)))
		}
	}
	return strings.Join(parts, ", ")
}

// decided tells the story of one finding.
func (v *view) decided(b *textWriter, d *policy.Decided) {
	b.line(0, "%s in %s: %s", d.Vulnerability, strings.TrimSpace(d.Name+" "+d.Version), words(d.Outcome))
	decider := "gate " + string(d.Gate)
	if d.Before != nil {
		b.field(1, "because", v.why(d))
		decider = "exception " + d.Exception
	} else {
		b.field(1, "because", d.Because)
	}
	if r := v.rules[d.Rule]; r != nil && d.Before == nil {
		decider += ", rule " + d.Rule
		if r.Final {
			decider += ", which is final"
		}
	}
	b.field(1, "decided by", decider)
	b.field(1, "warnings", strings.Join(d.Warnings, ", "))
	b.field(1, "package", d.PURL)
	b.field(1, "also", strings.Join(d.Aliases, ", "))
	b.field(1, "advisory", strings.TrimSpace(d.Advisory+" "+d.Record))
	if f := v.findings[[3]string{d.Package, d.Vulnerability, d.Advisory}]; f != nil {
		b.field(1, "summary", f.Summary)
		b.field(1, "fixed in", strings.Join(f.Fixed, ", "))
		b.field(1, "see", f.URL)
	}
	v.facts(b, 1, "facts", d.Facts)
	v.heard(b, d.VEX)
	if d.Before != nil {
		b.line(1, "before the exception: %s by gate %s%s, because %s", words(d.Before.Outcome), d.Before.Gate, ruled(d.Before.Rule), d.Before.Because)
		if len(d.Before.Rules) > 0 {
			v.asked(b, policy.AboutFinding, d, d.Before.Rules)
			b.line(1, "with the exception")
		}
	}
	if d.Before == nil || len(d.Rules) > 0 {
		v.asked(b, policy.AboutFinding, d, d.Rules)
	}
	v.considered(b, d)
}

func ruled(rule string) string {
	if rule == "" {
		return ""
	}
	return ", rule " + rule
}

func (v *view) facts(b *textWriter, depth int, title string, facts map[string]jsontext.Value) {
	if len(facts) == 0 {
		return
	}
	b.line(depth, "%s", title)
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		b.field(depth+1, name, value(name, facts[name]))
	}
}

// asked says what each rule answered, and which condition decided.
func (v *view) asked(b *textWriter, about policy.About, d *policy.Decided, list []policy.AskedRule) {
	if len(list) == 0 {
		b.field(1, "rules", "none was asked")
		return
	}
	b.line(1, "rules")
	for _, a := range list {
		r := v.rules[a.Rule]
		switch {
		case r == nil:
			b.line(2, "%s: %s", a.Rule, a.Is)
		case a.Is == "yes":
			b.line(2, "%s: yes, so %s", a.Rule, words(r.Action))
			for i := range r.Conditions {
				b.line(3, "%s%s", Condition(&r.Conditions[i]), v.seen(d, &r.Conditions[i]))
			}
		case a.By >= 0 && a.By < len(r.Conditions):
			b.line(2, "%s: %s, by %s%s", a.Rule, a.Is, Condition(&r.Conditions[a.By]), v.seen(d, &r.Conditions[a.By]))
		default:
			b.line(2, "%s: %s, its time is over", a.Rule, a.Is)
		}
	}
	n := -len(list)
	for i := range v.Policy.Rules {
		if v.Policy.Rules[i].About == about {
			n++
		}
	}
	if n > 0 {
		b.line(2, "%d rules were not asked", n)
	}
}

// seen writes the facts that a condition is about.
func (v *view) seen(d *policy.Decided, c *policy.Condition) string {
	names := []string{c.Field}
	if c.Expression != "" {
		names = strings.FieldsFunc(c.Expression, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		slices.Sort(names)
		names = slices.Compact(names)
	}
	var out []string
	for _, name := range names {
		raw, ok := d.Facts[name]
		if !ok {
			raw, ok = v.Facts[name]
		}
		if ok {
			out = append(out, name+" is "+value(name, raw))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, "; ") + ")"
}

// heard says what suppliers say.
func (v *view) heard(b *textWriter, h *policy.Heard) {
	if h == nil {
		b.field(1, "suppliers", "nobody says anything")
		return
	}
	said := words(cmp.Or(h.Status, "nobody decides"))
	if h.Disputed {
		said += ", disputed"
	}
	switch {
	case h.Excused:
		said += ": that excuses it"
	case h.Refused != "":
		said += ": that does not excuse it, because " + h.Refused
	}
	b.field(1, "suppliers", said)
	for i, c := range h.Claims {
		mark := ""
		switch {
		case slices.Contains(h.Deciding, i):
			mark = "decides: "
		case slices.Contains(h.Against, i):
			mark = "against it: "
		}
		who := cmp.Or(c.Issuer, "somebody unknown")
		if c.Tier > 0 {
			who += fmt.Sprintf(" (tier %d)", c.Tier)
		}
		signed := ""
		if c.Signed {
			signed = ", signed"
		}
		b.line(2, "%s%s: %s%s [%s%s]", mark, who, words(c.Status), prefixed(", ", words(c.Reason)), words(c.Standing), signed)
		b.line(3, "statement %s in document %s%s", c.Statement, c.Document, since(c.Time))
	}
	for _, o := range h.Others {
		b.line(2, "statement %s is about something else: %s", o.Statement, words(o.Why))
	}
}

func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " of " + t.UTC().Format(time.RFC3339)
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// considered says which exceptions were considered, and why each does not count.
func (v *view) considered(b *textWriter, d *policy.Decided) {
	if len(d.Exceptions) == 0 {
		return
	}
	b.line(1, "exceptions")
	for _, c := range d.Exceptions {
		word := "counts"
		if c.Why != "" {
			word = "does not count: " + whyNot(c.Why)
		}
		b.line(2, "%s %s", c.ID, word)
		if e := v.exceptions[c.ID]; e != nil {
			end := "without end"
			if !e.Expires.IsZero() {
				end = "until " + e.Expires.UTC().Format(time.RFC3339)
			}
			b.line(3, "%s by %s%s, %s: %s", words(e.Effect), e.Owner, prefixed(", approved by ", e.Approver), end, e.Reason)
		}
	}
}
