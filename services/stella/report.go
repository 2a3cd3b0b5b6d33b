package main

import (
	"bytes"
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
}

func encodeReport(w io.Writer, r *result, indent bool) error {
	out := report{
		Schema: reportSchema, Subject: r.Document.Subject, Source: r.Document.Source,
		Packages: r.Document.Packages, Findings: r.Report.Findings, Gaps: r.gaps(),
		Assessed: !r.Document.Blocked() && !r.Report.Blocked(), Snapshot: r.Report.Snapshot,
	}
	if out.Packages == nil {
		out.Packages = []sbom.Package{}
	}
	if out.Findings == nil {
		out.Findings = []finding.Finding{}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if indent {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(out); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
