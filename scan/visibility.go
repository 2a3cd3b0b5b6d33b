package scan

import (
	"bytes"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/layer"
)

// marks say, for one path, the highest layer that has something there.
type marks struct {
	entry  int // any entry
	other  int // an entry that is not a folder
	gone   int // a whiteout
	opaque int // an opaque folder
}

var unmarked = marks{-1, -1, -1, -1}

// visibility answers which files of which layers the squashed image shows, for
// paths that were asked about beforehand (OCI image-spec, layer.md, "Applying
// Changesets"). Asking beforehand keeps the table small: a file that says
// nothing is never entered.
type visibility struct {
	index map[string]int
	marks []marks
}

func newVisibility() *visibility { return &visibility{index: map[string]int{}} }

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
	for _, w := range f.Whiteouts {
		if at, ok := v.index[w]; ok {
			v.marks[at].gone = i
		}
	}
	for _, o := range f.Opaque {
		if o == "" {
			v.opaqueRoot(i)
		}
		if at, ok := v.index[o]; ok {
			v.marks[at].opaque = i
		}
	}
	var dir []byte
	return f.Entries.Visit(func(kind layer.EntryKind, name, _ []byte) bool {
		if at, ok := v.index[string(name)]; ok {
			v.marks[at].entry = i
			if kind != layer.EntryDir {
				v.marks[at].other = i
			}
		}
		parent := name[:max(bytes.LastIndexByte(name, '/'), 0)]
		if !bytes.Equal(parent, dir) {
			dir = append(dir[:0], parent...)
			v.implied(i, parent)
		}
		return true
	})
}

// implied enters the folders that must be there for an entry to be.
func (v *visibility) implied(i int, dir []byte) {
	for len(dir) > 0 {
		if at, ok := v.index[string(dir)]; ok {
			v.marks[at].entry = max(v.marks[at].entry, i)
		}
		dir = dir[:max(bytes.LastIndexByte(dir, '/'), 0)]
	}
}

// opaqueRoot hides all that older layers have.
func (v *visibility) opaqueRoot(i int) {
	for p, at := range v.index {
		if !strings.Contains(p, "/") {
			v.marks[at].gone = i
		}
	}
}

// hidden reports whether the entry at p in layer i is replaced or removed by a
// layer above it. p must have been asked about.
func (v *visibility) hidden(p string, i int) bool {
	m := v.at(p)
	if m.entry > i || m.gone > i {
		return true
	}
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
