// Package dpop demonstrates and verifies possession of a key at the application layer
// (RFC 9449): a client makes proofs with a Key, a server verifies them with a Verifier,
// which accepts each once. It needs no part of this SDK but something that adds a key if it
// is not there, such as package store/cache.
//
// A server verifies in three steps, and the order matters: Check the proof, then whatever
// the request brings else, such as its access token and that it is Bound to the proof's
// key, then Record the proof. What is recorded came from somebody who has a token, so
// nobody else can fill the store.
package dpop

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/internal/jws"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid         // a key or URL that proofs cannot be made with
	ErrUnsupported     error = fault.Unsupported     // an algorithm
	ErrUnauthenticated error = fault.Unauthenticated // a proof that proves nothing; see Error
	ErrUnavailable     error = fault.Unavailable     // the store of proofs is away: refuse
)

// The header fields of RFC 9449.
const (
	Header      = "DPoP"
	NonceHeader = "DPoP-Nonce"
)

// Type is the media type of a proof, in the header's typ (RFC 9449 §4.2).
const Type = "dpop+jwt"

// The error codes of RFC 9449.
const (
	CodeInvalid = "invalid_dpop_proof"
	CodeNonce   = "use_dpop_nonce" // try again with the nonce that comes with this answer
	CodeToken   = "invalid_token"  // the token is of another key (RFC 6750)
)

// The bounds of a proof, in bytes.
const (
	MaxSize = jws.MaxSize
	MaxID   = 128 // jti
)

// The times of a Verifier where it does not say others.
const (
	DefaultPast   = 60 * time.Second
	DefaultFuture = 10 * time.Second
	DefaultSkew   = 5 * time.Second
)

// Error is why a proof proves nothing. It wraps ErrUnauthenticated and shows nothing of
// the proof.
type Error struct {
	Code string // one of the Code constants
	Why  string // for error_description
}

func (e *Error) Error() string { return "DPoP: " + e.Why }

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return fault.Unauthenticated }

func refuse(why string) error { return &Error{CodeInvalid, why} }

// Proof is a proof that was checked. It counts once it is recorded.
type Proof struct {
	JKT    string // thumbprint of the key that it proves (RFC 7638)
	ID     string // jti, as the client chose it
	Method string // htm
	URL    string // htu, normalised
	Issued time.Time
	Nonce  string // "" where it has none
	hash   string // ath
}

// Bound checks that the proof goes with a token, and that the token is bound to the proof's
// key: jkt is what the token says (cnf.jkt). The error is an *Error of CodeInvalid or
// CodeToken.
func (p *Proof) Bound(token, jkt string) error {
	if p.hash == "" || token == "" || !jws.Equal(p.hash, tokenHash(token)) {
		return refuse("ath is not the hash of the access token")
	}
	if jkt == "" || !jws.Equal(p.JKT, jkt) {
		return &Error{CodeToken, "the access token is not bound to the key of the proof"}
	}
	return nil
}

// claimNames are those that are read.
var claimNames = []string{"jti", "htm", "htu", "iat", "ath", "nonce", "exp", "nbf"}

// parsed is a proof whose form is right and whose signature was not looked at.
type parsed struct {
	Proof
	message        *jws.Message
	expires, start time.Time // exp and nbf, zero where there are none
}

// parse does what needs neither time nor key.
func parse(reader *jws.Reader, text string, algs []string) (*parsed, error) {
	m, err := reader.Parse(text, algs)
	if err != nil {
		return nil, reason(err)
	}
	switch {
	case !jws.IsType(m.Header.Type, Type):
		return nil, refuse("typ is not dpop+jwt")
	case m.Header.Key == nil:
		return nil, refuse("the header has no jwk")
	}
	claims, err := jws.Object(m.Payload, "the payload", claimNames...)
	if err != nil {
		return nil, reason(err)
	}
	p := &parsed{message: m}
	if err := p.read(claims); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *parsed) read(claims map[string]jsontext.Value) error {
	for _, c := range []struct {
		name   string
		into   *string
		needed bool
	}{{"jti", &p.ID, true}, {"htm", &p.Method, true}, {"htu", &p.URL, true}, {"ath", &p.hash, false}, {"nonce", &p.Nonce, false}} {
		v, there := claims[c.name]
		if !there && !c.needed {
			continue
		}
		var ok bool
		if *c.into, ok = jws.String(v); !ok || *c.into == "" {
			return refuse(c.name + " is missing or no string")
		}
	}
	if len(p.ID) > MaxID {
		return refuse("jti is over 128 bytes")
	}
	for _, c := range []struct {
		name   string
		into   *time.Time
		needed bool
	}{{"iat", &p.Issued, true}, {"exp", &p.expires, false}, {"nbf", &p.start, false}} {
		v, there := claims[c.name]
		if !there && !c.needed {
			continue
		}
		var ok bool
		if *c.into, ok = jws.Time(v); !ok {
			return refuse(c.name + " is missing or no time")
		}
	}
	var err error
	if p.URL, err = normalize(p.URL); err != nil {
		return refuse(err.Error())
	}
	return nil
}

