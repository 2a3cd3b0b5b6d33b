package secrets

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/analyzer"
)

// TestEntropy compares with floating point.
func TestEntropy(t *testing.T) {
	for n := uint64(1); n <= maxEntropy; n++ {
		got, want := float64(log2(n))/(1<<logBits), math.Log2(float64(n))
		if got > want+1e-9 || got < want-2.0/(1<<logBits) {
			t.Fatalf("log2(%d) is %v, want %v", n, got, want)
		}
	}
	for text, want := range map[string]int{"": 0, "aaaaaaaa": 0, "ab": 1000, "abcd": 2000, "0123456789abcdef": 4000, strings.Repeat("0123456789abcdef", 300): 4000, "aab": 918} {
		if got := Entropy([]byte(text)); got != want && got != want-1 {
			t.Errorf("entropy of %q is %d, want %d", text, got, want)
		}
	}
}

func TestGlobs(t *testing.T) {
	for _, tt := range []struct {
		glob      string
		yes, noes []string
	}{
		{"usr/share/doc/**", []string{"usr/share/doc/a", "usr/share/doc/a/b"}, []string{"usr/share/doc", "usr/share/docs/a", "x/usr/share/doc/a"}},
		{"**/testdata/**", []string{"testdata/a", "a/testdata/b/c"}, []string{"testdata", "a/testdata", "atestdata/b"}},
		{"**/.npmrc", []string{".npmrc", "root/.npmrc"}, []string{".npmrc/a", "a.npmrc"}},
		{"**/*.mo", []string{"a.mo", "b/c.d.mo", ".mo"}, []string{"a.mox", "mo"}},
		{"usr/lib/python*/**", []string{"usr/lib/python3/a"}, []string{"usr/lib/a", "usr/lib/python3"}},
		{"etc/shadow*", []string{"etc/shadow", "etc/shadow-"}, []string{"etc/shadow/a", "x/etc/shadow"}},
		{"**/a/*/c/**", []string{"a/b/c/d", "x/a/a/b/c/d"}, []string{"a/b/c", "a/c/d"}},
		{"**/*_test.go", []string{"a_test.go", "b/c_test.go"}, []string{"a_test.gox"}},
		{"a/**/b/**/c", []string{"a/b/c", "a/x/b/b/y/c"}, []string{"a/c", "a/b/c/d"}},
		{"?x", []string{"ax"}, []string{"x", "aax", "/x"}},
		{"**", []string{"a", "a/b"}, nil},
	} {
		g, err := compileGlobs([]string{tt.glob})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range append(slices.Clone(tt.yes), tt.noes...) {
			if got := g.match(p); got != slices.Contains(tt.yes, p) {
				t.Errorf("%s matches %s: %v", tt.glob, p, got)
			}
			if got := matchParts(splitGlob(tt.glob), p); got != g.match(p) {
				t.Errorf("%s and %s: the look-up says %v", tt.glob, p, !got)
			}
		}
	}
	for _, bad := range []string{"", "/a", "a/", "a//b", "a/../b", "a**", "[a]", strings.Repeat("a", 300)} {
		if _, err := compileGlobs([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	g, _ := compileGlobs([]string{"**/" + strings.Repeat("a/**/", 40) + "b"})
	if g.match(strings.Repeat("a/", 2000)) { // quick, or the test hangs
		t.Error("it matches")
	}
}

// TestKeywords compares the automaton with a search for each word.
func TestKeywords(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	word := func(letters string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = letters[random.IntN(len(letters))]
		}
		return string(b)
	}
	for range 200 {
		var words []string
		var rules [][]int32
		for i := range 1 + random.IntN(12) {
			if w := word("abc-", 1+random.IntN(5)); !slices.Contains(words, w) {
				words, rules = append(words, w), append(rules, []int32{int32(i)})
			}
		}
		k := newKeywords(words, rules)
		text := []byte(word("abcABC-\xff\n", 300))
		got := map[[2]int]int{}
		state := uint32(0)
		for at := 0; at < len(text); {
			n, next := k.scan(state, text[at:])
			at, state = at+n, next
			for _, w := range k.at(state) {
				got[[2]int{int(w), at}]++
			}
		}
		want := map[[2]int]int{}
		var folded []byte
		for _, c := range text {
			folded = append(folded, lower(c))
		}
		for w, word := range words {
			for at := range folded {
				if bytes.HasPrefix(folded[at:], []byte(word)) {
					want[[2]int{w, at + len(word)}]++
				}
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%q in %q: %v, want %v", words, text, got, want)
		}
		for at, n := range got {
			if n != 1 || want[at] != 1 {
				t.Fatalf("%q in %q: %v, want %v", words, text, got, want)
			}
		}
	}
}

// TestSilence: no piece of a secret, of a second one beside it, or of a copy of it further
// on leaves Extract, under any rule.
func TestSilence(t *testing.T) {
	r := Default()
	var beside strings.Builder
	for _, c := range r.bundle.Rules {
		for _, example := range c.Examples.Match {
			path := c.Examples.Path
			if path == "" {
				path = "example"
			}
			text := []byte(mustExpand(t, example))
			for _, secret := range secretsIn(t, r, path, text) {
				beside.Reset()
				beside.Write(text)
				beside.WriteString("\n# " + string(secret) + " password: '" + string(secret[:len(secret)/2]) + "'\n")
				beside.WriteString(mustExpand(t, "x = 'ghp_<alnum 36>' # "+strings.Join(strings.Fields(string(secret[:min(len(secret), 30)])), "")+" y 'ghp_<alnum 36>'\n"))
				silent(t, path, []byte(beside.String()), secret)
			}
		}
	}
}

// secretsIn gives the secrets of a text as the search sees them.
func secretsIn(t *testing.T, r *Rules, path string, text []byte) (out [][]byte) {
	t.Helper()
	s := newSearch(r, windowBytes)
	s.begin(path, bytes.NewReader(text))
	if err := s.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, f := range s.settle() {
		out = append(out, text[f.start:f.end])
	}
	if len(out) == 0 {
		t.Fatalf("nothing in an example for %s", path)
	}
	return out
}

// silent fails where six bytes of a secret are in what is said of a text.
func silent(t *testing.T, path string, text, secret []byte) {
	t.Helper()
	facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(path, text))
	if err != nil || len(facts) == 0 {
		t.Fatalf("%d facts, %v", len(facts), err)
	}
	for _, f := range facts {
		for i := 0; i+6 <= len(secret); i++ {
			if strings.Contains(f.Secret.Masked, string(secret[i:i+6])) {
				t.Fatalf("%s: %q has bytes of the secret", f.Secret.Rule, f.Secret.Masked)
			}
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	text := corpus(8 << 20)
	a := Analyzer{}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Extract(context.Background(), analyzer.NewMemoryFile("a.go", text)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkKeywords is the first half of the work: to find the places at which expressions
// are tried.
func BenchmarkKeywords(b *testing.B) {
	text, k := corpus(8<<20), Default().keywords
	b.SetBytes(int64(len(text)))
	hits := 0
	for b.Loop() {
		state := uint32(0)
		for at := 0; at < len(text); {
			n, next := k.scan(state, text[at:])
			at, state = at+n, next
			hits += len(k.at(state))
		}
	}
	b.ReportMetric(float64(hits)/float64(b.N), "keywords/op")
}

// BenchmarkContains is what others do: one search of the text in lower case for each keyword.
func BenchmarkContains(b *testing.B) {
	text := corpus(8 << 20)
	var words [][]byte
	for _, c := range Default().bundle.Rules {
		for _, w := range c.Keywords {
			words = append(words, bytes.ToLower([]byte(w)))
		}
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		folded := bytes.ToLower(text)
		for _, w := range words {
			sink = bytes.Contains(folded, w) != sink
		}
	}
}

var sink bool

// corpus is text such as programs are written in: lines of words, with a keyword in every
// fortieth.
func corpus(size int) []byte {
	random := rand.New(rand.NewPCG(5, 6))
	words := strings.Fields("func return if err != nil { } package import string value user request the of and context name result := range append key token size buffer reader http server config for")
	var b bytes.Buffer
	for line := 0; b.Len() < size; line++ {
		for range 4 + random.IntN(10) {
			b.WriteString(words[random.IntN(len(words))])
			b.WriteByte(' ')
		}
		if line%40 == 0 {
			b.WriteString("password := secretFrom(request)")
		}
		b.WriteByte('\n')
	}
	return b.Bytes()[:size]
}
