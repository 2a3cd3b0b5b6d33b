package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var ErrInvalid error = fault.Invalid

// Problem is one mistake.
type Problem struct {
	Key    string // such as gateway.rate.burst
	Source string // where it was given: FILE:LINE, a variable, a flag, or "default"
	Value  string // as it may be shown; "" where there is none
	Why    string // what is wrong, and what is wanted
}

// String is one line.
func (p Problem) String() string {
	out := p.Key
	if p.Value != "" {
		out += fmt.Sprintf(" = %.120q", p.Value)
	}
	if p.Source != "" {
		out += " (" + p.Source + ")"
	}
	return strings.TrimPrefix(out+": "+p.Why, ": ")
}

// Problems are all mistakes of a configuration, sorted by key. It wraps ErrInvalid.
type Problems []Problem

// Error has a line for each.
func (p Problems) Error() string {
	lines := []string{fmt.Sprintf("configuration: %d mistakes:", len(p))}
	if len(p) == 1 {
		lines[0] = "configuration: 1 mistake:"
	}
	for _, x := range p {
		lines = append(lines, "  "+x.String())
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns ErrInvalid.
func (p Problems) Unwrap() error { return ErrInvalid }

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Source, b.Source), strings.Compare(a.Why, b.Why))
	})
}
