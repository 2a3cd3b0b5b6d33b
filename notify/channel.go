package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// MaxPayload bounds what a channel renders, in bytes.
const MaxPayload = 1 << 20

// Channel reaches people one way, for one [Endpoint]. It is safe for concurrent use.
// Package notifytest proves one.
type Channel interface {
	// Render returns the bytes that Send sends. It is pure: equal messages give equal
	// bytes. Whatever a message holds is escaped and cut to what the receiver takes, never
	// refused. An error wraps ErrInvalid where the endpoint's template fails, or the
	// message's To is no address here.
	Render(m *Message) (*Payload, error)
	// Send sends a payload once and waits for the answer. It never retries and never
	// follows a redirection. An error is a [*Failure], which says whether the receiver
	// may have it.
	Send(ctx context.Context, d *Dispatch) (*Receipt, error)
}

// Payload is a rendered message.
type Payload struct {
	// MediaType is of the body, such as "application/json".
	MediaType string
	Body      []byte
	// Notes say what was cut, and what had to be rendered otherwise than wished.
	Notes []string
}

// Dispatch is a payload on its way, for the Attempt-th time from 1 on.
type Dispatch struct {
	ID      string // the delivery's; receivers tell repetitions by it
	Tenant  string
	To      string // the message's
	Attempt int
	// Duplicate says that the receiver may have it already.
	Duplicate bool
	Payload   Payload
}

// Receipt is what the receiver answered.
type Receipt struct {
	Status int    // of HTTP or SMTP; 0 where there is none
	Answer string // the digest of the answer's bytes, "sha256:…"
	// Reference is the receiver's own name for the message, "" for none.
	Reference string
	// Note says what else there is to know, such as who of several did not get it.
	Note string
}

// Failure is why Send did not succeed.
type Failure struct {
	// Sent says whether the receiver may have the message: No where the connection was
	// refused or the receiver said that it does not take it, "" where nobody knows.
	Sent Answer
	// Permanent: another attempt would fail the same way.
	Permanent bool
	// Gone: the endpoint is not there any more and is to be used no longer.
	Gone bool
	// After is how long the receiver asked to be left alone, from now on; 0 where it did
	// not.
	After  time.Duration
	Status int    // of HTTP or SMTP; 0 where there was no answer
	Answer string // the digest of the answer's bytes
	// Reason never holds a secret, nor a URL that is one.
	Reason string
	Err    error // the cause, where it may be shown
}

// Error says what came of it.
func (f *Failure) Error() string {
	if f.Status != 0 {
		return fmt.Sprintf("%s (status %d)", f.Reason, f.Status)
	}
	return f.Reason
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Is reports whether target is the kind of the failure: ErrInvalid where another attempt
// would fail the same way, else ErrUnavailable.
func (f *Failure) Is(target error) bool {
	if f.Permanent || f.Gone {
		return target == fault.Invalid
	}
	return target == fault.Unavailable
}

// failureOf returns the failure that an error of a channel is. What is none says nothing
// about the receiver.
func failureOf(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Reason: err.Error(), Permanent: permanent(err), Err: err}
}

func permanent(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Unsupported, fault.Forbidden, fault.Limit:
		return true
	}
	return false
}

// Opener opens an endpoint with the tenant's templates for channels of its type. Nothing
// is sent, and no secret is read, before Send. An error wraps ErrInvalid for an endpoint
// that is none or a template that does not parse, ErrUnsupported for another type,
// ErrForbidden for an address that is not allowed.
type Opener func(e *Endpoint, templates []Template) (Channel, error)
