package sigstoretest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/url"
	"strings"
	"time"
)

// Authority issues certificates: a root, and one below it that signs them.
type Authority struct {
	Root, Below *x509.Certificate
	key         *ecdsa.PrivateKey // of Below
}

// NewAuthority makes an authority that is valid for a year before and after a time.
// change, which may be nil, changes the certificate below the root before it is
// signed.
func NewAuthority(name string, at time.Time, change func(*x509.Certificate)) (*Authority, error) {
	rootKey, err := newKey()
	if err != nil {
		return nil, err
	}
	a := &Authority{}
	if a.key, err = newKey(); err != nil {
		return nil, err
	}
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{Organization: []string{"stella.test"}, CommonName: name},
			NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(1, 0, 0),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
	}
	root := template(1, name)
	if a.Root, err = sign(root, root, rootKey.Public(), rootKey); err != nil {
		return nil, err
	}
	below := template(2, name+", intermediate")
	below.MaxPathLenZero = true
	if change != nil {
		change(below)
	}
	a.Below, err = sign(below, a.Root, a.key.Public(), rootKey)
	return a, err
}

// Chain returns the authority's certificates in DER, as a trust root has them.
func (a *Authority) Chain() [][]byte { return [][]byte{a.Below.Raw, a.Root.Raw} }

// Certificate issues a certificate for a subject, a URI or an email address, that is
// valid for ten minutes from a time on. change, which may be nil, changes it before
// it is signed.
func (i *Instance) Certificate(pub crypto.PublicKey, subject string, from time.Time, change func(*x509.Certificate)) ([]byte, error) {
	issuer, err := asn1.MarshalWithParams(Issuer, "utf8")
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1000), NotBefore: from, NotAfter: from.Add(10 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(Issuer)},
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: issuer},
		},
	}
	if u, err := url.Parse(subject); err == nil && u.Scheme != "" {
		c.URIs = []*url.URL{u}
	} else if strings.Contains(subject, "@") {
		c.EmailAddresses = []string{subject}
	}
	if change != nil {
		change(c)
	}
	cert, err := sign(c, i.CA.Below, pub, i.CA.key)
	if err != nil {
		return nil, err
	}
	return cert.Raw, nil
}

func sign(c, parent *x509.Certificate, pub crypto.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
