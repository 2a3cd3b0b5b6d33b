package accounttest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/store/account"
)

// Tenant returns one.
func (m *Memory) Tenant(ctx context.Context, id string) (*account.Tenant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t, there := m.tenants[id]; there {
		return &t, nil
	}
	return nil, missing("tenant", id)
}

// User returns one.
func (m *Memory) User(ctx context.Context, tenant, id string) (*account.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u, there := m.users[[2]string{tenant, id}]; there {
		return copyUser(u), nil
	}
	return nil, missing("user", id)
}

// Login returns the user of a login.
func (m *Memory) Login(ctx context.Context, tenant, login string) (*account.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range m.users {
		if u.Tenant == tenant && u.Login == login {
			return copyUser(u), nil
		}
	}
	return nil, missing("login", login)
}

// Client returns one.
func (m *Memory) Client(ctx context.Context, id string) (*account.Client, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, there := m.clients[id]; there {
		return copyClient(c), nil
	}
	return nil, missing("client", id)
}

// APIKey returns one.
func (m *Memory) APIKey(ctx context.Context, id string) (*account.APIKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, there := m.apiKeys[id]; there {
		return copyAPIKey(k), nil
	}
	return nil, missing("API key", id)
}

// Keys returns the signing keys that have not ended.
func (m *Memory) Keys(ctx context.Context) ([]account.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []account.Key
	for _, k := range m.keys {
		if k.Ended.IsZero() || k.Ended.After(m.now()) {
			out = append(out, copyKey(k))
		}
	}
	slices.SortFunc(out, func(a, b account.Key) int {
		return cmp.Or(a.Active.Compare(b.Active), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

// Tenants lists them.
func (m *Memory) Tenants(ctx context.Context, after string, limit int) ([]account.Tenant, error) {
	limit, err := account.Limit(limit)
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []account.Tenant
	for _, t := range m.tenants {
		if t.ID > after {
			out = append(out, t)
		}
	}
	return page(out, limit, func(t *account.Tenant) string { return t.ID }), nil
}

// Users lists those of a tenant.
func (m *Memory) Users(ctx context.Context, tenant, after string, limit int) ([]account.User, error) {
	limit, err := account.Limit(limit)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []account.User
	for _, u := range m.users {
		if u.Tenant == tenant && u.ID > after {
			out = append(out, *copyUser(u))
		}
	}
	return page(out, limit, func(u *account.User) string { return u.ID }), nil
}

// Clients lists those of a tenant.
func (m *Memory) Clients(ctx context.Context, tenant, after string, limit int) ([]account.Client, error) {
	limit, err := account.Limit(limit)
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []account.Client
	for _, c := range m.clients {
		if c.Tenant == tenant && c.ID > after {
			out = append(out, *copyClient(c))
		}
	}
	return page(out, limit, func(c *account.Client) string { return c.ID }), nil
}

// APIKeys lists those of a tenant.
func (m *Memory) APIKeys(ctx context.Context, tenant, after string, limit int) ([]account.APIKey, error) {
	limit, err := account.Limit(limit)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []account.APIKey
	for _, k := range m.apiKeys {
		if k.Tenant == tenant && k.ID > after {
			out = append(out, *copyAPIKey(k))
		}
	}
	return page(out, limit, func(k *account.APIKey) string { return k.ID }), nil
}

// Journal lists the entries of a tenant.
func (m *Memory) Journal(ctx context.Context, tenant string, after int64, limit int) ([]account.Entry, error) {
	limit, err := account.Limit(limit)
	if err != nil {
		return nil, fmt.Errorf("list the journal: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []account.Entry
	for _, e := range m.journal {
		if e.Tenant == tenant && e.Seq > after && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, nil
}

// Purge forgets what is over.
func (m *Memory) Purge(ctx context.Context, journal time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, n := m.now(), len(m.grants)+len(m.revocations)+len(m.journal)
	for h, g := range m.grants {
		if !g.Expires.After(now) {
			delete(m.grants, h)
		}
	}
	m.revocations = slices.DeleteFunc(m.revocations, func(r account.Revocation) bool { return !r.Until.After(now) })
	m.journal = slices.DeleteFunc(m.journal, func(e account.Entry) bool { return e.Time.Before(journal) })
	return n - len(m.grants) - len(m.revocations) - len(m.journal), nil
}
