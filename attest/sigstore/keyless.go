package sigstore

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stella-ops/stella/attest/dsse"
)

// MaxToken is the limit of an identity token, in bytes.
const MaxToken = 16 << 10

// CertificateAuthority certifies who holds a key. Fulcio is one.
type CertificateAuthority interface {
	// Issue returns a certificate for pub and those above it, in DER, the signer's
	// first. token says who asks; proof is a signature by pub's private key of the
	// name that the token gives. An error wraps ErrUnauthenticated where the token is
	// not accepted.
	Issue(ctx context.Context, pub crypto.PublicKey, proof []byte, token string) ([][]byte, error)
}

// Keyless signs without a key that is kept: each Signer has a key of its own, which
// an authority certifies for some minutes and which is then forgotten. It is safe
// for concurrent use if its parts are.
type Keyless struct {
	Authority CertificateAuthority
	// Token returns an OpenID Connect identity token for the authority's audience. It
	// is a secret, and is in no error.
	Token func(context.Context) (string, error)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Signer makes a key (ECDSA on P-256) and has it certified. What comes back is
// checked as far as that goes without a trust root: the certificate is for this
// key, is valid now, is for signing, and names somebody. It is not believed here;
// verify what was signed.
func (k *Keyless) Signer(ctx context.Context) (*CertifiedKey, error) {
	now := k.Now
	if now == nil {
		now = time.Now
	}
	token, err := k.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for an identity token: %w", err)
	}
	name, err := challenge(token)
	if err != nil {
		return nil, err
	}
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	key, err := dsse.NewPrivateKey(raw)
	if err != nil {
		return nil, err
	}
	proof, err := key.Sign(ctx, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("prove that the key is held: %w", err)
	}
	chain, err := k.Authority.Issue(ctx, raw.Public(), proof, token)
	if err != nil {
		return nil, fmt.Errorf("have a key certified: %w", err)
	}
	c := &CertifiedKey{key: key, now: now}
	if err := c.take(chain); err != nil {
		return nil, err
	}
	return c, nil
}

// CertifiedKey signs with a key that is certified for a short time. It is a
// dsse.Signer, never changes, and is safe for concurrent use. Make it by
// Keyless.Signer.
type CertifiedKey struct {
	key             *dsse.PrivateKey
	now             func() time.Time
	chain           [][]byte
	from, until     time.Time
	issuer, subject string
}

// take checks what an authority issued, and keeps the signer's certificate and
// those above it but for the root, which verifiers have.
func (c *CertifiedKey) take(chain [][]byte) error {
	if len(chain) == 0 || len(chain) > MaxChain {
		return refuse(ReasonCertificate, nil, "the authority answers with %d certificates", len(chain))
	}
	for i, der := range chain {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return refuse(ReasonMalformed, err, "certificate %d of the authority's answer", i)
		}
		if i > 0 {
			if string(cert.RawIssuer) != string(cert.RawSubject) {
				c.chain = append(c.chain, der)
			}
			continue
		}
		s := &verification{leaf: cert}
		if err := s.openCertificate(); err != nil {
			return err
		}
		if s.out.KeyID != c.key.KeyID() {
			return refuse(ReasonKey, nil, "the authority certified another key")
		}
		if at := c.now(); !inside(at, cert.NotBefore, cert.NotAfter) {
			return refuse(ReasonExpired, nil, "issued for %s to %s, it is %s", cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339))
		}
		c.from, c.until = cert.NotBefore.UTC(), cert.NotAfter.UTC()
		c.issuer, c.subject = s.out.Issuer, s.out.Subject
		c.chain = append(c.chain, der)
	}
	return nil
}

// KeyID returns "": a certificate says which key it is, and a hint that nobody
// vouches for would only be one more thing to change.
func (c *CertifiedKey) KeyID() string { return "" }

// Sign returns the signature of message. Once the certificate is over it signs no
// more: the error wraps ErrMismatch, and another Signer is needed.
func (c *CertifiedKey) Sign(ctx context.Context, message []byte) ([]byte, error) {
	if at := c.now(); !inside(at, c.from, c.until) {
		return nil, refuse(ReasonExpired, nil, "the certificate is valid from %s to %s, it is %s", c.from.Format(time.RFC3339), c.until.Format(time.RFC3339), at.UTC().Format(time.RFC3339))
	}
	return c.key.Sign(ctx, message)
}

// Certificate returns the signer's certificate in DER, which goes into the bundle.
func (c *CertifiedKey) Certificate() []byte { return c.chain[0] }

// Intermediates returns the certificates between it and the root, in DER, which
// the trust root has to have.
func (c *CertifiedKey) Intermediates() [][]byte { return c.chain[1:] }

// Public returns the key.
func (c *CertifiedKey) Public() *dsse.PublicKey { return c.key.Public() }

// Identity returns whom the certificate is for, as Result.Identity.
func (c *CertifiedKey) Identity() string { return identityOf(c.issuer, c.subject) }

// Until returns when the certificate is over.
func (c *CertifiedKey) Until() time.Time { return c.until }

// challenge returns what must be signed to prove that a key is held: the name that
// an identity token gives. The token is not verified, which is for the authority.
func challenge(token string) (string, error) {
	if len(token) > MaxToken {
		return "", tokenError(ReasonLimit, "%d bytes, at most %d", len(token), MaxToken)
	}
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return "", tokenError(ReasonMalformed, "%d parts, want 3", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", tokenError(ReasonMalformed, "claims are not base64")
	}
	var claims struct {
		Subject  string `json:"sub"`
		Email    string `json:"email"`
		Verified any    `json:"email_verified"` // some issuers write a text
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		return "", tokenError(ReasonMalformed, "claims are not JSON")
	}
	if claims.Email != "" {
		if claims.Verified != true && claims.Verified != "true" {
			return "", tokenError(ReasonIdentity, "its email address is not verified")
		}
		return claims.Email, nil
	}
	if claims.Subject == "" {
		return "", tokenError(ReasonIdentity, "it names nobody")
	}
	return claims.Subject, nil
}

// tokenError makes an error about an identity token, of which nothing is shown.
func tokenError(r Reason, format string, args ...any) *Error {
	return &Error{Reason: r, What: "identity token", Detail: fmt.Sprintf(format, args...)}
}
