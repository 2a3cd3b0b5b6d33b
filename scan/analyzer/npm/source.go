package npm

import (
	"strings"

	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// source is where the content of a package comes from.
type source struct {
	kind sourceKind
	text string // as the lockfile writes it; empty for a registry's default
}

type sourceKind uint8

const (
	registry sourceKind = iota // a registry
	remote                     // a tarball on some other server
	archive                    // a tarball in the project
	git                        // a revision of a git repository
	local                      // a folder of the project
)

// sourceOf understands the specifiers of npm, yarn and pnpm
// (https://docs.npmjs.com/cli/configuring-npm/package-json, "dependencies").
func sourceOf(text string) source {
	scheme, rest, _ := strings.Cut(text, ":")
	switch {
	case text == "", scheme == text && isArchive(text): // yarn's offline mirror names the file alone
		return source{}
	case strings.HasPrefix(scheme, "git"), scheme == "bitbucket", scheme == "gist", scheme == "ssh",
		strings.HasPrefix(rest, "//git@"), strings.Contains(text, ".git#"), strings.Contains(text, "#commit="):
		return source{git, text}
	case scheme == "http", scheme == "https":
		if isRegistryPath(rest) {
			return source{registry, text}
		}
		return source{remote, text}
	case scheme == "file" && isArchive(rest):
		text, _, _ = strings.Cut(text, "#")
		text, _, _ = strings.Cut(text, "::")
		return source{archive, text}
	}
	return source{local, text}
}

// isRegistryPath reports whether the rest of a URL is one under which registries
// offer tarballs: "…/name/-/name-1.0.0.tgz", or GitHub's
// "//host/download/@scope/name/1.0.0/digest".
func isRegistryPath(rest string) bool {
	_, path, _ := strings.Cut(strings.TrimPrefix(rest, "//"), "/")
	return strings.Contains(path, "/-/") || strings.HasPrefix(path, "download/@")
}

// isArchive reports whether a path is that of a tarball, with or without a
// digest behind "#" or yarn's bindings behind "::".
func isArchive(path string) bool {
	path, _, _ = strings.Cut(path, "::")
	path, _, _ = strings.Cut(path, "#")
	return strings.HasSuffix(path, ".tgz") || strings.HasSuffix(path, ".tar.gz") || strings.HasSuffix(path, ".tar")
}

// describe writes the source down in p, which has a name and a version. It
// leaves the package URL of what a registry has to identify.
func (s source) describe(p *sbom.Package) {
	s.text = locked.Anonymous(s.text)
	switch s.kind {
	case registry:
		p.Download, _, _ = strings.Cut(s.text, "#")
	case remote:
		p.Download, _, _ = strings.Cut(s.text, "#")
		p.PURL = packageURL(p.Name, p.Version).With("download_url", p.Download)
	case git:
		p.Download = vcsURL(s.text)
		p.PURL = packageURL(p.Name, p.Version).With("vcs_url", p.Download)
	case archive:
		p.PURL = packageURL(p.Name, p.Version)
		p.Properties = []sbom.Property{{Name: sourceProperty, Value: s.text}}
	case local:
		p.Properties = []sbom.Property{{Name: sourceProperty, Value: s.text}}
	}
}

// sourceProperty says where a package comes from that no server has.
const sourceProperty = "npm:source"

// identify completes the package URL.
func identify(p *sbom.Package) {
	if p.PURL.IsZero() && len(p.Properties) == 0 {
		p.PURL = packageURL(p.Name, p.Version)
	}
}

// folderSource returns the folder that a lockfile's entry stands for, as seen
// from the lockfile.
func folderSource(p *sbom.Package) (string, bool) {
	if !p.PURL.IsZero() || len(p.Properties) == 0 {
		return "", false
	}
	scheme, folder, ok := strings.Cut(p.Properties[0].Value, ":")
	folder, _, _ = strings.Cut(folder, "#")
	switch scheme {
	case "file", "link", "portal", "workspace":
		return folder, ok && !strings.HasPrefix(folder, "/")
	}
	return "", false
}

// vcsURL writes a git source as SPDX and purl do: "git+<transport>://…@<revision>".
func vcsURL(text string) string {
	url, revision, _ := strings.Cut(text, "#")
	for _, binding := range strings.Split(revision, "&") {
		if commit, ok := strings.CutPrefix(binding, "commit="); ok {
			revision = commit
		}
	}
	scheme, rest, _ := strings.Cut(url, ":")
	switch scheme {
	case "github", "gitlab":
		url = "git+https://" + scheme + ".com/" + rest
	case "bitbucket":
		url = "git+https://bitbucket.org/" + rest
	case "gist":
		url = "git+https://gist.github.com/" + rest
	case "http", "https", "ssh":
		url = "git+" + url
	default:
		if !strings.Contains(url, "://") { // git@host:path
			url = "git+ssh://" + strings.Replace(url, ":", "/", 1)
		}
	}
	if revision == "" {
		return url
	}
	return url + "@" + revision
}
