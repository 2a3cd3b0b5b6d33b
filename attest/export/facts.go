package export

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/evidence"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

var _ attest.Facts = (*Reader)(nil)

// Fact returns what is kept of a scan as a predicate: its SBOM, what was found, what was
// decided, or the evidence that binds them. The digest is that of the SBOM's document,
// and of the verdict for what follows from one; for evidence without a verdict, and for
// findings without one, that of the findings.
func (r *Reader) Fact(ctx context.Context, scanID, predicateType, digest string) (*attest.Fact, error) {
	basis := Basis{Decision: true, Verdict: digest}
	switch intoto.KindOf(predicateType) {
	case intoto.SPDX, intoto.CycloneDX:
		basis = Basis{}
	case intoto.Vulns, intoto.Vuln, intoto.OpenVEX, intoto.Verdict, intoto.Evidence:
	default:
		return nil, fmt.Errorf("predicate %.200q says nothing about scans: %w", predicateType, fault.Unsupported)
	}
	_, m, err := r.Read(ctx, scanID, basis)
	if err != nil {
		return nil, err
	}
	return m.Fact(predicateType)
}

// Fact returns the material as a predicate of a type, the same bytes for the same
// material. An error wraps ErrNotFound where it tells of a decision and there is none,
// and ErrUnsupported for other types.
func (m *Material) Fact(predicateType string) (*attest.Fact, error) {
	f := &attest.Fact{PredicateType: intoto.KindOf(predicateType).Type()}
	var err error
	switch kind := intoto.KindOf(predicateType); kind {
	case intoto.SPDX, intoto.CycloneDX:
		text, err := m.SBOM(formatOf(kind))
		if err != nil {
			return nil, err
		}
		// The predicate is the document without the line end behind it, the digest the
		// document's.
		f.Predicate, f.Digest = bytes.TrimSpace(text), sum.Of(text)
		f.Subjects, err = m.Subjects(formatOf(kind).FileName(), f.Digest)
		return f, err
	case intoto.OpenVEX:
		f.Predicate, err = m.Render(OpenVEX)
		f.Predicate = bytes.TrimSpace(f.Predicate)
	case intoto.Vulns, intoto.Vuln:
		f.Predicate, err = m.vulns(kind)
	case intoto.Verdict:
		if err = m.decided(); err == nil {
			f.Predicate = m.Verdict.Body
		}
	case intoto.Evidence:
		f.Predicate, err = m.evidence()
	default:
		err = fmt.Errorf("predicate %.200q says nothing about scans: %w", predicateType, fault.Unsupported)
	}
	if err != nil {
		return nil, err
	}
	if f.Digest = m.reportDigest(); m.Verdict != nil {
		f.Digest = m.Verdict.Digest
	}
	f.Subjects, err = m.Subjects(neutralName, sum.Of(m.Neutral))
	return f, err
}

// formatOf is the format of the documents that statements of a kind hold.
func formatOf(kind intoto.Kind) Format {
	if kind == intoto.CycloneDX {
		return CycloneDX
	}
	return SPDX
}

// Facts returns the material as what an attest.Signer reads, whatever scan is asked for.
func (m *Material) Facts() attest.Facts { return alone{m} }

type alone struct{ material *Material }

func (a alone) Fact(_ context.Context, _, predicateType, _ string) (*attest.Fact, error) {
	return a.material.Fact(predicateType)
}

// neutralName is the name of the neutral document among subjects.
const neutralName = "sbom.stella.json"

// Statement returns the statement of a fact, as it is signed.
func Statement(f *attest.Fact) *intoto.Statement {
	return &intoto.Statement{Type: intoto.TypeV1, Subjects: f.Subjects, PredicateType: f.PredicateType, Predicate: f.Predicate}
}

// Predicates are the types of the statements of evidence about the material, in their
// order; the last one binds the others. Where something was not assessed there is no
// list of what was found.
func (m *Material) Predicates() []string {
	return slices.DeleteFunc(Evidence.predicates(m.Verdict != nil), func(p string) bool { return p == intoto.PredicateVulns && !m.assessed() })
}

// evidence lists what belongs together: every document that the scan and its verdict are
// known by, and the statements that are signed of them.
func (m *Material) evidence() ([]byte, error) {
	e := &evidence.Evidence{At: m.At}
	add := func(role evidence.Role, name, digest string) {
		same := func(i evidence.Item) bool { return i.Role == role && i.Name == name && i.Digest == digest }
		if digest != "" && !slices.ContainsFunc(e.Items, same) { // two places that say nothing say the same
			e.Items = append(e.Items, evidence.Item{Role: role, Name: name, Digest: digest})
		}
	}
	if s := m.Document.Source; s != nil && s.Manifest != "" {
		e.Image = append(e.Image, s.Manifest)
	}
	if d := m.Document.Subject.ConfigDigest; d != "" {
		e.Image = append(e.Image, d)
	}
	add(evidence.SBOM, neutralName, sum.Of(m.Neutral))
	if m.Verdict == nil {
		add(evidence.Findings, "", m.reportDigest())
		if m.Report != nil {
			add(evidence.Advisories, "", m.Report.Snapshot)
		}
	} else if err := m.bind(e, add); err != nil {
		return nil, err
	}
	for _, p := range m.Predicates() {
		if intoto.KindOf(p) == intoto.Evidence {
			continue
		}
		f, err := m.Fact(p)
		if err != nil {
			return nil, err
		}
		payload, err := Statement(f).Encode()
		if err != nil {
			return nil, fmt.Errorf("statement of %s: %w", p, err)
		}
		if kind := intoto.KindOf(p); kind == intoto.SPDX || kind == intoto.CycloneDX { // it is what its statement is about, where there is no image
			add(evidence.SBOM, formatOf(kind).FileName(), f.Digest)
		}
		e.Items = append(e.Items, evidence.Item{Role: evidence.Statement, PredicateType: f.PredicateType, MediaType: intoto.PayloadType, Digest: sum.Of(payload), Size: int64(len(payload)), Included: true})
	}
	return e.Encode()
}

// bind lists the inputs of the verdict, and its trace.
func (m *Material) bind(e *evidence.Evidence, add func(evidence.Role, string, string)) error {
	v, err := verdict.Decode(m.Verdict.Body)
	if err != nil {
		return fmt.Errorf("the verdict that is kept: %w", err)
	}
	for _, d := range v.Subject.Image.Digests { // it may know the index as well
		if d != m.Document.Subject.ConfigDigest && (m.Document.Source == nil || d != m.Document.Source.Manifest) {
			e.Image = append(e.Image, d)
		}
	}
	add(evidence.Findings, "", v.Inputs.Report)
	add(evidence.Advisories, "", v.Inputs.Advisories)
	for _, d := range v.Inputs.VEX {
		add(evidence.VEX, "", d)
	}
	add(evidence.Trust, "", v.Inputs.Trust)
	add(evidence.Policy, v.Policy.ID, v.Inputs.Policy)
	add(evidence.Exceptions, "", v.Inputs.Exceptions)
	add(evidence.Verdict, v.Environment, m.Verdict.Digest)
	add(evidence.Trace, v.Environment, v.Trace)
	return nil
}
