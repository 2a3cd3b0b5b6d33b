// Package envelope passes on between services who sends a request, so that a service
// believes neither the network nor a header: a gateway that has checked a caller signs its
// identity together with the request that it belongs to, and the service checks both.
//
// An envelope is "v1." + payload + "." + signature, both in base64url without padding; the
// payload is JSON, the signature Ed25519 (RFC 8032) over a prefix of its own and all that
// stands before the last dot. There is no choice of algorithm and no key in it. It is good
// for one service, method, path with query, and body, and for 30 seconds.
package envelope

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid         // a signer or verifier that cannot work
	ErrUnauthenticated error = fault.Unauthenticated // an envelope that is not believed
	ErrForbidden       error = fault.Forbidden       // it says more than its issuer may say
	ErrUnavailable     error = fault.Unavailable     // the memory of what was used is away
	ErrLimit           error = fault.Limit
)

const (
	// Header is the request header that an envelope is sent in.
	Header = "Stella-Identity"
	// RequestIDHeader names a request in logs, answers and traces. [Verifier.Middleware]
	// sets it to what the envelope says.
	RequestIDHeader = "Stella-Request-Id"
	// MaxLife is how long an envelope may be good.
	MaxLife = 30 * time.Second
	// MaxSize bounds an envelope, in bytes.
	MaxSize = 8 << 10
)

const (
	version = "v1."
	domain  = "stella identity envelope\x00" // a signature of something else is none of an envelope
)

// Binding is the request that an envelope belongs to.
type Binding struct {
	Audience string   // the system that it is sent to, such as "scanner"
	Method   string   // as it is sent
	Target   string   // path and query, as they are sent
	Digest   [32]byte // SHA-256 of the body; of nothing where there is none
}

// Claims is what an envelope says.
type Claims struct {
	Issuer    string        `json:"iss"`
	Audience  string        `json:"aud"`
	Method    string        `json:"htm"`
	Target    string        `json:"htu"`
	Digest    string        `json:"body"` // SHA-256, lower-case hex
	Identity  auth.Identity `json:"id"`
	RequestID string        `json:"rid,omitempty"`
	IssuedAt  int64         `json:"iat"` // seconds
	Expires   int64         `json:"exp"`
	ID        string        `json:"jti"`
}

