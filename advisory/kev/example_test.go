package kev_test

import (
	"fmt"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/kev"
)

func ExampleSource_Parse() {
	doc := &advisory.Document{Name: "known_exploited_vulnerabilities", Content: []byte(`{"count": 1, "vulnerabilities": [
		{"cveID": "CVE-2021-44228", "dateAdded": "2021-12-10", "dueDate": "2021-12-24", "knownRansomwareCampaignUse": "Known"}]}`)}
	for said, err := range (kev.Source{}).Parse(doc) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		signal := said.(*advisory.Signal)
		fmt.Println(signal.Vulnerability, signal.Exploited, signal.Ransomware)
	}
	// Output: CVE-2021-44228 2021-12-10 Known
}
