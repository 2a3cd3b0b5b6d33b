package scan

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/layer"
)

// presence tells which files the squashed image has, in little space: of each path it keeps
// a number of 64 bits. Two paths of one number would make a file seem to be there, which
// does not make anything seem unused.
type presence struct {
	fragments []*layer.Fragment
	links     links
	removed   []map[string]bool // by layer: what the layers above it removed
	paths     map[uint64]struct{}
}

func (c *composition) presence() (*presence, error) {
	p := &presence{fragments: c.fragments, links: c.links, removed: make([]map[string]bool, len(c.fragments)), paths: map[uint64]struct{}{}}
	above := map[string]bool{}
	for i := len(c.fragments) - 1; i >= 0; i-- {
		p.removed[i] = above
		f := c.fragments[i]
		if len(f.Whiteouts)+len(f.Opaque) > 0 {
			above = maps.Clone(above)
			for _, q := range slices.Concat(f.Whiteouts, f.Opaque) {
				above[q] = true
			}
		}
	}
	return p, p.visit("", func(path []byte) { p.paths[fnv64(path)] = struct{}{} })
}

// visit calls f for each file below a folder, by its place with links followed.
func (p *presence) visit(folder string, f func(path []byte)) error {
	for i, fragment := range p.fragments {
		var dir, real []byte
		known, gone := false, false
		err := fragment.Entries.Visit(func(kind layer.EntryKind, name, _ []byte) bool {
			if kind == layer.EntryDir {
				return true
			}
			slash := bytes.LastIndexByte(name, '/')
			if parent := name[:max(slash, 0)]; !known || !bytes.Equal(parent, dir) {
				known, dir = true, append(dir[:0], parent...)
				gone = p.gone(i, string(dir))
				real = append(real[:0], p.links.resolve(string(dir))...)
				if len(real) > 0 {
					real = append(real, '/')
				}
			}
			if gone || len(p.removed[i]) > 0 && p.removed[i][string(name)] {
				return true
			}
			at := len(real)
			real = append(real, name[slash+1:]...)
			if len(real) > len(folder) && string(real[:len(folder)]) == folder {
				f(real)
			}
			real = real[:at]
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// gone reports whether layers above i removed a folder, or one above it.
func (p *presence) gone(i int, dir string) bool {
	removed := p.removed[i]
	for len(removed) > 0 {
		if removed[dir] {
			return true
		}
		if dir == "" {
			return false
		}
		dir = dir[:max(strings.LastIndexByte(dir, '/'), 0)]
	}
	return false
}

// has reports whether there is a file at a path that has no links.
func (p *presence) has(path string) bool {
	_, ok := p.paths[fnv64([]byte(path))]
	return ok
}

// below lists the files below a folder, at any depth, sorted.
func (p *presence) below(folder string) []string {
	if folder != "" {
		folder = strings.TrimSuffix(folder, "/") + "/"
	}
	var out []string
	_ = p.visit(folder, func(path []byte) { out = append(out, string(path)) }) // was visited whole
	slices.Sort(out)
	return slices.Compact(out)
}

// fnv64 is the hash FNV-1a.
func fnv64(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
