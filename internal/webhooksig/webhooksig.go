// Package webhooksig signs webhooks and verifies them, by Standard Webhooks 1.0.0: what is
// signed is the id, the second of the attempt and the body, by HMAC-SHA256 (v1) or ed25519
// (v1a), with each of the keys that stand.
package webhooksig

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// The headers.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// Bounds of what is signed and verified.
const (
	MaxID         = 256     // bytes
	MaxKeys       = 10      // that sign or verify one webhook
	MaxSignatures = 20      // that are looked at in one header
	MaxHeader     = 4 << 10 // bytes of a signature header
	// Tolerance is how far a timestamp may be from the receiver's clock, on either side.
	Tolerance = 5 * time.Minute
)

// Signed are the values of the three headers.
type Signed struct{ ID, Timestamp, Signature string }

// Sign signs a body with all keys, in their order. An error wraps fault.Invalid for an id
// that is none, no key, or one that only verifies.
func Sign(keys []*Key, id string, at time.Time, body []byte) (*Signed, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	if len(keys) == 0 || len(keys) > MaxKeys {
		return nil, fmt.Errorf("sign a webhook: %d keys, want 1 to %d: %w", len(keys), MaxKeys, fault.Invalid)
	}
	if at.Unix() < 0 {
		return nil, fmt.Errorf("sign a webhook: its time is before 1970: %w", fault.Invalid)
	}
	s := &Signed{ID: id, Timestamp: strconv.FormatInt(at.Unix(), 10)}
	text := content(s.ID, s.Timestamp, body)
	signatures := make([]string, 0, len(keys))
	for _, k := range keys {
		signature, err := k.sign(text)
		if err != nil {
			return nil, err
		}
		signatures = append(signatures, signature)
	}
	s.Signature = strings.Join(signatures, " ")
	return s, nil
}

// content is what is signed. Neither the id nor the timestamp has a dot, so that it has
// one reading.
func content(id, timestamp string, body []byte) []byte {
	out := make([]byte, 0, len(id)+len(timestamp)+2+len(body))
	out = append(out, id...)
	out = append(out, '.')
	out = append(out, timestamp...)
	out = append(out, '.')
	return append(out, body...)
}

// CheckID refuses an id that would be no header, or make what is signed ambiguous. An error
// wraps fault.Invalid.
func CheckID(id string) error {
	if id == "" || len(id) > MaxID {
		return fmt.Errorf("the webhook's id has %d bytes, want 1 to %d: %w", len(id), MaxID, fault.Invalid)
	}
	if at := strings.IndexFunc(id, func(c rune) bool { return c <= ' ' || c > '~' || c == '.' }); at >= 0 {
		return fmt.Errorf("the webhook's id has %q, want printable ASCII without spaces and dots: %w", id[at:at+1], fault.Invalid)
	}
	return nil
}
