package trust_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/trust"
)

const vendor = "  - {id: vendor, tier: 1, products: [\"*\"]}\n"

func TestParse(t *testing.T) {
	k := newKey(t, 1)
	e := pgpKey(t, "psirt", at.AddDate(-1, 0, 0), 0)
	d := document(t, `  - id: vendor
    tier: 2
    products: ["pkg:npm/foo", 'pkg:oci/*?repository_url=registry.example.com/vendor/**']
    sources: [vendor-csaf]
    authors: ["Vendor, Inc."]
    identities: ["sigstore:https://ci.example.com|https://ci.example.com/vendor/*"]
    unsigned: [affected, under_investigation]
    max_age: 365
  - {id: alone, tier: 9, products: ["*"], sources: [dir]}
  - {id: former, tier: 3, products: ["*"]}
`, keyEntry("release", "vendor", "pem", string(k.Public().PEM())), keyEntry("psirt", "vendor", "openpgp", publicBlock(t, e)),
		keyEntry("old", "former", "pem", string(newKey(t, 2).Public().PEM()), "revoked: it was in a backup"))
	ids := []string{identity(k), fingerprint(e), "sigstore:https://ci.example.com|https://ci.example.com/vendor/*"}
	want := &vex.Trust{Issuers: []vex.Issuer{
		{ID: "alone", Tier: 9, Products: []string{"*"}, Sources: []string{"dir"}},
		{
			ID: "vendor", Tier: 2, Identities: ids,
			Sources: []string{"vendor-csaf"}, Authors: []string{"Vendor, Inc."}, Unsigned: []vex.Status{vex.Affected, vex.UnderInvestigation}, MaxAge: 365,
			Products: []string{"pkg:npm/foo", "pkg:oci/*?repository_url=registry.example.com/vendor/**"},
		},
	}}
	if diff := cmp.Diff(want, d.Trust()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if d.Keys[2].Revoked != "it was in a backup" || d.Keys[2].Identity != identity(newKey(t, 2)) {
		t.Errorf("%+v", d.Keys[2])
	}
	if len(d.Issuers[0].Identities) != 1 {
		t.Errorf("the document's own issuer was changed: %q", d.Issuers[0].Identities)
	}
}

// TestJSON: JSON says the same as YAML.
func TestJSON(t *testing.T) {
	pem := strings.ReplaceAll(string(newKey(t, 1).Public().PEM()), "\n", `\n`)
	text := "{\n\t\"issuers\": [\n\t\t{\"id\": \"vendor\", \"tier\": 1, \"products\": [\"*\"], \"unsigned\": [\"affected\"]}\n\t],\n" +
		"\t\"keys\": [{\"name\": \"a\", \"issuer\": \"vendor\", \"pem\": \"" + pem + "\"}]\n}"
	d, err := trust.Parse("trust.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	yaml := document(t, "  - {id: vendor, tier: 1, products: [\"*\"], unsigned: [affected]}\n", keyEntry("a", "vendor", "pem", string(newKey(t, 1).Public().PEM())))
	if d.Trust().Digest() != yaml.Trust().Digest() {
		t.Errorf("%+v\n%+v", d.Trust(), yaml.Trust())
	}
}

func TestDefault(t *testing.T) {
	j, err := trust.Default().Trust().Judge()
	if err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]vex.Status{trust.SourceFile: vex.NotAffected, trust.SourceDir: vex.NotAffected, "vexhub": "", "": ""} {
		s := &vex.Statement{Vulnerability: "CVE-2026-1", Products: []vex.Product{{PURL: "pkg:npm/foo"}}, Status: vex.NotAffected, Justification: vex.CodeNotPresent, Origin: vex.Origin{Source: source}}
		if err := s.Prepare(); err != nil {
			t.Fatal(err)
		}
		if got := j.Resolve([]vex.Claim{{Statement: s, Part: -1}}, at).Status; got != want {
			t.Errorf("source %q: %q, want %q", source, got, want)
		}
	}
}

// TestDiagnostics: everything that is wrong is said, with its place.
func TestDiagnostics(t *testing.T) {
	pem := string(newKey(t, 1).Public().PEM())
	for _, tc := range []struct {
		name, text string
		want       []string // the beginnings of the lines
	}{
		{"nothing", "", []string{"t: it is empty"}},
		{"comment", "# nothing\n", []string{"t: it is empty"}},
		{"null", "~\n", []string{"t:1:1: want members [issuers keys]"}},
		{"list", "- a\n", []string{"t:1:1: want members"}},
		{"broken", "issuers:\n  - {id: a\n", []string{"t:"}},
		{"broken JSON", `{"issuers": [}`, []string{"t:1:14: invalid character"}},
		{"no issuers", "keys: []\n", []string{"t:1:1: it has no issuers"}},
		{"unknown member", "issuer:\n" + vendor, []string{`t:1:1: unknown member "issuer"; did you mean "issuers"?`, "t:1:1: it has no issuers"}},
		{"unknown member of an issuer", "issuers:\n  - {id: a, tier: 1, products: [\"*\"], source: [x]}\n", []string{`t:2:39: issuers[0]: unknown member "source"; did you mean "sources"?`}},
		{"nothing like it", "issuers:\n  - {id: a, tier: 1, products: [\"*\"], sources: [x], colour: red}\n", []string{`t:2:53: issuers[0]: unknown member "colour"`}},
		{"twice", "issuers:\n  - {id: a, id: b, tier: 1, products: [\"*\"], sources: [x]}\n", []string{`t:2:13: issuers[0]: member "id" is there twice, first in line 2`}},
		{"issuers twice", "issuers:\n" + vendor + "issuers: []\n", []string{`t:3:1: member "issuers" is there twice`}},
		{"an issuer twice", "issuers:\n  - {id: a, tier: 1, products: [\"*\"], sources: [x]}\n  - {id: a, tier: 1, products: [\"*\"], sources: [y]}\n", []string{`t:3:10: issuers[1].id: issuer "a" is there already, in line 2`}},
		{"alias", "issuers:\n  - &a {id: a, tier: 1, products: [\"*\"], sources: [x]}\n  - *a\n", []string{"t:2:5: issuers[0]: anchors and aliases", "t:3:5: issuers[1]:"}},
		{"merge", "issuers:\n  - {<<: {id: a}, tier: 1}\n", []string{`t:2:6: issuers[0]: unknown member "<<"`, "t:2:5: issuers[0]: id is missing", "t:2:5: issuers[0]: it may speak about no product"}},
		{"tag", "issuers:\n  - {id: !!str a, tier: 1, products: [\"*\"], sources: [x]}\n", []string{"t:2:10: issuers[0].id: tags such as !!str"}},
		{"a number as a text", "issuers:\n  - {id: 12, tier: 1, products: [\"*\"], sources: [x]}\n", []string{"t:2:10: issuers[0].id: want a text; put it in quotes"}},
		{"yes as a text", "issuers:\n  - {id: true, tier: 1, products: [\"*\"], sources: [x]}\n", []string{"t:2:10: issuers[0].id: want a text"}},
		{"tiers", "issuers:\n  - {id: a, tier: 0, products: [\"*\"], sources: [x]}\n  - {id: b, tier: 100, products: [\"*\"], sources: [x]}\n  - {id: c, tier: 1.5, products: [\"*\"], sources: [x]}\n  - {id: d, tier: -1, products: [\"*\"], sources: [x]}\n  - {id: e, products: [\"*\"], sources: [x]}\n  - {id: f, tier: \"1\", products: [\"*\"], sources: [x]}\n", []string{
			"t:2:19: issuers[0].tier: tier 0: want 1 to 99", "t:3:19: issuers[1].tier: tier 100", "t:4:19: issuers[2].tier: want a whole number",
			"t:5:19: issuers[3].tier: want a whole number", "t:6:5: issuers[4]: tier is missing", "t:7:19: issuers[5].tier: want a whole number",
		}},
		{"age", "issuers:\n  - {id: a, tier: 1, products: [\"*\"], sources: [x], max_age: 99999}\n", []string{"t:2:62: issuers[0].max_age: max_age of 99999 days"}},
		{"id", "issuers:\n  - {id: a b, tier: 1, products: [\"*\"], sources: [x]}\n", []string{"t:2:10: issuers[0].id: id: want 1 to 64 letters"}},
		{"all of it", "issuers:\n  - id: a\n    tier: 1\n    products: [\"pkg:npm/a*\", \"\", 7, \"*\", \"*\"]\n    sources: [X]\n    unsigned: [not_afected, fixed]\n    identities: [\"pgp:\", \"key:*\"]\n", []string{
			`t:4:16: issuers[0].products[0]: product pattern "pkg:npm/a*"`, "t:4:30: issuers[0].products[1]: want a text, and it is empty", "t:4:34: issuers[0].products[2]: want a text",
			`t:4:42: issuers[0].products[4]: "*" is there twice`, "t:5:15: issuers[0].sources[0]: source \"X\"", `t:6:16: issuers[0].unsigned[0]: status "not_afected" is none of`,
			`t:7:18: issuers[0].identities[0]: identity "pgp:"`, `t:7:26: issuers[0].identities[1]: identity "key:*"`,
		}},
		{"suggestion of a status", "issuers:\n  - {id: a, tier: 1, products: [\"*\"], sources: [x], unsigned: [afected]}\n", []string{`t:2:64: issuers[0].unsigned[0]: status "afected" is none of [not_affected affected fixed under_investigation]; did you mean "affected"?`}},
		{"no products", "issuers:\n  - {id: a, tier: 1, sources: [x]}\n", []string{"t:2:5: issuers[0]: it may speak about no product"}},
		{"nothing from it", "issuers:\n  - {id: a, tier: 1, products: [\"*\"]}\n", []string{"t:2:5: issuer a: nothing says what is from it"}},
		{"authors alone", "issuers:\n  - {id: a, tier: 1, products: [\"*\"], authors: [x], identities: [\"key:x\"]}\n", []string{"t:2:48: issuers[0].authors: authors are what documents claim"}},
		{"not a list", "issuers:\n  - {id: a, tier: 1, products: \"*\", sources: x}\n", []string{"t:2:32: issuers[0].products: want a list", "t:2:46: issuers[0].sources: want a list", "t:2:5: issuers[0]: it may speak about no product"}},
		{"identity of two", "issuers:\n  - {id: a, tier: 1, products: [\"*\"], identities: [\"key:x\"]}\n  - {id: b, tier: 1, products: [\"*\"], identities: [\"key:x\"]}\n", []string{`t:3:52: issuers[1].identities[0]: "key:x" is an identity of issuer "a" already`}},
		{"key of nobody", "issuers:\n" + vendor + "keys:\n" + keyEntry("k", "vendro", "pem", pem), []string{`t:5:13: keys[0].issuer: there is no issuer "vendro"; did you mean "vendor"?`}},
		{"key twice", "issuers:\n" + vendor + "keys:\n" + keyEntry("k", "vendor", "pem", pem) + keyEntry("k", "vendor", "pem", pem), []string{`t:10:11: keys[1].name: key "k" is there already`, `t:12:10: keys[1].pem: "key:sha256:`}},
		{"key without material", "issuers:\n" + vendor + "keys: [{name: k, issuer: vendor}]\n", []string{"t:3:8: keys[0]: want one of pem and openpgp", "t:2:5: issuer vendor"}[:1]},
		{"key without a name", "issuers:\n" + vendor + "keys: [{issuer: vendor, pem: x}]\n", []string{"t:3:8: keys[0]: name is missing", "t:3:30: keys[0].pem: PEM: no PEM block"}},
		{"private key", "issuers:\n" + vendor + "keys:\n" + keyEntry("k", "vendor", "pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), []string{"t:6:10: keys[0].pem: PEM: a block \"PRIVATE KEY\""}},
		{"OpenPGP as PEM", "issuers:\n" + vendor + "keys:\n" + keyEntry("k", "vendor", "openpgp", pem), []string{`t:6:14: keys[0].openpgp: want one armoured block "PGP PUBLIC KEY BLOCK"`}},
		{"two OpenPGP keys", "issuers:\n" + vendor + "keys:\n" + keyEntry("k", "vendor", "openpgp", publicBlock(t, pgpKey(t, "a", at, 0))+publicBlock(t, pgpKey(t, "b", at, 0))), []string{"t:6:14: keys[0].openpgp: want one armoured block"}},
		{"empty revocation", "issuers:\n" + vendor + "keys:\n" + keyEntry("k", "vendor", "pem", pem, `revoked: ""`), []string{"t:6:14: keys[0].revoked: want a text, and it is empty"}},
		{"revocation that is true", "issuers:\n" + vendor + "keys:\n" + keyEntry("k", "vendor", "pem", pem, "revoked: true"), []string{"t:6:14: keys[0].revoked: want a text"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := trust.Parse("t", []byte(tc.text))
			if !errors.Is(err, trust.ErrInvalid) {
				t.Fatalf("got %v", err)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tc.want) {
				t.Fatalf("want %d lines, got\n%s", len(tc.want), err)
			}
			for _, want := range tc.want {
				if !strings.Contains("\n"+err.Error(), "\n"+want) {
					t.Errorf("no line begins with %q:\n%s", want, err)
				}
			}
		})
	}
}

func TestLimits(t *testing.T) {
	if _, err := trust.Parse("t", make([]byte, trust.MaxDocument+1)); !errors.Is(err, trust.ErrLimit) {
		t.Errorf("bytes: %v", err)
	}
	var b strings.Builder
	b.WriteString("issuers:\n")
	for i := range vex.MaxIssuers + 1 {
		fmt.Fprintf(&b, "- {id: i%d, tier: 1, products: [\"*\"], sources: [x]}\n", i)
	}
	if _, err := trust.Parse("t", []byte(b.String())); !errors.Is(err, trust.ErrLimit) {
		t.Errorf("issuers: %v", err)
	}
	_, err := trust.Parse("t", []byte("issuers:\n"+strings.Repeat("- 1\n", 1000)))
	var all *trust.DocumentError
	if !errors.As(err, &all) || len(all.Diagnostics) != trust.MaxDiagnostics {
		t.Errorf("diagnostics: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("issuers:\n" + vendor + "keys:\n" + keyEntry("k", "vendor", "pem", string(newKey(f, 1).Public().PEM()))))
	f.Add([]byte("issuers:\n  - {id: a, tier: 1, products: [\"*\"], sources: [x], unsigned: [fixed]}\n"))
	f.Add([]byte("issuers:\n" + vendor + "keys:\n" + keyEntry("k", "vendor", "openpgp", publicBlock(f, pgpKey(f, "a", at, 0)))))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := trust.Parse("t", text)
		if err != nil {
			if !errors.Is(err, trust.ErrInvalid) && !errors.Is(err, trust.ErrLimit) {
				t.Errorf("not a kind: %v", err)
			}
			return
		}
		if _, err := d.Trust().Judge(); err != nil {
			t.Errorf("what was read cannot be used: %v", err)
		}
	})
}
