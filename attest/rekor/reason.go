package rekor

import (
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// Reason names why an entry is not taken for a record. It is itself an error, for
// errors.Is.
type Reason string

// The reasons, in the order of the checks.
const (
	// ReasonMalformed: the body breaks its format, or has members that the format
	// does not know.
	ReasonMalformed Reason = "malformed entry"
	// ReasonKind: a kind or version of entry that is not known.
	ReasonKind Reason = "unknown kind of entry"
	// ReasonLabel: the kind beside the body is not that of the body.
	ReasonLabel Reason = "wrong label of entry"
	// ReasonContent: an entry about a message for an envelope, or the other way round.
	ReasonContent Reason = "entry about other content"
	// ReasonKey: another key or certificate.
	ReasonKey Reason = "entry of another key"
	// ReasonAlgorithm: the right key with another algorithm or hash.
	ReasonAlgorithm Reason = "entry of another algorithm"
	// ReasonSignature: another signature, even if it is a good one.
	ReasonSignature Reason = "entry of another signature"
	// ReasonDigest: other data.
	ReasonDigest Reason = "entry of another digest"
	// ReasonSpelling: the right entry in other bytes than the log would write.
	ReasonSpelling Reason = "entry not in canonical form"
)

// Error returns the reason's name.
func (r Reason) Error() string { return string(r) }

func (r Reason) kind() fault.Kind {
	switch r {
	case ReasonMalformed, ReasonSpelling:
		return fault.Invalid
	case ReasonKind:
		return fault.Unsupported
	}
	return fault.Mismatch
}

// CheckError says why an entry is not that of a record. It matches its Reason,
// and the reason's kind, under errors.Is.
type CheckError struct {
	Reason Reason
	Entry  string // kind and version, as far as they could be read
	Detail string // what was seen and what was wanted; may be ""
}

// Error names the entry and the reason.
func (e *CheckError) Error() string {
	s := "log entry"
	if e.Entry != "" {
		s += " " + e.Entry
	}
	s += ": " + string(e.Reason)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap returns the reason and its kind.
func (e *CheckError) Unwrap() []error { return []error{e.Reason, e.Reason.kind()} }

func refuse(reason Reason, format string, args ...any) *CheckError {
	return &CheckError{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
