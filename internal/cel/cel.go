// Package cel compiles the part of the Common Expression Language that gives the same
// answer on every machine and at every time, with bounded work:
//
//   - values are strings, lists of strings, 64-bit integers, booleans, and maps from
//     string to string; there are no floating-point numbers, bytes, times and dynamic
//     values;
//   - operators, size, contains, startsWith, endsWith, matches with a literal pattern,
//     int and string are there; division by zero and overflow are errors;
//   - the macros all, exists, exists_one, filter and map go over lists, never over
//     maps, whose order is not defined;
//   - text, nesting, nodes, patterns and the cost of an evaluation are bounded.
//
// Policies and routing rules share it; it knows neither.
package cel

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/stella-ops/stella/internal/fault"
)

// The bounds of an expression and of its evaluation.
const (
	MaxText    = 4096    // bytes
	MaxNesting = 50      // levels of parentheses, calls and lists
	MaxNodes   = 2000    // after the macros
	MaxPattern = 1000    // instructions of a pattern
	MaxCost    = 100_000 // in units of CEL: about one for each operation, element or ten bytes
)

// Type is the type of a variable.
type Type uint8

// The types, with the Go type that a lookup returns for each.
const (
	String  Type = iota // string
	Strings             // []string
	Int                 // int64
	Bool                // bool
	Map                 // map[string]string
)

// Var is a variable that expressions may read.
type Var struct {
	Name string
	Type Type
}

// Const is a name for an integer.
type Const struct {
	Name  string
	Value int64
}

// Env is what expressions may name. It is immutable and safe for concurrent use.
type Env struct {
	env   *cel.Env
	vars  map[string]Type
	names []string // of variables and constants, sorted, for suggestions
}

// New returns an environment. The error wraps fault.Invalid: a name is there twice or
// is none.
func New(vars []Var, consts []Const) (*Env, error) {
	e := &Env{vars: make(map[string]Type, len(vars))}
	opts := []cel.EnvOption{
		cel.StdLib(),
		cel.ClearMacros(),
		cel.Macros(cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro, cel.FilterMacro, cel.MapMacro, cel.MapFilterMacro),
		cel.EnableMacroCallTracking(),
		cel.ParserRecursionLimit(MaxNesting),
		cel.ParserExpressionSizeLimit(MaxText),
		cel.ParserErrorRecoveryLimit(4),
		cel.ExpressionNodeLimit(MaxNodes),
		cel.ASTValidators(cel.ValidateHomogeneousAggregateLiterals()),
	}
	for _, v := range vars {
		if v.Type > Map {
			return nil, fmt.Errorf("expressions: variable %q has no type: %w", v.Name, fault.Invalid)
		}
		e.vars[v.Name] = v.Type
		e.names = append(e.names, v.Name)
		opts = append(opts, cel.Variable(v.Name, typeOf(v.Type)))
	}
	for _, c := range consts {
		e.names = append(e.names, c.Name)
		opts = append(opts, cel.Constant(c.Name, cel.IntType, types.Int(c.Value)))
	}
	slices.Sort(e.names)
	for i, n := range e.names {
		if !isName(n) || i > 0 && n == e.names[i-1] {
			return nil, fmt.Errorf("expressions: %q is no name or is there twice: %w", n, fault.Invalid)
		}
	}
	env, err := cel.NewCustomEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("expressions: %v: %w", err, fault.Invalid)
	}
	e.env = env
	return e, nil
}

func typeOf(t Type) *cel.Type {
	switch t {
	case Strings:
		return cel.ListType(cel.StringType)
	case Int:
		return cel.IntType
	case Bool:
		return cel.BoolType
	case Map:
		return cel.MapType(cel.StringType, cel.StringType)
	}
	return cel.StringType
}

func isName(s string) bool {
	for i, c := range s {
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// Split parses an expression and returns the operands of its top-level "&&", each in
// canonical form: equal for texts that differ in white space, comments and needless
// parentheses only. They are not checked. The error is an *Error.
func (e *Env) Split(text string) ([]string, error) {
	ast, err := e.parse(text)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, x := range operands(ast.NativeRep().Expr()) {
		s, err := cel.ExprToString(x, ast.NativeRep().SourceInfo())
		if err != nil {
			return nil, wrong(text, 1, 1, "it cannot be written down: "+err.Error())
		}
		out = append(out, s)
	}
	return out, nil
}

// Compile compiles an expression of type bool. The error is an *Error.
func (e *Env) Compile(text string) (*Program, error) {
	parsed, err := e.parse(text)
	if err != nil {
		return nil, err
	}
	c := &checker{env: e, text: text, ast: parsed.NativeRep()}
	c.names()
	if len(c.problems) > 0 {
		return nil, c.fail()
	}
	checked, issues := e.env.Check(parsed)
	if issues.Err() != nil {
		return nil, c.issues(issues)
	}
	c.ast = checked.NativeRep()
	c.types()
	if checked.OutputType() != cel.BoolType && len(c.problems) == 0 {
		c.at(c.ast.Expr().ID(), "the expression is of type %s, want bool", checked.OutputType())
	}
	if len(c.problems) > 0 {
		return nil, c.fail()
	}
	canonical, err := cel.AstToString(checked)
	if err != nil {
		return nil, wrong(text, 1, 1, "it cannot be written down: "+err.Error())
	}
	opts := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if c.tracked {
		opts = append(opts, cel.CostLimit(MaxCost))
	}
	program, err := e.env.Program(checked, opts...)
	if err != nil {
		return nil, wrong(text, 1, 1, strings.TrimSpace(err.Error()))
	}
	return newProgram(program, e, canonical, c.reads, e.compileDirect(c.ast, c.ast.Expr())), nil
}

// parse bounds and parses a text.
func (e *Env) parse(text string) (*cel.Ast, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("expression: %w", &fault.LimitError{What: "bytes", Where: "expression", Max: MaxText, Seen: int64(len(text))})
	}
	if strings.TrimSpace(text) == "" {
		return nil, wrong(text, 1, 1, "it is empty")
	}
	if line, column, ok := deepest(text); !ok {
		return nil, wrong(text, line, column, fmt.Sprintf("it is nested deeper than %d levels", MaxNesting))
	}
	ast, issues := e.env.Parse(text)
	if issues.Err() != nil {
		c := &checker{env: e, text: text}
		return nil, c.issues(issues)
	}
	return ast, nil
}
