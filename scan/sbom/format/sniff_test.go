package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// long is more than a format is recognised by.
var long = strings.Repeat(" ", 100<<10)

// TestFormatIsTold: whichever way a producer lays a document out, its true format
// and version are named.
func TestFormatIsTold(t *testing.T) {
	spdx := `"dataLicense":"CC0-1.0","name":"n","documentNamespace":"https://example.com/n","creationInfo":{"created":"2024-01-01T00:00:00Z","creators":["Tool: t-1"]}`
	for in, want := range map[string]string{
		`{"bomFormat":"CycloneDX","specVersion":"1.2"}`:                                                                     "cyclonedx-json@1.2",
		"\ufeff \r\n" + `{"specVersion":"1.6","bomFormat":"CycloneDX"}`:                                                     "cyclonedx-json@1.6",
		`{"components":[{"type":"library","name":"a"}],` + long + `"bomFormat":"CycloneDX","specVersion":"1.5"}`:            "cyclonedx-json@1.5", // told last
		`{"components":[{"type":"library","name":"\"SPDXID\" stella-sbom/1"}],"specVersion":"1.5","bomFormat":"CycloneDX"}`: "cyclonedx-json@1.5",
		`<bom xmlns="http://cyclonedx.org/schema/bom/1.0"/>`:                                                                "cyclonedx-xml@1.0",
		`<?xml version="1.0"?><!-- x --><c:bom xmlns:c="http://cyclonedx.org/schema/bom/1.7"></c:bom>`:                      "cyclonedx-xml@1.7",
		`{"SPDXID":"SPDXRef-DOCUMENT","spdxVersion":"SPDX-2.2",` + spdx + `}`:                                               "spdx-json@2.2",
		`{` + spdx + `,` + long + `"SPDXID":"SPDXRef-DOCUMENT","spdxVersion":"SPDX-2.3"}`:                                   "spdx-json@2.3", // told last
		`{"packages":[{"SPDXID":"SPDXRef-a","name":"a"}],` + spdx + `,` + long + `"spdxVersion":"SPDX-2.3"}`:                "spdx-json@2.3",
		`{"sbom":{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT",` + spdx + `}}`:                                      "spdx-json@2.3", // of GitHub
		"SPDXVersion: SPDX-2.2\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\n":                                           "spdx-tag-value@2.2",
		"spdxVersion: SPDX-2.3\nSPDXID: SPDXRef-DOCUMENT\n":                                                                 "spdx-yaml@2.3",
		`{"artifacts":[],"schema":{"version":"16.0.2","url":"x"}}`:                                                          "syft-json@16.0.2",
		`{"schema":"stella-sbom/1","subject":{"id":"x","kind":"other"}}`:                                                    "stella-json@1",
		`{"packages":[{"id":"a","name":"a"}],` + long + `"subject":{"id":"x","kind":"other"},"schema":"stella-sbom/1"}`:     "stella-json@1", // members sorted
	} {
		_, got, err := format.Decode(strings.NewReader(in))
		if err != nil || got != want {
			t.Errorf("%.80s: %q, %v; want %q", in, got, err, want)
		}
	}
}

