package sigstore

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
	"github.com/stella-ops/stella/attest/dsse"
)

// Policy says whose signatures count. One identity or key that fits is enough;
// the zero Policy fits nobody.
type Policy struct {
	// Identities may sign with a certificate.
	Identities []Identity
	// Keys may sign without one.
	Keys []Key
}

// Identity is who a certificate is for. Issuer is required, and either Subject or
// SubjectPattern.
type Identity struct {
	// Issuer is the OpenID Connect issuer that knew the subject, exactly.
	Issuer string
	// Subject is the certificate's subject alternative name, exactly.
	Subject string
	// SubjectPattern is a regular expression (RE2) that the whole name must match.
	SubjectPattern string
}

// Key is a public key whose holder signs without certificates.
type Key struct {
	Public *dsse.PublicKey
	// From and Until are when the key is valid, both inclusive; zero is endless.
	// Where one is set, a signature needs a time, and every time must be inside.
	From, Until time.Time
}

// bounded reports whether the key has a validity.
func (k *Key) bounded() bool { return !k.From.IsZero() || !k.Until.IsZero() }

// validAt reports whether the key is valid at a time.
func (k *Key) validAt(at time.Time) bool {
	return (k.From.IsZero() || !at.Before(k.From)) && (k.Until.IsZero() || !at.After(k.Until))
}

// matcher tells whether a certificate's identity is expected.
type matcher struct {
	issuer, subject string
	pattern         *regexp.Regexp // nil where subject is exact
}

// matchers reads the identities of a policy, all of which must be usable.
func (p *Policy) matchers() ([]matcher, error) {
	if p == nil || len(p.Identities) == 0 && len(p.Keys) == 0 {
		return nil, policyError(ReasonIdentity, nil, "it names nobody, so nobody can have signed")
	}
	var out []matcher
	for i, id := range p.Identities {
		if id.Issuer == "" || (id.Subject == "") == (id.SubjectPattern == "") {
			return nil, policyError(ReasonMalformed, nil, "identity %d needs an issuer, and a subject or a pattern", i)
		}
		m := matcher{issuer: id.Issuer, subject: id.Subject}
		if id.SubjectPattern != "" {
			if len(id.SubjectPattern) > MaxIdentity {
				return nil, policyError(ReasonLimit, nil, "pattern of identity %d", i)
			}
			// It is compiled alone first, as a bracket in it could close those that keep
			// an alternative from being anchored at one end only.
			re, err := regexp.Compile(id.SubjectPattern)
			if err == nil {
				re, err = regexp.Compile(`\A(?:` + id.SubjectPattern + `)\z`)
			}
			if err != nil {
				return nil, policyError(ReasonMalformed, err, "pattern of identity %d", i)
			}
			m.pattern = re
		}
		out = append(out, m)
	}
	for i, k := range p.Keys {
		if k.Public == nil {
			return nil, policyError(ReasonMalformed, nil, "key %d is nil", i)
		}
	}
	return out, nil
}

// match reports whether it is this identity that the matcher expects.
func (m *matcher) match(issuer, subject string) bool {
	if issuer != m.issuer {
		return false
	}
	if m.pattern != nil {
		return m.pattern.MatchString(subject)
	}
	return subject == m.subject
}

// identityOf names a certificate's identity as trust documents do.
func identityOf(issuer, subject string) string { return "sigstore:" + issuer + "|" + subject }

// identityOfKey names a key as trust documents do.
func identityOfKey(k *dsse.PublicKey) string { return "key:sha256:" + k.KeyID() }

// keyMaterial is a trust root with one managed key, which it gives for every
// hint: hints are a stranger's words.
type keyMaterial struct {
	root.TrustedMaterial
	key root.TimeConstrainedVerifier
}

// PublicKeyVerifier returns the key.
func (m *keyMaterial) PublicKeyVerifier(string) (root.TimeConstrainedVerifier, error) {
	return m.key, nil
}

// loadKey makes the library's verifier of a key.
func loadKey(k *Key, envelope bool) (root.TimeConstrainedVerifier, error) {
	pub, err := x509.ParsePKIXPublicKey(k.Public.DER())
	if err != nil {
		return nil, policyError(ReasonMalformed, err, "key")
	}
	v, err := loadVerifier(pub, envelope)
	if err != nil {
		return nil, policyError(ReasonUnsupported, err, "key")
	}
	return root.NewExpiringKey(v, k.From, k.Until), nil
}

// loadVerifier makes the library's verifier of a key: envelopes are signed with
// Ed25519, messages with Ed25519ph.
func loadVerifier(pub crypto.PublicKey, envelope bool) (signature.Verifier, error) {
	if envelope {
		return signature.LoadDefaultVerifier(pub)
	}
	return signature.LoadDefaultVerifier(pub, options.WithED25519ph())
}

// describe says what a policy expects, for messages.
func (p *Policy) describe() string {
	if p == nil {
		return "anybody"
	}
	var out []string
	for _, id := range p.Identities {
		if id.SubjectPattern != "" {
			out = append(out, fmt.Sprintf("%q|/%s/", id.Issuer, id.SubjectPattern))
		} else {
			out = append(out, fmt.Sprintf("%q|%q", id.Issuer, id.Subject))
		}
	}
	for _, k := range p.Keys {
		out = append(out, identityOfKey(k.Public))
	}
	return strings.Join(out, ", ")
}

// policyError makes an error about a policy.
func policyError(r Reason, cause error, format string, args ...any) *Error {
	return &Error{Reason: r, What: "policy", Detail: fmt.Sprintf(format, args...), Err: cause}
}
