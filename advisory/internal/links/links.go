// Package links has what readers of CVE records share about references.
package links

import (
	"strings"

	"github.com/stella-ops/stella/advisory"
)

// Is reports whether s is an address that may be shown: http or https, without
// spaces and control characters, of at most [advisory.MaxValue] bytes.
func Is(s string) bool {
	if len(s) > advisory.MaxValue || !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return strings.ToValidUTF8(s, "") == s
}

// List collects references, each address once and in order. The zero List is
// empty.
type List struct {
	All  []advisory.Reference
	seen map[string]bool
}

// Add adds a reference with the tags that NVD and the CVE program give, in
// either spelling ("Vendor Advisory", "vendor-advisory"). What is no address, or
// is there already, is left out.
func (l *List) Add(url string, tags ...string) {
	if !Is(url) || l.seen[url] {
		return
	}
	if l.seen == nil {
		l.seen = map[string]bool{}
	}
	l.seen[url] = true
	l.All = append(l.All, advisory.Reference{Type: kind(tags), URL: url})
}

// kind returns the OSV type that tags mean, the most telling of several.
func kind(tags []string) string {
	best, rank := "WEB", 0
	for _, tag := range tags {
		k, r := "", 0
		switch strings.ReplaceAll(strings.ToLower(tag), " ", "-") {
		case "patch":
			k, r = "FIX", 5
		case "vendor-advisory", "third-party-advisory", "us-government-resource", "government-resource", "vdb-entry":
			k, r = "ADVISORY", 4
		case "issue-tracking":
			k, r = "REPORT", 3
		case "exploit":
			k, r = "EVIDENCE", 2
		case "product":
			k, r = "PACKAGE", 1
		}
		if r > rank {
			best, rank = k, r
		}
	}
	return best
}
