package template

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/template/parse"
)

// pipe follows a pipeline. Whoever calls it declares its variables.
func (c *checker) pipe(p *parse.PipeNode, s scope) value {
	if s.depth > MaxDepth {
		c.over(int(p.Pos), "more than %d actions and brackets in each other", MaxDepth)
		return value{}
	}
	var v value
	for i, cmd := range p.Cmds {
		if c.nodes += len(cmd.Args); c.nodes > MaxNodes {
			return value{} // the list says so
		}
		var before *value
		if i > 0 {
			before = &v
		}
		v = c.command(cmd, before, s)
	}
	return v
}

// command follows one command; before is what is piped into it, nil for nothing.
func (c *checker) command(cmd *parse.CommandNode, before *value, s scope) value {
	if id, ok := cmd.Args[0].(*parse.IdentifierNode); ok {
		args := make([]value, 0, len(cmd.Args))
		places := make([]int, 0, len(cmd.Args))
		for _, a := range cmd.Args[1:] {
			args = append(args, c.operand(a, s))
			places = append(places, position(a))
		}
		if before != nil {
			args = append(args, *before)
			places = append(places, int(id.Pos))
		}
		return c.function(id, args, places)
	}
	v := c.operand(cmd.Args[0], s)
	if before != nil || len(cmd.Args) > 1 {
		if v.kind == unknown && v.typ == nil {
			return v // that was said
		}
		c.at(position(cmd.Args[0]), "%.60s is no function and takes nothing", cmd.Args[0].String())
		return value{}
	}
	return v
}

func (c *checker) operand(n parse.Node, s scope) value {
	switch n := n.(type) {
	case *parse.DotNode:
		if s.dot.kind == unknown && s.dot.typ == nil && len(c.active) > 0 {
			c.at(int(n.Pos), "the template was called without a value")
		}
		return s.dot
	case *parse.FieldNode:
		return c.fields(s.dot, n.Ident, position(n))
	case *parse.VariableNode:
		if _, ok := s.vars[n.Ident[0]]; !ok {
			c.at(position(n), "%.60s is not known here", n.Ident[0])
		}
		return c.fields(s.vars[n.Ident[0]], n.Ident[1:], position(n)+len(n.Ident[0]))
	case *parse.ChainNode:
		return c.fields(c.operand(n.Node, s), n.Field, int(n.Pos))
	case *parse.PipeNode:
		return c.pipe(n, scope{s.dot, s.vars, s.depth + 1})
	case *parse.IdentifierNode:
		return c.function(n, nil, nil)
	case *parse.StringNode:
		v := textValue()
		v.constant, v.known = n.Text, true
		return v
	case *parse.BoolNode:
		return boolValue()
	case *parse.NumberNode:
		if !n.IsInt {
			c.at(int(n.Pos), "%.60s is no whole number", n.Text)
			return value{}
		}
		return numberValue()
	case *parse.NilNode:
		c.at(int(n.Pos), "there is no nil here")
	}
	return value{}
}

// fields follows names from a value; at is where the first one begins, with its dot.
func (c *checker) fields(v value, path []string, at int) value {
	for _, name := range path {
		if v.kind == unknown {
			return v
		}
		if v.kind == table && v.typ.Key() == reflect.TypeFor[string]() {
			v = typed(v.typ.Elem())
			at += 1 + len(name)
			continue
		}
		var t reflect.Type
		found := false
		if v.kind == record {
			t, found = member(v.typ, name)
		}
		switch {
		case found:
		case v.kind == record:
			c.at(at, "there is no field %.60q in %s%s", name, recordName(v.typ), meant(name, names(v.typ)))
			return value{}
		default:
			c.at(at, "%s has no field %.60q", v.kind, name)
			return value{}
		}
		c.listed = c.listed || name == "More" || name == "Total"
		c.lists = c.lists || name == "Notices"
		v = typed(t)
		at += 1 + len(name)
	}
	return v
}

func recordName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return "a " + strings.ToLower(t.Name())
}

