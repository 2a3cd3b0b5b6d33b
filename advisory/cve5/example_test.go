package cve5_test

import (
	"fmt"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/cve5"
)

func ExampleSource_Parse() {
	doc := &advisory.Document{Name: "cves/2024/0xxx/CVE-2024-0001.json", Content: []byte(`{
		"dataType": "CVE_RECORD", "dataVersion": "5.1",
		"cveMetadata": {"cveId": "CVE-2024-0001", "state": "PUBLISHED", "dateUpdated": "2024-02-01T00:00:00.000Z"},
		"containers": {"cna": {"title": "Anvils fall", "affected": [{"packageURL": "pkg:npm/anvil", "versions": [
			{"version": "1.0.0", "lessThan": "1.4.0", "status": "affected", "versionType": "semver"}]}]}}}`)}
	for said, err := range (cve5.Source{}).Parse(doc) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		r := said.(*advisory.Record)
		fmt.Println(r.ID, r.Summary, r.Affected[0].Ecosystem, r.Affected[0].Name, r.Affected[0].Ranges[0].Events)
	}
	// Output: CVE-2024-0001 Anvils fall npm anvil [{1.0.0   } { 1.4.0  }]
}
