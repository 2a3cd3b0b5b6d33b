package cel

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// Most conditions compare variables with constants. Such expressions are also compiled
// to closures, which answer several times faster than the library. They have no
// operation that can fail, so that the order of evaluation cannot be seen; where a
// variable is not there or of another type, they give no answer and the library is
// asked, whose answer counts. A fuzz target holds both against each other.

// verdict is what a closure answers.
type verdict uint8

const (
	no verdict = iota
	yes
	ask // the library
)

func verdictOf(b bool) verdict {
	if b {
		return yes
	}
	return no
}

// direct answers an expression of type bool.
type direct func(lookup func(string) (any, bool)) verdict

// compileDirect returns nil for an expression that is not that simple.
func (e *Env) compileDirect(a *ast.AST, x ast.Expr) direct {
	switch x.Kind() {
	case ast.LiteralKind:
		if b, ok := x.AsLiteral().(types.Bool); ok {
			answer := verdictOf(bool(b))
			return func(func(string) (any, bool)) verdict { return answer }
		}
	case ast.IdentKind:
		if name := x.AsIdent(); e.isVar(name, Bool) {
			return func(lookup func(string) (any, bool)) verdict {
				v, _ := lookup(name)
				if b, ok := v.(bool); ok {
					return verdictOf(b)
				}
				return ask
			}
		}
	case ast.CallKind:
		return e.directCall(a, x.AsCall())
	}
	return nil
}

func (e *Env) isVar(name string, t Type) bool {
	have, ok := e.vars[name]
	return ok && have == t
}

func (e *Env) directCall(a *ast.AST, call ast.CallExpr) direct {
	args := call.Args()
	switch name := call.FunctionName(); name {
	case operators.LogicalNot:
		if inner := e.compileDirect(a, args[0]); inner != nil {
			return func(lookup func(string) (any, bool)) verdict {
				switch inner(lookup) {
				case yes:
					return no
				case no:
					return yes
				}
				return ask
			}
		}
	case operators.LogicalAnd, operators.LogicalOr:
		ends := yes // what ends the evaluation
		if name == operators.LogicalAnd {
			ends = no
		}
		left, right := e.compileDirect(a, args[0]), e.compileDirect(a, args[1])
		if left == nil || right == nil || len(args) != 2 {
			return nil
		}
		return func(lookup func(string) (any, bool)) verdict {
			l := left(lookup)
			if l == ends || l == ask {
				return l
			}
			return right(lookup)
		}
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return e.directComparison(a, name, args)
	case operators.In:
		return e.directIn(args)
	case overloads.StartsWith, overloads.EndsWith, overloads.Contains:
		return e.directText(name, call)
	}
	return nil
}

// directComparison compares a variable with a constant of its type.
func (e *Env) directComparison(a *ast.AST, op string, args []ast.Expr) direct {
	if len(args) != 2 || args[0].Kind() != ast.IdentKind {
		return nil
	}
	name := args[0].AsIdent()
	if n, ok := constant(a, args[1]); ok && e.isVar(name, Int) {
		return func(lookup func(string) (any, bool)) verdict {
			v, _ := lookup(name)
			has, ok := v.(int64)
			if !ok {
				return ask
			}
			return verdictOf(compared(op, has, n))
		}
	}
	if s, ok := literal(args[1]); ok && e.isVar(name, String) {
		return func(lookup func(string) (any, bool)) verdict {
			v, _ := lookup(name)
			has, ok := v.(string)
			if !ok {
				return ask
			}
			return verdictOf(compared(op, has, s))
		}
	}
	return nil
}

func compared[T int64 | string](op string, a, b T) bool {
	switch op {
	case operators.Equals:
		return a == b
	case operators.NotEquals:
		return a != b
	case operators.Less:
		return a < b
	case operators.LessEquals:
		return a <= b
	case operators.Greater:
		return a > b
	}
	return a >= b
}

// constant returns an integer that stands there, or the one that a name stands for.
func constant(a *ast.AST, x ast.Expr) (int64, bool) {
	switch x.Kind() {
	case ast.LiteralKind:
		n, ok := x.AsLiteral().(types.Int)
		return int64(n), ok
	case ast.IdentKind:
		if ref := a.ReferenceMap()[x.ID()]; ref != nil {
			n, ok := ref.Value.(types.Int)
			return int64(n), ok
		}
	}
	return 0, false
}

func literal(x ast.Expr) (string, bool) {
	if x.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := x.AsLiteral().(types.String)
	return string(s), ok
}

// directIn asks whether a text is in a list that stands there, or a text that stands
// there in a list.
func (e *Env) directIn(args []ast.Expr) direct {
	if len(args) != 2 {
		return nil
	}
	if s, ok := literal(args[0]); ok && args[1].Kind() == ast.IdentKind && e.isVar(args[1].AsIdent(), Strings) {
		name := args[1].AsIdent()
		return func(lookup func(string) (any, bool)) verdict {
			v, _ := lookup(name)
			list, ok := v.([]string)
			if !ok {
				return ask
			}
			return verdictOf(slices.Contains(list, s))
		}
	}
	if args[0].Kind() != ast.IdentKind || !e.isVar(args[0].AsIdent(), String) || args[1].Kind() != ast.ListKind {
		return nil
	}
	name := args[0].AsIdent()
	var list []string
	for _, x := range args[1].AsList().Elements() {
		s, ok := literal(x)
		if !ok {
			return nil
		}
		list = append(list, s)
	}
	return func(lookup func(string) (any, bool)) verdict {
		v, _ := lookup(name)
		s, ok := v.(string)
		if !ok {
			return ask
		}
		return verdictOf(slices.Contains(list, s))
	}
}

// directText asks about a text with a text that stands there.
func (e *Env) directText(name string, call ast.CallExpr) direct {
	args := call.Args()
	if !call.IsMemberFunction() || call.Target().Kind() != ast.IdentKind || !e.isVar(call.Target().AsIdent(), String) || len(args) != 1 {
		return nil
	}
	part, ok := literal(args[0])
	if !ok {
		return nil
	}
	variable, test := call.Target().AsIdent(), strings.Contains
	switch name {
	case overloads.StartsWith:
		test = strings.HasPrefix
	case overloads.EndsWith:
		test = strings.HasSuffix
	}
	return func(lookup func(string) (any, bool)) verdict {
		v, _ := lookup(variable)
		s, ok := v.(string)
		if !ok {
			return ask
		}
		return verdictOf(test(s, part))
	}
}
