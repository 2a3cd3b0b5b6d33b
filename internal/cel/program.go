package cel

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/plain"
)

// Program is a compiled expression. It is immutable and safe for concurrent use.
type Program struct {
	program cel.Program
	text    string
	reads   []string
	vars    map[string]Type
	direct  direct    // nil where the library alone answers
	scopes  sync.Pool // of *scope: an evaluation needs one for its time
}

func newProgram(p cel.Program, e *Env, text string, reads []string, d direct) *Program {
	return &Program{program: p, text: text, reads: reads, vars: e.vars, direct: d, scopes: sync.Pool{New: func() any { return new(scope) }}}
}

// Text returns the expression in canonical form.
func (p *Program) Text() string { return p.text }

// Reads lists the variables that the expression may ask for, sorted.
func (p *Program) Reads() []string { return slices.Clone(p.reads) }

// Eval evaluates the expression. lookup returns the value of a variable in the Go type
// of its Type; it is asked when a value is needed. A variable that it does not know,
// or with another type, is an error where the answer depends on it. An error says why
// there is no answer; it wraps fault.Limit where the evaluation would cost more than
// MaxCost, else fault.Invalid.
func (p *Program) Eval(lookup func(name string) (value any, ok bool)) (bool, error) {
	if p.direct != nil {
		if v := p.direct(lookup); v != ask {
			return v == yes, nil
		}
	}
	return p.evalLibrary(lookup)
}

func (p *Program) evalLibrary(lookup func(string) (any, bool)) (bool, error) {
	s := p.scopes.Get().(*scope)
	s.lookup, s.vars = lookup, p.vars
	out, _, err := p.program.Eval(s)
	s.lookup = nil
	p.scopes.Put(s)
	if err != nil {
		return false, p.failed(err)
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, &EvalError{p.text, "the answer is of type " + out.Type().TypeName(), fault.Invalid}
	}
	return bool(b), nil
}

// EvalError says why an expression has no answer. It matches fault.Limit or
// fault.Invalid under errors.Is.
type EvalError struct {
	Text string // the expression, in canonical form
	What string

	kind fault.Kind
}

// Error names the expression and the reason.
func (e *EvalError) Error() string { return fmt.Sprintf("expression %.200q: %s", e.Text, e.What) }

// Is reports whether target is the kind of error that this is.
func (e *EvalError) Is(target error) bool { return target == e.kind }

func (p *Program) failed(err error) error {
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) {
		return &EvalError{p.text, fmt.Sprintf("it costs more than %d", MaxCost), fault.Limit}
	}
	return &EvalError{p.text, plain.Text(err.Error()), fault.Invalid}
}

// scope resolves variables while an expression is evaluated.
type scope struct {
	lookup func(string) (any, bool)
	vars   map[string]Type
}

// Parent returns nil: there is no scope around it.
func (s *scope) Parent() cel.Activation { return nil }

// ResolveName returns a variable as a value of the library.
func (s *scope) ResolveName(name string) (any, bool) {
	t, ok := s.vars[name]
	if !ok {
		return nil, false
	}
	v, ok := s.lookup(name)
	if !ok {
		return nil, false
	}
	switch v := v.(type) {
	case string:
		if t == String {
			return types.String(v), true
		}
	case int64:
		if t == Int {
			return types.Int(v), true
		}
	case bool:
		if t == Bool {
			return types.Bool(v), true
		}
	case []string:
		if t == Strings {
			return types.NewStringList(types.DefaultTypeAdapter, v), true
		}
	case map[string]string:
		if t == Map {
			return types.NewStringStringMap(types.DefaultTypeAdapter, v), true
		}
	}
	return nil, false
}