// reason passes on what is wrong with the form.
func reason(err error) error {
	if e, ok := err.(*jws.Error); ok {
		return refuse(e.Why)
	}
	return refuse("it is not well formed")
}

// Verifier verifies proofs for the requests of one server. It is safe for concurrent use
// and must not be copied or changed once used.
type Verifier struct {
	// Origins are the URLs that clients know the server by, such as
	// "https://api.example.org", with the path that a proxy takes away, if one does. The
	// Host field of a request says nothing: whoever sends it chooses it.
	Origins []string
	// Algorithms are those that are allowed; nil means ES256, EdDSA and PS256.
	Algorithms []string
	// Past and Future are how old a proof may be, and how far ahead of our clock. 0 means
	// DefaultPast and DefaultFuture.
	Past, Future time.Duration
	// Skew is how far apart the clocks of processes may be that share Replay. It is for
	// how long a proof is remembered. 0 means DefaultSkew.
	Skew time.Duration
	// Replay remembers proofs. Processes that answer for the same origins share it.
	Replay Replay
	// Nonces, when not nil, has every proof carry a nonce of this server. Without it a
	// store that loses what it knew lets a proof pass once more.
	Nonces *Nonces
	Now    func() time.Time // nil means time.Now

	reader jws.Reader
}

// AlgorithmList are the allowed algorithms, as a challenge names them (algs).
func (v *Verifier) AlgorithmList() []string { return slices.Clone(v.algorithms()) }

func (v *Verifier) algorithms() []string {
	if v.Algorithms == nil {
		return jws.Algorithms()
	}
	return v.Algorithms
}

// Check checks everything about the proof of a request but whether it was seen before. The
// error is an *Error. The order is by cost: nobody without a nonce of ours makes us verify
// a signature.
func (v *Verifier) Check(r *http.Request) (*Proof, error) {
	fields := r.Header.Values(Header)
	if len(fields) != 1 || strings.Contains(fields[0], ",") { // a proxy joins two by a comma
		return nil, refuse("not exactly one DPoP header field")
	}
	return v.CheckProof(fields[0], r.Method, r.URL.EscapedPath())
}

// CheckProof is Check for a request that is known by its method and its path as it came,
// with percent-encodings.
func (v *Verifier) CheckProof(text, method, path string) (*Proof, error) {
	p, err := parse(&v.reader, text, v.algorithms())
	if err != nil {
		return nil, err
	}
	if !jws.Equal(p.Method, method) {
		return nil, refuse("htm is not the method of the request")
	}
	if !v.here(p.URL, path) {
		return nil, refuse("htu is not the URL of the request")
	}
	now := v.now()
	switch {
	case p.Issued.Before(now.Add(-v.past())) || p.Issued.After(now.Add(v.future())):
		return nil, refuse("iat is too old, or too far ahead")
	case !p.expires.IsZero() && !now.Before(p.expires):
		return nil, refuse("it has expired")
	case !p.start.IsZero() && p.start.After(now.Add(v.future())):
		return nil, refuse("it does not hold yet")
	}
	if v.Nonces != nil {
		if err := v.Nonces.check(p.Nonce); err != nil {
			return nil, err
		}
	}
	if err := p.message.Verify(*p.message.Header.Key); err != nil {
		return nil, reason(err)
	}
	if p.JKT, err = p.message.Thumbprint(); err != nil {
		return nil, reason(err)
	}
	return &p.Proof, nil
}

// here reports whether a normalised URL is that of a path on one of the origins.
func (v *Verifier) here(url, path string) bool {
	path, err := normalizePath(path)
	if err != nil {
		return false
	}
	found := false
	for _, origin := range v.Origins {
		base, err := normalize(origin)
		if err == nil && jws.Equal(url, strings.TrimSuffix(base, "/")+path) {
			found = true
		}
	}
	return found
}

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

func or(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

func (v *Verifier) past() time.Duration   { return or(v.Past, DefaultPast) }
func (v *Verifier) future() time.Duration { return or(v.Future, DefaultFuture) }

// keep is how long a proof is remembered: until no process accepts its time any more.
func (v *Verifier) keep() time.Duration {
	return v.past() + v.future() + or(v.Skew, DefaultSkew) + time.Second
}

func unavailable(err error) error {
	return fmt.Errorf("DPoP: the store of proofs: %v: %w", err, fault.Unavailable)
}
