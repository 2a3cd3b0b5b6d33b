package sigstore

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/timestamp"
)

// Options say how much a signature needs beside its key. Nil means the zero
// Options: an entry of one log and one time.
type Options struct {
	// Logs is of how many distinct logs there must be entries; 0 means 1.
	Logs int
	// NoLog accepts signatures that are in no log, if Logs is 0. Entries that there
	// are must verify all the same.
	NoLog bool
	// Times is of how many distinct sources there must be times: signed ones of logs,
	// told apart by their keys, and those of timestamp authorities, told apart by
	// their first certificates. 0 means 1; for managed keys without a validity it
	// means none.
	Times int
}

// Verifier verifies bundles against one trust root. It never changes and is safe
// for concurrent use. Make it by NewVerifier.
type Verifier struct {
	opts        Options
	logs        map[string]*Log // by id
	authorities []Authority
	sct         bool // certificates need a signed timestamp
	stampers    []*timestamp.Authority
	material    *root.TrustedRoot
}

// NewVerifier returns a verifier. An error is an *Error about the trust root, or
// wraps ErrInvalid for options that cannot be met.
func NewVerifier(trusted *TrustRoot, opts *Options) (*Verifier, error) {
	v := &Verifier{logs: map[string]*Log{}, authorities: slices.Clone(trusted.Authorities), sct: len(trusted.CertificateLogs) > 0}
	if opts != nil {
		v.opts = *opts
	}
	if v.opts.Logs < 0 || v.opts.Times < 0 {
		return nil, fmt.Errorf("%w: options ask for %d logs and %d times", ErrInvalid, v.opts.Logs, v.opts.Times)
	}
	if v.opts.Logs == 0 && !v.opts.NoLog {
		v.opts.Logs = 1
	}
	text, err := trusted.Encode()
	if err != nil {
		return nil, err
	}
	if v.material, err = root.NewTrustedRootFromJSON(text); err != nil {
		return nil, rootError(ReasonMalformed, err, "")
	}
	if v.stampers, err = trusted.stampers(); err != nil {
		return nil, err
	}
	for _, l := range trusted.Logs {
		id, err := l.id()
		if err != nil {
			return nil, err
		}
		v.logs[string(id)] = &l
	}
	return v, nil
}

// Artifact is what was signed. Digest or Content is enough; where both are given
// they must agree.
type Artifact struct {
	Digest  string // "sha256:", "sha384:" or "sha512:" and hexadecimal digits in lower case
	Content []byte
}

// Source says whose time it is.
type Source string

// The sources of time.
const (
	SourceLog       Source = "log"       // a log's signed time of an entry (Rekor v1)
	SourceTimestamp Source = "timestamp" // a timestamp authority's
)

// SignedTime is a time at or before which the signature was there.
type SignedTime struct {
	At     time.Time // UTC
	Source Source
	URL    string // of the log or authority
}

// Entry is a log's entry that verified.
type Entry struct {
	Log   string // the log's URL
	ID    []byte // the log's id
	Index int64
	Kind  string // such as "hashedrekord 0.0.2"
	// Size and Root are of the checkpoint by which the entry is included; 0 and nil
	// where the log only promised to include it.
	Size int64
	Root []byte
}

// Result is what a verification vouches for.
type Result struct {
	// Identity is who signed: "sigstore:ISSUER|SUBJECT", or "key:sha256:" and the
	// key's id.
	Identity string
	// Issuer and Subject are the certificate's; "" for managed keys.
	Issuer, Subject string
	// Certificate is the signer's, in DER; nil for managed keys.
	Certificate []byte
	// KeyID is that of the signing key, as package dsse has it.
	KeyID string
	// PayloadType and Payload are what the envelope held, as it was verified; "" and
	// nil where a message was signed.
	PayloadType string
	Payload     []byte
	// Statement is the payload, where its type says that it is one.
	Statement *intoto.Statement
	// Digest is that of the message; "" for envelopes.
	Digest string
	// Times are all that verified. Each is inside the certificate's validity.
	Times []SignedTime
	// Entries are all that verified, of logs that the trust root names.
	Entries []Entry
}

// Verify verifies a bundle that whoever the policy names must have signed. For an
// artifact, the signature must be its own, or be over a statement about it.
// Without one an envelope is good by itself; a message's signature is not. An
// error is an *Error, or the context's; there is no result with it.
func (v *Verifier) Verify(ctx context.Context, text []byte, artifact *Artifact, policy *Policy) (*Result, error) {
	expected, err := policy.matchers()
	if err != nil {
		return nil, err
	}
	return v.run(ctx, text, artifact, &expectation{policy: policy, matchers: expected})
}

