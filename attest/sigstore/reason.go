package sigstore

import (
	"errors"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// Reason names why a bundle or a trust root was refused. It is itself an error,
// for errors.Is.
type Reason string

// The reasons.
const (
	// ReasonMalformed: a text that breaks its format, or says two things.
	ReasonMalformed Reason = "malformed"
	// ReasonUnsupported: a version, algorithm or kind that is not known.
	ReasonUnsupported Reason = "unsupported"
	// ReasonLimit: larger or more than the limits allow.
	ReasonLimit Reason = "limit reached"
	// ReasonArtifact: a signature of another artifact, or a statement about others.
	ReasonArtifact Reason = "other artifact"
	// ReasonSignature: a signature that the key did not make.
	ReasonSignature Reason = "bad signature"
	// ReasonKey: the bundle is signed by a key where a certificate is expected, or
	// the other way round, or by a key that nobody gave.
	ReasonKey Reason = "unexpected kind of key"
	// ReasonUnlogged: entries of too few logs that the trust root names.
	ReasonUnlogged Reason = "no log entry"
	// ReasonEntry: a log's entry about another signature.
	ReasonEntry Reason = "other log entry"
	// ReasonPromise: a log's signed time that its key did not make, or not while it
	// was valid.
	ReasonPromise Reason = "signed entry timestamp"
	// ReasonProof: an inclusion proof that is absent or does not lead to the root.
	ReasonProof Reason = "inclusion proof"
	// ReasonCheckpoint: a checkpoint that the log did not sign, or of another tree.
	ReasonCheckpoint Reason = "checkpoint"
	// ReasonLogKey: a log's key that was not valid when the signature was made.
	ReasonLogKey Reason = "log key outside validity"
	// ReasonTimestamp: times of too few sources that the trust root names.
	ReasonTimestamp Reason = "timestamp"
	// ReasonCertificate: a certificate that no authority of the trust root issued
	// for signing.
	ReasonCertificate Reason = "untrusted certificate"
	// ReasonExpired: a certificate, its issuer, or a key that was not valid at a time
	// of the signature.
	ReasonExpired Reason = "outside validity"
	// ReasonSCT: a certificate that no log of certificates promised to show.
	ReasonSCT Reason = "certificate timestamp"
	// ReasonIdentity: signed by somebody else, or nobody is expected.
	ReasonIdentity Reason = "identity"
	// ReasonFailed: the verification itself failed.
	ReasonFailed Reason = "verification failed"
)

// Reasons returns all reasons, in the order in which they are looked for.
func Reasons() []Reason {
	return []Reason{ReasonLimit, ReasonMalformed, ReasonUnsupported, ReasonKey, ReasonArtifact, ReasonSignature, ReasonUnlogged, ReasonPromise, ReasonCheckpoint,
		ReasonProof, ReasonEntry, ReasonTimestamp, ReasonLogKey, ReasonExpired, ReasonCertificate, ReasonSCT, ReasonIdentity, ReasonFailed}
}

// Error returns the reason's name.
func (r Reason) Error() string { return string(r) }

// kind says what a caller can do about it.
func (r Reason) kind() fault.Kind {
	switch r {
	case ReasonMalformed, ReasonFailed:
		return fault.Invalid
	case ReasonUnsupported:
		return fault.Unsupported
	case ReasonLimit:
		return fault.Limit
	}
	return fault.Mismatch
}

// Error says why something was refused. It matches its Reason, and the reason's
// kind, under errors.Is.
type Error struct {
	Reason Reason
	What   string // what was looked at: "bundle", "trust root", "artifact", "policy"
	Detail string // what was seen and what was wanted; may be ""
	Err    error  // the cause, where there is one
}

// Error names what was refused, reason and detail.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s", e.What, e.Reason)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is reports whether target is the error's Reason or its kind.
func (e *Error) Is(target error) bool {
	return target == e.Reason || target == e.Reason.kind()
}

// Code returns the reason's name, for attest.Code.
func (e *Error) Code() string { return string(e.Reason) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ReasonOf returns the reason for which err was given, or "".
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// refuse makes an error about a bundle.
func refuse(r Reason, cause error, format string, args ...any) *Error {
	return &Error{Reason: r, What: "bundle", Detail: fmt.Sprintf(format, args...), Err: cause}
}
