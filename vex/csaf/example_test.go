package csaf_test

import (
	"bytes"
	"fmt"
	"time"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/csaf"
)

// What is written is a valid document, and is read as the same statement.
func Example() {
	doc := &csaf.Document{
		ID: "Example-2024-1", Title: "bolt is not affected", Publisher: "Example", Namespace: "https://example.com",
		Timestamp: time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC),
		Statements: []*vex.Statement{{
			Vulnerability: "CVE-2024-10001", Status: vex.NotAffected, Justification: vex.CodeNotPresent,
			Products: []vex.Product{{PURL: "pkg:oci/app?repository_url=registry.example.com/app", Subcomponents: []vex.Product{{PURL: "pkg:npm/bolt@1.0.0"}}}},
		}},
	}
	var b bytes.Buffer
	if err := csaf.Encode(&b, doc); err != nil {
		fmt.Println(err)
		return
	}
	for s, err := range csaf.Decode(csaf.Filename(doc.ID), b.Bytes(), nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s.Vulnerability, s.Status, s.Justification, s.Products[0].PURL, s.Products[0].Subcomponents[0].PURL)
	}
	// Output: CVE-2024-10001 not_affected vulnerable_code_not_present pkg:oci/app?repository_url=registry.example.com/app pkg:npm/bolt@1.0.0
}
