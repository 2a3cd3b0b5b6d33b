package accounttest

import (
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/store/account"
)

// PutTenant keeps a tenant.
func (m *Memory) PutTenant(ctx context.Context, t *account.Tenant, by string) error {
	if err := t.Check(); err != nil {
		return fmt.Errorf("put tenant: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kept, there := m.tenants[t.ID]
	v, err := next("tenant", t.ID, kept.Version, t.Version)
	if err != nil {
		return err
	}
	t.Version, t.Created, t.Updated = v, kept.Created, m.now()
	if !there {
		t.Created = t.Updated
	}
	m.tenants[t.ID] = *t
	m.note(account.PutEntry("tenant", t.ID, t.ID, "", v, t.Disabled, by))
	return nil
}

// PutUser keeps a user.
func (m *Memory) PutUser(ctx context.Context, u *account.User, by string) error {
	if err := u.Check(); err != nil {
		return fmt.Errorf("put user: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.tenants[u.Tenant]; !there {
		return missing("tenant", u.Tenant)
	}
	kept, there := m.users[[2]string{u.Tenant, u.ID}]
	v, err := next("user", u.ID, kept.Version, u.Version)
	if err != nil {
		return err
	}
	for _, o := range m.users {
		if o.Tenant == u.Tenant && o.Login == u.Login && o.ID != u.ID {
			return conflict("user", u.ID, "the login is taken")
		}
	}
	u.Version, u.Created, u.Updated, u.Failures, u.Locked = v, kept.Created, m.now(), kept.Failures, kept.Locked
	if u.Password != kept.Password {
		u.Failures, u.Locked = 0, time.Time{}
	}
	if !there {
		u.Created = u.Updated
	}
	m.users[[2]string{u.Tenant, u.ID}] = *copyUser(*u)
	m.note(account.PutEntry("user", u.Tenant, u.ID, "", v, u.Disabled, by))
	return nil
}

// PutClient keeps a client.
func (m *Memory) PutClient(ctx context.Context, c *account.Client, by string) error {
	if err := c.Check(); err != nil {
		return fmt.Errorf("put client: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.tenants[c.Tenant]; !there && c.Tenant != "" {
		return missing("tenant", c.Tenant)
	}
	kept, there := m.clients[c.ID]
	if there && kept.Tenant != c.Tenant {
		return conflict("client", c.ID, "the ID is taken")
	}
	v, err := next("client", c.ID, kept.Version, c.Version)
	if err != nil {
		return err
	}
	c.Version, c.Created, c.Updated = v, kept.Created, m.now()
	if !there {
		c.Created = c.Updated
	}
	m.clients[c.ID] = *copyClient(*c)
	m.note(account.PutEntry("client", c.Tenant, "", c.ID, v, c.Disabled, by))
	return nil
}

// PutKey keeps a signing key.
func (m *Memory) PutKey(ctx context.Context, k *account.Key, by string) error {
	if err := k.Check(); err != nil {
		return fmt.Errorf("put key: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kept, there := m.keys[k.ID]
	given := copyKey(*k)
	switch {
	case !there:
		given.Created = m.now()
	case !sameKey(&kept, &given):
		return conflict("key", k.ID, "another one is kept")
	case !kept.Ended.IsZero() && (given.Ended.IsZero() || given.Ended.After(kept.Ended)):
		return conflict("key", k.ID, "it ends, and does not end later")
	default:
		given.Created = kept.Created
	}
	k.Created = given.Created
	m.keys[k.ID] = given
	m.note(account.PutEntry("key", "", k.ID, "", 0, !k.Ended.IsZero(), by))
	return nil
}

// PutAPIKey keeps an API key.
func (m *Memory) PutAPIKey(ctx context.Context, k *account.APIKey, by string) error {
	if err := k.Check(); err != nil {
		return fmt.Errorf("put API key: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.tenants[k.Tenant]; !there {
		return missing("tenant", k.Tenant)
	}
	kept, there := m.apiKeys[k.ID]
	given := copyAPIKey(*k)
	switch {
	case !there:
		given.Created = m.now()
	case !sameAPIKey(&kept, given):
		return conflict("API key", k.ID, "another one is kept")
	case !kept.Revoked.IsZero() && !given.Revoked.Equal(kept.Revoked):
		return conflict("API key", k.ID, "it was revoked")
	default:
		given.Created = kept.Created
	}
	k.Created = given.Created
	m.apiKeys[k.ID] = *given
	m.note(account.PutEntry("apikey", k.Tenant, k.ID, "", 0, !k.Revoked.IsZero(), by))
	return nil
}

// Failed counts failed logins.
func (m *Memory) Failed(ctx context.Context, tenant, id string, ok bool, lock func(failures int) time.Time) (*account.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, there := m.users[[2]string{tenant, id}]
	switch {
	case !there:
		return nil, missing("user", id)
	case !ok:
		u.Failures++
		if until := moment(lock(u.Failures)); until.After(u.Locked) {
			u.Locked = until
			m.note(account.LockEntry(&u))
		}
	case !u.Locked.After(m.now()):
		u.Failures, u.Locked = 0, time.Time{}
	}
	m.users[[2]string{tenant, id}] = u
	return copyUser(u), nil
}

// Note writes to the journal.
func (m *Memory) Note(ctx context.Context, e *account.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note(*e)
	last := m.journal[len(m.journal)-1]
	e.Seq, e.Time = last.Seq, last.Time
	return nil
}
