package intoto_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/attest/intoto"
)

func subject(t testing.TB, name string, digests ...string) intoto.Subject {
	t.Helper()
	s, err := intoto.NewSubject(name, digests...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The predicate stands there with its white space, its number that no double holds,
// and its own order of members; all else is in canonical order.
func TestEncode(t *testing.T) {
	s := &intoto.Statement{
		Type: intoto.TypeV1, PredicateType: intoto.PredicateOpenVEX, Predicate: []byte(`{"b": 9007199254740993, "a": 1.0}`),
		Subjects: []intoto.Subject{
			subject(t, "b", "sha256:"+hexB), {Name: "a", URI: "pkg:oci/a", Digests: map[string]string{"sha256": hexA, "gitCommit": "c0ffee", "é": "1", "\U0001f600": "2"}}, subject(t, "", "sha256:"+hexA),
		},
	}
	got, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"_type":"https://in-toto.io/Statement/v1","predicate":{"b": 9007199254740993, "a": 1.0},"predicateType":"https://openvex.dev/ns","subject":[` +
		`{"digest":{"sha256":"` + hexA + `"}},` +
		`{"digest":{"gitCommit":"c0ffee","sha256":"` + hexA + `","é":"1","😀":"2"},"name":"a","uri":"pkg:oci/a"},` +
		`{"digest":{"sha256":"` + hexB + `"},"name":"b"}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEncodeRefuses(t *testing.T) {
	good := func() *intoto.Statement {
		return &intoto.Statement{Type: intoto.TypeV1, PredicateType: "https://example.com/x", Predicate: []byte(`{}`), Subjects: []intoto.Subject{subject(t, "", "sha256:"+hexA)}}
	}
	for _, tc := range []struct {
		name   string
		break_ func(s *intoto.Statement)
		want   error
		says   string
	}{
		{"no type", func(s *intoto.Statement) { s.Type = "" }, intoto.ErrUnsupported, `encode statement: type "", want "https://in-toto.io/Statement/v1": unsupported`},
		{"older type", func(s *intoto.Statement) { s.Type = intoto.TypeV01 }, intoto.ErrUnsupported, `encode statement: type "https://in-toto.io/Statement/v0.1", want "https://in-toto.io/Statement/v1": unsupported`},
		{"no predicate type", func(s *intoto.Statement) { s.PredicateType = "" }, intoto.ErrInvalid, `encode statement: predicate type "": want a URI with its scheme in lower case: invalid input`},
		{"predicate type that is no URI", func(s *intoto.Statement) { s.PredicateType = "spdx" }, intoto.ErrInvalid, `encode statement: predicate type "spdx": want a URI with its scheme in lower case: invalid input`},
		{"predicate type in capitals", func(s *intoto.Statement) { s.PredicateType = "HTTPS://x" }, intoto.ErrInvalid, `encode statement: predicate type "HTTPS://x": want a URI with its scheme in lower case: invalid input`},
		{"predicate type that is not UTF-8", func(s *intoto.Statement) { s.PredicateType = "x:\xff" }, intoto.ErrInvalid, ""},
		{"no subject", func(s *intoto.Statement) { s.Subjects = nil }, intoto.ErrInvalid, `encode statement: it has no subject: it is about nothing: invalid input`},
		{"subject without digest", func(s *intoto.Statement) { s.Subjects[0].Digests = nil }, intoto.ErrInvalid, `encode statement: subject[0]: it has no digest: invalid input`},
		{"digest in capitals", func(s *intoto.Statement) { s.Subjects[0].Digests["sha256"] = strings.ToUpper(hexA) }, intoto.ErrInvalid, `encode statement: subject[0]: digest sha256 "` + strings.ToUpper(hexA) + `": want 64 hexadecimal digits in lower case: invalid input`},
		{"short digest", func(s *intoto.Statement) { s.Subjects[0].Digests["sha512"] = hexA }, intoto.ErrInvalid, `encode statement: subject[0]: digest sha512 "` + hexA + `": want 128 hexadecimal digits in lower case: invalid input`},
		{"digest that is not UTF-8", func(s *intoto.Statement) { s.Subjects[0].Digests["x"] = "\xff" }, intoto.ErrInvalid, ""},
		{"one subject twice", func(s *intoto.Statement) { s.Subjects = append(s.Subjects, s.Subjects[0]) }, intoto.ErrInvalid, `encode statement: subject "" stands there twice: invalid input`},
		{"too many subjects", func(s *intoto.Statement) {
			for i := range intoto.MaxSubjects {
				s.Subjects = append(s.Subjects, intoto.Subject{Digests: map[string]string{"x": fmt.Sprint(i)}})
			}
		}, intoto.ErrLimit, ""},
		{"no predicate", func(s *intoto.Statement) { s.Predicate = nil }, intoto.ErrInvalid, `encode statement: it has no predicate: it says nothing: invalid input`},
		{"null predicate", func(s *intoto.Statement) { s.Predicate = []byte("null") }, intoto.ErrInvalid, `encode statement: it has no predicate: it says nothing: invalid input`},
		{"list as predicate", func(s *intoto.Statement) { s.Predicate = []byte("[]") }, intoto.ErrInvalid, `encode statement: predicate: want an object and no white space around it: invalid input`},
		{"white space around the predicate", func(s *intoto.Statement) { s.Predicate = []byte("{}\n") }, intoto.ErrInvalid, `encode statement: predicate: want an object and no white space around it: invalid input`},
		{"predicate that adds a member", func(s *intoto.Statement) { s.Predicate = []byte(`{},"x":{}`) }, intoto.ErrInvalid, `encode statement: predicate: want one object: invalid input`},
		{"predicate that adds a subject", func(s *intoto.Statement) { s.Predicate = []byte(`{},"subject":{}`) }, intoto.ErrInvalid, ""},
		{"predicate with a name twice", func(s *intoto.Statement) { s.Predicate = []byte(`{"a":1,"a":2}`) }, intoto.ErrInvalid, ""},
		{"predicate with half a surrogate", func(s *intoto.Statement) { s.Predicate = []byte(`{"a":"\ud800"}`) }, intoto.ErrInvalid, ""},
		{"predicate with NaN", func(s *intoto.Statement) { s.Predicate = []byte(`{"a":NaN}`) }, intoto.ErrInvalid, ""},
		{"too large", func(s *intoto.Statement) {
			s.Predicate = fmt.Appendf(nil, `{"a":"%s"}`, bytes.Repeat([]byte("a"), intoto.MaxStatement))
		}, intoto.ErrLimit, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := good()
			if _, err := s.Encode(); err != nil {
				t.Fatal(err)
			}
			tc.break_(s)
			text, err := s.Encode()
			if text != nil || !errors.Is(err, tc.want) {
				t.Fatalf("got %s and %v, want %v", text, err, tc.want)
			}
			if tc.says != "" && err.Error() != tc.says {
				t.Errorf("says %s\nwant %s", err, tc.says)
			}
		})
	}
}

func TestNewSubject(t *testing.T) {
	for _, digests := range [][]string{
		nil, {""}, {hexA}, {"sha256:"}, {"sha256:" + strings.ToUpper(hexA)}, {"sha512:" + hexA}, {"md5:d41d8cd98f00b204e9800998ecf8427e"}, {"sha256:" + hexA, "sha256:" + hexB}, {"SHA256:" + hexA}, {"sha256:" + hexA + ":x"},
	} {
		if s, err := intoto.NewSubject("app", digests...); !errors.Is(err, intoto.ErrInvalid) {
			t.Errorf("%q: %v, %v", digests, s, err)
		}
	}
}

// statements draws statements that can be encoded.
func statements(t *rapid.T) *intoto.Statement {
	hex := func(n int) *rapid.Generator[string] {
		return rapid.StringMatching(fmt.Sprintf("[0-9a-f]{%d}", n))
	}
	digests := rapid.Custom(func(t *rapid.T) map[string]string {
		out := map[string]string{"sha256": hex(64).Draw(t, "sha256")}
		if rapid.Bool().Draw(t, "more") {
			out["sha512"] = hex(128).Draw(t, "sha512")
			out[rapid.StringMatching(`[a-z€-￿]{1,4}`).Draw(t, "algorithm")] = rapid.StringN(1, 9, 40).Draw(t, "value")
		}
		return out
	})
	list := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) intoto.Subject {
		return intoto.Subject{Name: rapid.StringN(0, 8, 40).Draw(t, "name"), URI: rapid.SampledFrom([]string{"", "pkg:oci/a"}).Draw(t, "uri"), Digests: digests.Draw(t, "digests")}
	}), 1, 5, func(s intoto.Subject) string {
		return s.Name + "\x00" + s.URI + fmt.Sprint(slices.Sorted(maps.Values(s.Digests)))
	}).Draw(t, "subjects")
	predicate := rapid.SampledFrom([]string{`{}`, `{"a":1}`, "{ \"b\" : [1.50, 9007199254740993],\n\"a\":\"\\u0041\"}"}).Draw(t, "predicate")
	return &intoto.Statement{Type: intoto.TypeV1, Subjects: list, PredicateType: rapid.SampledFrom(intoto.Kinds()).Draw(t, "kind").Type(), Predicate: []byte(predicate)}
}

