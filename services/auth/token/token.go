// Package token makes and verifies access tokens: JWTs of the profile in RFC 9068, signed
// by a key of the issuer, and bound to a key of the client (RFC 9449 §6.1) unless the
// issuer was told otherwise.
//
// [Sign] makes one of [Claims]. A [Verifier] is of one issuer and one audience: it checks
// type, algorithm, signature, issuer, audience and time, then asks whether the token was
// ended before its time. It does not check the proof of the key that a token is bound to:
// package auth does both, and is what a resource server mounts.
//
// A token that does not hold is a [Refusal]: what a client may be told, apart from what
// belongs in a log. Where keys or revocations are not to be had the error is
// [ErrUnavailable], and the token is refused as well: nothing is accepted on a guess.
//
// [ParseIntrospection] reads the same claims from an answer of RFC 7662, for servers that
// ask the issuer instead. A Verifier may be used by several goroutines; it remembers
// signatures that it has checked, and never that a token was in force.
package token

import (
	"crypto"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/internal/jws"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid         // claims that cannot be signed
	ErrUnauthenticated error = fault.Unauthenticated // a token that proves nothing
	ErrUnavailable     error = fault.Unavailable     // keys or revocations cannot be asked: refuse
)

// Type is the media type of an access token, in the header's typ (RFC 9068 §2.1).
const Type = "at+jwt"

// MaxSize bounds a token, in bytes.
const MaxSize = jws.MaxSize

// MaxActors bounds how deep Act is nested.
const MaxActors = 3

// Claims are what a token says. Times have whole seconds.
type Claims struct {
	Issuer   string   // iss
	Subject  string   // sub: a person, or the client where it acts for itself
	Audience []string // aud: one or more
	Expires  time.Time
	Issued   time.Time
	// NotBefore is zero where the token holds from Issued on.
	NotBefore time.Time
	ID        string   // jti
	Client    string   // client_id
	Scopes    []string // scope, in the order of the token
	Tenant    string   // stella:tenant; "" where the token is of no tenant
	// Family is what the token came of, for ending all that came of it: stella:family.
	Family string
	// JKT is the thumbprint of the key that the token is bound to (cnf.jkt), "" for a
	// token that whoever has it may use.
	JKT      string
	AuthTime time.Time // auth_time: when the person was asked to prove who it is; zero for programs
	// Act is who acts for the subject (RFC 8693 §4.1), nil for the subject itself.
	Act *Actor
}

// Actor is one link of a delegation: it acts for who is outside of it.
type Actor struct {
	Subject string // sub
	Client  string // client_id
	Act     *Actor // who acted before it
}

// Sign returns the token that says c, signed by a key of the issuer: ES256 for ECDSA on
// P-256, EdDSA for Ed25519, PS256 for RSA. kid is its id in the issuer's key set. The
// error wraps ErrInvalid where a claim of RFC 9068 §2.2 is missing.
func Sign(c *Claims, key crypto.Signer, kid string) (string, error) {
	if err := c.complete(); err != nil {
		return "", fmt.Errorf("sign a token: %w: %w", err, fault.Invalid)
	}
	if kid == "" {
		return "", fmt.Errorf("sign a token: the key has no id: %w", fault.Invalid)
	}
	payload, err := json.Marshal(c, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("sign a token: %w: %w", fault.Invalid, err)
	}
	text, err := jws.Sign(payload, Type, key, kid, false)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	if len(text) > MaxSize {
		return "", &fault.LimitError{What: "bytes", Where: "access token", Max: MaxSize, Seen: int64(len(text))}
	}
	return text, nil
}

// complete says which claim is missing.
func (c *Claims) complete() error {
	switch {
	case c.Issuer == "":
		return errMissing("iss")
	case c.Subject == "":
		return errMissing("sub")
	case len(c.Audience) == 0 || slices.Contains(c.Audience, ""):
		return errMissing("aud")
	case c.Expires.IsZero():
		return errMissing("exp")
	case c.Issued.IsZero():
		return errMissing("iat")
	case c.ID == "":
		return errMissing("jti")
	case c.Client == "":
		return errMissing("client_id")
	}
	return nil
}

type errMissing string

func (e errMissing) Error() string { return "it has no " + string(e) }

