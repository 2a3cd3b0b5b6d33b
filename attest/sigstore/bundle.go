package sigstore

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	strict "github.com/stella-ops/stella/attest/bundle"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/protobuf/encoding/protojson"
)

// versions are the media types of bundles, with whether entries need a promise or
// a proof, and whether the certificate stands alone.
var versions = map[string]struct{ promise, proof, alone bool }{
	"application/vnd.dev.sigstore.bundle+json;version=0.1": {promise: true},
	"application/vnd.dev.sigstore.bundle+json;version=0.2": {proof: true},
	"application/vnd.dev.sigstore.bundle+json;version=0.3": {proof: true, alone: true},
	"application/vnd.dev.sigstore.bundle.v0.3+json":        {proof: true, alone: true},
}

// decode reads a bundle. What the library would look at later, or not at all, is
// looked at here, so that its form is settled once.
func decode(text []byte) (*bundle.Bundle, error) {
	if len(text) > MaxBundle {
		return nil, refuse(ReasonLimit, nil, "%d bytes, at most %d", len(text), MaxBundle)
	}
	pb := &protobundle.Bundle{}
	if err := protojson.Unmarshal(text, pb); err != nil {
		return nil, refuse(ReasonMalformed, nil, "%v", err)
	}
	version, ok := versions[pb.GetMediaType()]
	if !ok {
		return nil, refuse(ReasonUnsupported, nil, "media type %q", pb.GetMediaType())
	}
	if err := checkContent(pb); err != nil {
		return nil, err
	}
	m := pb.GetVerificationMaterial()
	if err := checkMaterial(m, version.alone); err != nil {
		return nil, err
	}
	if n := len(m.GetTlogEntries()); n > MaxEntries {
		return nil, refuse(ReasonLimit, nil, "%d log entries, at most %d", n, MaxEntries)
	}
	if n := len(m.GetTimestampVerificationData().GetRfc3161Timestamps()); n > MaxTimestamps {
		return nil, refuse(ReasonLimit, nil, "%d timestamps, at most %d", n, MaxTimestamps)
	}
	for i, e := range m.GetTlogEntries() {
		if err := checkEntry(i, e); err != nil {
			return nil, err
		}
		if version.promise && len(e.GetInclusionPromise().GetSignedEntryTimestamp()) == 0 {
			return nil, refuse(ReasonPromise, nil, "entry %d has none, which bundles of this version need", i)
		}
		if version.proof && e.GetInclusionProof() == nil {
			return nil, refuse(ReasonProof, nil, "entry %d has none, which bundles of this version need", i)
		}
	}
	// One bundle has one spelling of what is signed: package bundle is stricter than
	// the library about bytes.
	if _, err := strict.Decode(text); err != nil {
		return nil, refuse(reasonOfKind(err), err, "")
	}
	b, err := bundle.NewBundle(pb)
	if err != nil {
		return nil, refuse(ReasonMalformed, err, "")
	}
	return b, nil
}

// reasonOfKind returns the reason for an error of another package's reader.
func reasonOfKind(err error) Reason {
	switch {
	case errors.Is(err, ErrUnsupported):
		return ReasonUnsupported
	case errors.Is(err, ErrLimit):
		return ReasonLimit
	}
	return ReasonMalformed
}

// checkContent checks what is signed.
func checkContent(pb *protobundle.Bundle) error {
	switch c := pb.GetContent().(type) {
	case *protobundle.Bundle_DsseEnvelope:
		if n := len(c.DsseEnvelope.GetSignatures()); n != 1 {
			return refuse(ReasonMalformed, nil, "envelope with %d signatures, want 1", n)
		}
		if c.DsseEnvelope.GetPayloadType() == "" || c.DsseEnvelope.Payload == nil || len(c.DsseEnvelope.Signatures[0].GetSig()) == 0 {
			return refuse(ReasonMalformed, nil, "envelope without payload, its type or signature")
		}
	case *protobundle.Bundle_MessageSignature:
		d := c.MessageSignature.GetMessageDigest()
		if len(c.MessageSignature.GetSignature()) == 0 || d == nil {
			return refuse(ReasonMalformed, nil, "message without signature or digest")
		}
		if _, ok := algorithms[d.GetAlgorithm()]; !ok {
			return refuse(ReasonUnsupported, nil, "digest by %v", d.GetAlgorithm())
		}
	default:
		return refuse(ReasonMalformed, nil, "it holds neither an envelope nor a message's signature")
	}
	return nil
}

// algorithms are the names of digests.
var algorithms = map[common.HashAlgorithm]string{
	common.HashAlgorithm_SHA2_256: "sha256",
	common.HashAlgorithm_SHA2_384: "sha384",
	common.HashAlgorithm_SHA2_512: "sha512",
}

