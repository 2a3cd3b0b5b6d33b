package usage

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
)

// resolver follows what the image starts, once.
type resolver struct {
	*files
	home      string                     // the working directory, as "/…"
	initial   map[string]*set            // the image's environment
	learned   map[string]*set            // the same, and what scripts add to it
	grown     bool                       // learned has more than before
	edges     map[string]map[string]bool // from a file, or from "" for the start, to files
	loaded    map[string]bool            // programs whose libraries were followed
	languaged map[string]*language
	plugged   map[plugin]bool
	reasons   map[Reason]bool
	matches   map[string]matched
	runs      map[string]map[string]bool // ways that a script was started, by path
	queue     []func()
	steps     int
	tried     int // commands of which something could be followed, or was noted
}

func newResolver(in *Image, f *files, learned map[string]*set) *resolver {
	r := &resolver{files: f, home: "/" + clean(in.WorkingDir), learned: map[string]*set{}, initial: map[string]*set{}, edges: map[string]map[string]bool{}, loaded: map[string]bool{},
		languaged: map[string]*language{}, plugged: map[plugin]bool{}, reasons: map[Reason]bool{}, matches: map[string]matched{}, runs: map[string]map[string]bool{}}
	for name, s := range learned {
		r.learned[name] = s.clone()
	}
	env := in.Env
	if !r.inEnv("PATH") {
		env = append(slices.Clip(env), "PATH="+standardPath)
	}
	for _, e := range env {
		if name, value, ok := strings.Cut(e, "="); ok {
			r.initial[name] = &set{}
			r.initial[name].add(quoted(value))
			r.give(name, quoted(value))
		}
	}
	r.grown = false
	return r
}

// gap notes something that cannot be followed.
func (r *resolver) gap(at, what string) {
	if len(r.reasons) < maxReasons {
		r.reasons[Reason{at, what}] = true
	}
}

// step counts work, and reports whether there may be more.
func (r *resolver) step(n int) bool {
	if r.steps += n; r.steps > maxSteps {
		r.reasons[Reason{"", "there is too much to follow"}] = true
		return false
	}
	return true
}

// link says that a file, or "" for the start, leads to another one.
func (r *resolver) link(from, to string) {
	if from == to {
		return
	}
	m := r.edges[from]
	if m == nil {
		m = map[string]bool{}
		r.edges[from] = m
	}
	m[to] = true
}

// reach says that a file leads to the one at p, which exists, and follows what that one
// loads. It returns the path without links.
func (r *resolver) reach(from, p string) string {
	real, named := r.real(p), r.named(p)
	if named != real {
		r.link(from, named)
		from = named
	}
	r.link(from, real)
	if prog := r.Programs[real]; prog != nil && !r.loaded[real] {
		r.loaded[real] = true
		r.queue = append(r.queue, func() { r.load(real, prog) })
	}
	return real
}

// start follows all that the image starts.
func (r *resolver) start() {
	if r.Unknown != "" {
		r.gap("", r.Unknown)
		return
	}
	words := quotedAll(slices.Concat(r.Entrypoint, r.Cmd))
	if len(words) == 0 {
		r.gap("", "the image starts nothing by itself")
		return
	}
	r.preload()
	r.run(call{words: words})
	for len(r.queue) > 0 && r.step(1) {
		next := r.queue[0]
		r.queue = r.queue[1:]
		next()
	}
}

// view puts together what was found.
func (r *resolver) view() *View {
	v := &View{Reached: r.chains()}
	for _, name := range slices.Sorted(maps.Keys(r.languaged)) {
		v.Languages = append(v.Languages, r.languaged[name].result(name))
	}
	v.Unresolved = slices.SortedFunc(maps.Keys(r.reasons), func(a, b Reason) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.What, b.What))
	})
	v.Complete = len(v.Unresolved) == 0
	return v
}

// chains finds a shortest way from the start to each file: the first one in the order of
// paths among several.
func (r *resolver) chains() map[string]string {
	out := map[string]string{}
	level := []string{""}
	for len(level) > 0 {
		var next []string
		for _, from := range level {
			for _, to := range slices.Sorted(maps.Keys(r.edges[from])) {
				if _, ok := out[to]; ok {
					continue
				}
				out[to] = from
				next = append(next, to)
			}
		}
		level = next
	}
	return out
}

// base is the last part of a path.
func base(p string) string { return path.Base(p) }

// isELF reports whether a program is an ELF file.
func isELF(p *analyzer.Program) bool { return p.Format == "elf" }
