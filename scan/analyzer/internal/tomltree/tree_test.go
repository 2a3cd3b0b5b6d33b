package tomltree

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/stella-ops/stella/internal/fault"
)

// plainTable turns a table into maps, lists and texts, of repeated keys the
// first.
func plainTable(t *Table) any {
	switch {
	case t.Members != nil:
		out := map[string]any{}
		for _, m := range t.Members {
			if _, again := out[m.Key]; !again {
				out[m.Key] = plainTable(m.Value)
			}
		}
		return out
	case t.Items != nil:
		out := []any{}
		for _, i := range t.Items {
			out = append(out, plainTable(i))
		}
		return out
	}
	return t.Text
}

// plainTOML does the same to what the general parser decodes. Scalars other than
// texts are written as "", and so are empty tables and lists.
func plainTOML(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, m := range v {
			out[k] = plainTOML(m)
		}
		if len(out) > 0 {
			return out
		}
	case []any:
		out := []any{}
		for _, m := range v {
			out = append(out, plainTOML(m))
		}
		if len(out) > 0 {
			return out
		}
	case string:
		return v
	}
	return ""
}

// blankScalars writes "" for the scalars of got that want has as "".
func blankScalars(want, got any) any {
	switch g := got.(type) {
	case map[string]any:
		w, _ := want.(map[string]any)
		for k := range g {
			g[k] = blankScalars(w[k], g[k])
		}
	case []any:
		w, _ := want.([]any)
		for i := range min(len(g), len(w)) {
			g[i] = blankScalars(w[i], g[i])
		}
	case string:
		if want == "" {
			return ""
		}
	}
	return got
}

func TestTOML(t *testing.T) {
	const in = "\xef\xbb\xbf# comment\r\n" + `
a = "x\ty\u00e9\U0001F600" # comment
'quoted key' . b . "c\"d" = 'C:\path'
n = -1_000.5e3
when = 1979-05-27 07:32:00Z
list = [ 1, "two", # comment
  [3, ], { four = 5, "five" = 'six' },
]
empty = []
none = {}
long = """
one \
   two
three ""quoted""\"""" # comment
raw = '''
it's ''raw'' \n'''
[ t . u ]
v = true
[[ p ]]
name = "1"
[p.deps]
x = "*"
[[p]]
name = "2"
[[p.more]]
y = 1
[[p.more]]
y = 2
`
	got, err := Read([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]any
	if err := toml.Unmarshal([]byte(in[3:]), &decoded); err != nil {
		t.Fatal(err)
	}
	want := plainTOML(decoded)
	if diff := cmp.Diff(want, blankScalars(want, plainTable(got))); diff != "" {
		t.Errorf("(-general +ours):\n%s", diff)
	}
	if got.Str("n") != "-1_000.5e3" || got.Str("when") != "1979-05-27 07:32:00Z" || got.Get("t").Get("u").Str("v") != "true" {
		t.Errorf("scalars are not kept as written: %v", plainTable(got))
	}
}

func TestTOMLErrors(t *testing.T) {
	tests := []struct{ in, want string }{
		{"a", "line 1: expected '=' after a key"}, {"\n= 1", "line 2: expected a key"}, {"a = ", "line 1: expected a value"},
		{"a = [1", "line 1: expected ',' or ']'"}, {"a = [1 2\n]", ""}, {"a = {b = 1", "line 1: expected ',' or '}'"},
		{"a = \"b", "line 1: text without end"}, {"a = \"b\n\"", "line 1: text without end on its line"}, {"a = '''b", "line 1: text without end"},
		{`a = "\q"`, "line 1: unknown escape in a text"}, {`a = "\ud800"`, "line 1: unknown escape in a text"}, {"[a", "line 1: expected ]"},
		{"[[a]", "line 1: expected ]]"}, {"a = 1 b = 2", "line 1: expected a value"}, {"a = \"b\" c", "line 1: text after the end of a line's value"},
		{"[a] b", "line 1: text after the end of a line's value"}, {"'''a''' = 1", "line 1: a key cannot go on over lines"},
	}
	for _, tt := range tests {
		_, err := Read([]byte(tt.in))
		if tt.want == "" {
			if err != nil {
				t.Errorf("%q: %v", tt.in, err)
			}
			continue
		}
		if err == nil || !errors.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), tt.want+": ") {
			t.Errorf("%q: error %v, want %q", tt.in, err, tt.want)
		}
	}
}

func TestTOMLValues(t *testing.T) {
	if _, err := Read([]byte("a = [" + strings.Repeat("1,", MaxValues) + "]")); !errors.Is(err, fault.Limit) {
		t.Errorf("error %v, want a limit", err)
	}
}

// FuzzTOML holds the reader against a general one: what that accepts, ours
// accepts and reads the same.
func FuzzTOML(f *testing.F) {
	for _, s := range []string{
		"a.b = 1\n[c]\nd = \"\\\"\"\n", "[[a]]\nb = [1, [2]]\n[[a]]\n[a.c]\n", "a = '''\nx'''\nb = \"\"\"y\\\n  z\"\"\"\"\"\n", "a = {b = {c = 1}, d = []}\n", "a = 1979-05-27 07:32:00\r\nb=+inf#c",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4000 || !utf8.Valid(data) {
			return
		}
		got, ours := Read(data)
		if ours != nil && fault.KindOf(ours) == "" {
			t.Fatalf("error without a kind: %v", ours)
		}
		var decoded map[string]any
		if err := toml.Unmarshal(data, &decoded); err != nil || errors.Is(ours, fault.Limit) {
			return
		}
		if ours != nil {
			t.Fatalf("%q: %v", data, ours)
		}
		want := plainTOML(decoded)
		have := plainTable(got)
		if have == "" { // an empty document
			return
		}
		if diff := cmp.Diff(want, blankScalars(want, have)); diff != "" {
			t.Fatalf("%q: (-general +ours):\n%s", data, fmt.Sprint(diff))
		}
	})
}