// checkMaterial checks the certificates of a bundle.
func checkMaterial(m *protobundle.VerificationMaterial, alone bool) error {
	switch c := m.GetContent().(type) {
	case *protobundle.VerificationMaterial_PublicKey:
		return nil
	case *protobundle.VerificationMaterial_Certificate:
		return checkCertificates([]*common.X509Certificate{c.Certificate})
	case *protobundle.VerificationMaterial_X509CertificateChain:
		certs := c.X509CertificateChain.GetCertificates()
		if alone {
			return refuse(ReasonMalformed, nil, "a chain of certificates, where bundles of this version have one")
		}
		return checkCertificates(certs)
	}
	return refuse(ReasonMalformed, nil, "it has neither a certificate nor a key's hint")
}

func checkCertificates(certs []*common.X509Certificate) error {
	if len(certs) == 0 {
		return refuse(ReasonMalformed, nil, "no certificate")
	}
	if len(certs) > MaxChain {
		return refuse(ReasonLimit, nil, "%d certificates, at most %d", len(certs), MaxChain)
	}
	for i, c := range certs {
		cert, err := x509.ParseCertificate(c.GetRawBytes())
		if err != nil {
			return refuse(ReasonMalformed, err, "certificate %d", i)
		}
		if i > 0 && bytes.Equal(cert.RawIssuer, cert.RawSubject) {
			return refuse(ReasonMalformed, nil, "certificate %d is a root, which the trust root alone says", i)
		}
	}
	return nil
}

// checkEntry checks the form of a log's entry, and that what it says twice it says
// alike. Numbers that nobody signed must be absent or agree with what is signed.
func checkEntry(i int, e *rekor.TransparencyLogEntry) error {
	if e.GetLogIndex() < 0 || len(e.GetLogId().GetKeyId()) == 0 || e.GetKindVersion() == nil || len(e.GetCanonicalizedBody()) == 0 || e.GetIntegratedTime() < 0 {
		return refuse(ReasonMalformed, nil, "entry %d lacks its index, log, kind or body", i)
	}
	if p := e.GetInclusionProof(); p != nil {
		if p.GetLogIndex() < 0 || p.GetTreeSize() <= p.GetLogIndex() || len(p.GetHashes()) > 64 {
			return refuse(ReasonProof, nil, "entry %d: index %d in a tree of %d by %d hashes", i, p.GetLogIndex(), p.GetTreeSize(), len(p.GetHashes()))
		}
		if !proven(e) {
			return refuse(ReasonProof, nil, "entry %d: it does not lead from the body to the root", i)
		}
		if p.GetCheckpoint().GetEnvelope() == "" {
			return refuse(ReasonCheckpoint, nil, "entry %d has none", i)
		}
	}
	var body struct {
		Kind       string `json:"kind"`
		APIVersion string `json:"apiVersion"`
	}
	if err := json.Unmarshal(e.GetCanonicalizedBody(), &body); err != nil {
		return refuse(ReasonMalformed, err, "body of entry %d", i)
	}
	if body.Kind != e.GetKindVersion().GetKind() || body.APIVersion != e.GetKindVersion().GetVersion() {
		return refuse(ReasonMalformed, nil, "entry %d is said to be %s %s, its body is %s %s", i, e.GetKindVersion().GetKind(), e.GetKindVersion().GetVersion(), body.Kind, body.APIVersion)
	}
	if !kinds[body.Kind+" "+body.APIVersion] {
		return refuse(ReasonUnsupported, nil, "entry %d is %s %s", i, body.Kind, body.APIVersion)
	}
	if _, err := tlog.ParseTransparencyLogEntry(e); err != nil {
		// The library verifies signatures of bodies while it reads them.
		return refuse(ReasonEntry, err, "entry %d is of nothing that was signed", i)
	}
	return nil
}

// kinds are those of entries, with their versions.
var kinds = map[string]bool{"hashedrekord 0.0.1": true, "hashedrekord 0.0.2": true, "dsse 0.0.1": true, "intoto 0.0.2": true}

// proven reports whether an entry's inclusion proof leads from its body to the
// root that it says, which is to be compared with the checkpoint's.
func proven(e *rekor.TransparencyLogEntry) bool {
	p := e.GetInclusionProof()
	leaf := rfc6962.DefaultHasher.HashLeaf(e.GetCanonicalizedBody())
	return proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(p.GetLogIndex()), uint64(p.GetTreeSize()), leaf, p.GetHashes(), p.GetRootHash()) == nil
}
