package verify_test

import (
	"fmt"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/verify"
)

// Whoever has a verdict and its trace can check that one follows from the other.
func Example() {
	engine, err := policy.Compile(&policy.Policy{ID: "p", Version: 1, Semantics: policy.Semantics, Gates: policy.Gates{Threshold: policy.Threshold{Block: finding.High}}}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := engine.Evaluate(&policy.Inputs{
		At: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), Digests: policy.Digests{Advisories: "sha256:…"},
		Findings: []finding.Finding{{Package: "p", Name: "zlib", Vulnerability: "CVE-2022-37434", Severity: finding.Critical}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := verify.Verdict(r.Body, r.Trace)
	fmt.Println(v.Outcome, err)
	_, err = verify.Verdict(r.Body, append(r.Trace, ' '))
	fmt.Println(err != nil)
	// Output:
	// block <nil>
	// true
}
