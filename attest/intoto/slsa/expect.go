package slsa

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/internal/wire"
	"github.com/stella-ops/stella/internal/fault"
)

// BuildExpectation says how an artifact must have been built. The zero value accepts
// nothing.
type BuildExpectation struct {
	// Builders are the ids of the builders that each signer may vouch for, by the
	// signer's name as verification gives it: a key id, or a certificate's identity. A
	// signer that is not there may vouch for nobody (SLSA, "Builder": only specific
	// pairs).
	Builders map[string][]string
	// BuildTypes are those whose parameters are understood; at least one.
	BuildTypes []string
	// Parameters are the JSON values that each external parameter may have. One with
	// values must be there; one without may have any value, and be absent. A parameter
	// that is not listed must not be there: nobody knows what it does.
	Parameters map[string][]string
	// Source is what the artifact was built from: a dependency with this URI must be
	// there, "" for any, and have the digest SourceDigest, "algorithm:value", "" for any.
	Source, SourceDigest string
}

// Check reads the provenance of a statement that was verified, and returns it where it
// is about the artifact with the digests and the build was as expected. Signers are all
// whose signatures were verified. An error wraps ErrMismatch and says which expectation
// was not met, or what [DecodeProvenance] returns.
func (e *BuildExpectation) Check(s *intoto.Statement, signers []string, digests ...string) (*Provenance, error) {
	typ := intoto.PredicateProvenance
	if s.PredicateType == intoto.PredicateProvenance02 {
		typ = intoto.PredicateProvenance02
	}
	predicate, err := s.Expect(typ, digests...)
	if err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	p, err := DecodeProvenance(typ, predicate)
	if err != nil {
		return nil, err
	}
	switch {
	case !vouches(e.Builders, signers, p.Builder.ID):
		return nil, fmt.Errorf("provenance: none of the signers %.500q may vouch for builder %.200q: %w", signers, p.Builder.ID, fault.Mismatch)
	case !slices.Contains(e.BuildTypes, p.BuildType):
		return nil, fmt.Errorf("provenance: build type %.200q, want one of %.500q: %w", p.BuildType, e.BuildTypes, fault.Mismatch)
	}
	if err := e.checkParameters(p); err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	if (e.Source != "" || e.SourceDigest != "") && !slices.ContainsFunc(p.Dependencies, e.isSource) {
		return nil, fmt.Errorf("provenance: it was not built from %s %s: %w", e.Source, e.SourceDigest, fault.Mismatch)
	}
	return p, nil
}

// vouches reports whether one of the signers may vouch for an id.
func vouches(allowed map[string][]string, signers []string, id string) bool {
	return slices.ContainsFunc(signers, func(signer string) bool { return slices.Contains(allowed[signer], id) })
}

func (e *BuildExpectation) isSource(r Resource) bool {
	algorithm, value, _ := strings.Cut(e.SourceDigest, ":")
	return (e.Source == "" || r.URI == e.Source) && (e.SourceDigest == "" || value != "" && r.Digests[algorithm] == value)
}

func (e *BuildExpectation) checkParameters(p *Provenance) error {
	var have map[string]jsontext.Value
	if err := json.Unmarshal(p.External, &have); err != nil {
		return fmt.Errorf("externalParameters: %v: %w", err, fault.Invalid)
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		allowed, known := e.Parameters[name]
		if !known {
			return fmt.Errorf("external parameter %.200q is not expected: %w", name, fault.Mismatch)
		}
		if len(allowed) > 0 && !slices.ContainsFunc(allowed, func(v string) bool { return wire.Same([]byte(v), have[name]) }) {
			return fmt.Errorf("external parameter %.200q is %.500s, want one of %.500s: %w", name, have[name], strings.Join(allowed, ", "), fault.Mismatch)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Parameters)) {
		if _, there := have[name]; !there && len(e.Parameters[name]) > 0 {
			return fmt.Errorf("external parameter %.200q is missing: %w", name, fault.Mismatch)
		}
	}
	return nil
}

// SummaryExpectation says what somebody must have verified. The zero value accepts
// nothing.
type SummaryExpectation struct {
	// Verifiers are the ids that each signer may have, by the signer's name: see
	// [BuildExpectation].
	Verifiers map[string][]string
	// Resources are the URIs that the artifact may have been verified as; at least one.
	Resources []string
	// Levels are all required, at least one. A level of a SLSA track stands for the
	// higher ones of that track as well.
	Levels []string
	// Policy is the URI of the policy, "" for any, and PolicyDigest its digest,
	// "algorithm:hex", "" for any.
	Policy, PolicyDigest string
}

// Check reads the summary of a statement that was verified, and returns it where it is
// about the artifact with the digests, and it passed as expected. An error wraps
// ErrMismatch and says which expectation was not met, or what [DecodeSummary] returns.
func (e *SummaryExpectation) Check(s *intoto.Statement, signers []string, digests ...string) (*Summary, error) {
	predicate, err := s.Expect(intoto.PredicateVSA, digests...)
	if err != nil {
		return nil, fmt.Errorf("verification summary: %w", err)
	}
	v, err := DecodeSummary(predicate)
	if err != nil {
		return nil, err
	}
	if err := e.check(v, signers); err != nil {
		return nil, fmt.Errorf("verification summary: %w", err)
	}
	return v, nil
}

func (e *SummaryExpectation) check(v *Summary, signers []string) error {
	algorithm, value, _ := strings.Cut(e.PolicyDigest, ":")
	switch {
	case !vouches(e.Verifiers, signers, v.Verifier.ID):
		return fmt.Errorf("none of the signers %.500q may be verifier %.200q: %w", signers, v.Verifier.ID, fault.Mismatch)
	case !slices.Contains(e.Resources, v.Resource):
		return fmt.Errorf("it is about %.200q, want one of %.500q: %w", v.Resource, e.Resources, fault.Mismatch)
	case !v.Passed:
		return fmt.Errorf("the artifact did not pass: %w", fault.Mismatch)
	case len(e.Levels) == 0:
		return fmt.Errorf("no level is expected, so none can be met: %w", fault.Mismatch)
	case e.Policy != "" && v.Policy.URI != e.Policy:
		return fmt.Errorf("policy %.200q, want %q: %w", v.Policy.URI, e.Policy, fault.Mismatch)
	case e.PolicyDigest != "" && (value == "" || v.Policy.Digests[algorithm] != value):
		return fmt.Errorf("policy %.200q is not %s: %w", v.Policy.URI, e.PolicyDigest, fault.Mismatch)
	}
	for _, want := range e.Levels {
		if !v.has(want) {
			return fmt.Errorf("verified is %.500q, want %s: %w", v.Levels, want, fault.Mismatch)
		}
	}
	return nil
}
