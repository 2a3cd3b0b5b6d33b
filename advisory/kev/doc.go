// Package kev reads CISA's catalogue of known exploited vulnerabilities
// (https://www.cisa.gov/known-exploited-vulnerabilities-catalog), as JSON or as
// CSV. Each entry is an [advisory.Signal]: the day from which on the
// vulnerability is listed as exploited, by when agencies must act, and whether
// ransomware uses it.
//
// The catalogue is one document, and its newest state is all that counts: a
// vulnerability that CISA takes off the list has no signal any more. A catalogue
// whose own count is not that of its entries was cut short, and says nothing.
// Names, descriptions and required actions are not read; they are in the raw
// document.
//
// Source: the catalogue's JSON schema, known_exploited_vulnerabilities_schema.json.
package kev

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that reading returns, for [errors.Is].
var (
	ErrInvalid error = fault.Invalid // not a catalogue, or one that was cut short
	ErrLimit   error = fault.Limit   // over a limit of this package
)

// Limits of one catalogue, which has 1,400 entries in 1.3 MB in 2025.
const (
	MaxBytes   = 256 << 20
	MaxEntries = 1_000_000
)
