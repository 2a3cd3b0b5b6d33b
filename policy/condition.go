package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// answer is what a condition says.
type answer uint8

const (
	isNo answer = iota
	isUnknown
	isYes
	isError
)

var answerNames = [...]string{"no", "unknown", "yes", "error"}

// test is a condition that is ready to be asked. why says what failed.
type test func(f *evaluated) (is answer, why string)

// Expression is a compiled expression. It is safe for concurrent use.
type Expression interface {
	// Eval evaluates it over facts. It must be a pure function of them. An error
	// says why there is no answer: the verdict is then Error.
	Eval(f Facts) (bool, error)
	// Reads lists the names of the facts that it may ask for, sorted.
	Reads() []string
}

// Facts are the facts about one finding, for an Expression.
type Facts struct{ f *evaluated }

// Value returns a fact as a string, []string, int64, bool or map[string]string; ok
// is false where there is none of that name or it is unknown.
func (f Facts) Value(name string) (v any, ok bool) {
	i, field := fieldIndex(name)
	if field == nil {
		return nil, false
	}
	x := f.f.fact(i)
	if !x.known {
		return nil, false
	}
	switch field.Kind {
	case KindText, KindPURL:
		return x.text, true
	case KindTexts:
		return x.list, true
	case KindFlag:
		return x.flag, true
	case KindLabels:
		return x.labels, true
	}
	return x.number, true
}

// compile reads a condition.
func (c *Condition) compile(about About, expressions func(string) (Expression, error)) (test, []string, error) {
	if c.Expression != "" {
		return c.compileExpression(about, expressions)
	}
	n, field := fieldIndex(c.Field)
	if field == nil {
		return nil, nil, fmt.Errorf("field %.64q is unknown: %w", c.Field, fault.Invalid)
	}
	if !field.IsOf(about) {
		return nil, nil, fmt.Errorf("%s is no fact of %s: %w", c.Field, about.Plural(), fault.Invalid)
	}
	if len(c.Values) == 0 || len(c.Values) > MaxValues {
		return nil, nil, fmt.Errorf("%s: %d values, want 1 to %d: %w", c.Field, len(c.Values), MaxValues, fault.Invalid)
	}
	holds, err := field.holds(c)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.Field, err)
	}
	negate := c.Negate
	asksUnknown := field.Unknown != "" && slices.Contains(c.Values, field.Unknown)
	return func(f *evaluated) (answer, string) {
		v := f.fact(n)
		switch {
		case !v.known && asksUnknown && !negate:
			return isYes, ""
		case !v.known && asksUnknown:
			return isNo, ""
		case !v.known:
			return isUnknown, ""
		case holds(f, v) != negate:
			return isYes, ""
		}
		return isNo, ""
	}, []string{c.Field}, nil
}

func (c *Condition) compileExpression(about About, expressions func(string) (Expression, error)) (test, []string, error) {
	if c.Field != "" || c.Operator != "" || len(c.Values) > 0 || c.Negate {
		return nil, nil, fmt.Errorf("an expression stands alone: %w", fault.Invalid)
	}
	if expressions == nil {
		return nil, nil, fmt.Errorf("expression %.80q: this engine has no expressions: %w", c.Expression, fault.Unsupported)
	}
	x, err := expressions(c.Expression)
	if err != nil {
		return nil, nil, err
	}
	reads := x.Reads()
	fields := make([]int, len(reads))
	for i, name := range reads {
		var field *Field
		if fields[i], field = fieldIndex(name); field == nil {
			return nil, nil, fmt.Errorf("expression %.80q reads %q, which is no fact: %w", c.Expression, name, fault.Invalid)
		}
		if !field.IsOf(about) {
			return nil, nil, fmt.Errorf("expression %.80q reads %s, which is no fact of %s: %w", c.Expression, name, about.Plural(), fault.Invalid)
		}
	}
	return func(f *evaluated) (answer, string) {
		for _, i := range fields {
			if !f.fact(i).known {
				return isUnknown, ""
			}
		}
		ok, err := x.Eval(Facts{f})
		switch {
		case err != nil:
			return isError, err.Error()
		case ok:
			return isYes, ""
		}
		return isNo, ""
	}, reads, nil
}

// holder compares a known value.
type holder func(f *evaluated, v *value) bool

// holds returns what compares a known value of the field.
func (f *Field) holds(c *Condition) (holder, error) {
	for _, v := range c.Values {
		if len(v) > MaxText {
			return nil, &fault.LimitError{What: "bytes of a value", Where: c.Field, Max: MaxText, Seen: int64(len(v))}
		}
	}
	switch {
	case c.Operator == Matches && f.Kind == KindPURL:
		return matchesPURL(c.Values)
	case (f.Kind == KindNumber || f.Kind == KindSeverity) && slices.Contains([]Operator{Is, AtLeast, AtMost, Above, Below}, c.Operator):
		return f.comparesNumber(c)
	case c.Operator != Is:
		return nil, fmt.Errorf("operator %q does not go with a %s: %w", c.Operator, f.Kind, fault.Invalid)
	case f.Kind == KindFlag:
		return isFlag(c.Values)
	case f.Kind == KindLabels:
		return hasLabel(c.Values), nil
	}
	globs := newGlobs(c.Values, f.fold)
	if f.Kind == KindTexts {
		return func(_ *evaluated, v *value) bool { return slices.ContainsFunc(v.list, globs.match) }, nil
	}
	return func(_ *evaluated, v *value) bool { return globs.match(v.text) }, nil
}

