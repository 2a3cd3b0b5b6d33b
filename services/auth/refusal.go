package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth/dpop"
)

const (
	schemeDPoP   = "DPoP"
	schemeBearer = "Bearer"
)

// The error codes of RFC 6750; those of RFC 9449 are in package dpop.
const (
	codeRequest = "invalid_request"
	codeToken   = "invalid_token"
	codeScope   = "insufficient_scope"
)

// retryAfter is what a client is asked to wait when a store is away.
const retryAfter = 2 * time.Second

// Refusal is the answer to a request that is not let in (RFC 6750 §3, RFC 9449 §7.1, §9).
// It shows nothing of the token or the proof.
type Refusal struct {
	Status      int      // 400, 401, 403 or 503
	Code        string   // error; "" where the request had no credentials, and for 503
	Description string   // error_description
	Challenges  []string // one WWW-Authenticate field each
	Nonce       string   // DPoP-Nonce; "" for none
	RetryAfter  time.Duration
	// Err is what only the operator should know, such as which store is away; nil where
	// there is no more to know.
	Err error
}

// Error says what the client is told.
func (f *Refusal) Error() string { return f.Description }

// Unwrap returns the kind: invalid, unauthenticated, forbidden or unavailable.
func (f *Refusal) Unwrap() error {
	switch f.Status {
	case http.StatusBadRequest:
		return fault.Invalid
	case http.StatusForbidden:
		return fault.Forbidden
	case http.StatusServiceUnavailable:
		return fault.Unavailable
	}
	return fault.Unauthenticated
}

// SetHeader sets the fields of the answer.
func (f *Refusal) SetHeader(h http.Header) {
	h.Del("WWW-Authenticate")
	for _, c := range f.Challenges {
		h.Add("WWW-Authenticate", c)
	}
	h.Del(dpop.NonceHeader)
	if f.Nonce != "" {
		h.Set(dpop.NonceHeader, f.Nonce)
		h.Set("Cache-Control", "no-store")
	}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
}

// Problem is the refusal as an error that the handlers of this SDK answer with: it has the
// status, the description, and the code as the member "error".
func (f *Refusal) Problem() error {
	e := &httpjson.Error{Status: f.Status, Err: fmt.Errorf("%s: %w", f.Description, f.Unwrap())}
	if f.Code != "" {
		e.Extra = map[string]any{"error": f.Code}
	}
	return e
}

// Write answers a request with the refusal, as a problem document.
func (f *Refusal) Write(w http.ResponseWriter) {
	f.SetHeader(w.Header())
	p, _ := httpjson.Of(f.Problem())
	p.Write(w)
}

// Insufficient is the refusal of somebody who is known and lacks a right.
func (v *Verifier) Insufficient(i *Identity, scope string) *Refusal {
	scheme := schemeDPoP
	if i != nil && (i.Proof == ProofBearer || i.Proof == ProofAPIKey) {
		scheme = schemeBearer
	}
	f := v.refuse(scheme, http.StatusForbidden, codeScope, "the access token lacks a right")
	f.Challenges[0] += fmt.Sprintf(`, scope="%s"`, quotable(scope))
	return f
}

// refuse makes a refusal whose first challenge is of the scheme that the client used, and
// has the code.
func (v *Verifier) refuse(scheme string, status int, code, why string) *Refusal {
	f := &Refusal{Status: status, Code: code, Description: why}
	var withCode string
	if code != "" {
		withCode = fmt.Sprintf(`error="%s", error_description="%s"`, code, quotable(why))
	}
	dpopChallenge := schemeDPoP
	if scheme == schemeDPoP && withCode != "" {
		dpopChallenge += " " + withCode + ","
	}
	dpopChallenge += fmt.Sprintf(` algs="%s"`, strings.Join(v.algorithms(), " "))
	bearer := schemeBearer
	if scheme == schemeBearer && withCode != "" {
		bearer += " " + withCode
	}
	switch {
	case scheme == schemeBearer:
		f.Challenges = []string{bearer, dpopChallenge}
	case v.AllowBearer:
		f.Challenges = []string{dpopChallenge, bearer}
	default:
		f.Challenges = []string{dpopChallenge}
	}
	return f
}

func (v *Verifier) algorithms() []string {
	if v.Proofs == nil {
		return (&dpop.Verifier{}).AlgorithmList()
	}
	return v.Proofs.AlgorithmList()
}

// quotable takes out what a quoted string of these parameters must not have (RFC 6750 §3).
func quotable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return '\''
		}
		return c
	}, s)
}

// away is the refusal where something that protects us cannot be asked.
func (v *Verifier) away(err error) *Refusal {
	return &Refusal{Status: http.StatusServiceUnavailable, Description: "who sends this cannot be found out now: try again", RetryAfter: retryAfter, Err: err}
}

// unproven is the refusal of a proof.
func (v *Verifier) unproven(ctx context.Context, err error) *Refusal {
	var e *dpop.Error
	if !errors.As(err, &e) {
		return v.away(err)
	}
	f := v.refuse(schemeDPoP, http.StatusUnauthorized, e.Code, e.Why)
	if e.Code == dpop.CodeNonce {
		if f.Nonce, err = v.Proofs.Nonces.Issue(ctx); err != nil {
			return v.away(err)
		}
	}
	return f
}
