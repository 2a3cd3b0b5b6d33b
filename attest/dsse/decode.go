package dsse

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
)

// alphabets are those that the specification lets a signer choose from; the
// first is what this package writes.
var alphabets = [...]*base64.Encoding{base64.StdEncoding.Strict(), base64.URLEncoding.Strict()}

// Decode reads the JSON of an envelope. Members that the specification does not
// know are ignored, as it says. What it says must be there is required: a
// payload, its type, and signatures. Refused are a member that occurs twice,
// text after the object, base64 that is not padded, is broken into lines or
// mixes alphabets, an empty type, no signatures and an empty one. Nothing is
// verified. An error wraps ErrInvalid or ErrLimit, and io.ErrUnexpectedEOF where
// the text ends early.
func Decode(text []byte) (*Envelope, error) {
	if len(text) > MaxEnvelope {
		return nil, tooMany("bytes of an envelope", MaxEnvelope, len(text))
	}
	var w wire
	if err := json.Unmarshal(text, &w); err != nil {
		return nil, fmt.Errorf("envelope: %w: %w", err, fault.Invalid)
	}
	switch {
	case w.Payload == nil:
		return nil, missing("payload")
	case w.PayloadType == nil:
		return nil, missing("payloadType")
	case w.Signatures == nil:
		return nil, missing("signatures")
	case len(*w.Signatures) > MaxSignatures:
		return nil, tooMany("signatures", MaxSignatures, len(*w.Signatures))
	}
	payload, err := decode64(*w.Payload)
	if err != nil {
		return nil, fmt.Errorf("envelope: payload: %v: %w", err, fault.Invalid)
	}
	e := &Envelope{PayloadType: *w.PayloadType, Payload: payload, Signatures: make([]Signature, len(*w.Signatures))}
	for i, s := range *w.Signatures {
		if s.Sig == nil {
			return nil, missing(fmt.Sprintf("signatures[%d].sig", i))
		}
		sig, err := decode64(*s.Sig)
		if err != nil {
			return nil, fmt.Errorf("envelope: signatures[%d].sig: %v: %w", i, err, fault.Invalid)
		}
		e.Signatures[i] = Signature{KeyID: s.KeyID, Sig: sig}
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	return e, nil
}

func missing(member string) error {
	return fmt.Errorf("envelope: %s is missing: %w", member, fault.Invalid)
}

// decode64 reads one of the two alphabets. The library skips line breaks, which
// would give one payload many texts.
func decode64(s string) ([]byte, error) {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return nil, base64.CorruptInputError(i)
	}
	alphabet := alphabets[0]
	if strings.ContainsAny(s, "-_") {
		alphabet = alphabets[1]
	}
	return alphabet.DecodeString(s)
}
