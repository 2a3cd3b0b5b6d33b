package issuer

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/store/account"
)

// maxClientKeys is how many keys a client may have: the one that it has, and some that
// come and go.
const maxClientKeys = 16

// clientBody is what is set of a client.
type clientBody struct {
	Name      string         `json:"client_name"`
	Public    bool           `json:"public"`
	JWKS      jsontext.Value `json:"jwks,omitempty"` // none: those that it has stay
	Redirects []string       `json:"redirect_uris"`
	Grants    []string       `json:"grant_types"`
	Scopes    []string       `json:"scopes"`
	Plain     bool           `json:"plain"`
	Disabled  bool           `json:"disabled"`
}

// clientView is a client as it is shown.
type clientView struct {
	//lint:ignore SA5008 an option of encoding/json/v2
	account.Client `json:",embed"`
	JWKS           jsontext.Value `json:"jwks,omitempty"`
	// Method is how it proves who it is.
	Method string `json:"token_endpoint_auth_method"`
}

func viewOf(c *account.Client) clientView {
	v := clientView{Client: *c, JWKS: jsontext.Value(c.Keys), Method: authJWT}
	switch {
	case c.Public:
		v.Method = authNone
	case c.Secret != "":
		v.Method = authBasic
	}
	return v
}

func (s *Server) clients(c *call) error {
	return page(c, "clients", func(after string, limit int) ([]clientView, error) {
		list, err := s.Store.Clients(c.r.Context(), c.tenant, after, limit)
		out := make([]clientView, 0, len(list))
		for i := range list {
			out = append(out, viewOf(&list[i]))
		}
		return out, err
	}, func(v *clientView) string { return v.ID })
}

// keptClient returns a client of the tenant.
func (s *Server) keptClient(c *call) (*account.Client, error) {
	id := c.r.PathValue("client_id")
	kept, err := s.Store.Client(c.r.Context(), id)
	if err == nil && kept.Tenant != c.tenant || fault.KindOf(err) == fault.NotFound {
		return nil, missing("client", id) // another tenant's is not there, in the same words
	}
	return kept, err
}

func (s *Server) oneClient(c *call) error {
	kept, err := s.keptClient(c)
	if err != nil {
		return err
	}
	return c.versioned(http.StatusOK, kept.Version, viewOf(kept))
}

// readClientBody reads what is set into a client, and checks it.
func (s *Server) readClientBody(c *call, into *account.Client) error {
	var body clientBody
	if err := httpjson.Read(c.r, account.MaxKeys+MaxBody, &body); err != nil {
		return err
	}
	scopes, err := c.checkScopes(body.Scopes, into.Scopes)
	if err != nil {
		return err
	}
	if len(body.JWKS) > 0 || body.Public != into.Public || body.Plain != into.Plain || !slices.Equal(body.Redirects, into.Redirects) || !slices.Equal(intersect(body.Grants), into.Grants) {
		if err := c.holds(scopes); err != nil {
			return err
		}
	}
	into.Name, into.Public, into.Redirects, into.Grants, into.Scopes, into.Plain, into.Disabled = body.Name, body.Public, body.Redirects, intersect(body.Grants), scopes, body.Plain, body.Disabled
	if body.JWKS.Kind() == 'n' {
		body.JWKS = nil
	}
	if len(body.JWKS) > 0 {
		if into.Keys, err = checkKeys(body.JWKS); err != nil {
			return err
		}
		into.Secret = ""
	}
	if into.Public {
		into.Secret = ""
		if len(body.JWKS) == 0 {
			into.Keys = nil
		}
	}
	if err := checkClient(into); err != nil {
		return err
	}
	return into.Check()
}

func (s *Server) addClient(c *call) error {
	n := &account.Client{ID: newID(), Tenant: c.tenant}
	if err := s.readClientBody(c, n); err != nil {
		return err
	}
	if err := s.Store.PutClient(c.r.Context(), n, c.who.Subject); err != nil {
		return err
	}
	return c.created(n.Version, root+"/clients/"+n.ID, viewOf(n))
}

