package export_test

import (
	"bytes"
	"fmt"
	"log"
	"time"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// What is known about a scan becomes documents, and statements that bind them.
func Example() {
	doc := &sbom.Document{Subject: sbom.Subject{Kind: sbom.SubjectDirectory, Name: "app"}, Packages: []sbom.Package{{Name: "left-pad", Version: "1.3.0"}}}
	doc.Normalize()
	var neutral bytes.Buffer
	if _, err := format.Encode(&neutral, doc, format.StellaJSON, nil); err != nil {
		log.Fatal(err)
	}
	m := &export.Material{Image: "app", Document: doc, Neutral: neutral.Bytes(), At: time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)}
	for _, f := range []export.Format{export.SPDX, export.CycloneDX} {
		if _, err := m.Render(f); err != nil {
			log.Fatal(err)
		}
		fmt.Println(f.FileName(), f.MediaType())
	}
	for _, p := range m.Predicates() {
		fact, err := m.Fact(p)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(fact.PredicateType)
	}
	// Output:
	// sbom.spdx.json application/spdx+json
	// sbom.cdx.json application/vnd.cyclonedx+json
	// https://spdx.dev/Document
	// https://cyclonedx.org/bom
	// https://stella-ops.dev/attestation/evidence/v1
}
