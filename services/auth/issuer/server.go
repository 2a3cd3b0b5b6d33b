// Package issuer is Authority's authorization server, to be mounted in any server: OAuth
// 2.1 with tokens that are bound to keys (RFC 9449), and the administration of who may
// have them.
//
// [Server] is its handler: the endpoints for programs (RFC 6749, 7009, 7523, 7591, 7662,
// 8628, 8693, 9126), the pages for people, the metadata (RFC 8414), and
// /api/v1/authority. What it keeps is in an account.Store; docs/modules/authority.md says
// what travels.
package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/account"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid
	ErrNotFound        error = fault.NotFound
	ErrConflict        error = fault.Conflict
	ErrForbidden       error = fault.Forbidden
	ErrUnauthenticated error = fault.Unauthenticated
	ErrUnavailable     error = fault.Unavailable
	ErrLimit           error = fault.Limit
)

// The times of a Server where it does not say others.
const (
	DefaultLifetime    = 3 * time.Minute      // of an access token
	DefaultRefreshIdle = 7 * 24 * time.Hour   // until a refresh token that nobody uses ends
	DefaultRefreshLife = 30 * 24 * time.Hour  // of all that come of one login
	DefaultJournal     = 365 * 24 * time.Hour // until an entry of the journal is forgotten
)

// The bounds of the lifetime of access tokens.
const (
	MinLifetime = 2 * time.Minute
	MaxLifetime = 5 * time.Minute
)

// Server is the authorization server. Issuer, Store, Seal, Replay, Nonces, Audiences and
// Identify are required; a server that lacks one answers every request with an error,
// which Check returns. It is safe for concurrent use and must not be copied or changed
// after its first request.
//
// Where a store is away, it refuses. Errors never have a secret in them.
type Server struct {
	// Issuer is what clients know it by: an https URL, or http on a loopback address for
	// development, without query, fragment and '/' at its end. Endpoints are below its
	// path. It is compared as it is, everywhere.
	Issuer string
	// Audiences are the resource servers that tokens may be for; the first is for those
	// who do not say.
	Audiences []string
	Store     account.Store
	// Seal are keys of SealSize bytes that signing keys and pages are encrypted by
	// (AES-256-GCM). The first one seals, each opens.
	Seal [][]byte
	// Replay remembers proofs, assertions and polls. Where it is away, nothing is issued.
	Replay dpop.Replay
	// Nonces are those of proofs, which must carry one. Its Audience should be Issuer.
	Nonces *dpop.Nonces
	// Identify says who asks for administration, registration and revocations. An error
	// should wrap ErrUnauthenticated or ErrForbidden.
	Identify func(*http.Request) (*auth.Identity, error)
	// Externals are other issuers whose tokens are taken in exchange.
	Externals []External

	Lifetime    time.Duration // of access tokens; 0 means DefaultLifetime
	RefreshIdle time.Duration // 0 means DefaultRefreshIdle
	RefreshLife time.Duration // 0 means DefaultRefreshLife
	Lead        time.Duration // from when a key is published until it signs; 0 means DefaultLead
	KeyAge      time.Duration // after which Maintain rotates keys; 0 means DefaultKeyAge
	Algorithm   string        // of keys that Maintain makes: ES256 or EdDSA; "" means ES256
	Journal     time.Duration // for how long Maintain leaves its entries; 0 means DefaultJournal

	Now func() time.Time // nil means time.Now
	// Report is told of errors that are not for clients, under the request_id that the
	// client sees. Nil means nobody.
	Report func(requestID string, err error)

	prepared  sync.Once
	bad       error
	path      string // of Issuer
	secure    bool   // Issuer is https
	mux       httpjson.Mux
	hasher    hasher
	floor     time.Duration // how long a login takes that fails
	signers   signers
	ended     revocations
	proofs    *dpop.Verifier
	verifiers []*token.Verifier
	sameSite  *http.CrossOriginProtection
}

