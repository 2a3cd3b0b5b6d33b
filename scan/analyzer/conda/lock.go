package conda

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/yamltree"
	"github.com/stella-ops/stella/scan/sbom"
)

// lockfile is a [locked.File] in which one package may stand for many platforms, and has
// names and dependencies on each.
type lockfile struct {
	locked.File
	at    map[string]int
	wants int
}

func (l *lockfile) put(e locked.Entry) {
	if l.wants += len(e.Wants) + len(e.Also); l.wants > locked.MaxEdges {
		l.Odd(&fault.LimitError{What: "dependencies of a lockfile", Where: e.Package.Name, Max: locked.MaxEdges, Seen: int64(l.wants)})
		e.Wants, e.Also = nil, nil
	}
	if i, ok := l.at[e.Key]; ok {
		f := &l.Entries[i]
		f.Also, f.Wants = append(f.Also, e.Also...), append(f.Wants, e.Wants...)
		f.Package.Scope = locked.Wider(f.Package.Scope, e.Package.Scope)
		return
	}
	n := len(l.Entries)
	if l.Put(e); len(l.Entries) > n {
		if l.at == nil {
			l.at = map[string]int{}
		}
		l.at[e.Key] = n
	}
}

// readCondaLock reads conda-lock.yml (conda-lock, lockfile/v1/models.py): a list of packages
// for each platform. The first pixi.lock files are of that shape too.
func readCondaLock(_ string, data []byte) ([]analyzer.Fact, error) {
	tree, err := yamltree.Read(data)
	if err != nil {
		return nil, err
	}
	var l lockfile
	for _, root := range tree.Docs {
		if v := tree.Text(root, "version"); v != "1" {
			l.Odd(fmt.Errorf("line %d: version %.20q of conda-lock.yml: %w", tree.Nodes[root].Line, v, fault.Unsupported))
		}
		l.condaLock(tree, root)
	}
	return l.Facts(nil)
}

func (l *lockfile) condaLock(t *yamltree.Tree, root int) {
	list := t.Child(root, "package")
	if list < 0 {
		return
	}
	for c := range t.Children(list) {
		if t.Nodes[c].Kind != yamltree.Map {
			l.Odd(fmt.Errorf("line %d: expected a package: %w", t.Nodes[c].Line, fault.Invalid))
			continue
		}
		l.condaLocked(t, c)
	}
}

// condaLocked reads one package for one platform.
func (l *lockfile) condaLocked(t *yamltree.Tree, c int) {
	platform := t.Text(c, "platform")
	var e locked.Entry
	pip := t.Text(c, "manager") == "pip" || t.Text(c, "kind") == "pypi"
	if pip {
		e.Package = sbom.Package{Name: t.Text(c, "name"), Version: t.Text(c, "version")}
		fromAddress(&e.Package, withoutSecrets(t.Text(c, "url")))
		e.Key = pypiKey(&e.Package)
	} else {
		a, _ := parseArchive(t.Text(c, "url"))
		a.fill(t, c)
		e.Package = a.describe()
		e.Key = a.key()
		if licence := t.Text(c, "license"); licence != "" {
			e.Package.Licenses = []sbom.License{{Name: licence}}
		}
	}
	switch {
	case t.Text(c, "category") != "" && t.Text(c, "category") != "main":
		e.Package.Scope = sbom.ScopeOptional
		if t.Text(c, "category") == "dev" {
			e.Package.Scope = sbom.ScopeDev
		}
	case t.Truth(c, "optional"):
		e.Package.Scope = sbom.ScopeOptional
	}
	if h := t.Child(c, "hash"); h >= 0 {
		e.Package.Hashes = digests(t, h)
	}
	e.Also = []string{platform + " " + l.localName(pip, e.Package.Name)}
	if d := t.Child(c, "dependencies"); d >= 0 {
		for n := range t.Children(d) {
			name := t.Key(n)
			if t.Nodes[n].Key == nil { // a list of specifications, in the first pixi.lock
				name = specName(t.Value(n))
			}
			e.Wants = append(e.Wants, platform+" "+name)
			if pip {
				e.Wants = append(e.Wants, platform+" "+l.localName(true, name))
			}
		}
	}
	l.put(e)
}

// localName is the name by which others on a platform want a package.
func (*lockfile) localName(pip bool, name string) string {
	if pip {
		return "pypi:" + pypiName(name)
	}
	return name
}

// fill takes what stands in a lockfile beside, or instead of, the address of the archive.
func (a *archive) fill(t *yamltree.Tree, c int) {
	a.name, a.version = cmp.Or(t.Text(c, "name"), a.name), cmp.Or(t.Text(c, "version"), a.version)
	a.build, a.subdir = cmp.Or(t.Text(c, "build"), a.build), cmp.Or(t.Text(c, "subdir"), a.subdir)
}

func digests(t *yamltree.Tree, c int) []sbom.Hash {
	return append(locked.Hex("md5", t.Text(c, "md5")), locked.Hex("sha256", t.Text(c, "sha256"))...)
}

func pypiKey(p *sbom.Package) string {
	key := "pypi:" + pypiName(p.Name) + "@" + p.Version
	if strings.HasPrefix(p.Download, "git+") {
		key += "@" + p.Download
	}
	for _, source := range p.Properties {
		key += "@" + source.Value
	}
	return key
}
