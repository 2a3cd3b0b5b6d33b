package export

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/vulns"
	"github.com/stella-ops/stella/internal/fault"
)

// scannerURI is where the scanner comes from.
const scannerURI = "pkg:golang/github.com/stella-ops/stella"

// assessed reports whether everything that matters was compared with what is known.
// Neither form of the predicate can say that something was not: a list of what was
// found would read as if nothing else was.
func (m *Material) assessed() bool {
	return m.Report != nil && m.Report.Snapshot != "" && !m.Report.Blocked() && !m.Document.Blocked()
}

// vulns returns what was found as a predicate of in-toto's or cosign's form. The time of
// the database is that as of which it was asked: which state it was says its version,
// the digest of the snapshot.
func (m *Material) vulns(kind intoto.Kind) ([]byte, error) {
	if !m.assessed() {
		return nil, fmt.Errorf("something was not assessed, and %s has no way to say so: %w", kind, fault.NotFound)
	}
	if kind == intoto.Vuln {
		report, err := m.Render(SARIF)
		if err != nil {
			return nil, err
		}
		return (&vulns.Record{
			Scanner: vulns.RecordScanner{URI: scannerURI, Version: m.Tool, DBVersion: m.Report.Snapshot}, Result: report, Started: m.At, Finished: m.At,
		}).Encode()
	}
	r := &vulns.Report{Scanner: vulns.Scanner{URI: scannerURI, Version: m.Tool, DB: vulns.Database{URI: scannerURI, Version: m.Report.Snapshot, Updated: m.At}}, Started: m.At, Finished: m.At}
	for i := range m.Report.Findings {
		f := &m.Report.Findings[i]
		r.Results = append(r.Results, vulns.Result{ID: f.Vulnerability, Severities: severities(f), Annotations: [][]byte{vulns.Annotation(annotations(f))}})
	}
	return r.Encode()
}

func severities(f *finding.Finding) []vulns.Severity {
	if f.Severity == "" {
		return nil
	}
	method := f.SeverityFrom
	if method == "" {
		method = "stella"
	}
	return []vulns.Severity{{Method: method, Score: string(f.Severity)}}
}

func annotations(f *finding.Finding) map[string]string {
	out := map[string]string{"advisory": f.Advisory, "package": f.Name, "version": f.Version}
	for name, value := range map[string]string{"purl": f.PURL, "fixed": strings.Join(f.Fixed, " "), "exploited": f.Exploited, "epss": f.EPSS} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}
