package dsse

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
)

// Envelope is a payload with signatures over it. Nothing in it is to be
// believed before [Trust.Verify] said so.
type Envelope struct {
	// PayloadType says how the payload is to be read: a media type or URI of
	// the application's own, never a general one such as "application/json".
	PayloadType string
	Payload     []byte
	Signatures  []Signature
}

// Signature is one signature over the payload and its type.
type Signature struct {
	KeyID string // a hint that nobody vouches for; "" where there is none
	Sig   []byte
}

// PAE returns the pre-authentication encoding, which is what is signed:
// "DSSEv1", the type and the payload, each preceded by its length in bytes.
func PAE(payloadType string, payload []byte) []byte {
	b := make([]byte, 0, len("DSSEv1")+len(payloadType)+len(payload)+2*20+4)
	b = append(b, "DSSEv1 "...)
	b = strconv.AppendInt(b, int64(len(payloadType)), 10)
	b = append(b, ' ')
	b = append(b, payloadType...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(len(payload)), 10)
	b = append(b, ' ')
	return append(b, payload...)
}

// wire is the JSON of an envelope, its members in canonical order. Pointers
// tell what is missing from what is empty.
type wire struct {
	Payload     *string          `json:"payload"`
	PayloadType *string          `json:"payloadType"`
	Signatures  *[]wireSignature `json:"signatures"`
}

type wireSignature struct {
	KeyID string  `json:"keyid,omitempty"`
	Sig   *string `json:"sig"`
}

// Encode returns the envelope as canonical JSON (RFC 8785) with padded standard
// base64: equal envelopes give equal bytes. An envelope that [Decode] would
// refuse is refused here.
func (e *Envelope) Encode() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	signatures := make([]wireSignature, len(e.Signatures))
	for i, s := range e.Signatures {
		text := alphabets[0].EncodeToString(s.Sig)
		signatures[i] = wireSignature{KeyID: s.KeyID, Sig: &text}
	}
	payload := alphabets[0].EncodeToString(e.Payload)
	b, err := json.Marshal(wire{Payload: &payload, PayloadType: &e.PayloadType, Signatures: &signatures})
	if err != nil {
		return nil, fmt.Errorf("envelope of type %q: %v: %w", e.PayloadType, err, fault.Invalid)
	}
	if len(b) > MaxEnvelope {
		return nil, tooMany("bytes of an envelope", MaxEnvelope, len(b))
	}
	return b, nil
}

// check says what keeps e from being an envelope.
func (e *Envelope) check() error {
	switch {
	case e.PayloadType == "":
		return fmt.Errorf("envelope: the payload type is empty: %w", fault.Invalid)
	case !utf8.ValidString(e.PayloadType):
		return fmt.Errorf("envelope: the payload type %q is not UTF-8: %w", e.PayloadType, fault.Invalid)
	case len(e.PayloadType) > MaxPayloadType:
		return tooMany("bytes of a payload type", MaxPayloadType, len(e.PayloadType))
	case len(e.Signatures) == 0:
		return fmt.Errorf("envelope of type %q: no signatures: %w", e.PayloadType, fault.Invalid)
	case len(e.Signatures) > MaxSignatures:
		return tooMany("signatures", MaxSignatures, len(e.Signatures))
	}
	for i, s := range e.Signatures {
		switch {
		case len(s.Sig) == 0:
			return fmt.Errorf("envelope of type %q: signature %d is empty: %w", e.PayloadType, i, fault.Invalid)
		case len(s.Sig) > MaxSignature:
			return tooMany("bytes of a signature", MaxSignature, len(s.Sig))
		case len(s.KeyID) > MaxKeyID:
			return tooMany("bytes of a key id", MaxKeyID, len(s.KeyID))
		case !utf8.ValidString(s.KeyID):
			return fmt.Errorf("envelope of type %q: the key id of signature %d is not UTF-8: %w", e.PayloadType, i, fault.Invalid)
		}
	}
	return nil
}

func tooMany(what string, limit, seen int) error {
	return &fault.LimitError{What: what, Where: "envelope", Max: int64(limit), Seen: int64(seen)}
}