func matchesPURL(values []string) (holder, error) {
	patterns := make([]vex.Pattern, len(values))
	for i, v := range values {
		p, err := vex.ParsePattern(v)
		if err != nil {
			return nil, err
		}
		patterns[i] = p
	}
	return func(f *evaluated, _ *value) bool {
		for i := range patterns {
			// Most are of another type, which needs no reading.
			if p := &patterns[i]; (p.Type() == "" || p.Type() == f.pkg.typ) && p.Covers(f.pkg.prepared()) {
				return true
			}
		}
		return false
	}, nil
}

func isFlag(values []string) (holder, error) {
	if len(values) != 1 || values[0] != "true" && values[0] != "false" {
		return nil, fmt.Errorf("%q: want true or false: %w", values, fault.Invalid)
	}
	want := values[0] == "true"
	return func(_ *evaluated, v *value) bool { return v.flag == want }, nil
}

func hasLabel(values []string) holder {
	return func(_ *evaluated, v *value) bool {
		for _, want := range values {
			key, value, pair := strings.Cut(want, "=")
			if has, ok := v.labels[key]; ok && (!pair || glob(value, has)) {
				return true
			}
		}
		return false
	}
}

func (f *Field) comparesNumber(c *Condition) (holder, error) {
	if c.Operator != Is && len(c.Values) != 1 {
		return nil, fmt.Errorf("%s with %d values, want one: %w", c.Operator, len(c.Values), fault.Invalid)
	}
	want := make([]int64, len(c.Values))
	for i, v := range c.Values {
		if f.Kind == KindSeverity {
			s, ok := finding.ParseSeverity(v)
			if !ok {
				return nil, fmt.Errorf("%.40q is no severity: %w", v, fault.Invalid)
			}
			want[i] = int64(s.Rank())
			continue
		}
		n, ok := Decimal(v, f.Scale)
		if !ok {
			return nil, fmt.Errorf("%.40q is no number: %w", v, fault.Invalid)
		}
		want[i] = n
	}
	n := want[0]
	switch c.Operator {
	case AtLeast:
		return func(_ *evaluated, v *value) bool { return v.number >= n }, nil
	case AtMost:
		return func(_ *evaluated, v *value) bool { return v.number <= n }, nil
	case Above:
		return func(_ *evaluated, v *value) bool { return v.number > n }, nil
	case Below:
		return func(_ *evaluated, v *value) bool { return v.number < n }, nil
	}
	return func(_ *evaluated, v *value) bool { return slices.Contains(want, v.number) }, nil
}

// globs is a list of texts, some with "*".
type globs struct {
	exact map[string]bool
	wild  []string
	fold  bool
}

func newGlobs(values []string, fold bool) *globs {
	g := &globs{exact: map[string]bool{}, fold: fold}
	for _, v := range values {
		if fold {
			v = upper(v)
		}
		if strings.Contains(v, "*") {
			g.wild = append(g.wild, v)
		} else {
			g.exact[v] = true
		}
	}
	return g
}

func (g *globs) match(s string) bool {
	if g.fold {
		s = upper(s)
	}
	return g.exact[s] || slices.ContainsFunc(g.wild, func(p string) bool { return glob(p, s) })
}

// glob reports whether s matches a pattern in which "*" stands for any characters.
// It takes time linear in s for each piece of the pattern.
func glob(pattern, s string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == s
	}
	if !strings.HasPrefix(s, first) {
		return false
	}
	s = s[len(first):]
	for {
		piece, more, wild := strings.Cut(rest, "*")
		if !wild {
			return strings.HasSuffix(s, piece)
		}
		i := strings.Index(s, piece)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(piece):], more
	}
}

// anyGlob reports whether one of the patterns matches one of the texts.
func anyGlob(patterns, texts []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return slices.ContainsFunc(texts, func(t string) bool { return glob(p, t) })
	})
}

// anyID is anyGlob for ids of vulnerabilities, which are compared in any case.
func anyID(patterns, ids []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		p = upper(p)
		return slices.ContainsFunc(ids, func(t string) bool { return glob(p, upper(t)) })
	})
}

// upper turns ASCII letters to upper case, and allocates only where there are lower
// ones.
func upper(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 'a' && c <= 'z' {
			return strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' {
					return r - 'a' + 'A'
				}
				return r
			}, s)
		}
	}
	return s
}