// Check reports all that is wrong with how a server was set up. The error wraps
// ErrInvalid.
func (s *Server) Check() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("authority: "+format+": %w", append(args, fault.Invalid)...))
		}
	}
	u, err := url.Parse(s.Issuer)
	wrong(err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(s.Issuer, "/") || strings.ContainsAny(s.Issuer, "?#%") ||
		u.Scheme != "https" && !loopback(u), "Issuer: want an https URL, or http on a loopback address, without query, fragment and '/' at its end")
	wrong(s.Store == nil || s.Replay == nil || s.Nonces == nil || s.Identify == nil, "Store, Replay, Nonces and Identify are required")
	wrong(len(s.Audiences) == 0 || slices.Contains(s.Audiences, ""), "Audiences: want at least one")
	wrong(len(s.Seal) == 0, "Seal: want at least one key")
	for _, k := range s.Seal {
		wrong(len(k) != SealSize, "Seal: a key has %d bytes, want %d", len(k), SealSize)
	}
	wrong(s.Lifetime != 0 && (s.Lifetime < MinLifetime || s.Lifetime > MaxLifetime), "Lifetime %v: want %v to %v", s.Lifetime, MinLifetime, MaxLifetime)
	wrong(s.RefreshIdle < 0 || s.RefreshLife < 0 || s.Lead < 0 || s.KeyAge < 0 || s.Journal < 0, "a time is below zero")
	wrong(s.Algorithm != "" && s.Algorithm != ES256 && s.Algorithm != EdDSA, "Algorithm %.20q: want ES256 or EdDSA", s.Algorithm)
	for i := range s.Externals {
		if err := s.Externals[i].check(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ready prepares the server before its first use.
func (s *Server) ready() error {
	s.prepared.Do(func() {
		if s.bad = s.Check(); s.bad != nil {
			return
		}
		u, _ := url.Parse(s.Issuer)
		s.path, s.secure, s.floor = u.Path, u.Scheme == "https", failFloor
		s.sameSite = http.NewCrossOriginProtection()
		if s.bad = s.sameSite.AddTrustedOrigin(u.Scheme + "://" + u.Host); s.bad != nil {
			return
		}
		s.proofs = &dpop.Verifier{Origins: []string{s.Issuer}, Replay: s.Replay, Nonces: s.Nonces, Now: s.Now}
		for _, a := range s.Audiences {
			s.verifiers = append(s.verifiers, &token.Verifier{Issuer: s.Issuer, Audience: a, Keys: jwks.Local(s.Keys), Revoked: s.Revoked, Cache: -1, Now: s.Now})
		}
		s.mount()
	})
	return s.bad
}

// mount makes the routes.
func (s *Server) mount() {
	m := &s.mux
	m.Report = s.Report
	for path, serve := range map[string]func(*exchange) error{
		"/token": s.tokens, "/par": s.par, "/device_authorization": s.deviceAuthorization, "/introspect": s.introspect, "/revoke": s.revoke, "/register": s.register,
	} {
		m.Handle(http.MethodPost, s.path+path, s.protocol(serve))
	}
	for path, serve := range map[string][2]func(*visit) error{"/authorize": {s.authorizePage, s.authorizeStep}, "/device": {s.devicePage, s.deviceStep}} {
		m.Handle(http.MethodGet, s.path+path, s.browsing(path, serve[0]))
		m.Handle(http.MethodPost, s.path+path, s.browsing(path, serve[1]))
	}
	m.Handle(http.MethodGet, s.path+"/jwks", s.protocol(s.jwks))
	// RFC 8414 puts the path of the issuer behind, OpenID Connect in front.
	for _, path := range []string{"/.well-known/oauth-authorization-server" + s.path, s.path + "/.well-known/openid-configuration"} {
		m.Handle(http.MethodGet, path, s.protocol(s.metadata))
	}
	for _, rt := range s.routes() {
		m.Handle(rt.method, rt.path, s.administer(rt))
	}
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.ready(); err != nil {
		s.mux.Report = s.Report
		s.mux.Refuse(w, r, fmt.Errorf("authority is not set up: %v", err))
		return
	}
	s.mux.ServeHTTP(w, r)
}

// now is what time it is, as stores keep it.
func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC().Truncate(time.Microsecond)
	}
	return time.Now().UTC().Truncate(time.Microsecond)
}

func or(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

func (s *Server) lifetime() time.Duration    { return or(s.Lifetime, DefaultLifetime) }
func (s *Server) refreshIdle() time.Duration { return or(s.RefreshIdle, DefaultRefreshIdle) }
func (s *Server) refreshLife() time.Duration { return or(s.RefreshLife, DefaultRefreshLife) }
func (s *Server) lead() time.Duration        { return or(s.Lead, DefaultLead) }
func (s *Server) journalLife() time.Duration { return or(s.Journal, DefaultJournal) }

// note writes a refusal to the journal. It is refused all the same when that fails.
func (s *Server) note(ctx context.Context, e *account.Entry) {
	e.Time = s.now()
	if err := s.Store.Note(ctx, e); err != nil && s.Report != nil {
		s.Report("", fmt.Errorf("journal: %s: %w", e.Action, err))
	}
}

// answer writes an answer of the protocol.
func (x *exchange) answer(status int, v any) error { return httpjson.Write(x.w, status, v) }

// done answers with nothing.
func (x *exchange) done() error {
	x.w.WriteHeader(http.StatusOK)
	return nil
}
