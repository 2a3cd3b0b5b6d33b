package openvex_test

import (
	"bytes"
	"fmt"
	"time"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/openvex"
)

// What a document says is read into statements; a part that cannot be used does not
// take the rest with it.
func ExampleDecode() {
	text := []byte(`{
	  "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex/1", "version": 1,
	  "author": "Example", "timestamp": "2024-05-01T00:00:00Z",
	  "statements": [
	    {"vulnerability": {"name": "CVE-2024-10001"}, "products": [{"@id": "pkg:npm/bolt@1.0.0"}],
	     "status": "not_affected", "justification": "vulnerable_code_not_present"},
	    {"vulnerability": {"name": "CVE-2024-10002"}, "products": [{"@id": "pkg:npm/bolt@1.0.0"}], "status": "fine"}
	  ]}`)
	for s, err := range openvex.Decode("bolt.openvex.json", text, nil) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(s.Vulnerability, s.Products[0].PURL, s.Status, s.Justification)
	}
	// Output:
	// CVE-2024-10001 pkg:npm/bolt@1.0.0 not_affected vulnerable_code_not_present
	// bolt.openvex.json: /statements/1: statement about "CVE-2024-10002": status "fine" is none of [not_affected affected fixed under_investigation]: invalid input
}

// The same document gives the same bytes.
func ExampleEncode() {
	doc := &openvex.Document{
		Author: "Example", Timestamp: time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC),
		Statements: []*vex.Statement{{
			Vulnerability: "CVE-2024-10001", Products: []vex.Product{{PURL: "pkg:npm/bolt@1.0.0"}},
			Status: vex.Affected, Action: "Use 1.0.1.",
		}},
	}
	var b bytes.Buffer
	if err := openvex.Encode(&b, doc); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(b.String())
	// Output:
	// {
	//   "@context": "https://openvex.dev/ns/v0.2.0",
	//   "@id": "https://openvex.dev/docs/public/vex-76a915486f0378e4688356c588f97a4e7447e6252d2a475da3b934349f92f8d7",
	//   "author": "Example",
	//   "timestamp": "2024-05-01T00:00:00Z",
	//   "version": 1,
	//   "statements": [
	//     {
	//       "vulnerability": {
	//         "name": "CVE-2024-10001"
	//       },
	//       "products": [
	//         {
	//           "@id": "pkg:npm/bolt@1.0.0",
	//           "identifiers": {
	//             "purl": "pkg:npm/bolt@1.0.0"
	//           }
	//         }
	//       ],
	//       "status": "affected",
	//       "action_statement": "Use 1.0.1."
	//     }
	//   ]
	// }
}
