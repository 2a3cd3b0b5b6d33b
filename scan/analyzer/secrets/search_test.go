package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/analyzer"
)

// smallWindow is the smallest that a search can do with, nearly.
const smallWindow = ahead + behind + 3*margin + 100

// run searches a text and writes down what was found.
func run(t testing.TB, r *Rules, window int, from io.Reader) []string {
	t.Helper()
	s := newSearch(r, window)
	s.begin("example", from)
	err := s.run(context.Background())
	if err != nil && !errors.Is(err, ErrLimit) {
		t.Fatal(err)
	}
	found := s.settle()
	pieces := gramsOf(s.found)
	var out []string
	for i := range found {
		f := &found[i]
		masked := pieces.masked(f)
		if len(masked) > MaxMasked || strings.ContainsAny(masked, "\n\r\x00") {
			t.Fatalf("%q", masked)
		}
		if pieces.in(masked) {
			t.Fatalf("%s: a piece of a secret in %q", r.list[f.rule].id, masked)
		}
		out = append(out, fmt.Sprintf("%d-%d line %d %s %s", f.start, f.end, f.line, r.list[f.rule].id, masked))
	}
	if err != nil {
		out = append(out, err.Error())
	}
	return out
}

func mustExpand(t testing.TB, text string) string {
	t.Helper()
	out, err := expand(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestBorders: a secret is found wherever it lies to the ends of windows and cells, on a
// short line and on one that never ends, in pieces of any size.
func TestBorders(t *testing.T) {
	r := Default()
	token := mustExpand(t, `"ghp_<alnum 36>"`)
	key := mustExpand(t, "-----BEGIN<> PRIVATE KEY-----\n<base64 64>\n<base64 64>\n<base64 64>\n-----END")
	for _, tt := range []struct{ name, filler, secret, after, want string }{
		{"lines", "a line of text, as long as others\n", token, "\nx", "github-token"},
		{"carriage returns", "some line\r\n", token, "\r\nx", "github-token"},
		{"one line", "word,", token, strings.Repeat(",more", 4000), "github-token"},
		{"one line at its end", "word,", token, "", "github-token"},
		{"some lines", "text\n", key, "\nx", "private-key"},
		{"the last lines", "text\n", key, "", "private-key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			filler := strings.Repeat(tt.filler, 40<<10/len(tt.filler))
			first := smallWindow - ahead - margin // where the first window is looked at up to
			for at := 0; at < 36<<10; at++ {
				d := min(abs(at-first), abs(at-smallWindow), at%cellBytes, cellBytes-at%cellBytes)
				if d > 130 && at%97 != 0 || d > 8 && d <= 130 && at%7 != 0 {
					continue
				}
				text := filler[:at] + tt.secret + tt.after
				got := run(t, r, smallWindow, strings.NewReader(text))
				if len(got) != 1 || !strings.Contains(got[0], " "+tt.want+" ") {
					t.Fatalf("at %d: %q", at, got)
				}
				if want := fmt.Sprintf("line %d ", strings.Count(filler[:at], "\n")+1); tt.want == "github-token" && !strings.Contains(got[0], want) {
					t.Fatalf("at %d: %q, want %s", at, got, want)
				}
			}
			text := filler + tt.secret + tt.after
			want := run(t, r, windowBytes, strings.NewReader(text))
			for _, from := range []io.Reader{iotest.OneByteReader(strings.NewReader(text)), iotest.HalfReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
				if diff := cmp.Diff(want, run(t, r, smallWindow, from)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func abs(n int) int { return max(n, -n) }

// TestWindow: what is found depends on the text alone, not on the size of the window, in
// texts that are made of secrets, parts of them and what surrounds them.
func TestWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var parts []string
	for _, c := range Default().bundle.Rules {
		for _, text := range append(c.Examples.Match, c.Examples.Miss...) {
			parts = append(parts, mustExpand(t, text))
		}
	}
	parts = append(parts, "\n", "\n", "\n", " ", "\"", strings.Repeat("word ", 300), strings.Repeat("\n", 30), strings.Repeat("A", 5000), "password = ", "\r\n")
	for range 12 {
		var b strings.Builder
		for size := 20<<10 + random.IntN(100<<10); b.Len() < size; {
			p := parts[random.IntN(len(parts))]
			if random.IntN(10) == 0 {
				p = p[random.IntN(len(p)):]
			}
			b.WriteString(p)
			b.WriteString([]string{"\n", "\n", " ", ","}[random.IntN(4)])
		}
		want := run(t, Default(), 1<<20, strings.NewReader(b.String()))
		if len(want) < 10 {
			t.Fatalf("%d findings", len(want))
		}
		if diff := cmp.Diff(want, run(t, Default(), smallWindow, strings.NewReader(b.String()))); diff != "" {
			t.Fatalf("(-large window +small window):\n%s", diff)
		}
	}
}

func FuzzSearch(f *testing.F) {
	for _, c := range Default().bundle.Rules {
		for _, text := range append(c.Examples.Match, c.Examples.Miss...) {
			f.Add([]byte(mustExpand(f, text)), uint16(0), uint8(0))
		}
	}
	key := mustExpand(f, "-----BEGIN<> PRIVATE KEY-----\n<base64 64>\n<base64 64>\n")
	for shape := range uint8(8) {
		f.Add([]byte(key), uint16(smallWindow-ahead-margin-60), shape)
	}
	f.Fuzz(func(t *testing.T, data []byte, shift uint16, shape uint8) {
		filler := []string{"line of text\n", "word,"}[shape&1]
		text := strings.Repeat(filler, int(shift)/len(filler)) + string(data)
		if shape&2 != 0 {
			text += strings.Repeat(filler, 200)
		}
		if shape&4 != 0 {
			text += string(data)
		}
		want := run(t, Default(), len(text)+1, strings.NewReader(text))
		if diff := cmp.Diff(want, run(t, Default(), smallWindow, strings.NewReader(text))); diff != "" {
			t.Fatalf("(-large window +small window):\n%s", diff)
		}
		checkFacts(t, []byte(text))
	})
}

// checkFacts holds that a whole extraction is the same twice and says nothing of what was
// found.
func checkFacts(t testing.TB, data []byte) {
	t.Helper()
	extract := func() string {
		facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("example", data))
		if err != nil && !errors.Is(err, ErrLimit) {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, f := range facts {
			fmt.Fprintf(&b, "%s\x00%d\x00%s\n", f.Secret.Rule, f.Secret.Line, f.Secret.Masked)
		}
		return b.String()
	}
	if first, second := extract(), extract(); first != second {
		t.Fatalf("%q\n%q", first, second)
	}
}

// TestNeighbours: secrets with one character between them are all found.
func TestNeighbours(t *testing.T) {
	text := mustExpand(t, "ghp_<alnum 36>,ghp_<alnum 36> ghp_<alnum 36>\nghp_<alnum 36>")
	got := run(t, Default(), windowBytes, strings.NewReader(text))
	if len(got) != 4 || strings.Contains(strings.Join(got, " "), "ghp_") {
		t.Errorf("%q", got)
	}
}

// TestOverlap: where two rules find the same text, the first counts.
func TestOverlap(t *testing.T) {
	text := mustExpand(t, `api_key = "ghp_<alnum 36>"`)
	got := run(t, Default(), windowBytes, strings.NewReader(text))
	if len(got) != 1 || !strings.Contains(got[0], "github-token") {
		t.Error(got)
	}
}

func TestEncodings(t *testing.T) {
	text := mustExpand(t, "first\r\ntoken=ghp_<alnum 36>\r\nthird 𝄞 ü\r\n")
	wide := func(big bool, mark bool) string {
		var b strings.Builder
		units := utf16Of(text)
		if mark {
			units = append([]uint16{0xfeff}, units...)
		}
		for _, u := range units {
			if big {
				b.Write([]byte{byte(u >> 8), byte(u)})
			} else {
				b.Write([]byte{byte(u), byte(u >> 8)})
			}
		}
		return b.String()
	}
	for name, tt := range map[string]struct {
		data string
		want int
	}{
		"utf-8": {text, 1}, "utf-8 with a mark": {"\ufeff" + text, 1}, "latin-1": {"\xfc\xe4\n" + text, 1},
		"utf-16le": {wide(false, true), 1}, "utf-16be": {wide(true, true), 1}, "utf-16le bare": {wide(false, false), 1}, "utf-16be bare": {wide(true, false), 1},
		"utf-16le cut": {wide(false, true) + "a", 1}, "utf-32": {"\xff\xfe\x00\x00" + text, 0}, "binary": {"\x7fELF\x00" + text, 0},
		"binary later": {strings.Repeat("a line\n", 2000) + "\x00" + text, 1}, "empty": {"", 0},
	} {
		t.Run(name, func(t *testing.T) {
			facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("a", []byte(tt.data)))
			if err != nil || len(facts) != tt.want {
				t.Fatalf("%d facts, %v", len(facts), err)
			}
			if tt.want == 1 && facts[0].Secret.Masked != "token=********" {
				t.Errorf("%q", facts[0].Secret.Masked)
			}
			if s := facts; strings.HasPrefix(name, "utf-16") && s[0].Secret.Line != 2 {
				t.Errorf("line %d", s[0].Secret.Line)
			}
		})
	}
}

func utf16Of(s string) (out []uint16) {
	for _, r := range s {
		if r > 0xffff {
			out = append(out, uint16(0xd800+(r-0x10000)>>10), uint16(0xdc00+(r-0x10000)&0x3ff))
		} else {
			out = append(out, uint16(r))
		}
	}
	return out
}
