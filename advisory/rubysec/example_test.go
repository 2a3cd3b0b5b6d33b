package rubysec_test

import (
	"fmt"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/rubysec"
)

func ExampleSource_Parse() {
	doc := &advisory.Document{Name: "gems/anvil/CVE-2024-0001.yml", Content: []byte(`
gem: anvil
cve: 2024-0001
title: Anvils fall
date: 2024-02-01
unaffected_versions: ["< 1.0"]
patched_versions: ["~> 1.4.2", ">= 1.5.1"]
`)}
	for said, err := range (rubysec.Source{}).Parse(doc) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		r := said.(*advisory.Record)
		fmt.Println(r.ID, r.Aliases, r.Affected[0].Ranges[0].Events)
	}
	// Output: RUBYSEC-anvil-CVE-2024-0001 [CVE-2024-0001] [{1.0   } { 1.4.2  } {1.5.A   } { 1.5.1  }]
}
