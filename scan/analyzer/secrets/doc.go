// Package secrets looks for credentials that lie in an image for everybody to read: keys of
// clouds, tokens of services, private keys, passwords in addresses and settings.
//
// What is looked for is said by rules ([Rules]): those that are compiled in ([Default]), a
// file of one's own ([Parse]), or a bundle that somebody signed ([Open]). Each rule has
// examples of what it must find and what it must leave alone, and [Rules.Check] runs them.
//
// The analyzer is none of the default ones: it wants every file, and to read every file
// costs time. A text is read once, forwards, in memory that does not depend on its size. Text
// is UTF-8 or anything else that has no zero byte among the first 8,000 bytes, and UTF-16 with
// a byte order mark or, without one, such as Windows programs write it. All else is binary
// and is not searched; nor is what archives hold. Both, and the folders that a bundle skips,
// are rules of the house and give no gap. A text that is larger than the bundle allows, and
// what a rule finds beyond its maximum, do: nobody is told that an unread file is clean.
//
// A secret does not leave [Analyzer.Extract]. What is reported is the rule, the line and
// the text around the secret, in which the secret, others beside it and every piece of six
// bytes that it shares with its surroundings are asterisks. Errors name places, never texts.
package secrets

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported // a bundle of another format
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch // not signed by whom it must be, or examples that fail
)

// The limits of a bundle.
const (
	MaxBundle   = 4 << 20 // bytes of its text
	MaxRules    = 1000
	MaxKeywords = 32      // of one rule
	MaxList     = 500     // globs, words or expressions of one list
	MaxRegexp   = 4 << 10 // bytes of one expression
	MaxProgram  = 5000    // instructions that an expression compiles to
	MaxLines    = 16      // that a rule looks at behind the one with its keyword
	MaxExamples = 40      // of one rule, each way
	MaxFile     = 4 << 30 // bytes of the largest text that a bundle may ask for
)

// The limits of a search. A rule sees a secret that begins at most Before bytes ahead of one
// of its keywords, and ends at most After bytes behind the keyword's beginning.
const (
	Before      = 1 << 10
	After       = 8 << 10
	MinSecret   = 6    // bytes: what is shorter cannot be told from a word
	MaxFindings = 1000 // of one file
	MaxMasked   = 100  // bytes of the text around a secret
)
