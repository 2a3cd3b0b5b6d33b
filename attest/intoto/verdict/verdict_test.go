package verdict_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/vex"
)

var at = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func digest(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// decided returns what package policy decides, by what is special about the inputs.
func decided(t testing.TB) map[string]*policy.Result {
	t.Helper()
	engine, err := policy.Compile(&policy.Policy{
		ID: "release", Version: 3, Semantics: policy.Semantics,
		Gates: policy.Gates{Threshold: policy.Threshold{Block: finding.Critical, Warn: finding.Medium}},
		Rules: []policy.Rule{{ID: "secrets", About: policy.AboutSecret, Action: policy.ActionWarn, Because: "everybody has it"}},
	}, &policy.Options{Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	found := func(severities ...finding.Severity) (out []finding.Finding) {
		for i, s := range severities {
			out = append(out, finding.Finding{Package: fmt.Sprint("p", i), Name: "zlib1g", Version: "1.2.13", Vulnerability: fmt.Sprint("CVE-2023-", i), Severity: s})
		}
		return out
	}
	full := func() *policy.Inputs {
		return &policy.Inputs{
			Subject: policy.Subject{
				Image: vex.Image{Digests: []string{digest("1"), digest("2")}, Names: []string{"example.com/app:1"}, CPEs: []string{"cpe:/a:x"}}, Name: "app <&é\u2028>", Base: []string{"debian:12"}, BaseLayers: 1,
				Labels: map[string]string{"b": "1", "a": ""}, Created: "2026-01-01T00:00:00Z", OS: "debian-12", Layers: []string{digest("3")},
			},
			Environment: "production", Controls: []string{"waf"}, At: at.In(time.FixedZone("", 7200)), Signals: []string{"kev"},
			Looked:  sbom.Looked{Secrets: true},
			Digests: policy.Digests{SBOM: digest("4"), Advisories: digest("5"), VEX: []string{digest("6"), digest("7")}},
			Exceptions: []policy.Exception{{
				ID: "e", Effect: policy.Defer, Owner: "o", Reason: "r", Created: at.Add(-time.Hour), Expires: at.Add(time.Hour).In(time.FixedZone("", 3600)),
				Scope: policy.ExceptionScope{Vulnerabilities: []string{"CVE-2023-1"}},
			}},
		}
	}
	out := map[string]*policy.Result{}
	for name, change := range map[string]func(in *policy.Inputs){
		"a secret":   func(in *policy.Inputs) { in.Secrets = []sbom.Secret{{Rule: "aws", Path: "x"}} },
		"not looked": func(in *policy.Inputs) { in.Looked.Secrets = false },
		"pass":       func(in *policy.Inputs) { in.Findings = found(finding.Low) },
		"nothing":    func(*policy.Inputs) {},
		"warn":       func(in *policy.Inputs) { in.Findings = found(finding.Low, finding.High) },
		"deferred":   func(in *policy.Inputs) { in.Findings = found(finding.Low, finding.Critical) },
		"block":      func(in *policy.Inputs) { in.Findings = found(finding.Critical, finding.High, finding.None) },
		"unknown":    func(in *policy.Inputs) { in.Findings = found("") },
		"gap":        func(in *policy.Inputs) { in.Gaps = []sbom.Gap{{Where: "x", What: "y", Blocking: true}} },
		"no data":    func(in *policy.Inputs) { in.Digests.Advisories, in.Digests.VEX = "", nil },
		"no SBOM":    func(in *policy.Inputs) { in.Digests.SBOM = "" },
		"no image":   func(in *policy.Inputs) { in.Subject = policy.Subject{Name: "folder"} },
		"believes":   func(in *policy.Inputs) { in.Judge, in.Findings = new(vex.Judge), found(finding.High) },
		"bare as such": func(in *policy.Inputs) {
			*in = policy.Inputs{At: at, Digests: policy.Digests{SBOM: digest("8")}, Looked: sbom.Looked{Secrets: true}}
		},
	} {
		in := full()
		change(in)
		r, err := engine.Evaluate(in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = r
	}
	return out
}

func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("../../../docs/predicates/verdict-v1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(verdict.Schema, v); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(verdict.Schema)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(s *jsonschema.Schema, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// Verdicts of package policy are read as what they are, satisfy the schema, and can be
// stated about what they name. Reading loses nothing: there is one form, and two
// packages that describe it.
func TestReal(t *testing.T) {
	s, outcomes := schema(t), map[policy.Outcome]bool{}
	for name, r := range decided(t) {
		t.Run(name, func(t *testing.T) {
			outcomes[r.Verdict.Outcome] = true
			v, err := verdict.Decode(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(s, r.Body); err != nil {
				t.Errorf("%s\n%v", r.Body, err)
			}
			again, err := json.Marshal(v, json.Deterministic(true))
			if err == nil {
				err = (*jsontext.Value)(&again).Canonicalize()
			}
			if diff := cmp.Diff(string(r.Body), string(again)); err != nil || diff != "" {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
			if v.Outcome.Allows() != r.Verdict.Outcome.Allows() || sum.Of(r.Body) != r.Verdict.Digest() {
				t.Errorf("%+v", v)
			}
			statement, err := verdict.New(r.Body, v.Named()...)
			if err != nil {
				t.Fatal(err)
			}
			payload, err := statement.Encode()
			if err != nil {
				t.Fatal(err)
			}
			read, err := intoto.Decode(intoto.PayloadType, payload)
			if err != nil {
				t.Fatal(err)
			}
			got, err := verdict.Read(read)
			if diff := cmp.Diff(v, got); err != nil || diff != "" {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
			if !bytes.Equal(read.Predicate, r.Body) {
				t.Error("the predicate is not the verdict byte for byte")
			}
		})
	}
	for _, o := range []policy.Outcome{policy.Pass, policy.Warn, policy.NotAssessed, policy.Block} {
		if !outcomes[o] {
			t.Errorf("no verdict is %s", o)
		}
	}
}

// TestSameForm: the two packages name the same members.
func TestSameForm(t *testing.T) {
	if diff := cmp.Diff(form(reflect.TypeFor[policy.Verdict]()), form(reflect.TypeFor[verdict.Verdict]())); diff != "" {
		t.Errorf("-policy +verdict:\n%s", diff)
	}
	if verdict.Schema != policy.VerdictSchema {
		t.Error("the schemas differ")
	}
}

// form lists the tags of a struct and of those in it.
func form(t reflect.Type) (out []string) {
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return []string{t.Kind().String()}
	}
	for i := range t.NumField() {
		f := t.Field(i)
		for _, inner := range form(f.Type) {
			out = append(out, f.Tag.Get("json")+"/"+inner)
		}
	}
	return out
}

// Members, in the order of the form, are changed one by one: each change is refused by
// the reader, and by the schema where it can tell.
func TestRefused(t *testing.T) {
	body := string(decided(t)["warn"].Body)
	s := schema(t)
	const open = false // the schema cannot tell
	for _, tc := range []struct {
		name, old, new string
		want           error
		schema         bool
		says           string
	}{
		{"another schema", "schema/verdict/v1", "schema/verdict/v2", verdict.ErrUnsupported, true, `verdict: schema "https://stella-ops.dev/schema/verdict/v2", want https://stella-ops.dev/schema/verdict/v1: unsupported`},
		{"no schema", `"schema":"https://stella-ops.dev/schema/verdict/v1",`, ``, verdict.ErrUnsupported, true, `verdict: schema "", want https://stella-ops.dev/schema/verdict/v1: unsupported`},
		{"unknown outcome", `"outcome":"warn"`, `"outcome":"warned"`, verdict.ErrInvalid, true, `verdict: outcome "warned" is none: invalid input`},
		{"no outcome", `"outcome":"warn",`, ``, verdict.ErrInvalid, true, `verdict: outcome "" is none: invalid input`},
		{"better outcome", `"outcome":"warn"`, `"outcome":"pass"`, verdict.ErrInvalid, true, `verdict: outcome pass, and 1 findings are warn: invalid input`},
		{"finding less", `"findings":2`, `"findings":1`, verdict.ErrInvalid, open, `verdict: counts: the outcomes are of more than 1 findings: invalid input`},
		{"finding more", `"findings":2`, `"findings":3`, verdict.ErrInvalid, open, `verdict: counts: the outcomes are of 2 of 3 findings: invalid input`},
		{"blocked finding", `"block":0,"error":0,"findings":2`, `"block":1,"error":0,"findings":3`, verdict.ErrInvalid, true, `verdict: outcome warn, and 1 findings are block: invalid input`},
		{"failed finding", `"error":0,"findings":2`, `"error":1,"findings":3`, verdict.ErrInvalid, true, `verdict: outcome warn, and 1 findings are error: invalid input`},
		{"negative count", `"not_assessed":0`, `"not_assessed":-1`, verdict.ErrInvalid, true, `verdict: counts: not_assessed is -1: invalid input`},
		{"count that is no integer", `"warn":1`, `"warn":1.5`, verdict.ErrInvalid, true, ""},
		{"blocked item", `"gaps":0`, `"gaps":0,"items":{"block":1,"error":0,"not_assessed":0,"pass":0,"warn":0}`, verdict.ErrInvalid, true, `verdict: outcome warn, and 1 items are block: invalid input`},
		{"negative items", `"gaps":0`, `"gaps":0,"items":{"block":0,"error":0,"not_assessed":0,"pass":-1,"warn":1}`, verdict.ErrInvalid, true, `verdict: counts: pass is -1 of items: invalid input`},
		{"negative gaps", `"gaps":0`, `"gaps":-1`, verdict.ErrInvalid, true, `verdict: counts: gaps is -1: invalid input`},
		{"no advisories", `"advisories":"` + digest("5") + `",`, ``, verdict.ErrInvalid, true, `verdict: outcome warn, and there was no advisory data: invalid input`},
		{"time elsewhere", `"at":"2026-11-29T12:00:00Z"`, `"at":"2026-11-29T14:00:00+02:00"`, verdict.ErrInvalid, true, `verdict: at: want a time in UTC: invalid input`},
		{"no time", `"at":"2026-11-29T12:00:00Z",`, ``, verdict.ErrInvalid, true, `verdict: at: want a time in UTC: invalid input`},
		{"time that is none", `"at":"2026-11-29T12:00:00Z"`, `"at":"2026-11-31T12:00:00Z"`, verdict.ErrInvalid, true, ""},
		{"no policy", `"id":"release"`, `"id":""`, verdict.ErrInvalid, true, `verdict: policy: want an id, and a version of 1 or more: invalid input`},
		{"policy without version", `"version":3`, `"version":0`, verdict.ErrInvalid, true, `verdict: policy: want an id, and a version of 1 or more: invalid input`},
		{"no semantics", `"semantics":1`, `"semantics":0`, verdict.ErrInvalid, true, `verdict: engine: semantics 0, want 1 or more: invalid input`},
		{"upper-case digest", digest("6"), "sha256:" + strings.Repeat("A", 64), verdict.ErrInvalid, true, `verdict: inputs: vex[0] "sha256:` + strings.Repeat("A", 64) + `" is no digest: invalid input`},
		{"short digest", digest("4"), "sha256:44", verdict.ErrInvalid, true, `verdict: inputs: sbom "sha256:44" is no digest: invalid input`},
		{"other algorithm", digest("5"), "md5:d41d8cd98f00b204e9800998ecf8427e", verdict.ErrInvalid, true, `verdict: inputs: advisories "md5:d41d8cd98f00b204e9800998ecf8427e" is no digest: invalid input`},
		{"image by another algorithm", digest("1"), "md5:d41d8cd98f00b204e9800998ecf8427e", verdict.ErrInvalid, true, ""},
		{"unknown member", `"environment":`, `"env":"x","environment":`, verdict.ErrInvalid, true, ""},
		{"member in another case", `"counts":`, `"Outcome":"block","counts":`, verdict.ErrInvalid, true, ""},
		{"member twice", `"counts":`, `"outcome":"pass","counts":`, verdict.ErrInvalid, open, ""},
		{"empty instead of absent", `"environment":"production"`, `"environment":""`, verdict.ErrInvalid, open, ""},
		{"empty list instead of none", `"base":["debian:12"]`, `"base":[]`, verdict.ErrInvalid, true, ""},
		{"null instead of absent", `"base":["debian:12"]`, `"base":null`, verdict.ErrInvalid, true, ""},
		{"time in another form", `"at":"2026-11-29T12:00:00Z"`, `"at":"2026-11-29T12:00:00.000Z"`, verdict.ErrInvalid, open, ""},
		{"white space", `"counts":`, `"counts": `, verdict.ErrInvalid, open, `verdict: it is not in its canonical form (RFC 8785, nothing null, empty or 0 that may be absent): invalid input`},
		{"number in another form", `"findings":2`, `"findings":2e0`, verdict.ErrInvalid, open, ""},
		{"escape", `"environment":"production"`, `"environment":"\u0070roduction"`, verdict.ErrInvalid, open, `verdict: it is not in its canonical form (RFC 8785, nothing null, empty or 0 that may be absent): invalid input`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := strings.Replace(body, tc.old, tc.new, 1)
			if text == body {
				t.Fatalf("%s does not occur in %s", tc.old, body)
			}
			v, err := verdict.Decode([]byte(text))
			if v != nil || !errors.Is(err, tc.want) {
				t.Fatalf("got %+v and %v, want %v", v, err, tc.want)
			}
			if tc.says != "" && err.Error() != tc.says {
				t.Errorf("says %s\nwant %s", err, tc.says)
			}
			if err := validate(s, []byte(text)); (err == nil) == tc.schema {
				t.Errorf("the schema says %v", err)
			}
		})
	}
}

// Digests that must be there are required one by one.
func TestRequired(t *testing.T) {
	body := decided(t)["warn"].Body
	s := schema(t)
	for _, member := range []string{"report", "policy", "exceptions", "subject", "trace"} {
		var v map[string]any
		if err := json.Unmarshal(body, &v); err != nil {
			t.Fatal(err)
		}
		if member == "trace" {
			delete(v, member)
		} else {
			delete(v["inputs"].(map[string]any), member)
		}
		text, err := json.Marshal(v)
		if err == nil {
			err = (*jsontext.Value)(&text).Canonicalize()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verdict.Decode(text); !errors.Is(err, verdict.ErrInvalid) || !strings.Contains(err.Error(), member) {
			t.Errorf("without %s: %v", member, err)
		}
		if validate(s, text) == nil {
			t.Errorf("the schema takes it without %s", member)
		}
	}
}

func TestNothingNamed(t *testing.T) {
	text := bytes.Replace(decided(t)["bare as such"].Body, []byte(`,"sbom":"`+digest("8")+`"`), nil, 1)
	_, err := verdict.Decode(text)
	if want := "verdict: it names neither an image nor an SBOM by digest: it is about nothing: invalid input"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if validate(schema(t), text) == nil {
		t.Error("the schema takes it")
	}
}

func TestTooLarge(t *testing.T) {
	if _, err := verdict.Decode(make([]byte, verdict.MaxPredicate+1)); !errors.Is(err, verdict.ErrLimit) {
		t.Error(err)
	}
}

// A statement is about what its verdict names: an extra subject has no verdict.
func TestSubjects(t *testing.T) {
	body := decided(t)["pass"].Body
	good, err := verdict.New(body, digest("1"), digest("4"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		break_ func(s *intoto.Statement)
		want   error
		says   string
	}{
		{"extra subject", func(s *intoto.Statement) {
			s.Subjects = append(s.Subjects, intoto.Subject{Digests: map[string]string{"sha256": strings.Repeat("9", 64)}})
		}, verdict.ErrMismatch, `verdict: statement: subject[2] is ` + digest("9") + `, which its predicate is not about: content mismatch`},
		{"a second digest of a subject", func(s *intoto.Statement) {
			s.Subjects[0] = intoto.Subject{Digests: map[string]string{"sha256": strings.Repeat("1", 64), "sha512": strings.Repeat("9", 128)}}
		}, verdict.ErrMismatch, `verdict: statement: subject[0] is sha512:` + strings.Repeat("9", 128) + `, which its predicate is not about: content mismatch`},
		{"subject by another algorithm", func(s *intoto.Statement) {
			s.Subjects[0] = intoto.Subject{Digests: map[string]string{"md5": "x"}}
		}, verdict.ErrMismatch, `verdict: statement: subject[0] has no digest by SHA-2: content mismatch`},
		{"no subject", func(s *intoto.Statement) { s.Subjects = nil }, verdict.ErrMismatch, `verdict: statement: it has no subject: it is about nothing: content mismatch`},
		{"another predicate type", func(s *intoto.Statement) { s.PredicateType = intoto.PredicateVSA }, verdict.ErrMismatch, `verdict: statement: predicate type "https://slsa.dev/verification_summary/v1", want "https://stella-ops.dev/attestation/verdict/v1": content mismatch`},
		{"no predicate", func(s *intoto.Statement) { s.Predicate = nil }, verdict.ErrInvalid, `verdict: statement: it has no predicate: invalid input`},
		{"empty predicate", func(s *intoto.Statement) { s.Predicate = []byte("{}") }, verdict.ErrUnsupported, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := *good
			s.Subjects = append([]intoto.Subject{}, good.Subjects...)
			tc.break_(&s)
			v, err := verdict.Read(&s)
			if v != nil || !errors.Is(err, tc.want) {
				t.Fatalf("got %v and %v, want %v", v, err, tc.want)
			}
			if tc.says != "" && err.Error() != tc.says {
				t.Errorf("says %s\nwant %s", err, tc.says)
			}
		})
	}
	for _, digests := range [][]string{nil, {digest("9")}, {"x"}, {digest("3")}} {
		if s, err := verdict.New(body, digests...); err == nil {
			t.Errorf("%q: %v", digests, s)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range decided(f) {
		f.Add(r.Body)
	}
	s := schema(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := verdict.Decode(text)
		if err != nil {
			if !errors.Is(err, verdict.ErrInvalid) && !errors.Is(err, verdict.ErrUnsupported) && !errors.Is(err, verdict.ErrLimit) {
				t.Errorf("not a kind: %v", err)
			}
			return
		}
		if err := validate(s, text); err != nil { // what is read satisfies the schema
			t.Errorf("%s\n%v", text, err)
		}
		if _, err := policy.DecodeVerdict(text); err != nil {
			t.Errorf("policy: %v", err)
		}
		if _, err := verdict.New(text, v.Named()[0]); err != nil {
			t.Error(err)
		}
	})
}
