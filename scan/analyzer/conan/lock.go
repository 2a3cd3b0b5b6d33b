package conan

import (
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// readLock reads a conan.lock (https://docs.conan.io/2/tutorial/versioning/lockfiles.html and
// conans/model/graph_lock.py of Conan 1).
func readLock(data []byte) ([]analyzer.Fact, error) {
	r := jsontext.New(data)
	var f locked.File
	g := graph{index: map[string]int{}, file: &f}
	err := r.Document(func() {
		if !r.Object(func(key []byte) {
			switch string(key) {
			case "graph_lock":
				g.read(r)
			case "requires":
				list(r, &f, sbom.ScopeRuntime)
			case "build_requires", "python_requires", "config_requires":
				list(r, &f, sbom.ScopeDev)
			}
		}) {
			r.Fail("a lockfile is an object")
		}
	})
	g.put()
	return f.Facts(err)
}

// list reads references of Conan 2: texts, or pairs of one and its binary packages.
func list(r *jsontext.Reader, f *locked.File, scope sbom.Scope) {
	one := func() {
		if text, ok := r.Text(); ok {
			put(f, text, scope)
		}
	}
	r.Array(func() {
		if r.Peek() != '[' {
			one()
			return
		}
		first := true
		r.Array(func() {
			if first {
				one()
			}
			first = false
		})
	})
}

func put(f *locked.File, text string, scope sbom.Scope) {
	ref, err := parse(text)
	if err != nil {
		f.Odd(err)
		return
	}
	p := ref.pack()
	p.Scope = scope
	f.Put(locked.Entry{Key: ref.String(), Package: p})
}

// node is one of a graph of Conan 1.
type node struct {
	ref, prev, path, context string
	needs, tools             []string // ids of other nodes
	python                   []string // references
}

// graph is the graph of a lockfile of Conan 1.
type graph struct {
	nodes []node
	index map[string]int // by id
	edges int
	file  *locked.File
}

// read reads the value of "graph_lock".
func (g *graph) read(r *jsontext.Reader) {
	r.Object(func(key []byte) {
		if string(key) != "nodes" {
			return
		}
		r.Object(func(id []byte) {
			switch n := g.node(r); {
			case r.Err() != nil: // half of one
			case len(g.nodes) < locked.MaxEntries:
				g.index[jsontext.Clean(id)] = len(g.nodes)
				g.nodes = append(g.nodes, n)
			default:
				g.file.Odd(&fault.LimitError{What: "nodes of a lockfile", Where: jsontext.Clean(id), Max: locked.MaxEntries, Seen: locked.MaxEntries + 1})
			}
		})
	})
}

func (g *graph) node(r *jsontext.Reader) (n node) {
	r.Object(func(key []byte) {
		switch string(key) {
		case "ref", "pref": // the second up to version 0.3
			n.ref, _ = r.Text()
		case "prev":
			n.prev, _ = r.Text()
		case "path":
			n.path, _ = r.Text()
		case "context":
			n.context, _ = r.Text()
		case "requires":
			n.needs = g.texts(r)
		case "build_requires":
			n.tools = g.texts(r)
		case "python_requires":
			n.python = g.texts(r)
		}
	})
	return n
}

// texts reads a list, or the values of an object: up to version 0.3 requirements are ids by
// reference.
func (g *graph) texts(r *jsontext.Reader) (out []string) {
	one := func() {
		if text, ok := r.Text(); ok {
			if g.edges++; g.edges <= locked.MaxEdges {
				out = append(out, text)
			} else {
				g.file.Odd(&fault.LimitError{What: "dependencies of a lockfile", Where: text, Max: locked.MaxEdges, Seen: int64(g.edges)})
			}
		}
	}
	if r.Peek() == '{' {
		r.Object(func([]byte) { one() })
	} else {
		r.Array(one)
	}
	return out
}

// put makes entries of the nodes.
func (g *graph) put() {
	refs, keys := make([]reference, len(g.nodes)), make([]string, len(g.nodes))
	for i, n := range g.nodes {
		var err error
		if n.ref == "" {
			continue // a conanfile.txt, which has no name
		}
		if refs[i], err = parse(n.ref); err != nil {
			g.file.Odd(fmt.Errorf("node %d: %w", i, err))
			continue
		}
		if n.prev != "" && n.prev != "0" {
			refs[i].binary = n.prev
		}
		keys[i] = refs[i].String()
	}
	build, root := g.build()
	for i, n := range g.nodes {
		wants := make([]string, 0, len(n.needs)+len(n.tools)+len(n.python))
		for _, list := range [][]string{n.needs, n.tools} {
			for _, id := range list {
				if at, ok := g.index[id]; ok && keys[at] != "" {
					wants = append(wants, keys[at])
				}
			}
		}
		for _, text := range n.python {
			if ref, err := parse(text); err == nil {
				wants = append(wants, ref.String())
			}
			put(g.file, text, sbom.ScopeDev)
		}
		if keys[i] == "" {
			continue
		}
		e := locked.Entry{Key: keys[i], Package: refs[i].pack(), Wants: wants}
		if build[i] {
			e.Package.Scope = sbom.ScopeDev
		}
		if n.path != "" {
			e.Package = sbom.Package{Name: refs[i].name, Version: refs[i].version, Scope: e.Package.Scope}
			if root[i] {
				e.Package.Type = "application"
			} else {
				e.Package.Properties = []sbom.Property{{Name: "conan:source", Value: n.path}}
			}
		}
		g.file.Put(e)
	}
}

// build tells the nodes that are needed only to build: of the build context, or reached
// through build_requires alone. root are those that nothing needs.
func (g *graph) build() (build, root []bool) {
	tools, inner := make([]bool, len(g.nodes)), make([]bool, len(g.nodes))
	root = make([]bool, len(g.nodes))
	var starts []int
	for _, n := range g.nodes {
		for _, id := range n.needs {
			if at, ok := g.index[id]; ok {
				inner[at] = true
			}
		}
		for _, id := range n.tools {
			if at, ok := g.index[id]; ok {
				inner[at] = true
				starts = append(starts, at)
			}
		}
	}
	g.walk(tools, starts, true)
	starts = starts[:0]
	for i := range g.nodes {
		if root[i] = !inner[i]; root[i] {
			starts = append(starts, i)
		}
	}
	run := make([]bool, len(g.nodes))
	g.walk(run, starts, false)
	build = make([]bool, len(g.nodes))
	for i, n := range g.nodes {
		build[i] = n.context == "build" || tools[i] && !run[i]
	}
	return build, root
}

// walk marks what is reached from the nodes in queue.
func (g *graph) walk(mark []bool, queue []int, tools bool) {
	for len(queue) > 0 {
		at := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if mark[at] {
			continue
		}
		mark[at] = true
		lists := [][]string{g.nodes[at].needs}
		if tools {
			lists = append(lists, g.nodes[at].tools)
		}
		for _, list := range lists {
			for _, id := range list {
				if to, ok := g.index[id]; ok && !mark[to] {
					queue = append(queue, to)
				}
			}
		}
	}
}
