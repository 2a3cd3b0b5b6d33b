// Package snap reads what says of a snap what it is: the meta/snap.yaml of installed snaps,
// and of an image that is a snap or a base itself.
//
// It leaves out snaps that are there as squashfs files alone, and what is inside of a snap,
// which other analyzers read where its files are in the image. The Debian packages that
// snapcraft lists in some (snap/manifest.yaml, usr/share/snappy/dpkg.yaml) lack the names of
// their source packages, by which Ubuntu's advisories are: a gap says how many there are.
//
// There is no package URL type for snaps: they have the type generic with snap as namespace,
// as other tools have them. Nothing publishes advisories by it.
//
// Format: snapd snap/info_snap_yaml.go; https://snapcraft.io/docs/snap-format.
package snap

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/yamltree"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	scope   = "snap" // all snaps form one name space
	maxYAML = 1 << 20
)

// Analyzer reads the metadata of snaps. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info {
	return analyzer.Info{Name: "snap", Version: 2, Authoritative: true}
}

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Names: []string{"snap.yaml", "manifest.yaml", "dpkg.yaml"}, Accept: func(p string) bool {
		return placeOf(p).file != ""
	}}
}

const (
	metaFile     = "meta/snap.yaml"
	manifestFile = "snap/manifest.yaml"
	baseFile     = "usr/share/snappy/dpkg.yaml"
)

// place is what the path of a file says: the folder of the snap that it is in, with a slash at
// the end, its revision, and which file it is. Of a root that is a snap itself there are
// neither folder nor revision.
type place struct{ dir, revision, file string }

// placeOf reads "snap/<name>/<revision>/<file>" below any folder; no file means none of ours.
func placeOf(p string) place {
	for _, file := range []string{metaFile, manifestFile, baseFile} {
		if p == file {
			return place{file: file}
		}
		dir, ok := strings.CutSuffix(p, "/"+file)
		if part := strings.Split(dir, "/"); ok && len(part) >= 3 && part[len(part)-3] == "snap" {
			return place{dir: dir + "/", revision: part[len(part)-1], file: file}
		}
	}
	return place{}
}

// Extract implements analyzer.Analyzer: a snap.yaml is a package, a list of Debian packages a
// part that says how many there are.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	at := placeOf(f.Path)
	if at.file == "" {
		return nil, nil
	}
	data, err := f.Bytes(maxYAML)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	tree, err := yamltree.Read(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	if at.file != metaFile {
		return countDebian(tree), nil
	}
	if len(tree.Docs) == 0 || clean(tree.Text(tree.Docs[0], "name")) == "" {
		return nil, fmt.Errorf("read %s: no name: %w", f.Path, fault.Invalid)
	}
	fact := read(tree, tree.Docs[0])
	fact.Key = strings.TrimSuffix(fact.Package.Name+"/"+at.revision, "/")
	if root := path.Dir(path.Dir(f.Path)); root != "." {
		fact.Holds = []string{root + "/"}
	}
	property(fact.Package, "snap:revision", at.revision)
	slices.SortFunc(fact.Package.Properties, func(a, b sbom.Property) int { return strings.Compare(a.Name, b.Name) })
	return []analyzer.Fact{fact}, nil
}

// countDebian counts the Debian packages of a manifest or base.
func countDebian(tree *yamltree.Tree) []analyzer.Fact {
	n := 0
	for _, key := range []string{"primed-stage-packages", "packages"} {
		if len(tree.Docs) > 0 {
			if list := tree.Child(tree.Docs[0], key); list >= 0 {
				for range tree.Children(list) {
					n++
				}
			}
		}
	}
	if n == 0 {
		return nil
	}
	p := &sbom.Package{}
	property(p, "snap:debian-packages", strconv.Itoa(n))
	return []analyzer.Fact{{Kind: analyzer.KindPart, Scope: scope, Package: p}}
}

