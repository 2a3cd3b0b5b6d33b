package issuer

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/account"
)

// The bounds of what is asked for.
const (
	maxScopes = 64
	maxState  = 1 << 10
)

// authorization is what a client asks a person for (RFC 6749, section 4.1.1), after it
// was checked.
type authorization struct {
	Client    string   `json:"client"`
	Tenant    string   `json:"tenant,omitempty"` // the client's
	Redirect  string   `json:"redirect"`
	State     string   `json:"state,omitempty"`
	Scopes    []string `json:"scopes"`
	Challenge string   `json:"challenge"`
	JKT       string   `json:"jkt,omitempty"`
	Resource  string   `json:"resource,omitempty"`
	// Hint is the tenant that the page fills in.
	Hint string `json:"hint,omitempty"`
}

// target finds out where an answer to an authorization request may go. While that is not
// known, errors go nowhere but to the page.
func (s *Server) target(x *exchange, f form, c *account.Client) (redirect string, err error) {
	if c.Disabled || !grants(c, grantCode) {
		return "", refuse(codeUnauthorized, "the client may not ask people")
	}
	if redirect, err = f.need("redirect_uri", maxText); err != nil {
		return "", err
	}
	if !slices.ContainsFunc(c.Redirects, func(known string) bool { return sameRedirect(known, redirect) }) {
		return "", refuse(codeInvalidRequest, "redirect_uri is not one of the client's")
	}
	return redirect, nil
}

// sameRedirect compares addresses as they are. Of one on a loopback address the port may
// be another (RFC 8252, section 7.3).
func sameRedirect(known, got string) bool {
	if known == got {
		return true
	}
	k, err1 := url.Parse(known)
	g, err2 := url.Parse(got)
	if err1 != nil || err2 != nil || !loopback(k) || !loopback(g) || g.User != nil || k.Hostname() != g.Hostname() || strings.Contains(got, "#") {
		return false
	}
	if p := g.Port(); p != "" && strings.Trim(p, "0123456789") != "" {
		return false
	}
	return strings.TrimPrefix(known, "http://"+k.Host) == strings.TrimPrefix(got, "http://"+g.Host)
}

// loopback reports whether an address is on this machine for whoever opens it. A name,
// such as localhost, may be resolved to something else.
func loopback(u *url.URL) bool {
	return u.Scheme == "http" && (u.Hostname() == "127.0.0.1" || u.Hostname() == "::1")
}

// authorization checks what is asked for. Its errors may go to the client.
func (s *Server) authorization(f form, c *account.Client, redirect, proof string) (*authorization, error) {
	a := &authorization{Client: c.ID, Tenant: c.Tenant, Redirect: redirect, State: f["state"], Challenge: f["code_challenge"], JKT: f["dpop_jkt"], Resource: f["resource"], Hint: f["tenant"]}
	if len(a.State) > maxState {
		a.State = ""
		return a, refuse(codeInvalidRequest, "state is longer than %d bytes", maxState)
	}
	switch {
	case f["request"] != "":
		return a, refuse(codeRequestObject, "requests as objects are not taken; use pushed ones (RFC 9126)")
	case f["response_type"] == "":
		return a, refuse(codeInvalidRequest, "response_type is required")
	case f["response_type"] != "code":
		return a, refuse(codeResponseType, "want response_type code")
	case f["response_mode"] != "" && f["response_mode"] != "query":
		return a, refuse(codeInvalidRequest, "want response_mode query")
	case f["prompt"] == "none":
		return a, refuse(codeLogin, "people log in for each request")
	case f["code_challenge_method"] != "S256":
		return a, refuse(codeInvalidRequest, "PKCE is required: want code_challenge_method S256")
	case !isDigest(a.Challenge):
		return a, refuse(codeInvalidRequest, "PKCE is required: want code_challenge, the SHA-256 of the verifier")
	case a.JKT != "" && !isDigest(a.JKT):
		return a, refuse(codeInvalidRequest, "dpop_jkt is not the thumbprint of a key")
	case a.JKT != "" && proof != "" && a.JKT != proof:
		return a, refuse(codeInvalidProof, "dpop_jkt is of another key than the proof")
	case a.Hint != "" && len(a.Hint) > 64:
		return a, refuse(codeInvalidRequest, "tenant is longer than 64 bytes")
	}
	if a.JKT == "" {
		a.JKT = proof
	}
	var err error
	if a.Resource, err = s.audience(a.Resource); err != nil {
		return a, err
	}
	a.Scopes, err = scopesWithin(f["scope"], c.Scopes)
	return a, err
}

