package main

import (
	"cmp"
	"fmt"
	"strings"

	gotable "github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
)

// decisions finds what was decided about findings.
type decisions map[[3]string]*policy.Decided

func (d *decided) decisions() decisions {
	out := decisions{}
	if d != nil && d.Verdict.Policy.ID != noPolicy {
		for i := range d.Trace.Decisions {
			x := &d.Trace.Decisions[i]
			out[[3]string{x.Package, x.Vulnerability, x.Advisory}] = x
		}
	}
	return out
}

// of says what was decided about a finding, and by what.
func (d decisions) of(f *finding.Finding) string {
	x := d[[3]string{f.Package, f.Vulnerability, f.Advisory}]
	if x == nil {
		return ""
	}
	by := cmp.Or(x.Exception, x.Rule, string(x.Gate))
	if x.Gate == policy.GateNone {
		return string(x.Outcome)
	}
	return string(x.Outcome) + ": " + by
}

// writeVerdict writes what was decided about the image.
func writeVerdict(b *strings.Builder, r *result, color bool) {
	if r.Decided == nil {
		return
	}
	if v := r.Decided.Verdict; v.Policy.ID != noPolicy {
		fmt.Fprintf(b, "\n%s by policy %s %d", paintOutcome(v.Outcome, color), clean(v.Policy.ID), v.Policy.Version)
		if v.Environment != "" {
			fmt.Fprintf(b, " in %s", clean(v.Environment))
		}
		if v.Because != "" {
			fmt.Fprintf(b, ": %s", clean(v.Because))
		}
		c := v.Counts
		fmt.Fprintf(b, "\n%d block, %d not assessed, %d warn, %d pass", c.Block, c.NotAssessed, c.Warn, c.Pass)
		if c.Error > 0 {
			fmt.Fprintf(b, ", %d could not be evaluated", c.Error)
		}
		if x := c.Items; x != (policy.Tally{}) {
			fmt.Fprintf(b, "; beside findings %d block, %d not assessed, %d warn, %d pass", x.Block+x.Error, x.NotAssessed, x.Warn, x.Pass)
		}
		if !v.NextChange.IsZero() {
			fmt.Fprintf(b, "; it may change on %s", v.NextChange.Format("2006-01-02"))
		}
		b.WriteByte('\n')
	}
	if n := len(r.Excused); n > 0 && !r.showExcused {
		fmt.Fprintf(b, "%d findings are excused by suppliers or exceptions (--show-suppressed lists them)\n", n)
	}
}

var outcomeColors = map[policy.Outcome]text.Colors{
	policy.Block: {text.FgHiWhite, text.BgRed, text.Bold}, policy.Error: {text.FgHiWhite, text.BgRed, text.Bold}, policy.NotAssessed: {text.FgYellow, text.Bold},
	policy.Warn: {text.FgYellow}, policy.Pass: {text.FgGreen},
}

func paintOutcome(o policy.Outcome, color bool) string {
	word := strings.ReplaceAll(string(o), "_", " ")
	if c, ok := outcomeColors[o]; ok && color {
		return c.Sprint(word)
	}
	return word
}

// writeExcused lists the findings that are excused.
func writeExcused(b *strings.Builder, r *result, color bool) {
	if !r.showExcused || len(r.Excused) == 0 {
		return
	}
	b.WriteString("Excused:\n")
	t := newTable("severity", "vulnerability", "package", "installed", "because")
	for _, f := range r.Excused {
		t.AppendRow(gotable.Row{paint(f.Severity, color), clean(f.Vulnerability), clean(f.Name), clean(f.Version), clean(f.Why)})
	}
	b.WriteString(t.Render())
	b.WriteString("\n\n")
}
