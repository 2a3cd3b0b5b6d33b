package intoto_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/testdata"
)

var (
	hexA = strings.Repeat("a", 64)
	hexB = strings.Repeat("b", 64)
)

// text makes a statement of JSON members.
func text(typ, subject, predicateType, rest string) string {
	return fmt.Sprintf(`{"_type":%q,"subject":%s,"predicateType":%q%s}`, typ, subject, predicateType, rest)
}

func one(digest string) string { return `[{"name":"app","digest":` + digest + `}]` }

func TestDecode(t *testing.T) {
	payload := `{"_type":"https://in-toto.io/Statement/v1","subject":[
		{"name":"app","digest":{"sha256":"` + hexA + `","md5":"x"},"annotations":{"a":[1]}},
		{"uri":"pkg:oci/app","digest":{"gitCommit":"c0ffee"}}],
		"predicateType":"https://openvex.dev/ns/v0.2.0","predicate": {"b": 1, "a":2.50},"later":null}`
	got, err := intoto.Decode(intoto.PayloadType, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	want := &intoto.Statement{
		Type: intoto.TypeV1,
		Subjects: []intoto.Subject{
			{Name: "app", Digests: map[string]string{"sha256": hexA, "md5": "x"}},
			{URI: "pkg:oci/app", Digests: map[string]string{"gitCommit": "c0ffee"}},
		},
		PredicateType: "https://openvex.dev/ns/v0.2.0",
		Predicate:     []byte(`{"b": 1, "a":2.50}`), // as it stands there
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"sha256:" + hexA}, got.Digests()); diff != "" {
		t.Errorf("digests: -want +got:\n%s", diff)
	}
}

func TestAbout(t *testing.T) {
	s, err := intoto.Decode(intoto.PayloadType, []byte(text(intoto.TypeV01, one(`{"sha256":"`+hexA+`","sha1":"`+hexB+`","sha256x":"`+hexB+`"}`), "x", "")))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		digests []string
		want    bool
	}{
		{[]string{"sha256:" + hexA}, true},
		{[]string{"sha256:" + hexB, "sha256:" + hexA}, true},
		{[]string{"sha256:" + hexB}, false},
		{[]string{"sha1:" + hexB}, false},    // nobody should believe it
		{[]string{"sha256x:" + hexB}, false}, // nor what is not known
		{[]string{"sha512:" + hexA}, false},
		{[]string{hexA}, false},
		{[]string{""}, false},
		{[]string{"sha512:"}, false}, // a digest that is not there is not an empty one
		{nil, false},
		{[]string{"sha256:" + hexA, "sha512:" + hexB + hexB}, true}, // nothing is said about the other
	} {
		if got := s.About(tc.digests...); got != tc.want {
			t.Errorf("About(%q) = %v", tc.digests, got)
		}
	}
}

// A subject that agrees by one algorithm and not by another is not that thing.
func TestDisagreement(t *testing.T) {
	s, err := intoto.Decode(intoto.PayloadType, []byte(text(intoto.TypeV1, `[{"digest":{"sha256":"`+hexA+`","sha512":"`+hexA+hexA+`","md5":"x"}},{"digest":{"sha256":"`+hexB+`"}}]`, "x", "")))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		digests []string
		want    bool
	}{
		{[]string{"sha256:" + hexA}, true},
		{[]string{"sha512:" + hexA + hexA}, true},
		{[]string{"sha256:" + hexA, "sha512:" + hexA + hexA}, true},
		{[]string{"sha256:" + hexA, "sha512:" + hexB + hexB}, false},
		{[]string{"sha512:" + hexB + hexB, "sha256:" + hexA}, false},
		{[]string{"sha256:" + strings.Repeat("c", 64), "sha512:" + hexA + hexA}, false},
		{[]string{"sha256:" + hexB, "sha512:" + hexB + hexB}, true}, // the other subject
		{[]string{"sha256:" + hexA, "md5:y"}, true},                 // nobody compares by it
		{[]string{"sha256:" + hexA, "sha256:" + strings.Repeat("c", 64)}, true},
	} {
		if got := s.About(tc.digests...); got != tc.want {
			t.Errorf("About(%q) = %v", tc.digests, got)
		}
	}
}

