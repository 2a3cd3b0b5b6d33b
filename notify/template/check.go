package template

import (
	"maps"
	"reflect"
	"slices"
	"text/template/parse"

	"github.com/stella-ops/stella/notify"
)

// checker follows a text before it is ever rendered: it knows the type of everything in
// it, and how much work it can be.
type checker struct {
	problems
	trees   map[string]*parse.Tree
	funcs   map[string]function
	bodies  map[body]cost // of templates that the text defines
	active  []string      // templates that are being followed
	used    map[string]bool
	nodes   int
	tooMany bool
	// listed says that the text tells how many notices there are.
	listed bool
	lists  bool // it names the notices
}

// body is a defined template, called with a type.
type body struct {
	name string
	dot  reflect.Type
}

// cost is what some of a text may need.
type cost struct {
	steps  int64 // nodes that are visited
	ranges int   // that are in each other
}

// scope is where in a text one is.
type scope struct {
	dot   value
	vars  map[string]value
	depth int
}

// within is a scope whose variables are forgotten after it.
func (s scope) within(dot value) scope {
	return scope{dot, maps.Clone(s.vars), s.depth + 1}
}

func (c *checker) main(name string) {
	root := typed(reflect.TypeFor[*notify.Message]())
	c.used[name] = true
	c.list(c.trees[name].Root, scope{dot: root, vars: map[string]value{"$": root}})
	for _, other := range slices.Sorted(maps.Keys(c.trees)) {
		if !c.used[other] {
			c.at(int(c.trees[other].Root.Pos), "template %.60q is defined and never used", other)
		}
	}
}

// list follows nodes one after the other; variables are declared in s.
func (c *checker) list(l *parse.ListNode, s scope) cost {
	var sum cost
	if l == nil {
		return sum
	}
	if s.depth > MaxDepth {
		c.over(int(l.Pos), "more than %d actions and brackets in each other", MaxDepth)
		return sum
	}
	for _, n := range l.Nodes {
		if c.nodes++; c.nodes > MaxNodes {
			if !c.tooMany {
				c.over(int(n.Position()), "more than %d elements", MaxNodes)
			}
			c.tooMany = true
			return sum
		}
		sum = sum.and(c.node(n, s))
	}
	return sum
}

func (a cost) and(b cost) cost {
	return cost{min(a.steps+b.steps, MaxSteps*1000), max(a.ranges, b.ranges)}
}

func (c *checker) node(n parse.Node, s scope) cost {
	switch n := n.(type) {
	case *parse.ActionNode:
		v := c.pipe(n.Pipe, s)
		if len(n.Pipe.Decl) == 0 {
			c.showable(n.Pipe, v)
		}
		c.declareAll(n.Pipe, v, s)
		return cost{steps: int64(1 + len(n.Pipe.Cmds))}
	case *parse.IfNode:
		return c.branch(&n.BranchNode, s, false)
	case *parse.WithNode:
		return c.branch(&n.BranchNode, s, true)
	case *parse.RangeNode:
		return c.loop(n, s)
	case *parse.TemplateNode:
		return c.call(n, s)
	}
	return cost{steps: 1} // text, comment, break, continue
}

func (c *checker) showable(p *parse.PipeNode, v value) {
	switch v.kind {
	case list:
		c.at(start(p), "a list cannot be shown; use range, join or len")
	case table:
		c.at(start(p), "a map cannot be shown; use range, get or counts")
	case record, mixed:
		c.at(start(p), "%s cannot be shown; name one of its fields", v.kind)
	}
}

// start is where a pipeline begins.
func start(p *parse.PipeNode) int {
	if len(p.Decl) == 0 && len(p.Cmds) > 0 && len(p.Cmds[0].Args) > 0 {
		return position(p.Cmds[0].Args[0])
	}
	return int(p.Pos)
}

