package sarif_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/sarif"
)

func Example() {
	engine, err := policy.Compile(&policy.Policy{ID: "release", Version: 1, Semantics: policy.Semantics, Gates: policy.Gates{Threshold: policy.Threshold{Block: finding.High}}}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	findings := []finding.Finding{{Package: "p1", Name: "log4j-core", Version: "2.14.1", Vulnerability: "CVE-2021-44228", Advisory: "GHSA-jfh8-c2jp-5v3q", Severity: finding.Critical}}
	result, err := engine.Evaluate(&policy.Inputs{At: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), Findings: findings, Digests: policy.Digests{Advisories: "sha256:…"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	trace, err := policy.DecodeTrace(result.Trace)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := sarif.Encode(trace, &sarif.Options{Findings: findings, Artifact: "pom.xml"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"level"`) || strings.Contains(line, `"uri"`) || strings.Contains(line, "affects") {
			fmt.Println(strings.TrimSpace(line))
		}
	}
	// Output:
	// "level": "error"
	// "level": "error",
	// "text": "CVE-2021-44228 affects 'log4j-core 2.14.1': block, because its severity is critical."
	// "uri": "pom.xml"
}
