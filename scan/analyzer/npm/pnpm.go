package npm

import (
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/yamltree"
	"github.com/stella-ops/stella/scan/sbom"
)

// pnpmLock reads one document of a pnpm-lock.yaml
// (https://github.com/pnpm/spec/tree/master/lockfile). Versions 3 to 5, 6 to 8
// and 9 differ in how they write keys; version 9 parts what a package is
// ("packages") from what it depends on ("snapshots") and no longer says which
// packages are for development.
type pnpmLock struct {
	*lockfile
	*yamltree.Tree
	root   int
	major  int
	prefix string // of places, for the documents after the first
	roots  [3][]string
}

// The groups of roots, in the order in which they claim what they reach.
const (
	runtimeRoots = iota
	optionalRoots
	devRoots
)

// pnpmSections are the lists of direct dependencies.
var pnpmSections = []struct {
	name  string
	group int
}{
	{"dependencies", runtimeRoots}, {"optionalDependencies", optionalRoots}, {"devDependencies", devRoots},
	{"configDependencies", devRoots}, {"packageManagerDependencies", devRoots},
}

func readPnpmLock(l *lockfile, data []byte) error {
	tree, err := yamltree.Read(data)
	if err != nil {
		return err
	}
	for n, root := range tree.Docs {
		p := pnpmLock{lockfile: l, Tree: tree, root: root}
		if n > 0 {
			p.prefix = strconv.Itoa(n) + ":"
		}
		if err := p.read(); err != nil {
			return err
		}
	}
	return nil
}

func (p *pnpmLock) read() error {
	if len(p.Nodes[p.root].Text) == 0 && p.Nodes[p.root].Kind == yamltree.Scalar {
		return nil
	}
	version := p.Text(p.root, "lockfileVersion")
	if version == "" {
		return fmt.Errorf("line %d: no lockfileVersion: %w", p.Nodes[p.root].Line, fault.Invalid)
	}
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	if err != nil || n < 3 || n > 9 {
		p.odd = cmp.Or(p.odd, fmt.Errorf("line %d: lockfileVersion %.20q: %w", p.Nodes[p.root].Line, version, fault.Unsupported))
		n = 9 // read what is still as it was
	}
	p.major = n
	first := len(p.entries)
	p.importers()
	packages := p.Child(p.root, "packages")
	if p.major < 9 {
		p.each(packages, func(c int) { p.pkg(string(p.Nodes[c].Key), c, c) })
	} else {
		p.snapshots(packages)
	}
	p.connect(first)
	return nil
}

// each visits what is inside node i, which may be absent.
func (p *pnpmLock) each(i int, visit func(c int)) {
	if i >= 0 {
		for c := range p.Children(i) {
			visit(c)
		}
	}
}

// importers reads the direct dependencies of the projects. Workspaces have
// one project for each folder.
func (p *pnpmLock) importers() {
	p.project(p.root, ".")
	p.each(p.Child(p.root, "importers"), func(c int) { p.project(c, string(p.Nodes[c].Key)) })
}

func (p *pnpmLock) project(at int, folder string) {
	for _, s := range pnpmSections {
		p.each(p.Child(at, s.name), func(c int) {
			name, ref := string(p.Nodes[c].Key), string(p.Nodes[c].Text)
			if p.Nodes[c].Kind == yamltree.Map {
				ref = p.Text(c, "version")
			}
			place := p.place(name, ref)
			if target, ok := strings.CutPrefix(ref, "link:"); ok {
				if !strings.HasPrefix(target, "/") {
					target = path.Join(folder, target)
				}
				scope := [...]sbom.Scope{sbom.ScopeRuntime, sbom.ScopeOptional, sbom.ScopeDev}[s.group]
				place = p.prefix + name + "@link:" + target
				if e := p.find(place); e != nil {
					scope = locked.Wider(scope, e.scope)
				}
				p.put(entry{place: place, name: name, from: source{local, "link:" + target}, scope: scope})
			}
			p.roots[s.group] = append(p.roots[s.group], place)
		})
	}
}

// snapshots reads both halves of version 9. A package without a snapshot is
// reported all the same.
func (p *pnpmLock) snapshots(packages int) {
	about, used := map[string]int{}, map[string]bool{}
	p.each(packages, func(c int) { about[string(p.Nodes[c].Key)] = c })
	p.each(p.Child(p.root, "snapshots"), func(c int) {
		key := string(p.Nodes[c].Key)
		base := withoutPeers(key)
		a, ok := about[base]
		if !ok {
			a = c
		}
		used[base] = true
		p.pkg(key, a, c)
	})
	p.each(packages, func(c int) {
		if key := string(p.Nodes[c].Key); !used[key] {
			p.pkg(key, c, c)
		}
	})
}

// pkg reads the package under key: about says what it is, deps what it needs.
func (p *pnpmLock) pkg(key string, about, deps int) {
	e := entry{place: p.prefix + key}
	e.name, e.version = p.splitKey(key)
	if name := p.Text(about, "name"); name != "" {
		e.name = name
	}
	if version := p.Text(about, "version"); version != "" {
		e.version = version
	}
	if r := p.Child(about, "resolution"); r >= 0 {
		e.from = p.resolution(r)
		e.hashes = integrity(p.Text(r, "integrity"))
	}
	if _, ref, _ := strings.Cut(key, "@"); strings.HasPrefix(ref, "runtime:") {
		e.from = source{local, ref} // node, deno or bun itself, not the npm package of that name
	}
	e.scope = scoped(p.Truth(deps, "dev"), p.Truth(deps, "optional"), false)
	for _, list := range []string{"dependencies", "optionalDependencies"} {
		p.each(p.Child(deps, list), func(c int) {
			e.wants = append(e.wants, p.place(string(p.Nodes[c].Key), string(p.Nodes[c].Text)))
		})
	}
	p.put(e)
}

// resolution reads where a package comes from.
func (p *pnpmLock) resolution(r int) source {
	if repo := p.Text(r, "repo"); repo != "" {
		return source{git, repo + "#" + p.Text(r, "commit")}
	}
	if dir := p.Child(r, "directory"); dir >= 0 {
		return source{local, "file:" + string(p.Nodes[dir].Text)}
	}
	return sourceOf(p.Text(r, "tarball"))
}

// connect finds the entries that the entries from first on depend on, and for
// version 9 what they are needed for.
func (p *pnpmLock) connect(first int) {
	for i := first; i < len(p.entries); i++ {
		e := &p.entries[i]
		for _, place := range e.wants {
			if n, ok := p.at[place]; ok {
				e.needs = append(e.needs, n)
			}
		}
		e.wants = nil
	}
	if p.major < 9 {
		return
	}
	claimed := make([]bool, len(p.entries))
	for group, places := range p.roots {
		p.claim(claimed, places, group)
	}
}

// claim marks what can be reached from the roots of a group and from none of
// the groups before it.
func (p *pnpmLock) claim(claimed []bool, roots []string, group int) {
	var todo []int
	reach := func(n int) {
		if claimed[n] {
			return
		}
		claimed[n] = true
		todo = append(todo, n)
		if e := &p.entries[n]; group == devRoots {
			e.scope = sbom.ScopeDev
		} else if group == optionalRoots {
			e.scope = sbom.ScopeOptional
		}
	}
	for _, place := range roots {
		if n, ok := p.at[place]; ok {
			reach(n)
		}
	}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, m := range p.entries[n].needs {
			reach(m)
		}
	}
}
