package bundle

import (
	"crypto"
	_ "crypto/sha256" // the hashes that a bundle may name
	_ "crypto/sha512"
	"fmt"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
)

// Bundle is a signature with what is needed to verify it. It has either an
// Envelope or a Message.
type Bundle struct {
	// Envelope has exactly one signature.
	Envelope *dsse.Envelope
	Message  *MessageSignature
	Material VerificationMaterial
}

// New returns a bundle of an envelope with one signature. The signature's key id
// becomes the key hint, and is taken from the envelope: sigstore-go and cosign pass
// over a signature whose key id is not one that they made themselves, and nothing
// else depends on it. certificate, in DER, is nil where verifiers have the key;
// otherwise there is no hint. The envelope is copied, its payload shared.
func New(e *dsse.Envelope, certificate []byte) *Bundle {
	b := &Bundle{Envelope: &dsse.Envelope{PayloadType: e.PayloadType, Payload: e.Payload}}
	for _, s := range e.Signatures { // Encode refuses more than one
		b.Material.KeyHint = s.KeyID
		b.Envelope.Signatures = append(b.Envelope.Signatures, dsse.Signature{Sig: s.Sig})
	}
	if certificate != nil {
		b.Material.KeyHint, b.Material.Certificates = "", [][]byte{certificate}
	}
	return b
}

// MessageSignature is a signature over an artifact that is kept elsewhere.
type MessageSignature struct {
	// Algorithm and Digest help to find the artifact. They prove nothing: the
	// signature is verified over the artifact itself. Algorithm is SHA-256, SHA-384
	// or SHA-512, or 0 where there is no digest.
	Algorithm crypto.Hash
	Digest    []byte
	Signature []byte
}

// VerificationMaterial is what a signer adds to a signature. None of it is to be
// trusted for being there.
type VerificationMaterial struct {
	// Certificates are in DER, that of the signing key first. None means that the
	// key is one that the verifier has.
	Certificates [][]byte
	// KeyHint tells which key that may be; often "".
	KeyHint string
	// Entries say where the signature was logged, in the bundle's order.
	Entries []Entry
	// Timestamps are RFC 3161 responses in DER, over the signature.
	Timestamps [][]byte
}

// Entry is an entry of a transparency log: sigstore.rekor.v1.TransparencyLogEntry.
type Entry struct {
	// LogIndex counts the operator's entries, in Rekor v1 over all shards: what
	// places the entry in its tree is Proof.LogIndex.
	LogIndex int64
	LogID    []byte // names the key of the log
	// Kind and Version say how to read the body, such as "hashedrekord" and
	// "0.0.2".
	Kind, Version string
	// Body is the canonicalized body, which is what the log's leaf hash is over.
	Body []byte
	// Proof is nil only in bundles of version 0.1.
	Proof *Proof
	// Promise is apart because it does not count here. See there.
	Promise Promise
}

// Proof says where in a tree an entry is. Root and size are to be compared with
// those of the checkpoint, once that was verified.
type Proof struct {
	LogIndex   int64
	TreeSize   int64
	RootHash   [32]byte
	Hashes     [][32]byte // from leaf to root
	Checkpoint string     // a signed note
}

// Promise is what Rekor v1 says of when an entry came, and its word to include
// it. It is kept so that bundles are not changed by passing through. Verifiers
// of this SDK do not take a time from it: Rekor v2 has none, and timestamps are
// asked for instead.
type Promise struct {
	IntegratedTime       int64 // Unix seconds; 0 where there is none
	SignedEntryTimestamp []byte
}

// Signature returns the one signature of b, which is what timestamps are over;
// nil where b has none.
func (b *Bundle) Signature() []byte {
	switch {
	case b.Message != nil:
		return b.Message.Signature
	case b.Envelope != nil && len(b.Envelope.Signatures) == 1:
		return b.Envelope.Signatures[0].Sig
	}
	return nil
}

// PAEDigest returns the hash of what the signatures of an envelope are over, its
// pre-authentication encoding. An error wraps ErrUnsupported for other hashes
// than SHA-256, SHA-384 and SHA-512.
func PAEDigest(e *dsse.Envelope, hash crypto.Hash) ([]byte, error) {
	if nameOf(hash) == "" {
		return nil, fmt.Errorf("digest of an envelope: hash %d: want SHA-256, SHA-384 or SHA-512: %w", uint(hash), fault.Unsupported)
	}
	h := hash.New()
	h.Write(dsse.PAE(e.PayloadType, e.Payload))
	return h.Sum(nil), nil
}

// algorithms are the hashes that a bundle may name, as proto JSON does.
var algorithms = [...]struct {
	hash   crypto.Hash
	name   string
	number string
}{
	{crypto.SHA256, "SHA2_256", "1"},
	{crypto.SHA384, "SHA2_384", "2"},
	{crypto.SHA512, "SHA2_512", "3"},
}

// nameOf returns the name of a hash, or "".
func nameOf(hash crypto.Hash) string {
	for _, a := range algorithms {
		if a.hash == hash {
			return a.name
		}
	}
	return ""
}
