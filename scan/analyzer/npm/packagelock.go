package npm

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	nodeModules = "node_modules/"
	maxPlace    = 4096 // bytes of the folder of a package (PATH_MAX)
)

// packageLock reads package-lock.json, npm-shrinkwrap.json and
// node_modules/.package-lock.json
// (https://docs.npmjs.com/cli/configuring-npm/package-lock-json). Version 1
// lists packages as a tree ("dependencies"), version 3 by folder ("packages"),
// version 2 both ways, of which npm reads the second.
type packageLock struct {
	*lockfile
	r             *jsontext.Reader
	lockVersion   string
	name, version string // of the project, in version 1
	byFolder      bool   // "packages" was seen
	links         []link
}

// link says that the folder from is a link to the folder to.
type link struct{ from, to string }

func readPackageLock(l *lockfile, data []byte) error {
	p := packageLock{lockfile: l, r: jsontext.New(data)}
	err := p.r.Document(func() {
		if p.r.Peek() != '{' {
			p.r.Fail("expected an object")
			return
		}
		p.r.Object(p.member)
	})
	if !p.byFolder && p.name != "" {
		p.put(entry{name: p.name, version: p.version, project: true, from: source{local, "file:."}})
	}
	p.connect()
	if err == nil && len(p.lockVersion) > 0 && !strings.Contains("1 2 3", p.lockVersion) {
		err = fmt.Errorf("lockfileVersion %s: %w", p.lockVersion, fault.Unsupported)
	}
	return err
}

func (p *packageLock) member(key []byte) {
	switch string(key) {
	case "name":
		p.name, _ = p.r.Text()
	case "version":
		p.version, _ = p.r.Text()
	case "lockfileVersion":
		p.lockVersion = string(p.r.Raw())
	case "packages":
		p.byFolder = true
		p.entries, p.at = nil, nil
		p.r.Object(func(folder []byte) { p.folder(jsontext.Clean(folder)) })
	case "dependencies":
		if !p.byFolder {
			p.tree("")
		}
	}
}

// item collects the members of one package in either form.
type item struct {
	entry
	resolved                   string
	link                       bool
	dev, optional, devOptional bool
}

// common reads the members that both forms have.
func (t *item) common(r *jsontext.Reader, key []byte) {
	switch string(key) {
	case "version":
		t.version, _ = r.Text()
	case "resolved":
		t.resolved, _ = r.Text()
	case "integrity":
		text, _ := r.Text()
		t.hashes = integrity(text)
	case "dev":
		t.dev = r.Truth()
	case "optional":
		t.optional = r.Truth()
	}
}

// scoped derives the scope. devOptional means that development needs the
// package and something optional does; dev and optional together mean that
// something optional of development does.
func scoped(dev, optional, devOptional bool) sbom.Scope {
	switch {
	case dev:
		return sbom.ScopeDev
	case optional || devOptional:
		return sbom.ScopeOptional
	}
	return sbom.ScopeRuntime
}

// tooLong notes a folder whose path no system could hold.
func (p *packageLock) tooLong(place string) bool {
	if len(place) > maxPlace {
		p.odd = cmp.Or[error](p.odd, &fault.LimitError{What: "bytes of a folder's path", Where: place[:80] + "…", Max: maxPlace, Seen: int64(len(place))})
	}
	return len(place) > maxPlace
}

// folder reads one member of "packages".
func (p *packageLock) folder(place string) {
	if p.tooLong(place) {
		return
	}
	t := item{entry: entry{place: place}}
	ok := p.r.Object(func(key []byte) {
		switch string(key) {
		case "name":
			t.name, _ = p.r.Text()
		case "link":
			t.link = p.r.Truth()
		case "devOptional":
			t.devOptional = p.r.Truth()
		case "license":
			t.licences = licences(p.r)
		case "dependencies", "optionalDependencies", "peerDependencies", "devDependencies":
			t.wants = append(t.wants, names(p.r)...) // devDependencies: only projects have them here
		default:
			t.common(p.r, key)
		}
	})
	at := strings.LastIndex("/"+place, "/"+nodeModules)
	switch {
	case !ok || p.r.Err() != nil:
		return
	case t.link:
		p.links = append(p.links, link{place, t.resolved})
		return
	case at >= 0 && t.name == "":
		t.name = place[at+len(nodeModules):]
	case t.name == "":
		t.name = folderName(place)
	}
	if t.scope = scoped(t.dev, t.optional, t.devOptional); at >= 0 {
		t.from = sourceOf(t.resolved)
	} else {
		t.from, t.project = source{local, "file:" + cmp.Or(place, ".")}, place == ""
	}
	if t.name != "" { // a project without a name is no package
		p.put(t.entry)
	}
}

// tree reads "dependencies" of the project or package in the folder above.
func (p *packageLock) tree(above string) {
	p.r.Object(func(name []byte) {
		t := item{entry: entry{name: jsontext.Clean(name)}}
		if t.place = above + nodeModules + t.name; p.tooLong(t.place) {
			return
		}
		ok := p.r.Object(func(key []byte) {
			switch string(key) {
			case "requires":
				t.wants = names(p.r)
			case "dependencies":
				p.tree(t.place + "/")
			default:
				t.common(p.r, key)
			}
		})
		if !ok || p.r.Err() != nil {
			return
		}
		t.scope = scoped(t.dev, t.optional, false)
		t.settle()
		p.put(t.entry)
	})
}

// settle takes apart a version of the first format, which may be an alias or
// the place that the package comes from.
func (t *item) settle() {
	if alias, ok := strings.CutPrefix(t.version, "npm:"); ok {
		if at := strings.LastIndexByte(alias, '@'); at > 0 {
			t.name, t.version = alias[:at], alias[at+1:]
		}
	}
	if !strings.ContainsAny(t.version, ":/") {
		t.from = sourceOf(t.resolved)
		return
	}
	t.from = sourceOf(t.version)
	t.version = ""
	if t.from.kind == registry {
		t.version = urlVersion(t.from.text, t.name)
	}
}

// urlVersion returns the version in the URL of a registry's tarball,
// "…/name/-/name-1.0.0.tgz", or "".
func urlVersion(url, name string) string {
	_, file, ok := strings.Cut(url, "/-/")
	file = file[strings.LastIndexByte(file, '/')+1:]
	version, named := strings.CutPrefix(file, name[strings.LastIndexByte(name, '/')+1:]+"-")
	version, tarball := strings.CutSuffix(version, ".tgz")
	if !ok || !named || !tarball {
		return ""
	}
	return version
}

// connect finds the entries that each entry depends on, as node would: in the
// node_modules of its folder and of those above.
func (p *packageLock) connect() {
	for _, l := range p.links {
		if i, ok := p.at[l.to]; ok {
			p.at[l.from] = i
		}
	}
	var w walker
	find := func(folder []byte) (int, bool) { i, ok := p.at[string(folder)]; return i, ok }
	for i := range p.entries {
		e := &p.entries[i]
		for _, name := range e.wants {
			if n, ok := w.lookUp(e.place, name, find); ok {
				e.needs = append(e.needs, n)
			}
		}
		e.wants = nil
	}
	p.odd = cmp.Or(p.odd, w.err("dependencies"))
}
