package timestamp

import (
	"errors"

	"github.com/stella-ops/stella/internal/fault"
)

// Reason names why a token was refused. It is itself an error, for errors.Is.
type Reason string

// The reasons.
const (
	// ReasonMalformed: not a token, or one that breaks its format.
	ReasonMalformed Reason = "malformed"
	// ReasonTooLarge: more than the limits allow.
	ReasonTooLarge Reason = "too large"
	// ReasonAlgorithm: a digest or a signature by an algorithm that is not trusted.
	ReasonAlgorithm Reason = "untrusted algorithm"
	// ReasonRefused: the authority did not grant the request.
	ReasonRefused Reason = "not granted"
	// ReasonImprint: a token about another message.
	ReasonImprint Reason = "other message"
	// ReasonAuthority: signed by nobody whom the authorities name.
	ReasonAuthority Reason = "unknown authority"
	// ReasonSignature: not the signature of the certificate that it names.
	ReasonSignature Reason = "bad signature"
	// ReasonUsage: a certificate that is not for timestamps, or not only for them.
	ReasonUsage Reason = "certificate not for timestamps"
	// ReasonChain: a certificate that does not lead to the authority's root.
	ReasonChain Reason = "untrusted certificate"
	// ReasonExpired: a certificate that was not valid at the stamped time.
	ReasonExpired Reason = "certificate not valid at the time"
	// ReasonWindow: a time outside of the authority's window.
	ReasonWindow Reason = "outside the authority's validity"
	// ReasonPolicy: a policy that the authority is not trusted for.
	ReasonPolicy Reason = "other policy"
	// ReasonNonce: an answer to another request.
	ReasonNonce Reason = "wrong nonce"
	// ReasonTime: an answer whose time is not that of asking.
	ReasonTime Reason = "implausible time"
)

// Error returns the reason's name.
func (r Reason) Error() string { return string(r) }

func (r Reason) kind() fault.Kind {
	switch r {
	case ReasonMalformed:
		return fault.Invalid
	case ReasonTooLarge:
		return fault.Limit
	case ReasonAlgorithm:
		return fault.Unsupported
	case ReasonRefused:
		return fault.Forbidden
	}
	return fault.Mismatch
}

// Error says why a token was refused. It matches its Reason, and the reason's
// kind, under errors.Is.
type Error struct {
	Reason Reason
	Detail string // what was seen and what was wanted
	Err    error  // the cause, where there is one
}

// Error names reason and detail.
func (e *Error) Error() string {
	s := "timestamp: " + string(e.Reason)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is reports whether target is the error's Reason or its kind.
func (e *Error) Is(target error) bool { return target == e.Reason || target == e.Reason.kind() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ReasonOf returns the reason for which err was given, or "".
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}
