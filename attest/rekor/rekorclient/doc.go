// Package rekorclient enters signatures into a transparency log that speaks the
// HTTP API of Rekor v2 (sigstore/rekor-tiles). It is apart from package rekor
// because it uses the network, which what verifies must not.
//
// A log answers once a checkpoint covers the entry, which takes seconds. What it
// answers is returned as it came: whether the entry is in the log is for the
// caller to verify, with the log's key. Only that the answer is about what was
// asked for is seen to here.
package rekorclient

import (
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid         // no record, a wrong setting, or an entry that the log refused
	ErrUnsupported     error = fault.Unsupported     // not a Rekor v2 log, or one that is frozen
	ErrUnauthenticated error = fault.Unauthenticated // the log wants credentials
	ErrForbidden       error = fault.Forbidden       // the log, or a rule of this process
	ErrConflict        error = fault.Conflict        // the log has the entry; see DuplicateError
	ErrLimit           error = fault.Limit           // an answer without end, or a request that is too large for the log
	ErrMismatch        error = fault.Mismatch        // an answer about something else
	ErrUnavailable     error = fault.Unavailable     // the same call may succeed later; see StatusError
)

// The limits of a call. A log needs up to 20 seconds to answer.
const (
	MinTimeout     = 20 * time.Second
	DefaultTimeout = 30 * time.Second
	MaxAnswer      = 8 << 20 // bytes
	MaxRetryAfter  = 24 * time.Hour
	maxMessage     = 64 << 10 // bytes of an answer that is an error
)

// StatusError is an answer of the log that is not an entry. It matches the kind
// that the status stands for under errors.Is.
type StatusError struct {
	Status int
	// Message is what the log says, of which it may be much or nothing; cut to 500
	// characters.
	Message string
	// RetryAfter is how long the log asks to wait, at most MaxRetryAfter; 0 where
	// it does not say.
	RetryAfter time.Duration
}

// Error names status and message.
func (e *StatusError) Error() string {
	s := fmt.Sprintf("the log answered %d", e.Status)
	if e.Message != "" {
		s += fmt.Sprintf(": %q", e.Message)
	}
	return s
}

// Is reports whether target is the kind of the status.
func (e *StatusError) Is(target error) bool { return target == kindOf(e.Status) }

// DuplicateError says that the log has this very entry already, and did not give
// its proof again: that is to be made of the log's tiles. It matches ErrConflict
// under errors.Is.
type DuplicateError struct {
	// LogIndex is where the log says the entry is, or -1. Not to be believed before
	// the entry was found there.
	LogIndex int64
}

// Error names the index.
func (e *DuplicateError) Error() string {
	if e.LogIndex < 0 {
		return "the log has this entry already, and does not say where"
	}
	return fmt.Sprintf("the log has this entry already, at index %d", e.LogIndex)
}

// Is reports whether target is ErrConflict.
func (e *DuplicateError) Is(target error) bool { return target == fault.Conflict }
