package slsa_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/slsa"
	"github.com/stella-ops/stella/internal/testdata"
)

func summary() *slsa.Summary {
	return &slsa.Summary{
		Verifier: slsa.Verifier{ID: "https://example.com/verifier", Versions: map[string]string{"stella": "1.2.3"}}, Verified: at, Resource: "pkg:oci/app",
		Policy: slsa.Resource{URI: "https://example.com/policy", Digests: map[string]string{"sha256": hexB}}, Inputs: []slsa.Resource{{URI: "https://example.com/att", Digests: map[string]string{"sha256": hexA}}},
		Passed: true, Levels: []string{"EXAMPLE_APPROVED", "SLSA_BUILD_LEVEL_3", "SLSA_SOURCE_LEVEL_2"}, Dependencies: map[string]int64{"SLSA_BUILD_LEVEL_1": 2, "SLSA_BUILD_LEVEL_0": 0}, Version: "1.2",
	}
}

const summaryText = `{"dependencyLevels":{"SLSA_BUILD_LEVEL_0":0,"SLSA_BUILD_LEVEL_1":2},"inputAttestations":[{"digest":{"sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},"uri":"https://example.com/att"}],` +
	`"policy":{"digest":{"sha256":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"},"uri":"https://example.com/policy"},"resourceUri":"pkg:oci/app","slsaVersion":"1.2","timeVerified":"2026-11-29T12:00:00Z",` +
	`"verificationResult":"PASSED","verifiedLevels":["EXAMPLE_APPROVED","SLSA_BUILD_LEVEL_3","SLSA_SOURCE_LEVEL_2"],"verifier":{"id":"https://example.com/verifier","version":{"stella":"1.2.3"}}}`

