package timestamp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Authority is a timestamp authority that is trusted.
type Authority struct {
	// Name is how messages call it, such as its URI.
	Name string
	// Certificates lead from the one that signs tokens to the root, as in a trusted
	// root of Sigstore: the last one is trusted, the others must lead to it. Where
	// there are certificates that are not of a CA, tokens must be signed by one of
	// them; where all are of CAs, the token brings its certificate with it.
	Certificates []*x509.Certificate
	// From and To are the first and the last moment at which the authority's tokens
	// are believed: both are within. From is required; a zero To means no end.
	From, To time.Time
	// Policies are the policies, as object identifiers, under which it is believed;
	// none means under any.
	Policies []string
}

// Verify returns what a token says of message, if one of the authorities made
// it. The token is a TimeStampToken or, as in bundles, the whole TimeStampResp
// around one. message is what was stamped, not its digest: in a bundle, the
// bytes of the signature. An error is an [*Error] that names a [Reason], or wraps
// ErrInvalid where the authorities themselves cannot be used; no authorities is
// ReasonAuthority.
func Verify(der, message []byte, authorities []*Authority) (*Stamp, error) {
	_, s, err := verify(der, message, authorities)
	return s, err
}

func verify(der, message []byte, authorities []*Authority) (*token, *Stamp, error) {
	if err := checkAuthorities(authorities); err != nil {
		return nil, nil, err
	}
	t, err := read(der)
	if err != nil {
		return nil, nil, err
	}
	info, stamp, err := readInfo(t.content)
	if err != nil {
		return nil, nil, err
	}
	if err := info.matches(stamp.Hash, message); err != nil {
		return nil, nil, err
	}
	var refused error
	for _, a := range authorities {
		c := a.signer(t)
		if c == nil {
			continue
		}
		err := a.verify(t, c, stamp)
		if err == nil {
			stamp.Authority = a
			return t, stamp, nil
		}
		if refused == nil {
			refused = err
		}
	}
	if refused == nil {
		refused = &Error{Reason: ReasonAuthority, Detail: fmt.Sprintf("none of %d authorities signed the token", len(authorities))}
	}
	return nil, nil, refused
}

// read reads a token, or the response around one.
func read(der []byte) (*token, error) {
	if err := checkDER(der); err != nil {
		return nil, err
	}
	var outer, first asn1.RawValue
	if err := unmarshal("token", der, &outer, ""); err != nil {
		return nil, err
	}
	if _, err := asn1.Unmarshal(outer.Bytes, &first); err != nil {
		return nil, &Error{Reason: ReasonMalformed, Detail: "token", Err: err}
	}
	if first.Tag == asn1.TagSequence { // a PKIStatusInfo; a token begins with its type
		var err error
		if der, err = readResponse(der); err != nil {
			return nil, err
		}
	}
	t, err := readCMS(der)
	if err != nil {
		return nil, err
	}
	t.der = der
	return t, nil
}

// verify says whether the authority made a token with this certificate.
func (a *Authority) verify(t *token, c *x509.Certificate, s *Stamp) error {
	if err := checkUsage(c); err != nil {
		return err
	}
	if err := t.verify(c); err != nil {
		return err
	}
	if s.Time.Before(a.From) || !a.To.IsZero() && s.Time.After(a.To) {
		return &Error{Reason: ReasonWindow, Detail: fmt.Sprintf("%s at %s: believed %s", a.Name, rfc3339(s.Time), window(a.From, a.To))}
	}
	if err := a.checkChain(t, c, s.Time); err != nil {
		return err
	}
	if len(a.Policies) > 0 && !slices.Contains(a.Policies, s.Policy) {
		return &Error{Reason: ReasonPolicy, Detail: fmt.Sprintf("%s: policy %s, want %s", a.Name, s.Policy, a.Policies)}
	}
	return nil
}

// signer returns the certificate that the token's signer is named by, or nil
// where this authority has nothing to do with it.
func (a *Authority) signer(t *token) *x509.Certificate {
	if c := t.signer.signedBy(a.Certificates); c != nil {
		return c
	}
	if slices.ContainsFunc(a.Certificates, func(c *x509.Certificate) bool { return !c.IsCA }) {
		return nil
	}
	c := t.signer.signedBy(t.certificates)
	if c == nil || c.IsCA {
		return nil
	}
	return c
}

