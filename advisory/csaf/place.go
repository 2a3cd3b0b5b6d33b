package csaf

import (
	"strings"

	"github.com/stella-ops/stella/advisory/cpe"
	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/scan/purl"
)

// place is where a product's package is found: its ecosystem, name and module's
// stream, and its version, "" for none. The zero place is of a product that is
// no package.
type place struct {
	ecosystem, name, stream, version string
	// source is the name of the source package, "" where it is not said, and bare
	// the name of a component that says no version.
	source, bare string
	distribution bool
	cpe          cpe.Name
}

// place takes a product apart. A product that is none of the document is an
// error, and so is a package whose name cannot be read.
func (r *reader) place(id string) (place, error) {
	if p, ok := r.places[id]; ok {
		return p, nil
	}
	res, err := r.products.Resolve(id)
	if err != nil {
		return place{}, err
	}
	var p place
	if r.publisher.platform != nil {
		p = r.distributed(res)
	} else {
		p = generic(res)
	}
	r.places[id] = p
	return p, nil
}

// distributed is the place of a package of a distribution.
func (r *reader) distributed(res *csaf.Resolution) (p place) {
	platform := res.Platform()
	if platform == nil {
		return p
	}
	system := ""
	if platform.Helper != nil {
		system = platform.Helper.CPE
	}
	ecosystem := r.publisher.platform(platform.Name, system)
	if ecosystem == "" {
		return p
	}
	url, isPURL := rpmURL(res.PackageURLs())
	switch {
	case isPURL && url.Type != "rpm":
		return p // a container, an archive or a module
	case isPURL:
		p = place{name: url.Name, version: url.Version, stream: moduleStream(url.Qualifier("rpmmod"))}
		if text, ok := strings.CutSuffix(url.Qualifier("upstream"), ".rpm"); ok {
			p.source = named(text).name
		}
		if epoch := url.Qualifier("epoch"); p.version != "" && epoch != "" {
			p.version = epoch + ":" + p.version
		}
	case !isRPMPlatform(ecosystem) || strings.ContainsAny(strings.TrimPrefix(res.Component.Name, modulePart(res.Component.Name)), "/@ "):
		return p
	default:
		p = named(res.Component.Name)
	}
	for _, c := range res.Within {
		for _, text := range c.Product.Helper.PackageURLs() {
			if s := moduleURL(text); s != "" {
				p.stream = s
			}
		}
	}
	if p.version != "" && r.publisher.namespace == "https://www.redhat.com" && !strings.Contains(p.version, ":") {
		p.version = "0:" + p.version // as in OSV
	}
	p.ecosystem, p.distribution, p.bare = ecosystem, true, res.Component.Name
	return p
}

// isRPMPlatform reports whether all that is in a platform is rpm packages, so
// that a component without a package URL is one.
func isRPMPlatform(ecosystem string) bool {
	return strings.HasPrefix(ecosystem, "Red Hat:enterprise_linux:") || strings.HasPrefix(ecosystem, "Red Hat:rhel_") ||
		strings.HasPrefix(ecosystem, "SUSE:") || strings.HasPrefix(ecosystem, "openSUSE:")
}

// rpmURL is the first package URL that can be read. One of another type than rpm
// need not be readable to be known.
func rpmURL(urls []string) (u purl.PackageURL, ok bool) {
	for _, text := range urls {
		if u, err := purl.Parse(text); err == nil {
			return u, true
		}
		if !strings.HasPrefix(text, "pkg:rpm/") && strings.HasPrefix(text, "pkg:") {
			return purl.PackageURL{Type: "other"}, true
		}
	}
	return purl.PackageURL{}, false
}

