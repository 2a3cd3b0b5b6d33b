package console

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiffLines(t *testing.T) {
	lines := func(from, to int) string {
		var b strings.Builder
		for i := from; i <= to; i++ {
			fmt.Fprintln(&b, i)
		}
		return b.String()
	}
	for name, test := range map[string]struct {
		before, after string
		want          []string // a text for each hunk
	}{
		"equal":        {"a\nb\n", "a\r\nb", nil},
		"both empty":   {"", "\n", nil},
		"from nothing": {"", "a\nb\n", []string{"+0/1 a +0/2 b"}},
		"to nothing":   {"a\n", "", []string{"-1/0 a"}},
		"a line":       {"a\nb\nc\n", "a\nB\nc\n", []string{" 1/1 a -2/0 b +0/2 B  3/3 c"}},
		"put in":       {"a\nc\n", "a\nb\nc\n", []string{" 1/1 a +0/2 b  2/3 c"}},
		"at the ends":  {"a\nm\nz\n", "m\n", []string{"-1/0 a  2/1 m -3/0 z"}},
		"moved":        {"a\nb\n", "b\na\n", []string{"-1/0 a  2/1 b +0/2 a"}},
		"one end":      {lines(1, 20), lines(1, 19) + "x\n", []string{" 17/17 17  18/18 18  19/19 19 -20/0 20 +0/20 x"}},
		"far apart": {lines(1, 20), "x\n" + lines(2, 19) + "y\n", []string{
			"-1/0 1 +0/1 x  2/2 2  3/3 3  4/4 4", " 17/17 17  18/18 18  19/19 19 -20/0 20 +0/20 y"}},
		"near": {lines(1, 8), "x\n" + lines(2, 7) + "y\n", []string{
			"-1/0 1 +0/1 x  2/2 2  3/3 3  4/4 4  5/5 5  6/6 6  7/7 7 -8/0 8 +0/8 y"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, h := range diffLines(test.before, test.after) {
				var parts []string
				for _, l := range h.Lines {
					sign := l.Sign
					if sign == "" {
						sign = " "
					}
					parts = append(parts, fmt.Sprintf("%s%d/%d %s", sign, l.Old, l.New, l.Text))
				}
				got = append(got, strings.Join(parts, " "))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDiffIsWhole compares random texts: what a comparison says of each is that text, also
// where the texts are too large for a table.
func TestDiffIsWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	text := func(n int) (out []string) {
		for range n {
			out = append(out, string(rune('a'+r.IntN(4))))
		}
		return out
	}
	for n := range 300 {
		a, b := text(r.IntN(30)), text(r.IntN(30))
		if n == 0 {
			a, b = text(2500), text(2500)
		}
		var old, now []string
		shared := 0
		for _, l := range script(a, b) {
			if l.Sign != "+" {
				old = append(old, l.Text)
				if l.Old != len(old) {
					t.Fatalf("line %d of the older text has number %d", len(old), l.Old)
				}
			}
			if l.Sign != "-" {
				now = append(now, l.Text)
			}
			if l.Sign == "" {
				shared++
			}
		}
		if !slices.Equal(old, a) || !slices.Equal(now, b) {
			t.Fatalf("%q and %q became %q and %q", a, b, old, now)
		}
		if want := int(subsequences(a, b)[0][0]); n > 0 && shared != want {
			t.Fatalf("%q and %q share %d lines, and %d were found", a, b, want, shared)
		}
	}
}
