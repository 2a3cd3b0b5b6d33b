package intoto_test

import (
	stdjson "encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/evidence"
	"github.com/stella-ops/stella/attest/intoto/slsa"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/attest/intoto/vulns"
)

// TestAttacks: what somebody may try with a statement, and the words in which a
// verifier that wants OpenVEX about one image refuses it.
func TestAttacks(t *testing.T) {
	const (
		head  = `{"_type":"https://in-toto.io/Statement/v1",`
		about = `"subject":[{"digest":{"sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}],`
		typ   = `"predicateType":"https://openvex.dev/ns",`
		says  = `"predicate":{"a":1}}`
	)
	known := []string{"sha256:" + hexA, "sha512:" + hexA + hexA} // of the image
	for _, tc := range []struct {
		name, payload string
		want          error
		says          string
	}{
		{"nothing is wrong", head + about + typ + says, nil, ""},
		{"extra subject", head + strings.Replace(about, `}}]`, `}},{"digest":{"sha256":"`+hexB+`"}}]`, 1) + typ + says, nil, ""}, // see Within
		{"type of another version", strings.Replace(head, "/v1", "/v2", 1) + about + typ + says, intoto.ErrUnsupported, `statement: _type "https://in-toto.io/Statement/v2", want "https://in-toto.io/Statement/v1" or "https://in-toto.io/Statement/v0.1": unsupported`},
		{"empty type", strings.Replace(head, "https://in-toto.io/Statement/v1", "", 1) + about + typ + says, intoto.ErrUnsupported, `statement: _type "", want "https://in-toto.io/Statement/v1" or "https://in-toto.io/Statement/v0.1": unsupported`},
		{"no subject", head + `"subject":[],` + typ + says, intoto.ErrInvalid, `statement: it has no subject: it is about nothing: invalid input`},
		{"subject without digest", head + `"subject":[{"name":"app"}],` + typ + says, intoto.ErrInvalid, `statement: subject[0]: it has no digest: invalid input`},
		{"empty digest", head + `"subject":[{"digest":{"sha256":""}}],` + typ + says, intoto.ErrInvalid, `statement: subject[0]: digest: an algorithm or a value is empty: invalid input`},
		{"digest in capitals", head + strings.Replace(about, hexA, strings.ToUpper(hexA), 1) + typ + says, intoto.ErrInvalid, `statement: subject[0]: digest sha256 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA": want 64 hexadecimal digits in lower case: invalid input`},
		{"algorithm in capitals", head + strings.Replace(about, "sha256", "SHA256", 1) + typ + says, intoto.ErrMismatch, `statement: none of its 1 subjects is sha256:` + hexA + `, sha512:` + hexA + hexA + `: content mismatch`},
		{"another algorithm", head + strings.Replace(about, "sha256", "blake2s", 1) + typ + says, intoto.ErrMismatch, `statement: none of its 1 subjects is sha256:` + hexA + `, sha512:` + hexA + hexA + `: content mismatch`},
		{"algorithms that disagree", head + strings.Replace(about, `}}]`, `,"sha512":"`+hexB+hexB+`"}}]`, 1) + typ + says, intoto.ErrMismatch, `statement: none of its 1 subjects is sha256:` + hexA + `, sha512:` + hexA + hexA + `: content mismatch`},
		{"another image", head + strings.Replace(about, hexA, hexB, 1) + typ + says, intoto.ErrMismatch, `statement: none of its 1 subjects is sha256:` + hexA + `, sha512:` + hexA + hexA + `: content mismatch`},
		{"another predicate type", head + about + strings.Replace(typ, "openvex.dev/ns", "spdx.dev/Document", 1) + says, intoto.ErrMismatch, `statement: predicate type "https://spdx.dev/Document", want "https://openvex.dev/ns": content mismatch`},
		{"unknown predicate type", head + about + strings.Replace(typ, "ns", "nsx", 1) + says, intoto.ErrMismatch, `statement: predicate type "https://openvex.dev/nsx", want "https://openvex.dev/ns": content mismatch`},
		{"no predicate type", head + about + says, intoto.ErrInvalid, `statement: predicateType is missing: invalid input`},
		{"null predicate type", head + about + `"predicateType":null,` + says, intoto.ErrInvalid, `statement: predicateType is missing: invalid input`},
		{"null predicate", head + about + typ + `"predicate":null}`, intoto.ErrInvalid, `statement: it has no predicate: invalid input`},
		{"no predicate", head + about + typ + `"x":1}`, intoto.ErrInvalid, `statement: it has no predicate: invalid input`},
		{"predicate that is a text", head + about + typ + `"predicate":"{}"}`, intoto.ErrInvalid, `statement: predicate: want an object: invalid input`},
		{"100 MB", head + about + typ + `"predicate":{"a":"` + strings.Repeat("a", 100<<20) + `"}}`, intoto.ErrLimit, `statement: bytes: 104857806 is over the limit of 67108864`},
		{"predicate twice", head + about + typ + `"predicate":{},` + says, intoto.ErrInvalid, `statement: jsontext: duplicate object member name "predicate": invalid input`},
		{"predicate in two cases", head + about + typ + `"Predicate":{},` + says, intoto.ErrInvalid, `statement: to readers that fold case: jsontext: duplicate object member name "predicate": invalid input`},
		{"subject in two cases", head + about + typ + `"SUBJECT":[],` + says, intoto.ErrInvalid, ``},
		{"text after it", head + about + typ + says + `{}`, intoto.ErrInvalid, ``},
		{"byte order mark", "\ufeff" + head + about + typ + says, intoto.ErrInvalid, ``},
		{"a comment", head + about + typ + `/**/` + says, intoto.ErrInvalid, ``},
		{"half a surrogate", head + about + typ + `"predicate":{"a":"\udc00"}}`, intoto.ErrInvalid, ``},
		{"deep nesting", head + about + typ + `"predicate":{"a":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}}`, intoto.ErrInvalid, ``},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := intoto.Decode(intoto.PayloadType, []byte(tc.payload))
			var predicate []byte
			if err == nil {
				predicate, err = s.Expect(intoto.PredicateOpenVEX, known...)
			}
			if !errors.Is(err, tc.want) || (err == nil) != (predicate != nil) {
				t.Fatalf("got %q, %v, want %v", predicate, err, tc.want)
			}
			if tc.says != "" && err.Error() != tc.says {
				t.Errorf("says %s\nwant %s", err, tc.says)
			}
		})
	}
}

