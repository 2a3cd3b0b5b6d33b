package role

import (
	"errors"

	"github.com/stella-ops/stella/internal/fault"
)

// Reason names why metadata or content was refused. It is itself an error, for
// errors.Is.
type Reason string

// The reasons.
const (
	// ReasonRollback: an older version than one that was seen.
	ReasonRollback Reason = "rollback"
	// ReasonExpired: the metadata are past their time, so what they say may be
	// kept from changing (a freeze).
	ReasonExpired Reason = "expired"
	// ReasonEquivocation: a version that was seen, with other content.
	ReasonEquivocation Reason = "equivocation"
	// ReasonMixed: not the metadata that the role above names (mix-and-match).
	ReasonMixed Reason = "mix-and-match"
	// ReasonDeleted: a snapshot that no longer names targets.
	ReasonDeleted Reason = "deleted"
	// ReasonSkipped: a root that is not the direct successor.
	ReasonSkipped Reason = "skipped version"
	// ReasonEndless: more data than was promised, or than the limits allow.
	ReasonEndless Reason = "endless data"
	// ReasonTruncated: less data than was promised.
	ReasonTruncated Reason = "truncated"
	// ReasonType: metadata of another role, or no metadata at all.
	ReasonType Reason = "wrong type"
	// ReasonFeed: metadata of another feed.
	ReasonFeed Reason = "other feed"
	// ReasonThreshold: too few of the role's keys signed.
	ReasonThreshold Reason = "below threshold"
	// ReasonKeys: a root that gives a role no usable keys or threshold.
	ReasonKeys Reason = "unusable keys"
	// ReasonFormat: a format that this package does not know.
	ReasonFormat Reason = "unknown format"
	// ReasonMalformed: text that breaks its format.
	ReasonMalformed Reason = "malformed"
	// ReasonContent: content that is not the target's.
	ReasonContent Reason = "wrong content"
	// ReasonMissing: a file that the source must have and has not.
	ReasonMissing Reason = "missing"
)

// Error returns the reason's name.
func (r Reason) Error() string { return string(r) }

// kind says what a caller can do about it.
func (r Reason) kind() fault.Kind {
	switch r {
	case ReasonRollback, ReasonEquivocation, ReasonSkipped:
		return fault.Conflict
	case ReasonExpired:
		return fault.Unavailable // a mirror that lags is well again later
	case ReasonEndless:
		return fault.Limit
	case ReasonKeys, ReasonMalformed:
		return fault.Invalid
	case ReasonFormat:
		return fault.Unsupported
	case ReasonMissing:
		return fault.NotFound
	}
	return fault.Mismatch
}

// Error says which file was refused and why. It matches its Reason, and the
// reason's kind, under errors.Is.
type Error struct {
	Reason Reason
	File   string // as the source knows it, or "state"
	Detail string // what was seen and what was wanted; may be ""
	Err    error  // the cause, where there is one
}

// Error names file, reason and detail.
func (e *Error) Error() string {
	s := e.File + ": " + string(e.Reason)
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