// function follows a call. places are those of the arguments.
func (c *checker) function(id *parse.IdentifierNode, args []value, places []int) value {
	switch id.Ident {
	case "and", "or":
		return c.logic(id, args)
	case "not":
		c.count(id, args, 1)
		return boolValue()
	case "len":
		if c.count(id, args, 1) && !slices.Contains([]kind{unknown, text, list, table}, args[0].kind) {
			c.at(places[0], "len wants a text, a list or a map, not %s", args[0].kind)
		}
		return numberValue()
	case "eq", "ne", "lt", "le", "gt", "ge":
		c.compare(id, args, places)
		return boolValue()
	}
	f, ok := c.funcs[id.Ident]
	if !ok {
		known := append(slices.Sorted(maps.Keys(c.funcs)), "and", "or", "not", "len", "eq", "ne", "lt", "le", "gt", "ge")
		c.at(int(id.Pos), "function %.60q is not allowed%s", id.Ident, meant(id.Ident, known))
		return value{}
	}
	if !c.count(id, args, len(f.takes)) {
		return value{}
	}
	for i, a := range args {
		if a.kind != f.takes[i] && a.kind != unknown {
			c.at(places[i], "%s wants %s here, not %s", id.Ident, f.takes[i], a.kind)
			return value{}
		}
	}
	return c.special(id, f.returns(args), args, places)
}

// special checks what the kinds of the arguments do not say.
func (c *checker) special(id *parse.IdentifierNode, result value, args []value, places []int) value {
	bad := func(i int, format string, more ...any) value {
		c.at(places[i], format, more...)
		return value{}
	}
	isTexts := func(v value) bool { return v.typ == nil || kindOf(v.typ.Elem()) == text }
	isInts := func(v value) bool { return v.typ == nil || kindOf(v.typ.Elem()) == integer }
	switch id.Ident {
	case "join":
		if !isTexts(args[1]) {
			return bad(1, "join wants a list of texts")
		}
	case "get":
		if !isTexts(args[1]) {
			return bad(1, "get wants a map of texts, such as .Labels")
		}
	case "counts", "total":
		if !isInts(args[0]) {
			return bad(0, "%s wants a map of numbers, such as .Findings", id.Ident)
		}
	case "atLeast":
		if sev := args[1]; sev.known && severity(sev.constant) == "" && sev.constant != "" {
			return bad(1, "%.60q is no severity%s", sev.constant, meant(sev.constant, []string{"none", "low", "medium", "high", "critical"}))
		}
	}
	return result
}

func (c *checker) count(id *parse.IdentifierNode, args []value, want int) bool {
	if len(args) != want {
		c.at(int(id.Pos), "%s wants %d arguments, not %d", id.Ident, want, len(args))
		return false
	}
	return true
}

// logic is and, or: one of the arguments.
func (c *checker) logic(id *parse.IdentifierNode, args []value) value {
	if len(args) == 0 {
		c.at(int(id.Pos), "%s wants arguments", id.Ident)
		return value{}
	}
	for _, a := range args[1:] {
		if a.kind == unknown {
			return value{}
		}
		if a.kind != args[0].kind || a.kind != text && a.typ != args[0].typ {
			return value{kind: mixed}
		}
	}
	if args[0].kind == text {
		return textValue()
	}
	return args[0]
}

func (c *checker) compare(id *parse.IdentifierNode, args []value, places []int) {
	if len(args) < 2 || len(args) > 2 && id.Ident != "eq" {
		c.at(int(id.Pos), "%s wants 2 arguments, not %d", id.Ident, len(args))
		return
	}
	for i, a := range args {
		switch {
		case a.kind == unknown:
		case id.Ident != "eq" && id.Ident != "ne":
			if a.kind != integer {
				c.at(places[i], "%s compares numbers, not %s; severities by atLeast", id.Ident, a.kind)
				return
			}
		case a.kind != text && a.kind != integer && a.kind != boolean:
			c.at(places[i], "%s compares texts and numbers, not %s", id.Ident, a.kind)
			return
		case args[0].kind != unknown && a.kind != args[0].kind:
			c.at(places[i], "%s compares %s with %s", id.Ident, args[0].kind, a.kind)
			return
		default:
			c.oneOf(args[0], a, places[i])
			c.oneOf(a, args[0], places[0])
		}
	}
}

// oneOf checks that a constant is one of those that a value may be.
func (c *checker) oneOf(v, constant value, at int) {
	if !constant.known || v.typ == nil {
		return
	}
	if of := values(v.typ); of != nil && !slices.Contains(of, constant.constant) {
		c.at(at, "it is never %.60q%s", constant.constant, meant(constant.constant, of))
	}
}
