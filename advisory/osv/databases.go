package osv

import (
	"path"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

// repository is a database that is kept in a repository on GitHub.
func repository(about advisory.Description, name, branch, folder string, ends ...string) *Source {
	about.Hosts = []string{feed.GitHubHost}
	if about.Home == "" {
		about.Home = "https://github.com/" + name
	}
	about.Redistribute = true // their licences all do
	below := feed.Below(folder, ends...)
	return NewSource(about, feed.GitHub(about.Name, name, branch, func(name string) bool { return below(name) && !isPending(name) }), nil)
}

// isPending reports whether a record waits for its id, as some databases write
// with a number of zeros: "PYSEC-0000-CVE-2024-1".
func isPending(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(base, "PYSEC-0000") || strings.HasPrefix(base, "MAL-0000")
}

// GoVulnDB returns the source "govulndb": the Go vulnerability database.
//
// Source: https://go.dev/doc/security/vuln/database.
func GoVulnDB() *Source {
	return NewSource(advisory.Description{
		Name: "govulndb", Title: "Go vulnerability database", Home: "https://vuln.go.dev/",
		License: "CC-BY-4.0", Attribution: "Data of the Go vulnerability database, CC BY 4.0", Redistribute: true, Hosts: []string{"vuln.go.dev"},
	}, feed.Archive{Source: "govulndb", URL: "https://vuln.go.dev/vulndb.zip", Keep: feed.Below("ID", ".json")}, nil)
}

// RustSec returns the source "rustsec": the RustSec advisory database, in its
// own conversion to OSV.
func RustSec() *Source {
	return repository(advisory.Description{
		Name: "rustsec", Title: "RustSec advisory database", License: "CC0-1.0 AND CC-BY-4.0",
		Attribution: "Data of the RustSec advisory database; advisories imported from GitHub are CC BY 4.0",
	}, "rustsec/advisory-db", "osv", "crates", ".json")
}

// PyPA returns the source "pypa": the Python Packaging Advisory Database.
func PyPA() *Source {
	return repository(advisory.Description{
		Name: "pypa", Title: "Python Packaging Advisory Database", License: "CC-BY-4.0",
		Attribution: "Data of the Python Packaging Authority, CC BY 4.0",
	}, "pypa/advisory-database", "", "vulns", ".yaml")
}

// PSF returns the source "psf": advisories about CPython and other projects of
// the Python Software Foundation, whose ranges are of commits.
func PSF() *Source {
	return repository(advisory.Description{
		Name: "psf", Title: "Python Software Foundation CVE Numbering Authority", License: "CC-BY-4.0",
		Attribution: "Data of the Python Software Foundation, CC BY 4.0",
	}, "psf/advisory-database", "", "advisories", ".json")
}

// Julia returns the source "julia": advisories about Julia packages.
func Julia() *Source {
	return repository(advisory.Description{
		Name: "julia", Title: "Julia security advisories", License: "CC-BY-4.0",
		Attribution: "Data of the Julia security working group, CC BY 4.0",
	}, "JuliaLang/SecurityAdvisories.jl", "generated/osv", "", ".json")
}

// Drupal returns the source "drupal": advisories about Drupal and its modules.
func Drupal() *Source {
	return repository(advisory.Description{
		Name: "drupal", Title: "Drupal advisory database", License: "MIT",
		Attribution: "Data of the Drupal Security Team",
	}, "DrupalSecurityTeam/drupal-advisory-database", "", "advisories", ".json")
}

// Haskell returns the source "haskell": the Haskell security advisories, in
// their own conversion to OSV.
func Haskell() *Source {
	return repository(advisory.Description{
		Name: "haskell", Title: "Haskell security advisories", License: "CC0-1.0",
	}, "haskell/security-advisories", "generated/osv-export", "", ".json")
}

// R returns the source "r": advisories about packages of CRAN and Bioconductor.
func R() *Source {
	return repository(advisory.Description{
		Name: "r", Title: "R Consortium advisory database", License: "Apache-2.0",
		Attribution: "Data of the R Consortium",
	}, "RConsortium/r-advisory-database", "", "vulns", ".yaml")
}

// OCaml returns the source "ocaml": advisories about packages of opam.
func OCaml() *Source {
	return repository(advisory.Description{
		Name: "ocaml", Title: "OCaml security advisories", License: "CC0-1.0",
	}, "ocaml/security-advisories", "generated-osv", "", ".json")
}

// MaliciousPackages returns the source "malicious-packages": packages that were
// published to do harm.
func MaliciousPackages() *Source {
	return repository(advisory.Description{
		Name: "malicious-packages", Title: "OpenSSF malicious packages", License: "Apache-2.0",
		Attribution: "Data of the Open Source Security Foundation",
	}, "ossf/malicious-packages", "", "osv", ".json")
}
