// Package githubactions reads what the workflows of GitHub and its composite actions use:
// actions, reusable workflows and container images.
//
// There is no package URL type for actions. An action is a folder of a repository, so it is
// pkg:github/owner/repo@ref#folder, by which advisories about actions find it. The name has
// the folder, too. A commit is no version that can be compared: where the comment behind it
// names one, as the tools that keep such pins up to date write it, the version is that one,
// the commit is in vcs_url, and a property says by what the version is known.
//
// What a workflow takes from its own repository ("./…") is no package: an action there has
// an action.yml that is read for itself. Everything here builds and tests: the scope is dev.
package githubactions

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/yamltree"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxBytes bounds one workflow. GitHub itself takes 512 KiB.
const maxBytes = 4 << 20

// Analyzer reads workflows and composite actions. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "githubactions", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Suffixes: []string{".yml", ".yaml"}, Accept: accept}
}

func accept(p string) bool {
	dir, base := path.Split(p)
	return base == "action.yml" || base == "action.yaml" || dir == ".github/workflows/" || strings.HasSuffix(dir, "/.github/workflows/")
}

// Extract implements analyzer.Analyzer: one fact for each thing that is used.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(maxBytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	tree, err := yamltree.ReadShared(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	r := reader{tree: tree, text: text{data: data}}
	for _, doc := range tree.Docs {
		r.document(doc)
	}
	facts, err := r.file.Facts(nil)
	if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, nil
}

type reader struct {
	tree *yamltree.Tree
	text text
	file locked.File
}

// document reads a workflow or an action, by the members that only one of them has
// (https://docs.github.com/actions, "Workflow syntax" and "Metadata syntax").
func (r *reader) document(root int) {
	t := r.tree
	if jobs := t.Child(root, "jobs"); jobs >= 0 {
		for job := range t.Children(jobs) {
			r.job(job)
		}
	}
	if runs := t.Child(root, "runs"); runs >= 0 {
		if image := t.Child(runs, "image"); image >= 0 && strings.HasPrefix(t.Value(image), dockerScheme) {
			r.use(image) // any other is a Dockerfile
		}
		r.steps(runs)
	}
}

func (r *reader) job(job int) {
	t := r.tree
	if uses := t.Child(job, "uses"); uses >= 0 {
		r.use(uses)
	}
	r.steps(job)
	if c := t.Child(job, "container"); c >= 0 {
		r.container(c)
	}
	if services := t.Child(job, "services"); services >= 0 {
		for s := range t.Children(services) {
			r.container(s)
		}
	}
}

func (r *reader) steps(i int) {
	steps := r.tree.Child(i, "steps")
	if steps < 0 {
		return
	}
	for step := range r.tree.Children(steps) {
		if uses := r.tree.Child(step, "uses"); uses >= 0 {
			r.use(uses)
		}
	}
}

// container reads an image that stands alone or under "image".
func (r *reader) container(i int) {
	if image := r.tree.Child(i, "image"); image >= 0 {
		i = image
	}
	if r.known(i) {
		r.image(r.tree.Value(i))
	}
}

const dockerScheme = "docker://"

// use reads the value of "uses".
func (r *reader) use(i int) {
	if !r.known(i) {
		return
	}
	value := r.tree.Value(i)
	switch {
	case strings.HasPrefix(value, dockerScheme):
		r.image(value)
	case !strings.HasPrefix(value, "./"):
		r.action(i, value)
	}
}

// known reports whether a value is there and says itself what it means. An alias is said
// where its anchor is.
func (r *reader) known(i int) bool {
	value := r.tree.Value(i)
	if strings.Contains(value, "${{") {
		r.file.Odd(fmt.Errorf("line %d: %.100q is known when it runs: %w", r.tree.Nodes[i].Line, value, fault.Unsupported))
		return false
	}
	return value != "" && value[0] != '*'
}

func (r *reader) put(p sbom.Package, key string) {
	p.Scope = sbom.ScopeDev
	r.file.Put(locked.Entry{Key: key, Package: p})
}

// action reads "owner/repo/folder@ref".
func (r *reader) action(i int, value string) {
	name, ref, _ := strings.Cut(value, "@")
	parts := strings.SplitN(name, "/", 3)
	if len(parts) < 2 || !isName(parts[0]) || !isName(parts[1]) {
		r.file.Odd(fmt.Errorf("line %d: %.100q is no action: %w", r.tree.Nodes[i].Line, value, fault.Invalid))
		return
	}
	p := sbom.Package{Name: name, Version: ref}
	if isCommit(ref) {
		p.Download = "git+https://github.com/" + parts[0] + "/" + parts[1] + "@" + ref
		if v := versionIn(r.text.behind(int(r.tree.Nodes[i].Line), ref)); v != "" {
			p.Version = v
			p.Properties = []sbom.Property{{Name: "githubactions:commit", Value: ref}, {Name: "githubactions:version-by", Value: "comment"}}
		}
	}
	u := locked.URL("github", parts[0], parts[1], p.Version)
	switch {
	case u.IsZero():
	case len(parts) == 3 && !isFolder(parts[2]):
		u = purl.PackageURL{} // it is listed, and no repository has it
	case len(parts) == 3:
		u.Subpath = parts[2]
	}
	if !u.IsZero() && p.Version != ref {
		u = u.With("vcs_url", p.Download)
	}
	p.PURL = u
	r.put(p, value)
}

// image reads "host/path:tag@digest".
func (r *reader) image(ref string) {
	ref = strings.TrimPrefix(ref, dockerScheme)
	name, digest, _ := strings.Cut(ref, "@")
	tag := ""
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name, tag = name[:colon], name[colon+1:]
	}
	if name == "" {
		return
	}
	p := sbom.Package{Type: "container", Name: name, Version: tag}
	if digest != "" {
		p.Version = digest // tags can be moved
	}
	host, rest, ok := strings.Cut(name, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		host, rest = "", name
	}
	if host == "docker.io" || host == "index.docker.io" {
		host, rest = "", strings.TrimPrefix(rest, "library/")
	}
	dir, base := path.Split(rest)
	p.PURL = locked.URL("docker", strings.TrimSuffix(dir, "/"), base, p.Version)
	if host != "" && !p.PURL.IsZero() {
		p.PURL = p.PURL.With("repository_url", host)
	}
	r.put(p, dockerScheme+ref)
}
