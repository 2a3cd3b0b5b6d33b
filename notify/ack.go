package notify

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// AckKey signs and opens the tokens of links by which a reader takes note of an incident.
// Who has the link may do so: it is for those who got the message. It is safe for
// concurrent use.
type AckKey struct {
	keys [][]byte // the first one signs
}

// AckLife is how long a link is good, MinSecret how many bytes a secret has at least.
const (
	AckLife   = 7 * 24 * time.Hour
	MinSecret = 32
	ackPrefix = "stk1." // names the form of a token
	maxToken  = 1024
)

// NewAckKey returns the key of secrets, of which the first signs and all open: another may
// take over while links of the one before are about. An error wraps ErrInvalid for a
// secret of fewer than MinSecret bytes, and for none.
func NewAckKey(secrets ...[]byte) (*AckKey, error) {
	if len(secrets) == 0 {
		return nil, fmt.Errorf("key of acknowledgements: no secret: %w", fault.Invalid)
	}
	k := &AckKey{}
	for i, s := range secrets {
		if len(s) < MinSecret {
			return nil, fmt.Errorf("key of acknowledgements: secret %d has %d bytes, want %d: %w", i+1, len(s), MinSecret, fault.Invalid)
		}
		key, err := hkdf.Key(sha256.New, s, nil, "stella/notify/ack/1", sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("key of acknowledgements: %w", err)
		}
		k.keys = append(k.keys, key)
	}
	return k, nil
}

// Sign returns the token of an incident until a time: equal arguments give equal tokens.
func (k *AckKey) Sign(tenant, incident string, until time.Time) string {
	body := binary.BigEndian.AppendUint64(nil, uint64(until.Unix()))
	body = binary.AppendUvarint(body, uint64(len(tenant)))
	body = append(body, tenant...)
	body = append(body, incident...)
	mac := ackMAC(k.keys[0], body)
	return ackPrefix + base64.RawURLEncoding.EncodeToString(append(body, mac...))
}

// Open returns what a token is about. An error wraps ErrForbidden: it is no token of this
// key, or its time is over.
func (k *AckKey) Open(token string, now time.Time) (tenant, incident string, err error) {
	coded, ok := strings.CutPrefix(token, ackPrefix)
	if !ok || len(token) > maxToken || strings.ContainsAny(token, "\r\n") { // which a decoder skips
		return "", "", errDamaged
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(coded)
	if err != nil || len(raw) < 9+sha256.Size {
		return "", "", errDamaged
	}
	body, mac := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	good := false
	for _, key := range k.keys {
		good = hmac.Equal(ackMAC(key, body), mac) || good
	}
	n, width := binary.Uvarint(body[8:])
	if !good || width <= 0 || n > uint64(len(body)-8-width) {
		return "", "", errDamaged
	}
	about := string(body[8+width:])
	if until := int64(binary.BigEndian.Uint64(body)); now.Unix() > until {
		return "", "", fmt.Errorf("the link was good until %s: %w", time.Unix(until, 0).UTC().Format(time.RFC3339), fault.Forbidden)
	}
	return about[:n], about[n:], nil
}

var errDamaged = fmt.Errorf("the link is damaged: %w", fault.Forbidden)

func ackMAC(key, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(body)
	return h.Sum(nil)
}

// links returns what makes the links of a tenant's messages; nil where there are none.
func (r *Router) links(tenant string) (ack func(string, time.Time) string, link func(string) string) {
	if r.BaseURL == "" {
		return nil, nil
	}
	base := strings.TrimSuffix(r.BaseURL, "/") + "/api/v1/notify/"
	link = func(delivery string) string { return base + "deliveries/" + url.PathEscape(delivery) + "/items" }
	if r.Ack == nil {
		return nil, link
	}
	ack = func(incident string, at time.Time) string {
		return base + "ack?token=" + r.Ack.Sign(tenant, incident, at.Add(AckLife))
	}
	return ack, link
}
