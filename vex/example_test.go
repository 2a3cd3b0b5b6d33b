package vex_test

import (
	"fmt"
	"time"

	"github.com/stella-ops/stella/vex"
)

// The maker of a product decides about it; a hub that disagrees is heard, and does not
// lower the risk.
func Example() {
	maker := &vex.Statement{
		Vulnerability: "CVE-2026-0001", Products: []vex.Product{{PURL: "pkg:npm/foo"}}, Status: vex.Affected, Action: "Update.",
		Time: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Origin: vex.Origin{Signature: vex.Verified, Signer: "key:sha256:5e1f"},
	}
	hub := &vex.Statement{
		Vulnerability: "CVE-2026-0001", Products: []vex.Product{{PURL: "pkg:npm/foo"}}, Status: vex.NotAffected, Justification: vex.CodeNotPresent,
		Time: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Origin: vex.Origin{Source: "hub"},
	}
	for _, s := range []*vex.Statement{maker, hub} {
		if err := s.Prepare(); err != nil {
			fmt.Println(err)
			return
		}
	}
	trust := &vex.Trust{Issuers: []vex.Issuer{
		{ID: "maker", Tier: 1, Identities: []string{"key:sha256:5e1f"}, Products: []string{"pkg:npm/foo"}},
		{ID: "hub", Tier: 2, Sources: []string{"hub"}, Products: []string{"*"}, Unsigned: []vex.Status{vex.NotAffected}},
	}}
	q := vex.Query{Vulnerabilities: []string{"CVE-2026-0001"}, Package: vex.Part{PURL: "pkg:npm/foo@1.0.0"}}
	selection := q.Select([]*vex.Statement{maker, hub})
	consensus, err := vex.Resolve(selection.Claims, trust, time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(consensus.Status, "by", consensus.Claims[consensus.Deciding[0]].Issuer.ID, "against", consensus.Claims[consensus.Against[0]].Issuer.ID)
	// Output: affected by maker against hub
}

func ExampleParsePattern() {
	p, err := vex.ParsePattern("pkg:golang/k8s.io/**")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, url := range []string{"pkg:golang/k8s.io/api@v0.32.0", "pkg:golang/k8s.io.evil.example/api"} {
		product := vex.Product{PURL: url}
		product.Prepare()
		fmt.Println(url, p.Covers(&product))
	}
	// Output:
	// pkg:golang/k8s.io/api@v0.32.0 true
	// pkg:golang/k8s.io.evil.example/api false
}
