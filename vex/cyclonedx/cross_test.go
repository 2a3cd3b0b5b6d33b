package cyclonedx_test

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/csaf"
	"github.com/stella-ops/stella/vex/cyclonedx"
	"github.com/stella-ops/stella/vex/openvex"
)

// claims are what statements say, a text for each product and subcomponent, without
// times and names for people.
func claims(list []*vex.Statement, impact bool) []string {
	all := map[string]bool{}
	for _, s := range list {
		said := fmt.Sprintf("%s %s %s %q", s.Vulnerability, s.Status, s.Justification, s.Action)
		if impact {
			said += " " + strings.TrimSpace(s.Impact)
		}
		for i := range s.Products {
			p := s.Products[i]
			parts := p.Subcomponents
			if len(parts) == 0 {
				parts = []vex.Product{{}}
			}
			for j := range parts {
				all[fmt.Sprintf("%s %s %s %v in %s %s %v", said, parts[j].PURL, parts[j].CPE, parts[j].Digests, p.PURL, p.CPE, p.Digests)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// TestAcross: what real OpenVEX documents say is the same after it was written and
// read in each other format, or not written with a reason: CSAF takes one reason for
// a product, and package URLs by the rules of their types, which "pkg:golang/stdlib"
// breaks.
func TestAcross(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	counts := map[string]int{}
	for _, pack := range []string{"openvex-aqua-vexhub", "openvex-go-vex", "openvex-rancher-oci", "openvex-vexctl"} {
		files := testdata.Open(t, "vex/"+pack+".tar.gz")
		for _, name := range testdata.Names(files) {
			text := files[name]
			if path.Ext(name) != ".json" || len(text) > 1<<20 || !strings.Contains(string(text[:min(len(text), 4096)]), "openvex.dev/ns") {
				continue
			}
			var said []*vex.Statement
			for s, err := range openvex.Decode(name, text, nil) {
				if err != nil {
					t.Fatal(err)
				}
				said = append(said, s)
			}
			var b strings.Builder
			if err := cyclonedx.Encode(&b, &cyclonedx.Document{Timestamp: said[0].Time, Statements: said}); err != nil {
				t.Errorf("%s: %v", name, err)
			} else {
				again, broken, err := read(t, name, []byte(b.String()), nil)
				if diff := cmp.Diff(claims(said, true), claims(again, true)); diff != "" || err != nil || len(broken) > 0 {
					t.Errorf("%s: %v, %v, (-want +got):\n%s", name, broken, err, diff)
				}
				counts["CycloneDX"]++
			}
			b.Reset()
			err := csaf.Encode(&b, &csaf.Document{ID: "EX-1", Title: "t", Publisher: "E", Namespace: "https://example.com", Timestamp: said[0].Time, Statements: said})
			if err != nil {
				reason := "another reason"
				for _, r := range []string{"type golang needs a namespace", "test 6.1.33", "test 6.1.13"} {
					if reason == "another reason" && strings.Contains(err.Error(), r) {
						reason = r
					}
				}
				if !errors.Is(err, csaf.ErrInvalid) || reason == "another reason" {
					t.Errorf("%s: %v", name, err)
				}
				counts["no CSAF: "+reason]++
				continue
			}
			var again []*vex.Statement
			for s, err := range csaf.Decode(name, []byte(b.String()), nil) {
				if err != nil {
					t.Fatal(err)
				}
				again = append(again, s)
			}
			// All that is said of a product in one vulnerability is put together.
			if diff := cmp.Diff(claims(said, false), claims(again, false)); diff != "" {
				t.Errorf("%s: CSAF (-want +got):\n%s", name, diff)
			}
			counts["CSAF"]++
		}
	}
	if diff := cmp.Diff(map[string]int{"CycloneDX": 290, "CSAF": 256, "no CSAF: test 6.1.33": 7, "no CSAF: type golang needs a namespace": 27}, counts); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
}
