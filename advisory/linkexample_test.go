package advisory_test

import (
	"fmt"

	"github.com/stella-ops/stella/advisory"
)

func ExampleLink() {
	sets := advisory.Link([]*advisory.Record{
		{ID: "RUSTSEC-2023-0090", Aliases: []string{"GHSA-ch89-5g45-qwc7"}},
		{ID: "GHSA-ch89-5g45-qwc7", Aliases: []string{"CVE-2023-26489"}},
		{ID: "CVE-2023-26489"},
	})
	for _, s := range sets {
		fmt.Println(s.Key, "has the aliases", s.Aliases)
		for _, m := range s.Members {
			fmt.Println(" ", m.ID, "by", m.Path)
		}
	}
	// Output:
	// CVE-2023-26489 has the aliases [GHSA-ch89-5g45-qwc7 RUSTSEC-2023-0090]
	//   CVE-2023-26489 by [CVE-2023-26489]
	//   GHSA-ch89-5g45-qwc7 by [GHSA-ch89-5g45-qwc7 CVE-2023-26489]
	//   RUSTSEC-2023-0090 by [RUSTSEC-2023-0090 GHSA-ch89-5g45-qwc7 CVE-2023-26489]
}
