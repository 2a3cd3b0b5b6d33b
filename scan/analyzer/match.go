package analyzer

import "strings"

// Set is a group of analyzers compiled for dispatch: which of them want a
// path, decided by a few look-ups however many there are. It is immutable and
// safe for concurrent use.
type Set struct {
	list     []Analyzer
	infos    []Info
	accept   []func(string) bool
	forward  []bool
	all      []int
	exact    map[string][]int
	dirs     map[string][]int
	tops     map[string]bool // the first parts of dirs
	names    map[string][]int
	suffixes map[string][]int // by the text after the last dot
	ends     []suffix         // suffixes without a dot at their start
	magic    [256][]magic     // by the first byte
	magics   bool             // there are any
}

type suffix struct {
	text string
	by   int
}

type magic struct {
	text string
	by   int
}

// NewSet compiles analyzers. The order of the list decides which analyzer sees
// a file first.
func NewSet(list ...Analyzer) *Set {
	s := &Set{list: list, exact: map[string][]int{}, dirs: map[string][]int{}, tops: map[string]bool{}, names: map[string][]int{}, suffixes: map[string][]int{}}
	add := func(m map[string][]int, keys []string, i int) {
		for _, k := range keys {
			m[k] = append(m[k], i)
		}
	}
	for i, a := range list {
		p := a.Paths()
		s.infos, s.accept = append(s.infos, a.Info()), append(s.accept, p.Accept)
		s.forward = append(s.forward, p.Forward)
		if p.All {
			s.all = append(s.all, i)
		}
		add(s.exact, p.Exact, i)
		add(s.dirs, p.Dirs, i)
		for _, d := range p.Dirs {
			top, _, _ := strings.Cut(d, "/")
			s.tops[top] = true
		}
		add(s.names, p.Names, i)
		for _, t := range p.Suffixes {
			if rest, ok := strings.CutPrefix(t, "."); ok && !strings.Contains(rest, ".") {
				s.suffixes[rest] = append(s.suffixes[rest], i)
			} else {
				s.ends = append(s.ends, suffix{t, i})
			}
		}
		for _, m := range p.Magic {
			s.magics = true
			for first := range s.magic {
				if m == "" || m[0] == byte(first) {
					s.magic[first] = append(s.magic[first], magic{m, i})
				}
			}
		}
	}
	return s
}

// Len returns the number of analyzers.
func (s *Set) Len() int { return len(s.list) }

// At returns the analyzer at index i and its Info.
func (s *Set) At(i int) (Analyzer, Info) { return s.list[i], s.infos[i] }

// Forward reports whether all analyzers of by read forwards only.
func (s *Set) Forward(by []int) bool {
	for _, i := range by {
		if !s.forward[i] {
			return false
		}
	}
	return true
}

// Index returns the index of the analyzer with that name, or -1.
func (s *Set) Index(name string) int {
	for i, info := range s.infos {
		if info.Name == name {
			return i
		}
	}
	return -1
}

// Exact returns every whole path that some analyzer wants, in no order.
func (s *Set) Exact() []string {
	paths := make([]string, 0, len(s.exact))
	for p := range s.exact {
		paths = append(paths, p)
	}
	return paths
}

// ByPath appends to dst the indexes of the analyzers that want path, without
// looking at its content, and returns it. Each index appears once.
func (s *Set) ByPath(dst []int, path string) []int {
	start := len(dst)
	base := path[strings.LastIndexByte(path, '/')+1:]
	dst = s.take(dst, start, s.names[base], path)
	if dot := strings.LastIndexByte(base, '.'); dot >= 0 {
		by, ok := s.suffixes[base[dot+1:]]
		if !ok && hasUpper(base[dot+1:]) {
			by = s.suffixes[strings.ToLower(base[dot+1:])]
		}
		dst = s.take(dst, start, by, path)
	}
	for i := range s.ends {
		if e := &s.ends[i]; len(base) >= len(e.text) && strings.EqualFold(base[len(base)-len(e.text):], e.text) {
			dst = s.take(dst, start, []int{e.by}, path)
		}
	}
	dst = s.take(dst, start, s.exact[path], path)
	dst = s.take(dst, start, s.all, path)
	if top, _, deep := strings.Cut(path, "/"); deep && s.tops[top] {
		for i := 0; i < len(path); i++ {
			if path[i] == '/' {
				dst = s.take(dst, start, s.dirs[path[:i]], path)
			}
		}
	}
	return dst
}

// ByMagic appends the indexes of the analyzers that want a file which begins
// with head, skipping those already in dst, and returns it.
func (s *Set) ByMagic(dst []int, path string, head []byte) []int {
	if len(head) == 0 {
		return dst
	}
	list := s.magic[head[0]]
	for i := range list {
		if m := &list[i]; len(head) >= len(m.text) && string(head[:len(m.text)]) == m.text {
			dst = s.take(dst, 0, []int{m.by}, path)
		}
	}
	return dst
}

// WantsMagic reports whether any analyzer looks at leading bytes.
func (s *Set) WantsMagic() bool { return s.magics }

func (s *Set) take(dst []int, start int, by []int, path string) []int {
next:
	for _, i := range by {
		for _, have := range dst[start:] {
			if have == i {
				continue next
			}
		}
		if s.accept[i] == nil || s.accept[i](path) {
			dst = append(dst, i)
		}
	}
	return dst
}

func hasUpper(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			return true
		}
	}
	return false
}
