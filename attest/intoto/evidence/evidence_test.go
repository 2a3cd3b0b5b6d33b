package evidence_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/evidence"
	"github.com/stella-ops/stella/attest/intoto/verdict"
)

var at = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func digest(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// whole has an item of each role, in order, and two of some.
func whole() *evidence.Evidence {
	return &evidence.Evidence{
		Schema: evidence.Schema, Image: []string{digest("1"), digest("2")}, At: at,
		Items: []evidence.Item{
			{Role: evidence.SBOM, Name: "a.json", MediaType: "application/vnd.cyclonedx+json", Digest: digest("4"), Size: 10, Included: true},
			{Role: evidence.SBOM, Name: "b.json", MediaType: "application/spdx+json", Digest: digest("3"), Included: true},
			{Role: evidence.Findings, Digest: digest("5")},
			{Role: evidence.Advisories, Digest: digest("6"), Size: evidence.MaxSize},
			{Role: evidence.VEX, Digest: digest("7")},
			{Role: evidence.VEX, Digest: digest("8")},
			{Role: evidence.Trust, Digest: digest("9")},
			{Role: evidence.Policy, Digest: digest("a")},
			{Role: evidence.Exceptions, Digest: digest("b")},
			{Role: evidence.Verdict, Name: "production", Digest: digest("c"), Included: true},
			{Role: evidence.Verdict, Name: "staging", Digest: digest("c"), Included: true},
			{Role: evidence.Trace, Digest: digest("d")},
			{Role: evidence.Statement, PredicateType: intoto.PredicateVerdict, Digest: digest("e")},
			{Role: evidence.Export, Name: "<&é\u2028>", MediaType: "application/sarif+json", Digest: digest("f")},
		},
	}
}

func schema(t testing.TB) func(text []byte) error {
	t.Helper()
	text, err := os.ReadFile("../../../docs/predicates/evidence-v1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(evidence.Schema, v); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(evidence.Schema)
	if err != nil {
		t.Fatal(err)
	}
	return func(text []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return err
		}
		return s.Validate(v)
	}
}

// Items in any order give the same bytes, which are read as what they were, satisfy
// the schema, and can be stated about the image.
func TestRoundTrip(t *testing.T) {
	want := whole()
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := schema(t)(text); err != nil {
		t.Error(err)
	}
	for seed := range uint64(50) {
		e := whole()
		r := rand.New(rand.NewPCG(seed, 0))
		r.Shuffle(len(e.Items), func(i, j int) { e.Items[i], e.Items[j] = e.Items[j], e.Items[i] })
		r.Shuffle(len(e.Image), func(i, j int) { e.Image[i], e.Image[j] = e.Image[j], e.Image[i] })
		e.Schema, e.At = "", at.In(time.FixedZone("", 3600))
		if again, err := e.Encode(); err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%v\n%s\n%s", err, text, again)
		}
	}
	s, err := evidence.New(want, digest("1"), digest("3"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := intoto.Decode(intoto.PayloadType, payload)
	if err != nil {
		t.Fatal(err)
	}
	got, err := evidence.Read(read)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

func TestRefused(t *testing.T) {
	text, err := whole().Encode()
	if err != nil {
		t.Fatal(err)
	}
	validate := schema(t)
	const open = false // the schema cannot tell
	for _, tc := range []struct {
		name, old, new string
		want           error
		schema         bool
		says           string
	}{
		{"another schema", "evidence/v1", "evidence/v2", evidence.ErrUnsupported, true, `evidence: schema "https://stella-ops.dev/schema/evidence/v2", want https://stella-ops.dev/schema/evidence/v1: unsupported`},
		{"unknown role", `"role":"policy"`, `"role":"rules"`, evidence.ErrInvalid, true, `evidence: items[7]: role "rules" is none: invalid input`},
		{"no digest", `"digest":"` + digest("5") + `",`, ``, evidence.ErrInvalid, true, `evidence: items[2]: findings: "" is no digest: invalid input`},
		{"upper-case digest", digest("a"), "sha256:" + strings.Repeat("A", 64), evidence.ErrInvalid, true, `evidence: items[7]: policy: "sha256:` + strings.Repeat("A", 64) + `" is no digest: invalid input`},
		{"other algorithm", digest("5"), "sha512:" + strings.Repeat("5", 128), evidence.ErrInvalid, true, ""},
		{"image by another algorithm", digest("1"), "md5:d41d8cd98f00b204e9800998ecf8427e", evidence.ErrInvalid, true, `evidence: image: subject "": digest "md5:d41d8cd98f00b204e9800998ecf8427e": want sha256, sha384 or sha512, a colon and hexadecimal digits: invalid input`},
		{"image twice", digest("2"), digest("1"), evidence.ErrInvalid, true, `evidence: image: ` + digest("1") + ` is there twice or out of order: invalid input`},
		{"item twice", digest("8"), digest("7"), evidence.ErrInvalid, true, `evidence: items[5]: vex ` + digest("7") + ` is there twice: invalid input`},
		{"items out of order", digest("8"), digest("6"), evidence.ErrInvalid, open, `evidence: items[5]: vex ` + digest("6") + ` is out of order: invalid input`},
		{"roles out of order", `"role":"trust"`, `"role":"findings"`, evidence.ErrInvalid, open, `evidence: items[6]: findings ` + digest("9") + ` is out of order: invalid input`},
		{"negative size", `"size":10`, `"size":-1`, evidence.ErrInvalid, true, `evidence: items[0]: sbom ` + digest("4") + `: size -1: want 0 to 1125899906842624: invalid input`},
		{"size 0 instead of none", `"size":10`, `"size":0`, evidence.ErrInvalid, true, ""},
		{"size beyond doubles", `"size":10`, `"size":9007199254740993`, evidence.ErrInvalid, true, ""},
		{"statement without predicate type", `"predicate_type":"https://stella-ops.dev/attestation/verdict/v1",`, ``, evidence.ErrInvalid, true, `evidence: items[12]: statement ` + digest("e") + `: statements have a predicate type, and nothing else has: invalid input`},
		{"predicate type of what is no statement", `"role":"statement"`, `"role":"trace"`, evidence.ErrInvalid, true, ""},
		{"included that is no", `"included":true`, `"included":false`, evidence.ErrInvalid, true, ""},
		{"no time", `"at":"2026-11-29T12:00:00Z",`, ``, evidence.ErrInvalid, true, `evidence: at: want a time in UTC: invalid input`},
		{"time elsewhere", `12:00:00Z`, `12:00:00+01:00`, evidence.ErrInvalid, true, `evidence: at: want a time in UTC: invalid input`},
		{"unknown member", `"at":`, `"annotations":{},"at":`, evidence.ErrInvalid, true, ""},
		{"member in another case", `"at":`, `"Items":[],"at":`, evidence.ErrInvalid, true, ""},
		{"member twice", `"at":`, `"at":"2026-11-29T12:00:00Z","at":`, evidence.ErrInvalid, open, ""},
		{"white space", `"at":`, `"at": `, evidence.ErrInvalid, open, `evidence: it is not in its canonical form (RFC 8785, nothing null, empty or 0 that may be absent): invalid input`},
		{"long name", `a.json`, strings.Repeat("a", evidence.MaxText+1), evidence.ErrLimit, true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			changed := []byte(strings.Replace(string(text), tc.old, tc.new, 1))
			if bytes.Equal(changed, text) {
				t.Fatalf("%s does not occur in %s", tc.old, text)
			}
			e, err := evidence.Decode(changed)
			if e != nil || !errors.Is(err, tc.want) {
				t.Fatalf("got %+v and %v, want %v", e, err, tc.want)
			}
			if tc.says != "" && err.Error() != tc.says {
				t.Errorf("says %s\nwant %s", err, tc.says)
			}
			if err := validate(changed); (err == nil) == tc.schema {
				t.Errorf("the schema says %v", err)
			}
		})
	}
	if _, err := evidence.Decode(make([]byte, evidence.MaxPredicate+1)); !errors.Is(err, evidence.ErrLimit) {
		t.Error(err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		break_ func(e *evidence.Evidence)
		want   error
	}{
		"nothing listed":  {func(e *evidence.Evidence) { e.Items = nil }, evidence.ErrInvalid},
		"about nothing":   {func(e *evidence.Evidence) { e.Image, e.Items = nil, e.Items[2:] }, evidence.ErrInvalid},
		"no time":         {func(e *evidence.Evidence) { e.At = time.Time{} }, evidence.ErrInvalid},
		"time beyond":     {func(e *evidence.Evidence) { e.At = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) }, evidence.ErrInvalid},
		"another schema":  {func(e *evidence.Evidence) { e.Schema = "x" }, evidence.ErrUnsupported},
		"not UTF-8":       {func(e *evidence.Evidence) { e.Items[0].Name = "\xff" }, evidence.ErrInvalid},
		"twice":           {func(e *evidence.Evidence) { e.Items = append(e.Items, e.Items[0]) }, evidence.ErrInvalid},
		"too much":        {func(e *evidence.Evidence) { e.Items = make([]evidence.Item, evidence.MaxItems+1) }, evidence.ErrLimit},
		"image no digest": {func(e *evidence.Evidence) { e.Image = []string{"alpine"} }, evidence.ErrInvalid},
	} {
		e := whole()
		tc.break_(e)
		if text, err := e.Encode(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}

func TestSubjects(t *testing.T) {
	for _, digests := range [][]string{nil, {digest("9")}, {digest("5")}, {"x"}, {digest("1"), digest("0")}} {
		if s, err := evidence.New(whole(), digests...); err == nil {
			t.Errorf("%q: %v", digests, s)
		}
	}
	s, err := evidence.New(whole(), digest("1"))
	if err != nil {
		t.Fatal(err)
	}
	s.PredicateType = intoto.PredicateVerdict
	if _, err := evidence.Read(s); !errors.Is(err, evidence.ErrMismatch) {
		t.Errorf("another type: %v", err)
	}
	s.PredicateType, s.Predicate = intoto.PredicateEvidence, nil
	if _, err := evidence.Read(s); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("no predicate: %v", err)
	}
}

// Each item that a verdict names is needed: without it the verdict is not bound.
func TestBinds(t *testing.T) {
	v := func() *verdict.Verdict {
		return &verdict.Verdict{
			Subject: verdict.Subject{Image: verdict.Image{Digests: []string{digest("2"), digest("1")}}}, Trace: digest("d"),
			Inputs: verdict.Inputs{SBOM: digest("3"), Report: digest("5"), Advisories: digest("6"), VEX: []string{digest("8"), digest("7")}, Trust: digest("9"), Policy: digest("a"), Exceptions: digest("b"), Subject: digest("0")},
		}
	}
	if err := whole().Binds(v(), digest("c")); err != nil {
		t.Fatal(err)
	}
	needed := 0
	for i := range whole().Items {
		e := whole()
		item := e.Items[i]
		e.Items = append(e.Items[:i], e.Items[i+1:]...)
		err := e.Binds(v(), digest("c"))
		if err == nil {
			continue
		}
		needed++
		if want := "evidence: there is no " + string(item.Role) + " " + item.Digest + ", which the verdict names: content mismatch"; err.Error() != want || !errors.Is(err, evidence.ErrMismatch) {
			t.Errorf("says %s\nwant %s", err, want)
		}
	}
	if needed != 9 { // not the other SBOM, the statement, the export, and one of two verdicts
		t.Errorf("%d items are needed", needed)
	}
	e := whole()
	e.Image = e.Image[1:]
	if err := e.Binds(v(), digest("c")); !errors.Is(err, evidence.ErrMismatch) {
		t.Errorf("another image: %v", err)
	}
	e = whole()
	e.Items[7].Digest, e.Items[8].Digest = e.Items[8].Digest, e.Items[7].Digest
	if err := e.Binds(v(), digest("c")); !errors.Is(err, evidence.ErrMismatch) {
		t.Errorf("the right digests in each other's roles: %v", err)
	}
	bare := v()
	bare.Inputs = verdict.Inputs{Report: digest("5"), Policy: digest("a"), Exceptions: digest("b")}
	if err := whole().Binds(bare, digest("c")); err != nil {
		t.Errorf("what a verdict does not name is not needed: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	text, err := whole().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"at":"2026-11-29T12:00:00Z","items":[{"digest":"` + digest("1") + `","role":"sbom"}],"schema":"https://stella-ops.dev/schema/evidence/v1"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := evidence.Decode(text)
		if err != nil {
			if !errors.Is(err, evidence.ErrInvalid) && !errors.Is(err, evidence.ErrUnsupported) && !errors.Is(err, evidence.ErrLimit) {
				t.Errorf("not a kind: %v", err)
			}
			return
		}
		again, err := e.Encode()
		if err != nil || !bytes.Equal(again, text) {
			t.Errorf("%v\n%s\n%s", err, text, again)
		}
	})
}
