package policyfile

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/cel"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
)

// Expressions compiles a CEL expression over facts: it is what policy.Options asks
// for. Facts are variables: a text and a package URL are strings, texts are a list of
// strings, a flag is a bool, labels are a map from string to string. A number is an
// int in the fact's scale (cvss >= 75), and a severity is an int that compares with
// NONE, LOW, MEDIUM, HIGH and CRITICAL. See docs/policy.md for what of CEL is there.
// An error says with line and column what is wrong; it wraps ErrInvalid or ErrLimit.
func Expressions(text string) (policy.Expression, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	p, err := env.Compile(text)
	if err != nil {
		return nil, err
	}
	return expression{p}, nil
}

// environment is made when an expression is first compiled.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	var vars []cel.Var
	for _, f := range policy.Fields() {
		vars = append(vars, cel.Var{Name: f.Name, Type: celType(f.Kind)})
	}
	var consts []cel.Const
	for _, s := range severities() {
		consts = append(consts, cel.Const{Name: strings.ToUpper(s), Value: int64(finding.Severity(s).Rank())})
	}
	return cel.New(vars, consts)
})

func celType(k policy.Kind) cel.Type {
	switch k {
	case policy.KindTexts:
		return cel.Strings
	case policy.KindSeverity, policy.KindNumber:
		return cel.Int
	case policy.KindFlag:
		return cel.Bool
	case policy.KindLabels:
		return cel.Map
	}
	return cel.String
}

// expression is a compiled expression.
type expression struct{ program *cel.Program }

// Eval evaluates the expression over facts.
func (x expression) Eval(f policy.Facts) (bool, error) { return x.program.Eval(f.Value) }

// Reads lists the facts that it may ask for.
func (x expression) Reads() []string { return x.program.Reads() }

// when reads an expression as conditions: one for each operand of its top-level "&&",
// so that a trace can name the one that decided.
func (p *parser) when(about policy.About, n *yaml.Node, path string) []policy.Condition {
	text := p.text(n, path, cel.MaxText)
	if text == "" {
		return nil
	}
	env, err := environment()
	if err != nil {
		p.bad(n, path, "%s", err)
		return nil
	}
	program, err := env.Compile(n.Value)
	var parts []string
	if err == nil {
		parts, err = env.Split(n.Value)
	}
	if err != nil {
		p.wrong(n, path, err)
		return nil
	}
	for _, name := range program.Reads() {
		if f := policy.FieldByName(name); f != nil && !f.IsOf(about) {
			p.bad(n, path, "%s is no fact of %s", name, about.Plural())
			return nil
		}
	}
	if len(program.Reads()) == 0 {
		p.warn(n, path, "it reads no fact: it is always the same")
	}
	var out []policy.Condition
	for _, part := range parts {
		if len(part) > cel.MaxText {
			p.bad(n, path, "%s", &fault.LimitError{What: "bytes", Where: "expression in its canonical form", Max: cel.MaxText, Seen: int64(len(part))})
			return nil
		}
		out = append(out, policy.Condition{Expression: part})
	}
	return out
}

// wrong notes what is wrong with an expression, where it stands in the document.
func (p *parser) wrong(n *yaml.Node, path string, err error) {
	var list *cel.Error
	if !errors.As(err, &list) {
		p.bad(n, path, "%s", err)
		return
	}
	for _, x := range list.Problems {
		d := Diagnostic{Line: n.Line, Column: n.Column, Path: path, Message: x.What}
		quoted := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0
		switch {
		case n.Style&yaml.LiteralStyle != 0:
			d.Line += x.Line
			d.Column = x.Column + p.indent(n.Line)
		case strings.Contains(n.Value, "\n") || n.Style&yaml.FoldedStyle != 0 || !p.verbatim(n, quoted):
			d.Message = fmt.Sprintf("%s (at %d:%d of the expression)", x.What, x.Line, x.Column)
		case quoted:
			d.Column += x.Column
		default:
			d.Column += x.Column - 1
		}
		p.note(d)
	}
}

// indent is how far the first line of a block that follows a line is indented.
func (p *parser) indent(after int) int {
	for _, l := range p.lines[min(after, len(p.lines)):] {
		if t := strings.TrimLeft(l, " "); t != "" {
			return len(l) - len(t)
		}
	}
	return 0
}

// verbatim reports whether a text stands in one line of the document as it is.
func (p *parser) verbatim(n *yaml.Node, quoted bool) bool {
	if n.Line < 1 || n.Line > len(p.lines) {
		return false
	}
	line, from := []rune(p.lines[n.Line-1]), n.Column-1
	if quoted {
		from++
	}
	return from >= 0 && from <= len(line) && strings.HasPrefix(string(line[from:]), n.Value)
}
