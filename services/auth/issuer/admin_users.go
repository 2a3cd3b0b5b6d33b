package issuer

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/store/account"
)

// maxAPIKeyLife is how long an API key may hold.
const maxAPIKeyLife = 366 * 24 * time.Hour

func (s *Server) tenants(c *call) error {
	return page(c, "tenants", func(after string, limit int) ([]account.Tenant, error) {
		if c.who.Tenant == "" {
			return s.Store.Tenants(c.r.Context(), after, limit)
		}
		if after >= c.who.Tenant {
			return nil, nil
		}
		t, err := s.Store.Tenant(c.r.Context(), c.who.Tenant)
		if err != nil {
			return nil, err
		}
		return []account.Tenant{*t}, nil
	}, func(t *account.Tenant) string { return t.ID })
}

func (s *Server) tenant(c *call) error {
	id := c.r.PathValue("tenant_id")
	if c.who.Tenant != "" && c.who.Tenant != id {
		return missing("tenant", id)
	}
	t, err := s.Store.Tenant(c.r.Context(), id)
	if err != nil {
		return err
	}
	return c.versioned(http.StatusOK, t.Version, t)
}

func (s *Server) putTenant(c *call) error {
	v, err := httpjson.Revision(c.r.Header, "it")
	if err != nil {
		return err
	}
	var body struct {
		Name     string `json:"name"`
		Disabled bool   `json:"disabled"`
	}
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	ctx := c.r.Context()
	t := &account.Tenant{ID: c.r.PathValue("tenant_id"), Name: body.Name, Disabled: body.Disabled, Version: v}
	if err := s.Store.PutTenant(ctx, t, c.who.Subject); err != nil {
		if now, e := s.Store.Tenant(ctx, t.ID); e == nil {
			return stale(err, v, now.Version)
		} else if v > 0 && fault.KindOf(e) == fault.NotFound {
			return e
		}
		return err
	}
	if t.Disabled {
		if err := s.endAll(c, account.RevokeTenant, t.ID, t.ID); err != nil {
			return err
		}
	}
	if v == 0 {
		return c.created(t.Version, root+"/tenants/"+url.PathEscape(t.ID), t)
	}
	return c.versioned(http.StatusOK, t.Version, t)
}

// endAll ends what was given until now.
func (s *Server) endAll(c *call, kind, id, tenant string) error {
	now := s.now()
	return s.end(c.r.Context(), &account.Revocation{Kind: kind, ID: id, Tenant: tenant, Before: now, Until: s.spent(now), By: c.who.Subject, Reason: "its account was changed"})
}

// userBody is what is set of a user.
type userBody struct {
	Login    string   `json:"login"`
	Name     string   `json:"name"`
	Email    string   `json:"email"`
	Scopes   []string `json:"scopes"`
	Disabled bool     `json:"disabled"`
	Password *string  `json:"password"` // of a new one; nil has one made, "" leaves it without
}

// userView is a user with the password that was made for it, which is shown once.
type userView struct {
	User     *account.User `json:"user"`
	Password string        `json:"password,omitempty"`
}

// inTenant refuses what needs a tenant where there is none.
func (c *call) inTenant() error {
	if c.tenant == "" {
		return httpjson.BadRequest("query: which tenant is it about? want tenant")
	}
	return nil
}

func (s *Server) users(c *call) error {
	if err := c.inTenant(); err != nil {
		return err
	}
	return page(c, "users", func(after string, limit int) ([]account.User, error) {
		return s.Store.Users(c.r.Context(), c.tenant, after, limit)
	}, func(u *account.User) string { return u.ID })
}

func (s *Server) user(c *call) error {
	if err := c.inTenant(); err != nil {
		return err
	}
	u, err := s.Store.User(c.r.Context(), c.tenant, c.r.PathValue("user_id"))
	if err != nil {
		return err
	}
	return c.versioned(http.StatusOK, u.Version, u)
}

func (s *Server) addUser(c *call) error {
	if err := c.inTenant(); err != nil {
		return err
	}
	var body userBody
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	scopes, err := c.checkScopes(body.Scopes, nil)
	if err != nil {
		return err
	}
	u := &account.User{Tenant: c.tenant, ID: newID(), Login: body.Login, Name: body.Name, Email: body.Email, Scopes: scopes, Disabled: body.Disabled}
	if err := u.Check(); err != nil {
		return err
	}
	shown, err := s.newPassword(c, u, body.Password)
	if err != nil {
		return err
	}
	if err := s.Store.PutUser(c.r.Context(), u, c.who.Subject); err != nil {
		return err
	}
	return c.created(u.Version, root+"/users/"+u.ID, userView{u, shown})
}

// newPassword gives a user a password: the one that is given, or one that is returned.
func (s *Server) newPassword(c *call, u *account.User, given *string) (shown string, err error) {
	text := ""
	switch {
	case given == nil:
		shown = newSecret()
		text = shown
	case *given == "":
		u.Password = ""
		return "", nil
	default:
		text = *given
	}
	u.Password, err = s.hasher.hash(c.r.Context(), text)
	return shown, err
}

