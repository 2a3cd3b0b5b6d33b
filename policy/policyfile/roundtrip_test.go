package policyfile

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/policy"
)

// drawn draws the text of a policy.
func drawn(t *rapid.T) string {
	var b strings.Builder
	fmt.Fprintf(&b, "id: %q\nversion: %d\n", rapid.StringMatching(`[a-z][a-z0-9.-]{0,20}|true|7|~|a: b`).Draw(t, "id"), rapid.IntRange(1, 99).Draw(t, "version"))
	if rapid.Bool().Draw(t, "gates") {
		b.WriteString("evidence: {gaps: block, unrated: medium}\nvex: {disputed: warn, require: {tier: 2, signed: true, issuers: [b, a]}}\nexceptions: {max_days: 3, effects: [suppress, defer]}\nprofiles: {dev: {threshold: {warn: low}}, \"no\": {vex: {ignore: true}}}\n")
	}
	b.WriteString("rules:\n")
	for i := range rapid.IntRange(1, 6).Draw(t, "rules") {
		action := rapid.SampledFrom(policy.Actions).Draw(t, "action")
		fmt.Fprintf(&b, "  - id: r%d\n    action: %s\n    because: %q\n", i, action, rapid.StringMatching(`[a-zé"'#:\[]{1,12}`).Draw(t, "because")+".")
		switch {
		case action == policy.ActionIgnore && rapid.Bool().Draw(t, "until"):
			b.WriteString("    until: 2027-01-02T03:04:05.6Z\n")
		case action == policy.ActionRequireVEX:
			b.WriteString("    require: {justifications: [component_not_present]}\n")
		}
		if rapid.Bool().Draw(t, "flags") {
			b.WriteString("    final: true\n    despite_vex: true\n")
		}
		facts := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
			`severity: ">= high"`, `severity: {not: [low, none]}`, `cvss: ">= 4, < 7.5"`, `cvss: ["9.8", 10]`, `epss: "> 0.123456"`, `kev: true`, `kev: {not: false}`,
			`label: {team: payments, tier: [a, b]}`, `label: {not: x=y}`, `label: [a, b]`, `purl: ["pkg:npm/%40babel/*", "pkg:deb/debian/**?arch=amd64"]`, `name: ["true", "7", "*ssl*"]`,
			`name: "é # x"`, `fix: [none, will_not_fix]`, `age: "> 30"`, `environment: "no"`, `vex: none`, `path: {not: "app/*"}`,
		}), 0, 5, func(s string) string { name, _, _ := strings.Cut(s, ":"); return name }).Draw(t, "facts")
		if len(facts) > 0 {
			fmt.Fprintf(&b, "    match:\n      %s\n", strings.Join(facts, "\n      "))
		}
		if when := rapid.SampledFrom([]string{"", "kev", "kev||severity>=HIGH", "kev && (cvss > 3 || age < 2) && name != 'a?b'", "path.exists(p, p.startsWith('x') && p != 'y')", "kev ? cvss > 1 : age > 2", "!(kev && in_base)", `name == "a\"\n"`}).Draw(t, "when"); when != "" {
			fmt.Fprintf(&b, "    when: %q\n", when)
		}
	}
	for i, about := range rapid.SliceOfN(rapid.SampledFrom([]string{
		`{about: secret, match: {secret: "aws-*", removed: {not: true}, path: "*/x"}, when: layer > 1, action: block`, `{about: file, match: {file_kind: executable, file_digest: {not: ["sha256:a", "sha256:b"]}}, action: warn`,
		`{about: image, match: {secrets: "> 3", files: 0, label: team}, action: allow`, `{match: {usage: [reached, unknown]}, when: 'usage != "reached"', action: block`, `{about: image, action: ignore, until: 2027-01-02`,
	}), 0, 3).Draw(t, "about") {
		fmt.Fprintf(&b, "  - %s, id: about-%d, because: so}\n", about, i)
	}
	return b.String()
}

func TestFormatRoundTrip(t *testing.T) {
	schema := compiledSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		text := drawn(t)
		p, _, err := Parse("p.yaml", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if err := validate(schema, []byte(text)); err != nil {
			t.Fatalf("the schema refuses what Parse takes: %v\n%s", err, text)
		}
		out, err := Format(p)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		again, _, err := Parse("again.yaml", out)
		if err != nil || again.Digest() != p.Digest() {
			t.Fatalf("%v\n%s\n%s", err, text, out)
		}
		twice, err := Format(again)
		if err != nil || !bytes.Equal(out, twice) {
			t.Fatalf("formatted twice (%v):\n%s\n%s", err, out, twice)
		}
	})
}

