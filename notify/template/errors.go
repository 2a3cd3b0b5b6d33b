package template

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/cel"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/plain"
	"github.com/stella-ops/stella/internal/suggest"
)

// maxProblems bounds the problems that are told of one text.
const maxProblems = 50

// Error says all that is wrong with templates. It matches ErrInvalid under errors.Is, and
// ErrLimit where one of the problems is a bound that was reached.
type Error struct{ Problems []Problem }

// Problem is one thing that is wrong, and where.
type Problem struct {
	Template string // the template's id; "" for a default
	Part     string
	// Line and Column count from 1, columns in characters; 0 where it is no place in the
	// text.
	Line, Column int
	What         string
	// Limit says that a bound was reached.
	Limit bool
	// Mark is the line and below it a caret under the column, each after a line break; ""
	// where there is none.
	Mark string
}

// Error names each problem with its place, and marks it in the text.
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// Is reports whether target is ErrInvalid, or ErrLimit where a bound was reached.
func (e *Error) Is(target error) bool {
	return target == fault.Invalid || target == fault.Limit && slices.ContainsFunc(e.Problems, func(p Problem) bool { return p.Limit })
}

// String returns "part:line:column: what", after the template where there is one, and the
// mark.
func (p Problem) String() string {
	where := ""
	if p.Template != "" {
		where = fmt.Sprintf("template %q: ", p.Template)
	}
	if p.Part != "" {
		where += plain.Text(p.Part)
		if p.Line > 0 {
			where += fmt.Sprintf(":%d:%d", p.Line, p.Column)
		}
		where += ": "
	}
	return where + plain.Text(p.What) + p.Mark
}

// meant returns "; did you mean …?" for the nearest name, whose case may differ.
func meant(name string, names []string) string {
	if phrase := suggest.Phrase(name, names); phrase != "" {
		return phrase
	}
	folded := make([]string, len(names))
	for i, n := range names {
		folded[i] = strings.ToLower(n)
	}
	if i := slices.Index(folded, suggest.Nearest(strings.ToLower(name), folded)); i >= 0 && names[i] != "" {
		return fmt.Sprintf("; did you mean %q?", names[i])
	}
	return ""
}

// problems collects what is wrong with one text.
type problems struct {
	part, text string
	found      []Problem
}

// at notes a problem at a byte of the text.
func (p *problems) at(pos int, format string, args ...any) { p.note(false, pos, format, args...) }

// over notes that a bound was reached.
func (p *problems) over(pos int, format string, args ...any) { p.note(true, pos, format, args...) }

func (p *problems) note(limit bool, pos int, format string, args ...any) {
	pos = min(max(pos, 0), len(p.text))
	before := p.text[:pos]
	line := 1 + strings.Count(before, "\n")
	column := 1 + len([]rune(before[strings.LastIndexByte(before, '\n')+1:]))
	problem := Problem{Part: p.part, Line: line, Column: column, What: fmt.Sprintf(format, args...), Limit: limit, Mark: cel.Caret(p.text, line, column)}
	if len(p.found) < maxProblems && !slices.Contains(p.found, problem) {
		p.found = append(p.found, problem)
	}
}
