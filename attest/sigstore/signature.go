package sigstore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// checkSignature checks the signature by the certificate's key, or by the keys
// that are expected.
func (s *verification) checkSignature() error {
	if s.leaf != nil {
		if err := s.signed(s.trusted); err != nil {
			return refuse(ReasonSignature, err, "")
		}
		return nil
	}
	var last error
	for i := range s.expect.policy.Keys {
		k := &s.expect.policy.Keys[i]
		key, err := loadKey(k, s.envelope)
		if err != nil {
			return err
		}
		m := &keyMaterial{TrustedMaterial: s.material, key: key}
		if last = s.signed(m); last == nil {
			s.key, s.trusted = k, m
			s.out.KeyID, s.out.Identity = k.Public.KeyID(), identityOfKey(k.Public)
			return nil
		}
	}
	return refuse(ReasonSignature, last, "want %s", s.expect.policy.describe())
}

// signed asks the library whether the signature is good by the key of material.
func (s *verification) signed(material root.TrustedMaterial) error {
	if s.envelope {
		return verify.VerifySignature(s.content, s.signer, material)
	}
	m := s.bundle.GetMessageSignature().GetMessageDigest()
	return verify.VerifySignatureWithArtifactDigests(s.content, s.signer, material,
		[]verify.ArtifactDigest{{Algorithm: algorithms[m.GetAlgorithm()], Digest: m.GetDigest()}})
}

// usable says what is wrong with a certificate's key, or "".
func usable(key crypto.PublicKey) string {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return ""
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P224() {
			return "ECDSA on P-224"
		}
		return ""
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < 2048 || n > 8192 {
			return "RSA of less than 2048 or more than 8192 bits"
		}
		return ""
	}
	return "an unknown algorithm"
}

// keyID returns the id of a certificate's key as package dsse has it.
func keyID(spki []byte) string {
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:])
}
