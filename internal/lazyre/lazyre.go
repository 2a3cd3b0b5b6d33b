// Package lazyre compiles regular expressions when they are first used: a program
// that links a package does not pay for expressions that it never needs.
package lazyre

import (
	"regexp"
	"sync"
)

// Pattern is an expression that is compiled once. It is safe for concurrent use.
type Pattern struct {
	expr string
	once sync.Once
	re   *regexp.Regexp
}

// New returns a pattern for a package's variable. An expression that does not
// compile panics at its first use: a test must use each.
func New(expr string) *Pattern { return &Pattern{expr: expr} }

// Get returns the compiled expression.
func (p *Pattern) Get() *regexp.Regexp {
	p.once.Do(func() { p.re = regexp.MustCompile(p.expr) })
	return p.re
}