func TestSummary(t *testing.T) {
	shuffled := summary()
	shuffled.Levels = []string{"SLSA_SOURCE_LEVEL_2", "EXAMPLE_APPROVED", "SLSA_BUILD_LEVEL_3"}
	text, err := shuffled.Encode()
	if diff := cmp.Diff(summaryText, string(text)); err != nil || diff != "" {
		t.Fatalf("%v, -want +got:\n%s", err, diff)
	}
	got, err := slsa.DecodeSummary(text)
	if diff := cmp.Diff(summary(), got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	// Nothing said about dependencies is not the same as no dependencies.
	for _, dependencies := range []map[string]int64{nil, {}} {
		s := &slsa.Summary{Verifier: slsa.Verifier{ID: "x:v"}, Resource: "x:r", Policy: slsa.Resource{URI: "x:p"}, Levels: []string{slsa.Failed}, Dependencies: dependencies}
		text, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := slsa.DecodeSummary(text)
		if diff := cmp.Diff(s, got); err != nil || diff != "" {
			t.Errorf("%v, -want +got:\n%s", err, diff)
		}
	}
}

func TestSummaryRefused(t *testing.T) {
	for _, tc := range []struct {
		name, old, new, says string
	}{
		{"no verifier", `"verifier":`, `"by":`, `verification summary: verifier.id is missing: invalid input`},
		{"no resource", `"resourceUri":`, `"resource":`, `verification summary: resourceUri is missing: invalid input`},
		{"no policy", `"uri":"https://example.com/policy"`, `"name":"policy"`, `verification summary: policy.uri is missing: invalid input`},
		{"result in another case", `PASSED`, `passed`, `verification summary: verificationResult "passed": want PASSED or FAILED: invalid input`},
		{"no result", `"verificationResult":"PASSED",`, ``, `verification summary: verificationResult "": want PASSED or FAILED: invalid input`},
		{"result twice, once in another case", `"verificationResult":"PASSED"`, `"verificationResult":"PASSED","VerificationResult":"FAILED"`, ""},
		{"failed, with levels", `"PASSED"`, `"FAILED"`, `verification summary: verifiedLevels ["EXAMPLE_APPROVED" "SLSA_BUILD_LEVEL_3" "SLSA_SOURCE_LEVEL_2"] of what passed or not (false): invalid input`},
		{"passed, with a failed level", `EXAMPLE_APPROVED`, `FAILED`, `verification summary: verifiedLevels ["FAILED" "SLSA_BUILD_LEVEL_3" "SLSA_SOURCE_LEVEL_2"] of what passed or not (true): invalid input`},
		{"no levels", `["EXAMPLE_APPROVED","SLSA_BUILD_LEVEL_3","SLSA_SOURCE_LEVEL_2"]`, `[]`, `verification summary: verifiedLevels is empty: invalid input`},
		{"two levels of a track", `SLSA_SOURCE_LEVEL_2`, `SLSA_BUILD_LEVEL_2`, `verification summary: verifiedLevels: "SLSA_BUILD_LEVEL_2" is empty or the second of its track: invalid input`},
		{"a level twice", `SLSA_SOURCE_LEVEL_2`, `EXAMPLE_APPROVED`, `verification summary: verifiedLevels: "EXAMPLE_APPROVED" is empty or the second of its track: invalid input`},
		{"empty level", `SLSA_SOURCE_LEVEL_2`, ``, `verification summary: verifiedLevels: "" is empty or the second of its track: invalid input`},
		{"negative count", `_0":0`, `_0":-1`, `verification summary: dependencyLevels: "SLSA_BUILD_LEVEL_0" is -1: invalid input`},
		{"huge count", `_0":0`, `_0":2147483648`, `verification summary: dependencyLevels: "SLSA_BUILD_LEVEL_0" is 2147483648: invalid input`},
		{"input without digest", `"digest":{"sha256":"` + hexA + `"},`, ``, `verification summary: inputAttestations[0]: it has no digest: invalid input`},
		{"policy digest in capitals", hexB, strings.ToUpper(hexB), ""},
		{"time elsewhere", `12:00:00Z`, `12:00:00+00:00`, `verification summary: timeVerified: "2026-11-29T12:00:00+00:00": want a time in UTC: invalid input`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := strings.Replace(summaryText, tc.old, tc.new, 1)
			if text == summaryText {
				t.Fatalf("%s does not occur", tc.old)
			}
			s, err := slsa.DecodeSummary([]byte(text))
			if s != nil || !errors.Is(err, slsa.ErrInvalid) {
				t.Fatalf("got %+v, %v", s, err)
			}
			if tc.says != "" && err.Error() != tc.says {
				t.Errorf("says %s\nwant %s", err, tc.says)
			}
		})
	}
	for name, break_ := range map[string]func(s *slsa.Summary){
		"no verifier": func(s *slsa.Summary) { s.Verifier.ID = "" }, "year": func(s *slsa.Summary) { s.Verified = time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC) }, "failed": func(s *slsa.Summary) { s.Passed = false }, "policy": func(s *slsa.Summary) { s.Policy = slsa.Resource{} },
	} {
		s := summary()
		break_(s)
		if text, err := s.Encode(); !errors.Is(err, slsa.ErrInvalid) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}

// TestSummaryPublished reads the example of the specification.
func TestSummaryPublished(t *testing.T) {
	text := testdata.Open(t, "conformance/slsa.tar.gz")["spec/verification_summary.md"]
	var examples [][]byte
	for _, m := range regexp.MustCompile("(?s)\"predicate\": (\\{.*?\n\\})\n```").FindAllSubmatch(text, -1) {
		if bytes.Contains(m[1], []byte("publication_verifier")) {
			examples = append(examples, m[1])
		}
	}
	if len(examples) != 1 {
		t.Fatalf("%d examples", len(examples))
	}
	example := regexp.MustCompile(`"(1234|abcd)\.\.\."`).ReplaceAll(examples[0], []byte(`"`+hexA+`"`))
	example = bytes.Replace(example, []byte("1,\n  }"), []byte("1\n  }"), 1) // a comma too many
	s, err := slsa.DecodeSummary(example)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Passed || s.Resource != "https://example.com/example-1.2.3.tar.gz" || s.Dependencies["SLSA_BUILD_LEVEL_2"] != 7 || len(s.Inputs) != 1 {
		t.Errorf("%+v", s)
	}
}

