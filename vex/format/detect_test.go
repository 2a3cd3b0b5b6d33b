package format_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/vex/format"
)

func TestDetect(t *testing.T) {
	for text, want := range map[string]format.Format{
		`{"@context":"https://openvex.dev/ns"}`:                                     format.OpenVEX,
		` {"a":[1,{"b":2}],"@context":"https://openvex.dev/ns/v0.2.0"} `:            format.OpenVEX,
		`{"@context":"https://openvex.dev/nsx"}`:                                    "",
		`{"@context":["https://openvex.dev/ns"]}`:                                   "",
		`{"document":{"tracking":{},"csaf_version":"2.0"}}`:                         format.CSAF,
		`{"document":{"title":"x"}}`:                                                "",
		`{"document":"csaf_version"}`:                                               "",
		`{"x":{"csaf_version":"2.0"}}`:                                              "",
		`{"bomFormat":"CycloneDX","specVersion":"1.5"}`:                             format.CycloneDX,
		`{"bomFormat":"cyclonedx"}`:                                                 "",
		`{"_type":"https://in-toto.io/Statement/v1"}`:                               format.InToto,
		`{"payload":"","payloadType":"x","signatures":[]}`:                          format.Envelope,
		`{"payload":""}`:                                                            "",
		`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`:             format.Bundle,
		`{"mediaType":"application/vnd.dev.sigstore.bundle+json;version=0.1"}`:      format.Bundle,
		`{"mediaType":"application/json"}`:                                          "",
		`{"@context":"https://openvex.dev/ns","bomFormat":"CycloneDX"}`:             "", // two at once
		`{"@context":"https://openvex.dev/ns","payload":"","payloadType":"x"}`:      "",
		`{"@context":"https://openvex.dev/ns","@context":"x"}`:                      "", // the same member twice
		`{"@context":"https://openvex.dev/ns"`:                                      "",
		`{"@context":"https://openvex.dev/ns"}{}`:                                   "",
		`{"@context":"https://openvex.dev/ns"},`:                                    "",
		`[{"@context":"https://openvex.dev/ns"}]`:                                   "",
		`{"mediaType":{"a":[{}]},"@context":"https://openvex.dev/ns","_type":[[]]}`: format.OpenVEX,
		``:           "",
		`null`:       "",
		`"@context"`: "",
		`<?xml version="1.0"?><!-- x --><bom xmlns="http://cyclonedx.org/schema/bom/1.5"/>`: format.CycloneDX,
		` <c:bom xmlns:c="http://cyclonedx.org/schema/bom/1.5"/>`:                           format.CycloneDX,
		`<bom xmlns="http://cyclonedx.org/schema/ext/1.5"/>`:                                "",
		`<bom xmlns:c="http://cyclonedx.org/schema/bom/1.5"/>`:                              "",
		`<x xmlns="http://cyclonedx.org/schema/bom/1.5"/>`:                                  "",
		`<html>`:                       "",
		`<`:                            "",
		strings.Repeat(`{"a":`, 20000): "",
	} {
		if got := format.Detect([]byte(text)); got != want {
			t.Errorf("Detect(%.80s) = %q, want %q", text, got, want)
		}
	}
}

// TestDetectReal: the documents of the packs are what their publishers say.
func TestDetectReal(t *testing.T) {
	for pack, want := range map[string]format.Format{
		"vex/openvex-aqua-vexhub.tar.gz": format.OpenVEX,
		"vex/openvex-dhi.tar.gz":         format.OpenVEX,
		"vex/openvex-rancher-oci.tar.gz": format.OpenVEX,
		"vex/csaf-cisa-ics.tar.gz":       format.CSAF,
		"vex/csaf-vex-claircore.tar.gz":  format.CSAF,
		"vex/cdx-vex.tar.gz":             format.CycloneDX,
	} {
		found := map[format.Format]int{}
		testdata.Walk(t, pack, func(name string, r io.Reader) {
			if !strings.HasSuffix(name, ".json") || strings.HasSuffix(name, "manifest.json") || name == "index.json" || name == "vex-repository.json" ||
				strings.HasSuffix(name, "-deleted.json") { // what says that there is a document no longer
				return
			}
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			got := format.Detect(text)
			if found[got]++; got != want {
				t.Errorf("%s: %s is %q", pack, name, got)
			}
		})
		t.Logf("%s: %v", pack, found)
	}
}

func FuzzDetect(f *testing.F) {
	f.Add(`{"@context":"https://openvex.dev/ns","document":{"csaf_version":""}}`)
	f.Add(`{"payload":"","payloadType":[{}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		first := format.Detect([]byte(text))
		if again := format.Detect([]byte(" " + text + "\n")); first != again {
			t.Errorf("%q and %q", first, again)
		}
	})
}
