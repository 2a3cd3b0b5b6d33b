package spdx_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/spdx"
)

func ExampleEncode() {
	d := &sbom.Document{
		Namespace: "https://example.com/app",
		Created:   "2024-01-02T03:04:05Z",
		Tools:     []sbom.Tool{{Name: "example", Version: "1.0"}},
		Subject:   sbom.Subject{ID: "app", Kind: sbom.SubjectOther, Name: "app"},
		Packages:  []sbom.Package{{ID: "left-pad", Name: "left-pad", Version: "1.3.0", PURL: purl.PackageURL{Type: "npm", Name: "left-pad", Version: "1.3.0"}, Licenses: []sbom.License{{Expression: "WTFPL"}}}},
	}
	d.Normalize()
	losses, err := spdx.Encode(os.Stdout, d, &spdx.EncodeOptions{TagValue: true})
	fmt.Println("\nlosses:", losses, "error:", err)
	// Output:
	// SPDXVersion: SPDX-2.3
	// DataLicense: CC0-1.0
	// SPDXID: SPDXRef-DOCUMENT
	// DocumentName: app
	// DocumentNamespace: https://example.com/app
	// LicenseListVersion: 3.28
	// Creator: Tool: example-1.0
	// Created: 2024-01-02T03:04:05Z
	//
	// ##### Package: app
	//
	// PackageName: app
	// SPDXID: SPDXRef-app
	// PackageDownloadLocation: NOASSERTION
	// FilesAnalyzed: false
	// PackageLicenseConcluded: NOASSERTION
	// PackageLicenseDeclared: NOASSERTION
	// PackageCopyrightText: NOASSERTION
	//
	// ##### Package: left-pad
	//
	// PackageName: left-pad
	// SPDXID: SPDXRef-left-pad
	// PackageVersion: 1.3.0
	// PackageDownloadLocation: NOASSERTION
	// FilesAnalyzed: false
	// PackageLicenseConcluded: NOASSERTION
	// PackageLicenseDeclared: WTFPL
	// PackageCopyrightText: NOASSERTION
	// ExternalRef: PACKAGE-MANAGER purl pkg:npm/left-pad@1.3.0
	//
	// Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-app
	//
	// losses: [] error: <nil>
}

func ExampleDecode() {
	document := `{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"app","documentNamespace":"https://example.com/app",
	"creationInfo":{"created":"2024-01-02T03:04:05Z","creators":["Tool: example-1.0"]},
	"packages":[{"SPDXID":"SPDXRef-app","name":"app","downloadLocation":"NONE"},
	 {"SPDXID":"SPDXRef-lib","name":"libc6","versionInfo":"2.36-9","downloadLocation":"NOASSERTION","supplier":"Organization: Debian","x-note":"kept",
	  "externalRefs":[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:deb/debian/libc6@2.36-9?arch=amd64&upstream=glibc"}]}],
	"relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-app"},
	 {"spdxElementId":"SPDXRef-lib","relationshipType":"CONTAINED_BY","relatedSpdxElement":"SPDXRef-app"}]}`
	d, err := spdx.Decode(strings.NewReader(document), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	p := d.PackageByID("lib")
	fmt.Println(p.Name, p.Version, p.Arch, "built from", p.Upstream.Name, "by", p.Supplier)
	fmt.Println(d.Relationships)

	p.Version = "2.36-10" // what the model does not hold comes back beside what has changed
	var out bytes.Buffer
	if _, err := spdx.Encode(&out, d, nil); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.Contains(out.String(), `"versionInfo":"2.36-10"`), strings.Contains(out.String(), `"x-note":"kept"`), strings.Contains(out.String(), "CONTAINED_BY"))
	// Output:
	// libc6 2.36-9 amd64 built from glibc by Debian
	// [{app contains lib}]
	// true true true
}

func ExampleSniff() {
	fmt.Println(spdx.Sniff([]byte(`{"spdxVersion":"SPDX-2.3",`)), spdx.Sniff([]byte("SPDXVersion: SPDX-2.2\n")), spdx.Sniff([]byte(`{"bomFormat":"CycloneDX"`)))
	// Output: true true false
}
