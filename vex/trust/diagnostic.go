package trust

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// Diagnostic is one thing that is wrong with a trust document.
type Diagnostic struct {
	// Line and Column count from 1; 0 where the place is not known.
	Line, Column int
	// Path is where it is, such as "issuers[2].tier"; "" for the document.
	Path    string
	Message string
}

// String returns the diagnostic as "line:column: path: message".
func (d Diagnostic) String() string {
	s := d.Message
	if d.Path != "" {
		s = d.Path + ": " + s
	}
	if d.Line > 0 {
		s = fmt.Sprintf("%d:%d: %s", d.Line, d.Column, s)
	}
	return s
}

// DocumentError says everything that is wrong with a trust document. It matches
// ErrInvalid under errors.Is.
type DocumentError struct {
	Name        string
	Diagnostics []Diagnostic // by place; at least one
}

// Error gives each diagnostic a line of its own, "name:line:column: …".
func (e *DocumentError) Error() string {
	lines := make([]string, len(e.Diagnostics))
	for i, d := range e.Diagnostics {
		lines[i] = e.Name + ":" + d.String()
		if d.Line == 0 {
			lines[i] = e.Name + ": " + d.String()
		}
	}
	return strings.Join(lines, "\n")
}

// Is reports whether target is ErrInvalid.
func (e *DocumentError) Is(target error) bool { return target == fault.Invalid }

func (e *DocumentError) sort() {
	slices.SortStableFunc(e.Diagnostics, func(a, b Diagnostic) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
}
