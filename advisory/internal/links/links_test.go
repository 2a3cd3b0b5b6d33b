package links_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/internal/links"
)

func TestList(t *testing.T) {
	var l links.List
	l.Add("https://example.org/a", "Third Party Advisory", "Patch")
	l.Add("https://example.org/a", "Exploit")
	l.Add("http://example.org/b", "x_transferred", "issue-tracking")
	l.Add("https://example.org/c")
	for _, none := range []string{"", "ftp://example.org", "javascript:alert(1)", "https://example.org/a b", "https://example.org/\x00", "https://\xff", "https://" + strings.Repeat("x", 5000)} {
		l.Add(none)
	}
	want := []advisory.Reference{{Type: "FIX", URL: "https://example.org/a"}, {Type: "REPORT", URL: "http://example.org/b"}, {Type: "WEB", URL: "https://example.org/c"}}
	if diff := cmp.Diff(want, l.All); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
