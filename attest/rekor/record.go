package rekor

import (
	"crypto"
	"encoding/base64"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
)

// Record is what a log entry vouches for: that this signature, by this key, is
// over this. It has either an Envelope or a Message, and either a PublicKey or a
// Certificate. The zero value is no record.
type Record struct {
	// Envelope has exactly one signature.
	Envelope *dsse.Envelope
	// Message has a digest, which the caller knows to be that of the artifact.
	Message *bundle.MessageSignature
	// PublicKey is a SubjectPublicKeyInfo in DER.
	PublicKey []byte
	// Certificate is that of the signing key, in DER. Its chain is not looked at.
	Certificate []byte
}

// OfBundle returns the record that the entries of b must be about. publicKey, in
// DER, is used where b has no certificate; the verifier has chosen it. The digest
// of a message is what b says: compare it with the artifact.
func OfBundle(b *bundle.Bundle, publicKey []byte) *Record {
	r := &Record{Envelope: b.Envelope, Message: b.Message}
	if len(b.Material.Certificates) > 0 {
		r.Certificate = b.Material.Certificates[0]
	} else {
		r.PublicKey = publicKey
	}
	return r
}

// subject is a record that was looked at.
type subject struct {
	*Record
	key       *key
	signature string // base64
}

func (r *Record) subject() (*subject, error) {
	k, err := r.key()
	if err != nil {
		return nil, err
	}
	var sig []byte
	switch {
	case r.Envelope != nil && r.Message != nil, r.Envelope == nil && r.Message == nil:
		return nil, fmt.Errorf("record: want either an envelope or a message: %w", fault.Invalid)
	case r.Message != nil:
		sig = r.Message.Signature
		if hashName(r.Message.Algorithm) == "" {
			return nil, fmt.Errorf("record: a message without a digest of SHA-256, SHA-384 or SHA-512: %w", fault.Unsupported)
		}
		if len(r.Message.Digest) != r.Message.Algorithm.Size() {
			return nil, fmt.Errorf("record: %v digest of %d bytes: %w", r.Message.Algorithm, len(r.Message.Digest), fault.Invalid)
		}
	case len(r.Envelope.Signatures) != 1:
		return nil, fmt.Errorf("record: an envelope with %d signatures, want one: %w", len(r.Envelope.Signatures), fault.Invalid)
	default:
		sig = r.Envelope.Signatures[0].Sig
	}
	if len(sig) == 0 {
		return nil, fmt.Errorf("record: the signature is empty: %w", fault.Invalid)
	}
	return &subject{Record: r, key: k, signature: encode(sig)}, nil
}

// digest returns the digest that is logged, in base64.
func (s *subject) digest() (string, error) {
	if s.Envelope != nil {
		d, err := bundle.PAEDigest(s.Envelope, s.key.hash)
		return encode(d), err
	}
	if s.Message.Algorithm != s.key.hash {
		return "", fmt.Errorf("record: digest of %v, where the key's algorithm has %v: %w", s.Message.Algorithm, s.key.hash, fault.Unsupported)
	}
	return encode(s.Message.Digest), nil
}

// Body returns the body of the record's entry, hashedrekord 0.0.2: equal records
// have equal bodies. An error wraps ErrInvalid or ErrUnsupported for what is no
// record.
func (r *Record) Body() ([]byte, error) {
	s, err := r.subject()
	if err != nil {
		return nil, err
	}
	h, err := s.hashedRekord(s.key.details[0])
	if err != nil {
		return nil, err
	}
	return marshal(entry[specV2]{Version: Version, Kind: Kind, Spec: &specV2{HashedRekord: h}})
}

// Request returns what a Rekor v2 log is asked with to log the record, as JSON.
// Errors are as those of [Record.Body].
func (r *Record) Request() ([]byte, error) {
	s, err := r.subject()
	if err != nil {
		return nil, err
	}
	h, err := s.hashedRekord(s.key.details[0])
	if err != nil {
		return nil, err
	}
	return marshal(request{HashedRekord: &requestV2{Digest: h.Data.Digest, Signature: h.Signature}})
}

func (s *subject) hashedRekord(details string) (*hashedRekordV2, error) {
	digest, err := s.digest()
	if err != nil {
		return nil, err
	}
	return &hashedRekordV2{
		Data:      &digestV2{Algorithm: hashName(s.key.hash), Digest: digest},
		Signature: &signatureV2{Content: s.signature, Verifier: s.key.verifier(details)},
	}, nil
}

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("record: %v: %w", err, fault.Invalid)
	}
	if len(b) > bundle.MaxBody {
		return nil, &fault.LimitError{What: "bytes of an entry's body", Where: "record", Max: bundle.MaxBody, Seen: int64(len(b))}
	}
	return b, nil
}

// hashName is the name of a hash in Rekor v2, or "".
func hashName(h crypto.Hash) string {
	switch h {
	case crypto.SHA256:
		return "SHA2_256"
	case crypto.SHA384:
		return "SHA2_384"
	case crypto.SHA512:
		return "SHA2_512"
	}
	return ""
}
