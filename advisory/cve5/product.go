package cve5

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/cpe"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
)

// product is one affected product.
type product struct {
	Vendor     string         `json:"vendor"`
	Product    string         `json:"product"`
	Collection string         `json:"collectionURL"`
	Package    string         `json:"packageName"`
	PURL       string         `json:"packageURL"`
	CPEs       []string       `json:"cpes"`
	Repo       string         `json:"repo"`
	Default    string         `json:"defaultStatus"`
	Versions   []versionEntry `json:"versions"`
}

// target is what an entry of a record is about.
type target struct{ ecosystem, name string }

// affected returns the entries of all containers, equal ones once.
func (r *record) affected() (out []advisory.Affected, err error) {
	products, versions := 0, 0
	for _, c := range r.containers() {
		for i := range c.Affected {
			p := &c.Affected[i]
			products++
			versions += len(p.Versions) + len(p.CPEs)
			if products > MaxProducts || versions > MaxVersions {
				return nil, &fault.LimitError{What: "products and versions", Where: "the record", Max: MaxVersions, Seen: int64(products + versions)}
			}
			for _, t := range p.targets() {
				out = append(out, p.entries(t)...)
			}
			out = append(out, p.commits()...)
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(a advisory.Affected) bool {
		key := fmt.Sprintf("%q", a)
		old := seen[key]
		seen[key] = true
		return old
	}), nil
}

// targets returns what a product is called where others call it so too.
func (p *product) targets() []target {
	if u, err := purl.Parse(p.PURL); err == nil && p.PURL != "" {
		if t, ok := ofPURL(u); ok {
			return []target{t}
		}
	}
	if t, ok := p.ofCollection(); ok {
		return []target{t}
	}
	var out []target
	for _, text := range p.CPEs {
		name, err := cpe.Parse(text)
		if err != nil || !name.HasProduct() || p.Package != "" && (name.Vendor == "redhat" || name.Vendor == "fedoraproject") {
			continue // the name of the distribution that has the package
		}
		if t := (target{name.Ecosystem(), name.Key()}); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// ofPURL returns the OSV ecosystem and name of a package URL.
func ofPURL(u purl.PackageURL) (target, bool) {
	name := u.Name
	if u.Namespace != "" {
		name = u.Namespace + "/" + u.Name
	}
	switch u.Type {
	case "maven":
		if u.Namespace == "" {
			return target{}, false
		}
		return target{"Maven", u.Namespace + ":" + u.Name}, true
	case "golang":
		return target{"Go", name}, true
	}
	for ecosystem, typ := range map[string]string{
		"npm": "npm", "PyPI": "pypi", "crates.io": "cargo", "RubyGems": "gem", "NuGet": "nuget", "Packagist": "composer",
		"Hex": "hex", "Pub": "pub", "CRAN": "cran", "Hackage": "hackage",
	} {
		if u.Type == typ {
			return target{ecosystem, name}, true
		}
	}
	return target{}, false
}

// ofCollection returns the OSV ecosystem and name of a package in a collection.
func (p *product) ofCollection() (target, bool) {
	u, err := url.Parse(p.Collection)
	if err != nil || p.Package == "" {
		return target{}, false
	}
	name := p.Package
	switch strings.TrimPrefix(u.Hostname(), "www.") {
	case "pkg.go.dev", "go.dev", "golang.org":
		return target{"Go", p.module()}, true
	case "npmjs.com", "registry.npmjs.org":
		return target{"npm", name}, true
	case "pypi.org", "pypi.python.org":
		return target{"PyPI", name}, true
	case "repo.maven.apache.org", "repo1.maven.org", "mvnrepository.com", "search.maven.org", "central.sonatype.com":
		group, artifact, ok := strings.Cut(strings.ReplaceAll(name, "/", ":"), ":")
		return target{"Maven", group + ":" + artifact}, ok && artifact != "" && !strings.Contains(artifact, ":")
	case "crates.io":
		return target{"crates.io", name}, true
	case "rubygems.org":
		return target{"RubyGems", name}, true
	case "nuget.org", "api.nuget.org":
		return target{"NuGet", name}, true
	case "packagist.org":
		return target{"Packagist", name}, strings.Count(name, "/") == 1
	case "hex.pm", "repo.hex.pm":
		return target{"Hex", name}, true
	case "pub.dev":
		return target{"Pub", name}, true
	case "cran.r-project.org":
		return target{"CRAN", name}, true
	case "hackage.haskell.org":
		return target{"Hackage", name}, true
	}
	return target{}, false
}

// module returns the module of a Go package: the Go project's records name
// packages, and the module as the vendor.
func (p *product) module() string {
	switch {
	case p.Vendor == "Go standard library":
		return "stdlib"
	case p.Vendor == "Go toolchain":
		return "toolchain"
	case p.Package == p.Vendor, strings.HasPrefix(p.Package, p.Vendor+"/"):
		return p.Vendor
	}
	return p.Package
}
