package repository_test

import (
	"fmt"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/vex/repository"
)

func ExampleNew() {
	s, err := repository.New(repository.Config{
		Name: "our-vex", Manifest: "https://vex.example.com/.well-known/vex-repository.json", Hosts: []string{"files.example.com"}, License: "CC0-1.0",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Describe().Hosts)
	u, err := purl.Parse("pkg:oci/app@sha256:00?repository_url=registry.example.com/team/app")
	fmt.Println(repository.Place(u), err)
	// Output:
	// [files.example.com vex.example.com]
	// pkg/oci/registry.example.com/team/app <nil>
}
