package bundle

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
)

// Encode returns the bundle in version 0.3, as canonical JSON (RFC 8785) without
// a line break: equal bundles give equal bytes. A bundle that [Decode] would
// refuse is refused here. An error wraps ErrUnsupported for what older versions
// can say and 0.3 cannot: more than one certificate, and an entry without proof.
func (b *Bundle) Encode() ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	w := wireBundle{MediaType: MediaType, Material: new(wireMaterial)}
	if e := b.Envelope; e != nil {
		if _, err := e.Encode(); err != nil {
			return nil, fmt.Errorf("bundle: %w", err)
		}
		s := e.Signatures[0]
		w.Envelope = &wireEnvelope{Payload: (*signed64)(&e.Payload), PayloadType: e.PayloadType, Signatures: []wireSignature{{KeyID: s.KeyID, Sig: s.Sig}}}
	} else {
		w.Message = &wireMessage{Signature: b.Message.Signature}
		if b.Message.Algorithm != 0 {
			w.Message.Digest = &wireDigest{Algorithm: algorithm(b.Message.Algorithm), Digest: b.Message.Digest}
		}
	}
	if err := w.Material.write(&b.Material); err != nil {
		return nil, err
	}
	return marshal(w)
}

// Encode returns the entry as canonical JSON, which [DecodeEntry] reads. Errors
// are as those of [Bundle.Encode].
func (e *Entry) Encode() ([]byte, error) {
	if err := e.check("log entry"); err != nil {
		return nil, err
	}
	w, err := e.wire("log entry")
	if err != nil {
		return nil, err
	}
	return marshal(w)
}

func marshal(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, invalid("%v", err)
	}
	if len(text) > MaxBundle {
		return nil, tooMany("bytes of a bundle", MaxBundle, len(text))
	}
	return text, nil
}

func (w *wireMaterial) write(m *VerificationMaterial) error {
	switch len(m.Certificates) {
	case 0:
		w.PublicKey = &wireKey{Hint: m.KeyHint}
	case 1:
		w.Certificate = &wireCertificate{Raw: m.Certificates[0]}
	default:
		return fmt.Errorf("bundle: %d certificates, where version 0.3 has one: %w", len(m.Certificates), fault.Unsupported)
	}
	for i := range m.Entries {
		e, err := m.Entries[i].wire(fmt.Sprintf("log entry %d", i))
		if err != nil {
			return err
		}
		w.Entries = append(w.Entries, *e)
	}
	if len(m.Timestamps) > 0 {
		w.Timestamps = new(wireTimestamps)
	}
	for _, t := range m.Timestamps {
		w.Timestamps.RFC3161 = append(w.Timestamps.RFC3161, wireTimestamp{Signed: t})
	}
	return nil
}

func (e *Entry) wire(what string) (*wireEntry, error) {
	p := e.Proof
	if p == nil {
		return nil, fmt.Errorf("bundle: %s has no inclusion proof, which version 0.3 requires: %w", what, fault.Unsupported)
	}
	w := &wireEntry{
		Body: e.Body, IntegratedTime: number(e.Promise.IntegratedTime), LogIndex: number(e.LogIndex),
		Kind: &wireKind{Kind: e.Kind, Version: e.Version}, LogID: &wireLogID{KeyID: e.LogID},
		Proof: &wireProof{
			Checkpoint: &wireCheckpoint{Envelope: p.Checkpoint},
			LogIndex:   number(p.LogIndex), TreeSize: number(p.TreeSize), RootHash: p.RootHash[:],
		},
	}
	for i := range p.Hashes {
		w.Proof.Hashes = append(w.Proof.Hashes, p.Hashes[i][:])
	}
	if len(e.Promise.SignedEntryTimestamp) > 0 {
		w.Promise = &wirePromise{Signed: e.Promise.SignedEntryTimestamp}
	}
	return w, nil
}