var anyOrder = cmpopts.SortSlices(func(a, b intoto.Subject) bool { return fmt.Sprint(a) < fmt.Sprint(b) })

// What is encoded is read as the same statement, and gives the same bytes from any
// order of subjects, and again from what was read.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := statements(t)
		text, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := intoto.Decode(intoto.PayloadType, text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, got, anyOrder); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
		s.Subjects = rapid.Permutation(s.Subjects).Draw(t, "order")
		for _, from := range []*intoto.Statement{s, got} {
			if again, err := from.Encode(); err != nil || !bytes.Equal(again, text) {
				t.Fatalf("%v\n%s\n%s", err, text, again)
			}
		}
	})
}

// FuzzEncode: a predicate that is encoded is read as itself, whatever it holds.
func FuzzEncode(f *testing.F) {
	f.Add([]byte(`{}`), "https://example.com/x", "app")
	f.Add([]byte(`{},"predicate2":{}`), "x:y", "")
	f.Add([]byte(`{"a":"\ud800"}`), "https://example.com/\"", "\xff")
	f.Fuzz(func(t *testing.T, predicate []byte, typ, name string) {
		s := &intoto.Statement{Type: intoto.TypeV1, PredicateType: typ, Predicate: predicate, Subjects: []intoto.Subject{{Name: name, Digests: map[string]string{"sha256": hexA}}}}
		text, err := s.Encode()
		if err != nil {
			return
		}
		got, err := intoto.Decode(intoto.PayloadType, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(s, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
