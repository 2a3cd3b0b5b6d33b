package plain

import (
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                   "",
		"CVE-2026-1 é 日本":    "CVE-2026-1 é 日本",
		"a\x1b[31mb":         "a\ufffd[31mb",
		"a\nb\tc\r":          "a\ufffdb\ufffdc\ufffd",
		"a\u202eb\u2066c":    "a\ufffdb\ufffdc",
		"a\u200bb\ufeff":     "a\ufffdb\ufffd",
		"a\ufffeb\U0001ffff": "a\ufffdb\ufffd",
		"a\u2028b\x7f\x85":   "a\ufffdb\ufffd\ufffd",
	} {
		if got := Text(in); got != want || !utf8.ValidString(got) {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}
