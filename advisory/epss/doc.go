// Package epss reads the scores of the Exploit Prediction Scoring System
// (https://www.first.org/epss/), a CSV file of all CVE ids for each day. Each
// row is an [advisory.Signal]: the probability of exploitation within 30 days
// and its percentile, as they are written, with the day of the score.
//
// The file is one document of a quarter of a million rows; the newest is all
// that counts. It is read row by row. Its first line names the model and the
// day; without that line, the day is taken from the document's name, and a file
// without a day says nothing.
//
// Source: https://www.first.org/epss/data_stats.
package epss

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that reading returns, for [errors.Is].
var (
	ErrInvalid error = fault.Invalid // not a file of scores, or one that is damaged
	ErrLimit   error = fault.Limit   // over a limit of this package
)

// Limits of one file, which has 300,000 rows in 9 MB in 2025.
const (
	MaxBytes = 1 << 30
	MaxRows  = 10_000_000
	maxLine  = 4096
)
