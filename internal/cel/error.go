package cel

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/plain"
)

// Error says all that is wrong with an expression. It matches fault.Invalid under
// errors.Is.
type Error struct {
	Text     string
	Problems []Problem
}

// Problem is one thing that is wrong, and where: line and column count from 1, columns
// in characters.
type Problem struct {
	Line, Column int
	What         string
}

// Error names each problem with its line and column, and marks it in the text.
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "expression:%d:%d: %s%s", p.Line, p.Column, plain.Text(p.What), Caret(e.Text, p.Line, p.Column))
	}
	return b.String()
}

// Is reports whether target is fault.Invalid.
func (e *Error) Is(target error) bool { return target == fault.Invalid }

func (c *checker) fail() error { return &Error{Text: c.text, Problems: c.problems} }

func wrong(text string, line, column int, what string) error {
	return &Error{Text: text, Problems: []Problem{{line, column, what}}}
}

// maxShown is how many characters of a line are shown.
const maxShown = 100

// Caret returns a line of a text on a line of its own and below it a caret under the
// column, each after a line break; "" where there is no such line. Long lines are cut
// around the column, and what could command a terminal is replaced.
func Caret(text string, line, column int) string {
	lines := strings.SplitN(text, "\n", line+1)
	if line < 1 || line > len(lines) {
		return ""
	}
	runes := []rune(plain.Text(strings.ReplaceAll(strings.TrimRight(lines[line-1], "\r"), "\t", " ")))
	at := min(max(column-1, 0), len(runes))
	if at > maxShown*3/4 {
		cut := min(at-maxShown/2, len(runes))
		runes, at = runes[cut:], at-cut
	}
	runes = runes[:min(len(runes), maxShown)]
	if len(runes) == 0 {
		return ""
	}
	return "\n  | " + string(runes) + "\n  | " + strings.Repeat(" ", at) + "^"
}

// deepest says where brackets are nested too deeply. Texts are skipped roughly: a
// bracket in one counts as well where it is not clear.
func deepest(text string) (line, column int, ok bool) {
	depth, quote := 0, rune(0)
	line = 1
	for _, r := range text {
		column++
		switch {
		case r == '\n':
			line, column = line+1, 0
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case r == '(' || r == '[' || r == '{':
			if depth++; depth > MaxNesting {
				return line, column, false
			}
		case r == ')' || r == ']' || r == '}':
			depth--
		}
	}
	return 0, 0, true
}
