// Package provider reads what providers of CSAF documents publish beside them:
// metadata, feeds, lists, digests; and has the rules by which a document may
// stand where it was found. It is pure: who fetches gives it bytes.
//
// Every parser is strict and bounded by [Limits]: a file that breaks its schema
// or format is refused with the place. What is found by a file's name is never
// a path out of the provider's folder.
//
// Source: CSAF 2.0, section 7, and its provider and aggregator schemas; CSAF
// 2.1 (draft), the provider schema, for reading; RFC 8322 (ROLIE); RFC 9116.
package provider

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/csaf/shape"
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of errors of this package, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid
	ErrLimit       error = fault.Limit
	ErrUnsupported error = fault.Unsupported
	ErrMismatch    error = fault.Mismatch
	ErrForbidden   error = fault.Forbidden
)

// The defaults of [Limits].
const (
	DefaultBytes   = 64 << 20
	DefaultEntries = 500_000
)

// Limits bound a file. The zero Limits are the defaults.
type Limits struct {
	Bytes   int64
	Entries int // of a feed or list
}

func (l *Limits) withDefaults() Limits {
	out := Limits{Bytes: DefaultBytes, Entries: DefaultEntries}
	if l != nil && l.Bytes > 0 {
		out.Bytes = l.Bytes
	}
	if l != nil && l.Entries > 0 {
		out.Entries = l.Entries
	}
	return out
}

// check holds the size of a file against the limit.
func (l Limits) check(what string, text []byte) error {
	if n := int64(len(text)); n > l.Bytes {
		return &fault.LimitError{What: "bytes", Where: what, Max: l.Bytes, Seen: n}
	}
	return nil
}

// entries holds the number of entries against the limit.
func (l Limits) entries(what string, n int) error {
	if n > l.Entries {
		return &fault.LimitError{What: "entries", Where: what, Max: int64(l.Entries), Seen: int64(n)}
	}
	return nil
}

// decode reads a JSON file that must conform to a rule.
func decode(what string, text []byte, rule *shape.Rule, limits Limits, into any) error {
	if err := limits.check(what, text); err != nil {
		return err
	}
	report, err := shape.Check(text, rule, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(report.Problems) > 0 {
		p := report.Problems[0]
		return fmt.Errorf("%s: %s: %s (%d such places): %w", what, p.Pointer, p.Message, len(report.Problems)+report.Dropped, ErrInvalid)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %v: %w", what, err, ErrInvalid)
	}
	return nil
}
