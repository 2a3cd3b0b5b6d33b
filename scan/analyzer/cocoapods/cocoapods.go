// Package cocoapods reads packages of CocoaPods: what a Podfile.lock names, and what
// Pods/Manifest.lock, which is the Podfile.lock of the last installation, says is there.
//
// Each subspec is a package of its own, "Texture/Core"; its package URL has the pod's name
// and the subspec as subpath. Pods of a git repository or an archive have a package URL with
// vcs_url or download_url. Those of a folder, those of a podspec outside of any spec
// repository and those of a spec repository of which the file tells no address have none; the
// properties "cocoapods:source" and "cocoapods:repository" say where they come from. The
// checksums of the file are of podspecs, not of what they describe: they are left out.
package cocoapods

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/yamltree"
	"github.com/stella-ops/stella/scan/sbom"
)

// Analyzer reads the files of CocoaPods. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "cocoapods", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names:  []string{"Podfile.lock", "Manifest.lock"},
		Accept: func(file string) bool { return path.Base(file) == "Podfile.lock" || isManifest(file) },
	}
}

// isManifest reports whether a file says what is installed.
func isManifest(file string) bool {
	return path.Base(file) == "Manifest.lock" && path.Base(path.Dir(file)) == "Pods"
}

// Extract implements analyzer.Analyzer: one fact for each pod and subspec.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(locked.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	facts, err := readLock(data)
	if isManifest(f.Path) {
		for i := range facts {
			facts[i].Package.State = sbom.Installed
		}
	}
	if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, nil
}

// lock is a lockfile with what it says of pods by their names, without those of subspecs.
type lock struct {
	*yamltree.Tree
	locked.File
	sources      map[string]options // of pods that are not of a spec repository
	repositories map[string]string  // spec repositories
}

// options say where a pod comes from: ":git", ":tag", …
type options map[string]string

// readLock reads a Podfile.lock (CocoaPods Core, lib/cocoapods-core/lockfile.rb).
func readLock(data []byte) ([]analyzer.Fact, error) {
	tree, err := yamltree.Read(data)
	if err != nil {
		return nil, err
	}
	if len(tree.Docs) == 0 {
		return nil, nil
	}
	l := lock{Tree: tree, sources: map[string]options{}, repositories: map[string]string{}}
	root := tree.Docs[0]
	if tree.Nodes[root].Kind != yamltree.Map {
		l.odd(root, "not a mapping")
		return l.Facts(nil)
	}
	l.external(root, "EXTERNAL SOURCES") // as the Podfile asks for them
	l.external(root, "CHECKOUT OPTIONS") // as they were got
	if repositories := l.Child(root, "SPEC REPOS"); repositories >= 0 {
		for r := range l.Children(repositories) {
			for pod := range l.Children(r) {
				l.repositories[l.Value(pod)] = l.Key(r)
			}
		}
	}
	if pods := l.Child(root, "PODS"); pods >= 0 {
		l.pods(pods)
	}
	return l.Facts(nil)
}

// odd notes what is wrong with a node.
func (l *lock) odd(node int, what string) {
	l.Odd(fmt.Errorf("line %d: %s: %w", l.Nodes[node].Line, what, fault.Invalid))
}

// external notes what a section says of pods that are not of a spec repository.
func (l *lock) external(root int, section string) {
	node := l.Child(root, section)
	if node < 0 {
		return
	}
	for pod := range l.Children(node) {
		o := options{}
		for c := range l.Children(pod) {
			o[l.Key(c)] = l.Value(c)
		}
		l.sources[l.Key(pod)] = o
	}
}

// pods reads the list of pods: "Name (1.0)", or a mapping from that to what it depends on.
func (l *lock) pods(list int) {
	if l.Nodes[list].Kind != yamltree.List && len(l.Nodes[list].Text) > 0 {
		l.odd(list, "PODS is not a list")
	}
	for item := range l.Children(list) {
		if l.Nodes[item].Kind != yamltree.Map {
			l.pod(item, l.Value(item), -1)
			continue
		}
		for pod := range l.Children(item) {
			l.pod(pod, l.Key(pod), pod)
		}
	}
}

func (l *lock) pod(node int, text string, wants int) {
	name, version := split(text)
	if name == "" || strings.ContainsAny(name, " \t") {
		l.odd(node, fmt.Sprintf("%.60q is not a pod and its version", text))
		return
	}
	e := locked.Entry{Key: name, Package: sbom.Package{Name: name, Version: version}}
	l.locate(&e.Package)
	if wants >= 0 {
		for d := range l.Children(wants) {
			other, _ := split(l.Value(d))
			e.Wants = append(e.Wants, other)
		}
	}
	l.Put(e)
}

// split takes "Name (1.0)" and "Name (~> 1.0)" apart.
func split(text string) (name, rest string) {
	name, rest, _ = strings.Cut(text, " (")
	return strings.TrimSpace(name), strings.TrimSuffix(rest, ")")
}
