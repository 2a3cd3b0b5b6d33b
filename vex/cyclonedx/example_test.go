package cyclonedx_test

import (
	"bytes"
	"fmt"
	"time"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/cyclonedx"
)

// What is said of a component holds within what the document is of.
func ExampleDecode() {
	text := []byte(`{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
	  "metadata": {"timestamp": "2024-05-01T00:00:00Z",
	    "component": {"type": "application", "name": "app", "version": "2.0", "purl": "pkg:generic/app@2.0"}},
	  "components": [{"type": "library", "bom-ref": "b", "name": "bolt", "version": "1.0.0", "purl": "pkg:npm/bolt@1.0.0"}],
	  "vulnerabilities": [{"id": "CVE-2024-10001", "affects": [{"ref": "b"}],
	    "analysis": {"state": "not_affected", "justification": "code_not_reachable"}}]}`)
	for s, err := range cyclonedx.Decode("app.cdx.json", text, nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s.Vulnerability, s.Status, s.Justification, s.Products[0].PURL, s.Products[0].Subcomponents[0].PURL)
	}
	// Output: CVE-2024-10001 not_affected vulnerable_code_not_in_execute_path pkg:generic/app@2.0 pkg:npm/bolt@1.0.0
}

// A BOM-Link leads to a component of another document.
func ExampleReadBOM() {
	sbom := []byte(`{"bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
	  "components": [{"type": "library", "bom-ref": "b", "name": "bolt", "version": "1.0.0", "purl": "pkg:npm/bolt@1.0.0"}]}`)
	known, err := cyclonedx.ReadBOM("sbom.json", sbom, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	text := []byte(`{"bomFormat": "CycloneDX", "specVersion": "1.6", "vulnerabilities": [
	  {"id": "CVE-2024-10001", "analysis": {"state": "resolved"},
	   "affects": [{"ref": "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#b"}]}]}`)
	opts := &cyclonedx.Options{BOM: func(serial string, version int) *cyclonedx.BOM {
		if serial == known.Serial() && version == known.Version() {
			return known
		}
		return nil
	}}
	for s, err := range cyclonedx.Decode("vex.json", text, opts) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s.Status, s.Products[0].PURL)
	}
	// Output: fixed pkg:npm/bolt@1.0.0
}

// The same document gives the same bytes.
func ExampleEncode() {
	doc := &cyclonedx.Document{
		Author: "Example", Timestamp: time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC),
		Statements: []*vex.Statement{{Vulnerability: "CVE-2024-10001", Products: []vex.Product{{PURL: "pkg:npm/bolt@1.0.0"}}, Status: vex.Fixed}},
	}
	var b bytes.Buffer
	if err := cyclonedx.Encode(&b, doc); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(b.String()[:112])
	// Output:
	// {
	//   "bomFormat": "CycloneDX",
	//   "specVersion": "1.6",
	//   "serialNumber": "urn:uuid:63c8ff18-8e03-8d51-be9c-fb85c4
}
