// Package fault holds the error kinds of the SDK. A kind is itself an error:
// code wraps it with what was attempted and on what, callers branch on it with
// [errors.Is], and each domain package re-exports the kinds it returns so that
// embedders never import this package.
package fault

import (
	"errors"
	"fmt"
)

// A Kind classifies an error by what a caller can do about it.
type Kind string

// Error returns the kind's name.
func (k Kind) Error() string { return string(k) }

const (
	// Invalid means the input breaks its own format; the same input fails again.
	Invalid Kind = "invalid input"
	// Unsupported means the input is well formed but not something this code handles.
	Unsupported Kind = "unsupported"
	// NotFound means the named thing does not exist.
	NotFound Kind = "not found"
	// Conflict means the named thing exists with other content.
	Conflict Kind = "conflict"
	// Unauthenticated means credentials are missing or were refused.
	Unauthenticated Kind = "unauthenticated"
	// Forbidden means the caller, or a rule of this process, does not allow it.
	Forbidden Kind = "forbidden"
	// Unavailable means the same call may succeed later.
	Unavailable Kind = "unavailable"
	// Limit means an explicit bound was reached. See [LimitError].
	Limit Kind = "limit reached"
	// Fenced means that the caller's lease is over: somebody else may act now.
	Fenced Kind = "fenced"
	// Mismatch means content does not have the digest or size it was named by.
	Mismatch Kind = "content mismatch"
)

// LimitError says which bound was reached, where, and by what. It matches
// [Limit] under [errors.Is].
type LimitError struct {
	What  string // the bounded quantity, such as "uncompressed bytes"
	Where string // the file, layer or document
	Max   int64  // the bound
	Seen  int64  // the value that reached it; 0 when it is unknown
}

// Error names the bound, the place and both values.
func (e *LimitError) Error() string {
	if e.Seen == 0 {
		return fmt.Sprintf("%s: %s: over the limit of %d", e.Where, e.What, e.Max)
	}
	return fmt.Sprintf("%s: %s: %d is over the limit of %d", e.Where, e.What, e.Seen, e.Max)
}

// Is reports whether target is [Limit].
func (e *LimitError) Is(target error) bool { return target == Limit }

// MismatchError says that content is not what it was named as. It matches
// [Mismatch] under [errors.Is].
type MismatchError struct {
	What string // what was checked, such as "layer digest" or "diffID"
	Want string // the name the content was asked for by
	Got  string // what the content turned out to be
}

// Error names both values.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s: expected %s, content is %s", e.What, e.Want, e.Got)
}

// Is reports whether target is [Mismatch].
func (e *MismatchError) Is(target error) bool { return target == Mismatch }

// KindOf returns the kind that err wraps, or the empty kind.
func KindOf(err error) Kind {
	for _, k := range []Kind{Mismatch, Limit, Fenced, Invalid, Unsupported, NotFound, Conflict, Unauthenticated, Forbidden, Unavailable} {
		if errors.Is(err, k) {
			return k
		}
	}
	return ""
}
