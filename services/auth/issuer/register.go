package issuer

import (
	"errors"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/store/account"
)

// registration is the metadata of a client (RFC 7591, section 2). Other members mean
// nothing here, as the RFC has it.
type registration struct {
	Redirects []string       `json:"redirect_uris,omitempty"`
	Name      string         `json:"client_name,omitempty"`
	Method    string         `json:"token_endpoint_auth_method,omitempty"`
	Grants    []string       `json:"grant_types,omitempty"`
	Responses []string       `json:"response_types,omitempty"`
	Scope     string         `json:"scope,omitempty"`
	JWKS      jsontext.Value `json:"jwks,omitempty"`
	JWKSURI   string         `json:"jwks_uri,omitempty"`
	Bound     *bool          `json:"dpop_bound_access_tokens,omitempty"`
	Statement string         `json:"software_statement,omitempty"`
}

// registered is what a client became (RFC 7591, section 3.2.1).
type registered struct {
	ID       string `json:"client_id"`
	IssuedAt int64  `json:"client_id_issued_at"`
	//lint:ignore SA5008 an option of encoding/json/v2
	registration `json:",embed"`
}

// register makes a client (RFC 7591), for administrators of the tenant that it will be of.
// Nothing is fetched: keys are in the request.
func (s *Server) register(x *exchange) error {
	c := &call{w: x.w, r: x.r}
	if err := s.admit(c, &route{method: "POST", path: "/register"}); err != nil {
		return registerRefused(err)
	}
	r, err := readRegistration(x.r)
	if err != nil {
		return err
	}
	n := &account.Client{ID: newID(), Tenant: c.tenant, Name: r.Name, Public: r.Method == authNone, Redirects: r.Redirects, Grants: intersect(r.Grants)}
	for _, uri := range n.Redirects {
		if err := checkRedirect(uri); err != nil {
			return refuse(codeRedirectURI, "redirect_uris: want https, or http on a loopback address, without fragment")
		}
	}
	if !n.Public {
		if n.Keys, err = checkKeys(r.JWKS); err != nil {
			return refuse(codeMetadata, "jwks: want public keys of ECDSA on P-256, Ed25519 or RSA, and no others")
		}
	}
	if r.Scope != "" {
		if n.Scopes, err = c.checkScopes(strings.Fields(r.Scope), nil); err != nil {
			return refuse(codeMetadata, "scope: one is not known, or not the caller's to give")
		}
	}
	err = checkClient(n)
	if err == nil {
		err = n.Check()
	}
	if err != nil {
		return refuse(codeMetadata, "%s", strings.TrimSuffix(err.Error(), ": "+string(fault.Invalid)))
	}
	if err := s.Store.PutClient(x.r.Context(), n, c.who.Subject); err != nil {
		return err
	}
	bound := true
	out := registered{ID: n.ID, IssuedAt: n.Created.Unix(), registration: registration{Redirects: n.Redirects, Name: n.Name, Method: r.Method, Grants: n.Grants,
		Responses: r.Responses, Scope: strings.Join(n.Scopes, " "), JWKS: jsontext.Value(n.Keys), Bound: &bound}}
	if n.Created.IsZero() {
		out.IssuedAt = s.now().Unix()
	}
	return x.answer(http.StatusCreated, out)
}

// registerRefused is how the door's errors are told here.
func registerRefused(err error) error {
	switch {
	case errors.Is(err, fault.Unauthenticated):
		return &refusal{http.StatusUnauthorized, "invalid_token", "registration needs an access token"}
	case errors.Is(err, fault.Forbidden):
		return &refusal{http.StatusForbidden, "insufficient_scope", "registration needs " + auth.AuthorityAdmin}
	case errors.Is(err, fault.Invalid):
		return refuse(codeInvalidRequest, "the query has what is not known")
	}
	return err
}

// readRegistration reads the metadata of a client, with the defaults of the RFC.
func readRegistration(r *http.Request) (*registration, error) {
	if t := r.Header.Get("Content-Type"); !strings.HasPrefix(strings.ToLower(t), "application/json") {
		return nil, refuse(codeMetadata, "want application/json")
	}
	b, err := httpjson.ReadBytes(r, "metadata", account.MaxKeys+MaxBody)
	if err != nil {
		if errors.Is(err, fault.Limit) {
			return nil, err
		}
		return nil, refuse(codeMetadata, "the body ended early")
	}
	m := new(registration)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, refuse(codeMetadata, "the body is not an object with members of the right types, each once")
	}
	if len(m.Grants) == 0 {
		m.Grants = []string{grantCode}
	}
	if m.Method == "" {
		m.Method = authJWT // the default of the RFC is a secret, of which there are none here
	}
	code := len(intersect(m.Grants, []string{grantCode})) > 0
	if len(m.Responses) == 0 && code {
		m.Responses = []string{"code"}
	}
	switch {
	case m.Statement != "":
		return nil, refuse(codeStatement, "nobody's software statements are trusted here")
	case m.JWKSURI != "":
		return nil, refuse(codeMetadata, "jwks_uri: nothing is fetched; send jwks")
	case m.Method != authNone && m.Method != authJWT:
		return nil, refuse(codeMetadata, "token_endpoint_auth_method: want %s or %s", authNone, authJWT)
	case m.Method == authNone && len(m.JWKS) > 0:
		return nil, refuse(codeMetadata, "jwks: a public client has none")
	case m.Bound != nil && !*m.Bound:
		return nil, refuse(codeMetadata, "dpop_bound_access_tokens: all tokens are bound")
	case code && (len(m.Responses) != 1 || m.Responses[0] != "code") || !code && len(m.Responses) > 0:
		return nil, refuse(codeMetadata, "response_types: want code, for the grant type %s", grantCode)
	}
	return m, nil
}