// The steps of "How to verify", each of which can fail.
func TestSummaryExpectation(t *testing.T) {
	expected := func() *slsa.SummaryExpectation {
		return &slsa.SummaryExpectation{
			Verifiers: map[string][]string{"key-1": {"https://example.com/verifier"}, "key-2": {"https://example.com/other"}}, Resources: []string{"pkg:oci/app"}, Levels: []string{"SLSA_BUILD_LEVEL_2", "EXAMPLE_APPROVED"},
			Policy: "https://example.com/policy", PolicyDigest: "sha256:" + hexB,
		}
	}
	for _, tc := range []struct {
		name   string
		change func(e *slsa.SummaryExpectation, v *slsa.Summary, s *intoto.Statement)
		signer string
		digest string
		says   string
	}{
		{name: "as expected"},
		{name: "unknown signer", signer: "key-3", says: `verification summary: none of the signers ["key-3"] may be verifier "https://example.com/verifier": content mismatch`},
		{name: "signer of another verifier", signer: "key-2", says: `verification summary: none of the signers ["key-2"] may be verifier "https://example.com/verifier": content mismatch`},
		{name: "another artifact", digest: hexB, says: `verification summary: statement: none of its 1 subjects is sha256:` + hexB + `: content mismatch`},
		{name: "another predicate", change: func(_ *slsa.SummaryExpectation, _ *slsa.Summary, s *intoto.Statement) {
			s.PredicateType = "https://slsa.dev/verification_summary/v0.2"
		}, says: `verification summary: statement: predicate type "https://slsa.dev/verification_summary/v0.2", want "https://slsa.dev/verification_summary/v1": content mismatch`},
		{name: "another resource", change: func(_ *slsa.SummaryExpectation, v *slsa.Summary, _ *intoto.Statement) { v.Resource = "pkg:oci/evil" }, says: `verification summary: it is about "pkg:oci/evil", want one of ["pkg:oci/app"]: content mismatch`},
		{name: "failed", change: func(_ *slsa.SummaryExpectation, v *slsa.Summary, _ *intoto.Statement) {
			v.Passed, v.Levels = false, []string{slsa.Failed}
		}, says: `verification summary: the artifact did not pass: content mismatch`},
		{name: "failed is expected", change: func(e *slsa.SummaryExpectation, v *slsa.Summary, _ *intoto.Statement) {
			v.Passed, v.Levels, e.Levels = false, []string{slsa.Failed}, []string{slsa.Failed}
		}, says: `verification summary: the artifact did not pass: content mismatch`},
		{name: "lower level", change: func(_ *slsa.SummaryExpectation, v *slsa.Summary, _ *intoto.Statement) {
			v.Levels[1] = "SLSA_BUILD_LEVEL_1"
		}, says: `verification summary: verified is ["EXAMPLE_APPROVED" "SLSA_BUILD_LEVEL_1" "SLSA_SOURCE_LEVEL_2"], want SLSA_BUILD_LEVEL_2: content mismatch`},
		{name: "level of another track", change: func(_ *slsa.SummaryExpectation, v *slsa.Summary, _ *intoto.Statement) {
			v.Levels[1] = "SLSA_BUILDS_LEVEL_3"
		}, says: `verification summary: verified is ["EXAMPLE_APPROVED" "SLSA_BUILDS_LEVEL_3" "SLSA_SOURCE_LEVEL_2"], want SLSA_BUILD_LEVEL_2: content mismatch`},
		{name: "level in another form", change: func(_ *slsa.SummaryExpectation, v *slsa.Summary, _ *intoto.Statement) {
			v.Levels[1] = "SLSA_BUILD_LEVEL_03"
		}, says: `verification summary: verified is ["EXAMPLE_APPROVED" "SLSA_BUILD_LEVEL_03" "SLSA_SOURCE_LEVEL_2"], want SLSA_BUILD_LEVEL_2: content mismatch`},
		{name: "not evaluated", change: func(_ *slsa.SummaryExpectation, v *slsa.Summary, _ *intoto.Statement) {
			v.Levels[1] = "SLSA_BUILD_LEVEL_UNEVALUATED"
		}, says: `verification summary: verified is ["EXAMPLE_APPROVED" "SLSA_BUILD_LEVEL_UNEVALUATED" "SLSA_SOURCE_LEVEL_2"], want SLSA_BUILD_LEVEL_2: content mismatch`},
		{name: "not evaluated is no level", change: func(e *slsa.SummaryExpectation, _ *slsa.Summary, _ *intoto.Statement) {
			e.Levels = []string{"SLSA_BUILD_LEVEL_UNEVALUATED"}
		}, says: `verification summary: verified is ["EXAMPLE_APPROVED" "SLSA_BUILD_LEVEL_3" "SLSA_SOURCE_LEVEL_2"], want SLSA_BUILD_LEVEL_UNEVALUATED: content mismatch`},
		{name: "not evaluated is what was agreed", change: func(e *slsa.SummaryExpectation, v *slsa.Summary, _ *intoto.Statement) {
			v.Levels[1], e.Levels = "SLSA_BUILD_LEVEL_UNEVALUATED", []string{"SLSA_BUILD_LEVEL_UNEVALUATED"}
		}},
		{name: "no property", change: func(_ *slsa.SummaryExpectation, v *slsa.Summary, _ *intoto.Statement) { v.Levels = v.Levels[1:] }, says: `verification summary: verified is ["SLSA_BUILD_LEVEL_3" "SLSA_SOURCE_LEVEL_2"], want EXAMPLE_APPROVED: content mismatch`},
		{name: "another policy", change: func(_ *slsa.SummaryExpectation, v *slsa.Summary, _ *intoto.Statement) { v.Policy.URI += "2" }, says: `verification summary: policy "https://example.com/policy2", want "https://example.com/policy": content mismatch`},
		{name: "the policy changed", change: func(_ *slsa.SummaryExpectation, v *slsa.Summary, _ *intoto.Statement) {
			v.Policy.Digests["sha256"] = hexA
		}, says: `verification summary: policy "https://example.com/policy" is not sha256:` + hexB + `: content mismatch`},
		{name: "policy digest without a value", change: func(e *slsa.SummaryExpectation, _ *slsa.Summary, _ *intoto.Statement) { e.PolicyDigest = "sha512:" }, says: `verification summary: policy "https://example.com/policy" is not sha512:: content mismatch`},
		{name: "no level expected", change: func(e *slsa.SummaryExpectation, _ *slsa.Summary, _ *intoto.Statement) { e.Levels = nil }, says: `verification summary: no level is expected, so none can be met: content mismatch`},
		{name: "no expectation", change: func(e *slsa.SummaryExpectation, _ *slsa.Summary, _ *intoto.Statement) {
			*e = slsa.SummaryExpectation{}
		}, says: `verification summary: none of the signers ["key-1"] may be verifier "https://example.com/verifier": content mismatch`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, v := expected(), summary()
			s := statement(t, intoto.PredicateVSA, nil)
			if tc.change != nil {
				tc.change(e, v, s)
			}
			var err error
			if s.Predicate, err = v.Encode(); err != nil {
				t.Fatal(err)
			}
			signer, digest := tc.signer, tc.digest
			if signer == "" {
				signer = "key-1"
			}
			if digest == "" {
				digest = hexA
			}
			got, err := e.Check(s, []string{"stranger", signer}, "sha256:"+digest)
			says := strings.Replace(tc.says, `signers ["`, `signers ["stranger" "`, 1)
			switch {
			case says == "" && (err != nil || !cmp.Equal(v, got)):
				t.Errorf("%+v, %v", got, err)
			case says != "" && (err == nil || err.Error() != says || !errors.Is(err, slsa.ErrMismatch) || got != nil):
				t.Errorf("says %v\nwant %s", err, says)
			}
		})
	}
}
