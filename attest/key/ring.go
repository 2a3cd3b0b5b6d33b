package key

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
)

// AnyPurpose among the purposes of a member stands for all of them.
const AnyPurpose = "*"

// Ring is a set of public keys that belong together, such as those of a signer
// through the years: one after the other, with a time in which both of two are
// in force. The zero Ring has no keys and trusts nobody. It is a value; nothing
// here changes one.
type Ring struct {
	// Members are in any order; each key occurs once.
	Members []Member
}

// Member is one key of a ring, with what it may sign and when.
type Member struct {
	Key *dsse.PublicKey
	// From is the first moment at which the key may sign, To the first at which
	// it may no longer: [From, To). From is required; a zero To means no end.
	// Both are whole seconds.
	From, To time.Time
	// Purposes are what the key may sign: predicate types, or names of other uses
	// that the ring's owner gives. At least one; AnyPurpose is all.
	Purposes []string
	// Revoked says since when the key's signatures are no longer to be believed,
	// or is nil.
	Revoked *Revocation
}

// Revocation ends the trust in a key. What it signed before stays good if the
// time of signing is known from somebody else, such as a timestamp authority: a
// thief of the key writes any time.
type Revocation struct {
	// At is since when; the zero time means that the key never was to be believed.
	// Whole seconds.
	At     time.Time
	Reason string // for people, required
}

// Refusal names why a key must not be believed. It is itself an error, for
// errors.Is, and matches ErrMismatch.
type Refusal string

// The refusals.
const (
	RefusedUnknown Refusal = "unknown key"
	RefusedEarly   Refusal = "key not yet valid"
	RefusedLate    Refusal = "key no longer valid"
	RefusedRevoked Refusal = "key revoked"
	RefusedPurpose Refusal = "key for other purposes"
)

// Error returns the refusal's name.
func (r Refusal) Error() string { return string(r) }

// Is reports whether target is ErrMismatch.
func (r Refusal) Is(target error) bool { return target == fault.Mismatch }

// At returns the members that may sign for a purpose at a time, the one that
// signs first: that which came into force last and, of two such, that with the
// smaller id. All of them verify. There may be none.
func (r Ring) At(t time.Time, purpose string) []Member {
	var out []Member
	for _, m := range r.Members {
		if m.refuses(t, purpose) == "" {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b Member) int {
		return cmp.Or(b.From.Compare(a.From), cmp.Compare(a.Key.KeyID(), b.Key.KeyID()))
	})
	return out
}

// Check returns nil if the key of an id may have signed for a purpose at a time.
// Otherwise the error matches a [Refusal]: of several, the first in the order
// of their list above, but a revocation before a time that has passed. In a ring that
// was made by hand and has the key twice, both must allow it.
func (r Ring) Check(id string, t time.Time, purpose string) error {
	known := false
	for i := range r.Members {
		m := &r.Members[i]
		if m.Key == nil || m.Key.KeyID() != id {
			continue
		}
		if known = true; m.refuses(t, purpose) != "" {
			return m.refusal(t, purpose)
		}
	}
	if !known {
		return fmt.Errorf("key %.80q is not in the ring: %w", id, RefusedUnknown)
	}
	return nil
}

// refusal says why the member may not sign.
func (m *Member) refusal(t time.Time, purpose string) error {
	why, id, at := m.refuses(t, purpose), m.Key.KeyID(), t.UTC().Format(time.RFC3339Nano)
	switch why {
	case RefusedEarly:
		return fmt.Errorf("key %s at %s: valid from %s: %w", id, at, stamp(m.From), why)
	case RefusedRevoked:
		return fmt.Errorf("key %s at %s: revoked since %s, %q: %w", id, at, stamp(m.Revoked.At), m.Revoked.Reason, why)
	case RefusedLate:
		return fmt.Errorf("key %s at %s: valid until before %s: %w", id, at, stamp(m.To), why)
	}
	return fmt.Errorf("key %s at %s: not for %.200q: %w", id, at, purpose, why)
}

func (m *Member) refuses(t time.Time, purpose string) Refusal {
	switch {
	case m.Key == nil:
		return RefusedUnknown
	case m.From.IsZero() || t.Before(m.From):
		return RefusedEarly
	case m.Revoked != nil && !t.Before(m.Revoked.At):
		return RefusedRevoked
	case !m.To.IsZero() && !t.Before(m.To):
		return RefusedLate
	case !slices.Contains(m.Purposes, purpose) && !slices.Contains(m.Purposes, AnyPurpose):
		return RefusedPurpose
	}
	return ""
}

// Rotate returns a ring in which next comes into force at its From, and the
// members that share a purpose with it end the overlap later: until then both
// verify, and next signs. What ends before, has been revoked, or would begin
// after that stays as it is. An error wraps ErrInvalid or ErrLimit, and
// ErrConflict where the ring has the key already.
func (r Ring) Rotate(next Member, overlap time.Duration) (Ring, error) {
	if overlap < 0 || overlap%time.Second != 0 {
		return Ring{}, fmt.Errorf("rotate keys: an overlap of %s, want whole seconds: %w", overlap, fault.Invalid)
	}
	out := Ring{Members: slices.Clone(r.Members)}
	end := next.From.Add(overlap)
	for i := range out.Members {
		m := &out.Members[i]
		if m.Key != nil && next.Key != nil && m.Key.KeyID() == next.Key.KeyID() {
			return Ring{}, fmt.Errorf("rotate keys: key %s is in the ring: %w", m.Key.KeyID(), fault.Conflict)
		}
		if m.Revoked == nil && m.From.Before(end) && (m.To.IsZero() || m.To.After(end)) && m.shares(next.Purposes) {
			m.To = end
		}
	}
	out.Members = append(out.Members, next)
	if err := out.validate(); err != nil {
		return Ring{}, fmt.Errorf("rotate keys: %w", err)
	}
	return out.sorted(), nil
}

