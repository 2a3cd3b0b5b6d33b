package csaf_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/testdata"
)

// publishedSchema compiles the schema of the standard with those it refers to.
func publishedSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	files := testdata.Open(t, "conformance/csaf-schema.tar.gz")
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	const id = "https://docs.oasis-open.org/csaf/csaf/v2.0/csaf_json_schema.json"
	for url, name := range map[string]string{
		id: "csaf_2.0/json_schema/csaf_json_schema.json",
		"https://www.first.org/cvss/cvss-v2.0.json": "csaf_2.0/referenced_schema/first/cvss-v2.0.json",
		"https://www.first.org/cvss/cvss-v3.0.json": "csaf_2.0/referenced_schema/first/cvss-v3.0.json",
		"https://www.first.org/cvss/cvss-v3.1.json": "csaf_2.0/referenced_schema/first/cvss-v3.1.json",
	} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(files[name]))
		if err != nil {
			t.Fatal(name, err)
		}
		if err := c.AddResource(url, doc); err != nil {
			t.Fatal(name, err)
		}
	}
	schema, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// conforms is our verdict: the document can be decoded and its structure has no
// problem.
func conforms(text []byte) (bool, string) {
	doc, err := csaf.Decode(text, nil)
	if err != nil {
		return false, err.Error()
	}
	problems, err := csaf.Validate(doc, "", &csaf.ValidateOptions{CVSS: calculate})
	if err != nil {
		return false, err.Error()
	}
	structural := slices.DeleteFunc(problems, func(p csaf.Problem) bool { return p.Test != csaf.TestSchema && p.Test != "6.1.8" })
	return len(structural) == 0, fmt.Sprint(structural)
}

func published(schema *jsonschema.Schema, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// TestSchemaOnReal compares the verdicts on all documents there are.
func TestSchemaOnReal(t *testing.T) {
	schema := publishedSchema(t)
	n := 0
	compare := func(name string, text []byte) {
		if !json.Valid(text) {
			return
		}
		n++
		err := published(schema, text)
		if got, why := conforms(text); got != (err == nil) {
			t.Errorf("%s: conforms is %v %s, the published schema says %v", name, got, why, err)
		}
	}
	realDocuments(t, func(_, name string, text []byte) { compare(name, text) })
	files := testdata.Open(t, "conformance/csaf20-validator.tar.gz")
	for _, name := range testdata.Names(files) {
		compare(name, files[name])
	}
	t.Log(n, "documents")
}

// TestSchemaOnMutations breaks documents at random and compares the verdicts.
func TestSchemaOnMutations(t *testing.T) {
	schema := publishedSchema(t)
	seeds := [][]byte{[]byte(full)}
	files := testdata.Open(t, "conformance/csaf20-validator.tar.gz")
	for _, name := range testdata.Names(files) {
		seeds = append(seeds, files[name])
	}
	if err := published(schema, seeds[0]); err != nil {
		t.Fatalf("the document with all members does not conform: %v", err)
	}
	verdicts := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		seed := seeds[0]
		if rapid.IntRange(0, 2).Draw(t, "other") == 0 {
			seed = rapid.SampledFrom(seeds).Draw(t, "seed")
		}
		dec := json.NewDecoder(bytes.NewReader(seed))
		dec.UseNumber()
		var doc any
		if err := dec.Decode(&doc); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 3).Draw(t, "mutations") {
			doc = mutate(t, doc)
		}
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		err = published(schema, text)
		verdicts[err == nil]++
		if got, why := conforms(text); got != (err == nil) {
			t.Fatalf("conforms is %v %s, the published schema says %v\n%s", got, why, err, text)
		}
	})
	t.Log("verdicts of the published schema:", verdicts)
	if verdicts[true] == 0 || verdicts[false] == 0 {
		t.Error("the mutations do not reach both verdicts")
	}
}

