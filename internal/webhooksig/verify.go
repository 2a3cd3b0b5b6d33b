package webhooksig

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// The reasons for which a webhook is refused.
const (
	BadID        = "its id is none"
	BadTimestamp = "its timestamp is none"
	BadSignature = "its signature header is none"
	TooOld       = "its timestamp is too old"
	TooNew       = "its timestamp is of the future"
	Unknown      = "no signature is of a known key"
)

// Refusal says why a webhook is not what it claims. It matches fault.Invalid where a header
// is no such one, else fault.Unauthenticated.
type Refusal struct {
	Reason string // one of those above
	Detail string // "" for none
}

// Error names the reason.
func (r *Refusal) Error() string {
	if r.Detail == "" {
		return "the webhook is refused: " + r.Reason
	}
	return "the webhook is refused: " + r.Reason + ": " + r.Detail
}

// Is reports whether target is the refusal's kind.
func (r *Refusal) Is(target error) bool {
	switch r.Reason {
	case BadID, BadTimestamp, BadSignature:
		return target == fault.Invalid
	}
	return target == fault.Unauthenticated
}

// Verify checks that one of the keys signed a body, within the tolerance of now (0 is
// Tolerance), and returns the time of the attempt. Signatures of other versions and of
// other keys are passed over: a sender signs with old and new keys while one takes over.
// An error is a *Refusal, or wraps fault.Invalid where there is no key.
func Verify(keys []*Key, s *Signed, body []byte, now time.Time, tolerance time.Duration) (time.Time, error) {
	if len(keys) == 0 || len(keys) > MaxKeys {
		return time.Time{}, fmt.Errorf("verify a webhook: %d keys, want 1 to %d: %w", len(keys), MaxKeys, fault.Invalid)
	}
	if tolerance <= 0 {
		tolerance = Tolerance
	}
	if CheckID(s.ID) != nil {
		return time.Time{}, &Refusal{Reason: BadID}
	}
	at, err := timestamp(s.Timestamp)
	if err != nil {
		return time.Time{}, err
	}
	signatures, err := parseSignatures(s.Signature)
	if err != nil {
		return time.Time{}, err
	}
	switch { // of whole seconds on the header's side: a clock's fraction is no second more
	case now.Sub(at) > tolerance:
		return time.Time{}, &Refusal{Reason: TooOld, Detail: "it is of " + at.Format(time.RFC3339)}
	case at.Sub(now) > tolerance:
		return time.Time{}, &Refusal{Reason: TooNew, Detail: "it is of " + at.Format(time.RFC3339)}
	}
	text := content(s.ID, s.Timestamp, body)
	known := false
	for _, signature := range signatures {
		for _, k := range keys {
			// All are tried: how long it takes says nothing about which key it was.
			known = k.verifies(signature.version, signature.value, text) || known
		}
	}
	if !known {
		return time.Time{}, &Refusal{Reason: Unknown}
	}
	return at, nil
}

// timestamp reads seconds since 1970: digits alone, as they were signed.
func timestamp(text string) (time.Time, error) {
	if text == "" || len(text) > 11 || strings.Trim(text, "0123456789") != "" {
		return time.Time{}, &Refusal{Reason: BadTimestamp, Detail: "want seconds since 1970"}
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, &Refusal{Reason: BadTimestamp}
	}
	return time.Unix(seconds, 0).UTC(), nil
}

type signature struct {
	version string
	value   []byte
}

// parseSignatures reads the header: "VERSION,BASE64", separated by spaces. What is of no
// version that is known here is passed over, whatever it looks like.
func parseSignatures(header string) ([]signature, error) {
	if len(header) > MaxHeader {
		return nil, &Refusal{Reason: BadSignature, Detail: "it has " + strconv.Itoa(len(header)) + " bytes"}
	}
	var out []signature
	words := strings.Fields(header)
	if len(words) > MaxSignatures {
		return nil, &Refusal{Reason: BadSignature, Detail: "it has " + strconv.Itoa(len(words)) + " signatures"}
	}
	for _, word := range words {
		version, coded, _ := strings.Cut(word, ",")
		if version != "v1" && version != "v1a" {
			continue
		}
		value, err := base64.StdEncoding.Strict().DecodeString(coded)
		if err != nil {
			return nil, &Refusal{Reason: BadSignature, Detail: "a signature of " + version + " is not base64"}
		}
		out = append(out, signature{version, value})
	}
	if len(out) == 0 {
		return nil, &Refusal{Reason: BadSignature, Detail: "there is none of v1 or v1a"}
	}
	return out, nil
}
