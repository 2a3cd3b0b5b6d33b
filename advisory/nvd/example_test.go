package nvd_test

import (
	"fmt"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/nvd"
)

func ExampleSource_Parse() {
	doc := &advisory.Document{Name: "2024/CVE-2024-0001.json", Content: []byte(`{"cve": {
		"id": "CVE-2024-0001", "lastModified": "2024-02-01T00:00:00.000", "descriptions": [{"lang": "en", "value": "Anvils fall."}],
		"configurations": [{"nodes": [{"cpeMatch": [{"vulnerable": true, "criteria": "cpe:2.3:a:acme:anvil:*:*:*:*:*:*:*:*", "versionEndExcluding": "1.4"}]}]}]}}`)}
	for said, err := range (nvd.Source{}).Parse(doc) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		r := said.(*advisory.Record)
		fmt.Println(r.ID, r.Summary, r.Affected[0].Ecosystem, r.Affected[0].Name, r.Affected[0].Ranges[0].Events)
	}
	// Output: CVE-2024-0001 Anvils fall. CPE a:acme:anvil [{0   } { 1.4  }]
}
