package tlog

import (
	"errors"

	"github.com/stella-ops/stella/internal/fault"
)

// Reason names why something of a log was refused. It is itself an error, for
// errors.Is.
type Reason string

// The reasons.
const (
	// ReasonMalformed: text that breaks its format.
	ReasonMalformed Reason = "malformed"
	// ReasonUnknownLog: a checkpoint of an origin that the policy does not know.
	ReasonUnknownLog Reason = "unknown log"
	// ReasonOrigin: a checkpoint of another log than the one asked for, or one
	// that a known key signed for an origin that is not its own.
	ReasonOrigin Reason = "wrong origin"
	// ReasonUnsigned: no signature of a key that is known for the origin.
	ReasonUnsigned Reason = "not signed by the log"
	// ReasonSignature: a signature that names a known key and is not its own.
	ReasonSignature Reason = "bad signature"
	// ReasonIndex: an index that is not in the tree.
	ReasonIndex Reason = "wrong index"
	// ReasonProof: a proof with more or fewer hashes than index and size have.
	ReasonProof Reason = "wrong proof length"
	// ReasonRoot: what was hashed leads to another root than the one that was
	// signed.
	ReasonRoot Reason = "wrong root"
	// ReasonTruncated: a tile or bundle that is shorter than the tree says.
	ReasonTruncated Reason = "truncated tile"
	// ReasonEntry: an entry that is not the one its tile says.
	ReasonEntry Reason = "wrong entry"
	// ReasonMissing: a file that the tree must have and has not.
	ReasonMissing Reason = "missing tile"
	// ReasonRollback: a smaller tree than one that was seen.
	ReasonRollback Reason = "rollback"
	// ReasonSplitView: a tree that does not contain the one that was seen.
	ReasonSplitView Reason = "split view"
	// ReasonWitness: fewer witnesses co-signed than the policy requires.
	ReasonWitness Reason = "witness threshold"
	// ReasonPolicy: a policy that cannot be used.
	ReasonPolicy Reason = "unusable policy"
)

// Error returns the reason's name.
func (r Reason) Error() string { return string(r) }

// kind says what a caller can do about it.
func (r Reason) kind() fault.Kind {
	switch r {
	case ReasonMalformed, ReasonPolicy:
		return fault.Invalid
	case ReasonRollback, ReasonSplitView:
		return fault.Conflict
	case ReasonMissing:
		return fault.NotFound
	}
	return fault.Mismatch
}

// Error says what was refused and why. It matches its Reason, and the reason's
// kind, under errors.Is.
type Error struct {
	Reason Reason
	What   string // such as "checkpoint", "receipt" or a tile's path
	Detail string // what was seen and what was wanted; may be ""
	Err    error  // the cause, where there is one
}

// Error names what was refused, the reason and the detail.
func (e *Error) Error() string {
	s := e.What + ": " + string(e.Reason)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's Reason or its kind.
func (e *Error) Is(target error) bool { return target == e.Reason || target == e.Reason.kind() }

// ReasonOf returns the reason for which err was given, or "".
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}