func TestWithin(t *testing.T) {
	s := &intoto.Statement{Subjects: []intoto.Subject{{Digests: map[string]string{"sha256": hexA}}, {Digests: map[string]string{"sha256": hexB, "md5": "x"}}}}
	for _, tc := range []struct {
		digests []string
		says    string
	}{
		{[]string{"sha256:" + hexB, "sha256:" + hexA}, ""},
		{[]string{"sha256:" + hexA}, `statement: subject[1] is sha256:` + hexB + `, which its predicate is not about: content mismatch`},
		{nil, `statement: subject[0] is sha256:` + hexA + `, which its predicate is not about: content mismatch`},
	} {
		if err := s.Within(tc.digests); (err == nil) != (tc.says == "") || err != nil && (err.Error() != tc.says || !errors.Is(err, intoto.ErrMismatch)) {
			t.Errorf("%q: %v", tc.digests, err)
		}
	}
}

// A predicate is never read as another one.
func TestConfusion(t *testing.T) {
	decoders := map[intoto.Kind]func([]byte) error{
		intoto.Vulns:        func(p []byte) error { _, err := vulns.Decode(p); return err },
		intoto.Vuln:         func(p []byte) error { _, err := vulns.DecodeRecord(p); return err },
		intoto.Provenance:   func(p []byte) error { _, err := slsa.DecodeProvenance(intoto.PredicateProvenance, p); return err },
		intoto.Provenance02: func(p []byte) error { _, err := slsa.DecodeProvenance(intoto.PredicateProvenance02, p); return err },
		intoto.VSA:          func(p []byte) error { _, err := slsa.DecodeSummary(p); return err },
		intoto.Verdict:      func(p []byte) error { _, err := verdict.Decode(p); return err },
		intoto.Evidence:     func(p []byte) error { _, err := evidence.Decode(p); return err },
	}
	good := map[intoto.Kind]string{
		intoto.Vulns:        `{"metadata":{"scanFinishedOn":"2021-08-06T17:46:50Z","scanStartedOn":"2021-08-06T17:45:50Z"},"scanner":{"db":{"lastUpdate":"2021-08-06T16:45:50Z"},"result":[],"uri":"x:y"}}`,
		intoto.Vuln:         `{"metadata":{"scanFinishedOn":"2021-08-06T17:46:50Z","scanStartedOn":"2021-08-06T17:45:50Z"},"scanner":{"result":{}}}`,
		intoto.Provenance:   `{"buildDefinition":{"buildType":"x:y","externalParameters":{}},"runDetails":{"builder":{"id":"x:b"}}}`,
		intoto.Provenance02: `{"builder":{"id":"x:b"},"buildType":"x:y"}`,
		intoto.VSA:          `{"verifier":{"id":"x:v"},"resourceUri":"x:r","policy":{"uri":"x:p"},"verificationResult":"PASSED","verifiedLevels":["A"]}`,
		intoto.Evidence:     `{"at":"2026-11-29T12:00:00Z","items":[{"digest":"sha256:` + hexA + `","role":"sbom"}],"schema":"https://stella-ops.dev/schema/evidence/v1"}`,
	}
	for kind, predicate := range good {
		for as, decode := range decoders {
			// Cosign's record may hold any report, so that in-toto's is one: its statement has
			// another type.
			same := kind == as || kind == intoto.Vulns && as == intoto.Vuln
			if err := decode([]byte(predicate)); (err == nil) != same {
				t.Errorf("%s as %s: %v", kind, as, err)
			}
		}
	}
	for as, decode := range decoders {
		for _, predicate := range []string{"", "null", "{}", "[]", `""`, "{", "\xff", strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 100_000)} {
			if decode([]byte(predicate)) == nil {
				t.Errorf("%.20q as %s", predicate, as)
			}
		}
	}
}

