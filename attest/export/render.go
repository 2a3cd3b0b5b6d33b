package export

import (
	"bytes"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy/report"
	"github.com/stella-ops/stella/policy/sarif"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/csaf"
	"github.com/stella-ops/stella/vex/openvex"
)

// Render returns the document of a format, the same bytes for the same material. An
// error wraps ErrNotFound where the format tells of a decision and there is none, and
// ErrUnsupported for what is no document, such as Evidence.
func (m *Material) Render(f Format) ([]byte, error) {
	text, err := m.render(f)
	if err != nil {
		return nil, fmt.Errorf("export as %s: %w", f, err)
	}
	return text, nil
}

func (m *Material) render(f Format) ([]byte, error) {
	switch f {
	case SPDX, CycloneDX:
		return m.SBOM(f)
	case SARIF, JUnit, CSV, OpenVEX, CSAF:
	default:
		return nil, fmt.Errorf("it is no document: %w", fault.Unsupported)
	}
	if err := m.decided(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	opts := &report.Options{Findings: m.findings(), Secrets: m.Document.Secrets, Packages: m.Document.Packages}
	var err error
	switch f {
	case SARIF:
		return sarif.Encode(m.Trace, &sarif.Options{Findings: opts.Findings, Packages: opts.Packages, Secrets: opts.Secrets, Version: m.Tool})
	case JUnit:
		err = report.JUnit(&b, m.Trace, opts)
	case CSV:
		err = report.CSV(&b, m.Trace, opts)
	case OpenVEX:
		err = m.openVEX(&b)
	case CSAF:
		err = m.csaf(&b)
	}
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (m *Material) openVEX(b *bytes.Buffer) error {
	list, err := m.Statements()
	if err != nil {
		return err
	}
	return openvex.Encode(b, &openvex.Document{Author: m.author(), Timestamp: m.Trace.At, Tooling: "stella " + m.Tool, Statements: list})
}

func (m *Material) csaf(b *bytes.Buffer) error {
	list, err := m.Statements()
	if err != nil {
		return err
	}
	return csaf.Encode(b, &csaf.Document{
		ID: "stella-" + m.Verdict.Digest[len("sha256:"):][:16], Title: "Vulnerabilities of " + m.name(), Publisher: m.author(), Namespace: "https://stella-ops.dev", Timestamp: m.Trace.At, Statements: list,
	})
}

func (m *Material) author() string {
	if m.Author != "" {
		return m.Author
	}
	return "stella"
}

// name is what the scan is called.
func (m *Material) name() string {
	if m.Image != "" {
		return m.Image
	}
	return m.Document.Subject.Name
}

// Statements returns what holds of each finding, as VEX statements about the image: what
// suppliers say where that excuses the finding, and otherwise that the image is
// affected: what people accepted, or a policy lets pass, is affected all the same. What
// suppliers disagree about is under investigation. An error wraps ErrUnsupported where there are no findings: a VEX document says
// something.
func (m *Material) Statements() ([]*vex.Statement, error) {
	if err := m.decided(); err != nil {
		return nil, err
	}
	fixed := map[[2]string][]string{}
	for i := range m.findings() {
		f := &m.Report.Findings[i]
		fixed[[2]string{f.Package, f.Vulnerability}] = f.Fixed
	}
	var out []*vex.Statement
	for i := range m.Trace.Decisions {
		d := &m.Trace.Decisions[i]
		s := &vex.Statement{Vulnerability: d.Vulnerability, Aliases: d.Aliases, Time: m.Trace.At, Products: m.product(d)}
		m.status(s, d, fixed[[2]string{d.Package, d.Vulnerability}])
		if err := s.Prepare(); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", d.Vulnerability, d.Name, err)
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("there are no findings, and VEX has no document that says nothing: %w", fault.Unsupported)
	}
	return out, nil
}
