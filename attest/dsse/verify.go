package dsse

import (
	"fmt"
	"slices"

	"github.com/stella-ops/stella/internal/fault"
)

// Verifier checks signatures of one public key. [PublicKey] is one. It is safe
// for concurrent use.
type Verifier interface {
	// KeyID is what signatures of this key are usually labelled with. It only
	// decides what is tried first.
	KeyID() string
	// DER is the public key as SubjectPublicKeyInfo. Verifiers with equal DER
	// are one key, whatever they call themselves.
	DER() []byte
	// Verify returns nil if sig is this key's signature of message.
	Verify(message, sig []byte) error
}

// Trust says whose signatures count, and how many are needed. The zero value
// trusts nobody and verifies nothing.
type Trust struct {
	// Threshold is how many distinct public keys must have signed, at least 1.
	Threshold int
	Keys      []Verifier
}

// Verified is what a verification vouches for.
type Verified struct {
	PayloadType string
	// Payload are the bytes that were signed. To read anything else, such as
	// the envelope again, is to read what nobody signed.
	Payload []byte
	// Keys are the ids, by the trusted keys themselves, of all that signed, in
	// order.
	Keys []string
}

// Verify returns what e holds, if it is of this payload type and at least
// Threshold distinct keys of t signed it. Each signature is tried with the keys
// that its hint names, then with all others. An error is a [*ThresholdError]
// where too few signed; it wraps ErrMismatch where the type is another one,
// ErrLimit where more than MaxTries pairs would have to be tried, and ErrInvalid
// where t itself cannot be used: a threshold below 1 or above the number of
// distinct keys.
func (t Trust) Verify(e *Envelope, payloadType string) (*Verified, error) {
	keys, err := t.distinct()
	if err != nil {
		return nil, err
	}
	if payloadType == "" {
		return nil, fmt.Errorf("verify an envelope: no payload type is asked for: %w", fault.Invalid)
	}
	if e.PayloadType != payloadType {
		return nil, &fault.MismatchError{What: "payload type", Want: payloadType, Got: e.PayloadType}
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	signed, err := count(e, keys)
	if err != nil {
		return nil, err
	}
	v := &Verified{PayloadType: e.PayloadType, Payload: e.Payload}
	for i, ok := range signed {
		if ok {
			v.Keys = append(v.Keys, keys[i].KeyID())
		}
	}
	if len(v.Keys) < t.Threshold {
		return nil, &ThresholdError{Want: t.Threshold, Got: len(v.Keys), Trusted: len(keys), Signatures: len(e.Signatures)}
	}
	slices.Sort(v.Keys)
	return v, nil
}

// count says which of the keys signed e.
func count(e *Envelope, keys []Verifier) ([]bool, error) {
	message := PAE(e.PayloadType, e.Payload)
	signed := make([]bool, len(keys))
	tries := 0
	for _, s := range e.Signatures {
		for _, i := range hinted(keys, s.KeyID) {
			if signed[i] {
				continue
			}
			if tries++; tries > MaxTries {
				return nil, &fault.LimitError{What: "tries of a signature with a key", Where: "envelope", Max: MaxTries}
			}
			if keys[i].Verify(message, s.Sig) == nil {
				signed[i] = true
				break
			}
		}
	}
	return signed, nil
}

// hinted gives the indexes of all keys, those with this id first.
func hinted(keys []Verifier, id string) []int {
	first, rest := []int{}, []int{}
	for i, k := range keys {
		if id != "" && k.KeyID() == id {
			first = append(first, i)
		} else {
			rest = append(rest, i)
		}
	}
	return append(first, rest...)
}

// distinct returns one verifier for each public key.
func (t Trust) distinct() ([]Verifier, error) {
	seen := map[string]bool{}
	var keys []Verifier
	for i, k := range t.Keys {
		if k == nil || len(k.DER()) == 0 {
			return nil, fmt.Errorf("trust: key %d is nil or has no public key: %w", i, fault.Invalid)
		}
		if der := string(k.DER()); !seen[der] {
			seen[der] = true
			keys = append(keys, k)
		}
	}
	if t.Threshold < 1 {
		return nil, fmt.Errorf("trust: a threshold of %d keys, want at least 1: %w", t.Threshold, fault.Invalid)
	}
	if t.Threshold > len(keys) {
		return nil, fmt.Errorf("trust: a threshold of %d keys, but there are %d distinct ones: %w", t.Threshold, len(keys), fault.Invalid)
	}
	return keys, nil
}