// VerifyCertified verifies a bundle as package attest needs it: what was signed, by whom,
// when, and where it was logged. The identity is compared with nothing. A message is only
// good with its artifact.
func (v *Verifier) VerifyCertified(ctx context.Context, text, artifact []byte) (*attest.Verified, error) {
	var of *Artifact
	if artifact != nil {
		of = &Artifact{Content: artifact}
	}
	r, err := v.run(ctx, text, of, &expectation{})
	if err != nil {
		return nil, err
	}
	out := &attest.Verified{PayloadType: r.PayloadType, Payload: r.Payload, Signers: []string{r.Identity}}
	if r.PayloadType == "" {
		out.Payload = artifact
	}
	for _, at := range r.Times {
		out.Times = append(out.Times, at.At)
	}
	for _, e := range r.Entries {
		out.Logged = append(out.Logged, attest.Logged{Origin: e.Log, Index: e.Index, Size: e.Size})
	}
	return out, nil
}

// VerifyBundle verifies a bundle of an envelope that somebody signed with a
// certificate, and says who as the only one of Keys: "sigstore:ISSUER|SUBJECT". It
// is for callers who compare that with whom they trust, as package vex/trust does,
// of which Verifier is a Sigstore.
func (v *Verifier) VerifyBundle(ctx context.Context, text []byte) (*dsse.Verified, error) {
	r, err := v.run(ctx, text, nil, &expectation{})
	if err != nil {
		return nil, err
	}
	return &dsse.Verified{PayloadType: r.PayloadType, Payload: r.Payload, Keys: []string{r.Identity}}, nil
}

// expectation is a policy that was read. Without a policy every certificate is
// expected, and no managed key.
type expectation struct {
	policy   *Policy
	matchers []matcher
}

// verification is one bundle on its way through the steps.
type verification struct {
	*Verifier
	expect   *expectation
	artifact *Artifact

	bundle   *bundle.Bundle
	envelope bool
	content  verify.SignatureContent
	signer   verify.VerificationContent
	leaf     *x509.Certificate // nil for managed keys
	key      *Key              // nil for certificates
	trusted  root.TrustedMaterial
	logKeys  map[[sha256.Size]byte]*Log // of the entries that verified
	sources  map[[sha256.Size]byte]bool // of the times that verified
	out      Result
}

// run takes the steps.
func (v *Verifier) run(ctx context.Context, text []byte, artifact *Artifact, expect *expectation) (r *Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, refuse(ReasonFailed, nil, "panic: %v", p)
		}
	}()
	s := &verification{Verifier: v, expect: expect, artifact: artifact, trusted: v.material, logKeys: map[[sha256.Size]byte]*Log{}, sources: map[[sha256.Size]byte]bool{}}
	if s.bundle, err = decode(text); err != nil {
		return nil, err
	}
	for _, step := range []func() error{s.open, s.checkArtifact, s.checkSignature, s.checkLogs, s.checkTimes, s.checkCertificate, s.checkIdentity} {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("verify bundle: %w", err)
		}
		if err := step(); err != nil {
			return nil, err
		}
	}
	return &s.out, nil
}

// open finds what is signed and with what kind of key.
func (s *verification) open() error {
	var err error
	if s.content, err = s.bundle.SignatureContent(); err != nil {
		return refuse(ReasonMalformed, err, "content")
	}
	if s.signer, err = s.bundle.VerificationContent(); err != nil {
		return refuse(ReasonMalformed, err, "material")
	}
	if e, ok := s.bundle.GetContent().(*protobundle.Bundle_DsseEnvelope); ok {
		s.envelope = true
		s.out.PayloadType, s.out.Payload = e.DsseEnvelope.GetPayloadType(), e.DsseEnvelope.GetPayload()
	}
	s.leaf = s.signer.Certificate()
	switch p := s.expect.policy; {
	case s.leaf == nil && (p == nil || len(p.Keys) == 0):
		return refuse(ReasonKey, nil, "signed by a key without certificate, want %s", p.describe())
	case s.leaf != nil && p != nil && len(p.Identities) == 0:
		return refuse(ReasonKey, nil, "signed with a certificate, want %s", p.describe())
	case s.leaf != nil:
		return s.openCertificate()
	}
	return nil
}
