package hex

import (
	"errors"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
)

// outline writes a term down: atoms as they are, texts in quotation marks, lists in brackets.
func outline(t *term) string {
	var items []string
	for i := range t.items {
		items = append(items, outline(&t.items[i]))
	}
	switch t.kind {
	case text:
		return `"` + string(t.text) + `"`
	case tuple:
		return "{" + strings.Join(items, " ") + "}"
	case list:
		return "[" + strings.Join(items, " ") + "]"
	case none:
		return "-"
	}
	return string(t.text)
}

func TestErlang(t *testing.T) {
	for in, want := range map[string]string{
		"":                                       "[]",
		"%% nothing\n":                           "[]",
		"\xef\xbb\xbfa.":                         "[a]",
		"a. {b,'C d'}.":                          "[a {b C d}]",
		`["x" "y", "",$a, $\n, $\\].`:            `[["xy" "" $a $\n $\\]]`,
		`<<"a"/utf8, 98, "c":8, 16#64>>.`:        "",
		`<<"a"/utf8, 98, "c":8>>.`:               `["abc"]`,
		`{<<>>,<<"é"/utf8>>}.`:                   `[{"" "é"}]`,
		"#{a => 1, <<\"b\">> => #{}}.":           `[[{a 1} {"b" []}]]`,
		"[a|b].":                                 "[[a b]]",
		"[-1, +2, 16#fF, 1.5e-3, 1_000].":        "[[-1 +2 16#fF 1.5e-3 1_000]]",
		"{1.}.":                                  "",
		"[fun lists:map/2, fun, {fun 'M':f/1}].": "[[fun fun {fun}]]",
		`"a\"b\x41\x{1f517}\n\q".`:               "[\"a\"bA\U0001f517\nq\"]",
		`'it''s'.`:                               "",
		"{a,[b,{c,d},{e":                         "[{a [b {c d}]}]",
		"{a,{b,[c]},{d":                          "[]",
		"a":                                      "[a]",
		"a,b.":                                   "[a]",
		"$":                                      "[]",
		"{a]}.":                                  "[]",
	} {
		r := newReader([]byte(in), false)
		doc := r.all()
		if want == "" {
			if !errors.Is(r.err, fault.Invalid) {
				t.Errorf("%s: %s, %v, want an error", in, outline(&doc), r.err)
			}
		} else if got := outline(&doc); got != want {
			t.Errorf("%s: %s, %v, want %s", in, got, r.err, want)
		}
	}
}

func TestElixir(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    "-",
		"# nothing":                           "-",
		"%{}":                                 "[]",
		`%{"a": {:hex, :"b c", "1"}, d: nil}`: `[{"a" {hex b c "1"}} {d -}]`,
		`%{"a" => 'x', :b => [c: true,]}`:     `[{"a" "x"} {b [{c true}]}]`,
		`[a?: Foo.Bar, b!: -1] # end`:         "[{a? Foo.Bar} {b! -1}]",
		`"\u00e9\u{1f517}\#{x}"`:              "\"é\U0001f517#{x}\"",
		`%{"a": {:b}, "c": {:d`:               `[{"a" {b}}]`,
		`%{"a": {:b}, "c": {:d, [e: 1], :f`:   `[{"a" {b}}]`,
	} {
		r := newReader([]byte(in), true)
		doc := r.one()
		if got := outline(&doc); got != want {
			t.Errorf("%s: %s, %v, want %s", in, got, r.err, want)
		}
	}
	for _, in := range []string{"%{} x", "%{a: }", "{:}", "~s(a)", "%{a => }", "<<1>>", "%{a: 1", "[1 2]"} {
		r := newReader([]byte(in), true)
		if doc := r.one(); !errors.Is(r.err, fault.Invalid) {
			t.Errorf("%s: %s, %v, want an error", in, outline(&doc), r.err)
		}
	}
}

// TestTerms: there may be so many terms in a file, and no more.
func TestTerms(t *testing.T) {
	for n, want := range map[int]error{maxTerms - 1: nil, maxTerms: fault.Limit} {
		r := newReader([]byte("["+strings.Repeat("a,", n-1)+"a]."), false)
		if doc := r.all(); !errors.Is(r.err, want) || len(doc.at(0).items) < maxTerms-1 {
			t.Errorf("%d: %d terms, %v, want %v", n, len(doc.at(0).items), r.err, want)
		}
	}
}
