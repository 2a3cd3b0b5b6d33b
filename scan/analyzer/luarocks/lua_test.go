package luarocks

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
)

// outline writes a value down.
func outline(v *value) string {
	if v.isText {
		return "'" + v.text + "'"
	}
	var parts []string
	for _, f := range v.fields {
		if f.key != "" {
			parts = append(parts, f.key+"="+outline(f.value))
		} else {
			parts = append(parts, outline(f.value))
		}
	}
	return "{" + strings.Join(parts, " ") + "}"
}

func TestLua(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "{}",
		"#!/usr/bin/lua\na = 'b'":      "{a='b'}",
		"a = 'x' b = \"y\"; c = [[z]]": "{a='x' b='y' c='z'}",
		"a = [==[\nx]]y]==]":           "{a='x]]y'}",
		`a = 'a\'\x41\066\z   b\u{e9}\
'`: "{a='a'ABbé\n'}",
		"a = {b = 'c', ['d-e'] = \"f\"; 'g', {h = 1,},}":    "{a={b='c' d-e='f' 'g' {h={}}}}",
		"local v = '1.0'\nversion = v .. '-' .. '1'":        "{v='1.0' version='1.0-1'}",
		"local v <const> = '1'":                             "{v='1'}",
		"-- c\na = --[[ d\n ]] 'e' --[=[ ]] ]=]":            "{a='e'}",
		"a = ('%s'):format('x') b = f('x') .. 'y'":          "{a={} b={}}",
		"a = -1 b = not true c = 1 + 2 .. 'x' d = x or 'y'": "{a={} b={} c={} d={}}",
		"a = {b = {}} a.b.c = 'd' x.y = 'z'":                "{a={b={c='d'}}}",
		"local t = {k = 'v'} a = t.k b = t['k'] c = t.no":   "{t={k='v'} a='v' b='v' c={}}",
		"return {a = 'b'}":                                  "{a='b'}",
		"a = {b == c}":                                      "{a={{}}}",
	} {
		v, err := readLua([]byte(in))
		if err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if diff := cmp.Diff(want, outline(v)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	}
}

// TestBadLua: what came before the error is kept.
func TestBadLua(t *testing.T) {
	for in, want := range map[string]error{
		"a = 'b' if x then c = 'd' end":            fault.Unsupported,
		"a = 'b' local function f() end":           fault.Unsupported,
		"a = 'b' c = function() end":               fault.Unsupported,
		"a = 'b' c = 'd":                           fault.Invalid,
		"a = 'b' c = 'd\n'":                        fault.Invalid,
		"a = 'b' c = [[d":                          fault.Invalid,
		"a = 'b' --[[d":                            fault.Invalid,
		"a = 'b' c = '\\q'":                        fault.Invalid,
		"a = 'b' 1":                                fault.Invalid,
		"a = 'b' c =":                              fault.Invalid,
		"a = 'b' f('c')":                           fault.Invalid,
		"a = 'b' c = " + strings.Repeat("{", 1000): fault.Limit,
		"a = 'b' c = " + strings.Repeat("(", 1000): fault.Limit,
		"a = 'b' c = 'x'" + strings.Repeat("c = c .. c ", 40): fault.Limit,
	} {
		v, err := readLua([]byte(in))
		if !errors.Is(err, want) || v.get("a").text != "b" {
			t.Errorf("%.60q: %v, want %v; %s", in, err, want, outline(v.get("a")))
		}
	}
	if _, err := readLua([]byte("return {} x")); !errors.Is(err, fault.Invalid) {
		t.Errorf("text after return: %v", err)
	}
}
