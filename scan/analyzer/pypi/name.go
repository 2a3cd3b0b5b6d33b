package pypi

import (
	"strings"

	"github.com/stella-ops/stella/scan/purl"
)

// normalize returns the name by which the index knows a package: lower case,
// with one dash for each run of dashes, dots and underscores (PEP 503).
func normalize(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	dash := false
	for i := range len(name) {
		switch c := name[i]; c {
		case '-', '_', '.':
			dash = true
		default:
			if dash {
				b.WriteByte('-')
				dash = false
			}
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			b.WriteByte(c)
		}
	}
	if dash {
		b.WriteByte('-')
	}
	return b.String()
}

// validName reports whether name can be the name of a package: letters and
// digits with dashes, dots and underscores between them (PEP 508).
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case (c == '-' || c == '_' || c == '.') && i > 0 && i < len(name)-1:
		default:
			return false
		}
	}
	return name != ""
}

// packageURL returns the package URL of a package (purl-spec, type pypi).
func packageURL(name, version string) purl.PackageURL {
	return purl.PackageURL{Type: "pypi", Name: normalize(name), Version: version}
}
