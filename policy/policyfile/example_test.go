package policyfile_test

import (
	"fmt"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
)

func Example() {
	text := []byte(`
id: release
version: 3
threshold: {block: critical, warn: medium}
rules:
  - id: exploited
    match: {kev: true, environment: production}
    action: block
    because: it is exploited in the wild
  - id: old-and-likely
    when: age > 90 && epss >= 100000 # 0.1
    action: block
    because: there was time to repair it
`)
	p, warnings, err := policyfile.Parse("release.yaml", text)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, w := range warnings {
		fmt.Println(w)
	}
	engine, err := policy.Compile(p, &policy.Options{Expressions: policyfile.Expressions})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(p.Rules), "rules,", engine.Digest() == p.Digest())
	// Output: 2 rules, true
}

func ExampleParse_wrong() {
	_, _, err := policyfile.Parse("release.yaml", []byte("id: release\nversion: 1\nrules:\n  - id: a\n    match: {sevrity: high}\n    action: block\n    because: it is severe\n"))
	fmt.Println(err)
	// Output:
	// release.yaml:5:13: rules[0].match: unknown fact "sevrity"; did you mean "severity"?
	//   |     match: {sevrity: high}
	//   |             ^
}

func ExampleTest() {
	p, _, err := policyfile.Default()
	if err != nil {
		fmt.Println(err)
		return
	}
	results, err := policyfile.Test(p, "tests.yaml", []byte(`
tests:
  - name: what is exploited blocks
    finding: {vulnerability: CVE-2021-44228, package: pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1, severity: critical, exploited: true}
    want: {outcome: block, rule: exploited}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range results {
		fmt.Println(r.Passed, r.Name+":", r.Got)
	}
	// Output: true what is exploited blocks: block by gate rules by rule exploited
}
