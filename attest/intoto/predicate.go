package intoto

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/suggest"
)

// The predicate types that are written. What others write may name a version in
// addition: see [KindOf].
const (
	PredicateCycloneDX    = "https://cyclonedx.org/bom"
	PredicateSPDX         = "https://spdx.dev/Document"
	PredicateOpenVEX      = "https://openvex.dev/ns"
	PredicateVuln         = "https://cosign.sigstore.dev/attestation/vuln/v1"
	PredicateVulns        = "https://in-toto.io/attestation/vulns/v0.2"
	PredicateProvenance   = "https://slsa.dev/provenance/v1"
	PredicateProvenance02 = "https://slsa.dev/provenance/v0.2"
	PredicateVSA          = "https://slsa.dev/verification_summary/v1"
	PredicateSVR          = "https://in-toto.io/attestation/svr/v0.2"
	PredicateLink         = "https://in-toto.io/Link/v1"
	PredicateCustom       = "https://cosign.sigstore.dev/attestation/v1"
	PredicateVerdict      = "https://stella-ops.dev/attestation/verdict/v1"
	PredicateEvidence     = "https://stella-ops.dev/attestation/evidence/v1"
)

// Kind is a family of predicate types: the same thing, in one version or several. It is
// named as cosign's flag --type names it, where cosign knows it. The zero value is no
// kind.
type Kind string

// The kinds.
const (
	CycloneDX    Kind = "cyclonedx"
	SPDX         Kind = "spdxjson"
	OpenVEX      Kind = "openvex"
	Vuln         Kind = "vuln"  // cosign's record of a scan
	Vulns        Kind = "vulns" // in-toto's
	Provenance   Kind = "slsaprovenance1"
	Provenance02 Kind = "slsaprovenance02"
	VSA          Kind = "vsa" // SLSA's verification summary
	SVR          Kind = "svr" // in-toto's simple verification result
	Link         Kind = "link"
	Custom       Kind = "custom" // cosign's, of any bytes
	Verdict      Kind = "verdict"
	Evidence     Kind = "evidence"
)

// family says which predicate types are of a kind: base, and base with "/v" and a
// version; without versioned, base alone.
type family struct {
	kind      Kind
	written   string // the type that is written
	base      string
	versioned bool
	also      string // another name of the kind
}

var families = []family{
	{kind: CycloneDX, written: PredicateCycloneDX, base: PredicateCycloneDX, versioned: true},
	{kind: SPDX, written: PredicateSPDX, base: PredicateSPDX, versioned: true, also: "spdx"},
	{kind: OpenVEX, written: PredicateOpenVEX, base: PredicateOpenVEX, versioned: true},
	{kind: Vuln, written: PredicateVuln, base: PredicateVuln},
	{kind: Vulns, written: PredicateVulns, base: "https://in-toto.io/attestation/vulns", versioned: true},
	{kind: Provenance, written: PredicateProvenance, base: PredicateProvenance},
	{kind: Provenance02, written: PredicateProvenance02, base: PredicateProvenance02, also: "slsaprovenance"},
	{kind: VSA, written: PredicateVSA, base: PredicateVSA},
	{kind: SVR, written: PredicateSVR, base: "https://in-toto.io/attestation/svr", versioned: true},
	{kind: Link, written: PredicateLink, base: PredicateLink},
	{kind: Custom, written: PredicateCustom, base: PredicateCustom},
	{kind: Verdict, written: PredicateVerdict, base: PredicateVerdict},
	{kind: Evidence, written: PredicateEvidence, base: PredicateEvidence},
}

// Kinds returns all kinds, in the order of their declaration.
func Kinds() []Kind {
	out := make([]Kind, len(families))
	for i := range families {
		out[i] = families[i].kind
	}
	return out
}

// Type returns the predicate type that is written for the kind, "" for what is none.
func (k Kind) Type() string {
	for i := range families {
		if families[i].kind == k {
			return families[i].written
		}
	}
	return ""
}

// KindOf returns the kind of a predicate type, "" where it is not known. Types of
// CycloneDX, SPDX, OpenVEX, vulns and SVR may end in a version, such as
// "https://openvex.dev/ns/v0.2.0". Types are compared as they are written.
func KindOf(predicateType string) Kind {
	k, _ := kindVersion(predicateType)
	return k
}

// kindVersion also returns the version that the type of a family with versions names.
func kindVersion(predicateType string) (Kind, string) {
	for i := range families {
		f := &families[i]
		rest, ok := strings.CutPrefix(predicateType, f.base)
		switch {
		case !ok:
		case rest == "":
			return f.kind, ""
		case f.versioned && strings.HasPrefix(rest, "/v") && isVersion(rest[2:]):
			return f.kind, rest[2:]
		}
	}
	return "", ""
}

// isVersion reports whether s is numbers with dots between them.
func isVersion(s string) bool {
	return len(s) <= 32 && !slices.ContainsFunc(strings.Split(s, "."), func(part string) bool {
		return part == "" || strings.Trim(part, "0123456789") != ""
	})
}

// SamePredicate reports whether a predicate of type got is what is asked for by type
// want: the same type, or one of the same kind where at most one of the two names a
// version. Who asks for "https://openvex.dev/ns" takes any version of OpenVEX, and the
// document says which one it is; two different versions are never the same.
func SamePredicate(want, got string) bool {
	if want == got {
		return want != ""
	}
	k, version := kindVersion(want)
	other, otherVersion := kindVersion(got)
	return k != "" && k == other && (version == "" || otherVersion == "")
}

// PredicateType returns the predicate type that a user means: of a kind by its name or
// by cosign's other names for it ("spdx", "slsaprovenance"), or text itself where it is
// a URI. An error wraps ErrInvalid.
func PredicateType(text string) (string, error) {
	var names []string
	for i := range families {
		if text != "" && (text == string(families[i].kind) || text == families[i].also) {
			return families[i].written, nil
		}
		names = append(names, string(families[i].kind))
	}
	if checkType(text) == nil {
		return text, nil
	}
	hint := ""
	if near := suggest.Nearest(text, names); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return "", fmt.Errorf("predicate type %.200q: want one of %s, or a URI%s: %w", text, strings.Join(names, ", "), hint, fault.Invalid)
}

// checkType refuses what is no URI with a lower-case scheme (field types, "TypeURI").
func checkType(predicateType string) error {
	scheme, rest, ok := strings.Cut(predicateType, ":")
	if !ok || rest == "" || scheme == "" || strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != "" || strings.ContainsAny(rest, " \t\r\n\"<>\\^`{|}") {
		return fmt.Errorf("predicate type %.200q: want a URI with its scheme in lower case: %w", predicateType, fault.Invalid)
	}
	return nil
}
