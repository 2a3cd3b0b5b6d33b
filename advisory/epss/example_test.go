package epss_test

import (
	"fmt"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/epss"
)

func ExampleSource_Parse() {
	doc := &advisory.Document{Name: "epss_scores-current.csv", Content: []byte("#model_version:v2025.03.14,score_date:2025-08-22T00:00:00+0000\n" +
		"cve,epss,percentile\nCVE-2021-44228,0.94358,0.99958\n")}
	for said, err := range (epss.Source{}).Parse(doc) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		signal := said.(*advisory.Signal)
		fmt.Println(signal.Vulnerability, signal.EPSS, signal.Percentile, signal.Day)
	}
	// Output: CVE-2021-44228 0.94358 0.99958 2025-08-22
}