// Signer makes envelopes. Name and Key are required. It is safe for concurrent use.
type Signer struct {
	// Name is the issuer, as verifiers know it.
	Name string
	Key  ed25519.PrivateKey
	// Life is how long an envelope is good; 0 means MaxLife.
	Life time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Sign makes the envelope of an identity for a request. The error wraps ErrInvalid or
// ErrLimit.
func (s *Signer) Sign(id *auth.Identity, b Binding, requestID string) (string, error) {
	life := s.Life
	if life == 0 {
		life = MaxLife
	}
	if s.Name == "" || len(s.Key) != ed25519.PrivateKeySize || life < time.Second || life > MaxLife || id == nil || b.Audience == "" {
		return "", fmt.Errorf("sign an envelope: want a name, an Ed25519 key, a life of 1 to 30 s, an identity and an audience: %w", fault.Invalid)
	}
	now := clock(s.Now)
	c := Claims{
		Issuer: s.Name, Audience: b.Audience, Method: b.Method, Target: b.Target, Digest: hex.EncodeToString(b.Digest[:]), Identity: *id,
		RequestID: requestID, IssuedAt: now.Unix(), Expires: now.Add(life).Unix(), ID: rand.Text(),
	}
	payload, err := json.Marshal(&c)
	if err != nil {
		return "", fmt.Errorf("sign an envelope: %v: %w", err, fault.Invalid)
	}
	size := len(version) + base64.RawURLEncoding.EncodedLen(len(payload)) + 1 + base64.RawURLEncoding.EncodedLen(ed25519.SignatureSize)
	if size > MaxSize {
		return "", &fault.LimitError{What: "bytes of an envelope", Where: b.Method + " to " + b.Audience, Max: MaxSize, Seen: int64(size)}
	}
	out := make([]byte, 0, len(domain)+size)
	out = append(out, domain...)
	out = append(out, version...)
	out = base64.RawURLEncoding.AppendEncode(out, payload)
	sig := ed25519.Sign(s.Key, out)
	out = append(out, '.')
	out = base64.RawURLEncoding.AppendEncode(out, sig)
	return string(out[len(domain):]), nil
}

// Trust is what an issuer may say. The zero value lets it say nothing.
type Trust struct {
	// Keys are those that it signs with: more than one while they change.
	Keys []ed25519.PublicKey
	// Anybody lets it speak for everybody, as a gateway does that has checked them.
	// Otherwise it speaks for itself alone: the subject is its name, and the proof
	// auth.ProofService.
	Anybody bool
	// Scopes are the rights that it may claim, where it speaks for itself.
	Scopes []string
	// Tenants are those that it may speak of where it speaks for itself, beside none at
	// all; "*" is each of them.
	Tenants []string
	// Audiences are the systems that believe it; none means every one.
	Audiences []string
}

// Verifier checks envelopes. Audience and Issuers are required. It is safe for concurrent
// use and must not be changed after its first use.
type Verifier struct {
	// Audience is the system that it stands before.
	Audience string
	// Issuers are those that are believed, by name.
	Issuers map[string]Trust
	// Skew is how far the clocks of issuer and verifier may be apart; 0 means 5 seconds.
	Skew time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Once reports whether an envelope is new, and remembers it until a time: a [Memory]
	// has one. When it fails the request is refused. Nil remembers nothing: somebody who
	// reads the network between services could then send the same request again while its
	// envelope is good.
	Once func(id string, now, until time.Time) (bool, error)
}

// Verify checks an envelope against the request that it came with. The error wraps
// ErrUnauthenticated, ErrForbidden or ErrUnavailable. It says which rule is broken, and
// nothing of keys.
func (v *Verifier) Verify(text string, b Binding) (*Claims, error) {
	c, trust, err := v.open(text)
	if err != nil {
		return nil, err
	}
	if err := v.bound(c, b); err != nil {
		return nil, err
	}
	if err := v.allowed(c, trust); err != nil {
		return nil, err
	}
	if err := v.once(c); err != nil {
		return nil, err
	}
	return c, nil
}

// once checks that the envelope is new. What is not good otherwise is never remembered.
func (v *Verifier) once(c *Claims) error {
	if v.Once == nil {
		return nil
	}
	fresh, err := v.Once(c.Issuer+"/"+c.ID, clock(v.Now), time.Unix(c.Expires, 0).Add(v.skew()))
	if err != nil {
		return fmt.Errorf("envelope: whether it was used is not known: %w", err)
	}
	if !fresh {
		return refuse("it was used before")
	}
	return nil
}

// open checks form and signature.
func (v *Verifier) open(text string) (*Claims, Trust, error) {
	if len(text) > MaxSize {
		return nil, Trust{}, refuse("it has %d bytes, over the limit of %d", len(text), MaxSize)
	}
	rest, ok := strings.CutPrefix(text, version)
	encoded, encodedSig, dot := strings.Cut(rest, ".")
	if !ok || !dot {
		return nil, Trust{}, refuse("it is not v1.payload.signature")
	}
	payload, ok := decode(encoded)
	sig, okSig := decode(encodedSig)
	if !ok || !okSig || len(sig) != ed25519.SignatureSize {
		return nil, Trust{}, refuse("it is not v1.payload.signature")
	}
	var c Claims
	if err := json.Unmarshal(payload, &c, json.RejectUnknownMembers(true)); err != nil {
		return nil, Trust{}, refuse("its payload is not what an issuer writes")
	}
	trust, ok := v.Issuers[c.Issuer]
	if !ok {
		return nil, Trust{}, refuse("its issuer is not known here")
	}
	signed := make([]byte, 0, len(domain)+len(version)+len(encoded))
	signed = append(append(append(signed, domain...), version...), encoded...)
	for _, key := range trust.Keys {
		if len(key) == ed25519.PublicKeySize && ed25519.Verify(key, signed, sig) {
			return &c, trust, nil
		}
	}
	return nil, Trust{}, refuse("its signature is not that of its issuer")
}

// decode reads base64url in the one form that it has.
func decode(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") { // which the decoder skips
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return b, err == nil
}

// bound checks that the envelope belongs to the request, here and now.
func (v *Verifier) bound(c *Claims, b Binding) error {
	digest, err := digestOf(c)
	now, issued, ends := clock(v.Now), time.Unix(c.IssuedAt, 0), time.Unix(c.Expires, 0)
	switch {
	case v.Audience == "" || c.Audience != v.Audience || b.Audience != v.Audience:
		return refuse("it is for another service")
	case c.Method != b.Method:
		return refuse("it is for another method")
	case c.Target != b.Target:
		return refuse("it is for another path or query")
	case err != nil || digest != b.Digest:
		return refuse("it is for another body")
	case c.ID == "" || c.IssuedAt <= 0 || c.Expires <= c.IssuedAt || c.Expires-c.IssuedAt > int64(MaxLife/time.Second):
		return refuse("its times are not those of an envelope")
	case issued.After(now.Add(v.skew())):
		return refuse("it is not good yet: the clocks of issuer and service differ")
	case !now.Before(ends.Add(v.skew())):
		return refuse("it is over")
	}
	return nil
}

func digestOf(c *Claims) (out [32]byte, err error) {
	b, err := hex.DecodeString(c.Digest)
	if err != nil || len(b) != len(out) {
		return out, refuse("its payload is not what an issuer writes")
	}
	return [32]byte(b), nil
}

// allowed checks that the issuer may say so.
func (v *Verifier) allowed(c *Claims, t Trust) error {
	forbid := func(why string) error { return fmt.Errorf("envelope: its issuer may not %s: %w", why, fault.Forbidden) }
	if len(t.Audiences) > 0 && !slices.Contains(t.Audiences, v.Audience) {
		return forbid("speak to this service")
	}
	if t.Anybody {
		return nil
	}
	if c.Identity.Subject != c.Issuer || c.Identity.Proof != auth.ProofService {
		return forbid("speak for others")
	}
	if c.Identity.Tenant != "" && !slices.Contains(t.Tenants, c.Identity.Tenant) && !slices.Contains(t.Tenants, "*") {
		return forbid("speak of this tenant")
	}
	for _, scope := range c.Identity.Scopes {
		if !slices.Contains(t.Scopes, scope) {
			return forbid("claim all of these rights")
		}
	}
	return nil
}

func (v *Verifier) skew() time.Duration {
	if v.Skew == 0 {
		return 5 * time.Second
	}
	return v.Skew
}

func clock(now func() time.Time) time.Time {
	if now == nil {
		return time.Now()
	}
	return now()
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("envelope: %s: %w", fmt.Sprintf(format, args...), fault.Unauthenticated)
}

// Digest returns what a Binding has of a body.
func Digest(body []byte) [32]byte { return sha256.Sum256(body) }
