package finding_test

import (
	"fmt"

	"github.com/stella-ops/stella/advisory/finding"
)

func ExampleReport_Worst() {
	r := finding.Report{Findings: []finding.Finding{
		{Name: "openssl", Vulnerability: "CVE-2024-0001", Severity: finding.Medium},
		{Name: "zlib1g", Vulnerability: "CVE-2024-0002", Severity: finding.Critical},
	}}
	fmt.Println(r.Worst())
	// Output: critical
}
