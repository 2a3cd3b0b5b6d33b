package requirement_test

import (
	"fmt"
	"log"

	"github.com/stella-ops/stella/attest/requirement"
)

// What a release needs is written down once, and given to attest.Verifier.Meet.
func Example() {
	list, err := requirement.Parse("release.yaml", []byte(`
requirements:
  - name: contents
    types: [spdxjson]
    logged: true
  - name: release
    verdict: {outcomes: [pass, warn], max_age: 24h}
`))
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range list {
		fmt.Println(r.Name, r.Predicates, r.Logged)
	}
	fmt.Println(list[1].Decision.Outcomes, list[1].Decision.MaxAge)

	_, err = requirement.Parse("wrong.yaml", []byte("requirements:\n  - name: contents\n    types: [spdxjson]\n    loged: true\n"))
	fmt.Println(err)
	// Output:
	// contents [https://spdx.dev/Document] true
	// release [https://stella-ops.dev/attestation/verdict/v1] false
	// [pass warn] 24h0m0s
	// wrong.yaml:4: requirements[0]: unknown member "loged", did you mean logged?
}
