package bundle

import (
	"crypto"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
)

// Decode reads a bundle. Nothing is verified. An error wraps ErrUnsupported for a
// version or hash that is not known, otherwise ErrInvalid or ErrLimit, and
// io.ErrUnexpectedEOF where the text ends early.
func Decode(text []byte) (*Bundle, error) {
	if len(text) > MaxBundle {
		return nil, tooMany("bytes of a bundle", MaxBundle, len(text))
	}
	// What is said here of unknown members and values holds for versions that are
	// known, so the version comes first.
	var head struct {
		MediaType *string `json:"mediaType"`
	}
	if err := unmarshal(text, &head); err != nil {
		return nil, err
	}
	if head.MediaType == nil {
		return nil, invalid("mediaType is missing")
	}
	version := versionOf(*head.MediaType)
	if version == 0 {
		return nil, fmt.Errorf("bundle: mediaType %.100q: want a Sigstore bundle of version 0.1, 0.2 or 0.3: %w", *head.MediaType, fault.Unsupported)
	}
	var w wireBundle
	if err := unmarshal(text, &w, json.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	if w.Material == nil {
		return nil, invalid("verificationMaterial is missing")
	}
	b := new(Bundle)
	var err error
	if b.Envelope, err = w.Envelope.read(); err != nil {
		return nil, err
	}
	b.Message = w.Message.read()
	if err := w.Material.read(version, &b.Material); err != nil {
		return nil, err
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	return b, nil
}

// DecodeEntry reads one log entry, as Rekor v2 answers with it. It has a proof.
// Other than in a bundle, unknown members are ignored: they are of a later
// release of the log. Errors are as those of [Decode].
func DecodeEntry(text []byte) (*Entry, error) {
	if len(text) > MaxBundle {
		return nil, tooMany("bytes of a log entry", MaxBundle, len(text))
	}
	var w *wireEntry
	if err := unmarshal(text, &w); err != nil {
		return nil, err
	}
	e := new(Entry)
	if err := w.read(3, "log entry", e); err != nil {
		return nil, err
	}
	if err := e.check("log entry"); err != nil {
		return nil, err
	}
	return e, nil
}

func unmarshal(text []byte, into any, opts ...json.Options) error {
	err := json.Unmarshal(text, into, opts...)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fault.Unsupported), errors.Is(err, fault.Limit):
		return fmt.Errorf("bundle: %w", err)
	}
	return fmt.Errorf("bundle: %w: %w", err, fault.Invalid)
}

// versionOf returns the minor version that a media type stands for, or 0.
func versionOf(mediaType string) int {
	switch mediaType {
	case "application/vnd.dev.sigstore.bundle+json;version=0.1":
		return 1
	case "application/vnd.dev.sigstore.bundle+json;version=0.2":
		return 2
	case "application/vnd.dev.sigstore.bundle+json;version=0.3", MediaType:
		return 3
	}
	return 0
}

func (w *wireEnvelope) read() (*dsse.Envelope, error) {
	if w == nil {
		return nil, nil
	}
	if w.Payload == nil {
		return nil, invalid("dsseEnvelope: payload is missing")
	}
	e := &dsse.Envelope{PayloadType: w.PayloadType, Payload: *w.Payload}
	for _, s := range w.Signatures {
		e.Signatures = append(e.Signatures, dsse.Signature{KeyID: s.KeyID, Sig: s.Sig})
	}
	if _, err := e.Encode(); err != nil { // it knows what an envelope must be
		return nil, fmt.Errorf("bundle: %w", err)
	}
	return e, nil
}

func (w *wireMessage) read() *MessageSignature {
	if w == nil {
		return nil
	}
	m := &MessageSignature{Signature: w.Signature}
	if w.Digest != nil {
		m.Algorithm, m.Digest = crypto.Hash(w.Digest.Algorithm), w.Digest.Digest
	}
	return m
}

func (w *wireMaterial) read(version int, m *VerificationMaterial) error {
	keys := 0
	if w.PublicKey != nil {
		keys++
		m.KeyHint = w.PublicKey.Hint
	}
	if w.Certificate != nil {
		keys++
		m.Certificates = [][]byte{w.Certificate.Raw}
	}
	if w.Chain != nil {
		keys++
		switch {
		case version >= 3:
			return invalid("x509CertificateChain in version 0.3, which has one certificate")
		case len(w.Chain.Certificates) == 0:
			return invalid("x509CertificateChain has no certificates")
		}
		for _, c := range w.Chain.Certificates {
			m.Certificates = append(m.Certificates, c.Raw)
		}
	}
	if keys != 1 {
		return invalid("verificationMaterial: %d of publicKey, certificate and x509CertificateChain, want one", keys)
	}
	for i := range w.Entries {
		var e Entry
		if err := w.Entries[i].read(version, fmt.Sprintf("log entry %d", i), &e); err != nil {
			return err
		}
		m.Entries = append(m.Entries, e)
	}
	if w.Timestamps != nil {
		for _, t := range w.Timestamps.RFC3161 {
			m.Timestamps = append(m.Timestamps, t.Signed)
		}
	}
	return nil
}

func (w *wireEntry) read(version int, what string, e *Entry) error {
	switch {
	case w == nil:
		return invalid("%s is null", what)
	case w.Kind == nil:
		return invalid("%s: kindVersion is missing", what)
	case w.LogID == nil:
		return invalid("%s: logId is missing", what)
	case version == 1 && w.Promise == nil:
		return invalid("%s: inclusionPromise is missing, which version 0.1 requires", what)
	case version > 1 && w.Proof == nil:
		return invalid("%s: inclusionProof is missing, which versions from 0.2 on require", what)
	}
	*e = Entry{LogIndex: int64(w.LogIndex), LogID: w.LogID.KeyID, Kind: w.Kind.Kind, Version: w.Kind.Version, Body: w.Body}
	e.Promise.IntegratedTime = int64(w.IntegratedTime)
	if w.Promise != nil {
		if len(w.Promise.Signed) == 0 {
			return invalid("%s: signedEntryTimestamp is missing or empty", what)
		}
		e.Promise.SignedEntryTimestamp = w.Promise.Signed
	}
	if w.Proof == nil {
		return nil
	}
	var err error
	e.Proof, err = w.Proof.read(what)
	return err
}

func (w *wireProof) read(what string) (*Proof, error) {
	switch {
	case w.Checkpoint == nil:
		return nil, invalid("%s: checkpoint of the inclusion proof is missing", what)
	case len(w.RootHash) != 32:
		return nil, invalid("%s: root hash of %d bytes, want 32", what, len(w.RootHash))
	}
	p := &Proof{LogIndex: int64(w.LogIndex), TreeSize: int64(w.TreeSize), RootHash: [32]byte(w.RootHash), Checkpoint: w.Checkpoint.Envelope}
	for i, h := range w.Hashes {
		if len(h) != 32 {
			return nil, invalid("%s: hash %d of the inclusion proof has %d bytes, want 32", what, i, len(h))
		}
		p.Hashes = append(p.Hashes, [32]byte(h))
	}
	return p, nil
}