// moduleURL is the stream of a module's package URL,
// "pkg:rpmmod/redhat/python39@3.9:8060020240801142753:6a631399".
func moduleURL(text string) string {
	rest, ok := strings.CutPrefix(text, "pkg:rpmmod/")
	if !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "?")
	rest = rest[strings.LastIndexByte(rest, '/')+1:]
	rest = strings.NewReplacer("%3A", ":", "%3a", ":").Replace(rest)
	return moduleStream(strings.Replace(rest, "@", ":", 1))
}

// moduleStream cuts "nodejs:18:8060…:6a631399" to "nodejs:18"; "" for what is no
// stream.
func moduleStream(label string) string {
	name, rest, _ := strings.Cut(label, ":")
	stream, _, _ := strings.Cut(rest, ":")
	if name == "" || stream == "" {
		return ""
	}
	return name + ":" + stream
}

// modulePart is the "nodejs:18/" of "nodejs:18/nodejs".
func modulePart(name string) string {
	i := strings.IndexByte(name, '/')
	if i < 0 || moduleStream(name[:i]) != name[:i] {
		return ""
	}
	return name[:i+1]
}

// architectures are the ends of names of packages.
var architectures = []string{"x86_64", "aarch64", "ppc64le", "ppc64", "ppc", "s390x", "s390", "i386", "i486", "i586", "i686", "ia64", "noarch", "nosrc", "src", "armv7hl", "riscv64"}

// named reads the name of a component: "telnet-1:0.17-65.el7_6.src",
// "libopenssl1_1-1.1.1l-150500.17.3.1", "nodejs:18/nodejs", or the name alone.
func named(text string) (p place) {
	if module := modulePart(text); module != "" {
		p.stream, text = strings.TrimSuffix(module, "/"), strings.TrimPrefix(text, module)
	}
	for _, arch := range architectures {
		if rest, ok := strings.CutSuffix(text, "."+arch); ok {
			text = rest
			break
		}
	}
	p.name = text
	i := strings.LastIndexByte(text, '-')
	if i <= 0 {
		return p
	}
	j := strings.LastIndexByte(text[:i], '-')
	if j <= 0 || text[j+1:i] == "" || text[i+1:] == "" || !hasDigit(text[j+1]) || !strings.ContainsAny(text[i+1:], "0123456789") {
		return p
	}
	p.name, p.version = text[:j], text[j+1:]
	return p
}

func hasDigit(c byte) bool { return c >= '0' && c <= '9' }

// generic is the place of a product of a publisher that is no distribution: its
// package URL, or else its CPE name.
func generic(res *csaf.Resolution) (p place) {
	for _, text := range res.PackageURLs() {
		u, err := purl.Parse(text)
		if err != nil {
			continue
		}
		if ecosystem, name := language(u); ecosystem != "" {
			return place{ecosystem: ecosystem, name: name, version: u.Version}
		}
	}
	helper := res.Product.Helper
	if helper == nil || helper.CPE == "" {
		helper = res.Component.Helper
	}
	if helper == nil || helper.CPE == "" {
		return p
	}
	name, err := cpe.Parse(helper.CPE)
	if err != nil || !name.HasProduct() {
		return p
	}
	return place{ecosystem: name.Ecosystem(), name: name.Key(), cpe: name}
}

// languages are the ecosystems of types of package URLs, and what is between
// their namespaces and names.
var languages = map[string][2]string{
	"npm": {"npm", "/"}, "pypi": {"PyPI", ""}, "maven": {"Maven", ":"}, "golang": {"Go", "/"}, "gem": {"RubyGems", ""}, "cargo": {"crates.io", ""},
	"nuget": {"NuGet", ""}, "composer": {"Packagist", "/"}, "hex": {"Hex", "/"}, "pub": {"Pub", ""},
}

func language(u purl.PackageURL) (ecosystem, name string) {
	l, ok := languages[u.Type]
	if !ok {
		return "", ""
	}
	name = u.Name
	if u.Namespace != "" {
		if l[1] == "" {
			return "", ""
		}
		name = u.Namespace + l[1] + name
	}
	return l[0], name
}
