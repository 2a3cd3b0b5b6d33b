package scan

import (
	"bytes"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/layer"
)

// marks say, for one path, the highest layer that has something there.
type marks struct {
	entry  int // any entry, or a folder that one implies
	other  int // an entry that is not a folder
	gone   int // a whiteout
	opaque int // an opaque folder
	link   int // a symbolic link that no entry of the path replaced
}

var unmarked = marks{-1, -1, -1, -1, -1}

// visibility answers which files of which layers the squashed image shows, for
// paths that were asked about beforehand (OCI image-spec, layer.md, "Applying
// Changesets"). Asking beforehand keeps the table small: a file that says
// nothing is never entered.
type visibility struct {
	set     *analyzer.Set
	memory  *layer.Memory
	index   map[string]int
	marks   []marks
	targets map[string]string // of symbolic links
	aliases []aliases         // by layer
	moved   []moved
}

func newVisibility(set *analyzer.Set, memory *layer.Memory) *visibility {
	return &visibility{set: set, memory: memory, index: map[string]int{}, targets: map[string]string{}}
}

// ask enters a path and the folders above it.
func (v *visibility) ask(p string) {
	for {
		if _, known := v.index[p]; known || p == "" {
			return
		}
		v.index[p] = len(v.marks)
		v.marks = append(v.marks, unmarked)
		p = p[:max(strings.LastIndexByte(p, '/'), 0)]
	}
}

// see enters what layer i has. Layers come in order, base first.
func (v *visibility) see(i int, f *layer.Fragment) error {
	v.aliases = append(v.aliases, nil)
	v.removals(i, f)
	var dir []byte
	var at alias
	var failed error
	err := f.Entries.Visit(func(kind layer.EntryKind, name, target []byte) bool {
		if parent := name[:max(bytes.LastIndexByte(name, '/'), 0)]; !bytes.Equal(parent, dir) {
			dir = append(dir[:0], parent...)
			at = v.enter(i, dir)
		}
		if n, ok := v.index[string(name)]; ok {
			m := &v.marks[n]
			m.entry, m.link = i, -1
			if kind != layer.EntryDir {
				m.other = i
			}
		}
		if kind == layer.EntrySymlink {
			failed = v.link(i, string(name), string(target))
		}
		if at.real != "" && failed == nil {
			failed = v.move(i, at, kind, string(name), string(target))
		}
		return failed == nil
	})
	if len(v.aliases[i]) > 0 {
		v.askAliases(i, f)
	}
	if err == nil {
		err = failed
	}
	return err
}

// removals enters what layer i removes of the layers below.
func (v *visibility) removals(i int, f *layer.Fragment) {
	for _, w := range f.Whiteouts {
		if at, ok := v.index[w]; ok {
			v.marks[at].gone = i
		}
		v.enter(i, []byte(w[:max(strings.LastIndexByte(w, '/'), 0)]))
	}
	root := false
	for _, o := range f.Opaque {
		root = root || o == ""
		if at, ok := v.index[o]; ok {
			v.marks[at].opaque = i
		}
		v.enter(i, []byte(o))
	}
	if root {
		for p, at := range v.index {
			if !strings.Contains(p, "/") {
				v.marks[at].gone = i
			}
		}
	}
}

// enter marks the folders that must be there for an entry of dir to be, from
// the top. Where one of them is a symbolic link it says where dir really is.
func (v *visibility) enter(i int, dir []byte) alias {
	through := false
	for end := 0; end <= len(dir); end++ {
		if end < len(dir) && dir[end] != '/' || end == 0 {
			continue
		}
		at, ok := v.index[string(dir[:end])]
		if !ok {
			break // nothing below was asked about either
		}
		v.marks[at].entry = max(v.marks[at].entry, i)
		through = through || v.marks[at].link >= 0
	}
	if !through {
		return alias{}
	}
	return v.alias(i, string(dir))
}

// hidden reports whether the entry at p in layer i is replaced or removed by a
// layer above it. p must have been asked about.
func (v *visibility) hidden(p string, i int) bool {
	m := v.at(p)
	return m.entry > i || m.gone > i || v.cutOff(p, i)
}

// cutOff reports whether a folder above p was removed, made opaque or replaced
// by something else after layer i.
func (v *visibility) cutOff(p string, i int) bool {
	for dir := path.Dir(p); dir != "." && dir != "/"; dir = path.Dir(dir) {
		m := v.at(dir)
		if m.other > i || m.gone > i || m.opaque > i {
			return true
		}
	}
	return false
}

func (v *visibility) at(p string) marks {
	if at, ok := v.index[p]; ok {
		return v.marks[at]
	}
	return unmarked
}
