package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/token"
)

// ProofBearer is the proof of a token that is bound to no key: whoever has it may send it.
const ProofBearer = "bearer"

// IntrospectFor bounds how long an answer of Introspect is used again.
const IntrospectFor = 30 * time.Second

// maxIntrospected bounds how many such answers are kept.
const maxIntrospected = 10_000

// Verifier is the door of a resource server: it finds out who sends a request. It is safe
// for concurrent use and must not be copied or changed once used.
type Verifier struct {
	// Tokens verifies access tokens; nil accepts none but by Introspect.
	Tokens *token.Verifier
	// Proofs verifies that the sender has the key that the token is bound to.
	Proofs *dpop.Verifier
	// AllowBearer accepts tokens that are bound to no key, by the Bearer scheme. A token that is
	// bound is refused there all the same.
	AllowBearer bool
	// Introspect, when not nil, is asked about tokens that are not JWTs, such as API
	// keys. It returns an error wrapping the kind unauthenticated for one that holds no
	// more. Answers are used for as long as the token holds, at most IntrospectFor: so
	// long a revocation may take.
	Introspect func(ctx context.Context, token string) (*token.Claims, error)
	Now        func() time.Time // nil means time.Now

	mu    sync.Mutex
	asked map[[sha256.Size]byte]answer
}

type answer struct {
	claims *token.Claims
	until  time.Time
}

// Check finds out who sends a request. It returns the identity, and what the token says,
// which is shared and must not be changed; or a *Refusal. Nothing else in the request
// decides: no other header, and not the Host.
//
// A DPoP-Nonce for the client's next request is set in answer, where it is time for one;
// answer may be nil.
func (v *Verifier) Check(answer http.Header, r *http.Request) (*Identity, *token.Claims, error) {
	scheme, text, refused := v.credentials(r)
	if refused != nil {
		return nil, nil, refused
	}
	if scheme == schemeBearer {
		c, proof, refused := v.token(r.Context(), scheme, text)
		switch {
		case refused != nil:
			return nil, nil, refused
		case c.JKT != "":
			return nil, nil, v.refuse(scheme, http.StatusUnauthorized, codeToken, "the access token is bound to a key: send it by the DPoP scheme, with a proof")
		}
		return identity(c, proof), c, nil
	}
	if v.Proofs == nil {
		return nil, nil, v.away(errors.New("the door has no verifier of proofs"))
	}
	p, err := v.Proofs.Check(r)
	if err != nil {
		return nil, nil, v.unproven(r.Context(), err)
	}
	c, _, refused := v.token(r.Context(), scheme, text)
	if refused != nil {
		return nil, nil, refused
	}
	if err := p.Bound(text, c.JKT); err != nil {
		return nil, nil, v.unproven(r.Context(), err)
	}
	if err := v.Proofs.Record(r.Context(), p); err != nil {
		return nil, nil, v.unproven(r.Context(), err)
	}
	if answer != nil && v.Proofs.Nonces != nil {
		if next := v.Proofs.Nonces.Next(r.Context(), p.Nonce); next != "" {
			answer.Set(dpop.NonceHeader, next)
		}
	}
	return identity(c, ProofDPoP), c, nil
}

// credentials returns the scheme and the token of a request, or why there are none.
func (v *Verifier) credentials(r *http.Request) (scheme, text string, refused *Refusal) {
	fields := r.Header.Values("Authorization")
	if len(fields) > 1 || len(fields) == 1 && strings.Contains(fields[0], ",") {
		return "", "", v.refuse(schemeDPoP, http.StatusBadRequest, codeRequest, "more than one set of credentials in Authorization")
	}
	if inQuery(r.URL.RawQuery) {
		return "", "", v.refuse(schemeDPoP, http.StatusBadRequest, codeRequest, "an access token in the query is kept in logs: send it in the Authorization header field, and end this one")
	}
	if len(fields) == 0 {
		return "", "", v.refuse("", http.StatusUnauthorized, "", "the request has no access token")
	}
	name, text, _ := strings.Cut(strings.Trim(fields[0], " \t"), " ")
	text = strings.TrimLeft(text, " ")
	switch {
	case strings.EqualFold(name, schemeDPoP):
		scheme = schemeDPoP
	case strings.EqualFold(name, schemeBearer):
		scheme = schemeBearer
	default:
		return "", "", v.refuse("", http.StatusUnauthorized, "", "the request has no access token: its authorization is of another scheme")
	}
	if scheme == schemeBearer && !v.AllowBearer {
		return "", "", v.refuse(schemeDPoP, http.StatusUnauthorized, codeToken, "access tokens are bound to a key here: send them by the DPoP scheme, with a proof")
	}
	if !token68(text) {
		return "", "", v.refuse(scheme, http.StatusUnauthorized, codeToken, "the access token is not well formed")
	}
	return scheme, text, nil
}

