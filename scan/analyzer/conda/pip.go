package conda

import (
	"strings"

	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// pipPackage reads a requirement (PEP 508) as pip gets it: "name[extra]==1.0 ; marker" or
// "name @ address".
func pipPackage(text string) (p sbom.Package, ok bool) {
	text, _, _ = strings.Cut(text, " #")
	text, _, _ = strings.Cut(text, ";")
	n := 0
	for n < len(text) && (isAlnum(text[n]) || strings.IndexByte("-_.", text[n]) >= 0) {
		n++
	}
	p.Name = strings.TrimRight(text[:n], "-_.")
	if p.Name == "" || !isAlnum(p.Name[0]) {
		return p, false
	}
	rest := strings.TrimSpace(text[n:])
	if strings.HasPrefix(rest, "[") {
		_, after, closed := strings.Cut(rest, "]")
		if !closed {
			return p, false
		}
		rest = strings.TrimSpace(after)
	}
	if address, direct := strings.CutPrefix(rest, "@"); direct {
		address = withoutSecrets(strings.TrimSpace(address))
		fromAddress(&p, address)
		return p, address != ""
	}
	if p.Version = pinned(rest); p.Version == "" && rest != "" {
		p.Properties = []sbom.Property{{Name: "pypi:requirement", Value: rest}}
	}
	p.PURL = pypiURL(p.Name, p.Version)
	return p, rest == "" || strings.IndexByte("=<>!~(", rest[0]) >= 0
}

// pinned returns the one version that "==1.0" allows, or "".
func pinned(spec string) string {
	for clause := range strings.SplitSeq(strings.Trim(spec, "() "), ",") {
		v, ok := strings.CutPrefix(strings.TrimSpace(clause), "==")
		if v = strings.TrimSpace(strings.TrimPrefix(v, "=")); ok && isVersion(v) {
			return v
		}
	}
	return ""
}

// fromAddress fills in a package of PyPI that comes from an address or a folder.
func fromAddress(p *sbom.Package, address string) {
	switch {
	case strings.HasPrefix(address, "git+"):
		address, revision, _ := strings.Cut(address, "#")
		address, _, _ = strings.Cut(address, "?")
		if revision != "" && !strings.Contains(revision, "=") { // of pixi; of pip it is "egg=name"
			address += "@" + revision
		}
		p.Download = address
		if p.PURL = pypiURL(p.Name, p.Version); !p.PURL.IsZero() {
			p.PURL = p.PURL.With("vcs_url", address)
		}
	case remote(address):
		p.Download, _, _ = strings.Cut(address, "#")
		if p.Version == "" {
			p.Version = fileVersion(p.Name, p.Download)
		}
		if p.PURL = pypiURL(p.Name, p.Version); !p.PURL.IsZero() && !strings.HasPrefix(p.Download, "https://files.pythonhosted.org/") {
			p.PURL = p.PURL.With("download_url", p.Download)
		}
	default:
		p.Properties = []sbom.Property{{Name: "pypi:source", Value: address}}
	}
}

// fileVersion returns the version in the name of a wheel or source archive (PEP 427,
// PEP 625), or "".
func fileVersion(name, address string) string {
	_, base, _ := cutLast(address, "/")
	if stem, ok := strings.CutSuffix(base, ".whl"); ok {
		if parts := strings.Split(stem, "-"); len(parts) >= 5 && pypiName(parts[0]) == pypiName(name) {
			return parts[1]
		}
		return ""
	}
	for _, ext := range [...]string{".tar.gz", ".zip", ".tar.bz2"} {
		if stem, ok := strings.CutSuffix(base, ext); ok {
			if before, version, ok := cutLast(stem, "-"); ok && pypiName(before) == pypiName(name) {
				return version
			}
		}
	}
	return ""
}

func isAlnum(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' }

// pypiName returns the name by which PyPI knows a package (PEP 503).
func pypiName(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	return strings.Join(words, "-")
}

func pypiURL(name, version string) purl.PackageURL {
	return locked.URL("pypi", "", pypiName(name), version)
}
