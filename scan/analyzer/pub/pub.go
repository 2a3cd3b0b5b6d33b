// Package pub reads packages of Dart and Flutter: what a pubspec.lock names, what pub's cache
// holds, and of a pubspec.yaml outside the cache the project and what it needs in exactly one
// version. Ranges are left out, as those of other manifests are; a project without a version
// is too.
//
// Packages of pub.dev and of other servers have package URLs; those of a git repository have
// one with vcs_url. What comes with an SDK ("flutter", "flutter_test") or from a folder has
// none, whatever pub.dev has under its name; the property "pub:source" says where it comes
// from. The lockfile says nothing of what a package depends on, and of a package that is not
// asked for directly not what it is needed for.
package pub

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

// sourceProperty says where a package comes from that no server has.
const sourceProperty = "pub:source"

// maxPubspec bounds the bytes of a pubspec.yaml.
const maxPubspec = 4 << 20

// Analyzer reads the files of the Pub ecosystem. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "pub", Version: 2} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Names: []string{"pubspec.lock", "pubspec.yaml"}}
}

// Extract implements analyzer.Analyzer: one fact for each package.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	if path.Base(f.Path) == "pubspec.yaml" {
		return locked.ReadAt(f, maxPubspec, readPubspec)
	}
	return locked.Read(f, locked.MaxBytes, readLock)
}

// readLock reads a pubspec.lock of any age (https://dart.dev/tools/pub/glossary#lockfile,
// lib/src/lock_file.dart of pub).
func readLock(data []byte) ([]analyzer.Fact, error) {
	tree, err := yamltree.Read(data)
	if err != nil {
		return nil, err
	}
	if len(tree.Docs) == 0 {
		return nil, nil
	}
	var f locked.File
	if root := tree.Docs[0]; isMap(&f, tree, root, "the file") {
		if packages := tree.Child(root, "packages"); packages >= 0 && isMap(&f, tree, packages, "packages") {
			for p := range tree.Children(packages) {
				if isMap(&f, tree, p, tree.Key(p)) {
					f.Put(entry(&f, tree, p))
				}
			}
		}
	}
	return f.Facts(nil)
}

// isMap reports whether a node is a mapping, and notes it as the file's error where it is
// something else.
func isMap(f *locked.File, t *yamltree.Tree, node int, what string) bool {
	if t.Nodes[node].Kind == yamltree.Map {
		return true
	}
	f.Odd(fmt.Errorf("line %d: %s: not a mapping: %w", t.Nodes[node].Line, what, fault.Invalid))
	return false
}

func entry(f *locked.File, t *yamltree.Tree, p int) locked.Entry {
	e := locked.Entry{Package: sbom.Package{Name: t.Key(p), Version: t.Text(p, "version")}}
	if t.Text(p, "dependency") == "direct dev" {
		e.Package.Scope = sbom.ScopeDev
	}
	description := t.Child(p, "description")
	if description < 0 {
		f.Odd(fmt.Errorf("line %d: %q has no description: %w", t.Nodes[p].Line, e.Package.Name, fault.Invalid))
		description = p // which has none of its members
	}
	switch source := t.Text(p, "source"); source {
	case "hosted":
		hosted(f, t, description, &e.Package)
	case "git":
		repository(t, description, &e.Package)
	case "path":
		from(&e.Package, "path:"+t.Text(description, "path"))
	case "sdk":
		from(&e.Package, "sdk:"+t.Value(description))
	default:
		f.Odd(fmt.Errorf("line %d: source %q of %q: %w", t.Nodes[p].Line, source, e.Package.Name, fault.Unsupported))
		from(&e.Package, source)
	}
	return e
}

// from notes where a package comes from that no server has.
func from(p *sbom.Package, source string) {
	if source != "" {
		p.Properties = append(p.Properties, sbom.Property{Name: sourceProperty, Value: source})
	}
}

// hosted reads the description of a package of a server. The first versions of pub wrote
// its name alone.
func hosted(f *locked.File, t *yamltree.Tree, description int, p *sbom.Package) {
	name := t.Value(description)
	if t.Nodes[description].Kind == yamltree.Map {
		name = t.Text(description, "name")
	}
	if name != p.Name {
		f.Odd(fmt.Errorf("line %d: %q is described as %q: %w", t.Nodes[description].Line, p.Name, name, fault.Invalid))
	}
	p.Hashes = locked.Hex("sha256", t.Text(description, "sha256"))
	p.PURL = serverURL(p, locked.Anonymous(t.Text(description, "url")))
}

// serverURL returns the package URL of a package of a server.
func serverURL(p *sbom.Package, server string) purl.PackageURL {
	u := locked.URL("pub", "", strings.ToLower(p.Name), p.Version)
	if !isPubDev(server) && !u.IsZero() {
		u = u.With("repository_url", server)
	}
	return u
}

// isPubDev reports whether a server is that of the Dart project, under one of the names it
// has had. The lockfile of an old version names none.
func isPubDev(server string) bool {
	switch strings.TrimSuffix(server, "/") {
	case "", "https://pub.dev", "https://pub.dartlang.org", "http://pub.dartlang.org":
		return true
	}
	return false
}

// repository reads the description of a package of a git repository, of which it may be one
// folder.
func repository(t *yamltree.Tree, description int, p *sbom.Package) {
	address := t.Text(description, "url")
	place := ""
	if !strings.HasPrefix(address, "file:") {
		place = locked.VCS("git", address, t.Text(description, "resolved-ref"))
	}
	if place == "" {
		from(p, "git:"+address)
		return
	}
	if folder := t.Text(description, "path"); folder != "" && folder != "." {
		place += "#" + folder
	}
	p.Download = place
	if p.PURL = locked.URL("pub", "", strings.ToLower(p.Name), p.Version); !p.PURL.IsZero() {
		p.PURL = p.PURL.With("vcs_url", place)
	}
}
