package attest

import (
	"context"
	"time"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/tlog"
)

// Trust says whom a verification believes. The zero value believes nobody. It must not
// change while it is in use, and is then safe for concurrent use.
type Trust struct {
	// Keys sign statements: each for its purposes, which are predicate types, and in its
	// time.
	Keys key.Ring
	// Logs are the transparency logs, and their witnesses.
	Logs tlog.Policy
	// Authorities give timestamps.
	Authorities []*timestamp.Authority
	// Certificates verifies bundles whose key is in a certificate. Nil refuses them.
	Certificates Certificates
}

// Certificates verifies bundles whose key is in a certificate, against roots of its own.
// Package sigstore has one. It is safe for concurrent use.
type Certificates interface {
	// VerifyCertified verifies the text of a bundle: its certificate, entries and
	// timestamps. artifact is what was signed, where that is apart from the bundle, or
	// nil. Of what it returns Signers is the certificate's identity alone,
	// "sigstore:ISSUER|SUBJECT", which nobody has compared with anything yet.
	VerifyCertified(ctx context.Context, bundle, artifact []byte) (*Verified, error)
}

// Expectation is what a bundle must be. The zero value, with At, asks for a statement
// that one trusted key signed, about anything: whoever decides by what is said sets
// Predicates and Subjects.
type Expectation struct {
	// At is the time of the verification. It is required.
	At time.Time
	// PayloadType is what the payload is read as; "" for an in-toto statement.
	PayloadType string
	// Predicates are the types that a statement may have, and then it has a predicate;
	// none means any that a key may sign. See intoto.SamePredicate.
	Predicates []string
	// Subjects are digests, of which the statement must be about one; none means that it
	// may be about anything.
	Subjects []string
	// Artifact is a file that is at hand; nil for none. A statement must be about it. Where
	// PayloadType, Predicates and Subjects are empty it may also be signed itself, by a
	// key for PurposeArtifact.
	Artifact []byte
	// Threshold is how many distinct keys must have signed; 0 stands for 1. An envelope
	// in a bundle has one signature.
	Threshold int
	// Signers are the ids of keys that count, and identities of certificates,
	// "sigstore:ISSUER|SUBJECT"; none means every key that is trusted. A certificate
	// counts only if its identity is among them.
	Signers []string
	// Logged asks for an entry of a log, Stamped for a timestamp.
	Logged, Stamped bool
	// MaxAge refuses what was signed longer before At, by its timestamp; 0 means any
	// age. It asks for a timestamp.
	MaxAge time.Duration
	// Unknown lets a bundle have entries and timestamps of parties that nobody here
	// knows. They count as nothing, and Verified lists them. Without it they are
	// refused. Signatures of an envelope and of a checkpoint that nobody here knows are
	// passed over in any case, but where Canonical is set.
	Unknown bool
	// Canonical asks for text in the form that this tool writes, in which no byte can be
	// another that is not signed or proved. What nobody here can check has no place in
	// it, unless Unknown is set. It does not tell whether whole entries, timestamps or
	// signatures were left out: see Logged, Stamped and Threshold. And a signature of ECDSA
	// has a twin, which is as good where no timestamp and no entry is of the signature.
	Canonical bool
}

// Verified is what a verification vouches for.
type Verified struct {
	PayloadType string
	// Payload are the very bytes that were signed.
	Payload []byte
	// Statement is what Payload says, where its type says that it is a statement; nil
	// otherwise.
	Statement *intoto.Statement
	// Signers are the ids of the keys that signed, or the identity of a certificate,
	// sorted.
	Signers []string
	// Times are when it was signed at the latest, by timestamps, in their order.
	Times []time.Time
	// Logged are the entries that were proved, in their order.
	Logged []Logged
	// Unchecked says what is there of parties that nobody here knows.
	Unchecked []string
}

// Logged is an entry of a log that was proved.
type Logged struct {
	Origin    string
	Index     int64
	Size      int64    // of the tree that proves it
	Witnesses []string // who co-signed that tree
}
