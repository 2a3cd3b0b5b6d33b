package version

import (
	"fmt"
	"strings"
)

// For returns the scheme of an ecosystem, named as in OSV records: the name
// alone or with a suffix after a colon ("Debian:12", "Ubuntu:22.04:LTS",
// "Packagist:https://packages.drupal.org/8"). Where the suffix names the
// ecosystem whose packages are meant ("TuxCare:Red Hat", "Root:PyPI", "Docker
// Hardened Images:Alpine:3.23"), that one decides. An error wraps
// [ErrUnsupported].
//
// Source: the ecosystem list of the OSV schema, and for an ecosystem that the
// schema gives no order the order that osv.dev uses. The names Amazon Linux and
// Oracle Linux, which OSV lacks, are known too, and CPE, for the products that
// CPE names name.
func For(ecosystem string) (Scheme, error) {
	name, suffix, _ := strings.Cut(ecosystem, ":")
	if isWrapper(name) {
		name, _, _ = strings.Cut(suffix, ":")
	}
	if r := distribution(name); r != nil {
		return Scheme{r}, nil
	}
	if r := registry(name); r != nil {
		return Scheme{r}, nil
	}
	return Scheme{}, fmt.Errorf("find the version scheme of ecosystem %.64q: %w", ecosystem, ErrUnsupported)
}

// isWrapper reports whether the ecosystem repackages those of other ecosystems
// under their version rules.
func isWrapper(name string) bool {
	switch name {
	case "TuxCare", "Root", "Docker Hardened Images":
		return true
	}
	return false
}

// distribution returns the rules of a system package ecosystem, or nil.
func distribution(name string) *rules {
	switch name {
	case "Debian", "Ubuntu", "Echo":
		return &deb
	case "Alpine", "Wolfi", "Chainguard", "MinimOS", "CleanStart", "Alpaquita", "BellSoft Hardened Containers":
		return &apk
	case "Red Hat", "Rocky Linux", "AlmaLinux", "SUSE", "openSUSE", "Mageia", "openEuler", "Photon OS",
		"Azure Linux", "Amazon Linux", "Oracle Linux", "Fedora":
		return &rpm
	}
	return nil
}

// registry returns the rules of a language or application ecosystem, or nil.
func registry(name string) *rules {
	switch name {
	case "npm":
		return &npm
	case "PyPI":
		return &pypi
	case "Go", "Kubernetes":
		return &golang
	case "Maven":
		return &maven
	case "RubyGems":
		return &gem
	case "NuGet":
		return &nuget
	case "Packagist":
		return &composer
	case "crates.io", "Hex", "SwiftURL", "GitHub Actions", "GHC", "VSCode":
		return &semver
	case "Bitnami":
		return &bitnami
	case "Pub":
		return &pub
	case "Julia":
		return &julia
	case "CRAN", "Bioconductor":
		return &cran
	case "Hackage":
		return &hackage
	case "ConanCenter":
		return &conan
	case "opam":
		return &opam
	case "CPE":
		return &cpe
	}
	return nil
}

// ForVERS returns the scheme of a VERS type, such as "deb", "npm" or "alpm".
// The types "generic", whose order is not yet specified, and all unknown ones
// give an error that wraps [ErrUnsupported]; so do "all" and "none", which have
// no versions to order.
//
// Source: VERS specification, "VERS types", and the purl types it builds on.
func ForVERS(typ string) (Scheme, error) {
	r := distributionVERS(typ)
	if r == nil {
		r = registryVERS(typ)
	}
	if r == nil {
		return Scheme{}, fmt.Errorf("find the version scheme of VERS type %.64q: %w", typ, ErrUnsupported)
	}
	return Scheme{r}, nil
}

func distributionVERS(typ string) *rules {
	switch typ {
	case "deb":
		return &deb
	case "apk":
		return &apk
	case "rpm":
		return &rpm
	case "alpm":
		return &alpm
	case "gentoo", "ebuild":
		return &gentoo
	case "openssl":
		return &openssl
	case "intdot":
		return &intdot
	case "lexicographic":
		return &lexicographic
	case "datetime":
		return &datetime
	case "semver":
		return &semver
	}
	return nil
}

func registryVERS(typ string) *rules {
	switch typ {
	case "npm":
		return &npm
	case "pypi":
		return &pypi
	case "golang":
		return &golang
	case "maven":
		return &maven
	case "gem":
		return &gem
	case "nuget":
		return &nuget
	case "composer":
		return &composer
	case "cargo", "hex", "swift", "github":
		return &semver
	case "bitnami":
		return &bitnami
	case "pub", "dart":
		return &pub
	case "julia":
		return &julia
	case "cran", "bioconductor":
		return &cran
	case "hackage":
		return &hackage
	case "conan":
		return &conan
	case "opam":
		return &opam
	}
	return nil
}
