package trust_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/trust"
)

// A document of an organisation is read; it says who is believed and verifies what
// they sign.
func Example() {
	text, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	doc, err := trust.Parse("example.yaml", text)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, i := range doc.Trust().Issuers {
		fmt.Printf("tier %d  %-23s %d products, unsigned %v\n", i.Tier, i.ID, len(i.Products), i.Unsigned)
	}
	verifier := doc.Verifier(&trust.Options{At: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)})
	v, err := verifier.Verify(context.Background(), &vex.Document{
		Content: []byte(`{"payload": "e30=", "payloadType": "text/vex", "signatures": [{"keyid": "a1b2", "sig": "AAAA"}]}`),
	})
	fmt.Println(v.Signature, v.Why, err)
	// Output:
	// tier 9  developers              2 products, unsigned [not_affected affected under_investigation]
	// tier 2  docker-hardened-images  2 products, unsigned [not_affected affected fixed under_investigation]
	// tier 1  product-security        1 products, unsigned []
	// tier 1  redhat                  5 products, unsigned [affected under_investigation]
	// tier 1  suse                    3 products, unsigned [affected under_investigation]
	// unchecked none of the keys of the trust document signed it <nil>
}

// What is wrong is said with its place.
func ExampleParse() {
	_, err := trust.Parse("trust.yaml", []byte(`issuers:
  - id: vendor
    teir: 1
    products: ["pkg:npm/foo*"]
    sources: [vendor]
`))
	fmt.Println(err)
	// Output:
	// trust.yaml:2:5: issuers[0]: tier is missing: want 1, which decides first, to 99
	// trust.yaml:3:5: issuers[0]: unknown member "teir"; did you mean "tier"?
	// trust.yaml:4:16: issuers[0].products[0]: product pattern "pkg:npm/foo*": '*' stands for a whole segment, and '**' for the last ones
}
