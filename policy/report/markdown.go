package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/plain"
	"github.com/stella-ops/stella/policy"
)

// Markdown writes a summary for a pull request, in GitHub Flavored Markdown: the
// outcome, a table of what does not pass, what was excused, and what was not assessed.
// Texts of others can neither link, mention somebody, nor leave their cell. An error
// wraps ErrInvalid, or is that of w.
func Markdown(w io.Writer, t *policy.Trace, opts *Options) error {
	v, err := newView(t, opts)
	if err != nil {
		return fmt.Errorf("write Markdown: no trace: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "## %s: %s\n\n", escaped(cmp.Or(v.Subject.Name, "Verdict")), escaped(words(v.Outcome)))
	if v.Because != "" {
		fmt.Fprintf(&b, "%s\n\n", escaped(v.Because))
	}
	fmt.Fprintf(&b, "%s\n", escaped(v.counted()))
	shown, excused := v.split()
	rows := cmp.Or(v.opts.Rows, 100)
	v.table(&b, shown, rows)
	if len(excused) > 0 {
		fmt.Fprintf(&b, "\n<details>\n<summary>%d excused</summary>\n", len(excused))
		v.table(&b, excused, rows)
		b.WriteString("\n</details>\n")
	}
	v.markdownBeside(&b)
	v.notAssessed(&b, rows)
	fmt.Fprintf(&b, "\n<sub>Policy %s version %d (%s)%s, as of %s</sub>\n", escaped(v.Policy.ID), v.Policy.Version, escaped(v.Inputs.Policy),
		prefixed(", environment ", escaped(v.Environment)), v.At.UTC().Format(time.RFC3339))
	_, err = w.Write(b.Bytes())
	return err
}

// split tells what is shown from what passes because something excuses it.
func (v *view) split() (shown, excused []*policy.Decided) {
	for _, d := range v.chosen(true) {
		switch {
		case d.Outcome == policy.Pass && isExcused(d):
			excused = append(excused, d)
		case d.Outcome != policy.Pass || v.opts.Passing:
			shown = append(shown, d)
		}
	}
	return shown, excused
}

// isExcused reports whether something made a finding pass that would not have to.
func isExcused(d *policy.Decided) bool {
	return d.Outcome == policy.Pass && (d.Exception != "" || d.Gate == policy.GateTrust || d.Gate == policy.GateRules)
}

func (v *view) table(b *bytes.Buffer, list []*policy.Decided, rows int) {
	if len(list) == 0 {
		return
	}
	b.WriteString("\n| Outcome | Vulnerability | Severity | Package | Fixed in | Why |\n|---|---|---|---|---|---|\n")
	for i, d := range list {
		if i == rows {
			fmt.Fprintf(b, "\nand %d more\n", len(list)-rows)
			break
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", escaped(words(d.Outcome)), escaped(d.Vulnerability), severityOf(d),
			escaped(strings.TrimSpace(d.Name+" "+d.Version)), escaped(strings.Join(v.fixed(d), ", ")), escaped(v.why(d)))
	}
}

// why says in a line why a finding is decided so.
func (v *view) why(d *policy.Decided) string {
	text := d.Because
	if d.Rule != "" {
		text += " (" + d.Rule + ")"
	}
	if e := v.exceptions[d.Exception]; e != nil {
		text = "exception " + e.ID + " of " + e.Owner + ": " + e.Reason
		if !e.Expires.IsZero() {
			text += ", until " + e.Expires.UTC().Format(time.DateOnly)
		}
		if d.Before != nil && d.Before.Because != "" {
			text += "; else " + words(d.Before.Outcome) + ": " + d.Before.Because
		}
	}
	return text
}

func (v *view) notAssessed(b *bytes.Buffer, rows int) {
	if v.Assessed && len(v.Gaps) == 0 {
		return
	}
	b.WriteString("\n### Not assessed\n\n")
	if !v.Assessed {
		b.WriteString("- There was no advisory data.\n")
	}
	for i, g := range v.Gaps {
		if i == rows {
			fmt.Fprintf(b, "- and %d more\n", len(v.Gaps)-rows)
			break
		}
		word := "note"
		if g.Blocking {
			word = words(v.evidence)
		}
		fmt.Fprintf(b, "- %s: %s: %s\n", word, escaped(g.Where), escaped(g.What))
	}
}

// escaped keeps a text from being more than text: no markup, HTML, link, mention or
// reference.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range plain.Text(s) {
		switch r {
		case '\\', '`', '*', '_', '[', ']', '(', ')', '!', '~', '{', '}', '^', '$':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '<', '>', '&', '|', '@', '#':
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	out := strings.ReplaceAll(b.String(), "://", "&#58;//")
	return strings.ReplaceAll(out, "www.", "www&#46;")
}
