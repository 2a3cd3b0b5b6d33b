package shell

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/stella-ops/stella/internal/fault"
)

// maxTree bounds how deep a tree is walked. What is joined from left to right, as
// "a && b && c", is deep without being nested.
const maxTree = 20_000

// collector gathers commands.
type collector struct {
	out          [][]string
	words, bytes int
	traps        int
	defaults     map[*syntax.Assign]bool   // made only where the variable is empty
	skipped      map[*syntax.CallExpr]bool // what a substitution says without them
	limit        error                     // the bound that was reached
}

// add appends a command.
func (c *collector) add(words []string) {
	if c.limit != nil || len(words) == 0 {
		return
	}
	c.words += len(words)
	for _, w := range words {
		c.bytes += len(w)
	}
	bound := func(what string, n, most int) {
		if n > most && c.limit == nil {
			c.limit = &fault.LimitError{What: what, Where: "shell script", Max: int64(most), Seen: int64(n)}
		}
	}
	bound("commands", len(c.out)+1, MaxCommands)
	bound("words", c.words, MaxWords)
	bound("bytes of words", c.bytes, MaxBytes)
	if c.limit == nil {
		c.out = append(c.out, words)
	}
}

// walk adds the commands of a statement in the order of the text.
func (c *collector) walk(stmt *syntax.Stmt) {
	var path []syntax.Node
	reads := map[*syntax.CallExpr][]string{} // what is read from a known command → where that looks
	syntax.Walk(stmt, func(n syntax.Node) bool {
		if n == nil {
			if f, ok := path[len(path)-1].(*syntax.FuncDecl); ok && f.Name != nil {
				c.add([]string{f.Name.Value + "()", "}"})
			}
			path = path[:len(path)-1]
			return true
		}
		if c.limit == nil && len(path) >= maxTree {
			c.limit = &fault.LimitError{What: "commands that are joined", Where: "shell script", Max: maxTree}
		}
		if c.limit != nil {
			return false
		}
		path = append(path, n)
		c.node(n, reads)
		return true
	})
}

func (c *collector) node(n syntax.Node, reads map[*syntax.CallExpr][]string) {
	switch n := n.(type) {
	case *syntax.CallExpr:
		if folders, ok := reads[n]; ok {
			c.read(n, folders)
			return
		}
		if c.skipped[n] {
			return
		}
		words := c.assigned(n.Assigns)
		for _, w := range n.Args {
			words = append(words, word(w))
		}
		c.add(words)
		c.trap(words)
	case *syntax.DeclClause:
		c.add(append([]string{n.Variant.Value}, c.assigned(n.Args)...))
	case *syntax.ParamExp:
		if n.Exp != nil && (n.Exp.Op == syntax.AssignUnset || n.Exp.Op == syntax.AssignUnsetOrNull) && n.Param != nil && named(n.Param.Value) {
			c.add([]string{n.Param.Value + "=" + word(n.Exp.Word)})
		}
	case *syntax.FuncDecl:
		if n.Name != nil {
			c.add([]string{n.Name.Value + "()", "{"})
		}
	case *syntax.ForClause:
		if loop, ok := n.Loop.(*syntax.WordIter); ok {
			words := []string{"for", loop.Name.Value, "in"}
			for _, w := range loop.Items {
				words = append(words, word(w))
			}
			if !loop.InPos.IsValid() {
				words = append(words, "$@")
			}
			c.add(words)
		}
	case *syntax.BinaryCmd:
		if n.Op == syntax.Pipe || n.Op == syntax.PipeAll {
			piped(n, reads)
		}
		if n.Op == syntax.AndStmt {
			c.guarded(n.X, n.Y)
		}
	case *syntax.IfClause:
		if len(n.Cond) == 1 {
			c.guarded(n.Cond[0], n.Then...)
		}
	case *syntax.CmdSubst:
		c.substitution(n)
	}
}

// trap adds the commands of a trap whose text is known.
func (c *collector) trap(words []string) {
	if len(words) < 3 || words[0] != "trap" {
		return
	}
	if words[1] == "--" {
		words = words[1:]
	}
	if len(words) < 3 || c.traps >= maxTraps || c.limit != nil {
		return
	}
	text, ok := Static(words[1])
	if !ok || text == "-" || text == "" {
		return
	}
	c.traps++
	defer func() { c.traps-- }()
	if err := c.script([]byte(text)); err != nil && c.limit == nil {
		c.limit = err
	}
}

// read adds what "read" assigns: paths below the folders.
func (c *collector) read(n *syntax.CallExpr, folders []string) {
	for _, w := range n.Args[1:] {
		name := w.Lit()
		if name == "" || strings.HasPrefix(name, "-") {
			continue
		}
		for _, f := range folders {
			c.add([]string{name + "=" + strings.TrimSuffix(f, "/") + "/${}"})
		}
	}
}

// assigned returns assignments as words. Those of arrays are commands of their own.
func (c *collector) assigned(list []*syntax.Assign) []string {
	var out []string
	for _, a := range list {
		op := "="
		if a.Append {
			op = "+="
		}
		switch {
		case a.Name == nil: // an operand whose name is not known, or an option
			out = append(out, word(a.Value))
		case a.Naked:
			out = append(out, a.Name.Value)
		case a.Value != nil && c.defaults[a]:
			e := encoder{}
			out = append(out, a.Name.Value+"=${"+a.Name.Value+":-"+e.nested(a.Value)+"}")
		case a.Value != nil:
			out = append(out, a.Name.Value+op+word(a.Value))
		case a.Array != nil:
			words := []string{a.Name.Value + "()" + op}
			for _, e := range a.Array.Elems {
				words = append(words, word(e.Value))
			}
			c.add(words)
		default:
			out = append(out, a.Name.Value+op)
		}
	}
	return out
}
