package requirement_test

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/attest/requirement"
)

const keyID = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

const whole = `
requirements:
  - name: contents
    types: [spdxjson, "https://example.com/x/v1"]
    signers: [` + keyID + `, "sigstore:https://issuer.example|ci@example.com"]
    threshold: 2
    logged: true
    stamped: true
    max_age: 30d
  - name: release
    verdict: {outcomes: [pass, warn], policies: ["sha256:` + keyID + `"], environment: production, max_age: 36h, standing: true}
`

func TestParse(t *testing.T) {
	got, err := requirement.Parse("x", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := []attest.Requirement{
		{
			Name: "contents", Predicates: []string{intoto.PredicateSPDX, "https://example.com/x/v1"}, Signers: []string{keyID, "sigstore:https://issuer.example|ci@example.com"},
			Threshold: 2, Logged: true, Stamped: true, MaxAge: 30 * 24 * time.Hour,
		},
		{Name: "release", Predicates: []string{intoto.PredicateVerdict}, Decision: &attest.Decision{
			Outcomes: []verdict.Outcome{verdict.Pass, verdict.Warn}, Policies: []string{"sha256:" + keyID}, Environment: "production", MaxAge: 36 * time.Hour, Standing: true,
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestRefused: what cannot be honoured is refused, with its place.
func TestRefused(t *testing.T) {
	one := func(rest string) string { return "requirements:\n  - name: a\n    types: [vsa]\n    " + rest + "\n" }
	for _, c := range []struct{ name, text, says string }{
		{"nothing", "", "want requirements"},
		{"no mapping", "- a\n", "x:1: want members: requirements"},
		{"no requirements", "requirements: []\n", "the list is empty"},
		{"another member", "requirements:\n  - {name: a, types: [vsa]}\nrequirement: 1\n", `x:3: unknown member "requirement", did you mean requirements?`},
		{"an unknown member", one("loged: true"), `x:4: requirements[0]: unknown member "loged", did you mean logged?`},
		{"a member twice", one("logged: true\n    logged: false"), `x:5: requirements[0]: member "logged" is there twice`},
		{"no name", "requirements:\n  - types: [vsa]\n", "it needs a name"},
		{"a name twice", "requirements:\n  - {name: a, types: [vsa]}\n  - {name: a, types: [vsa]}\n", "that of the requirement in line 2"},
		{"no types", "requirements:\n  - name: a\n", "it needs types, or a verdict"},
		{"an unknown type", "requirements:\n  - {name: a, types: [sbom]}\n", "requirements[0].types"},
		{"a type that is a number", "requirements:\n  - {name: a, types: [1]}\n", "want text"},
		{"an empty list", one("signers: []"), "the list is empty"},
		{"no list", one("signers: x"), "want a list"},
		{"a short key", one("signers: [abc]"), "64 hexadecimal digits"},
		{"a key in capitals", one("signers: [" + strings.ToUpper(keyID) + "]"), "64 hexadecimal digits"},
		{"half an identity", one(`signers: ["sigstore:https://issuer.example"]`), "sigstore:ISSUER|SUBJECT"},
		{"no threshold", one("threshold: 0"), "from 1 to 64"},
		{"too many", one("threshold: 65"), "from 1 to 64"},
		{"a threshold in words", one("threshold: two"), "from 1 to 64"},
		{"yes", one("logged: yes"), "want true or false"},
		{"a word", one(`stamped: "true"`), "want true or false"},
		{"no age", one("max_age: 0s"), "a time that is not 0"},
		{"a negative age", one("max_age: -1h"), "a time that is not 0"},
		{"an endless age", one("max_age: 99999999999d"), "a time that is not 0"},
		{"an unknown outcome", "requirements:\n  - {name: a, verdict: {outcomes: [good]}}\n", `"good" is no outcome: want pass, warn`},
		{"no digest", "requirements:\n  - {name: a, verdict: {policies: [release]}}\n", "is no digest"},
		{"no environment", `requirements: [{name: a, verdict: {environment: ""}}]`, "it is empty"},
		{"another member of a verdict", "requirements:\n  - name: a\n    verdict:\n      outcome: [pass]\n", `x:4: requirements[0].verdict: unknown member "outcome", did you mean outcomes?`},
		{"a verdict of other types", one("verdict: {standing: true}"), "types are others"},
		{"an alias", "requirements:\n  - {name: a, types: &t [vsa]}\n  - {name: b, types: *t}\n", "anchors and aliases are not read"},
		{"a second document", "requirements: [{name: a, types: [vsa]}]\n---\nrequirements: []\n", "a second document"},
		{"no YAML", "requirements: [", "want requirements"},
	} {
		got, err := requirement.Parse("x", []byte(c.text))
		if !errors.Is(err, requirement.ErrInvalid) || !strings.Contains(err.Error(), c.says) || got != nil {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	if _, err := requirement.Parse("x", make([]byte, requirement.MaxDocument+1)); !errors.Is(err, requirement.ErrLimit) {
		t.Errorf("too large: %v", err)
	}
}

// TestSchema: the schema for editors has the members that are read, and no others.
func TestSchema(t *testing.T) {
	text, err := os.ReadFile("requirements.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Properties map[string]struct {
			Items      *object        `json:"items"`
			Properties map[string]any `json:"properties"`
		} `json:"properties"`
	}
	var schema object
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	members := schema.Properties["requirements"].Items.Properties
	for _, name := range []string{"name", "types", "signers", "threshold", "logged", "stamped", "max_age", "verdict"} {
		if _, ok := members[name]; !ok {
			t.Errorf("the schema has no %s", name)
		}
		if _, err := requirement.Parse("x", []byte("requirements:\n  - "+name+"x: 1\n")); err == nil || !strings.Contains(err.Error(), "did you mean "+name+"?") {
			t.Errorf("%s is not read: %v", name, err)
		}
	}
	if len(members) != 8 || len(members["verdict"].Properties) != reflect.TypeFor[attest.Decision]().NumField() {
		t.Errorf("the schema has %d members, and %d of a verdict", len(members), len(members["verdict"].Properties))
	}
}

// FuzzParse: whatever a document is, it is refused with its place, or every requirement
// asks for something.
func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(`{"requirements":[{"name":"a","types":["vsa"],"threshold":3}]}`))
	f.Add([]byte("requirements:\n  - &a {name: a, types: [vsa]}\n  - *a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := requirement.Parse("x", text)
		if err != nil {
			if list != nil || !errors.Is(err, requirement.ErrInvalid) && !errors.Is(err, requirement.ErrLimit) {
				t.Fatalf("%v, %v", list, err)
			}
			return
		}
		if len(list) == 0 {
			t.Fatal("there are none")
		}
		for _, r := range list {
			if r.Name == "" || len(r.Predicates) == 0 || slices.Contains(r.Predicates, "") || r.MaxAge < 0 || r.Threshold < 0 {
				t.Fatalf("%+v", r)
			}
		}
	})
}