// inQuery reports whether a query has an access token (RFC 6750 §2.3).
func inQuery(raw string) bool {
	for part := range strings.FieldsFuncSeq(raw, func(c rune) bool { return c == '&' || c == ';' }) {
		name, _, _ := strings.Cut(part, "=")
		if len(name) > 3*len("access_token") {
			continue
		}
		if plain, err := url.QueryUnescape(name); err == nil && plain == "access_token" {
			return true
		}
	}
	return false
}

// token68 is the grammar of RFC 9110 §11.2.
func token68(s string) bool {
	body := strings.TrimRight(s, "=")
	return body != "" && len(s) <= token.MaxSize && !strings.ContainsFunc(body, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-._~+/", c))
	})
}

// token returns what a token says, and how it proves its sender where it is bound to no
// key.
func (v *Verifier) token(ctx context.Context, scheme, text string) (*token.Claims, string, *Refusal) {
	var c *token.Claims
	var err error
	proof := ProofBearer
	switch {
	case v.Introspect != nil && strings.Count(text, ".") != 2:
		proof = ProofAPIKey
		c, err = v.introspect(ctx, text)
	case v.Tokens == nil:
		err = errors.New("the door has no verifier of tokens")
	default:
		c, err = v.Tokens.Verify(ctx, text)
	}
	var why *token.Refusal
	switch {
	case err == nil:
		return c, proof, nil
	case errors.As(err, &why):
		return nil, "", v.refuse(scheme, http.StatusUnauthorized, codeToken, "the access token is refused: "+why.Why)
	case errors.Is(err, fault.Unauthenticated) || errors.Is(err, fault.NotFound):
		return nil, "", v.refuse(scheme, http.StatusUnauthorized, codeToken, "the access token is refused")
	}
	return nil, "", v.away(err)
}

// introspect asks about a token, or uses an answer of before. Only answers that say yes
// are kept, so who has no token cannot fill the memory.
func (v *Verifier) introspect(ctx context.Context, text string) (*token.Claims, error) {
	now, sum := v.now(), sha256.Sum256([]byte(text))
	v.mu.Lock()
	known, ok := v.asked[sum]
	v.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.claims, nil
	}
	c, err := v.Introspect(ctx, text)
	if err != nil {
		return nil, err
	}
	switch {
	case c == nil || c.Subject == "" && c.Client == "":
		return nil, errors.New("the answer to an introspection says nothing")
	case !c.Expires.IsZero() && !now.Before(c.Expires):
		return nil, &token.Refusal{Why: "it has expired"}
	case now.Before(c.NotBefore):
		return nil, &token.Refusal{Why: "it does not hold yet"}
	case v.Tokens != nil && len(c.Audience) > 0 && !slices.Contains(c.Audience, v.Tokens.Audience):
		return nil, &token.Refusal{Why: "it is for another audience"}
	}
	until := now.Add(IntrospectFor)
	if !c.Expires.IsZero() && c.Expires.Before(until) {
		until = c.Expires
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.asked == nil || len(v.asked) >= maxIntrospected {
		v.asked = map[[sha256.Size]byte]answer{} // they are asked for anew
	}
	v.asked[sum] = answer{c, until}
	return c, nil
}

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

// identity is what the claims say.
func identity(c *token.Claims, proof string) *Identity {
	scopes := slices.Clone(c.Scopes)
	slices.Sort(scopes)
	i := &Identity{Tenant: c.Tenant, Subject: c.Subject, Client: c.Client, Scopes: slices.Compact(scopes), Proof: proof}
	if i.Subject == "" {
		i.Subject = c.Client
	}
	return i
}