func property(p *sbom.Package, name, value string) {
	if value != "" {
		p.Properties = append(p.Properties, sbom.Property{Name: name, Value: value})
	}
}

// read reads the fields of a snap.yaml.
func read(tree *yamltree.Tree, root int) analyzer.Fact {
	text := func(key string) string { return clean(tree.Text(root, key)) }
	p := &sbom.Package{Name: text("name"), Version: text("version"), Description: text("summary")}
	if l := text("license"); l != "" {
		p.Licenses = []sbom.License{{Name: l}}
	}
	if site := first(tree, tree.Child(root, "website")); site != "" {
		p.Homepage = site
	} else if links := tree.Child(root, "links"); links >= 0 {
		p.Homepage = first(tree, tree.Child(links, "website"))
	}
	p.Arch = architecture(tree, tree.Child(root, "architectures"))
	kind, base := text("type"), text("base")
	property(p, "snap:type", kind)
	property(p, "snap:base", base)
	property(p, "snap:grade", text("grade"))
	if kind == "" || kind == "app" || kind == "snapd" {
		p.Type = "application"
	}
	p.PURL = locked.URL("generic", scope, p.Name, p.Version)
	if !p.PURL.IsZero() {
		p.PURL = p.PURL.With("arch", p.Arch)
	}
	fact := analyzer.Fact{Kind: analyzer.KindPackage, Scope: scope, Package: p, Provides: []string{p.Name}}
	if base == "" && p.Type != "" && kind != "snapd" {
		base = "core" // of applications that name none
	}
	if base != "" && base != "none" {
		fact.DependsOn = []string{base}
	}
	return fact
}

// architecture is the one that a snap was built for; for one that runs on several it is empty.
func architecture(tree *yamltree.Tree, list int) string {
	if list < 0 {
		return ""
	}
	arch, count := "", 0
	for c := range tree.Children(list) {
		arch = clean(tree.Value(c))
		count++
	}
	if count != 1 {
		return ""
	}
	return arch
}

// first is a text or the first one of a list.
func first(tree *yamltree.Tree, node int) string {
	if node < 0 {
		return ""
	}
	for c := range tree.Children(node) {
		return clean(tree.Value(c))
	}
	return clean(tree.Value(node))
}

// clean is a text as one line.
func clean(s string) string { return strings.Join(strings.Fields(s), " ") }

// Join implements analyzer.Joiner: it resolves which base a snap runs on. Of several revisions
// that are there the current one is used. Lists of Debian packages are gaps.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	byName := map[string][]analyzer.Located{}
	var gaps []sbom.Gap
	for _, f := range in.Facts {
		switch {
		case f.Package == nil:
		case f.Kind == analyzer.KindPackage:
			byName[f.Package.Name] = append(byName[f.Package.Name], f)
		case len(f.Package.Properties) > 0:
			gaps = append(gaps, sbom.Gap{Code: sbom.GapUnsupported, Where: f.Path,
				What: "lists Debian packages without their source packages: " + f.Package.Properties[0].Value + " are not read"})
		}
	}
	var out []analyzer.Located
	for _, f := range in.Facts {
		if f.Kind != analyzer.KindPackage || f.Package == nil {
			continue
		}
		var keys []string
		for _, base := range f.DependsOn {
			if key := current(byName[base], in.Resolve); key != "" && key != f.Key {
				keys = append(keys, key)
			}
		}
		f.DependsOn, f.Provides = keys, nil
		out = append(out, f)
	}
	return out, gaps
}

// current is the key of the revision that the link "current" leads to, else of the last one.
func current(revisions []analyzer.Located, resolve func(string) string) string {
	if len(revisions) == 0 {
		return ""
	}
	last := &revisions[len(revisions)-1]
	if at := placeOf(last.Path); at.revision != "" {
		to := resolve(strings.TrimSuffix(at.dir, at.revision+"/") + "current/" + metaFile)
		for _, r := range revisions {
			if r.Path == to {
				return r.Key
			}
		}
	}
	return last.Key
}
