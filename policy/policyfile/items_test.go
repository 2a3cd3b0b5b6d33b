package policyfile

import (
	"strings"
	"testing"
)

// TestAbout: what a rule may say depends on what it is about, and messages name the
// place.
func TestAbout(t *testing.T) {
	for rule, want := range map[string]string{
		"about: secrets, action: block":                                                         `2:10: rules[0].about: "secrets" is none of secret, file, image`,
		"about: secret, match: {severity: high}, action: block":                                 "2:26: rules[0].match: severity is no fact of secrets",
		"match: {file_kind: script}, action: block":                                             "2:11: rules[0].match: file_kind is no fact of findings",
		"about: file, when: kev, action: block":                                                 "2:22: rules[0].when: kev is no fact of files",
		"about: image, action: block, final: true":                                              "2:39: rules[0].final: it goes with findings alone",
		"about: image, action: require_vex":                                                     "2:25: rules[0].action: require_vex goes with findings alone",
		"match: {usage: used}, action: block":                                                   `"used" is none of reached, unreached, unknown`,
		"about: file, match: {file_kind: exe}, action: block":                                   `"exe" is none of executable, shared-object, script`,
		"about: secret, match: {path: x}, action: allow, because: x}\n - {id: b, action: block": "",
		"about: image, when: secrets > 3, action: block":                                        "",
	} {
		p, _, err := Parse("p.yaml", []byte("{id: p, version: 1, rules: [\n {"+strings.ReplaceAll(rule, "\n -", ",\n")+", id: a, because: y}]}"))
		if strings.Contains(rule, "id: b") {
			p, _, err = Parse("p.yaml", []byte("id: p\nversion: 1\nrules:\n - {id: a, "+rule+", because: y}\n"))
		}
		switch {
		case want == "" && (err != nil || p == nil):
			t.Errorf("%s: %v", rule, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: want %q, got %v", rule, want, err)
		}
	}
}

// TestLintAbout: rules about different things never end each other.
func TestLintAbout(t *testing.T) {
	_, warnings, err := Parse("p.yaml", []byte(`
id: p
version: 1
rules:
  - {id: a, about: secret, action: allow, because: x}
  - {id: b, about: file, action: block, because: x}
  - {id: c, about: secret, match: {path: x}, action: block, because: x}
`))
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Message, `"c" never decides`) {
		t.Errorf("%v, %v", warnings, err)
	}
}

// TestItemTests: tests of policies give secrets, files and usage.
func TestItemTests(t *testing.T) {
	p, _, err := Parse("p.yaml", []byte(`
id: p
version: 1
rules:
  - {id: reached, match: {usage: reached}, action: block, because: it is used}
  - {id: gone, about: secret, match: {removed: true, in_base: true}, action: warn, because: the base has it}
  - {id: any, about: secret, match: {in_base: {not: true}}, action: block, because: it is ours}
  - {id: suid, about: file, match: {file_mode: "4*"}, action: block, because: it runs as root}
  - {id: three, about: image, match: {secrets: "> 2"}, action: block, because: too many}
`))
	if err != nil {
		t.Fatal(err)
	}
	results, err := Test(p, "t.yaml", []byte(`
tests:
  - {name: reached, finding: {vulnerability: CVE-1, package: "pkg:npm/a@1", usage: reached}, want: {outcome: block, rule: reached}}
  - {name: unreached, finding: {vulnerability: CVE-1, package: "pkg:npm/a@1", usage: unreached}, want: pass}
  - {name: unknown, finding: {vulnerability: CVE-1, package: "pkg:npm/a@1"}, want: {outcome: not_assessed, gate: evidence}}
  - {name: in the base, secrets: [{rule: x, path: a, removed: true, in_base: true}], want: {outcome: warn, rule: gone}}
  - {name: ours, secrets: [{rule: x, path: a, line: 3, in_base: false}], want: {outcome: block, rule: any}}
  - {name: nobody knows whose, secrets: [{rule: x, path: a}], want: {outcome: not_assessed, gate: evidence}}
  - {name: suid, files: [{path: a, mode: "4755"}], want: {outcome: block, rule: suid}}
  - {name: no mode, files: [{path: a}], want: {outcome: not_assessed, gate: evidence}}
  - {name: not looked, not_looked_for: [files], want: {outcome: not_assessed, gate: evidence}}
  - {name: three, secrets: [{rule: x, path: a, in_base: true}, {rule: x, path: b, in_base: true}, {rule: x, path: c, in_base: true}], want: {outcome: block, rule: three}}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: want %s, got %s", r.Name, r.Want, r.Got)
		}
	}
	if _, err := Test(p, "t.yaml", []byte("tests: [{name: x, secrets: [{rule: x}], files: [{path: p, digest: abc}], not_looked_for: [files], want: pass}]")); err == nil ||
		!strings.Contains(err.Error(), "path: it is missing") || !strings.Contains(err.Error(), "want an algorithm") || !strings.Contains(err.Error(), "nobody looked") {
		t.Errorf("got %v", err)
	}
}
