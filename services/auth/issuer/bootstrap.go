package issuer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/store/account"
)

// The clients that people have.
const (
	CLI     = "stella-cli"     // public: device code, and authorization code by loopback
	Console = "stella-console" // public: authorization code
)

// Bootstrap is what an installation begins with. What is there already stays as it is.
type Bootstrap struct {
	Tenant     string // required
	TenantName string // "" means Tenant
	Login      string // of the administrator; "" means "admin"
	// Password is the administrator's; "" has one made, which is returned once.
	Password string
	// Redirects are where the console takes its codes, such as
	// "https://stella.example/console/callback". None: there is no console.
	Redirects []string
	// Services are the processes of the installation, which belong to no tenant.
	Services []ServiceClient
	By       string // for the journal; "" means "bootstrap"
}

// ServiceClient is a process that acts for itself, by a key of its own.
type ServiceClient struct {
	ID     string
	Keys   []byte // its public keys, a JSON Web Key Set
	Scopes []string
	// Exchange lets it act for who called it (RFC 8693).
	Exchange bool
}

// Bootstrapped is what was made.
type Bootstrapped struct {
	Tenant   string
	Login    string
	User     string   // the administrator's ID; "" where it was there
	Password string   // "" where it was given, or the administrator was there
	Clients  []string // those that were made
	Key      string   // the first signing key; "" where there was one
}

// Bootstrap makes the first tenant with its administrator, the clients of the command line
// and the console, those of services, and a signing key. Doing it again makes what is
// missing. Errors wrap fault kinds invalid, conflict and unavailable; none has a password.
func (s *Server) Bootstrap(ctx context.Context, b Bootstrap) (*Bootstrapped, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	by := orText(b.By, "bootstrap")
	out := &Bootstrapped{Tenant: b.Tenant, Login: orText(b.Login, "admin")}
	t := &account.Tenant{ID: b.Tenant, Name: orText(b.TenantName, b.Tenant)}
	_, err := s.Store.Tenant(ctx, b.Tenant)
	if errors.Is(err, fault.NotFound) {
		err = s.Store.PutTenant(ctx, t, by)
	}
	if err != nil && !errors.Is(err, fault.Conflict) {
		return nil, fmt.Errorf("bootstrap: tenant: %w", err)
	}
	if err := s.firstUser(ctx, &b, out, by); err != nil {
		return nil, fmt.Errorf("bootstrap: administrator: %w", err)
	}
	list, err := b.clients()
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	for i := range list {
		c := &list[i]
		old, err := s.Store.Client(ctx, c.ID)
		switch {
		case err == nil && (c.ID != Console || !lacks(old, c)):
			continue
		case err == nil: // the console is reached by another name as well
			old.Redirects = append(slices.Clone(old.Redirects), c.Redirects...)
			slices.Sort(old.Redirects)
			old.Redirects = slices.Compact(old.Redirects)
			if err = s.Store.PutClient(ctx, old, by); err == nil {
				continue
			}
		case errors.Is(err, fault.NotFound):
			err = s.Store.PutClient(ctx, c, by)
		}
		if err != nil && !errors.Is(err, fault.Conflict) {
			return nil, fmt.Errorf("bootstrap: client %q: %w", c.ID, err)
		}
		out.Clients = append(out.Clients, c.ID)
	}
	keys, err := s.Store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	if len(keys) == 0 {
		k, err := s.Rotate(ctx, &Rotation{Algorithm: s.Algorithm, By: by})
		if err != nil {
			return nil, fmt.Errorf("bootstrap: %w", err)
		}
		out.Key = k.ID
	}
	return out, nil
}

// lacks reports whether a client is not sent to somewhere that it is to be.
func lacks(old, c *account.Client) bool {
	return slices.ContainsFunc(c.Redirects, func(r string) bool { return !slices.Contains(old.Redirects, r) })
}

// firstUser makes the administrator, who may do everything but the work of services. What
// is public is the business of the first tenant of an installation: administrators of
// further ones have no rights over it, which all tenants would feel.
func (s *Server) firstUser(ctx context.Context, b *Bootstrap, out *Bootstrapped, by string) error {
	_, err := s.Store.Login(ctx, b.Tenant, out.Login)
	if err == nil || !errors.Is(err, fault.NotFound) {
		return err
	}
	password, made := b.Password, ""
	if password == "" {
		made = newSecret()
		password = made
	}
	scopes := personScopes()
	tenants, err := s.Store.Tenants(ctx, "", 2)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(tenants, func(t account.Tenant) bool { return t.ID != b.Tenant }) {
		scopes = slices.DeleteFunc(scopes, func(s string) bool { return slices.Contains(installationScopes, s) })
	}
	u := &account.User{Tenant: b.Tenant, ID: newID(), Login: out.Login, Name: "Administrator", Scopes: scopes}
	if u.Password, err = s.hasher.hash(ctx, password); err != nil {
		return err
	}
	err = s.Store.PutUser(ctx, u, by)
	if errors.Is(err, fault.Conflict) {
		return nil // another process was faster, and has told its password
	}
	if err == nil {
		out.User, out.Password = u.ID, made
	}
	return err
}

// personScopes are all rights that people can have.
func personScopes() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(auth.Scopes())), func(s string) bool { return s == auth.ScannerWork })
}

// clients are those of a Bootstrap.
func (b *Bootstrap) clients() ([]account.Client, error) {
	list := []account.Client{{ID: CLI, Name: "Stella command line", Public: true, Redirects: []string{"http://127.0.0.1/callback", "http://[::1]/callback"},
		Grants: []string{grantCode, grantDevice, grantRefresh}, Scopes: personScopes()}}
	if len(b.Redirects) > 0 {
		list = append(list, account.Client{ID: Console, Name: "Stella console", Public: true, Redirects: b.Redirects, Grants: []string{grantCode, grantRefresh}, Scopes: personScopes()})
	}
	for _, sc := range b.Services {
		keys, err := checkKeys(sc.Keys)
		if err != nil {
			return nil, fmt.Errorf("service %q: %w", sc.ID, err)
		}
		c := account.Client{ID: sc.ID, Name: sc.ID, Keys: keys, Grants: []string{grantClient}, Scopes: intersect(sc.Scopes)}
		if sc.Exchange {
			c.Grants = append(c.Grants, grantExchange)
		}
		list = append(list, c)
	}
	for i := range list {
		if err := checkClient(&list[i]); err != nil {
			return nil, fmt.Errorf("client %q: %w", list[i].ID, err)
		}
		for _, scope := range list[i].Scopes {
			if auth.Scopes()[scope] == "" {
				return nil, fmt.Errorf("client %q: scope %q is not one of %s: %w", list[i].ID, scope, strings.Join(personScopes(), " "), fault.Invalid)
			}
		}
	}
	return list, nil
}
