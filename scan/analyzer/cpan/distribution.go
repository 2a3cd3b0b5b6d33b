package cpan

import (
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// distribution is what the path of an archive on CPAN says.
type distribution struct {
	author, name, version string
	ext                   string // of the archive
}

// parseDistribution reads "E/ET/ETHER/Try-Tiny-0.31.tar.gz", with "authors/id/" in front or
// not, or "Try-Tiny-0.31" alone.
func parseDistribution(pathname string) (d distribution) {
	parts := strings.Split(strings.TrimPrefix(pathname, "authors/id/"), "/")
	if len(parts) >= 4 && isAuthor(parts[2]) && strings.HasPrefix(parts[2], parts[1]) && strings.HasPrefix(parts[1], parts[0]) {
		d.author = parts[2]
	}
	stem := path.Base(pathname)
	for _, ext := range [...]string{"tar.gz", "tgz", "tar.bz2", "tbz", "tar.xz", "zip"} {
		if s, ok := strings.CutSuffix(stem, "."+ext); ok && s != "" {
			stem, d.ext = s, ext
			break
		}
	}
	d.name, d.version = splitVersion(stem)
	return d
}

// isAuthor reports whether a word is the name of an account on PAUSE.
func isAuthor(word string) bool {
	for i := range len(word) {
		if c := word[i]; (c < 'A' || c > 'Z') && c != '-' && (c < '0' || c > '9' || i == 0) {
			return false
		}
	}
	return len(word) >= 2
}

// splitVersion splits "Text-CSV_XS-1.50" and "Foo-v1.2.3-TRIAL" at the last dash before a
// digit or a "v" and a digit.
func splitVersion(stem string) (name, version string) {
	for at := len(stem); ; {
		at = strings.LastIndexByte(stem[:at], '-')
		if at <= 0 {
			return stem, ""
		}
		v := strings.TrimPrefix(stem[at+1:], "v")
		if v != "" && v[0] >= '0' && v[0] <= '9' {
			return stem[:at], stem[at+1:]
		}
	}
}

// describe returns the package.
func (d distribution) describe() sbom.Package {
	p := sbom.Package{Name: d.name, Version: d.version}
	if d.author != "" && !strings.Contains(d.name, "::") {
		p.PURL = locked.URL("cpan", d.author, d.name, d.version)
	}
	if d.ext != "" && d.ext != "tar.gz" && !p.PURL.IsZero() {
		p.PURL = p.PURL.With("ext", d.ext)
	}
	return p
}
