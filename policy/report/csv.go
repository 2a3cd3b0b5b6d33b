package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/stella-ops/stella/internal/plain"
	"github.com/stella-ops/stella/policy"
)

// columns are the columns of CSV. New ones come at the end.
func columns() []string {
	return []string{"kind", "outcome", "vulnerability", "aliases", "severity", "package", "version", "purl", "fixed", "gate", "rule", "because", "warnings", "exception", "vex", "advisory", "record"}
}

// CSV writes a table of all findings and gaps that are chosen, of secrets, and of files
// that no package accounts for, which have their path as package (RFC 4180 with plain
// line ends, UTF-8, with a header). Cells that a spreadsheet would take for a formula begin with an apostrophe.
// Columns keep their names and order; new ones come at the end. An error wraps
// ErrInvalid, or is that of w.
func CSV(w io.Writer, t *policy.Trace, opts *Options) error {
	v, err := newView(t, opts)
	if err != nil {
		return fmt.Errorf("write CSV: no trace: %w", err)
	}
	out := csv.NewWriter(w)
	rows := [][]string{columns()}
	for _, d := range v.chosen(true) {
		status := ""
		if d.VEX != nil {
			status = d.VEX.Status
		}
		rows = append(rows, []string{
			"finding", string(d.Outcome), d.Vulnerability, strings.Join(d.Aliases, " "), severityOf(d), d.Name, d.Version, d.PURL, strings.Join(v.fixed(d), " "),
			string(d.Gate), d.Rule, d.Because, strings.Join(d.Warnings, " "), d.Exception, status, d.Advisory, d.Record,
		})
	}
	rows = append(rows, v.csvBeside()...)
	if v.opts.Vulnerability == "" && v.opts.Package == "" {
		for _, g := range v.Gaps {
			row := make([]string, len(columns()))
			row[0], row[1], row[5], row[9], row[10], row[11] = "gap", string(v.gapOutcome(g.Blocking)), g.Where, string(policy.GateEvidence), string(g.Code), g.What
			rows = append(rows, row)
		}
	}
	for _, row := range rows {
		for i := range row {
			row[i] = cell(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func (v *view) gapOutcome(blocking bool) policy.Outcome {
	if blocking {
		return v.evidence
	}
	return policy.Pass
}

// cell keeps a spreadsheet from taking a text for a formula (OWASP, CSV Injection).
func cell(s string) string {
	s = plain.Text(s)
	if s != "" && strings.ContainsRune("=+-@\ufffd|%＝＋－＠", []rune(s)[0]) {
		return "'" + s
	}
	return s
}
