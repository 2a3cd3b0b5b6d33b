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

// suggest returns which of the names was probably meant, as an addition to a
// message.
func suggest(got string, names []string) string {
	best, least := "", min(3, (len(got)+2)/2)
	for _, name := range names {
		if d := distance(strings.ToLower(got), name); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is how many letters must be changed, added, taken away or swapped with
// the next.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var rows [3][65]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		now, above, before := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(above[j]+1, now[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