func TestExpect(t *testing.T) {
	decode := func(rest string) *intoto.Statement {
		s, err := intoto.Decode(intoto.PayloadType, []byte(text(intoto.TypeV1, one(`{"sha256":"`+hexA+`"}`), "https://openvex.dev/ns/v0.2.0", rest)))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, tc := range []struct {
		name, typ, digest, rest string
		want                    error
		says                    string
	}{
		{"same", intoto.PredicateOpenVEX, hexA, `,"predicate":{"a":1}`, nil, ""},
		{"another type", intoto.PredicateCycloneDX, hexA, `,"predicate":{}`, intoto.ErrMismatch, `statement: predicate type "https://openvex.dev/ns/v0.2.0", want "https://cyclonedx.org/bom": content mismatch`},
		{"no type asked for", "", hexA, `,"predicate":{}`, intoto.ErrMismatch, `statement: predicate type "https://openvex.dev/ns/v0.2.0", want "": content mismatch`},
		{"another thing", intoto.PredicateOpenVEX, hexB, `,"predicate":{}`, intoto.ErrMismatch, `statement: none of its 1 subjects is sha256:` + hexB + `: content mismatch`},
		{"null predicate", intoto.PredicateOpenVEX, hexA, `,"predicate":null`, intoto.ErrInvalid, `statement: it has no predicate: invalid input`},
		{"no predicate", intoto.PredicateOpenVEX, hexA, ``, intoto.ErrInvalid, `statement: it has no predicate: invalid input`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := decode(tc.rest).Expect(tc.typ, "sha256:"+tc.digest)
			if !errors.Is(err, tc.want) || (err == nil) != (string(got) == `{"a":1}`) {
				t.Fatalf("got %q, %v", got, err)
			}
			if err != nil && err.Error() != tc.says {
				t.Errorf("says %s\nwant %s", err, tc.says)
			}
		})
	}
	if _, err := decode(`,"predicate":{}`).Expect(intoto.PredicateOpenVEX); !errors.Is(err, intoto.ErrMismatch) {
		t.Errorf("about nothing: %v", err)
	}
}

func TestPredicate(t *testing.T) {
	for rest, want := range map[string]string{
		"": "", `,"predicate":null`: "", `,"predicate":{}`: "{}", `,"predicate":{"a":"é"}`: `{"a":"é"}`,
	} {
		s, err := intoto.Decode(intoto.PayloadType, []byte(text(intoto.TypeV1, one(`{"sha256":"`+hexA+`"}`), "x", rest)))
		if err != nil || string(s.Predicate) != want {
			t.Errorf("%s: got %q, %v", rest, s.Predicate, err)
		}
	}
}

