package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stella-ops/stella/internal/webhooksig"
)

// The reasons for which Verify refuses.
const (
	ReasonHeader    = "a header of the signature is missing or none"
	ReasonTime      = "it was sent too long ago, or is of the future"
	ReasonSignature = "no signature is of a known key"
)

// RefusalError says why a webhook is not what it claims. It matches ErrInvalid for
// ReasonHeader, else ErrUnauthenticated.
type RefusalError struct {
	Reason string
	Err    error
}

// Error names the reason.
func (e *RefusalError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RefusalError) Unwrap() error { return e.Err }

// VerifyOptions bound what Verify takes. Nil is the default.
type VerifyOptions struct {
	// Tolerance is how far the attempt's time may be from now, on either side; 0 is 5 min.
	Tolerance time.Duration
}

// Verified is what is known about a webhook that was verified.
type Verified struct {
	// ID names it however often it comes: a receiver that saw it is done.
	ID string
	// At is when the attempt was made, to the second.
	At time.Time
	// Duplicate says that the sender does not know whether it came before. It is no part of
	// what is signed.
	Duplicate bool
}

// Verify checks that a webhook is signed by one of the keys ("whsec_…", "whpk_…", "whsk_…"
// or the text of a secret), and when. Body is as it came, byte for byte. It works for the
// webhooks of any sender of Standard Webhooks 1.0.0. An error is a *RefusalError, or wraps
// ErrInvalid for keys that are none.
func Verify(keys []string, h http.Header, body []byte, now time.Time, o *VerifyOptions) (*Verified, error) {
	if o == nil {
		o = new(VerifyOptions)
	}
	parsed := make([]*webhooksig.Key, 0, len(keys))
	for i, text := range keys {
		k, err := webhooksig.ParseKey([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("verify a webhook: key %d: %w", i, err)
		}
		parsed = append(parsed, k)
	}
	var s webhooksig.Signed
	for name, value := range map[string]*string{webhooksig.HeaderID: &s.ID, webhooksig.HeaderTimestamp: &s.Timestamp, webhooksig.HeaderSignature: &s.Signature} {
		// Two of one header have two readings; none is found out below.
		if values := h.Values(name); len(values) == 1 {
			*value = values[0]
		}
	}
	at, err := webhooksig.Verify(parsed, &s, body, now, o.Tolerance)
	var refused *webhooksig.Refusal
	if errors.As(err, &refused) {
		return nil, &RefusalError{Reason: reasonOf(refused), Err: refused}
	}
	if err != nil {
		return nil, err
	}
	return &Verified{ID: s.ID, At: at, Duplicate: h.Get(HeaderDuplicate) == "true"}, nil
}

func reasonOf(r *webhooksig.Refusal) string {
	switch r.Reason {
	case webhooksig.Unknown:
		return ReasonSignature
	case webhooksig.TooOld, webhooksig.TooNew:
		return ReasonTime
	}
	return ReasonHeader
}