func (m *Member) shares(purposes []string) bool {
	return slices.Contains(m.Purposes, AnyPurpose) || slices.Contains(purposes, AnyPurpose) ||
		slices.ContainsFunc(purposes, func(p string) bool { return slices.Contains(m.Purposes, p) })
}

// Revoke returns a ring in which the key of an id is revoked. A key that is
// revoked already may be revoked from an earlier time on, never from a later
// one. An error wraps ErrNotFound, ErrConflict or ErrInvalid.
func (r Ring) Revoke(id string, since Revocation) (Ring, error) {
	out := Ring{Members: slices.Clone(r.Members)}
	i := slices.IndexFunc(out.Members, func(m Member) bool { return m.Key != nil && m.Key.KeyID() == id })
	if i < 0 {
		return Ring{}, fmt.Errorf("revoke key %.80q: it is not in the ring: %w", id, fault.NotFound)
	}
	if old := out.Members[i].Revoked; old != nil && since.At.After(old.At) {
		return Ring{}, fmt.Errorf("revoke key %s since %s: it is revoked since %s: %w", id, stamp(since.At), stamp(old.At), fault.Conflict)
	}
	out.Members[i].Revoked = &since
	if err := out.validate(); err != nil {
		return Ring{}, fmt.Errorf("revoke key %s: %w", id, err)
	}
	return out.sorted(), nil
}

// validate says what is wrong with a ring.
func (r Ring) validate() error {
	if len(r.Members) > MaxRingKeys {
		return &fault.LimitError{What: "keys", Where: "ring", Max: MaxRingKeys, Seen: int64(len(r.Members))}
	}
	seen := map[string]bool{}
	for i := range r.Members {
		m := &r.Members[i]
		if m.Key == nil {
			return fmt.Errorf("ring: member %d has no key: %w", i, fault.Invalid)
		}
		id := m.Key.KeyID()
		if seen[id] {
			return fmt.Errorf("ring: key %s occurs twice: %w", id, fault.Invalid)
		}
		seen[id] = true
		if err := m.validate(); err != nil {
			return fmt.Errorf("ring: key %s: %w", id, err)
		}
	}
	return nil
}

func (m *Member) validate() error {
	switch {
	case m.From.IsZero():
		return fmt.Errorf("it has no time from which it is valid: %w", fault.Invalid)
	case !m.To.IsZero() && !m.From.Before(m.To):
		return fmt.Errorf("valid from %s until before %s is never: %w", stamp(m.From), stamp(m.To), fault.Invalid)
	case !whole(m.From) || !whole(m.To) || m.Revoked != nil && !whole(m.Revoked.At):
		return fmt.Errorf("a time is not of whole seconds, or not of the years 1 to 9999: %w", fault.Invalid)
	case m.Revoked != nil && (m.Revoked.Reason == "" || !utf8.ValidString(m.Revoked.Reason)):
		return fmt.Errorf("it is revoked without a reason: %w", fault.Invalid)
	case m.Revoked != nil && len(m.Revoked.Reason) > MaxReason:
		return &fault.LimitError{What: "bytes of the reason", Where: "revocation", Max: MaxReason, Seen: int64(len(m.Revoked.Reason))}
	case len(m.Purposes) == 0:
		return fmt.Errorf("it has no purposes: %w", fault.Invalid)
	case len(m.Purposes) > MaxPurposes:
		return &fault.LimitError{What: "purposes", Where: "key", Max: MaxPurposes, Seen: int64(len(m.Purposes))}
	}
	for i, p := range m.Purposes {
		switch {
		case p == "" || !utf8.ValidString(p):
			return fmt.Errorf("a purpose is empty or not UTF-8: %w", fault.Invalid)
		case len(p) > MaxPurpose:
			return &fault.LimitError{What: "bytes", Where: "purpose", Max: MaxPurpose, Seen: int64(len(p))}
		case slices.Contains(m.Purposes[:i], p):
			return fmt.Errorf("purpose %q occurs twice: %w", p, fault.Invalid)
		}
	}
	return nil
}

// whole reports whether a time can be written as RFC 3339 in seconds.
func whole(t time.Time) bool {
	return t.Nanosecond() == 0 && t.UTC().Year() >= 1 && t.UTC().Year() <= 9999
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "ever"
	}
	return t.UTC().Format(time.RFC3339)
}

// sorted returns the ring in the order in which it is written, with all times in
// UTC.
func (r Ring) sorted() Ring {
	out := make([]Member, len(r.Members))
	for i, m := range r.Members {
		m.From, m.To = m.From.UTC(), m.To.UTC()
		m.Purposes = slices.Sorted(slices.Values(m.Purposes))
		if m.Revoked != nil {
			m.Revoked = &Revocation{At: m.Revoked.At.UTC(), Reason: m.Revoked.Reason}
		}
		out[i] = m
	}
	slices.SortFunc(out, func(a, b Member) int {
		return cmp.Or(a.From.Compare(b.From), bytes.Compare(a.Key.DER(), b.Key.DER()))
	})
	return Ring{Members: out}
}