func TestFormatRefuses(t *testing.T) {
	for name, p := range map[string]*policy.Policy{
		"nothing": {},
		"order": {ID: "p", Version: 1, Semantics: policy.Semantics, Rules: []policy.Rule{{ID: "a", Action: policy.ActionWarn, Because: "x", Conditions: []policy.Condition{
			{Expression: "kev"}, {Field: "kev", Operator: policy.Is, Values: []string{"true"}},
		}}}},
	} {
		if out, err := Format(p); err == nil {
			t.Errorf("%s: written as %s", name, out)
		}
	}
}

func compiledSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(SchemaID, v); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(s *jsonschema.Schema, text []byte) error {
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		return err
	}
	plainDates(&n)
	var v any
	if err := n.Decode(&v); err != nil {
		return err
	}
	out, err := json.Marshal(v)
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

// plainDates makes dates texts, as editors that check YAML by a schema do.
func plainDates(n *yaml.Node) {
	if n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, x := range n.Content {
		plainDates(x)
	}
}

// TestSchemaAgrees: the schema takes what Parse takes, and refuses of what Parse
// refuses all that a schema can see.
func TestSchemaAgrees(t *testing.T) {
	s := compiledSchema(t)
	a, err := txtar.ParseFile("testdata/problems.txtar")
	if err != nil {
		t.Fatal(err)
	}
	refused, unseen := 0, []string{}
	for _, f := range a.Files {
		name, ok := strings.CutSuffix(f.Name, ".yaml")
		if !ok {
			continue
		}
		_, _, parseErr := Parse(f.Name, f.Data)
		schemaErr := validate(s, f.Data)
		switch {
		case parseErr == nil && schemaErr != nil:
			t.Errorf("%s: Parse takes it, the schema does not: %v", name, schemaErr)
		case schemaErr != nil:
			refused++
		case parseErr != nil:
			unseen = append(unseen, name)
		}
	}
	// These need more than a schema: an order, a meaning, another part of the document.
	known := []string{"two-documents", "alias-bomb", "merge-key", "tag", "duplicate-rule", "empty-because", "until-with-block", "require-with-warn", "threshold-order",
		"operators", "version-forms", "version-overflow", "not", "unknown-severity", "comma", "patterns", "flags"}
	for _, name := range unseen {
		if !slices.Contains(known, name) && !strings.HasPrefix(name, "expression-") {
			t.Errorf("%s: Parse refuses it, the schema does not", name)
		}
	}
	if refused < 15 {
		t.Errorf("the schema refuses %d documents only", refused)
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"testdata/problems.txtar"} {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, x := range a.Files {
			if strings.HasSuffix(x.Name, ".yaml") {
				f.Add(x.Data)
			}
		}
	}
	f.Add(defaultText)
	f.Add([]byte("id: p\nversion: 1\nrules:\n - {id: a, about: secret, match: {secret: aws-*, removed: false}, when: secrets > 1, action: block, because: x}\n - {id: b, about: file, match: {file_kind: script, file_digest: {not: x}}, action: allow, because: x}\n - {id: c, match: {usage: {not: [unreached, unknown]}}, action: warn, because: x}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, _, err := Parse("f.yaml", text)
		Lint("f.yaml", text, testTime)
		if (err == nil) == (p == nil) {
			t.Fatalf("policy %v, error %v", p, err)
		}
		if err != nil {
			return
		}
		out, err := Format(p)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v\n%s", err, text)
		}
		again, _, err := Parse("again.yaml", out)
		if err != nil || again.Digest() != p.Digest() {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}

func FuzzTest(f *testing.F) {
	tests, err := os.ReadFile("testdata/default_test.yaml")
	if err != nil {
		f.Fatal(err)
	}
	p, _, err := Default()
	if err != nil {
		f.Fatal(err)
	}
	for part := range strings.SplitSeq(string(tests), "  - name") {
		f.Add([]byte("tests:\n  - name" + part))
	}
	f.Add([]byte("tests: [{name: x, secrets: [{rule: a, path: b, line: 1, removed: true, in_base: true}], files: [{path: c, kind: script, mode: '755', digest: 'sha256:a'}], want: pass}, {name: y, not_looked_for: [files], want: pass}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		out, err := Test(p, "f.yaml", text)
		if (err == nil) != (len(out) > 0) {
			t.Fatalf("%d results and %v", len(out), err)
		}
	})
}
