package report_test

import (
	"fmt"
	"os"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/report"
)

func Example() {
	engine, err := policy.Compile(&policy.Policy{ID: "release", Version: 1, Semantics: policy.Semantics, Rules: []policy.Rule{
		{ID: "severe", Action: policy.ActionBlock, Because: "it is severe", Conditions: []policy.Condition{{Field: "severity", Operator: policy.AtLeast, Values: []string{"high"}}}},
	}}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := engine.Evaluate(&policy.Inputs{
		At:       time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC),
		Subject:  policy.Subject{Name: "shop"},
		Findings: []finding.Finding{{Package: "p1", Name: "log4j-core", Version: "2.14.1", Vulnerability: "CVE-2021-44228", Advisory: "GHSA-jfh8-c2jp-5v3q", Severity: finding.Critical}},
		Digests:  policy.Digests{Advisories: "sha256:…"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	trace, err := policy.DecodeTrace(result.Trace)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := report.CSV(os.Stdout, trace, nil); err != nil {
		fmt.Println(err)
	}
	fmt.Println(report.Condition(&trace.Policy.Rules[0].Conditions[0]))
	// Output:
	// kind,outcome,vulnerability,aliases,severity,package,version,purl,fixed,gate,rule,because,warnings,exception,vex,advisory,record
	// finding,block,CVE-2021-44228,,critical,log4j-core,2.14.1,,,rules,severe,it is severe,,,,GHSA-jfh8-c2jp-5v3q,
	// severity >= high
}

func ExampleStories() {
	engine, err := policy.Compile(&policy.Policy{ID: "release", Version: 1, Semantics: policy.Semantics, Rules: []policy.Rule{
		{ID: "severe", Action: policy.ActionBlock, Because: "it is severe", Conditions: []policy.Condition{{Field: "severity", Operator: policy.AtLeast, Values: []string{"high"}}}},
	}}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	in := &policy.Inputs{
		At:      time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC),
		Subject: policy.Subject{Name: "shop"},
		Findings: []finding.Finding{{
			Package: "p1", Name: "log4j-core", Version: "2.14.1", Vulnerability: "CVE-2021-44228", Advisory: "GHSA-jfh8-c2jp-5v3q",
			Severity: finding.Critical, Fixed: []string{"2.15.0"},
			Evidence: finding.Evidence{Ecosystem: "Maven", Name: "log4j-core", Version: "2.14.1", Range: ">= 2.13.0, < 2.15.0"},
		}},
	}
	result, err := engine.Evaluate(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	trace, err := policy.DecodeTrace(result.Trace)
	if err != nil {
		fmt.Println(err)
		return
	}
	stories, err := report.Stories(trace, &report.Options{Vulnerability: "CVE-2021-44228", Findings: in.Findings})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(stories[0].Because)
	for _, step := range stories[0].Steps {
		fmt.Printf("%-9s %s\n", step.Kind, step.Title)
	}
	// Output:
	// It is blocked: it is severe (rule severe).
	// package   log4j-core 2.14.1
	// record    GHSA-jfh8-c2jp-5v3q
	// supplier  no supplier says anything about it
	// exception no exception covers it
	// rule      severe: yes, so block
	// verdict   block
	// next      what changes it
}
