package pypi

import (
	"cmp"
	"net/url"
	"path"
	"slices"
	"strings"
)

// fromAddress takes what an address or path says of the package behind it: the
// name after "#egg=", else name and version in the file name of a wheel (PEP
// 427) or source archive (PEP 625), and the digest in the fragment.
func fromAddress(address string) entry {
	var e entry
	base, fragment, _ := strings.Cut(address, "#")
	for part := range strings.SplitSeq(fragment, "&") {
		name, value, _ := strings.Cut(part, "=")
		if name == "egg" {
			e.name, _, _ = strings.Cut(unescape(value), "[")
			e.name = strings.TrimSpace(e.name)
		}
		e.hashes = append(e.hashes, digestOf(name, value)...)
	}
	scheme, _, plus := strings.Cut(base, "+")
	if plus && slices.Contains([]string{"git", "hg", "svn", "bzr"}, scheme) {
		e.from = source{vcs, base}
		return e
	}
	name, version := fromFile(unescape(path.Base(base)))
	switch e.version = version; {
	case strings.Contains(base, "://") && scheme != "file":
		e.from = source{archive, base}
	case name != "":
		e.from = source{archive, base}
	default:
		e.from = source{local, base}
	}
	e.name = cmp.Or(e.name, name)
	return e
}

func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// fromFile takes apart "name-1.0-py3-none-any.whl" and "name-1.0.tar.gz".
func fromFile(file string) (name, version string) {
	if stem, ok := strings.CutSuffix(file, ".whl"); ok {
		if parts := strings.Split(stem, "-"); len(parts) >= 5 {
			return parts[0], parts[1]
		}
		return "", ""
	}
	if !isSdist(file) {
		return "", ""
	}
	stem := file[:strings.LastIndexByte(file, '.')]
	stem = strings.TrimSuffix(stem, ".tar")
	at := strings.LastIndexByte(stem, '-')
	if at <= 0 || at+1 == len(stem) || stem[at+1] < '0' || stem[at+1] > '9' {
		return "", ""
	}
	return stem[:at], stem[at+1:]
}

func isSdist(file string) bool {
	for _, ext := range []string{".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz"} {
		if strings.HasSuffix(file, ext) {
			return true
		}
	}
	return false
}