// checkUsage holds a certificate against RFC 3161, section 2.3, and its key
// against what is no longer trusted.
func checkUsage(c *x509.Certificate) error {
	critical := slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidExtKeyUsage) && e.Critical })
	switch {
	case len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(c.UnknownExtKeyUsage) > 0:
		return &Error{Reason: ReasonUsage, Detail: fmt.Sprintf("%q: its extended usage is not timeStamping alone", c.Subject)}
	case !critical:
		return &Error{Reason: ReasonUsage, Detail: fmt.Sprintf("%q: its extended usage is not critical", c.Subject)}
	case c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0:
		return &Error{Reason: ReasonUsage, Detail: fmt.Sprintf("%q: its usage is not to sign", c.Subject)}
	}
	switch k := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize >= 256 {
			return nil
		}
	case ed25519.PublicKey:
		return nil
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits >= MinRSA && bits <= MaxRSA {
			return nil
		}
	}
	return &Error{Reason: ReasonAlgorithm, Detail: fmt.Sprintf("%q: a key of %s, want ECDSA of 256 bits, Ed25519, or RSA of %d to %d bits", c.Subject, c.PublicKeyAlgorithm, MinRSA, MaxRSA)}
}

// checkChain says whether the certificate leads to the authority's root, with
// all on the way valid at the time, the root too.
func (a *Authority) checkChain(t *token, c *x509.Certificate, at time.Time) error {
	opts := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	}
	last := len(a.Certificates) - 1
	opts.Roots.AddCert(a.Certificates[last])
	for _, i := range slices.Concat(a.Certificates[:last], t.certificates) {
		opts.Intermediates.AddCert(i)
	}
	chains, err := c.Verify(opts)
	if err == nil {
		return t.knownCertificates(slices.Concat(a.Certificates, slices.Concat(chains...)))
	}
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage {
		return &Error{Reason: ReasonUsage, Detail: a.Name, Err: err}
	}
	if e := outdated(c, slices.Concat(a.Certificates, t.certificates), at); e != nil {
		return &Error{Reason: ReasonExpired, Detail: fmt.Sprintf("%s at %s: certificate %q is valid %s", a.Name, rfc3339(at), e.Subject, window(e.NotBefore, e.NotAfter)), Err: err}
	}
	return &Error{Reason: ReasonChain, Detail: a.Name, Err: err}
}

// knownCertificates refuses what a token brings without need: nothing vouches
// for it.
func (t *token) knownCertificates(known []*x509.Certificate) error {
	for _, c := range t.certificates {
		if !slices.ContainsFunc(known, c.Equal) {
			return &Error{Reason: ReasonChain, Detail: fmt.Sprintf("the token has a certificate %q, which the authority does not list and its chain does not need", c.Subject)}
		}
	}
	return nil
}

// outdated returns the first certificate on the way from c that is not valid at
// a time, or nil: the library tells an issuer that expired like one that is
// unknown.
func outdated(c *x509.Certificate, known []*x509.Certificate, at time.Time) *x509.Certificate {
	for range MaxCertificates {
		if at.Before(c.NotBefore) || at.After(c.NotAfter) {
			return c
		}
		i := slices.IndexFunc(known, func(p *x509.Certificate) bool {
			return !p.Equal(c) && bytes.Equal(p.RawSubject, c.RawIssuer)
		})
		if i < 0 {
			return nil
		}
		c = known[i]
	}
	return nil
}

func checkAuthorities(authorities []*Authority) error {
	if len(authorities) > MaxAuthorities {
		return &fault.LimitError{What: "authorities", Where: "timestamp", Max: MaxAuthorities, Seen: int64(len(authorities))}
	}
	for i, a := range authorities {
		switch {
		case a == nil || len(a.Certificates) == 0 || slices.Contains(a.Certificates, nil):
			return fmt.Errorf("timestamp authority %d has no certificates: %w", i, fault.Invalid)
		case len(a.Certificates) > MaxCertificates:
			return &fault.LimitError{What: "certificates", Where: "timestamp authority " + a.Name, Max: MaxCertificates, Seen: int64(len(a.Certificates))}
		case a.From.IsZero():
			return fmt.Errorf("timestamp authority %d, %s: no time from which it is believed: %w", i, a.Name, fault.Invalid)
		case !a.To.IsZero() && a.To.Before(a.From):
			return fmt.Errorf("timestamp authority %d, %s: believed %s, which is never: %w", i, a.Name, window(a.From, a.To), fault.Invalid)
		}
	}
	return nil
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func window(from, to time.Time) string {
	if to.IsZero() {
		return "from " + rfc3339(from) + " on"
	}
	return "from " + rfc3339(from) + " to " + rfc3339(to)
}
