package purl_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/purl"
)

// specTest is one case of the purl specification's own suite.
type specTest struct {
	Description string          `json:"description"`
	Group       string          `json:"test_group"` // base or advanced
	Type        string          `json:"test_type"`  // parse, build, validate
	Input       json.RawMessage `json:"input"`
	Expected    json.RawMessage `json:"expected_output"`
	Failure     bool            `json:"expected_failure"`
}

// parts is a package URL as the suite writes its components.
type parts struct {
	Type       *string           `json:"type"`
	Namespace  *string           `json:"namespace"`
	Name       *string           `json:"name"`
	Version    *string           `json:"version"`
	Qualifiers map[string]string `json:"qualifiers"`
	Subpath    *string           `json:"subpath"`
}

func (p parts) url() purl.PackageURL {
	get := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	u := purl.PackageURL{Type: get(p.Type), Namespace: get(p.Namespace), Name: get(p.Name), Version: get(p.Version), Subpath: get(p.Subpath)}
	for k, v := range p.Qualifiers {
		u.Qualifiers = append(u.Qualifiers, purl.Qualifier{Key: k, Value: v})
	}
	return u.Normalize()
}

// differing are inputs on which we differ from the suite, each with its reason.
var differing = map[string]string{
	`"pkg:gem/jruby-launcher@1.1.2?Platform=java"`: "Parse also normalises: the suite's own validate case of this input expects the canonical form, its parse case a failure",
}

func TestSpecification(t *testing.T) {
	ran := 0
	for _, pack := range []string{"conformance/purl-spec.tar.gz", "conformance/purl-type-tests.tar.gz"} {
		files := testdata.Open(t, pack)
		for _, name := range testdata.Names(files) {
			if !strings.HasPrefix(name, "tests/") || !strings.HasSuffix(name, ".json") {
				continue
			}
			var suite struct{ Tests []specTest }
			if err := json.Unmarshal(files[name], &suite); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, c := range suite.Tests {
				ran++
				if got, ok := c.run(t); !ok && differing[string(c.Input)] == "" {
					t.Errorf("%s: %s %q: input %s: got %s, want %s (failure %v)", name, c.Type, c.Description, c.Input, got, c.Expected, c.Failure)
				}
			}
		}
	}
	if ran < 200 {
		t.Errorf("only %d cases were run", ran)
	}
}

// run returns what came out and whether it is what the suite expects.
func (c specTest) run(t *testing.T) (string, bool) {
	t.Helper()
	var text, want string
	var in parts
	if json.Unmarshal(c.Input, &text) != nil {
		if err := json.Unmarshal(c.Input, &in); err != nil {
			t.Fatal(err)
		}
	}
	var u purl.PackageURL
	var err error
	if c.Type == "build" {
		u = in.url()
		err = u.Valid()
	} else {
		u, err = purl.Parse(text)
	}
	if err != nil {
		return "error " + err.Error(), c.Failure
	}
	if c.Failure {
		return u.String(), false
	}
	if json.Unmarshal(c.Expected, &want) == nil {
		return u.String(), u.String() == want
	}
	var wantParts parts
	if err := json.Unmarshal(c.Expected, &wantParts); err != nil {
		t.Fatal(err)
	}
	return u.String(), u.String() == wantParts.url().String()
}

// FuzzParse: what parses has a canonical form that parses to the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12", "pkg:npm/%40babel/core@7.0.0#sub/path", "pkg:oci/debian@sha256:244f?repository_url=ghcr.io%2Fdebian"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := purl.Parse(s)
		if err != nil {
			return
		}
		again, err := purl.Parse(u.String())
		if err != nil {
			t.Fatalf("%q parses, its canonical form %q does not: %v", s, u.String(), err)
		}
		if again.String() != u.String() {
			t.Errorf("%q: canonical form %q is not stable: %q", s, u.String(), again.String())
		}
	})
}
