package cel

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"

	"github.com/stella-ops/stella/internal/suggest"
)

// checker finds what an expression must not have.
type checker struct {
	env      *Env
	text     string
	ast      *ast.AST
	problems []Problem
	reads    []string
	tracked  bool // its cost is not bounded by its size
}

func (c *checker) at(id int64, format string, args ...any) {
	line, column := 1, 1
	if l := c.ast.SourceInfo().GetStartLocation(id); l.Line() > 0 {
		line, column = l.Line(), nameStart(c.text, l.Line(), l.Column()+1)
	}
	p := Problem{Line: line, Column: column, What: fmt.Sprintf(format, args...)}
	if !slices.Contains(c.problems, p) {
		c.problems = append(c.problems, p)
	}
}

// nameStart moves from the bracket of a call, where the library sees it, to the
// function's name.
func nameStart(text string, line, column int) int {
	lines := strings.SplitN(text, "\n", line+1)
	if line > len(lines) {
		return column
	}
	runes := []rune(lines[line-1])
	if column > len(runes) || runes[column-1] != '(' {
		return column
	}
	for column > 1 && isName(string(runes[column-2:column-1])) || column > 2 && isName("_"+string(runes[column-2:column-1])) {
		column--
	}
	return column
}

// functions are those that expressions may call, with how their names are shown.
// Those with "@" come of macros.
func functions(name string) (shown string, ok bool) {
	switch name {
	case operators.Conditional, operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.NotStrictlyFalse,
		operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals,
		operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo, operators.Negate,
		operators.Index, operators.In,
		overloads.Size, overloads.Contains, overloads.StartsWith, overloads.EndsWith, overloads.Matches,
		overloads.TypeConvertInt, overloads.TypeConvertString:
		return name, true
	}
	return name, false
}

// callable are the names of functions that people write, for suggestions.
func callable() []string {
	return []string{"size", "contains", "startsWith", "endsWith", "matches", "int", "string", "all", "exists", "exists_one", "filter", "map"}
}

// whyNot says why a function that CEL or its libraries have is not there.
func whyNot(name string) string {
	switch name {
	case "now", "timestamp", "duration", "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds":
		return "the answer would depend on a clock or a time zone; ages are facts in days"
	case "double", "math.ceil", "math.floor", "math.round":
		return "floating-point numbers are not the same everywhere; numbers are integers"
	case "random", "rand", "uuid", "hash":
		return "the answer would not be the same twice"
	case "has":
		return `ask "key" in map instead`
	case "type", "dyn":
		return "types are known before evaluation"
	case "uint", "bytes", "bool", "optional", "format", "b64", "base64.decode", "base64.encode":
		return "there are no values of that type, or none that need it"
	}
	return ""
}

// names looks at the parsed expression: names of functions, literals, patterns.
func (c *checker) names() {
	ast.PreOrderVisit(c.ast.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		switch x.Kind() {
		case ast.CallKind:
			c.call(x)
		case ast.LiteralKind:
			c.literal(x)
		case ast.StructKind:
			c.at(x.ID(), "messages are not there")
		case ast.SelectKind:
			if x.AsSelect().IsTestOnly() {
				c.at(x.ID(), "has is not there: %s", whyNot("has"))
			}
		case ast.ComprehensionKind:
			c.tracked = true
			if v := x.AsComprehension().IterVar(); slices.Contains(c.env.names, v) {
				c.at(x.ID(), "variable %q hides what has that name", v)
			}
		}
	}))
}

func (c *checker) call(x ast.Expr) {
	call := x.AsCall()
	name, ok := functions(call.FunctionName())
	if !ok {
		if why := whyNot(name); why != "" {
			c.at(x.ID(), "function %s is not there: %s", name, why)
		} else {
			c.at(x.ID(), "function %.40q is not there%s", name, suggest.Phrase(name, callable()))
		}
		return
	}
	args := call.Args()
	if (name == operators.Divide || name == operators.Modulo) && len(args) == 2 && args[1].Kind() == ast.LiteralKind && args[1].AsLiteral() == types.Int(0) {
		c.at(x.ID(), "division by zero")
	}
	if name != overloads.Matches {
		return
	}
	c.tracked = true
	pattern := args[len(args)-1:]
	if len(pattern) == 0 || pattern[0].Kind() != ast.LiteralKind {
		c.at(x.ID(), "matches: want the pattern as a literal text")
		return
	}
	if s, ok := pattern[0].AsLiteral().(types.String); ok {
		c.pattern(pattern[0].ID(), string(s))
	}
}

// pattern checks a regular expression, in the syntax of RE2.
func (c *checker) pattern(id int64, s string) {
	re, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		c.at(id, "pattern: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return
	}
	program, err := syntax.Compile(re.Simplify())
	if err != nil {
		c.at(id, "pattern: %v", err)
	} else if n := len(program.Inst); n > MaxPattern {
		c.at(id, "pattern: it has %d instructions, at most %d", n, MaxPattern)
	}
}

