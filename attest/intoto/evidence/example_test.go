package evidence_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest/intoto/evidence"
)

// One statement binds the documents of a scan.
func Example() {
	image := "sha256:" + strings.Repeat("1", 64)
	s, err := evidence.New(&evidence.Evidence{
		Image: []string{image}, At: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC),
		Items: []evidence.Item{
			{Role: evidence.Verdict, Digest: "sha256:" + strings.Repeat("2", 64), Included: true},
			{Role: evidence.SBOM, MediaType: "application/vnd.cyclonedx+json", Digest: "sha256:" + strings.Repeat("3", 64), Included: true},
		},
	}, image)
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := evidence.Read(s)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, i := range e.Items {
		fmt.Println(i.Role, i.Digest[:14])
	}
	// Output:
	// sbom sha256:3333333
	// verdict sha256:2222222
}