func TestRefused(t *testing.T) {
	good := one(`{"sha256":"` + hexA + `"}`)
	many := strings.Repeat(`{"digest":{"x":"y"}},`, intoto.MaxSubjects)
	var digests []string
	for i := range intoto.MaxDigests + 1 {
		digests = append(digests, fmt.Sprintf(`"x%d":"y"`, i))
	}
	long := strings.Repeat("n", intoto.MaxName+1)
	for _, tc := range []struct {
		name, typ, payload string
		want               error
		says               string
	}{
		{"payload type", "application/json", text(intoto.TypeV1, good, "x", ""), intoto.ErrUnsupported, "payload type"},
		{"payload type of another case", "application/vnd.in-toto+JSON", text(intoto.TypeV1, good, "x", ""), intoto.ErrUnsupported, "payload type"},
		{"payload type with a parameter", intoto.PayloadType + "; charset=utf-8", text(intoto.TypeV1, good, "x", ""), intoto.ErrUnsupported, "payload type"},
		{"no payload type", "-", text(intoto.TypeV1, good, "x", ""), intoto.ErrUnsupported, "payload type"},
		{"nothing", "", "", intoto.ErrInvalid, "statement"},
		{"null", "", "null", intoto.ErrInvalid, "want an object"},
		{"list", "", "[]", intoto.ErrInvalid, "statement"},
		{"text after it", "", text(intoto.TypeV1, good, "x", "") + "{}", intoto.ErrInvalid, "statement"},
		{"cut short", "", `{"_type":"`, intoto.ErrInvalid, "statement"},
		{"two types", "", text(intoto.TypeV1, good, "x", `,"_type":"`+intoto.TypeV1+`"`), intoto.ErrInvalid, "duplicate"},
		{"two subjects members", "", text(intoto.TypeV1, good, "x", `,"subject":[]`), intoto.ErrInvalid, "duplicate"},
		{"two predicates", "", text(intoto.TypeV1, good, "x", `,"predicate":{},"predicate":{}`), intoto.ErrInvalid, "duplicate"},
		{"twice within the predicate", "", text(intoto.TypeV1, good, "x", `,"predicate":{"a":1,"a":2}`), intoto.ErrInvalid, "duplicate"},
		{"two digests of one name", "", text(intoto.TypeV1, one(`{"sha256":"`+hexA+`","sha256":"`+hexB+`"}`), "x", ""), intoto.ErrInvalid, "duplicate"},
		{"not UTF-8", "", text(intoto.TypeV1, one("{\"x\":\"\xff\"}"), "x", ""), intoto.ErrInvalid, "UTF-8"},
		{"no type", "", `{"subject":` + good + `,"predicateType":"x"}`, intoto.ErrInvalid, "_type is missing"},
		{"type of another case", "", `{"_Type":"` + intoto.TypeV1 + `","subject":` + good + `,"predicateType":"x"}`, intoto.ErrInvalid, "readers that fold the case"},
		{"subject in another case", "", text(intoto.TypeV1, good, "x", `,"Subject":[]`), intoto.ErrInvalid, `duplicate`},
		{"predicate in another case", "", text(intoto.TypeV1, good, "x", `,"predicate":{},"PREDICATE":{"a":1}`), intoto.ErrInvalid, `duplicate`},
		{"predicate type in another case", "", text(intoto.TypeV1, good, "x", `,"predicatetype":"y"`), intoto.ErrInvalid, `duplicate`},
		{"subject with a letter that folds", "", text(intoto.TypeV1, good, "x", `,"\u017fubject":[]`), intoto.ErrInvalid, `duplicate`},
		{"digest in another case", "", text(intoto.TypeV1, `[{"digest":{"sha256":"`+hexA+`"},"Digest":{"sha256":"`+hexB+`"}}]`, "x", ""), intoto.ErrInvalid, `duplicate`},
		{"later type", "", text("https://in-toto.io/Statement/v2", good, "x", ""), intoto.ErrUnsupported, "Statement/v2"},
		{"minor type", "", text("https://in-toto.io/Statement/v1.1", good, "x", ""), intoto.ErrUnsupported, "Statement/v1.1"},
		{"type over http", "", text("http://in-toto.io/Statement/v1", good, "x", ""), intoto.ErrUnsupported, "want"},
		{"no predicate type", "", `{"_type":"` + intoto.TypeV1 + `","subject":` + good + `}`, intoto.ErrInvalid, "predicateType is missing"},
		{"empty predicate type", "", text(intoto.TypeV1, good, "", ""), intoto.ErrInvalid, "predicateType is missing"},
		{"no subject", "", `{"_type":"` + intoto.TypeV1 + `","predicateType":"x"}`, intoto.ErrInvalid, "no subject"},
		{"null subject", "", text(intoto.TypeV1, "null", "x", ""), intoto.ErrInvalid, "no subject"},
		{"empty subject", "", text(intoto.TypeV1, "[]", "x", ""), intoto.ErrInvalid, "no subject"},
		{"subject that is none", "", text(intoto.TypeV1, `["a"]`, "x", ""), intoto.ErrInvalid, "statement"},
		{"subject without a digest", "", text(intoto.TypeV1, `[{"name":"a"}]`, "x", ""), intoto.ErrInvalid, "subject[0]: it has no digest"},
		{"second without a digest", "", text(intoto.TypeV1, `[{"digest":{"x":"y"}},{"digest":{}}]`, "x", ""), intoto.ErrInvalid, "subject[1]: it has no digest"},
		{"digest in upper case", "", text(intoto.TypeV1, one(`{"sha256":"`+strings.ToUpper(hexA)+`"}`), "x", ""), intoto.ErrInvalid, "lower case"},
		{"short digest", "", text(intoto.TypeV1, one(`{"sha256":"abc"}`), "x", ""), intoto.ErrInvalid, "64 hexadecimal"},
		{"digest of another length", "", text(intoto.TypeV1, one(`{"sha512":"`+hexA+`"}`), "x", ""), intoto.ErrInvalid, "128 hexadecimal"},
		{"digest with its algorithm", "", text(intoto.TypeV1, one(`{"sha256":"sha256:`+hexA+`"}`), "x", ""), intoto.ErrInvalid, "64 hexadecimal"},
		{"empty digest", "", text(intoto.TypeV1, one(`{"x":""}`), "x", ""), intoto.ErrInvalid, "empty"},
		{"digest without a name", "", text(intoto.TypeV1, one(`{"":"x"}`), "x", ""), intoto.ErrInvalid, "empty"},
		{"digest that is a number", "", text(intoto.TypeV1, one(`{"sha256":1}`), "x", ""), intoto.ErrInvalid, "statement"},
		{"predicate that is a text", "", text(intoto.TypeV1, good, "x", `,"predicate":"e30="`), intoto.ErrInvalid, "want an object"},
		{"predicate that is a list", "", text(intoto.TypeV1, good, "x", `,"predicate":[]`), intoto.ErrInvalid, "want an object"},
		{"too large", "", strings.Repeat(" ", intoto.MaxStatement+1), intoto.ErrLimit, "bytes"},
		{"too many subjects", "", text(intoto.TypeV1, "["+many+`{"digest":{"x":"y"}}]`, "x", ""), intoto.ErrLimit, "subjects"},
		{"too many digests", "", text(intoto.TypeV1, one("{"+strings.Join(digests, ",")+"}"), "x", ""), intoto.ErrLimit, "digests"},
		{"long name", "", text(intoto.TypeV1, `[{"name":"`+long+`","digest":{"x":"y"}}]`, "x", ""), intoto.ErrLimit, "name"},
		{"long uri", "", text(intoto.TypeV1, `[{"uri":"`+long+`","digest":{"x":"y"}}]`, "x", ""), intoto.ErrLimit, "uri"},
		{"long algorithm", "", text(intoto.TypeV1, one(`{"`+long+`":"y"}`), "x", ""), intoto.ErrLimit, "algorithm"},
		{"long digest", "", text(intoto.TypeV1, one(`{"x":"`+long+`"}`), "x", ""), intoto.ErrLimit, "digest x"},
		{"long predicate type", "", text(intoto.TypeV1, good, long, ""), intoto.ErrLimit, "predicateType"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			typ := tc.typ
			switch typ {
			case "":
				typ = intoto.PayloadType
			case "-":
				typ = ""
			}
			s, err := intoto.Decode(typ, []byte(tc.payload))
			if !errors.Is(err, tc.want) || s != nil {
				t.Fatalf("got %v and %v, want %v", s, err, tc.want)
			}
			if !strings.Contains(err.Error(), tc.says) || len(err.Error()) > 1000 {
				t.Errorf("the error does not say %q: %v", tc.says, err)
			}
		})
	}
}

