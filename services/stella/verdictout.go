package main

import (
	"io"

	policyreport "github.com/stella-ops/stella/policy/report"
	"github.com/stella-ops/stella/policy/sarif"
)

// encodeVerdict writes what was decided, in one of verdictFormats.
func encodeVerdict(w io.Writer, name string, r *result) error {
	d := r.Decided
	opts := &policyreport.Options{Findings: d.record.Inputs.Findings, Secrets: r.Document.Secrets, Packages: r.Document.Packages}
	switch name {
	case "verdict":
		return writeLine(w, d.Body)
	case "trace":
		return writeLine(w, d.Result.Trace)
	case "explain":
		return policyreport.Text(w, d.Trace, opts)
	case "markdown":
		return policyreport.Markdown(w, d.Trace, opts)
	case "csv":
		return policyreport.CSV(w, d.Trace, opts)
	case "junit":
		return policyreport.JUnit(w, d.Trace, opts)
	}
	text, err := sarif.Encode(d.Trace, &sarif.Options{Findings: opts.Findings, Packages: opts.Packages, Secrets: opts.Secrets, Version: buildVersion().Version})
	if err != nil {
		return err
	}
	return writeLine(w, text)
}

// writeLine writes canonical JSON as it is signed: without a line end, which would be
// another text.
func writeLine(w io.Writer, text []byte) error {
	_, err := w.Write(text)
	return err
}
