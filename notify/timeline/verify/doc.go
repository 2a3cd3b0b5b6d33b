// Package verify checks an export of a timeline against checkpoints and public keys. It
// asks nobody: neither the database that the export is of, nor the program that made it.
//
// It shares no code with what indexes, exports and signs (package timeline): lines are
// read by a parser of its own, hashes are made by encoding of its own, and what it takes
// for granted is written in the comment of package timeline alone. Common are the
// standard library, envelopes (package attest/dsse) and the JSON library.
//
// An export is read as a stream: memory is bounded by the longest line and one
// checkpoint. What no checkpoint covers is bound by the chain alone, which whoever has
// the database can make anew: a [Report] says from which row on.
package verify

import (
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid  error = fault.Invalid
	ErrMismatch error = fault.Mismatch // what is checked is not what it must be; see Error
)

// Reason says what is wrong.
type Reason string

// The reasons.
const (
	Malformed  Reason = "malformed"  // a line is not one of an export
	Altered    Reason = "altered"    // a row does not have the hash that it had
	Body       Reason = "body"       // a body is not what its row says, or missing without a row that says so
	Missing    Reason = "missing"    // a row is not there
	Inserted   Reason = "inserted"   // a row is there that does not belong there
	Reordered  Reason = "reordered"  // a row stands elsewhere
	Truncated  Reason = "truncated"  // the last rows, or the last line, are missing
	Rewritten  Reason = "rewritten"  // a row follows from those before, and another one was signed
	Fork       Reason = "fork"       // two rows follow the same row, or two checkpoints the same one
	Pruned     Reason = "pruned"     // a row about deleted bodies says what it must not
	Checkpoint Reason = "checkpoint" // a checkpoint is not signed by whom it must be, does not follow from the one before, or is missing
)

// Error is the first thing that is wrong. It matches ErrMismatch under errors.Is.
type Error struct {
	Reason Reason
	// Seq is of the first bad row: all rows before it are as they were; see
	// Report.Lacking for their bodies. It is one more than the last row where rows are
	// missing at the end.
	Seq int64
	// Line is the line of the export, from 1 on; 0 where it is about checkpoints.
	Line int64
	// Checkpoint is the number of the checkpoint that the error is about, or that says so;
	// 0 where none does.
	Checkpoint int64
	Detail     string
}

func (e *Error) Error() string {
	s := fmt.Sprintf("the timeline is %s from row %d on", e.Reason, e.Seq)
	switch e.Reason {
	case Checkpoint:
		s = fmt.Sprintf("checkpoint %d, which covers row %d, is not valid", e.Checkpoint, e.Seq)
	case Body:
		s = fmt.Sprintf("the body of row %d is not what was indexed", e.Seq)
	case Pruned:
		s = fmt.Sprintf("row %d announces a deletion that it must not", e.Seq)
	case Missing:
		s = fmt.Sprintf("row %d is missing", e.Seq)
	case Fork:
		s = fmt.Sprintf("the timeline forks at row %d", e.Seq)
	}
	if e.Line > 0 {
		s += fmt.Sprintf(" (line %d)", e.Line)
	}
	return s + ": " + e.Detail
}

// Is reports whether target is ErrMismatch.
func (e *Error) Is(target error) bool { return target == ErrMismatch }

// Hash is a SHA-256.
type Hash [32]byte

func (h Hash) String() string { return fmt.Sprintf("sha256:%x", h[:]) }

// Report is what was found. After an error it says how far rows followed from each other;
// what holds are those before Error.Seq.
type Report struct {
	Tenant string
	// First and Last are the rows that were checked; Hash is of row Last.
	First, Last int64
	Hash        Hash
	// Signed is the last row that a checkpoint covers: what is behind it can be made anew
	// by whoever has the database. 0 means that none does.
	Signed int64
	// Checkpoints is how many were verified; Newest, Digest and Time are of the last one.
	Checkpoints int64
	Newest      int64
	Digest      string
	Time        time.Time
	// Pruned is up to which row bodies may lack, and Bodies how many rows had one.
	Pruned, Bodies int64
	// Lacking is how many bodies lack without a row that says so. After an error such a
	// row may come behind it; without one there are none.
	Lacking int64
}

// Uncovered is how many of the rows no checkpoint covers.
func (r *Report) Uncovered() int64 { return r.Last - max(r.Signed, r.First-1) }
