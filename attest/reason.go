package attest

import (
	"cmp"
	"errors"

	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/fault"
)

// Reason names why a bundle was refused. It is itself an error, for errors.Is, and a
// part of [Code].
type Reason string

// The reasons.
const (
	// ReasonMalformed: text that breaks its format, or is not in the one form that this
	// tool writes where that is asked for.
	ReasonMalformed Reason = "malformed"
	// ReasonUnsigned: no signature of a key that is trusted.
	ReasonUnsigned Reason = "not signed by whom it must be"
	// ReasonThreshold: fewer distinct keys than must have signed.
	ReasonThreshold Reason = "below threshold"
	// ReasonKey: a key that is trusted, and not for this or not then.
	ReasonKey Reason = "key"
	// ReasonCertificate: a key in a certificate that is not to be believed, or that
	// nothing here can check.
	ReasonCertificate Reason = "certificate"
	// ReasonIdentity: a certificate of somebody else.
	ReasonIdentity Reason = "identity"
	// ReasonPayloadType: a payload that is read as something else.
	ReasonPayloadType Reason = "payload type"
	// ReasonStatement: a payload that is no statement.
	ReasonStatement Reason = "statement"
	// ReasonPredicateType: a statement of another kind.
	ReasonPredicateType Reason = "predicate type"
	// ReasonPredicate: a predicate that breaks the form of its type.
	ReasonPredicate Reason = "predicate"
	// ReasonSubject: a statement about something else.
	ReasonSubject Reason = "subject"
	// ReasonArtifact: an artifact that is not the one that was signed, or is not there.
	ReasonArtifact Reason = "artifact"
	// ReasonNotLogged: no log has it, as far as the bundle shows.
	ReasonNotLogged Reason = "no transparency"
	// ReasonEntry: a log's entry about something else.
	ReasonEntry Reason = "log entry"
	// ReasonLog: a log that does not prove that it has the entry.
	ReasonLog Reason = "log"
	// ReasonNoTimestamp: no timestamp, and one is needed.
	ReasonNoTimestamp Reason = "no timestamp"
	// ReasonTimestamp: a timestamp that is not one of this signature.
	ReasonTimestamp Reason = "timestamp"
	// ReasonUnchecked: something of a party that nobody here knows, so that nothing can
	// be said about it.
	ReasonUnchecked Reason = "unknown party"
	// ReasonAge: older than it may be, or from the future.
	ReasonAge Reason = "age"
	// ReasonEvidence: evidence that lacks one of its parts, or has parts of two scans.
	ReasonEvidence Reason = "evidence"
	// ReasonOutcome: a verdict that says something else than it must.
	ReasonOutcome Reason = "outcome"
)

// Error returns the reason's name.
func (r Reason) Error() string { return string(r) }

// Error says what was refused and why. It matches its Reason, ErrMismatch, and what its
// cause matches, under errors.Is.
type Error struct {
	Reason Reason
	What   string // what was refused, such as "signature", "log entry 1"
	Detail string // what was seen and what was wanted; may be ""
	Err    error  // the cause, where there is one
}

// Error names what was refused, the reason and the detail.
func (e *Error) Error() string {
	s := e.What
	if s != string(e.Reason) {
		s += ": " + string(e.Reason)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is reports whether target is the error's Reason, or ErrMismatch.
func (e *Error) Is(target error) bool { return target == e.Reason || target == fault.Mismatch }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func refuse(r Reason, what, detail string, err error) *Error {
	return &Error{Reason: r, What: what, Detail: detail, Err: err}
}

// Code returns the name of why something was refused, for programs: a Reason, and after
// a slash what the party said that found out, such as "log/wrong root" or "key/key
// revoked". It is "" for errors that are none of this package.
func Code(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return ""
	}
	code := string(e.Reason)
	var (
		entry    *rekor.CheckError
		refusal  key.Refusal
		named    interface{ Code() string } // of what verifies certificates
		detailed string
	)
	switch {
	case errors.As(e.Err, &entry):
		detailed = string(entry.Reason)
	case errors.As(e.Err, &refusal):
		detailed = string(refusal)
	case errors.As(e.Err, &named):
		detailed = named.Code()
	case errors.Is(e.Err, tlog.ReasonUnknownLog):
		detailed = string(tlog.ReasonUnknownLog)
	default:
		detailed = cmp.Or(string(tlog.ReasonOf(e.Err)), string(timestamp.ReasonOf(e.Err)))
	}
	if detailed != "" {
		code += "/" + detailed
	}
	return code
}
