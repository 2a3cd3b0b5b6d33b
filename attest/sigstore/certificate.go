package sigstore

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

var (
	oidSAN      = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidIssuerV1 = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1} // the bare text
	oidIssuerV2 = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8} // an ASN.1 string
)

// openCertificate reads the identity of the signer's certificate, and checks what
// the library would let pass.
func (s *verification) openCertificate() error {
	c := s.leaf
	if what := usable(c.PublicKey); what != "" {
		return refuse(ReasonUnsupported, nil, "the certificate's key is %s", what)
	}
	if c.IsCA {
		return refuse(ReasonCertificate, nil, "it is an authority's, and signers are none")
	}
	if c.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return refuse(ReasonCertificate, nil, "its key is not for signatures")
	}
	if !slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}) || len(c.UnknownExtKeyUsage) > 0 {
		return refuse(ReasonCertificate, nil, "it is not for code signing alone")
	}
	summary, err := certificate.SummarizeCertificate(c)
	if err != nil {
		return refuse(ReasonCertificate, err, "it has no identity")
	}
	if n := len(c.URIs) + len(c.EmailAddresses) + len(c.DNSNames) + len(c.IPAddresses); n > 1 {
		return refuse(ReasonCertificate, nil, "it has %d subject alternative names, want 1", n)
	}
	issuer, err := issuerOf(c)
	if err != nil {
		return err
	}
	subject := summary.SubjectAlternativeName
	if len(issuer) > MaxIdentity || len(subject) > MaxIdentity {
		return refuse(ReasonLimit, nil, "issuer of %d bytes and subject of %d, at most %d", len(issuer), len(subject), MaxIdentity)
	}
	if strings.Contains(issuer, "|") || strings.ContainsFunc(issuer+subject, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
		return refuse(ReasonCertificate, nil, "issuer %q and subject %q cannot be told apart", issuer, subject)
	}
	s.out.Issuer, s.out.Subject, s.out.Identity = issuer, subject, identityOf(issuer, subject)
	s.out.Certificate, s.out.KeyID = c.Raw, keyID(c.RawSubjectPublicKeyInfo)
	return nil
}

// issuerOf returns the OpenID Connect issuer of a certificate. Certificates say it
// in two forms, for readers old and new, which must agree.
func issuerOf(c *x509.Certificate) (string, error) {
	var said []string
	for _, e := range c.Extensions {
		switch {
		case e.Id.Equal(oidIssuerV1):
			said = append(said, string(e.Value))
		case e.Id.Equal(oidIssuerV2):
			var text string
			if rest, err := asn1.Unmarshal(e.Value, &text); err != nil || len(rest) > 0 {
				return "", refuse(ReasonCertificate, err, "its issuer cannot be read")
			}
			said = append(said, text)
		}
	}
	if len(said) == 0 || said[0] == "" {
		return "", refuse(ReasonCertificate, nil, "it does not say which issuer knew its subject")
	}
	if len(slices.Compact(slices.Clone(said))) != 1 {
		return "", refuse(ReasonCertificate, nil, "it says two issuers: %q", said)
	}
	return said[0], nil
}

// checkCertificate checks the path from the certificate to an authority of the
// trust root at every time of the signature, and its signed timestamp.
func (s *verification) checkCertificate() error {
	if s.leaf == nil {
		return nil
	}
	leaf := s.leaf
	// Go does not know names of the sort "other", which are read by the library; a
	// critical extension with one would fail the path.
	leaf.UnhandledCriticalExtensions = slices.DeleteFunc(leaf.UnhandledCriticalExtensions, func(id asn1.ObjectIdentifier) bool { return id.Equal(oidSAN) })
	var chains [][]*x509.Certificate
	for _, t := range s.out.Times {
		at := t.At.Format(time.RFC3339)
		if !inside(t.At, leaf.NotBefore, leaf.NotAfter) {
			return refuse(ReasonExpired, nil, "signed at %s, the certificate is valid from %s to %s", at, leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
		}
		var err error
		if chains, err = verify.VerifyLeafCertificate(t.At, leaf, s.trusted); err != nil {
			return s.diagnoseChain(err, t.At)
		}
	}
	if s.sct {
		if err := verify.VerifySignedCertificateTimestamp(chains, 1, s.trusted); err != nil {
			return refuse(ReasonSCT, err, "")
		}
	}
	return nil
}

// diagnoseChain names why no path to an authority is good: because of a validity,
// if an authority that issued the certificate has one that is over or not yet
// begun, or for another reason.
func (s *verification) diagnoseChain(cause error, at time.Time) error {
	for _, a := range s.authorities {
		chain, err := a.parse()
		if err != nil || s.leaf.CheckSignatureFrom(chain[0]) != nil {
			continue
		}
		if !inside(at, a.From, a.Until) {
			return refuse(ReasonExpired, cause, "its authority %q is not trusted at %s", a.URL, at.Format(time.RFC3339))
		}
		for _, c := range chain {
			if !inside(at, c.NotBefore, c.NotAfter) {
				return refuse(ReasonExpired, cause, "the certificate of %q was not valid at %s", c.Subject.String(), at.Format(time.RFC3339))
			}
		}
	}
	return refuse(ReasonCertificate, cause, "issued by %q", s.leaf.Issuer.String())
}

// checkIdentity compares who signed with who is expected.
func (s *verification) checkIdentity() error {
	if s.leaf == nil || s.expect.policy == nil {
		return nil
	}
	for i := range s.expect.matchers {
		if s.expect.matchers[i].match(s.out.Issuer, s.out.Subject) {
			return nil
		}
	}
	return refuse(ReasonIdentity, nil, "signed by %q|%q, want %s", s.out.Issuer, s.out.Subject, s.expect.policy.describe())
}