func (c *checker) literal(x ast.Expr) {
	switch v := x.AsLiteral().(type) {
	case types.Double:
		c.at(x.ID(), "floating-point number: want an integer in the scale of what it is compared with, such as 75 for 7.5")
	case types.Bytes, types.Uint, types.Null:
		c.at(x.ID(), "a literal of type %s: want a string, an int or a bool", v.Type().TypeName())
	}
}

// types looks at the checked expression: overloads, ranges of macros, variables.
func (c *checker) types() {
	local := map[string]bool{}
	ast.PreOrderVisit(c.ast.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		switch x.Kind() {
		case ast.ComprehensionKind:
			loop := x.AsComprehension()
			local[loop.IterVar()], local[loop.AccuVar()] = true, true
			if t := c.ast.GetType(loop.IterRange().ID()); t.Kind() != types.ListKind {
				c.at(loop.IterRange().ID(), "a macro goes over a list, not over a %s, whose order is not defined", t)
			}
		case ast.IdentKind:
			name := x.AsIdent()
			if _, ok := c.env.vars[name]; ok {
				c.reads = append(c.reads, name)
			} else if !local[name] && !slices.Contains(c.env.names, name) {
				c.at(x.ID(), "%q is a type, not a value", name)
			}
		case ast.CallKind:
			for _, id := range c.ast.GetOverloadIDs(x.ID()) {
				if !deterministic(id) {
					name := shown(x.AsCall().FunctionName())
					c.at(x.ID(), "%s is not there for these types (%s)", name, id)
					return
				}
			}
		}
	}))
	slices.Sort(c.reads)
	c.reads = slices.Compact(c.reads)
}

// deterministic reports whether an overload is of the types that are there.
func deterministic(id string) bool {
	switch id {
	case overloads.Conditional, overloads.LogicalAnd, overloads.LogicalOr, overloads.LogicalNot, overloads.NotStrictlyFalse,
		overloads.Equals, overloads.NotEquals,
		overloads.LessBool, overloads.LessInt64, overloads.LessString,
		overloads.LessEqualsBool, overloads.LessEqualsInt64, overloads.LessEqualsString,
		overloads.GreaterBool, overloads.GreaterInt64, overloads.GreaterString,
		overloads.GreaterEqualsBool, overloads.GreaterEqualsInt64, overloads.GreaterEqualsString,
		overloads.AddInt64, overloads.AddString, overloads.AddList,
		overloads.SubtractInt64, overloads.MultiplyInt64, overloads.DivideInt64, overloads.ModuloInt64, overloads.NegateInt64,
		overloads.IndexList, overloads.IndexMap, overloads.InList, overloads.InMap,
		overloads.SizeString, overloads.SizeList, overloads.SizeMap, overloads.SizeStringInst, overloads.SizeListInst, overloads.SizeMapInst,
		overloads.ContainsString, overloads.EndsWithString, overloads.StartsWithString, overloads.Matches, overloads.MatchesString,
		overloads.IntToInt, overloads.StringToInt, overloads.StringToString, overloads.BoolToString, overloads.IntToString:
		return true
	}
	return false
}

// shown is how a function is written.
func shown(name string) string {
	if op, ok := operators.FindReverse(name); ok && op != "" {
		return op
	}
	return strings.Trim(name, "_")
}

// operands returns the operands of a top-level "&&".
func operands(x ast.Expr) []ast.Expr {
	if x.Kind() != ast.CallKind || x.AsCall().FunctionName() != operators.LogicalAnd {
		return []ast.Expr{x}
	}
	var out []ast.Expr
	for _, arg := range x.AsCall().Args() {
		out = append(out, operands(arg)...)
	}
	return out
}

// issues translates what the parser and the type checker say.
func (c *checker) issues(issues *cel.Issues) error {
	for _, e := range issues.Errors() {
		line, column := 1, 1
		if e.Location != nil && e.Location.Line() > 0 {
			line, column = e.Location.Line(), e.Location.Column()+1
		}
		c.problems = append(c.problems, Problem{Line: line, Column: column, What: c.reword(e.Message)})
		if len(c.problems) == 10 {
			break
		}
	}
	return c.fail()
}

// reword makes a message of the library one for people.
func (c *checker) reword(s string) string {
	s = strings.TrimPrefix(s, "Syntax error: ")
	if rest, ok := strings.CutPrefix(s, "undeclared reference to '"); ok {
		name, _, _ := strings.Cut(rest, "'")
		return fmt.Sprintf("%.64q is unknown%s", name, suggest.Phrase(name, c.env.names))
	}
	if rest, ok := strings.CutPrefix(s, "found no matching overload for '"); ok {
		name, applied, _ := strings.Cut(rest, "'")
		return shown(name) + " does not go with these types: " + strings.Trim(strings.TrimPrefix(applied, " applied to "), "'")
	}
	s, _, _ = strings.Cut(s, " expecting {")
	return strings.TrimSpace(s)
}
