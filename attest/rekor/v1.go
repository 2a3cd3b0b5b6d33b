package rekor

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

func (s *subject) checkHashedRekordV1(body []byte) ([]byte, error) {
	if s.Message == nil {
		return nil, refuse(ReasonContent, "a message, want an envelope")
	}
	e, err := read[hashedRekordV1](body)
	if err != nil {
		return nil, err
	}
	got, want := e.Spec, hashedRekordV1{}
	want.Data.Hash = digestV1{Algorithm: hashNameV1(s.Message.Algorithm), Value: hex.EncodeToString(s.Message.Digest)}
	want.Signature.Content = s.signature
	want.Signature.PublicKey.Content = s.key.pem64()
	err = first(
		isKey(got.Signature.PublicKey.Content, want.Signature.PublicKey.Content),
		same(ReasonSignature, got.Signature.Content, want.Signature.Content),
		same(ReasonAlgorithm, got.Data.Hash.Algorithm, want.Data.Hash.Algorithm),
		same(ReasonDigest, got.Data.Hash.Value, want.Data.Hash.Value),
	)
	if err != nil {
		return nil, err
	}
	return marshal(entry[hashedRekordV1]{Version: "0.0.1", Kind: "hashedrekord", Spec: &want})
}

func (s *subject) checkDSSEV1(body []byte) ([]byte, error) {
	if s.Envelope == nil {
		return nil, refuse(ReasonContent, "an envelope, want a message")
	}
	e, err := read[dsseV1](body)
	if err != nil {
		return nil, err
	}
	got := e.Spec
	if len(got.Signatures) != 1 {
		return nil, refuse(ReasonMalformed, "%d signatures, want one", len(got.Signatures))
	}
	payload := sha256Hex(s.Envelope.Payload)
	err = first(
		isKey(got.Signatures[0].Verifier, s.key.pem64()),
		same(ReasonSignature, got.Signatures[0].Signature, s.signature),
		same(ReasonAlgorithm, got.Payload.Algorithm, payload.Algorithm),
		same(ReasonDigest, got.Payload.Value, payload.Value),
		isSHA256(got.Envelope),
	)
	if err != nil {
		return nil, err
	}
	return marshal(e)
}

func (s *subject) checkIntotoV1(body []byte) ([]byte, error) {
	if s.Envelope == nil {
		return nil, refuse(ReasonContent, "an envelope, want a message")
	}
	e, err := read[intotoV1](body)
	if err != nil {
		return nil, err
	}
	got := e.Spec.Content
	if len(got.Envelope.Signatures) != 1 {
		return nil, refuse(ReasonMalformed, "%d signatures, want one", len(got.Envelope.Signatures))
	}
	sig := got.Envelope.Signatures[0]
	payload := sha256Hex(s.Envelope.Payload)
	err = first(
		isKey(lines(sig.PublicKey), lines(s.key.pem64())),
		same(ReasonSignature, sig.Sig, encode([]byte(s.signature))),
		same(ReasonDigest, got.Envelope.PayloadType, s.Envelope.PayloadType),
		same(ReasonAlgorithm, got.Payload.Algorithm, payload.Algorithm),
		same(ReasonDigest, got.Payload.Value, payload.Value),
		isSHA256(got.Hash),
	)
	if err == nil && sig.KeyID != nil {
		err = same(ReasonKey, *sig.KeyID, s.Envelope.Signatures[0].KeyID)
	}
	if err == nil && got.Envelope.Payload != nil {
		err = same(ReasonDigest, *got.Envelope.Payload, encode([]byte(encode(s.Envelope.Payload))))
	}
	if err != nil {
		return nil, err
	}
	return marshal(e)
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// isKey compares keys, which are too long to be shown.
func isKey(got, want string) error {
	if got == want {
		return nil
	}
	return refuse(ReasonKey, "")
}

// lines returns the PEM of a key without line breaks: entries of this kind have it
// as it was uploaded, and some uploaders write one long line.
func lines(pem64 string) string {
	text, err := base64.StdEncoding.Strict().DecodeString(pem64)
	if err != nil || len(text) == 0 {
		return "not base64: " + pem64
	}
	return strings.ReplaceAll(string(text), "\n", "")
}

// isSHA256 checks the form of a hash that cannot be known.
func isSHA256(d digestV1) error {
	if b, err := hex.DecodeString(d.Value); d.Algorithm != "sha256" || err != nil || len(b) != sha256.Size || hex.EncodeToString(b) != d.Value {
		return refuse(ReasonMalformed, "hash %.16q %.80q of the envelope is no SHA-256", d.Algorithm, d.Value)
	}
	return nil
}

func sha256Of(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}

func sha256Hex(b []byte) digestV1 {
	return digestV1{Algorithm: "sha256", Value: hex.EncodeToString(sha256Of(b))}
}

// hashNameV1 is the name of a hash in Rekor v1.
func hashNameV1(h crypto.Hash) string {
	switch h {
	case crypto.SHA384:
		return "sha384"
	case crypto.SHA512:
		return "sha512"
	}
	return "sha256"
}
