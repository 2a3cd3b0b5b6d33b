package scan

import (
	"path"
	"slices"

	"github.com/stella-ops/stella/scan/layer"
)

// An entry whose folder is a symbolic link is unpacked where the link leads:
// always if the link is of the same layer; if it is of a layer below, some
// unpackers follow it (containerd) and some make a folder in its place (those
// that unpack each layer for itself). Neither may hide a package, so such an
// entry counts at the real place in the first case, and at either in the second.

// alias is where a folder of a layer's tar really is.
type alias struct {
	real string // "" where the folder is what it says
	own  bool   // all links on the way are of the same layer
}

// aliases are the folders of one layer that lead through links.
type aliases map[string]alias

// moved is a file that analyzers want where it really is, but were not shown
// under the path that the tar gives it.
type moved struct {
	layer    int
	path, to string
}

// alias finds out where dir is for an entry of layer i.
func (v *visibility) alias(i int, dir string) alias {
	own := true
	real := follow(dir, func(p string) (string, bool) {
		target, ok := v.liveLink(p)
		if ok && v.at(p).link != i {
			own = false
		}
		return target, ok
	})
	if real == "" || real == dir {
		return alias{}
	}
	if v.aliases[i] == nil {
		v.aliases[i] = aliases{}
	}
	v.aliases[i][dir] = alias{real, own}
	return alias{real, own}
}

// link enters a symbolic link of layer i.
func (v *visibility) link(i int, p, target string) error {
	v.ask(p)
	m := &v.marks[v.index[p]]
	m.entry, m.other, m.link = max(m.entry, i), max(m.other, i), i
	v.targets[p] = target
	return v.memory.Take("symbolic links of the image", int64(256+len(p)+len(target)))
}

// liveLink returns the target of the symbolic link that p is, as far as layers
// were entered. A folder that an entry merely implies does not replace a link.
func (v *visibility) liveLink(p string) (string, bool) {
	m := v.at(p)
	if m.link < 0 || m.gone > m.link || v.cutOff(p, m.link) {
		return "", false
	}
	return v.targets[p], true
}

// liveLinks returns all symbolic links of the image.
func (v *visibility) liveLinks() links {
	out := links{}
	for p := range v.targets {
		if target, ok := v.liveLink(p); ok {
			out[p] = target
		}
	}
	return out
}

// move enters an entry of layer i at the real place of its folder.
func (v *visibility) move(i int, at alias, kind layer.EntryKind, name, target string) error {
	real := path.Join(at.real, path.Base(name))
	if n, ok := v.index[real]; ok && at.own && kind != layer.EntryDir {
		m := &v.marks[n] // it replaces what a layer below has there
		m.entry, m.other, m.link = max(m.entry, i), max(m.other, i), -1
	}
	switch kind {
	case layer.EntrySymlink:
		return v.link(i, real, target)
	case layer.EntryFile, layer.EntryHardlink:
		have := v.set.ByPath(nil, name)
		for _, by := range v.set.ByPath(nil, real) {
			if !slices.Contains(have, by) {
				v.ask(real)
				v.moved = append(v.moved, moved{i, name, real})
				return v.memory.Take("symbolic links of the image", int64(128+len(name)+len(real)))
			}
		}
	}
	return nil
}

// askAliases asks about the real places of what layer i says.
func (v *visibility) askAliases(i int, f *layer.Fragment) {
	for _, file := range f.Files {
		v.ask(v.real(i, file.Path).real)
	}
	for _, g := range f.Gaps {
		v.ask(v.real(i, g.Where).real)
	}
}

// real returns where a path of layer i's tar really is; real is "" where it is
// what it says.
func (v *visibility) real(i int, p string) alias {
	at, ok := v.aliases[i][path.Dir(p)]
	if ok {
		at.real = path.Join(at.real, path.Base(p))
	}
	return at
}

// place returns the path under which the image shows a file of layer i, and
// whether it does.
func (v *visibility) place(i int, p string) (string, bool) {
	at := v.real(i, p)
	switch {
	case at.real == "":
		return p, !v.hidden(p, i)
	case !at.own && !v.hidden(p, i):
		return p, true
	}
	return at.real, !v.hidden(at.real, i)
}
