package shape_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/csaf/shape"
	"github.com/stella-ops/stella/internal/fault"
)

var rule = func() *shape.Rule {
	tree := shape.List(nil)
	tree.Items = shape.Struct(map[string]*shape.Rule{"a": shape.Text(), "tree": tree}, "a")
	return shape.Struct(map[string]*shape.Rule{
		"tree": tree,
		"set":  shape.Set(2, &shape.Rule{}),
		"word": shape.OneOf("x", "y"),
		"long": shape.Formatted(3),
		"n":    {Kind: shape.Number, Formats: []shape.Format{{Name: "small", OK: func(s string) bool { return len(s) < 3 }}}},
		"b":    {Kind: shape.Bool},
		"old":  {Foreign: true},
		"v": {Kind: shape.Object, By: "v", Alternatives: map[string]*shape.Rule{
			"1": shape.Struct(map[string]*shape.Rule{"v": {}, "one": {}}, "one"), "2": {Kind: shape.Object, Max: 2, Min: 2},
		}},
	})
}()

func TestCheck(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{}`, ``},
		{`[]`, `: it is an array, not an object`},
		{`{"tree":[{"a":"x","tree":[{"a":""}]}]}`, `/tree/0/tree/0/a: it has 0 characters, fewer than 1`},
		{`{"tree":[{"tree":[]}]}`, `/tree/0/tree: it has 0 items, fewer than 1|/tree/0: it has no "a"`},
		{`{"set":[1,1.0]}`, `/set/1: it is there twice`},
		{`{"set":[{"a":1,"b":[]},{"b":[],"a":1e0}]}`, `/set/1: it is there twice`},
		{`{"set":["\u0061","a","A"]}`, `/set/1: it is there twice`},
		{`{"set":[1]}`, `/set: it has 1 items, fewer than 2`},
		{`{"word":"z"}`, `/word: "z" is none of ["x" "y"]`},
		{`{"word":null}`, `/word: it is null, not a string`},
		{`{"long":"éé"}`, `/long: it has 2 characters, fewer than 3`},
		{`{"long":"ééé"}`, ``},
		{`{"n":100,"b":1}`, `/n: "100" is not small|/b: it is a number, not a boolean`},
		{`{"v":{"x":[{}], "v":"1"}}`, `/v: it has no "one"`},
		{`{"v":{"v":"1","one":0}}`, ``},
		{`{"v":{"v":"2"}}`, `/v: it has 1 members, fewer than 2`},
		{`{"v":{"v":"2","a":1,"b":1}}`, `/v: it has 3 members, more than 2`},
		{`{"v":{"v":3}}`, `/v: its v "" is none of ["1" "2"]`},
		{`{"old":{"deep":[1,2]},"v":{"v":"2","a":1}}`, ``},
		{`{"a/b~c":1}`, ``},
	} {
		report, err := shape.Check([]byte(c.text), rule, nil)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		var got []string
		for _, p := range report.Problems {
			got = append(got, p.Pointer+": "+p.Message)
		}
		if d := cmp.Diff(c.want, strings.Join(got, "|")); d != "" {
			t.Errorf("%s: %s", c.text, d)
		}
	}
}

func TestReport(t *testing.T) {
	text := `{"n":1,"b":true,"x/y":{"q":1,"p":2}, "old" : [ 1 ] ,"tree":[{"z":1,"a":"x"}]}`
	report, err := shape.Check([]byte(text), rule, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"/x~1y", "/old", "/tree/0/z"}, report.Unknown); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"/b", "/x~1y/p", "/old", "/tree", "/tree/0/a"}, report.Unsorted); d != "" {
		t.Error(d)
	}
	if f := report.Foreign; len(f) != 1 || text[f[0][0]:f[0][1]] != "[ 1 ]" {
		t.Error(f)
	}
	report, err = shape.Check([]byte(`{"n":1,"b":true,"x":1,"y":1,"z":1}`), rule, &shape.Limits{Problems: 2})
	if err != nil || len(report.Unknown) != 2 || report.Dropped != 1 {
		t.Error(report, err)
	}
}

func TestCheckRefuses(t *testing.T) {
	for text, kind := range map[string]error{
		``: fault.Invalid, `{"a":1,"a":2}`: fault.Invalid, `{} {}`: fault.Invalid, `{"v":{"v"`: fault.Invalid, `{"set":[1,`: fault.Invalid, "\"\xff\"": fault.Invalid,
		strings.Repeat(`[`, 300) + strings.Repeat(`]`, 300): fault.Limit,
	} {
		if _, err := shape.Check([]byte(text), rule, nil); !errors.Is(err, kind) {
			t.Errorf("%.20s: %v", text, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"tree":[{"a":"x"}],"set":[1,2],"v":{"v":"1","one":1},"old":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		report, err := shape.Check(text, rule, nil)
		if (report == nil) != (err != nil) {
			t.Fatal(report, err)
		}
		if err == nil {
			for _, r := range report.Foreign {
				if r[0] >= r[1] || r[1] > len(text) {
					t.Fatal(r)
				}
			}
		}
	})
}
