package usage

import (
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/shell"
)

// files is what the image has.
type files struct {
	*Image
	paths     []string            // of programs, sorted
	byName    map[string][]string // the same, by the last part; libraries by their soname, too
	loadables []string            // those that loaders load; nil until somebody asks
}

func newFiles(in *Image) *files {
	f := &files{Image: in, paths: make([]string, 0, len(in.Programs)), byName: make(map[string][]string, len(in.Programs))}
	for p := range in.Programs {
		f.paths = append(f.paths, p)
	}
	slices.Sort(f.paths)
	for _, p := range f.paths {
		name := path.Base(p)
		f.byName[name] = append(f.byName[name], p)
		if prog := in.Programs[p]; prog != nil && prog.Soname != "" && prog.Soname != name {
			f.byName[prog.Soname] = append(f.byName[prog.Soname], p)
		}
	}
	return f
}

// clean makes a path relative to the root. ".." above the root stays there.
func clean(p string) string { return strings.TrimPrefix(path.Clean("/"+p), "/") }

// real follows links; "" means that they lead nowhere, or that p is the root. ".." leaves
// the folder that a link led to.
func (f *files) real(p string) string {
	cleaned := clean(p)
	if f.Resolve == nil {
		return cleaned
	}
	if !strings.Contains(p, "..") {
		return f.Resolve(cleaned)
	}
	done := ""
	for part := range strings.SplitSeq(p, "/") {
		switch part {
		case "", ".":
		case "..":
			done = clean(path.Dir("/" + done))
		default:
			if done = f.Resolve(clean(done + "/" + part)); done == "" {
				return ""
			}
		}
	}
	return done
}

// named is a path whose folder has no links: the link itself, if it is one.
func (f *files) named(p string) string {
	i := strings.LastIndexByte(p, '/')
	if b := p[i+1:]; b == "" || b == "." || b == ".." {
		return f.real(p)
	}
	return clean(f.real(p[:max(i, 0)]) + "/" + p[i+1:])
}

// exists reports whether there is a file, links followed.
func (f *files) exists(p string) bool {
	q := f.real(p)
	if q == "" {
		return false
	}
	if _, ok := f.Programs[q]; ok {
		return true
	}
	return f.Exists != nil && f.Exists(q)
}

// below are the programs whose path begins with a text.
func (f *files) below(prefix string) []string {
	from, _ := slices.BinarySearch(f.paths, prefix)
	to := from
	for to < len(f.paths) && strings.HasPrefix(f.paths[to], prefix) {
		to++
	}
	return f.paths[from:to]
}

// within reports whether a path is the file root, or lies in the folder root.
func within(root, p string) bool {
	return p == root || strings.HasSuffix(root, "/") && strings.HasPrefix(p, root) || root == "/"
}

// segment reports whether a folder on the way to p has a name, or begins with it where the
// name ends in "*".
func segment(p, name string) bool {
	prefix, open := strings.CutSuffix(name, "*")
	for rest := p; ; {
		part, more, ok := strings.Cut(rest, "/")
		if !ok {
			return false
		}
		if part == name || open && strings.HasPrefix(part, prefix) {
			return true
		}
		rest = more
	}
}

// maxMatches bounds the programs that one word may stand for.
const maxMatches = 256

// match returns the programs that a word with unknown parts can name, and whether that is
// known: its beginning must name a folder below the root, or its end a file.
func (r *resolver) match(word string) ([]string, bool) {
	if m, ok := r.matches[word]; ok {
		return m.paths, m.known
	}
	parts := shell.Split(word)
	first, last := parts[0], parts[len(parts)-1]
	var among []string
	var m matched
	switch {
	case first.Kind == shell.Text && first.Text[0] == '/' && strings.LastIndexByte(first.Text, '/') > 0:
		prefix := r.prefix(first.Text)
		parts = slices.Clone(parts)
		parts[0].Text = "/" + prefix
		among, m.known = r.below(prefix), true
	case first.Kind != shell.Text && last.Kind == shell.Text && strings.Contains(last.Text, "/") && !strings.HasSuffix(last.Text, "/"):
		among, m.known = r.byName[path.Base(last.Text)], true
	}
	for _, p := range among {
		if r.step(1) && glob(parts, "/"+p, maxMatches) {
			m.paths = append(m.paths, p)
		}
		if len(m.paths) > maxMatches {
			m = matched{}
			break
		}
	}
	r.matches[word] = m
	return m.paths, m.known
}

type matched struct {
	paths []string
	known bool
}

// prefix follows the links of the folder that a text begins with.
func (r *resolver) prefix(text string) string {
	i := strings.LastIndexByte(text, '/')
	dir := r.real(text[:i])
	if dir == "" {
		return text[i+1:]
	}
	return dir + "/" + text[i+1:]
}

// glob reports whether a path can be what the parts stand for. Budget bounds how often an
// unknown part is tried to be longer; beyond it the answer is yes.
func glob(parts []shell.Part, p string, budget int) bool {
	for i, part := range parts {
		if part.Kind == shell.Text {
			rest, ok := strings.CutPrefix(p, part.Text)
			if !ok {
				return false
			}
			p = rest
			continue
		}
		if i == len(parts)-1 {
			return part.Kind != shell.Name || !strings.Contains(p, "/")
		}
		for n := 0; n <= len(p); n++ {
			if budget--; budget < 0 {
				return true
			}
			if glob(parts[i+1:], p[n:], budget/4) {
				return true
			}
			if part.Kind == shell.Name && n < len(p) && p[n] == '/' {
				return false
			}
		}
		return false
	}
	return p == ""
}