// strange are values that some rule refuses, and some that only look so.
var strange = []any{
	"", " ", "x", " x", "x ", "-x", "x\ny", "é", "1", "01", "1.0.0", "1.0", "1.0.0-01", "1.0.0-a.b+c", "1.0.0+", "9999999999999999999",
	"2021-01-01T00:00:00Z", "2021-02-30T00:00:00Z", "2021-01-01t00:00:00.5z", "2021-01-01T00:00:00", "2021-12-31T23:59:60Z", "2021-01-01T00:00:60Z",
	"2021-01-01T00:00:00+25:00", "2021-01-01T24:00:00Z", "2021-01-01T1:00:00Z", "2021-01-01 00:00:00Z", "2021-01-01T00:00:00,5Z",
	"https://example.com/a b", "https://example.com", "//example.com", "a:b", "%zz:", "http://[::1]/", "http://[::g]/", "mailto:a@example.com", "https://exa mple",
	"WHITE", "white", "CLEAR", "final", "vendor", "Vendor", "CVE-2021-1", "CVE-2021-0001", "CVE-2021-00001", "CWE-0", "CWE-79", "CWE-1234567",
	"pkg:a/b", "pkg:a/", "pkg:/a/b", "PKG:a/b", "pkg:npm/%40a/b@1", "cpe:/a:b:c", "CPE:/a", "cpe:2.3:a:b:c:d:e:f:en:g:h:i:j", "cpe:2.3:a:b:c", "xcpe:/a", "cpe:/a:b c",
	"cpe:2.3:a:b\\:c:*:-:*:*:en-US:?x?:*:*:*", "cpe:2.3:a:b:c:d:e:f:en:g:h:i:j:k",
	"en", "EN-us", "en-Latn-US-x-a", "i-default", "I-MINGO", "i-klingon", "x-a", "zh-cmn-Hans-CN", "de-1996", "e", "en-", "abcd-abc", "abcde", "en-a-bb", "en-x", "zh-abc-def-ghi-jkl",
	"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS:3.0/AV:N", "CVSS:3.1/AV:N/AV:N/E:X", "CVSS:3.1/", "CVSS:3.1/AV:Z", "AV:N/AC:L", "AV:N/", "/AV:N", "av:n", "CR:ND/E:POC", "3.0", "3.1", "2.0",
	"HIGH", "NOT_DEFINED", "NONE", "NETWORK", "MEDIUM", "00000000000000000000000000000000", "g0000000000000000000000000000000", "0000000000000000000000000000000",
	json.Number("0"), json.Number("10"), json.Number("10.0"), json.Number("10.01"), json.Number("-0"), json.Number("-0.1"), json.Number("1e1"), json.Number("1.1e1"), json.Number("100e-1"), json.Number("9.99999999999999999999"), json.Number("1e-7"),
	true, nil, []any{}, map[string]any{}, []any{"a"}, []any{"a", "a"}, map[string]any{"a": "b"},
}

// mutate changes one place of a document.
func mutate(t *rapid.T, doc any) any {
	var places []func(any, bool)
	var values []any
	var walk func(v any, set func(any, bool))
	walk = func(v any, set func(any, bool)) {
		places, values = append(places, set), append(values, v)
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				walk(v[k], func(x any, remove bool) {
					if v[k] = x; remove {
						delete(v, k)
					}
				})
			}
		case []any:
			for i := range v {
				walk(v[i], func(x any, _ bool) { v[i] = x })
			}
		}
	}
	out := doc
	walk(doc, func(x any, _ bool) { out = x })
	if len(places) == 1 {
		return out
	}
	i := rapid.IntRange(1, len(places)-1).Draw(t, "place")
	switch v := values[i]; rapid.IntRange(0, 5).Draw(t, "what") {
	case 0:
		places[i](nil, true)
	case 1:
		if list, ok := v.([]any); ok && len(list) > 0 {
			places[i](append(slices.Clone(list), list[0]), false)
		}
	case 2:
		if object, ok := v.(map[string]any); ok {
			name := rapid.SampledFrom([]string{"unknown", "metrics", "cwes", "version", "purls", "baseSeverity", "product_ids", "branches", "product", "x"}).Draw(t, "name")
			object[name] = rapid.SampledFrom(strange).Draw(t, "added")
		}
	case 3:
		if s, ok := v.(string); ok {
			places[i](rapid.SampledFrom([]string{strings.ToUpper(s), strings.ToLower(s), s + " ", s + "x", s + "/", s[:len(s)/2]}).Draw(t, "text"), false)
		}
	default:
		places[i](rapid.SampledFrom(strange).Draw(t, "value"), false)
	}
	return out
}
