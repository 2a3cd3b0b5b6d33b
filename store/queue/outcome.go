package queue

import "time"

// Drop returns an error by which a handler says that cause is final: the
// message goes to the dead-letter topic at once. Drop(nil) is nil.
func Drop(cause error) error {
	if cause == nil {
		return nil
	}
	return &dropError{cause}
}

type dropError struct{ cause error }

func (e *dropError) Error() string { return e.cause.Error() }
func (e *dropError) Unwrap() error { return e.cause }

// LaterError is what a handler returns to see the message again after a while,
// without the attempt being counted.
type LaterError struct {
	After  time.Duration
	Reason string
}

// Later returns a LaterError.
func Later(after time.Duration, reason string) error { return &LaterError{after, reason} }

// Error returns the reason.
func (e *LaterError) Error() string { return "later: " + e.Reason }

// RetryAfter returns After.
func (e *LaterError) RetryAfter() time.Duration { return e.After }
