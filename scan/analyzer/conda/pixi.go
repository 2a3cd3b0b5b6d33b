package conda

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/yamltree"
	"github.com/stella-ops/stella/scan/sbom"
)

// pixi reads a pixi.lock (rattler, crate "rattler_lock"): "environments" lists by
// environment and platform the addresses of packages, which "packages" describes. Packages
// of version 4 and 5 have a kind, those of later ones tell it by their first member.
type pixi struct {
	*lockfile
	*yamltree.Tree
	groups map[string][]string // address → environments and platforms that it is on
}

func readPixi(_ string, data []byte) ([]analyzer.Fact, error) {
	tree, err := yamltree.Read(data)
	if err != nil {
		return nil, err
	}
	var l lockfile
	for _, root := range tree.Docs {
		version := tree.Text(root, "version")
		if n, err := strconv.Atoi(version); err != nil || n < 1 || n > 7 {
			l.Odd(fmt.Errorf("line %d: version %.20q of pixi.lock: %w", tree.Nodes[root].Line, version, fault.Unsupported))
		}
		p := pixi{lockfile: &l, Tree: tree, groups: map[string][]string{}}
		p.environments(root)
		if list := p.Child(root, "packages"); list >= 0 {
			for c := range p.Children(list) {
				p.pkg(c)
			}
		}
		l.condaLock(tree, root) // before version 4
	}
	return l.Facts(nil)
}

// environments notes which packages are together.
func (p *pixi) environments(root int) {
	list := p.Child(root, "environments")
	if list < 0 {
		return
	}
	number := 0
	for environment := range p.Children(list) {
		platforms := p.Child(environment, "packages")
		if platforms < 0 {
			continue
		}
		for platform := range p.Children(platforms) {
			number++
			group := strconv.Itoa(number) + " "
			for item := range p.Children(platform) {
				for address := range p.Children(item) {
					text := p.Value(address)
					p.groups[text] = append(p.groups[text], group)
				}
			}
		}
	}
}

// pkg reads one package.
func (p *pixi) pkg(c int) {
	kind, address := p.Text(c, "kind"), cmp.Or(p.Text(c, "url"), p.Text(c, "path"))
	for _, word := range [...]string{"conda", "pypi", "conda_source"} {
		if text := p.Text(c, word); text != "" {
			kind, address = word, text
		}
	}
	var e locked.Entry
	switch kind {
	case "conda":
		a, _ := parseArchive(address)
		a.fill(p.Tree, c)
		e.Package, e.Key = a.describe(), a.key()
	case "conda_source": // "name[hash] @ folder"
		name, from, _ := strings.Cut(address, " @ ")
		name, _, _ = strings.Cut(name, "[")
		e.Package = sbom.Package{Name: name, Version: p.Text(c, "version"), Properties: []sbom.Property{{Name: sourceProperty, Value: withoutSecrets(from)}}}
		e.Key = "source/" + address
	case "pypi":
		e.Package = sbom.Package{Name: p.Text(c, "name"), Version: p.Text(c, "version")}
		fromAddress(&e.Package, withoutSecrets(address))
		e.Key = pypiKey(&e.Package)
	default:
		p.Odd(fmt.Errorf("line %d: a package of kind %.20q: %w", p.Nodes[c].Line, kind, fault.Unsupported))
		return
	}
	e.Package.Hashes = digests(p.Tree, c)
	if licence := p.Text(c, "license"); licence != "" {
		e.Package.Licenses = []sbom.License{{Name: licence}}
	}
	p.connect(&e, c, kind == "pypi", p.groups[address])
	p.put(e)
}

// connect adds names and dependencies for each group that a package is in.
func (p *pixi) connect(e *locked.Entry, c int, pip bool, groups []string) {
	var names []string
	list := p.Child(c, "depends")
	if pip {
		list = p.Child(c, "requires_dist")
	}
	if list >= 0 {
		for n := range p.Children(list) {
			if text := p.Value(n); !pip {
				names = append(names, specName(text))
			} else if want, ok := pipPackage(text); ok && !onlyForExtra(text) {
				names = append(names, "pypi:"+pypiName(want.Name), pypiName(want.Name))
			}
		}
	}
	if total := int64(len(groups)) * int64(len(names)+1); total > locked.MaxEdges {
		p.Odd(&fault.LimitError{What: "dependencies of a lockfile", Where: e.Package.Name, Max: locked.MaxEdges, Seen: total})
		return
	}
	for _, group := range groups {
		e.Also = append(e.Also, group+p.localName(pip, e.Package.Name))
		for _, name := range names {
			e.Wants = append(e.Wants, group+name)
		}
	}
}

// onlyForExtra reports whether the marker of a requirement asks for an extra.
func onlyForExtra(text string) bool {
	_, marker, _ := strings.Cut(text, ";")
	return strings.Contains(marker, "extra")
}