// folding is what encoding/json reads: it folds case, and takes the last of two.
type folding struct {
	Type    string `json:"_type"`
	Subject []struct {
		Name, URI string
		Digest    map[string]string
	}
	PredicateType string
	Predicate     stdjson.RawMessage
}

// FuzzTwoReaders: what is read here, a reader that is lenient where this one is strict
// reads in the same way.
func FuzzTwoReaders(f *testing.F) {
	f.Add([]byte(text(intoto.TypeV1, `[{"name":"app","uri":"x","digest":{"sha256":"`+hexA+`"}}]`, "https://openvex.dev/ns", `,"predicate":{"a":1}`)))
	f.Add([]byte(text(intoto.TypeV1, `[{"digest":{"x":"1"},"Digest":{"x":"2"}}]`, "x", `,"Predicate":{"a":1}`)))
	f.Add([]byte(text(intoto.TypeV1, `[{"digest":{"x":"1"},"\u017fubject":1}]`, "x", `,"\u017fubject":[]`)))
	f.Fuzz(func(t *testing.T, payload []byte) {
		s, err := intoto.Decode(intoto.PayloadType, payload)
		if err != nil {
			return
		}
		var other folding
		if err := stdjson.Unmarshal(payload, &other); err != nil {
			t.Fatalf("%s: %v", payload, err)
		}
		got := &intoto.Statement{Type: other.Type, PredicateType: other.PredicateType, Predicate: other.Predicate}
		if string(got.Predicate) == "null" {
			got.Predicate = nil
		}
		for _, subject := range other.Subject {
			got.Subjects = append(got.Subjects, intoto.Subject{Name: subject.Name, URI: subject.URI, Digests: subject.Digest})
		}
		if diff := cmp.Diff(s, got); diff != "" {
			t.Errorf("%s: -ours +theirs:\n%s", payload, diff)
		}
		if !slices.IsSorted(s.Digests()) {
			t.Error("digests are not sorted")
		}
	})
}
