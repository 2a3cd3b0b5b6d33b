package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/chat"
	"github.com/stella-ops/stella/store/event"
)

func TestLine(t *testing.T) {
	for _, c := range []struct {
		in   string
		max  int
		want string
		cut  bool
	}{
		{"", 5, "", false}, {"abc", 3, "abc", false}, {"abcd", 3, "ab…", true}, {" a \r\n\t b ", 9, "a b", false},
		{"a\x1b[31m\u202eb", 20, "a\ufffd[31m\ufffdb", false}, {"\xff", 2, "\ufffd", false},
		{"😀😀", 4, "😀😀", false}, {"😀😀", 3, "😀…", true}, {"😀", 1, "…", true}, {strings.Repeat(" ", 1<<20) + "x", 5, "x", false}, {"a" + strings.Repeat(" ", 100), 1, "a", false},
	} {
		got, cut := chat.Line(c.in, c.max)
		if got != c.want || cut != c.cut {
			t.Errorf("Line(%.20q, %d) = %q, %t; want %q, %t", c.in, c.max, got, cut, c.want, c.cut)
		}
	}
}

func TestLineProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "s"))
		if rapid.Bool().Draw(t, "text") {
			s = rapid.String().Draw(t, "s")
		}
		most := rapid.IntRange(1, 40).Draw(t, "max")
		got, cut := chat.Line(s, most)
		if n := len(utf16.Encode([]rune(got))); n > most || n != chat.Len(got) {
			t.Fatalf("%q has %d characters", got, n)
		}
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n\t") || cut != strings.HasSuffix(got, chat.Mark) && !strings.HasSuffix(strings.TrimSpace(s), chat.Mark) {
			t.Fatalf("%q of %q, cut %t", got, s, cut)
		}
		if again, cut := chat.Line(got, most); again != got || cut {
			t.Fatalf("%q again is %q", got, again)
		}
	})
}

func TestLink(t *testing.T) {
	for in, want := range map[string]string{
		"https://stella.example/n/1?a=b&c=d#e":           "https://stella.example/n/1?a=b&c=d#e",
		"http://10.0.0.1:8080/":                          "http://10.0.0.1:8080/",
		"https://stella.example/a b|c<d>e\"f":            "https://stella.example/a%20b%7Cc%3Cd%3Ee%22f",
		"https://[2001:db8::1]:8443/a_b":                 "https://[2001:db8::1]:8443/a_b",
		"https://x.example/" + strings.Repeat("é", 1000): "",
		"javascript:alert(1)":                            "", "//evil.example/x": "", "/x": "", "https:///x": "", "https://u:p@evil.example": "", "ftp://x.example": "",
		"https://x.example/\n": "", "": "", "https://x.example/" + strings.Repeat("a", chat.MaxLink): "",
	} {
		if got := chat.Link(in); got != want {
			t.Errorf("Link(%.40q) = %q, want %q", in, got, want)
		}
	}
}

func drift(vulnerability, image string, s finding.Severity) notify.Notice {
	return notify.Notice{Type: event.AdvisoryDrift, Image: image, Vulnerability: vulnerability, Severity: s, Cause: "new"}
}

func TestGroups(t *testing.T) {
	m := &notify.Message{Total: 8, Notices: []notify.Notice{
		drift("CVE-1", "a:1", finding.Low), drift("CVE-2", "a:1", finding.Critical), drift("CVE-1", "b:1", finding.Low), drift("CVE-1", "a:1", finding.Low),
		{Type: event.VerdictChanged, Image: "a:1", Environment: "production", Outcome: "fail", Before: "pass", Blocking: []string{"CVE-2"}, Blocked: 4, Severity: finding.High},
		{Type: event.ScanFailed, Image: "c:1", Reason: "no\nmanifest"},
		{Type: event.ScanCompleted, Image: "d:1", Assessed: notify.No},
		{Type: event.ScanCompleted, Image: "e:1", Assessed: notify.Yes, Findings: map[finding.Severity]int{}},
	}}
	got, cut := chat.Groups(m)
	want := []chat.Group{
		{Name: "CVE-2", Marks: []string{"critical", "new"}, Severity: finding.Critical, Items: []chat.Item{{Name: "a:1"}}},
		{Name: "production: fail", Severity: finding.High, Items: []chat.Item{{Name: "a:1", Note: "was pass, blocked by CVE-2 and 3 more"}}},
		{Name: "CVE-1", Marks: []string{"low", "new"}, Severity: finding.Low, Items: []chat.Item{{Name: "a:1"}, {Name: "b:1"}}},
		{Name: "Scan failed", Items: []chat.Item{{Name: "c:1", Note: "no manifest"}}},
		{Name: "Scanned", Items: []chat.Item{{Name: "d:1", Note: "vulnerabilities were not assessed"}, {Name: "e:1", Note: "no known vulnerabilities"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" || cut != 0 {
		t.Errorf("%d cut, -want +got\n%s", cut, diff)
	}
	if s := chat.Tally(m); s != "1 critical, 1 high, 3 low, 3 unknown" {
		t.Error(s)
	}
	if m.Total = 9; chat.Tally(m) != "" {
		t.Error("what is not listed is counted")
	}
}

func TestSpread(t *testing.T) {
	var items []chat.Item
	for i := range 10 {
		items = append(items, chat.Item{Name: fmt.Sprintf("ghcr.io/a/x-%d:1", i)}, chat.Item{Name: fmt.Sprintf("ghcr.io/b/y-%d:1", i)})
	}
	items = append(items, chat.Item{Name: "alpine:latest"}, chat.Item{Name: "ghcr.io/b/z:1"})
	got := chat.Spread(items)
	if len(got) != 3 || got[0].Name != "ghcr.io/b" || len(got[0].Items) != 11 || got[1].Name != "ghcr.io/a" || got[2].Name != "" || got[2].Items[0].Name != "alpine:latest" {
		t.Errorf("%+v", got)
	}
	if chat.Spread([]chat.Item{{Name: "a/x"}, {Name: "b/x"}, {Name: "c/x"}}) != nil || chat.Spread([]chat.Item{{Name: "a/x", Note: "n"}, {Name: "a/y"}}) != nil {
		t.Error("what is no shorter is spread")
	}
}

// TestUnknownIsNotNo: where nobody knows, nothing is claimed.
func TestUnknownIsNotNo(t *testing.T) {
	n := drift("CVE-1", "a:1", finding.Unknown)
	got, _ := chat.Facts(&n)
	want := []chat.Fact{{"Image", "a:1"}, {"Vulnerability", "CVE-1"}, {"Severity", "unknown"}, {"Cause", "new"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
