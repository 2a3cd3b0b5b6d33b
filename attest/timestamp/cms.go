package timestamp

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
)

// contentInfo is of RFC 5652, section 3.
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"explicit,tag:0"` // with the tag around it
}

// signedData is of RFC 5652, section 5.1.
type signedData struct {
	Version      int
	Digests      []pkix.AlgorithmIdentifier `asn1:"set"`
	Content      contentInfo
	Certificates asn1.RawValue `asn1:"optional,tag:0"`
	CRLs         asn1.RawValue `asn1:"optional,tag:1"`
	Signers      []signerInfo  `asn1:"set"`
}

// signerInfo is of RFC 5652, section 5.3. SID is a choice that signerID reads.
type signerInfo struct {
	Version    int
	SID        asn1.RawValue
	Digest     pkix.AlgorithmIdentifier
	Attributes asn1.RawValue `asn1:"optional,tag:0"`
	Algorithm  pkix.AlgorithmIdentifier
	Signature  []byte
	Unsigned   asn1.RawValue `asn1:"optional,tag:1"`
}

// attribute is of RFC 5652, section 5.3.
type attribute struct {
	Type   asn1.ObjectIdentifier
	Values []asn1.RawValue `asn1:"set"`
}

type issuerAndSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

// token is what is inside of a token, as it was written and not yet believed.
type token struct {
	der          []byte
	content      []byte // a TSTInfo
	certificates []*x509.Certificate
	signer       signerInfo
	attributes   []attribute
}

// readCMS reads a ContentInfo of one SignedData of one signer over a TSTInfo (RFC
// 3161, section 2.4.2).
func readCMS(der []byte) (*token, error) {
	var info contentInfo
	if err := unmarshal("ContentInfo", der, &info, ""); err != nil {
		return nil, err
	}
	if !info.Type.Equal(oidSignedData) {
		return nil, malformed("content of type %s, want signed data", info.Type)
	}
	var signed signedData
	if err := unmarshal("SignedData", info.Content.Bytes, &signed, ""); err != nil {
		return nil, err
	}
	if !signed.Content.Type.Equal(oidTSTInfo) {
		return nil, malformed("signed content of type %s, want a TSTInfo", signed.Content.Type)
	}
	if err := signed.check(); err != nil {
		return nil, err
	}
	t := new(token)
	if err := unmarshal("signed content", signed.Content.Content.Bytes, &t.content, ""); err != nil {
		return nil, err
	}
	t.signer = signed.Signers[0]
	var err error
	if t.certificates, err = readCertificates(signed.Certificates); err != nil {
		return nil, err
	}
	t.attributes, err = readAttributes(t.signer.signedAttributes())
	return t, err
}

// check leaves nothing in a token that no signature covers and that could be
// another: one signer, the versions that belong to it, one digest, no revocation
// lists and no unsigned attributes.
func (d *signedData) check() error {
	if len(d.Signers) != 1 {
		return malformed("%d signers, want one", len(d.Signers))
	}
	s := &d.Signers[0]
	version := 1
	if s.SID.Class == asn1.ClassContextSpecific {
		version = 3
	}
	switch {
	case d.Version != 3 || s.Version != version:
		return malformed("signed data of version %d with a signer of version %d, want 3 and %d", d.Version, s.Version, version)
	case len(d.Digests) != 1 || !d.Digests[0].Algorithm.Equal(s.Digest.Algorithm):
		return malformed("the digests of the signed data are not the signer's one")
	case len(d.CRLs.FullBytes) > 0:
		return malformed("revocation lists in the token")
	case len(s.Attributes.FullBytes) == 0:
		return malformed("no signed attributes")
	case len(s.Unsigned.FullBytes) > 0:
		return malformed("unsigned attributes")
	case !s.Attributes.IsCompound || len(d.Certificates.FullBytes) > 0 && !d.Certificates.IsCompound:
		return malformed("a set that is marked as a single value") // the library lets that pass
	case !plain(s.Algorithm):
		return malformed("a signature algorithm with parameters")
	}
	_, err := hashOf(d.Digests[0])
	return err
}

func readCertificates(raw asn1.RawValue) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for rest := raw.Bytes; len(rest) > 0; {
		if len(out) == MaxCertificates {
			return nil, &Error{Reason: ReasonTooLarge, Detail: fmt.Sprintf("more than %d certificates", MaxCertificates)}
		}
		var one asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &one); err != nil {
			return nil, &Error{Reason: ReasonMalformed, Detail: "certificates", Err: err}
		}
		c, err := x509.ParseCertificate(one.FullBytes)
		if err != nil {
			return nil, &Error{Reason: ReasonMalformed, Detail: fmt.Sprintf("certificate %d", len(out)), Err: err}
		}
		out = append(out, c)
	}
	return out, nil
}

// signedAttributes returns the attributes as they are signed: the bytes of the
// token, with the tag of a set (RFC 5652, section 5.4).
func (s *signerInfo) signedAttributes() []byte {
	der := bytes.Clone(s.Attributes.FullBytes)
	if len(der) > 0 {
		der[0] = asn1.TagSet | 0x20
	}
	return der
}

// readAttributes refuses a type that occurs twice: which of the two is meant is
// for nobody to choose.
func readAttributes(set []byte) ([]attribute, error) {
	var out []attribute
	if err := unmarshal("signed attributes", set, &out, "set"); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, a := range out {
		if seen[a.Type.String()] {
			return nil, malformed("signed attribute %s occurs twice", a.Type)
		}
		seen[a.Type.String()] = true
	}
	return out, nil
}

// value reads the one value of an attribute into out. It reports whether there
// is such an attribute.
func (t *token) value(oid asn1.ObjectIdentifier, out any) (bool, error) {
	for _, a := range t.attributes {
		if !a.Type.Equal(oid) {
			continue
		}
		if len(a.Values) != 1 {
			return true, malformed("signed attribute %s has %d values, want one", oid, len(a.Values))
		}
		return true, unmarshal("signed attribute "+oid.String(), a.Values[0].FullBytes, out, "")
	}
	return false, nil
}

// signedBy returns the certificate that the signer is named by, of several with
// that name and number the first, or nil.
func (s *signerInfo) signedBy(certificates []*x509.Certificate) *x509.Certificate {
	for _, c := range certificates {
		switch {
		case s.SID.Class == asn1.ClassContextSpecific && s.SID.Tag == 0: // subjectKeyIdentifier
			if len(s.SID.Bytes) > 0 && bytes.Equal(s.SID.Bytes, c.SubjectKeyId) {
				return c
			}
		case s.SID.Class == asn1.ClassUniversal && s.SID.Tag == asn1.TagSequence:
			var id issuerAndSerial
			if unmarshal("", s.SID.FullBytes, &id, "") == nil && id.Serial.Cmp(c.SerialNumber) == 0 && bytes.Equal(id.Issuer.FullBytes, c.RawIssuer) {
				return c
			}
		}
	}
	return nil
}

// verify holds the token's signature against a certificate.
func (t *token) verify(c *x509.Certificate) error {
	var contentType asn1.ObjectIdentifier
	if ok, err := t.value(oidContentType, &contentType); err != nil {
		return err
	} else if !ok || !contentType.Equal(oidTSTInfo) {
		return malformed("the signed attributes do not say that the content is a TSTInfo")
	}
	hash, err := hashOf(t.signer.Digest)
	if err != nil {
		return err
	}
	var digest []byte
	if ok, err := t.value(oidMessageDigest, &digest); err != nil {
		return err
	} else if !ok || !bytes.Equal(digest, sum(hash, t.content)) {
		return &Error{Reason: ReasonSignature, Detail: "the signed attributes have another digest than the content"}
	}
	if err := t.namesCertificate(c); err != nil {
		return err
	}
	algorithm, err := t.signer.algorithm(hash)
	if err != nil {
		return err
	}
	if err := c.CheckSignature(algorithm, t.signer.signedAttributes(), t.signer.Signature); err != nil {
		return &Error{Reason: ReasonSignature, Detail: fmt.Sprintf("by certificate %q", c.Subject), Err: err}
	}
	return nil
}

// algorithm joins the algorithms of signature and digest, which must agree.
func (s *signerInfo) algorithm(hash crypto.Hash) (x509.SignatureAlgorithm, error) {
	for _, a := range signatures {
		if s.Algorithm.Algorithm.Equal(a.oid) && (a.hash == 0 || a.hash == hash) {
			return a.with[hash], nil
		}
	}
	return 0, &Error{Reason: ReasonAlgorithm, Detail: fmt.Sprintf("a signature by %s over %s", s.Algorithm.Algorithm, hash)}
}
