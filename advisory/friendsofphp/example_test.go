package friendsofphp_test

import (
	"fmt"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/friendsofphp"
)

func ExampleSource_Parse() {
	doc := &advisory.Document{Name: "acme/anvil/CVE-2024-0001.yaml", Content: []byte(`
title: Anvils fall
link: https://example.org/anvil
cve: CVE-2024-0001
branches:
    1.x: {time: 2024-02-01 10:00:00, versions: ['>=1.2', '<1.4.2']}
reference: composer://acme/anvil
`)}
	for said, err := range (friendsofphp.Source{}).Parse(doc) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		r := said.(*advisory.Record)
		fmt.Println(r.ID, r.Modified, r.Affected[0].Name, r.Affected[0].Ranges[0].Events)
	}
	// Output: FRIENDSOFPHP-acme:anvil-CVE-2024-0001 2024-02-01T10:00:00Z acme/anvil [{1.2-dev   } { 1.4.2  }]
}
