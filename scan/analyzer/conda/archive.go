package conda

import (
	"strings"

	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	sourceProperty      = "conda:source"      // where a package comes from that no channel has
	requirementProperty = "conda:requirement" // the condition where it is not one version
)

// archive is a package file as a channel has it.
type archive struct {
	name, version, build string
	subdir               string // platform, or "noarch"
	channel              string
	kind                 string // "conda" or "tar.bz2"
	url                  string // or a path
}

// parseArchive reads ".../channel/subdir/name-version-build.conda" (conda's documentation,
// "Package naming conventions"), without credentials.
func parseArchive(url string) (a archive, ok bool) {
	a.url = withoutSecrets(url)
	dir, base, ok := cutLast(a.url, "/")
	if !ok {
		dir, base = "", a.url
	}
	for _, kind := range [...]string{"conda", "tar.bz2"} {
		if stem, found := strings.CutSuffix(base, "."+kind); found {
			base, a.kind = stem, kind
		}
	}
	stem, build, _ := cutLast(base, "-")
	a.name, a.version, ok = cutLast(stem, "-")
	if a.build = build; !ok || a.kind == "" || !validName(a.name) || a.version == "" || build == "" {
		return a, false
	}
	if remote(url) {
		channel, subdir, _ := cutLast(dir, "/")
		a.channel, a.subdir = channelName(channel), subdir
	}
	return a, true
}

// remote reports whether a package comes from a server.
func remote(url string) bool {
	scheme, _, ok := strings.Cut(url, "://")
	return ok && scheme != "file"
}

// channelName returns the name of a channel where its address is a well-known one:
// "conda-forge", "main" (as in the examples of purl-spec). Others are their address.
func channelName(url string) string {
	url = strings.TrimSuffix(withoutSecrets(url), "/")
	for _, host := range [...]string{"https://conda.anaconda.org/", "https://repo.anaconda.com/pkgs/", "https://repo.continuum.io/pkgs/", "pkgs/"} {
		if name, ok := strings.CutPrefix(url, host); ok {
			return name
		}
	}
	if url == "<unknown>" || strings.HasPrefix(url, "file:") {
		return ""
	}
	return url
}

// withoutSecrets drops credentials and Anaconda's "/t/<token>" from an address.
func withoutSecrets(url string) string {
	url = locked.Anonymous(url)
	scheme, rest, _ := strings.Cut(url, "://")
	host, path, _ := strings.Cut(rest, "/")
	if tail, ok := strings.CutPrefix(path, "t/"); ok {
		if _, tail, ok = strings.Cut(tail, "/"); ok {
			return scheme + "://" + host + "/" + tail
		}
	}
	return url
}

// cutLast cuts around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// validName reports whether a package can have this name: lower-case letters, digits,
// dashes, dots and underscores, and one letter at least (CEP 26 asks for a subset of it;
// upper case is in old channels).
func validName(name string) bool {
	letter := false
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			letter = true
		case '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return letter
}

// key tells builds and platforms of one version apart.
func (a *archive) key() string {
	key := a.name + "@" + a.version
	if a.subdir != "" {
		key = a.subdir + "/" + key
	}
	if a.build != "" {
		key += "=" + a.build
	}
	return key
}

// describe returns the package. What is built from a folder is none of a channel.
func (a *archive) describe() sbom.Package {
	p := sbom.Package{Name: a.name, Version: a.version}
	folder := a.url != "" && a.kind == "" && !remote(a.url)
	if a.version != "" && validName(a.name) && !folder {
		p.PURL = locked.URL("conda", "", a.name, a.version)
	}
	if !p.PURL.IsZero() {
		p.PURL = p.PURL.With("build", a.build).With("channel", a.channel).With("subdir", a.subdir).With("type", a.kind)
	}
	switch {
	case remote(a.url):
		p.Download = a.url
	case a.url != "":
		p.Properties = []sbom.Property{{Name: sourceProperty, Value: a.url}}
	}
	return p
}

// specName returns the name that a match specification such as "python >=3.8" asks for.
func specName(spec string) string {
	if i := strings.Index(spec, "::"); i >= 0 {
		spec = spec[i+2:]
	}
	spec = strings.TrimLeft(spec, " ")
	if i := strings.IndexAny(spec, " =<>!~[("); i >= 0 {
		spec = spec[:i]
	}
	return spec
}