// wire is the JSON form.
type wire struct {
	Issuer    string   `json:"iss,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  any      `json:"aud,omitempty"`
	Expires   int64    `json:"exp,omitzero"`
	Issued    int64    `json:"iat,omitzero"`
	NotBefore int64    `json:"nbf,omitzero"`
	ID        string   `json:"jti,omitempty"`
	Client    string   `json:"client_id,omitempty"`
	Scope     string   `json:"scope,omitempty"`
	Tenant    string   `json:"stella:tenant,omitempty"`
	Family    string   `json:"stella:family,omitempty"`
	Confirm   *confirm `json:"cnf,omitzero"`
	AuthTime  int64    `json:"auth_time,omitzero"`
	Act       *actor   `json:"act,omitzero"`
}

type confirm struct {
	JKT string `json:"jkt"`
}

type actor struct {
	Subject string `json:"sub"`
	Client  string `json:"client_id,omitempty"`
	Act     *actor `json:"act,omitzero"`
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// MarshalJSON writes the claims as a token and an introspection response have them.
func (c *Claims) MarshalJSON() ([]byte, error) {
	w := wire{
		Issuer: c.Issuer, Subject: c.Subject, Expires: seconds(c.Expires), Issued: seconds(c.Issued), NotBefore: seconds(c.NotBefore), ID: c.ID,
		Client: c.Client, Scope: strings.Join(c.Scopes, " "), Tenant: c.Tenant, Family: c.Family, AuthTime: seconds(c.AuthTime),
	}
	switch len(c.Audience) {
	case 0:
	case 1:
		w.Audience = c.Audience[0]
	default:
		w.Audience = c.Audience
	}
	if c.JKT != "" {
		w.Confirm = &confirm{c.JKT}
	}
	for from, to, n := c.Act, &w.Act, 0; from != nil; from, to, n = from.Act, &(*to).Act, n+1 {
		if n == MaxActors {
			return nil, fmt.Errorf("claims: more than %d actors: %w", MaxActors, fault.Invalid)
		}
		*to = &actor{Subject: from.Subject, Client: from.Client}
	}
	return json.Marshal(w, json.Deterministic(true))
}

// claimNames are those that are read.
var claimNames = []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "stella:tenant", "stella:family", "cnf", "auth_time", "act", "active"}

// UnmarshalJSON reads claims strictly: each name once and in its case, each value of its
// type. Claims of other names are left out. The error wraps ErrInvalid.
func (c *Claims) UnmarshalJSON(text []byte) error {
	m, err := jws.Object(text, "claims", claimNames...)
	if err != nil {
		return err
	}
	read, err := readClaims(m)
	if err != nil {
		return fmt.Errorf("claims: %w: %w", err, fault.Invalid)
	}
	*c = *read
	return nil
}

type errType string

func (e errType) Error() string { return "its " + string(e) + " is not of the right type" }

func readClaims(m map[string]jsontext.Value) (*Claims, error) {
	var c Claims
	var scope string
	for name, into := range map[string]*string{
		"iss": &c.Issuer, "sub": &c.Subject, "jti": &c.ID, "client_id": &c.Client, "scope": &scope, "stella:tenant": &c.Tenant, "stella:family": &c.Family,
	} {
		if v, there := m[name]; there {
			var ok bool
			if *into, ok = jws.String(v); !ok {
				return nil, errType(name)
			}
		}
	}
	for name, into := range map[string]*time.Time{"exp": &c.Expires, "iat": &c.Issued, "nbf": &c.NotBefore, "auth_time": &c.AuthTime} {
		if v, there := m[name]; there {
			var ok bool
			if *into, ok = jws.Time(v); !ok {
				return nil, errType(name)
			}
		}
	}
	if scope != "" {
		c.Scopes = strings.Split(scope, " ")
		if slices.Contains(c.Scopes, "") {
			return nil, errType("scope")
		}
	}
	var err error
	if v, there := m["aud"]; there {
		if c.Audience, err = audience(v); err != nil {
			return nil, err
		}
	}
	if v, there := m["cnf"]; there {
		if c.JKT, err = confirmation(v); err != nil {
			return nil, err
		}
	}
	if v, there := m["act"]; there {
		if c.Act, err = readActor(v, 1); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

func audience(v jsontext.Value) ([]string, error) {
	if s, ok := jws.String(v); ok && s != "" {
		return []string{s}, nil
	}
	var list []string
	if v.Kind() != '[' || json.Unmarshal(v, &list) != nil || len(list) == 0 || slices.Contains(list, "") {
		return nil, errType("aud")
	}
	return list, nil
}

// confirmation returns jkt. A token that is bound in any other way is refused: it would
// pass for one that is not bound.
func confirmation(v jsontext.Value) (string, error) {
	m, err := jws.Object(v, "cnf", "jkt")
	if err != nil || len(m) != 1 {
		return "", errType("cnf")
	}
	jkt, _ := jws.String(m["jkt"])
	if !thumbprint(jkt) {
		return "", errType("cnf")
	}
	return jkt, nil
}

// thumbprint reports whether s is the base64url of 32 bytes.
func thumbprint(s string) bool {
	return len(s) == 43 && !strings.ContainsFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	})
}

func readActor(v jsontext.Value, depth int) (*Actor, error) {
	m, err := jws.Object(v, "act", "sub", "client_id", "act")
	if err != nil || depth > MaxActors {
		return nil, errType("act")
	}
	var a Actor
	var ok bool
	if a.Subject, ok = jws.String(m["sub"]); !ok || a.Subject == "" {
		return nil, errType("act")
	}
	if v, there := m["client_id"]; there {
		if a.Client, ok = jws.String(v); !ok {
			return nil, errType("act")
		}
	}
	if v, there := m["act"]; there {
		if a.Act, err = readActor(v, depth+1); err != nil {
			return nil, err
		}
	}
	return &a, nil
}