// TestPublished reads the statements that the specification shows, with their
// placeholders filled in.
func TestPublished(t *testing.T) {
	files := testdata.Open(t, "conformance/in-toto.tar.gz")
	block := regexp.MustCompile("(?s)```jsonc?\n(.*?)```")
	comment := regexp.MustCompile(`(?m)(^|\s)//.*$`)
	digest := regexp.MustCompile(`("sha256":\s*)"[^"]*"`)
	ellipsis := regexp.MustCompile(`(,?\s*)\.\.\.(,?)`)
	comma := regexp.MustCompile(`,(\s*[}\]])`)
	read, refused := 0, 0
	for _, name := range testdata.Names(files) {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		for _, m := range block.FindAllStringSubmatch(string(files[name]), -1) {
			if !strings.Contains(m[1], `"_type": "https://in-toto.io/Statement/v`) {
				continue
			}
			text := comment.ReplaceAllString(m[1], "")
			text = digest.ReplaceAllString(text, `${1}"`+hexA+`"`)
			text = comma.ReplaceAllString(ellipsis.ReplaceAllString(text, ""), "$1")
			s, err := intoto.Decode(intoto.PayloadType, []byte(text))
			if err != nil { // pseudo-JSON that only people can read
				refused++
				t.Logf("%s: %v", name, err)
				continue
			}
			if read++; s.PredicateType == "" || len(s.Subjects) == 0 {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
	t.Logf("%d statements read, %d are none", read, refused)
	if read < 8 {
		t.Errorf("%d statements could be read", read)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(text(intoto.TypeV1, one(`{"sha256":"`+hexA+`"}`), "https://openvex.dev/ns/v0.2.0", `,"predicate":{"a":1}`)))
	f.Add([]byte(text(intoto.TypeV01, `[{"digest":{"sha1":"x"}}]`, "x", "")))
	f.Add([]byte(`{"_type":1}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		s, err := intoto.Decode(intoto.PayloadType, payload)
		if err != nil {
			if !errors.Is(err, intoto.ErrInvalid) && !errors.Is(err, intoto.ErrUnsupported) && !errors.Is(err, intoto.ErrLimit) {
				t.Errorf("not a kind: %v", err)
			}
			return
		}
		if len(s.Subjects) == 0 || s.PredicateType == "" || s.Predicate != nil && s.Predicate[0] != '{' {
			t.Errorf("%+v", s)
		}
		if d := s.Digests(); len(d) > 0 && !s.About(d[0]) {
			t.Errorf("it is not about %s", d[0])
		}
	})
}
