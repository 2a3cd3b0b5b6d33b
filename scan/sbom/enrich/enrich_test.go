package enrich_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/enrich"
)

func npm(name, version string) sbom.Package {
	return sbom.Package{Name: name, Version: version, PURL: purl.PackageURL{Type: "npm", Name: name, Version: version}}
}

func document(packages ...sbom.Package) *sbom.Document {
	d := &sbom.Document{Subject: sbom.Subject{Name: "s"}, Packages: packages}
	d.Normalize()
	return d
}

func rules(t testing.TB, list string) []enrich.Rule {
	t.Helper()
	r, err := enrich.ReadRules(strings.NewReader(`{"schema":"stella-sbom-rules/1","rules":[` + list + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func apply(t testing.TB, d *sbom.Document, opt enrich.Options, sources ...enrich.Source) (*sbom.Document, *enrich.Report) {
	t.Helper()
	out, r, err := enrich.Apply(d, opt, sources...)
	if err != nil {
		t.Fatal(err)
	}
	return out, r
}

func lines(list []enrich.Change) (out []string) {
	for _, c := range list {
		out = append(out, fmt.Sprintf("%s %s %s>%s %s", c.Name, c.Field, c.Was, c.Said, c.Source))
	}
	return out
}

// TestFill: what is empty is filled, lists grow, what differs stays and is told, and
// with Replace it is the other way round; the first source wins.
func TestFill(t *testing.T) {
	p := npm("a", "1")
	p.Supplier, p.Licenses, p.Hashes = "mine", []sbom.License{{Expression: "MIT"}}, []sbom.Hash{{Algorithm: "sha1", Value: "aa"}}
	p.Properties = []sbom.Property{{Name: "x:y", Value: "1"}}
	said := npm("a", "1")
	said.Supplier, said.Homepage = "theirs", "https://a"
	said.Licenses = []sbom.License{{Expression: "ISC"}, {Kind: sbom.LicenseConcluded, Expression: "MIT"}}
	said.Hashes = []sbom.Hash{{Algorithm: "sha1", Value: "bb"}, {Algorithm: "sha256", Value: "cc"}}
	said.CPEs = []string{"cpe:2.3:a:a:a:1:*:*:*:*:*:*:*"}
	sources := []enrich.Source{{Name: "doc", Document: document(said)}, {Name: "rules", Rules: rules(t, `{"match":{"purl":"pkg:npm/a"},"set":{"homepage":"https://b","properties":[{"name":"x:y","value":"2"},{"name":"x:z","value":"3"}]}},
		{"match":{"name":"nobody"},"set":{"supplier":"x"}}`)}}
	added := []string{"a@1 licenses >MIT (concluded) doc", "a@1 cpes >cpe:2.3:a:a:a:1:*:*:*:*:*:*:* doc", "a@1 hashes >sha256:cc doc", "a@1 homepage >https://a doc", "a@1 properties >x:z=3 rules#1"}
	disputed := []string{"a@1 licenses MIT>ISC doc", "a@1 hashes sha1:aa>sha1:bb doc", "a@1 supplier mine>theirs doc", "a@1 properties x:y=1>x:y=2 rules#1", "a@1 homepage https://a>https://b rules#1"}
	before := document(p)
	out, r := apply(t, before, enrich.Options{}, sources...)
	if diff := cmp.Diff(added, lines(r.Changes)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(disputed, lines(r.Conflicts)); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
	q := out.Packages[0]
	if q.ID != before.Packages[0].ID || q.Supplier != "mine" || q.Homepage != "https://a" || len(q.Hashes) != 2 || len(q.Licenses) != 2 || len(q.Properties) != 2 || !cmp.Equal(r.Unused, []string{"rules#2"}) {
		t.Errorf("%+v, unused %v", q, r.Unused)
	}
	if before.Packages[0].Homepage != "" || len(before.Packages[0].Hashes) != 1 {
		t.Error("the document that was given is changed")
	}
	if again, r := apply(t, out, enrich.Options{}, sources...); len(r.Changes) > 0 || !cmp.Equal(again, out, cmpopts.EquateEmpty()) {
		t.Errorf("once more changes something: %v", r.Changes)
	}
	out, r = apply(t, before, enrich.Options{Replace: true}, sources...)
	q = out.Packages[0]
	if q.Supplier != "theirs" || q.Homepage != "https://a" || q.Properties[0].Value != "2" || q.Licenses[0].Expression != "ISC" {
		t.Errorf("replaced: %+v", q)
	}
	if diff := cmp.Diff([]string{"a@1 homepage https://a>https://b rules#1"}, lines(r.Conflicts)); diff != "" {
		t.Errorf("conflicts when replacing (-want +got):\n%s", diff)
	}
}

// TestIdentity: package URLs are given to those that have none, and otherwise disputed;
// packages that only share a name are not taken for each other.
func TestIdentity(t *testing.T) {
	bare := sbom.Package{Name: "a", Version: "1"}
	pypi := sbom.Package{Name: "a", Version: "1", PURL: purl.PackageURL{Type: "pypi", Name: "a", Version: "1"}, Supplier: "S"}
	qualified := npm("a", "1")
	qualified.PURL = qualified.PURL.With("vcs_url", "x")
	qualified.Supplier = "S"
	twice := qualified
	twice.PURL, twice.Homepage = npm("a", "1").PURL.With("vcs_url", "y"), "https://h"
	for name, c := range map[string]struct {
		d                  *sbom.Document
		by                 enrich.Source
		changes, conflicts []string
	}{
		"no package URL":  {document(bare), enrich.Source{Document: document(npm("a", "1"))}, []string{"a@1 purl >pkg:npm/a@1 "}, nil},
		"other version":   {document(bare), enrich.Source{Document: document(npm("a", "2"))}, nil, nil},
		"other ecosystem": {document(npm("a", "1")), enrich.Source{Document: document(pypi)}, nil, nil},
		"qualifiers":      {document(npm("a", "1")), enrich.Source{Document: document(qualified)}, []string{"a@1 supplier >S "}, []string{"a@1 purl pkg:npm/a@1>pkg:npm/a@1?vcs_url=x "}},
		"not one thing":   {document(npm("a", "1")), enrich.Source{Document: document(qualified, twice)}, nil, nil},
		"rule":            {document(bare), enrich.Source{Rules: rules(t, `{"match":{"name":"a"},"set":{"purl":"pkg:npm/a@2"}}`)}, nil, []string{"a@1 purl >pkg:npm/a@2 #1"}},
		"namespace":       {document(npm("a", "1"), pypi), enrich.Source{Rules: rules(t, `{"match":{"ecosystem":"npm"},"set":{"originator":"O"}}`)}, []string{"a@1 originator >O #1"}, nil},
	} {
		out, r := apply(t, c.d, enrich.Options{Replace: true}, c.by)
		if diff := cmp.Diff(c.changes, lines(r.Changes)); diff != "" {
			t.Errorf("%s: changes (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(c.conflicts, lines(r.Conflicts)); diff != "" {
			t.Errorf("%s: conflicts (-want +got):\n%s", name, diff)
		}
		if out.Packages[0].ID != c.d.Packages[0].ID {
			t.Errorf("%s: another identifier: %s", name, out.Packages[0].ID)
		}
	}
}

// TestNeverOverwrites: whatever sources say, what a document says stays, and neither
// the order of packages nor running again shows.
func TestNeverOverwrites(t *testing.T) {
	word := rapid.SampledFrom([]string{"", "x", "y"})
	packages := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) sbom.Package {
		p := npm(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"), rapid.SampledFrom([]string{"1", "2"}).Draw(t, "version"))
		p.Supplier, p.Homepage, p.Description = word.Draw(t, "supplier"), word.Draw(t, "homepage"), word.Draw(t, "description")
		if l := word.Draw(t, "licence"); l != "" {
			p.Licenses = []sbom.License{{Name: l}}
		}
		if h := word.Draw(t, "hash"); h != "" {
			p.Hashes = []sbom.Hash{{Algorithm: "sha1", Value: h}}
		}
		return p
	}), 1, 5)
	rapid.Check(t, func(t *rapid.T) {
		d, source := document(packages.Draw(t, "packages")...), document(packages.Draw(t, "source")...)
		out, r, err := enrich.Apply(d, enrich.Options{}, enrich.Source{Name: "s", Document: source})
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Packages {
			p, q := d.Packages[i], out.Packages[i]
			if p.ID != q.ID || p.Supplier != "" && q.Supplier != p.Supplier || p.Homepage != "" && q.Homepage != p.Homepage ||
				len(p.Licenses) > 0 && !cmp.Equal(p.Licenses, q.Licenses) || len(p.Hashes) > 0 && !cmp.Equal(p.Hashes, q.Hashes) {
				t.Errorf("was %+v, is %+v", p, q)
			}
		}
		again, s, err := enrich.Apply(out, enrich.Options{}, enrich.Source{Name: "s", Document: source})
		if err != nil || len(s.Changes) > 0 || !cmp.Equal(s.Conflicts, r.Conflicts, cmpopts.EquateEmpty()) || !cmp.Equal(again, out, cmpopts.EquateEmpty()) {
			t.Errorf("running again: %v, %v; conflicts were %v", s, err, r.Conflicts)
		}
	})
}

// badRules are refused, with what they say.
var badRules = map[string]string{
	"":                          "EOF",
	"{":                         "EOF",
	`{"schema":"x","rules":[]}`: `/schema is "x"`,
	`{"schema":"stella-sbom-rules/1","rulez":[]}`:                                                                          "rulez",
	`{"schema":"stella-sbom-rules/1","rules":[{"match":{},"set":{"supplier":"x"}}]}`:                                       "/rules/0: the rule matches everything",
	`{"schema":"stella-sbom-rules/1","rules":[{"match":{"name":"a"},"set":{}}]}`:                                           "/rules/0: the rule says nothing",
	`{"schema":"stella-sbom-rules/1","rules":[{"match":{"name":"a"},"set":{"licenses":[{"expression":"MIT OR"}]}}]}`:       "no SPDX expression",
	`{"schema":"stella-sbom-rules/1","rules":[{"match":{"name":"a"},"set":{"licenses":[{}]}}]}`:                            "a licence says nothing",
	`{"schema":"stella-sbom-rules/1","rules":[{"match":{"name":"a"},"set":{"licenses":[{"kind":"guessed","name":"x"}]}}]}`: "no licence kind",
	`{"schema":"stella-sbom-rules/1","rules":[{"match":{"name":"a"},"set":{"cpes":["cpe:/a:x"]}}]}`:                        "no CPE 2.3 name",
	`{"schema":"stella-sbom-rules/1","rules":[{"match":{"name":"a"},"set":{"hashes":[{"alg":"sha1","value":"XY"}]}}]}`:     "not lower-case hex",
	`{"schema":"stella-sbom-rules/1","rules":[{"match":{"name":"a"},"set":{"properties":[{"name":"","value":"x"}]}}]}`:     "a property has no name",
	`{"schema":"stella-sbom-rules/1","rules":[{"match":{"purl":"npm/a"},"set":{"supplier":"x"}}]}`:                         "/rules/0/match/purl",
	`{"schema":"stella-sbom-rules/1","rules":[{"match":{"name":"a","name":"b"},"set":{"supplier":"x"}}]}`:                  "name",
}

func TestBadRules(t *testing.T) {
	for in, says := range badRules {
		if _, err := enrich.ReadRules(strings.NewReader(in)); !errors.Is(err, enrich.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", in, err, says)
		}
	}
	for _, s := range []enrich.Source{{Name: "empty"}, {Rules: []enrich.Rule{{}}}} {
		if _, _, err := enrich.Apply(document(), enrich.Options{}, s); !errors.Is(err, enrich.ErrInvalid) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func FuzzReadRules(f *testing.F) {
	for in := range badRules {
		f.Add(in)
	}
	f.Add(`{"schema":"stella-sbom-rules/1","rules":[{"match":{"purl":"pkg:npm/a?x=y#z","type":"library"},"set":{"licenses":[{"expression":"MIT"}]}}]}`)
	d := document(npm("a", "1"))
	f.Fuzz(func(t *testing.T, in string) {
		list, err := enrich.ReadRules(strings.NewReader(in))
		if err != nil {
			if !errors.Is(err, enrich.ErrInvalid) {
				t.Errorf("%v has no kind", err)
			}
			return
		}
		if out, r := apply(t, d, enrich.Options{}, enrich.Source{Rules: append(list, enrich.Rule{Match: enrich.Match{Name: "a"}, Set: enrich.Facts{Supplier: "x"}})}); out.Packages[0].Supplier == "" || len(r.Changes) == 0 {
			t.Error("no supplier")
		}
	})
}

func ExampleApply() {
	d := &sbom.Document{Packages: []sbom.Package{{Name: "left-pad", Version: "1.3.0", Supplier: "npm"}}}
	d.Normalize()
	rules, err := enrich.ReadRules(strings.NewReader(`{"schema": "stella-sbom-rules/1", "rules": [
		{"match": {"name": "left-pad"}, "set": {"licenses": [{"expression": "WTFPL"}], "supplier": "npm, Inc."}}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, report, err := enrich.Apply(d, enrich.Options{}, enrich.Source{Name: "ours.json", Rules: rules})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range report.Changes {
		fmt.Println(c.Name, c.Field, c.Said, "by", c.Source)
	}
	for _, c := range report.Conflicts {
		fmt.Println(c.Name, c.Field, "stays", c.Was)
	}
	// Output:
	// left-pad@1.3.0 licenses WTFPL by ours.json#1
	// left-pad@1.3.0 supplier stays npm
}