func (s *Server) putUser(c *call) error {
	v, err := changing(c.r.Header)
	if err == nil {
		err = c.inTenant()
	}
	if err != nil {
		return err
	}
	var body userBody
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	if body.Password != nil {
		return fmt.Errorf("password: it is set at %s/users/{user_id}/password: %w", root, fault.Invalid)
	}
	ctx := c.r.Context()
	u, err := s.Store.User(ctx, c.tenant, c.r.PathValue("user_id"))
	if err != nil {
		return err
	}
	before := *u
	u.Login, u.Name, u.Email, u.Disabled, u.Version = body.Login, body.Name, body.Email, body.Disabled, v
	if u.Scopes, err = c.checkScopes(body.Scopes, before.Scopes); err != nil {
		return err
	}
	if err := s.Store.PutUser(ctx, u, c.who.Subject); err != nil {
		return stale(err, v, before.Version)
	}
	if u.Disabled || lost(before.Scopes, u.Scopes) {
		if err := s.endAll(c, account.RevokeUser, u.Tenant+"/"+u.ID, u.Tenant); err != nil {
			return err
		}
	}
	return c.versioned(http.StatusOK, u.Version, u)
}

// lost reports whether a right is gone.
func lost(before, now []string) bool {
	return slices.ContainsFunc(before, func(scope string) bool { return !slices.Contains(now, scope) })
}

// setPassword gives a user another password, and ends what it had until now.
func (s *Server) setPassword(c *call) error {
	if err := c.inTenant(); err != nil {
		return err
	}
	var body struct {
		Password *string `json:"password"`
	}
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	ctx := c.r.Context()
	u, err := s.Store.User(ctx, c.tenant, c.r.PathValue("user_id"))
	if err != nil {
		return err
	}
	if err := c.holds(u.Scopes); err != nil {
		return err
	}
	shown, err := s.newPassword(c, u, body.Password)
	if err != nil {
		return err
	}
	if err := s.Store.PutUser(ctx, u, c.who.Subject); err != nil {
		return err
	}
	if err := s.endAll(c, account.RevokeUser, u.Tenant+"/"+u.ID, u.Tenant); err != nil {
		return err
	}
	return c.versioned(http.StatusOK, u.Version, userView{u, shown})
}

// apiKeyBody is what is set of an API key.
type apiKeyBody struct {
	Name    string    `json:"name"`
	Subject string    `json:"subject"`
	Scopes  []string  `json:"scopes"`
	Expires time.Time `json:"expires"`
}

// apiKeyView is an API key with what is sent, which is shown once.
type apiKeyView struct {
	APIKey *account.APIKey `json:"api_key"`
	Secret string          `json:"secret,omitempty"`
}

func (s *Server) apiKeys(c *call) error {
	if err := c.inTenant(); err != nil {
		return err
	}
	return page(c, "api_keys", func(after string, limit int) ([]account.APIKey, error) {
		return s.Store.APIKeys(c.r.Context(), c.tenant, after, limit)
	}, func(k *account.APIKey) string { return k.ID })
}

// keptAPIKey returns an API key of the tenant.
func (s *Server) keptAPIKey(c *call) (*account.APIKey, error) {
	if err := c.inTenant(); err != nil {
		return nil, err
	}
	id := c.r.PathValue("key_id")
	k, err := s.Store.APIKey(c.r.Context(), id)
	if err == nil && k.Tenant != c.tenant || fault.KindOf(err) == fault.NotFound {
		return nil, missing("API key", id) // another tenant's is not there, in the same words
	}
	return k, err
}

func (s *Server) oneAPIKey(c *call) error {
	k, err := s.keptAPIKey(c)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, k)
}

func (s *Server) addAPIKey(c *call) error {
	if err := c.inTenant(); err != nil {
		return err
	}
	var body apiKeyBody
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	scopes, err := c.checkScopes(body.Scopes, nil)
	if err != nil {
		return err
	}
	now := s.now()
	switch {
	case len(scopes) == 0:
		return fmt.Errorf("scopes: a key needs some: %w", fault.Invalid)
	case slices.Contains(scopes, auth.AuthorityAdmin) || slices.Contains(scopes, auth.ScannerWork):
		return fmt.Errorf("scopes: an API key administers nothing, and is no worker: %w", fault.Forbidden)
	case !body.Expires.After(now) || body.Expires.After(now.Add(maxAPIKeyLife)):
		return fmt.Errorf("expires: want a time within the next %d days: %w", maxAPIKeyLife/24/time.Hour, fault.Invalid)
	}
	k := &account.APIKey{ID: newID(), Tenant: c.tenant, Subject: orText(body.Subject, c.who.Subject), Name: body.Name, Scopes: scopes, Expires: body.Expires.UTC(), Created: now}
	secret := newID() + newID() // 260 bits, without a character that ends a word
	k.Hash = hashOf(secret)
	if err := s.Store.PutAPIKey(c.r.Context(), k, c.who.Subject); err != nil {
		return err
	}
	return c.created(0, root+"/api-keys/"+k.ID, apiKeyView{k, keyPrefix + k.ID + "_" + secret})
}

func (s *Server) revokeAPIKey(c *call) error {
	k, err := s.keptAPIKey(c)
	if err != nil {
		return err
	}
	if k.Revoked.IsZero() {
		k.Revoked = s.now()
		if err := s.Store.PutAPIKey(c.r.Context(), k, c.who.Subject); err != nil {
			return err
		}
	}
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
