package cyclonedx

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/sbom"
)

// TestKeptAsSaid checks what the model reads of members that say it in another
// way, and that they are written again as they were.
func TestKeptAsSaid(t *testing.T) {
	sum := strings.Repeat("0A", 20)
	for _, c := range []struct {
		name, component string
		got             func(p *sbom.Package) any
		want            any
	}{
		{"upper-case hash", `"hashes":[{"alg":"SHA-1","content":"` + sum + `"}]`,
			func(p *sbom.Package) any { return p.Hashes }, []sbom.Hash{{Algorithm: "sha1", Value: strings.ToLower(sum)}}},
		{"website that is no URI", `"externalReferences":[{"type":"website","url":"no uri"},{"type":"vcs","url":"https://x"}]`,
			func(p *sbom.Package) any { return p.Homepage }, "no uri"},
		{"two websites", `"externalReferences":[{"type":"website","url":"https://a"},{"type":"website","url":"https://b"}]`,
			func(p *sbom.Package) any { return p.Homepage }, "https://a"},
		{"author and authors", `"author":"A","authors":[{"name":"B"}]`, func(p *sbom.Package) any { return p.Originator }, "A"},
		{"supplier with more", `"supplier":{"name":"S","url":["https://s"],"contact":[{"name":"C","email":"c@s"}]}`, func(p *sbom.Package) any { return p.Supplier }, "S (c@s)"},
		{"empty members", `"author":"","description":"","hashes":[],"licenses":[],"properties":[],"externalReferences":[],"components":[]`, func(p *sbom.Package) any { return p.Originator }, ""},
		{"purl in another form", `"purl":"pkg:NPM/n?b=2&a=1"`, func(p *sbom.Package) any { return p.PURL.String() }, "pkg:npm/n?a=1&b=2"},
		{"a purl that is none", `"purl":"n@1"`, func(p *sbom.Package) any { return p.PURL.IsZero() }, true},
		{"declared", `"licenses":[{"license":{"id":"MIT","acknowledgement":"declared"}}]`, func(p *sbom.Package) any { return p.Licenses }, []sbom.License{{Expression: "MIT"}}},
		{"expression of one id", `"licenses":[{"expression":"MIT"}]`, func(p *sbom.Package) any { return p.Licenses }, []sbom.License{{Expression: "MIT"}}},
		{"expression that is none", `"licenses":[{"expression":"GPL or so"}]`, func(p *sbom.Package) any { return p.Licenses }, []sbom.License{{Name: "GPL or so"}}},
		{"group that is no namespace", `"group":"Some team"`, func(p *sbom.Package) any { return p.Name }, "n"},
		{"required", `"scope":"required"`, func(p *sbom.Package) any { return p.Scope }, sbom.ScopeRuntime},
		{"an unknown stella property", `"properties":[{"name":"stella:later","value":"x"}]`, func(p *sbom.Package) any { return p.Properties }, []sbom.Property{{Name: "stella:later", Value: "x"}}},
		{"absolute place", `"evidence":{"occurrences":[{"location":"/usr/x"}],"callstack":{}}`, func(p *sbom.Package) any { return p.Locations }, []sbom.Location{{Path: "usr/x"}}},
		{"extension", `"x-ext":{"b":1.50,"a":[null,12345678901234567890]}`, func(p *sbom.Package) any { return p.Name }, "n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := head + `"components":[{"type":"library","bom-ref":"r","name":"n",` + c.component + `}]}`
			d := mustDecode(t, in)
			if diff := cmp.Diff(c.want, c.got(&d.Packages[0])); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			out, losses := mustEncode(t, d, nil)
			if diff := cmp.Diff(comparable(t, []byte(in)), comparable(t, []byte(out))); diff != "" || len(losses) > 0 {
				t.Errorf("-in +out:\n%s%v", diff, losses)
			}
		})
	}
}

// TestSubjectListedAgain reads documents that list metadata.component among the
// components too, with the same bom-ref.
func TestSubjectListedAgain(t *testing.T) {
	in := head + `"metadata":{"component":{"type":"library","bom-ref":"a","name":"a"}},
		"components":[{"type":"library","bom-ref":"a","name":"a"},{"type":"library","bom-ref":"b","name":"b"}],
		"dependencies":[{"ref":"a","dependsOn":["b"]}]}`
	d := mustDecode(t, in)
	if len(d.Packages) != 2 || len(d.Gaps) != 1 || d.Subject.ID == "a" {
		t.Errorf("%d packages, gaps %v, subject %q", len(d.Packages), d.Gaps, d.Subject.ID)
	}
	if diff := cmp.Diff([]sbom.Relationship{{From: "a", Kind: sbom.DependsOn, To: "b"}}, d.Relationships); diff != "" {
		t.Errorf("relationships (-want +got):\n%s", diff)
	}
	out, losses := mustEncode(t, d, nil)
	if diff := cmp.Diff(comparable(t, []byte(in)), comparable(t, []byte(out))); diff != "" || len(losses) > 0 {
		t.Errorf("-in +out:\n%s%v", diff, losses)
	}
	// a blocking gap names the subject, which then needs a bom-ref of its own
	d.Gaps = append(d.Gaps, sbom.Gap{Code: sbom.GapLimit, Blocking: true, Where: "x", What: "y"})
	d.Normalize()
	out, _ = mustEncode(t, d, nil)
	back := mustDecode(t, out)
	if !strings.Contains(out, `"assemblies":["`+d.Subject.ID+`"]`) || back.Subject.ID != d.Subject.ID || len(back.Gaps) != 1 {
		t.Errorf("subject %q, gaps %v\n%s", back.Subject.ID, back.Gaps, out)
	}
}
