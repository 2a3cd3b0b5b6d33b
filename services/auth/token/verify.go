package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/internal/jws"
	"github.com/stella-ops/stella/services/auth/jwks"
)

// DefaultCache is how many verified tokens a Verifier remembers.
const DefaultCache = 10_000

// Keys is where a verifier finds the issuer's keys. *jwks.Set, *jwks.Remote and jwks.Local
// are some. Errors wrap the kind not found for an id that the issuer does not have, and
// unavailable where that cannot be told.
type Keys interface {
	Key(ctx context.Context, id string) (jwks.Key, error)
}

// Verifier verifies access tokens of one issuer for one audience (RFC 9068 §4). It is safe
// for concurrent use and must not be copied or changed once used.
type Verifier struct {
	Issuer   string // compared exactly
	Audience string // must be among the token's
	Keys     Keys
	// Algorithms are those that are allowed; nil means ES256, EdDSA and PS256.
	Algorithms []string
	// Skew is how far the issuer's clock may be from ours.
	Skew time.Duration
	// Revoked reports whether a token was ended before its time. It is asked for each use
	// of a token; after an error the token is refused. nil: none ever is.
	Revoked func(ctx context.Context, c *Claims) (bool, error)
	// Cache bounds how many verified tokens are remembered, so that their signature is
	// checked once: 0 means DefaultCache, less than 0 none. Time, key and revocation
	// are checked each time.
	Cache int
	Now   func() time.Time // nil means time.Now

	mu       sync.Mutex
	young    map[[sha256.Size]byte]*known
	old      map[[sha256.Size]byte]*known
	verified int64 // signatures, for tests
	reader   jws.Reader
}

// known is a token whose signature was checked.
type known struct {
	claims *Claims
	key    jwks.Key
}

// Refusal is why a token proves nothing. It wraps ErrUnauthenticated and shows nothing of
// the token.
type Refusal struct{ Why string }

func (r *Refusal) Error() string { return "access token: " + r.Why }

// Unwrap returns the kind.
func (r *Refusal) Unwrap() error { return fault.Unauthenticated }

// Verify returns what a token says, if it is of the issuer, for the audience, and holds
// now. The claims are shared and must not be changed. The error is a *Refusal, or wraps
// ErrUnavailable where keys or revocations cannot be asked.
//
// Whether whoever sent it may use it is not checked here: a token with a JKT needs a proof
// of that key.
func (v *Verifier) Verify(ctx context.Context, text string) (*Claims, error) {
	if v.Keys == nil || v.Issuer == "" || v.Audience == "" {
		return nil, fmt.Errorf("verify a token: the verifier has no keys, issuer or audience: %w", fault.Unavailable)
	}
	if len(text) > MaxSize {
		return nil, &Refusal{"over 8 KiB"}
	}
	sum := sha256.Sum256([]byte(text))
	k, err := v.signed(ctx, sum, text)
	if err != nil {
		return nil, err
	}
	now := v.now()
	switch c := k.claims; {
	case !now.Before(c.Expires.Add(v.Skew)):
		return nil, &Refusal{"it has expired"}
	case now.Add(v.Skew).Before(c.NotBefore) || now.Add(v.Skew).Before(c.Issued):
		return nil, &Refusal{"it does not hold yet"}
	}
	if v.Revoked != nil {
		revoked, err := v.Revoked(ctx, k.claims)
		if err != nil {
			return nil, fmt.Errorf("verify a token: whether it was revoked: %v: %w", err, fault.Unavailable)
		}
		if revoked {
			return nil, &Refusal{"it was revoked"}
		}
	}
	return k.claims, nil
}

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

// signed returns a token whose signature is of a key that the issuer has now.
func (v *Verifier) signed(ctx context.Context, sum [sha256.Size]byte, text string) (*known, error) {
	if k := v.recall(sum); k != nil {
		now, err := v.key(ctx, k.key.ID)
		if err != nil {
			return nil, err
		}
		if now.Same(k.key) {
			return k, nil
		}
	}
	k, err := v.check(ctx, text)
	if err != nil {
		return nil, err
	}
	v.remember(sum, k)
	return k, nil
}

func (v *Verifier) key(ctx context.Context, id string) (jwks.Key, error) {
	k, err := v.Keys.Key(ctx, id)
	switch {
	case err == nil:
		return k, nil
	case errors.Is(err, fault.NotFound):
		return k, &Refusal{"the issuer has no such key"}
	}
	return k, fmt.Errorf("verify a token: the issuer's keys: %v: %w", err, fault.Unavailable)
}

// check does all that stays true of a token for as long as its key is the issuer's.
func (v *Verifier) check(ctx context.Context, text string) (*known, error) {
	algs := v.Algorithms
	if algs == nil {
		algs = jws.Algorithms()
	}
	m, err := v.reader.Parse(text, algs)
	if err != nil {
		return nil, refusal(err)
	}
	h := m.Header
	switch {
	case !jws.IsType(h.Type, Type):
		return nil, &Refusal{"it is no access token: its type is not at+jwt"}
	case h.Key != nil || h.Refers:
		return nil, &Refusal{"it brings a key of its own"}
	case h.KeyID == "":
		return nil, &Refusal{"it names no key"}
	}
	k, err := v.key(ctx, h.KeyID)
	if err != nil {
		return nil, err
	}
	if err := m.Verify(jws.Key{ID: k.ID, Algorithm: k.Algorithm, Public: k.Public}); err != nil {
		return nil, refusal(err)
	}
	var c Claims
	if err := c.UnmarshalJSON(m.Payload); err != nil {
		return nil, &Refusal{"its claims are not well formed"}
	}
	switch err := c.complete(); {
	case err != nil:
		return nil, &Refusal{err.Error()}
	case !jws.Equal(c.Issuer, v.Issuer):
		return nil, &Refusal{"it is of another issuer"}
	case !slices.Contains(c.Audience, v.Audience):
		return nil, &Refusal{"it is for another audience"}
	}
	return &known{&c, k}, nil
}

func refusal(err error) error {
	var e *jws.Error
	if errors.As(err, &e) {
		return &Refusal{e.Why}
	}
	return &Refusal{"it is not well formed"}
}

// recall returns a token that was checked before. What is used moves to the young half.
func (v *Verifier) recall(sum [sha256.Size]byte) *known {
	v.mu.Lock()
	defer v.mu.Unlock()
	if k := v.young[sum]; k != nil {
		return k
	}
	k := v.old[sum]
	if k != nil {
		v.put(sum, k)
	}
	return k
}

// remember keeps a token that was checked. Only tokens of the issuer come here, so who has
// none cannot fill it.
func (v *Verifier) remember(sum [sha256.Size]byte, k *known) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.verified++
	v.put(sum, k)
}

// put keeps a token in the young half; when that is full, the old half is forgotten. The
// lock is held.
func (v *Verifier) put(sum [sha256.Size]byte, k *known) {
	limit := v.Cache
	if limit < 0 {
		return
	}
	if limit == 0 {
		limit = DefaultCache
	}
	if v.young == nil || len(v.young) >= (limit+1)/2 {
		v.old, v.young = v.young, map[[sha256.Size]byte]*known{}
	}
	v.young[sum] = k
}