// TestNotAnSBOM: other files are refused for what they are.
func TestNotAnSBOM(t *testing.T) {
	for in, want := range map[string]error{
		"": fault.Invalid, " \n": fault.Invalid, "\ufeff": fault.Invalid,
		"hello": fault.Unsupported, "{}": fault.Unsupported, "[]": fault.Unsupported, "{": fault.Unsupported, `{"a":`: fault.Unsupported, "null": fault.Unsupported,
		`{"name":"x","lockfileVersion":3,"packages":{}}`:                              fault.Unsupported, // package-lock.json
		`{"@context":"https://openvex.dev/ns/v0.2.0","statements":[]}`:                fault.Unsupported,
		`{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicate":{}}`:     fault.Unsupported,
		`{"payloadType":"application/vnd.in-toto+json","payload":"","signatures":[]}`: fault.Unsupported,
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"}}`:                    fault.Unsupported,
		"<html></html>": fault.Unsupported, `<!DOCTYPE x><x/>`: fault.Unsupported,
		"\x1f\x8b\x08\x00": fault.Unsupported, "\xff\xfe{\x00}\x00": fault.Unsupported, "\x00\x01\x02": fault.Unsupported,
		`{"schema":"stella-sbom/2"}`:                       fault.Unsupported,
		`{"bomFormat":"CycloneDX","specVersion":"9.9"}`:    fault.Unsupported,
		`{"spdxVersion":"SPDX-2.1"}`:                       fault.Unsupported,
		`{"artifacts":[],"schema":{"version":"99.0.0"}}`:   fault.Unsupported,
		`<bom xmlns="http://cyclonedx.org/schema/bom/9"/>`: fault.Unsupported,
	} {
		d, name, err := format.Decode(strings.NewReader(in))
		if !errors.Is(err, want) || d != nil {
			t.Errorf("%.60q: %q, %v, %v; want %v", in, name, d, err, want)
		}
	}
}

// TestStellaJSONRefuses: our own format is read strictly.
func TestStellaJSONRefuses(t *testing.T) {
	doc := func(members string) string {
		return `{"schema":"stella-sbom/1","subject":{"id":"s","kind":"other"}` + members + `}`
	}
	for in, want := range map[string]string{
		doc(`,"x":1`): "at /x: unknown object member name",
		doc(`,"packages":[{"id":"a","nam":"x"}]`):                         "at /packages/0/nam",
		doc(`,"packages":[{"id":"a","name":1}]`):                          "at /packages/0/name: a JSON number does not belong here",
		doc(`,"packages":{}`):                                             "at /packages",
		doc(`,"packages":[{"id":"a","name":"x","purl":"npm/x"}]`):         "at /packages/0/purl",
		doc(`,"packages":[{"id":"a","name":"x"},{"id":"a","name":"y"}]`):  "package 2 (y): identifier a is not unique",
		doc(`,"packages":[{"id":"a","name":""}]`):                         "has no name",
		doc(`,"packages":[{"id":"a","name":"x","state":"\u001b[31m"}]`):   `at /packages/0/state: there is no "\x1b[31m"`,
		doc(`,"packages":[{"id":"a","name":"x","scope":"x"}]`):            "at /packages/0/scope",
		doc(`,"relationships":[{"from":"s","kind":"loves","to":"s"}]`):    "at /relationships/0/kind",
		doc(`,"relationships":[{"from":"s","kind":"contains","to":"q"}]`): "relationship 1: leads to unknown element q",
		doc("") + "x":                                     "at /: byte",
		doc(`,"created":"a","created":"b"`):               "at /created",
		doc(",\"created\":\"\xff\""):                      "at /created",
		strings.TrimSuffix(doc(""), "}"):                  "unexpected EOF",
		doc(`,"packages":` + strings.Repeat("[", 20_000)): "at /packages",
	} {
		_, _, err := format.Decode(strings.NewReader(in))
		if !errors.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(err), want) || len(err.Error()) > 1000 {
			t.Errorf("%.90s: %.300v; want %q", in, err, want)
		}
	}
}

// TestVersionsAreWritten: every version that is listed is written, others not.
func TestVersionsAreWritten(t *testing.T) {
	for _, name := range format.Writable() {
		for _, version := range append(format.Versions(name), "") {
			if _, err := format.Encode(new(bytes.Buffer), document(), name+"@"+version, nil); err != nil {
				t.Errorf("%s@%s: %v", name, version, err)
			}
		}
		_, err := format.Encode(new(bytes.Buffer), document(), name+"@9.9", nil)
		if !errors.Is(err, fault.Unsupported) || !strings.Contains(fmt.Sprint(err), format.Versions(name)[0]) {
			t.Errorf("%s@9.9: %v", name, err)
		}
	}
	if v := format.Versions(format.SyftJSON); v != nil {
		t.Errorf("syft-json is written in %v", v)
	}
}