func (s *Server) putClient(c *call) error {
	v, err := changing(c.r.Header)
	if err != nil {
		return err
	}
	kept, err := s.keptClient(c)
	if err != nil {
		return err
	}
	before := *kept
	if err := s.readClientBody(c, kept); err != nil {
		return err
	}
	kept.Version = v
	if err := s.Store.PutClient(c.r.Context(), kept, c.who.Subject); err != nil {
		return stale(err, v, before.Version)
	}
	if kept.Disabled || lost(before.Scopes, kept.Scopes) {
		if err := s.endAll(c, account.RevokeClient, kept.ID, kept.Tenant); err != nil {
			return err
		}
	}
	return c.versioned(http.StatusOK, kept.Version, viewOf(kept))
}

// setSecret gives a confidential client a secret instead of its keys, for development. It
// is shown once.
func (s *Server) setSecret(c *call) error {
	kept, err := s.keptClient(c)
	if err != nil {
		return err
	}
	if kept.Public {
		return fmt.Errorf("client %q is public: it cannot keep a secret: %w", kept.ID, fault.Conflict)
	}
	if err := c.holds(kept.Scopes); err != nil {
		return err
	}
	secret := newSecret()
	if kept.Secret, err = s.hasher.hash(c.r.Context(), secret); err != nil {
		return err
	}
	kept.Keys = nil
	if err := s.Store.PutClient(c.r.Context(), kept, c.who.Subject); err != nil {
		return err
	}
	return c.versioned(http.StatusOK, kept.Version, map[string]any{"client_id": kept.ID, "client_secret": secret})
}

// checkKeys reads a set of public keys that a client signs with.
func checkKeys(text []byte) ([]byte, error) {
	set, err := jwks.Parse(text)
	if err != nil && fault.KindOf(err) != fault.Limit {
		return nil, fmt.Errorf("jwks: %v: %w", err, fault.Invalid)
	}
	if err != nil {
		return nil, err
	}
	if n := len(set.Keys()); n == 0 || n > maxClientKeys {
		return nil, fmt.Errorf("jwks: want 1 to %d public keys of ECDSA on P-256, Ed25519 or RSA: %w", maxClientKeys, fault.Invalid)
	}
	return set.Marshal(), nil
}

// checkClient refuses a client that could not work, or that would send people elsewhere.
func checkClient(c *account.Client) error {
	for _, r := range c.Redirects {
		if err := checkRedirect(r); err != nil {
			return err
		}
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf(format+": %w", append(args, fault.Invalid)...)
	}
	for _, g := range c.Grants {
		if !slices.Contains(allGrants(), g) {
			return bad("grant type %.80q is not known: want some of %s", g, strings.Join(allGrants(), ", "))
		}
	}
	switch {
	case len(c.Grants) == 0:
		return bad("grant_types: want at least one")
	case grants(c, grantCode) != (len(c.Redirects) > 0):
		return bad("redirect_uris: they belong to the grant type %s, which needs some", grantCode)
	case c.Public && grants(c, grantClient):
		return bad("grant type %s: a public client cannot act for itself", grantClient)
	case grants(c, grantRefresh) && !grants(c, grantCode) && !grants(c, grantDevice):
		return bad("grant type %s: nothing gives the client a refresh token", grantRefresh)
	}
	return nil
}

// checkRedirect refuses addresses that others may read or run.
func checkRedirect(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Opaque != "" || strings.Contains(text, "#") || strings.ContainsAny(text, "*\\ \t\r\n") ||
		u.Scheme != "https" && !loopback(u) || strings.ToLower(u.Host) != u.Host {
		return fmt.Errorf("redirect URI %.200q: want https://HOST/…, or http://127.0.0.1 or http://[::1] with any path, without user information and fragment: %w", text, fault.Invalid)
	}
	return nil
}
