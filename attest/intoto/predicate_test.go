package intoto_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/intoto"
)

func TestKinds(t *testing.T) {
	for typ, want := range map[string]intoto.Kind{
		"https://cyclonedx.org/bom":                       intoto.CycloneDX,
		"https://cyclonedx.org/bom/v1.6":                  intoto.CycloneDX,
		"https://spdx.dev/Document":                       intoto.SPDX,
		"https://spdx.dev/Document/v2.3":                  intoto.SPDX,
		"https://spdx.dev/Document/v3":                    intoto.SPDX,
		"https://openvex.dev/ns":                          intoto.OpenVEX,
		"https://openvex.dev/ns/v0.2.0":                   intoto.OpenVEX,
		"https://cosign.sigstore.dev/attestation/vuln/v1": intoto.Vuln,
		"https://in-toto.io/attestation/vulns/v0.2":       intoto.Vulns,
		"https://in-toto.io/attestation/vulns/v0.1":       intoto.Vulns,
		"https://in-toto.io/attestation/vulns":            intoto.Vulns,
		"https://slsa.dev/provenance/v1":                  intoto.Provenance,
		"https://slsa.dev/provenance/v0.2":                intoto.Provenance02,
		"https://slsa.dev/verification_summary/v1":        intoto.VSA,
		"https://in-toto.io/attestation/svr/v0.1":         intoto.SVR,
		"https://in-toto.io/Link/v1":                      intoto.Link,
		"https://cosign.sigstore.dev/attestation/v1":      intoto.Custom,
		"https://stella-ops.dev/attestation/verdict/v1":   intoto.Verdict,
		"https://stella-ops.dev/attestation/evidence/v1":  intoto.Evidence,
		"":                                                   "",
		"cyclonedx":                                          "",
		"https://cyclonedx.org/bom/":                         "",
		"https://cyclonedx.org/bom/v":                        "",
		"https://cyclonedx.org/bom/v1.":                      "",
		"https://cyclonedx.org/bom/1.6":                      "",
		"https://cyclonedx.org/bom2":                         "",
		"https://cyclonedx.org/bom/v1.6/x":                   "",
		"http://cyclonedx.org/bom":                           "",
		"https://CycloneDX.org/bom":                          "",
		" https://cyclonedx.org/bom":                         "",
		"https://slsa.dev/provenance/v1.0":                   "", // the type names the major version only
		"https://slsa.dev/provenance/v1/v1":                  "",
		"https://slsa.dev/provenance":                        "",
		"https://stella-ops.dev/attestation/verdict/v2":      "",
		"https://openvex.dev/ns/v" + strings.Repeat("1", 33): "",
	} {
		if got := intoto.KindOf(typ); got != want {
			t.Errorf("%q is %q, want %q", typ, got, want)
		}
	}
	for _, k := range intoto.Kinds() {
		if intoto.KindOf(k.Type()) != k {
			t.Errorf("%s is written as %q", k, k.Type())
		}
	}
	if intoto.Kind("").Type() != "" {
		t.Error("no kind has a type")
	}
}

func TestSamePredicate(t *testing.T) {
	const vex = "https://openvex.dev/ns"
	for _, tc := range []struct {
		want, got string
		same      bool
	}{
		{vex, vex, true},
		{vex, vex + "/v0.2.0", true},
		{vex + "/v0.2.0", vex, true},
		{vex + "/v0.2.0", vex + "/v0.2.0", true},
		{vex + "/v0.2.0", vex + "/v0.0.1", false},
		{intoto.PredicateSVR, "https://in-toto.io/attestation/svr/v0.1", false},
		{intoto.PredicateProvenance, intoto.PredicateProvenance02, false},
		{intoto.PredicateVuln, intoto.PredicateVulns, false},
		{intoto.PredicateCycloneDX, intoto.PredicateSPDX, false},
		{intoto.PredicateVerdict, intoto.PredicateEvidence, false},
		{"https://example.com/x", "https://example.com/x", true},
		{"https://example.com/x", "https://example.com/y", false},
		{"https://example.com/x", "https://example.com/X", false},
		{"", "", false},
		{"", vex, false},
		{vex, "", false},
	} {
		if got := intoto.SamePredicate(tc.want, tc.got); got != tc.same {
			t.Errorf("%q and %q: %v", tc.want, tc.got, got)
		}
		if got := intoto.SamePredicate(tc.got, tc.want); got != tc.same {
			t.Errorf("%q and %q: %v", tc.got, tc.want, got)
		}
	}
}

// The names are those of cosign's flag --type.
func TestPredicateType(t *testing.T) {
	for name, want := range map[string]string{
		"custom": "https://cosign.sigstore.dev/attestation/v1", "slsaprovenance": "https://slsa.dev/provenance/v0.2", "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
		"slsaprovenance1": "https://slsa.dev/provenance/v1", "spdx": "https://spdx.dev/Document", "spdxjson": "https://spdx.dev/Document", "cyclonedx": "https://cyclonedx.org/bom",
		"link": "https://in-toto.io/Link/v1", "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1", "openvex": "https://openvex.dev/ns",
		"https://example.com/x": "https://example.com/x", "urn:x": "urn:x", "git+https://example.com": "git+https://example.com",
	} {
		if got, err := intoto.PredicateType(name); got != want || err != nil {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "cyclone", "HTTPS://example.com", "https:", ":x", "https://exa mple.com", "x\n:y", "https://example.com/\""} {
		if got, err := intoto.PredicateType(name); !errors.Is(err, intoto.ErrInvalid) {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	_, err := intoto.PredicateType("cyclonedxx")
	if want := `predicate type "cyclonedxx": want one of cyclonedx, spdxjson, openvex, vuln, vulns, slsaprovenance1, slsaprovenance02, vsa, svr, link, custom, verdict, evidence, or a URI; did you mean cyclonedx?: invalid input`; err == nil || err.Error() != want {
		t.Errorf("says %v\nwant %s", err, want)
	}
}
