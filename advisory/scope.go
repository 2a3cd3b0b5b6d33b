package advisory

import (
	"strings"

	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/scan/sbom"
)

// scope is what packages of one kind are asked about: the ecosystems of the
// view that have data for them, or why there are none.
type scope struct {
	name       string // for people
	isSystem   bool   // packages of an operating system
	naming     naming
	ecosystems []string // that the view has
	scheme     version.Scheme
	code       sbom.GapCode // of the gap that tells of having none
	blocking   bool
	why        string
	support    string // the day on which the distribution's security support ends, or ""
	packages   int    // asked about
}

// scopeKey is what decides a package's scope, beside the document.
type scopeKey struct{ typ, namespace, distro string }

// naming says which of a package's names a database has.
type naming uint8

const (
	bySource  naming = iota // the source package's
	byPackage               // the package's own
	byBoth                  // either
	byPURL                  // what the type of package URL says
)

// scope returns the scope of a package; nil for what is not a package at all,
// such as the operating system itself or a file.
func (r *run) scope(p *sbom.Package) *scope {
	if notPackage(p) {
		return nil
	}
	key := scopeKey{typ: p.PURL.Type}
	isSystem := isSystemType(key.typ)
	if isSystem {
		key = systemKey(p)
	}
	s, known := r.scopes[key]
	if !known {
		if isSystem {
			s = r.systemScope(key)
		} else {
			s = r.languageScope(key.typ)
		}
		r.scopes[key] = s
		r.order = append(r.order, s)
	}
	return s
}

// notPackage reports whether p is something else, which nothing is known about.
func notPackage(p *sbom.Package) bool {
	switch p.Type {
	case "operating-system", "container", "file", "data", "device", "firmware", "machine-learning-model", "cryptographic-asset":
		return p.PURL.IsZero()
	}
	return false
}

// isSystemType reports whether packages of a type of package URL belong to an
// operating system.
func isSystemType(typ string) bool { return typ == "deb" || typ == "rpm" || typ == "apk" }

func systemKey(p *sbom.Package) scopeKey {
	return scopeKey{typ: p.PURL.Type, namespace: p.PURL.Namespace, distro: p.PURL.Qualifier("distro")}
}

// find fills in the ecosystems of the view that matches accepts, and the scheme
// that compares their versions.
func (r *run) find(s *scope, matches func(ecosystem string) bool) {
	for _, e := range r.view.Ecosystems() {
		if !matches(e.Name) {
			continue
		}
		scheme, err := version.For(e.Name)
		if err != nil {
			s.code, s.why = sbom.GapUnsupported, err.Error()
			continue
		}
		s.scheme = scheme
		s.ecosystems = append(s.ecosystems, e.Name)
	}
}

// ecosystemBase is the name of the scope's ecosystems without their releases.
func (s *scope) ecosystemBase() string {
	base, _, _ := strings.Cut(s.ecosystems[0], ":")
	return base
}

// queries appends the questions about a package.
func (s *scope) queries(p *sbom.Package, list []query) []query {
	return queriesFor(s.naming, s.ecosystems[0], p, list)
}

// queriesFor appends the questions about a package under a naming. Of the
// ecosystem the release does not matter.
func queriesFor(by naming, ecosystem string, p *sbom.Package, list []query) []query {
	own := query{name: p.Name, version: p.Version}
	switch {
	case by == byPURL:
		own.name = CanonicalName(ecosystem, languageName(p))
		return append(list, own)
	case p.Upstream == nil || by == byPackage:
		return append(list, own)
	}
	source := query{name: p.Upstream.Name, version: p.Version}
	if v := p.Upstream.Version; v != "" {
		// The file name of a source rpm has no epoch.
		source.version, source.noEpoch = v, p.PURL.Type == "rpm"
	}
	if by == byBoth && source.name != own.name {
		list = append(list, own)
	}
	return append(list, source)
}

// languageScope is the scope of a type of package URL.
func (r *run) languageScope(typ string) *scope {
	base := languageEcosystem(typ)
	s := &scope{name: base, naming: byPURL, code: sbom.GapNoData, blocking: true, why: "there is no advisory data about this ecosystem"}
	if base != "" {
		r.find(s, func(e string) bool { return e == base || strings.HasPrefix(e, base) && e[len(base)] == ':' })
	}
	if len(s.ecosystems) > 0 || s.code != sbom.GapNoData {
		return s
	}
	switch typ {
	case "":
		s.name, s.code, s.blocking, s.why = "packages without a package URL", sbom.GapUnsupported, false, "advisories are found by package URLs"
	case "generic", "github", "gitlab", "bitbucket", "docker", "oci", "huggingface", "mlflow", "swid":
		s.name, s.code, s.blocking, s.why = "pkg:"+typ, sbom.GapUnsupported, false, "no ecosystem has advisories about packages of this type"
	default:
		if base == "" {
			s.name = "pkg:" + typ
		}
	}
	return s
}

// languageEcosystem returns the OSV ecosystem of a type of package URL, or "".
func languageEcosystem(typ string) string {
	switch typ {
	case "npm":
		return "npm"
	case "pypi":
		return "PyPI"
	case "maven":
		return "Maven"
	case "golang":
		return "Go"
	case "cargo":
		return "crates.io"
	case "gem":
		return "RubyGems"
	case "nuget":
		return "NuGet"
	case "composer":
		return "Packagist"
	case "hex":
		return "Hex"
	case "pub":
		return "Pub"
	case "conan":
		return "ConanCenter"
	case "cran":
		return "CRAN"
	case "bioconductor":
		return "Bioconductor"
	case "hackage":
		return "Hackage"
	case "swift":
		return "SwiftURL"
	case "bitnami":
		return "Bitnami"
	case "julia":
		return "Julia"
	case "opam":
		return "opam"
	case "github":
		return "GitHub Actions"
	case "vscode-extension":
		return "VSCode"
	}
	return ""
}

// languageName returns the name of a package as its OSV ecosystem writes it.
func languageName(p *sbom.Package) string {
	u := &p.PURL
	if u.Namespace == "" {
		if u.Type == "golang" && u.Name == "std" {
			return "stdlib" // as some tools name the standard library
		}
		return u.Name
	}
	switch u.Type {
	case "maven":
		return u.Namespace + ":" + u.Name
	case "golang":
		return modulePath(p)
	}
	return u.Namespace + "/" + u.Name
}

// modulePath returns the path of a Go module. Some tools cut it at its third
// part and put the rest into the subpath, which is otherwise the place of a
// package in the module; their packages' names have the whole path.
func modulePath(p *sbom.Package) string {
	u := &p.PURL
	path := u.Namespace + "/" + u.Name
	if u.Subpath != "" && strings.EqualFold(p.Name, path+"/"+u.Subpath) {
		return p.Name
	}
	return path
}
