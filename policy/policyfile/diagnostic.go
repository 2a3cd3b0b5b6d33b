package policyfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/cel"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/plain"
)

// Diagnostic is one thing that is wrong with a document, or looks so.
type Diagnostic struct {
	// Warning says that the document can be used all the same.
	Warning bool
	File    string
	// Line and Column count from 1; 0 where the place is not known.
	Line, Column int
	// Path is where it is, such as "rules[2].match.severity"; "" for the document.
	Path string
	// Message says what, and why. Excerpt is the line of the document with a caret
	// under the place, on two lines; it may be empty.
	Message, Excerpt string
}

// String returns "file:line:column: path: message" and the excerpt below it.
func (d Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(d.File)
	if d.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", d.Line, max(d.Column, 1))
	}
	b.WriteString(": ")
	if d.Warning {
		b.WriteString("warning: ")
	}
	if d.Path != "" {
		b.WriteString(d.Path + ": ")
	}
	b.WriteString(d.Message)
	b.WriteString(d.Excerpt)
	return b.String()
}

// DocumentError says everything that is wrong with a document. It matches ErrInvalid
// under errors.Is, or ErrUnsupported where the document is for a newer engine.
type DocumentError struct {
	Diagnostics []Diagnostic // by place; at least one

	kind fault.Kind
}

// Error gives each diagnostic lines of its own.
func (e *DocumentError) Error() string {
	lines := make([]string, len(e.Diagnostics))
	for i, d := range e.Diagnostics {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Is reports whether target is the kind of error that this is.
func (e *DocumentError) Is(target error) bool { return target == e.kind }

func sortDiagnostics(list []Diagnostic) {
	slices.SortStableFunc(list, func(a, b Diagnostic) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
}

// maxProblems is how many problems are said of one document.
const maxProblems = 100

// source is a document as it was written, for excerpts.
type source struct {
	name  string
	lines []string
	found []Diagnostic // errors and warnings
	more  bool         // there were too many
}

func newSource(name, text string) *source {
	return &source{name: name, lines: strings.Split(text, "\n")}
}

// note adds a diagnostic and its excerpt.
func (s *source) note(d Diagnostic) {
	if len(s.found) >= maxProblems {
		s.more = true
		return
	}
	d.File = s.name
	d.Message, d.Path = plain.Text(d.Message), plain.Text(d.Path)
	if d.Line > 0 && d.Line <= len(s.lines) {
		d.Excerpt = cel.Caret(s.lines[d.Line-1], 1, d.Column)
	}
	s.found = append(s.found, d)
}

// errors returns the errors among what was found, nil for none.
func (s *source) errors() error {
	var list []Diagnostic
	for _, d := range s.found {
		if !d.Warning {
			list = append(list, d)
		}
	}
	if len(list) == 0 {
		return nil
	}
	sortDiagnostics(list)
	if s.more {
		list = append(list, Diagnostic{File: s.name, Message: "there is more"})
	}
	return &DocumentError{Diagnostics: list, kind: fault.Invalid}
}

func (s *source) warnings() []Diagnostic {
	var list []Diagnostic
	for _, d := range s.found {
		if d.Warning {
			list = append(list, d)
		}
	}
	sortDiagnostics(list)
	return list
}
