package yamltree

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
)

// outline writes a tree down. Texts over several lines are "…" unless kept.
func outline(t *Tree, keep bool) string {
	var b strings.Builder
	var walk func(i, depth int)
	walk = func(i, depth int) {
		n := t.Nodes[i]
		fmt.Fprintf(&b, "%*s", 2*depth, "")
		if n.Key != nil {
			fmt.Fprintf(&b, "%q: ", n.Key)
		}
		switch {
		case n.Kind == Block && !keep:
			b.WriteString("…\n")
		case n.Kind == Map || n.Kind == List:
			fmt.Fprintf(&b, "%s\n", []string{1: "map", 2: "list"}[n.Kind])
			for c := range t.Children(i) {
				walk(c, depth+1)
			}
		default:
			fmt.Fprintf(&b, "%q\n", n.Text)
		}
	}
	for _, d := range t.Docs {
		if n := t.Nodes[d]; n.Kind != Scalar || len(n.Text) > 0 {
			walk(d, 0)
		}
	}
	return b.String()
}

func TestPlainYAML(t *testing.T) {
	const in = `# a comment
lockfileVersion: '9.0'   # another

settings: {a: true, 'b c': "d\"e", f: [x, 'y z', {g: h}], i: {}}
importers:

  .:
    deps:
      '@s/it''s': ^1.0.0 || ^2
      file:../x: link:../x
list:
- a
- b: 1
  c: 2
-
  d: 3
empty:
folded: >-
  two
    lines

literal: |
  # text
next: '# no comment'
? long
: version: 1
  other: 2
? "longer"
:
  - z
---
second: {tarball: https://h/p?q=1#f}
`
	const want = `map
  "lockfileVersion": "9.0"
  "settings": map
    "a": "true"
    "b c": "d\"e"
    "f": list
      "x"
      "y z"
      map
        "g": "h"
    "i": map
  "importers": map
    ".": map
      "deps": map
        "@s/it's": "^1.0.0 || ^2"
        "file:../x": "link:../x"
  "list": list
    "a"
    map
      "b": "1"
      "c": "2"
    map
      "d": "3"
  "empty": ""
  "folded": …
  "literal": …
  "next": "# no comment"
  "long": map
    "version": "1"
    "other": "2"
  "longer": list
    "z"
map
  "second": map
    "tarball": "https://h/p?q=1#f"
`
	for _, in := range []string{in, strings.ReplaceAll(in, "\n", "\r\n")} {
		tree, err := readPlain([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, outline(tree, false)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestNotPlainYAML shows what is left to the general parser.
func TestNotPlainYAML(t *testing.T) {
	for _, in := range []string{
		"a: &x 1", "a: *x", "a: !!str 1", "%YAML 1.2\n---\na: 1", "a:\n\tb: 1", "a: b: c", "a: one\n  two", "a: 'one\n  two'",
		"a: [1,\n 2]", "- - a", "  a: 1\nb: 2", "a: 1\n b: 2", "just text", "a: {b}", "? {a: b}\n: c", "? a", "<<: {a: b}",
		"a: \"\\x41\"", "a: @b", "a: `b`", "a\rb: 1", "a: \u2028b", "a: 'b' c", "? a\nb: 1",
	} {
		if tree, err := readPlain([]byte(in)); err != errNotPlain {
			t.Errorf("%q: %v, error %v", in, tree, err)
		}
	}
}

func TestAnyYAML(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 8), c-1)
	}
	tests := []struct {
		name, in string
		want     error
	}{
		{"alias bomb", bomb, fault.Unsupported},
		{"key that is a list", "? [a]\n: b", fault.Unsupported},
		{"not YAML", "a: [", fault.Invalid},
		{"not UTF-8", "a: \xff", fault.Invalid},
		{"flows in flows", "a: " + strings.Repeat("[", 2000), fault.Invalid},
		{"deep flows", "a: " + strings.Repeat("[", 2000) + strings.Repeat("]", 2000), fault.Limit},
		{"deep blocks", deepBlocks(2000), fault.Limit},
		{"large", "a: 'one\n  two'\n" + strings.Repeat("#\n", maxAny/2), fault.Limit},
	}
	for _, tt := range tests {
		if _, err := Read([]byte(tt.in)); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.want)
		}
	}
	tree, err := Read([]byte("a: &x 'one\n  two'\nb: {c}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("map\n  \"a\": \"one two\"\n  \"b\": map\n    \"c\": \"\"\n", outline(tree, true)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestShared: what an alias stands for is read at its anchor, and does not expand.
func TestShared(t *testing.T) {
	const in = "a: &x\n  b: [c]\nd: *x\ne:\n  <<: *x\n  f: 'g'\n"
	if _, err := Read([]byte(in)); !errors.Is(err, fault.Unsupported) {
		t.Errorf("Read: error %v, want unsupported", err)
	}
	tree, err := ReadShared([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	want := "map\n  \"a\": map\n    \"b\": list\n      \"c\"\n  \"d\": \"*x\"\n  \"e\": map\n    \"<<\": \"*x\"\n    \"f\": \"g\"\n"
	if diff := cmp.Diff(want, outline(tree, true)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if tree, err := ReadShared([]byte("a: 1\n")); err != nil || outline(tree, true) != "map\n  \"a\": \"1\"\n" {
		t.Errorf("without aliases: %v, error %v", tree, err)
	}
	if _, err := ReadShared([]byte("a: [")); !errors.Is(err, fault.Invalid) {
		t.Errorf("not YAML: error %v, want invalid", err)
	}
}

func deepBlocks(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%*sa:\n", i, "")
	}
	return b.String()
}

// FuzzYAML holds the plain reader against the general one: where both accept a
// text, they read the same.
func FuzzYAML(f *testing.F) {
	for _, s := range []string{
		"a: 1\nb:\n  c: 'd'\n  e: [f, g]\n", "a:\n- b\n- c: d\n  e: f\n", "? a\n: b: c\n", "a: >-\n  x\n\n  y\nb: |\n z\n", "---\na: {b: c, 'd': \"e\"}\n---\nf:\n",
		"\"a@npm:^1, b@npm:2\":\n  version: 1.0.0\n  x: npm:y@1 # z\n", "a: -1\nb: ?c\nc: :d\n'e': ''\n", "a:\n  -\n    b: c\n  - d\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !utf8.Valid(data) || len(data) > 10_000 {
			return
		}
		got, err := readPlain(data)
		if err != nil {
			return
		}
		want, err := readAny(data, false)
		if err != nil {
			return
		}
		a, b := strings.Split(outline(want, true), "\n"), strings.Split(outline(got, false), "\n")
		for i := range min(len(a), len(b)) {
			if strings.HasSuffix(b[i], "…") && strings.Count(a[i], " ") >= strings.Count(b[i], " ") {
				a[i] = b[i]
			}
		}
		if diff := cmp.Diff(strings.Join(a, "\n"), strings.Join(b, "\n")); diff != "" {
			t.Fatalf("%q (-general +plain):\n%s", data, diff)
		}
	})
}
