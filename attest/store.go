package attest

import (
	"context"
	"io"
	"time"

	"github.com/stella-ops/stella/store/blob"
)

// MaxInline is the size up to which an envelope is kept in the relational store, in
// bytes. What is larger is an object, and the store keeps its Ref.
const MaxInline = 1 << 20

// Signature is a signature that was made, and of what.
type Signature struct {
	Payload     string // digest of the payload, "sha256:…"
	PayloadType string
	KeyID       string
	Sig         []byte
	// ScanID, PredicateType and By say of which scan the payload tells, as what, and
	// who asked for it first.
	ScanID        string
	PredicateType string
	By            string
	// Made is when it was kept, by the store's clock.
	Made time.Time
}

// Attestation is an envelope that was verified, with what proves when and that it was
// made. It must not be changed once others have it.
type Attestation struct {
	// ID is the digest of the encoded envelope.
	ID string
	// Envelope is the encoded envelope, nil where it is larger than MaxInline; Ref
	// names it as an object in any case.
	Envelope []byte
	Ref      blob.Ref
	// Payload is the digest of the payload, KeyID the key that was found to have
	// signed.
	Payload, KeyID string
	PredicateType  string
	// Subjects are the digests that the statement is about, as intoto.Statement.Digests
	// gives them.
	Subjects []string
	// ScanID is the scan that the signature was made for, "" for one that was not made
	// here.
	ScanID string
	// Wanted are the proofs that it is to have, sorted; it is complete when Proofs has
	// one of each.
	Wanted []ProofKind
	// Proofs are in the order in which they came.
	Proofs []Proof
	// Made is when it was kept, by the store's clock.
	Made time.Time
}

// Version numbers what an attestation's bundle says, from 1 on: each proof that comes
// makes another version.
func (a *Attestation) Version() int { return 1 + len(a.Proofs) }

// Missing are the kinds of proof that are wanted and not there, sorted.
func (a *Attestation) Missing() []ProofKind {
	var out []ProofKind
	for _, k := range a.Wanted {
		if a.proof(k) == nil {
			out = append(out, k)
		}
	}
	return out
}

func (a *Attestation) proof(k ProofKind) *Proof {
	for i := range a.Proofs {
		if a.Proofs[i].Kind == k {
			return &a.Proofs[i]
		}
	}
	return nil
}

// ProofKind is a kind of proof about a signature.
type ProofKind string

// The kinds of proof.
const (
	// ProofTimestamp is an RFC 3161 token over the signature.
	ProofTimestamp ProofKind = "timestamp"
	// ProofLog is a transparency log's entry for the signature, with its inclusion.
	ProofLog ProofKind = "log"
)

// Proof is what another party says about a signature. It was verified before it was
// kept.
type Proof struct {
	Kind ProofKind
	// Source names the party: a log by its origin, an authority by its certificate.
	Source string
	// Content is DER for a timestamp, canonical JSON of a bundle.Entry for a log.
	Content []byte
	Made    time.Time // when it was kept, by the store's clock
}

// Query selects attestations. The zero value selects all.
type Query struct {
	Subject       string // a digest, "sha256:…"
	PredicateType string // exactly
	ScanID        string
	After         string // the Next of the page before
	Limit         int    // 1 to 1000; 0 means 100
}

// Page is a part of a list, the newest first.
type Page struct {
	Attestations []Attestation
	Next         string // "" after the last page
}

// Store keeps what one tenant's Signer and Attestor make. It is safe for concurrent
// use. What a method returns without an error is durable. Nothing that is kept is ever
// replaced: whoever comes second gets what came first.
type Store interface {
	// Signature returns the signature of a payload by a key, or an error wrapping
	// ErrNotFound.
	Signature(ctx context.Context, payload, keyID string) (*Signature, error)
	// KeepSignature keeps a signature, unless there is one, and returns the one that is
	// kept.
	KeepSignature(ctx context.Context, s *Signature) (*Signature, error)
	// Keep keeps an attestation, unless there is one of its ID, and returns the one that
	// is kept, with its proofs. Proofs that are given are not kept: see Prove. Where
	// proofs are wanted that were not before, a message to attestor:submissions asks for
	// them, in the same transaction; it comes after a while, so that whoever keeps it can
	// ask first. An error wraps ErrNotFound where the scan is gone, and ErrConflict where
	// the object is being deleted: put it and keep it again.
	Keep(ctx context.Context, a *Attestation) (*Attestation, error)
	// Prove keeps a proof, unless the attestation has one of its kind, and returns the
	// attestation as it is kept. The last proof that is wanted settles the message, and
	// has exports made anew that waited for it. An error wraps ErrNotFound where there is
	// no such attestation.
	Prove(ctx context.Context, id string, p Proof) (*Attestation, error)
	// Attestation returns one, or an error wrapping ErrNotFound.
	Attestation(ctx context.Context, id string) (*Attestation, error)
	// Find lists attestations.
	Find(ctx context.Context, q Query) (*Page, error)
	// Done settles a message to attestor:submissions that leads to nothing more: all is
	// proved, or the attestation is gone, or will never be proved.
	Done(ctx context.Context, message string) error
}

// Objects keep envelopes by their content. A blob.Bucket is one.
type Objects interface {
	// Put keeps the bytes of r under their content. Doing it twice is no error.
	Put(ctx context.Context, r io.Reader) (blob.Ref, error)
	// Open reads what Put kept, verified against ref. An error wraps ErrNotFound or
	// ErrMismatch.
	Open(ctx context.Context, ref blob.Ref) (io.ReadCloser, error)
}
