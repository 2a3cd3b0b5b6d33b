package npmwg_test

import (
	"fmt"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/npmwg"
)

func ExampleSource_Parse() {
	doc := &advisory.Document{Name: "vuln/npm/17.json", Content: []byte(`{"id": 17, "updated_at": "2016-04-28", "title": "Verification Bypass",
		"module_name": "anvil", "cves": [], "vulnerable_versions": "<4.2.2 || 5.x", "patched_versions": ">=6"}`)}
	for said, err := range (npmwg.Source{}).Parse(doc) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		r := said.(*advisory.Record)
		fmt.Println(r.ID, r.Summary, r.Affected[0].Name, r.Affected[0].Ranges[0].Events)
	}
	// Output: NSWG-ECO-17 Verification Bypass anvil [{0   } { 4.2.2  } {5.0.0-0   } { 6.0.0-0  }]
}
