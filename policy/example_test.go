package policy_test

import (
	"fmt"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
)

func Example() {
	p := &policy.Policy{
		ID: "release", Version: 1, Semantics: policy.Semantics,
		Gates: policy.Gates{Threshold: policy.Threshold{Block: finding.Critical, Warn: finding.Medium}},
		Rules: []policy.Rule{
			{ID: "exploited", Action: policy.ActionBlock, Because: "it is exploited in the wild", Conditions: []policy.Condition{
				{Field: "kev", Operator: policy.Is, Values: []string{"true"}},
			}},
			{ID: "no-fix", Action: policy.ActionAllow, Because: "nobody can do anything yet", Conditions: []policy.Condition{
				{Field: "fix", Operator: policy.Is, Values: []string{"none"}},
				{Field: "severity", Operator: policy.Below, Values: []string{"critical"}},
			}},
		},
	}
	engine, err := policy.Compile(p, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := engine.Evaluate(&policy.Inputs{
		At:      time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC),
		Signals: []string{"kev"},
		Findings: []finding.Finding{
			{Package: "p1", Name: "log4j-core", Version: "2.14.1", Vulnerability: "CVE-2021-44228", Severity: finding.Critical, Exploited: "2021-12-10"},
			{Package: "p2", Name: "zlib1g", Version: "1.2.13", Vulnerability: "CVE-2023-45853", Severity: finding.High},
		},
		Digests: policy.Digests{Advisories: "sha256:…"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Verdict.Outcome, "because", result.Verdict.Because)
	fmt.Println(result.Verdict.Counts.Pass, "of", result.Verdict.Counts.Findings, "findings pass")
	// Output:
	// block because CVE-2021-44228 in log4j-core: it is exploited in the wild
	// 1 of 2 findings pass
}

// A rule may be about what lies in the image beside packages: here programs that no
// package accounts for and that are not on a list of digests.
func ExampleAbout() {
	p := &policy.Policy{ID: "release", Version: 1, Semantics: policy.Semantics, Rules: []policy.Rule{{
		ID: "strangers", About: policy.AboutFile, Action: policy.ActionBlock, Because: "nobody knows where it comes from",
		Conditions: []policy.Condition{
			{Field: "file_kind", Operator: policy.Is, Values: []string{"executable"}},
			{Field: "file_digest", Operator: policy.Is, Values: []string{"sha256:aa"}, Negate: true},
		},
	}}}
	engine, err := policy.Compile(p, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	program := func(path, digest string) sbom.Package {
		return sbom.Package{ID: path, Type: sbom.TypeFile, Name: path, Hashes: []sbom.Hash{{Algorithm: "sha256", Value: digest}}, Properties: []sbom.Property{{Name: "file:kind", Value: "executable"}}}
	}
	in := &policy.Inputs{At: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), Digests: policy.Digests{Advisories: "sha256:…"}}
	in.Of(&sbom.Document{Packages: []sbom.Package{program("usr/local/bin/tool", "aa"), program("tmp/.x/miner", "bb")}})
	result, err := engine.Evaluate(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Verdict.Outcome, "because", result.Verdict.Because)
	// Output: block because file tmp/.x/miner: nobody knows where it comes from
}
