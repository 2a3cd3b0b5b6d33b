package cran

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// repositories are addresses by the names that a lockfile gives them.
type repositories map[string]string

// mirrors are hosts that serve what CRAN has.
var mirrors = []string{
	"cran.r-project.org", "cloud.r-project.org", "cran.rstudio.com", "cran.microsoft.com", "mran.microsoft.com",
	"packagemanager.rstudio.com", "packagemanager.posit.co", "p3m.dev",
}

// isCRAN reports whether an address is CRAN or a mirror that is known to have the same.
func isCRAN(address string) bool {
	u, err := url.Parse(address)
	return err == nil && slices.Contains(mirrors, strings.ToLower(u.Hostname()))
}

// locate fills in where a package comes from, and with it the package URL. The fields are
// those of a DESCRIPTION, which renv and packrat copy (packages remotes and pak write them).
func (r record) locate(p *sbom.Package, named repositories) {
	kind := strings.ToLower(cmp.Or(r["RemoteType"], r["Source"]))
	switch kind {
	case "github", "gitlab", "bitbucket":
		r.hosted(p, kind)
	case "git", "git2r", "xgit", "svn", "hg":
		vcs := kind
		if strings.Contains(kind, "git") {
			vcs = "git"
		}
		r.checkout(p, vcs, r["RemoteUrl"])
	case "url":
		p.Download = locked.Anonymous(r["RemoteUrl"])
		p.PURL = locked.URL("cran", "", p.Name, p.Version)
		if !p.PURL.IsZero() {
			p.PURL = p.PURL.With("download_url", p.Download)
		}
	case "local", "source", "deps", "installed":
		unpublished(p, cmp.Or(r["RemoteUrl"], kind))
	case "bioconductor", "bioc", "bioc_git2r", "bioc_xgit":
		p.PURL = locked.URL("bioconductor", "", p.Name, p.Version)
	case "", "unknown":
		if r["biocViews"] != "" || r["Repository"] != "" || kind == "" && len(named) > 0 {
			r.published(p, named)
			return
		}
		unpublished(p, "unknown")
	default: // "standard", "cran", "repository", "rspm", or the name of a repository
		r.published(p, named)
	}
}

// published is a package of a repository. What Bioconductor has is told by the classes that
// it wants there.
func (r record) published(p *sbom.Package, named repositories) {
	name := cmp.Or(r["Repository"], r["RemoteRepos"])
	if word := r["Source"]; name == "" && named[word] != "" {
		name = word
	}
	address := cmp.Or(named[name], r["RemoteRepos"], name)
	if r["biocViews"] != "" && !strings.EqualFold(name, "CRAN") || strings.HasPrefix(name, "Bioconductor") || strings.Contains(address, "//bioconductor.org/") {
		p.PURL = locked.URL("bioconductor", "", p.Name, p.Version)
		return
	}
	p.PURL = locked.URL("cran", "", p.Name, p.Version)
	known := name == "" || name == "CRAN" || name == "RSPM" || name == "P3M" || isCRAN(address)
	if strings.Contains(address, "://") && !known && !p.PURL.IsZero() {
		p.PURL = p.PURL.With("repository_url", locked.Anonymous(address))
	}
}

// hosted is a package of a repository on a hosting site.
func (r record) hosted(p *sbom.Package, site string) {
	host, _, _ := strings.Cut(strings.TrimPrefix(r["RemoteHost"], "https://"), "/")
	host = strings.TrimPrefix(host, "api.") // GitHub's interface, which the fields name
	if host == "" {
		host = map[string]string{"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}[site]
	}
	user, repo := cmp.Or(r["RemoteUsername"], r["GithubUsername"]), cmp.Or(r["RemoteRepo"], r["GithubRepo"])
	r.checkout(p, "git", "https://"+host+"/"+user+"/"+repo)
}

// checkout is a package of a version control system, or of a folder that is under one.
func (r record) checkout(p *sbom.Package, vcs, from string) {
	address := locked.VCS(vcs, from, cmp.Or(r["RemoteSha"], r["GithubSHA1"], r["GithubSha1"]))
	if address == "" {
		unpublished(p, cmp.Or(from, vcs))
		return
	}
	p.Download = address
	p.PURL = locked.URL("cran", "", p.Name, p.Version)
	if !p.PURL.IsZero() {
		p.PURL = p.PURL.With("vcs_url", address)
	}
}

// unpublished notes where a package comes from that no repository has.
func unpublished(p *sbom.Package, from string) {
	p.Properties = append(p.Properties, sbom.Property{Name: "cran:source", Value: from})
}
