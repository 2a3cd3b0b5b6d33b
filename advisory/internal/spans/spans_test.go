package spans_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/internal/spans"
	"github.com/stella-ops/stella/advisory/version"
)

func scheme(t testing.TB, name string) version.Scheme {
	s, err := version.For(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func above(v string) string { return v + "+" }

func TestRanges(t *testing.T) {
	s := scheme(t, "CPE")
	for text, want := range map[string]string{
		"*":                       "introduced 0",
		"<1.2":                    "introduced 0, fixed 1.2",
		">=1 , <= 2 || 3":         "introduced 1, last 2, introduced 3, last 3",
		">1 <2 || >=1.5 <3":       "introduced 1+, fixed 3",
		"!=2":                     "introduced 0, fixed 2, introduced 2+",
		"<1 >2":                   "",
		"<1 || >=1":               "introduced 0",
		"<2 || =2 || >2 <=3 || 5": "introduced 0, last 3, introduced 5, last 5",
	} {
		set, err := spans.Parse(s, text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range set.Ranges(advisory.RangeEcosystem, above) {
			for _, e := range r.Events {
				switch {
				case e.Introduced != "":
					got = append(got, "introduced "+e.Introduced)
				case e.Fixed != "":
					got = append(got, "fixed "+e.Fixed)
				default:
					got = append(got, "last "+e.LastAffected)
				}
			}
		}
		if diff := cmp.Diff(want, strings.Join(got, ", ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{"", "<", "1 ||", "~>1", ">=*", "<=!1"} {
		if set, err := spans.Parse(s, text); err == nil {
			t.Errorf("%q is %v", text, set)
		}
	}
}

// TestAlgebra holds sets against their definition on every version, and their
// events against what the ranges of package version make of them.
func TestAlgebra(t *testing.T) {
	s := scheme(t, "CPE")
	texts := strings.Fields("0 0.5 1 1+ 1.5 2 2+ 2.5 3 3+ 3.5 4 4+ 5")
	rapid.Check(t, func(t *rapid.T) {
		set, want := draw(t, s, texts, 3)
		for _, v := range texts {
			parsed, err := s.Parse(v)
			if err != nil {
				t.Fatal(err)
			}
			if got := set.Contains(parsed); got != want(v) {
				t.Fatalf("%s: %v, want %v", v, got, want(v))
			}
			var all []version.Range
			for _, r := range set.Ranges(advisory.RangeEcosystem, above) {
				one, err := version.NewRange(s, r.Events)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, one)
			}
			r, err := version.Union(all...)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.ContainsVersion(parsed).State == version.Yes; got != want(v) {
				t.Fatalf("%s in %v: %v, want %v", v, r, got, want(v))
			}
		}
	})
}

// draw makes a set and the predicate that it is to be.
func draw(t *rapid.T, s version.Scheme, texts []string, depth int) (spans.Set, func(string) bool) {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		op := rapid.SampledFrom([]string{"<", "<=", "", "!=", ">=", ">"}).Draw(t, "op")
		at := rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(t, "at")
		set, err := spans.Compare(s, op, at)
		if err != nil {
			t.Fatal(err)
		}
		return set, func(v string) bool {
			c, err := s.Compare(v, at)
			if err != nil {
				t.Fatal(err)
			}
			return map[string]bool{"<": c < 0, "<=": c <= 0, "": c == 0, "!=": c != 0, ">=": c >= 0, ">": c > 0}[op]
		}
	}
	a, isA := draw(t, s, texts, depth-1)
	if rapid.Bool().Draw(t, "not") {
		return a.Not(), func(v string) bool { return !isA(v) }
	}
	b, isB := draw(t, s, texts, depth-1)
	if rapid.Bool().Draw(t, "and") {
		return a.And(b), func(v string) bool { return isA(v) && isB(v) }
	}
	return a.Or(b), func(v string) bool { return isA(v) || isB(v) }
}
