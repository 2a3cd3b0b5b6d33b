package vulns_test

import (
	"fmt"
	"time"

	"github.com/stella-ops/stella/attest/intoto/vulns"
)

// What was found becomes a predicate, to be stated about the image.
func Example() {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	r := &vulns.Report{
		Scanner: vulns.Scanner{URI: "https://stella-ops.dev", DB: vulns.Database{Updated: at.Add(-time.Hour)}},
		Results: []vulns.Result{{ID: "CVE-2021-44228", Severities: []vulns.Severity{{Method: "cvss_score", Score: "10.0"}}}},
		Started: at, Finished: at.Add(2 * time.Second),
	}
	predicate, err := r.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	read, err := vulns.Decode(predicate)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(read.Results[0].ID, read.Results[0].Severities[0].Score)
	// Output: CVE-2021-44228 10.0
}
