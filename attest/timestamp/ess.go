package timestamp

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// essCertID is of RFC 2634, section 5.4.1: by SHA-1.
type essCertID struct {
	Hash   []byte
	Issuer asn1.RawValue `asn1:"optional"`
}

// essCertIDv2 is of RFC 5035, section 4.
type essCertIDv2 struct {
	Algorithm pkix.AlgorithmIdentifier `asn1:"optional"` // SHA-256 where it is absent
	Hash      []byte
	Issuer    asn1.RawValue `asn1:"optional"`
}

type signingCertificate struct {
	Certs    []essCertID
	Policies asn1.RawValue `asn1:"optional"`
}

type signingCertificateV2 struct {
	Certs    []essCertIDv2
	Policies asn1.RawValue `asn1:"optional"`
}

// namesCertificate holds the certificate against the digest of it in the signed
// attributes, so that another certificate of the same key, or of the same name
// and number, does not do (RFC 5816, section 2.2.1). The older attribute's SHA-1
// is no weakness here: the certificate was chosen by the authority's list, and a
// second one of its digest would have to be its own as well.
func (t *token) namesCertificate(c *x509.Certificate) error {
	var v2 signingCertificateV2
	has2, err := t.value(oidSigningCertificateV2, &v2)
	if err != nil {
		return err
	}
	if has2 {
		if len(v2.Certs) == 0 {
			return malformed("an attribute of the signer's certificate that names none")
		}
		hash := crypto.SHA256
		if first := v2.Certs[0]; len(first.Algorithm.Algorithm) > 0 {
			if hash, err = hashOf(first.Algorithm); err != nil {
				return err
			}
		}
		if !bytes.Equal(v2.Certs[0].Hash, sum(hash, c.Raw)) {
			return otherCertificate()
		}
	}
	var v1 signingCertificate
	has1, err := t.value(oidSigningCertificate, &v1)
	if err != nil {
		return err
	}
	if has1 {
		digest := sha1.Sum(c.Raw)
		if len(v1.Certs) == 0 || !bytes.Equal(v1.Certs[0].Hash, digest[:]) {
			return otherCertificate()
		}
	}
	if !has1 && !has2 {
		return malformed("the signed attributes do not name the signer's certificate")
	}
	return nil
}

func otherCertificate() error {
	return &Error{Reason: ReasonSignature, Detail: "the signed attributes name another certificate than the signer's"}
}
