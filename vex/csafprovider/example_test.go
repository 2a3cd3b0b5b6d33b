package csafprovider_test

import (
	"fmt"

	"github.com/stella-ops/stella/vex/csafprovider"
)

func ExampleNew() {
	s, err := csafprovider.New(csafprovider.Config{
		Name: "example", Metadata: "https://csaf.example.com/.well-known/csaf/provider-metadata.json", Namespace: "https://example.com",
		Hosts: []string{"files.example.com"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Describe().Title, s.Describe().Hosts)
	// Output:
	// CSAF of https://example.com [csaf.example.com files.example.com]
}
