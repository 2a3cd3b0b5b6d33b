package spdx

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/scan/sbom"
)

// A document that shares its identifier with the package it describes, as Bitnami
// has them, in either way of describing: the package is the subject, nothing is
// lost, and what is written again is valid and no longer odd.
func TestSharedIdentifier(t *testing.T) {
	const packages = `,"packages":[{"SPDXID":"SPDXRef-a","name":"a","versionInfo":"1","downloadLocation":"NOASSERTION"},{"SPDXID":"SPDXRef-b","name":"b","downloadLocation":"NOASSERTION"}]`
	const contains = `{"spdxElementId":"SPDXRef-a","relationshipType":"CONTAINS","relatedSpdxElement":"SPDXRef-b"}`
	for name, more := range map[string]string{
		"list":      `,"documentDescribes":["SPDXRef-a"],"relationships":[` + contains + `]`,
		"edge":      `,"relationships":[` + contains + `,{"spdxElementId":"SPDXRef-a","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-a"}]`,
		"back edge": `,"relationships":[` + contains + `,{"spdxElementId":"SPDXRef-a","relationshipType":"DESCRIBED_BY","relatedSpdxElement":"SPDXRef-a"}]`,
	} {
		d := decoded(t, strings.Replace(small(packages+more), `"SPDXRef-DOCUMENT"`, `"SPDXRef-a"`, 1))
		if d.Subject.Name != "a" || d.Subject.Version != "1" || len(d.Packages) != 1 || d.Packages[0].Name != "b" {
			t.Errorf("%s: subject %s %s, packages %v", name, d.Subject.Name, d.Subject.Version, d.Packages)
		}
		if diff := cmp.Diff([]sbom.Relationship{{From: "a", Kind: sbom.Contains, To: "b"}}, d.Relationships); diff != "" {
			t.Errorf("%s: relationships (-want +got):\n%s", name, diff)
		}
		if len(d.Gaps) != 1 || d.Gaps[0].Code != sbom.GapOddity || d.Gaps[0].Blocking || !strings.Contains(d.Gaps[0].What, "SPDXRef-a") {
			t.Errorf("%s: gaps %v", name, d.Gaps)
		}
		out, losses := encoded(t, d, nil)
		if err := validate(t, Version23, out); err != nil || len(losses) > 0 {
			t.Errorf("%s: %v, losses %v\n%s", name, err, losses, out)
		}
		back, err := Decode(bytes.NewReader(out), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, back, cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(sbom.Foreign{})); diff != "" {
			t.Errorf("%s: comes back changed (-was +is):\n%s", name, diff)
		}
	}
	// What another element is called cannot become the document's.
	_, err := Decode(strings.NewReader(strings.Replace(small(strings.Replace(packages, "SPDXRef-b", "SPDXRef-DOCUMENT", 1)), `"SPDXRef-DOCUMENT"`, `"SPDXRef-a"`, 1)), nil)
	wantInvalid(t, "all taken", err, "already that of the document")
}
