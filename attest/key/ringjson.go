package key

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
)

// ringFormat is the version of a ring's JSON.
const ringFormat = 1

type ringJSON struct {
	Format int          `json:"format"`
	Keys   []memberJSON `json:"keys"`
}

type memberJSON struct {
	Key      []byte       `json:"key"` // SubjectPublicKeyInfo
	From     string       `json:"from"`
	To       *string      `json:"to,omitzero"`
	Purposes []string     `json:"purposes"`
	Revoked  *revokedJSON `json:"revoked,omitempty"`
}

type revokedJSON struct {
	At     *string `json:"at,omitzero"`
	Reason string  `json:"reason"`
}

// Encode returns the ring as canonical JSON (RFC 8785), members by the time from
// which they are valid:
//
//	{"format":1,"keys":[{"from":"2027-01-01T00:00:00Z","key":"base64 of SubjectPublicKeyInfo","purposes":["*"],
//	  "revoked":{"at":"2028-01-01T00:00:00Z","reason":"…"},"to":"2029-01-01T00:00:00Z"}]}
//
// Equal rings give equal bytes. A ring that DecodeRing would refuse is refused
// here: an error wraps ErrInvalid or ErrLimit.
func (r Ring) Encode() ([]byte, error) {
	if err := r.validate(); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	w := ringJSON{Format: ringFormat, Keys: []memberJSON{}}
	for _, m := range r.sorted().Members {
		j := memberJSON{Key: m.Key.DER(), From: stamp(m.From), Purposes: m.Purposes}
		j.To = writeTime(m.To)
		if m.Revoked != nil {
			j.Revoked = &revokedJSON{At: writeTime(m.Revoked.At), Reason: m.Revoked.Reason}
		}
		w.Keys = append(w.Keys, j)
	}
	text, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encode ring: %v: %w", err, fault.Invalid)
	}
	v := jsontext.Value(text)
	if err := v.Canonicalize(); err != nil {
		return nil, fmt.Errorf("encode ring: %v: %w", err, fault.Invalid)
	}
	if len(v) > MaxRing {
		return nil, &fault.LimitError{What: "bytes", Where: "ring", Max: MaxRing, Seen: int64(len(v))}
	}
	return v, nil
}

// DecodeRing reads what Encode writes, in any order and with any white space. A
// member of an object that is unknown, occurs twice or is missing is refused, and
// so is another format: what it restricts could not be honoured. An error wraps
// ErrInvalid, ErrUnsupported or ErrLimit.
func DecodeRing(text []byte) (Ring, error) {
	if len(text) > MaxRing {
		return Ring{}, &fault.LimitError{What: "bytes", Where: "ring", Max: MaxRing, Seen: int64(len(text))}
	}
	var w ringJSON
	if err := json.Unmarshal(text, &w, json.RejectUnknownMembers(true)); err != nil {
		return Ring{}, fmt.Errorf("decode ring: %w: %w", err, fault.Invalid)
	}
	if w.Format != ringFormat {
		return Ring{}, fmt.Errorf("decode ring: format %d, want %d: %w", w.Format, ringFormat, fault.Unsupported)
	}
	if w.Keys == nil {
		return Ring{}, fmt.Errorf("decode ring: keys are missing: %w", fault.Invalid)
	}
	if len(w.Keys) > MaxRingKeys {
		return Ring{}, &fault.LimitError{What: "keys", Where: "ring", Max: MaxRingKeys, Seen: int64(len(w.Keys))}
	}
	r := Ring{Members: make([]Member, len(w.Keys))}
	for i, j := range w.Keys {
		m, err := j.member()
		if err != nil {
			return Ring{}, fmt.Errorf("decode ring: keys[%d]: %w", i, err)
		}
		r.Members[i] = m
	}
	if err := r.validate(); err != nil {
		return Ring{}, fmt.Errorf("decode: %w", err)
	}
	return r.sorted(), nil
}

func (j *memberJSON) member() (m Member, err error) {
	if m.Key, err = dsse.ParsePublicKeyDER(j.Key); err != nil {
		return Member{}, err
	}
	if m.From, err = readTime("from", &j.From); err != nil {
		return Member{}, err
	}
	if m.To, err = readTime("to", j.To); err != nil {
		return Member{}, err
	}
	m.Purposes = j.Purposes
	if j.Revoked != nil {
		m.Revoked = &Revocation{Reason: j.Revoked.Reason}
		if m.Revoked.At, err = readTime("revoked.at", j.Revoked.At); err != nil {
			return Member{}, err
		}
	}
	return m, nil
}

// writeTime writes a time; that which is zero is left out.
func writeTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}

// readTime reads the one spelling of a time, or nil as the zero time.
func readTime(member string, s *string) (time.Time, error) {
	if s == nil {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, *s)
	if err != nil || t.IsZero() || stamp(t) != *s {
		return time.Time{}, fmt.Errorf("%s is %.40q, want a time like 2027-01-31T00:00:00Z: %w", member, *s, fault.Invalid)
	}
	return t.UTC(), nil
}
