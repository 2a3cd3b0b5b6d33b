package cocoapods

import (
	"cmp"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// The properties of pods that have no package URL.
const (
	sourceProperty     = "cocoapods:source"     // a folder, or a podspec outside of any spec repository
	repositoryProperty = "cocoapods:repository" // the name of a spec repository
)

// locate says where a pod comes from, and gives it its package URL.
func (l *lock) locate(p *sbom.Package) {
	pod, _, _ := strings.Cut(p.Name, "/")
	o, ok := l.sources[pod]
	switch {
	case !ok:
		registered(p, l.repositories[pod])
	case o[":git"] != "":
		inRepository(p, "git", o[":git"], cmp.Or(o[":commit"], o[":tag"], o[":branch"]))
	case o[":hg"] != "":
		inRepository(p, "hg", o[":hg"], o[":revision"])
	case o[":svn"] != "":
		inRepository(p, "svn", o[":svn"], cmp.Or(o[":revision"], o[":tag"]))
	case o[":http"] != "":
		p.Download = locked.Anonymous(o[":http"])
		p.Hashes = append(locked.Hex("sha256", o[":sha256"]), locked.Hex("sha1", o[":sha1"])...)
		p.PURL = with(packageURL(p), "download_url", p.Download)
	case o[":path"] != "":
		property(p, sourceProperty, "path:"+o[":path"])
	default:
		property(p, sourceProperty, "podspec:"+locked.Anonymous(o[":podspec"]))
	}
}

// registered describes a pod of a spec repository. Old lockfiles tell none.
func registered(p *sbom.Package, repository string) {
	switch {
	case isTrunk(repository):
		p.PURL = packageURL(p)
	case strings.ContainsAny(repository, ":/"):
		p.PURL = with(packageURL(p), "repository_url", locked.Anonymous(repository))
	default: // the name that the repository has on the machine of a developer
		property(p, repositoryProperty, repository)
	}
}

// isTrunk reports whether a spec repository is the one of the project, under one of its names.
func isTrunk(repository string) bool {
	switch strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(repository), "/"), ".git") {
	case "", "trunk", "https://cdn.cocoapods.org", "https://github.com/cocoapods/specs":
		return true
	}
	return false
}

func inRepository(p *sbom.Package, tool, address, revision string) {
	if !strings.HasPrefix(address, "file:") {
		p.Download = locked.VCS(tool, address, revision)
	}
	if p.Download == "" {
		property(p, sourceProperty, tool+":"+address)
		return
	}
	p.PURL = with(packageURL(p), "vcs_url", p.Download)
}

// packageURL follows the purl type cocoapods, which has rules for names; there is none for
// what breaks them.
func packageURL(p *sbom.Package) purl.PackageURL {
	pod, subspec, _ := strings.Cut(p.Name, "/")
	if strings.HasPrefix(pod, ".") || strings.ContainsAny(pod, " \t+") {
		return purl.PackageURL{}
	}
	u := locked.URL("cocoapods", "", pod, p.Version)
	if u.IsZero() || subspec == "" {
		return u
	}
	u.Subpath = subspec
	if back, err := purl.Parse(u.String()); err != nil || back.Subpath != subspec {
		return purl.PackageURL{}
	}
	return u
}

// with adds a qualifier to a package URL, if there is one.
func with(u purl.PackageURL, key, value string) purl.PackageURL {
	if u.IsZero() {
		return u
	}
	return u.With(key, value)
}

func property(p *sbom.Package, name, value string) {
	p.Properties = append(p.Properties, sbom.Property{Name: name, Value: value})
}
