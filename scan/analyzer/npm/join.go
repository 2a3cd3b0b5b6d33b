package npm

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxStale bounds the gaps about packages that npm wrote down in another
// version; the others are counted.
const maxStale = 20

// debianFolders are where Debian's node looks last.
var debianFolders = []string{"usr/share/nodejs/", "usr/lib/nodejs/"}

// Join implements analyzer.Joiner. It makes package URLs, turns the names that
// installed packages depend on into the packages that node would load for them,
// and adds what npm wrote down when it installed them: digest, origin and scope.
// A lockfile's entry for a folder becomes the package in that folder. A package
// of .package-lock.json that is not there becomes a declared one; one that is
// there in another version is a gap, and the installed version counts.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	t := newTree(in)
	for i := range in.Facts {
		if in.Facts[i].Kind == analyzer.KindPart {
			t.complete(&in.Facts[i])
		}
	}
	for i := range t.out {
		if f := &t.out[i]; f.Scope == installed {
			f.DependsOn = t.resolve(f.Key, f.DependsOn)
		} else if folder, ok := folderSource(f.Package); ok {
			t.recognize(f, path.Join(path.Dir(f.Path), folder))
		}
	}
	if n := t.stale - maxStale; n > 0 {
		t.gaps = append(t.gaps, sbom.Gap{Code: sbom.GapOddity, Where: "npm", What: fmt.Sprintf("%d more packages are installed in another version than npm wrote down", n)})
	}
	if err := t.walk.err("node_modules"); err != nil {
		t.gaps = append(t.gaps, sbom.Gap{Code: sbom.GapLimit, Where: "npm", What: err.Error()})
	}
	return t.out, t.gaps
}

// tree finds installed packages by folder.
type tree struct {
	in    *analyzer.Squashed
	out   []analyzer.Located
	gaps  []sbom.Gap
	at    map[string]int // folder → index in out
	stale int            // packages that npm wrote down in another version
	walk  walker
}

func newTree(in *analyzer.Squashed) *tree {
	t := &tree{in: in, out: make([]analyzer.Located, 0, len(in.Facts)), at: map[string]int{}}
	packages := make([]sbom.Package, len(in.Facts)) // copies: facts may be shared
	for i, f := range in.Facts {
		if f.Kind != analyzer.KindPackage {
			continue
		}
		packages[i] = *f.Package
		identify(&packages[i])
		f.Package = &packages[i]
		if f.Scope == installed {
			t.at[f.Key] = len(t.out)
		}
		t.out = append(t.out, f)
	}
	return t
}

// find returns the package in a folder, which may be a link.
func (t *tree) find(folder []byte) (int, bool) {
	if i, ok := t.at[string(folder)]; ok {
		return i, true
	}
	if t.in.Resolve == nil {
		return 0, false
	}
	target := t.in.Resolve(string(folder))
	i, ok := t.at[target]
	return i, ok && target != ""
}

// resolve returns the folders of the packages that code in folder from gets by
// these names. What is not installed is left out: npm allows it for optional
// and peer dependencies.
func (t *tree) resolve(from string, names []string) []string {
	var keys []string
	for _, name := range names {
		i, ok := t.walk.lookUp(from, name, t.find)
		for _, dir := range debianFolders {
			if !ok {
				i, ok = t.at[dir+name]
			}
		}
		if key := t.out[i].Key; ok && key != from {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// recognize makes a lockfile's entry for a folder the package that is in it,
// where that was read.
func (t *tree) recognize(f *analyzer.Located, folder string) {
	if folder == "." {
		folder = ""
	}
	if i, ok := t.at[folder]; ok && t.out[i].Package.Name == f.Package.Name {
		f.Package.PURL, f.Package.Version, f.Package.Properties = t.out[i].Package.PURL, t.out[i].Package.Version, nil
	}
}

// complete adds what .package-lock.json says to the installed package.
func (t *tree) complete(part *analyzer.Located) {
	said := part.Package
	i, ok := t.find([]byte(part.Key))
	if !ok {
		f, p := *part, *said
		identify(&p)
		f.Kind, f.Scope, f.Key, f.Package = analyzer.KindPackage, "", "", &p
		t.out = append(t.out, f)
		return
	}
	f := &t.out[i]
	if f.Package.Name != said.Name || f.Package.Version != said.Version {
		if t.stale++; t.stale <= maxStale {
			t.gaps = append(t.gaps, sbom.Gap{Code: sbom.GapOddity, Where: part.Path, What: fmt.Sprintf(
				"names %s %s in %s, where %s %s is installed", said.Name, said.Version, part.Key, f.Package.Name, f.Package.Version)})
		}
		return
	}
	p := f.Package // a copy already
	p.Scope, p.Properties, p.Download = said.Scope, said.Properties, cmp.Or(said.Download, p.Download)
	if !said.PURL.IsZero() {
		p.PURL = said.PURL
	}
	if len(said.Hashes) > 0 {
		p.Hashes = said.Hashes
	}
}
