package main

import (
	"bufio"
	"encoding/json"
	"io"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan/sbom"
)

// reportSchema names the shape of -o json; it is raised when a member changes
// its meaning or goes away.
const reportSchema = "stella-report/1"

// report is -o json.
type report struct {
	Schema   string            `json:"schema"`
	Subject  sbom.Subject      `json:"subject"`
	Source   *sbom.Source      `json:"source,omitempty"`
	Packages []sbom.Package    `json:"packages"`
	Findings []finding.Finding `json:"findings"`
	Gaps     []sbom.Gap        `json:"gaps"`
	Assessed bool              `json:"assessed"` // false: the absence of findings means nothing
	Snapshot string            `json:"snapshot,omitempty"`
	// Suppressed are findings that suppliers' statements or exceptions excuse, Verdict
	// is what was decided; both where that was asked for.
	Suppressed []excusedFinding `json:"suppressed,omitempty"`
	Verdict    json.RawMessage  `json:"verdict,omitempty"`
}

func encodeReport(w io.Writer, r *result, indent bool) error {
	out := report{
		Schema: reportSchema, Subject: r.Document.Subject, Source: r.Document.Source,
		Packages: r.Document.Packages, Findings: r.Report.Findings, Gaps: r.gaps(),
		Assessed: !r.Document.Blocked() && !r.Report.Blocked(), Snapshot: r.Report.Snapshot,
	}
	out.Suppressed = r.Excused
	if r.Decided != nil {
		out.Verdict = r.Decided.Body
	}
	if out.Packages == nil {
		out.Packages = []sbom.Package{}
	}
	if out.Findings == nil {
		out.Findings = []finding.Finding{}
	}
	if !indent {
		return out.stream(w)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

// stream writes the report element by element, each on a line: a document of many
// thousand packages is never held as text.
func (r *report) stream(w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	member := func(name string, value any) {
		out.WriteString(name)
		// The writer keeps its first error; the types are known to have JSON.
		_ = e.Encode(value)
	}
	member(`{"schema":`, r.Schema)
	member(`,"subject":`, r.Subject)
	if r.Source != nil {
		member(`,"source":`, r.Source)
	}
	out.WriteString(`,"packages":[`)
	for i := range r.Packages {
		member(comma(i), &r.Packages[i])
	}
	out.WriteString(`],"findings":[`)
	for i := range r.Findings {
		member(comma(i), &r.Findings[i])
	}
	member(`],"gaps":`, append([]sbom.Gap{}, r.Gaps...))
	member(`,"assessed":`, r.Assessed)
	if r.Snapshot != "" {
		member(`,"snapshot":`, r.Snapshot)
	}
	if len(r.Suppressed) > 0 {
		member(`,"suppressed":`, r.Suppressed)
	}
	if len(r.Verdict) > 0 {
		member(`,"verdict":`, r.Verdict)
	}
	out.WriteString("}\n")
	return out.Flush()
}

// findingLines writes findings, one a line.
func findingLines(w io.Writer, list []finding.Finding) error {
	out := bufio.NewWriterSize(w, 64<<10)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for i := range list {
		if err := e.Encode(&list[i]); err != nil {
			return err
		}
	}
	return out.Flush()
}

// comma parts the elements of a list.
func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}
