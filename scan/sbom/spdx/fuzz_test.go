package spdx

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/internal/fault"
)

// fuzzLimits keep a fuzzed document small.
var fuzzLimits = &DecodeOptions{MaxBytes: 1 << 20, MaxDepth: 32, MaxElements: 1000}

// checkDecoded decodes what a fuzz target was given. What is refused must be
// refused by kind; what is accepted must come back with the same meaning from
// every form, and be the same bytes the second time.
func checkDecoded(t *testing.T, in []byte) {
	d, err := Decode(bytes.NewReader(in), fuzzLimits)
	if err != nil {
		if !errors.Is(err, fault.Invalid) && !errors.Is(err, fault.Unsupported) && !errors.Is(err, fault.Limit) {
			t.Fatalf("error without a kind: %v", err)
		}
		return
	}
	for _, opt := range forms {
		var first, second bytes.Buffer
		if _, err := Encode(&first, d, &opt); err != nil {
			t.Fatalf("%+v: %v", opt, err)
		}
		again, err := Decode(bytes.NewReader(first.Bytes()), nil)
		if err != nil {
			t.Fatalf("%+v: %v\n%s", opt, err, first.Bytes())
		}
		if opt.TagValue || opt.Version == Version22 {
			continue // lose what is outside the model, and say so
		}
		if diff := cmp.Diff(withoutForeign(d), withoutForeign(again), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%+v: (-was +is)\n%s\n%s", opt, diff, first.Bytes())
		}
		if _, err := Encode(&second, again, &opt); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("%+v: not stable (%v)\n%s\n%s", opt, err, first.Bytes(), second.Bytes())
		}
	}
	var out bytes.Buffer
	if _, err := Encode(&out, d, &EncodeOptions{Version: Version301}); err != nil {
		t.Fatal(err)
	}
}

func FuzzDecodeJSON(f *testing.F) {
	f.Add([]byte(small("")))
	f.Add([]byte(withForeign))
	for _, opt := range forms {
		if !opt.TagValue {
			f.Add(sampleAs(f, opt))
		}
	}
	f.Add([]byte(small(`,"packages":[{"SPDXID":"SPDXRef-a","name":"x","hasFiles":["SPDXRef-f"],"annotations":[{"annotator":"Tool: stella-sbom-1","comment":"{\"package\":{\"id\":\"b\"}}"}]}],"files":[{"SPDXID":"SPDXRef-f","fileName":"f","artifactOfs":[{"name":"n"}]}],"snippets":[{"SPDXID":"SPDXRef-s","snippetFromFile":"SPDXRef-f","ranges":[{"startPointer":{"offset":1},"endPointer":{"offset":2}}]}]`)))
	f.Fuzz(checkDecoded)
}

func FuzzDecodeTagValue(f *testing.F) {
	for _, opt := range forms {
		if opt.TagValue {
			f.Add(sampleAs(f, opt))
		}
	}
	f.Add([]byte("SPDXVersion: SPDX-2.2\nSPDXID: SPDXRef-DOCUMENT\nExternalDocumentRef: DocumentRef-a https://example.com SHA1: 00\nPackageName: p\nSPDXID: SPDXRef-p\nPackageVerificationCode: 00 (excludes: a, b)\n" +
		"FileName: f\nSPDXID: SPDXRef-f\nArtifactOfProjectName: x\nSnippetSPDXID: SPDXRef-s\nSnippetFromFileSPDXID: SPDXRef-f\nSnippetByteRange: 1:2\nLicenseID: LicenseRef-1\nExtractedText: <text>a\nb</text>\n" +
		"Reviewer: Person: x\nReviewDate: 2010-01-01T00:00:00Z\nAnnotator: Tool: x\nSPDXREF: SPDXRef-f\nRelationship: SPDXRef-p OTHER SPDXRef-f\nRelationshipComment: c\n"))
	f.Fuzz(checkDecoded)
}

func FuzzDecodeYAML(f *testing.F) {
	f.Add([]byte("spdxVersion: SPDX-2.3\nSPDXID: SPDXRef-DOCUMENT\nname: n\npackages:\n- SPDXID: SPDXRef-a\n  name: \"1.0\"\n  filesAnalyzed: false\n  checksums: [{algorithm: MD5, checksumValue: 00}]\n"))
	f.Fuzz(checkDecoded)
}

func sampleAs(f *testing.F, opt EncodeOptions) []byte {
	var b bytes.Buffer
	if _, err := Encode(&b, sample(), &opt); err != nil {
		f.Fatal(err)
	}
	return b.Bytes()
}
