package ghsa_test

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/ghsa"
)

// nothing is a door without anything behind it.
type nothing struct{}

func (nothing) Open(context.Context, advisory.Request) (*advisory.Response, error) {
	return nil, advisory.ErrNotFound
}

func ExampleParseAPI() {
	answer := []byte(`{
		"ghsaId": "GHSA-aaaa-bbbb-cccc", "updatedAt": "2024-05-20T00:00:00Z", "summary": "Flaw",
		"vulnerabilities": {"nodes": [{
			"package": {"ecosystem": "NPM", "name": "thing"},
			"vulnerableVersionRange": ">= 1.0.0", "firstPatchedVersion": {"identifier": "1.2.3"}
		}]}
	}`)
	for r, err := range ghsa.ParseAPI(answer) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(r.ID, r.Affected[0].Name, r.Affected[0].Ranges[0].Events[1].Fixed)
	}
	// Output: GHSA-aaaa-bbbb-cccc thing 1.2.3
}
