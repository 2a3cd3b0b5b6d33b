package rekor

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
)

// key is a signing key as entries name it.
type key struct {
	der         []byte // of the certificate, or SubjectPublicKeyInfo
	certificate bool
	details     []string // the names of its algorithm; the first is what is written
	hash        crypto.Hash
}

// key reads the key or certificate of r.
func (r *Record) key() (*key, error) {
	switch {
	case len(r.PublicKey) > 0 && len(r.Certificate) > 0:
		return nil, fmt.Errorf("record: both a public key and a certificate: %w", fault.Invalid)
	case len(r.PublicKey) > 0:
		p, err := dsse.ParsePublicKeyDER(r.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
		return newKey(p, p.DER(), false)
	case len(r.Certificate) > 0:
		c, err := x509.ParseCertificate(r.Certificate)
		if err != nil {
			return nil, fmt.Errorf("record: certificate: %v: %w", err, fault.Invalid)
		}
		p, err := dsse.NewPublicKey(c.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("record: certificate: %w", err)
		}
		return newKey(p, c.Raw, true)
	}
	return nil, fmt.Errorf("record: neither a public key nor a certificate: %w", fault.Invalid)
}

func newKey(p *dsse.PublicKey, der []byte, certificate bool) (*key, error) {
	public, err := x509.ParsePKIXPublicKey(p.DER())
	if err != nil {
		return nil, fmt.Errorf("record: public key: %v: %w", err, fault.Invalid)
	}
	k := &key{der: der, certificate: certificate}
	switch public := public.(type) {
	case ed25519.PublicKey:
		k.hash, k.details = crypto.SHA512, []string{"PKIX_ED25519_PH"}
	case *ecdsa.PublicKey:
		k.hash, k.details = crypto.SHA256, []string{"PKIX_ECDSA_P256_SHA_256"}
		if public.Curve == elliptic.P384() {
			k.hash, k.details = crypto.SHA384, []string{"PKIX_ECDSA_P384_SHA_384"}
		}
	case *rsa.PublicKey:
		bits := public.Size() * 8
		if !slices.Contains([]int{2048, 3072, 4096}, bits) {
			return nil, fmt.Errorf("record: RSA of %d bits: log entries know 2048, 3072 and 4096: %w", bits, fault.Unsupported)
		}
		k.hash = crypto.SHA256
		k.details = []string{fmt.Sprintf("PKIX_RSA_PSS_%d_SHA256", bits), fmt.Sprintf("PKIX_RSA_PKCS1V15_%d_SHA256", bits)}
	default:
		return nil, fmt.Errorf("record: public key: %T: %w", public, fault.Unsupported)
	}
	return k, nil
}

// pem64 is how Rekor v1 writes the key: PEM in base64.
func (k *key) pem64() string {
	block := pem.Block{Type: "PUBLIC KEY", Bytes: k.der}
	if k.certificate {
		block.Type = "CERTIFICATE"
	}
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&block))
}

// verifier is how Rekor v2 writes the key, with one of its algorithms.
func (k *key) verifier(details string) *verifier {
	raw := &rawBytes{Raw: base64.StdEncoding.EncodeToString(k.der)}
	if k.certificate {
		return &verifier{Details: details, Certificate: raw}
	}
	return &verifier{Details: details, PublicKey: raw}
}