// position is where a node begins. The parser gives the place of the second name of
// those that have several.
func position(n parse.Node) int {
	switch n := n.(type) {
	case *parse.FieldNode:
		if len(n.Ident) > 1 {
			return int(n.Pos) - 1 - len(n.Ident[0])
		}
	case *parse.VariableNode:
		if len(n.Ident) > 1 {
			return int(n.Pos) - len(n.Ident[0])
		}
	case *parse.ChainNode:
		return position(n.Node)
	}
	return int(n.Position())
}

func (c *checker) branch(b *parse.BranchNode, s scope, with bool) cost {
	inner := s.within(s.dot)
	v := c.pipe(b.Pipe, inner)
	c.declareAll(b.Pipe, v, inner)
	if with {
		inner.dot = v
	}
	yes := c.list(b.List, inner)
	no := c.list(b.ElseList, scope{s.dot, inner.vars, inner.depth})
	return cost{1 + int64(len(b.Pipe.Cmds)), 0}.and(yes).and(no)
}

func (c *checker) loop(n *parse.RangeNode, s scope) cost {
	inner := s.within(s.dot)
	v := c.pipe(n.Pipe, inner)
	inner.dot = value{}
	times := int64(MaxList)
	var key value
	switch v.kind {
	case list:
		inner.dot, key, times = typed(v.typ.Elem()), numberValue(), longest(v.typ)
	case table:
		inner.dot, key, times = typed(v.typ.Elem()), typed(v.typ.Key()), longest(v.typ)
	case unknown:
	default:
		c.at(start(n.Pipe), "range goes over lists and maps, not over %s", v.kind)
	}
	for i, d := range n.Pipe.Decl {
		of := inner.dot
		if i == 0 && len(n.Pipe.Decl) == 2 {
			of = key
		}
		c.declare(d, of, inner, n.Pipe.IsAssign)
	}
	got := c.list(n.List, inner)
	got = cost{1 + min(times*(1+got.steps), MaxSteps*1000), got.ranges + 1}
	if got.ranges > MaxRange {
		c.over(int(n.Pos), "range in range, %d deep; at most %d", got.ranges, MaxRange)
		got = cost{}
	}
	if got.steps > MaxSteps {
		c.over(int(n.Pos), "this loop may take %d steps; at most %d", got.steps, MaxSteps)
		got = cost{}
	}
	return got.and(c.list(n.ElseList, s.within(s.dot)))
}

// defined lists the templates that the text defines.
func (c *checker) defined() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(c.trees)), func(s string) bool { return s == mainName })
}

func (c *checker) call(n *parse.TemplateNode, s scope) cost {
	dot := value{}
	if n.Pipe != nil {
		dot = c.pipe(n.Pipe, s)
	}
	tree := c.trees[n.Name]
	if tree == nil {
		c.at(int(n.Pos), "template %.60q is not defined here%s", n.Name, meant(n.Name, c.defined()))
		return cost{}
	}
	if slices.Contains(c.active, n.Name) || n.Name == mainName {
		c.at(int(n.Pos), "template %.60q calls itself", n.Name)
		return cost{}
	}
	c.used[n.Name] = true
	key := body{n.Name, dot.typ}
	got, done := c.bodies[key]
	if !done {
		c.active = append(c.active, n.Name)
		got = c.list(tree.Root, scope{dot, map[string]value{"$": dot}, s.depth + 1})
		c.active = c.active[:len(c.active)-1]
		c.bodies[key] = got
	}
	if got.steps > MaxSteps {
		c.over(int(n.Pos), "this template may take %d steps; at most %d", got.steps, MaxSteps)
		return cost{}
	}
	return cost{steps: 1}.and(got)
}

func (c *checker) declareAll(p *parse.PipeNode, v value, s scope) {
	for _, d := range p.Decl {
		c.declare(d, v, s, p.IsAssign)
	}
}

func (c *checker) declare(d *parse.VariableNode, v value, s scope, assign bool) {
	name := d.Ident[0]
	if assign {
		if old := s.vars[name]; old.kind != unknown && v.kind != unknown && (old.kind != v.kind || old.kind != text && old.typ != v.typ) {
			c.at(position(d), "%.60s is %s and cannot become another or %s", name, old.kind, v.kind)
		}
		return
	}
	v.known = false
	s.vars[name] = v
}