// isDigest reports whether s can be a SHA-256 in base64url.
func isDigest(s string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == 32
}

// audience checks for whom a token is asked; "" is for the first.
func (s *Server) audience(resource string) (string, error) {
	if resource == "" {
		return s.Audiences[0], nil
	}
	if !slices.Contains(s.Audiences, resource) {
		return "", refuse(codeInvalidTarget, "there is no such resource")
	}
	return resource, nil
}

// scopesWithin reads a scope parameter, none of which may be outside of what is allowed.
// "" asks for all of it. What it returns is sorted.
func scopesWithin(text string, allowed []string) ([]string, error) {
	list := slices.Clone(allowed)
	if text != "" {
		if len(text) > maxText {
			return nil, refuse(codeInvalidScope, "scope is too long")
		}
		list = strings.Split(text, " ")
	}
	slices.Sort(list)
	list = slices.Compact(list)
	if len(list) > maxScopes {
		return nil, refuse(codeInvalidScope, "there are more than %d scopes", maxScopes)
	}
	for _, scope := range list {
		if !isScope(scope) || !slices.Contains(allowed, scope) {
			return nil, refuse(codeInvalidScope, "the scope is not allowed, or not well formed")
		}
	}
	if len(list) == 0 {
		return nil, refuse(codeInvalidScope, "no scope is allowed")
	}
	return list, nil
}

// isScope is the grammar of RFC 6749, section 3.3.
func isScope(s string) bool {
	return s != "" && strings.IndexFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }) < 0
}

// intersect returns what is in all lists, sorted.
func intersect(list []string, others ...[]string) []string {
	out := []string{}
	for _, v := range list {
		if !slices.ContainsFunc(others, func(o []string) bool { return !slices.Contains(o, v) }) {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

const (
	requestPrefix = "urn:ietf:params:oauth:request_uri:"
	requestLife   = 90 * time.Second
)

// par takes an authorization request before a browser has it (RFC 9126).
func (s *Server) par(x *exchange) error {
	c, err := s.enter(x, "/par")
	if err != nil {
		return err
	}
	if x.form["request_uri"] != "" {
		return refuse(codeInvalidRequest, "request_uri is what this endpoint gives")
	}
	redirect, err := s.target(x, x.form, c)
	if err != nil {
		return err
	}
	a, err := s.authorization(x.form, c, redirect, x.proof)
	if err != nil {
		return err
	}
	name, now := newSecret(), s.now()
	g := &account.Grant{Hash: hashOf(name), Kind: account.KindRequest, State: account.Open, Family: newID(), Client: c.ID, Scopes: a.Scopes, JKT: a.JKT,
		Data: encode(a), Created: now, Expires: now.Add(requestLife)}
	if err := s.Store.Add(x.r.Context(), g); err != nil {
		return err
	}
	return x.answer(201, map[string]any{"request_uri": requestPrefix + name, "expires_in": int(requestLife / time.Second)})
}

// pushed returns the request that a browser brings by name. It is used up.
func (s *Server) pushed(x *exchange, c *account.Client, uri string) (*authorization, error) {
	name, ok := strings.CutPrefix(uri, requestPrefix)
	if !ok || name == "" || len(name) > 256 {
		return nil, refuse(codeRequestURI, "request_uri is none that was given here")
	}
	g, err := s.Store.Take(x.r.Context(), account.KindRequest, hashOf(name))
	if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Conflict) {
		return nil, refuse(codeRequestURI, "the request is over, or was used before")
	}
	if err != nil {
		return nil, err
	}
	a := new(authorization)
	if err := decode(g.Data, a); err != nil {
		return nil, err
	}
	if g.Client != c.ID {
		return nil, refuse(codeRequestURI, "the request is over, or was used before")
	}
	return a, nil
}
