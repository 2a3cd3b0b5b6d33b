package issuer

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth/internal/jws"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/store/account"
)

// The algorithms of signing keys.
const (
	ES256 = "ES256"
	EdDSA = "EdDSA" // with Ed25519
)

// The times of signing keys where a Server does not say others.
const (
	// DefaultLead is from when a key is published until it signs. It is twice what
	// jwks.Remote takes until it reads a set again.
	DefaultLead = 2 * jwks.DefaultRefresh
	// DefaultKeyAge is how long a key signs.
	DefaultKeyAge = 30 * 24 * time.Hour
	// keySkew is how long a key is published after the last token that it signed is over.
	keySkew = time.Minute
)

// Rotation is how a key is made. Nil and the zero value are defaults.
type Rotation struct {
	Algorithm string // ES256 or EdDSA; "" means ES256
	// Now has the new key sign at once, and ends all others: for keys that somebody else
	// may have. Tokens that they signed are refused as soon as a set is read again.
	Now bool
	By  string // for the journal
}

// Rotate makes the next signing key. It is published at once and signs after Server.Lead,
// when everybody has it; those before it end when the last token of theirs has ended. The
// first one of an installation signs at once. Errors wrap fault kinds invalid and
// unavailable.
func (s *Server) Rotate(ctx context.Context, o *Rotation) (*account.Key, error) {
	if o == nil {
		o = &Rotation{}
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	k, err := s.newKey(cmp.Or(o.Algorithm, ES256))
	if err != nil {
		return nil, err
	}
	known, err := s.Store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("rotate keys: %w", err)
	}
	now := s.now()
	k.Created, k.Active = now, now
	if len(known) > 0 && !o.Now {
		k.Active = now.Add(s.lead())
	}
	by := cmp.Or(o.By, "rotation")
	if err := s.Store.PutKey(ctx, k, by); err != nil {
		return nil, fmt.Errorf("rotate keys: %w", err)
	}
	end := k.Active.Add(s.lifetime() + keySkew)
	if o.Now {
		end = now
	}
	for i := range known {
		old := &known[i]
		if !old.Ended.IsZero() && !old.Ended.After(end) {
			continue // it ends before
		}
		old.Ended = end
		if err := s.Store.PutKey(ctx, old, by); err != nil {
			return nil, fmt.Errorf("rotate keys: end %q: %w", old.ID, err)
		}
	}
	s.signers.forget()
	return k, nil
}

// Maintain rotates keys when the newest one is old, and forgets what is over. Call it
// every hour or so, by one node at a time where there are several; more of them do no
// harm.
func (s *Server) Maintain(ctx context.Context) error {
	if err := s.ready(); err != nil {
		return err
	}
	known, err := s.Store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("maintain authority: %w", err)
	}
	newest := time.Time{}
	for _, k := range known {
		if k.Ended.IsZero() && k.Active.After(newest) {
			newest = k.Active
		}
	}
	if s.now().Add(s.lead()).Sub(newest) >= cmp.Or(max(s.KeyAge, 0), DefaultKeyAge) {
		if _, err := s.Rotate(ctx, &Rotation{Algorithm: s.Algorithm}); err != nil {
			return err
		}
	}
	if _, err := s.Store.Purge(ctx, s.now().Add(-s.journalLife())); err != nil {
		return fmt.Errorf("maintain authority: %w", err)
	}
	return nil
}

func (s *Server) newKey(alg string) (*account.Key, error) {
	var private crypto.Signer
	var err error
	switch alg {
	case ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		return nil, fmt.Errorf("algorithm %.20q of a signing key: want ES256 or EdDSA: %w", alg, fault.Invalid)
	}
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	public := jws.Key{Algorithm: alg, Use: "sig", Public: private.Public()}
	if public.ID, err = jws.Thumbprint(public.Public); err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	text, err := public.Marshal()
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	k := &account.Key{ID: public.ID, Algorithm: alg, Public: text}
	k.Sealed, err = s.sealed("signing key", k.ID, der)
	return k, err
}

// signers remembers keys that were opened: it takes longer than signing.
type signers struct {
	mu   sync.Mutex
	keys map[string]crypto.Signer
}

func (o *signers) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keys = nil
}

// signer returns the key that signs now. The error wraps Unavailable where none does.
func (s *Server) signer(ctx context.Context) (crypto.Signer, string, error) {
	keys, err := s.Store.Keys(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("signing keys: %w", err)
	}
	now := s.now()
	var active *account.Key
	for i := range keys {
		k := &keys[i]
		if !k.Active.After(now) && (k.Ended.IsZero() || k.Ended.After(now)) && (active == nil || !k.Active.Before(active.Active)) {
			active = k
		}
	}
	if active == nil {
		return nil, "", fmt.Errorf("signing keys: there is none that is active: %w", fault.Unavailable)
	}
	o := &s.signers
	o.mu.Lock()
	defer o.mu.Unlock()
	if k := o.keys[active.ID]; k != nil {
		return k, active.ID, nil
	}
	k, err := s.unsealed(active)
	if err != nil {
		return nil, "", err
	}
	if o.keys == nil || len(o.keys) > 16 {
		o.keys = map[string]crypto.Signer{}
	}
	o.keys[active.ID] = k
	return k, active.ID, nil
}

func (s *Server) unsealed(k *account.Key) (crypto.Signer, error) {
	der, err := s.opened("signing key", k.ID, k.Sealed)
	if err != nil {
		return nil, fmt.Errorf("signing key %q: %w", k.ID, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("signing key %q: %w: %w", k.ID, err, fault.Mismatch)
	}
	private, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("signing key %q: it does not sign: %w", k.ID, fault.Mismatch)
	}
	return private, nil
}

// Keys returns the public keys that tokens are verified with, for verifiers of the same
// process: as a jwks.Local. Errors wrap the kinds unavailable and mismatch.
func (s *Server) Keys(ctx context.Context) (*jwks.Set, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	kept, err := s.Store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	slices.SortFunc(kept, func(a, b account.Key) int { return cmp.Or(a.Active.Compare(b.Active), cmp.Compare(a.ID, b.ID)) })
	var out []jwks.Key
	for _, k := range kept {
		if !k.Ended.IsZero() && !k.Ended.After(s.now()) {
			continue
		}
		public, _, err := jws.ParseKey(k.Public)
		if err != nil || public.ID != k.ID {
			return nil, fmt.Errorf("signing key %q: its public part is damaged: %w", k.ID, fault.Mismatch)
		}
		out = append(out, jwks.Key{ID: k.ID, Algorithm: k.Algorithm, Public: public.Public})
	}
	return jwks.New(out...)
}

// jwks publishes the keys (RFC 7517).
func (s *Server) jwks(x *exchange) error {
	set, err := s.Keys(x.r.Context())
	if err != nil {
		return err
	}
	x.w.Header().Del("Pragma")
	x.w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", min(s.lead(), jwks.DefaultRefresh)/2/time.Second))
	httpjson.WriteBytes(x.w, http.StatusOK, "application/jwk-set+json", append(set.Marshal(), '\n'))
	return nil
}
