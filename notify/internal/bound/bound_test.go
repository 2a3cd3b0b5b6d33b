package bound_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/notify/internal/bound"
)

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		in   string
		max  int
		want string
		cut  bool
	}{
		{"", 10, "", false},
		{"ten bytes.", 10, "ten bytes.", false},
		{"eleven bytes", 10, "eleven …", true},
		{"ääääää", 10, "äää…", true},
		{"a\xffb", 10, "a\uFFFDb", false},
		{"\xff\xff\xff\xff", 10, "\uFFFD", false},
		{strings.Repeat("\xff", 100), 10, "\uFFFD…", true},
		{strings.Repeat("x", 1<<20), 8, "xxxxx…", true},
	} {
		if got, cut := bound.Bytes(c.in, c.max); got != c.want || cut != c.cut {
			t.Errorf("%.20q in %d: %q, %t; want %q, %t", c.in, c.max, got, cut, c.want, c.cut)
		}
	}
}

// TestBounded: whatever comes in, what goes out is short enough and UTF-8, and only what
// was whole is not marked.
func TestBounded(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := string(rapid.SliceOfN(rapid.SampledFrom([]byte("ab\xff\xc3\xa4\xe2\x80\xa6\xf0\x9f\x98\x80")), 0, 80).Draw(r, "bytes"))
		max := rapid.IntRange(3, 40).Draw(r, "max")
		got, cut := bound.Bytes(s, max)
		if len(got) > max || !utf8.ValidString(got) || cut != strings.HasSuffix(got, bound.Mark) && !strings.HasSuffix(s, bound.Mark) || !cut && got != strings.ToValidUTF8(s, "\uFFFD") {
			r.Fatalf("%q in %d bytes: %q, %t", s, max, got, cut)
		}
	})
}
