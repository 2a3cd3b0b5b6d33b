package opkg

import (
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// licence reads a License field. OpenEmbedded writes & and | between names, OpenWrt blanks
// between identifiers that all hold.
func licence(text string) sbom.License {
	if expr, ok := license.Normalize(text); ok {
		return sbom.License{Expression: expr}
	}
	if words := strings.Fields(text); len(words) > 1 && !strings.ContainsAny(text, "&|()") {
		for _, w := range words {
			if !license.IsID(w) {
				return sbom.License{Name: text}
			}
		}
		if expr, ok := license.Normalize(strings.Join(words, " AND ")); ok {
			return sbom.License{Expression: expr}
		}
	}
	return sbom.License{Name: text}
}

// cpes turns a CPE-ID, "cpe:/a:busybox:busybox", and the version of the package into a CPE 2.3
// name, without the release, as OpenWrt's scripts/package-metadata.pl does for its SBOM.
func cpes(id, version string) []string {
	rest, ok := strings.CutPrefix(id, "cpe:/")
	part := strings.Split(rest, ":")
	if !ok || len(part) != 3 || version == "" || part[0] != "a" && part[0] != "o" && part[0] != "h" {
		return nil
	}
	if i := strings.LastIndexByte(version, '-'); i > 0 {
		version = version[:i]
	}
	vendor, product, number := formatted(part[1]), formatted(part[2]), formatted(version)
	if vendor == "" || product == "" || number == "" {
		return nil
	}
	return []string{"cpe:2.3:" + part[0] + ":" + vendor + ":" + product + ":" + number + ":*:*:*:*:*:*:*"}
}

// formatted writes a value for a CPE 2.3 name (NIST IR 7695, 6.2): lower case, punctuation
// escaped. Values with percent signs or anything but ASCII give "".
func formatted(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
			b.WriteByte(c)
		case 'A' <= c && c <= 'Z':
			b.WriteByte(c + 'a' - 'A')
		case strings.IndexByte("+~!@#$^&()=,;'/", c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			return ""
		}
	}
	return b.String()
}
