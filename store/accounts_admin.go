package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stella-ops/stella/store/account"
)

// following holds a Put against the version that it names.
func following(what, id string, kept, given int64) error {
	if kept != given {
		return clash(what, id, fmt.Sprintf("version %d is kept, and version %d was to be replaced", kept, given))
	}
	return nil
}

// written wants one row to be written: where another write was first there is none.
func written(what, id string, n int64, err error) error {
	if err == nil && n == 0 {
		err = clash(what, id, "it is another version by now, or taken")
	}
	return err
}

// hasTenant wants a tenant to be there. None is ever deleted.
func (t *tx) hasTenant(id string) error {
	k, err := markedOne(t, readTenant, selectTenants+` WHERE id = $1`, id)
	if err == nil && k == nil {
		err = noSuch("tenant", id)
	}
	return err
}

// PutTenant keeps a tenant.
func (a *Accounts) PutTenant(ctx context.Context, t *account.Tenant, by string) error {
	if err := t.Check(); err != nil {
		return fmt.Errorf("put tenant: %w", err)
	}
	out := *t
	err := a.write(ctx, "put tenant "+t.ID, func(m *marked) error {
		before, err := markedOne(m.tx, readTenant, selectTenants+` WHERE id = $1`+forUpdate, t.ID)
		if err != nil {
			return err
		}
		if before == nil {
			before = &markedRow[account.Tenant]{v: account.Tenant{Created: micros(m.now)}}
		} else if m.mine(before.mark) {
			out = before.v
			return nil
		}
		if err := following("tenant", t.ID, before.v.Version, t.Version); err != nil {
			return err
		}
		out.Version, out.Created, out.Updated = t.Version+1, before.v.Created, micros(m.now)
		n, err := m.exec(`INSERT INTO authority.tenants AS t (id, name, disabled, version, created_us, updated_us, mark) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, disabled = excluded.disabled, version = excluded.version, updated_us = excluded.updated_us, mark = excluded.mark
			WHERE t.version = excluded.version - 1`, t.ID, t.Name, bit(t.Disabled), out.Version, out.Created.UnixMicro(), m.now, m.mark)
		if err := written("tenant", t.ID, n, err); err != nil {
			return err
		}
		return m.noted(account.PutEntry("tenant", t.ID, t.ID, "", out.Version, t.Disabled, by))
	})
	if err == nil {
		*t = out
	}
	return err
}

// PutUser keeps a user.
func (a *Accounts) PutUser(ctx context.Context, u *account.User, by string) error {
	if err := u.Check(); err != nil {
		return fmt.Errorf("put user: %w", err)
	}
	scopes, err := texts(u.Scopes)
	if err != nil {
		return err
	}
	out := *u
	err = a.write(ctx, "put user "+u.ID, func(m *marked) error {
		if err := m.hasTenant(u.Tenant); err != nil {
			return err
		}
		before, err := markedOne(m.tx, readUser, selectUsers+` WHERE tenant = $1 AND id = $2`+forUpdate, u.Tenant, u.ID)
		if err != nil {
			return err
		}
		if before == nil {
			before = &markedRow[account.User]{v: account.User{Created: micros(m.now)}}
		}
		was := &before.v
		if !m.mine(before.mark) {
			if err := following("user", u.ID, was.Version, u.Version); err != nil {
				return err
			}
		}
		out.Version, out.Created, out.Updated, out.Failures, out.Locked = u.Version+1, was.Created, micros(m.now), was.Failures, was.Locked
		if u.Password != was.Password {
			out.Failures, out.Locked = 0, time.Time{}
		}
		if m.mine(before.mark) {
			out.Updated = was.Updated
			return nil
		}
		n, err := m.exec(`INSERT INTO authority.users AS u (tenant, id, login, name, email, password, scopes, disabled, failures, locked_us, version, created_us, updated_us, mark)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
			ON CONFLICT (tenant, id) DO UPDATE SET login = excluded.login, name = excluded.name, email = excluded.email, password = excluded.password, scopes = excluded.scopes,
				disabled = excluded.disabled, failures = excluded.failures, locked_us = excluded.locked_us, version = excluded.version, updated_us = excluded.updated_us, mark = excluded.mark
			WHERE u.version = excluded.version - 1`,
			u.Tenant, u.ID, u.Login, u.Name, u.Email, u.Password, scopes, bit(u.Disabled), out.Failures, zeroOrMicros(out.Locked), out.Version, out.Created.UnixMicro(), m.now, m.mark)
		if err := written("user", u.ID, n, err); err != nil {
			return err
		}
		return m.noted(account.PutEntry("user", u.Tenant, u.ID, "", out.Version, u.Disabled, by))
	})
	if err == nil {
		*u = out
	}
	return err
}

// PutClient keeps a client.
func (a *Accounts) PutClient(ctx context.Context, c *account.Client, by string) error {
	if err := c.Check(); err != nil {
		return fmt.Errorf("put client: %w", err)
	}
	out := *c
	err := a.write(ctx, fmt.Sprintf("put client %.80q", c.ID), func(m *marked) error {
		if c.Tenant != "" {
			if err := m.hasTenant(c.Tenant); err != nil {
				return err
			}
		}
		before, err := markedOne(m.tx, readClient, selectClients+` WHERE id = $1`+forUpdate, c.ID)
		if err != nil {
			return err
		}
		if before == nil {
			before = &markedRow[account.Client]{v: account.Client{Tenant: c.Tenant, Created: micros(m.now)}}
		} else if m.mine(before.mark) {
			out.Version, out.Created, out.Updated = before.v.Version, before.v.Created, before.v.Updated
			return nil
		}
		if before.v.Tenant != c.Tenant {
			return clash("client", c.ID, "the ID is taken")
		}
		if err := following("client", c.ID, before.v.Version, c.Version); err != nil {
			return err
		}
		out.Version, out.Created, out.Updated = c.Version+1, before.v.Created, micros(m.now)
		if err := m.putClient(&out); err != nil {
			return err
		}
		return m.noted(account.PutEntry("client", c.Tenant, "", c.ID, out.Version, c.Disabled, by))
	})
	if err == nil {
		*c = out
	}
	return err
}

// putClient writes a client as it is.
func (m *marked) putClient(c *account.Client) error {
	var lists [3]string
	for i, list := range [][]string{c.Redirects, c.Grants, c.Scopes} {
		var err error
		if lists[i], err = texts(list); err != nil {
			return err
		}
	}
	n, err := m.exec(`INSERT INTO authority.clients AS c (id, tenant, name, public, keys, secret, redirects, grants, scopes, plain, disabled, version, created_us, updated_us, mark)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, public = excluded.public, keys = excluded.keys, secret = excluded.secret, redirects = excluded.redirects,
			grants = excluded.grants, scopes = excluded.scopes, plain = excluded.plain, disabled = excluded.disabled, version = excluded.version, updated_us = excluded.updated_us, mark = excluded.mark
		WHERE c.version = excluded.version - 1 AND c.tenant = excluded.tenant`,
		c.ID, c.Tenant, c.Name, bit(c.Public), present(c.Keys), c.Secret, lists[0], lists[1], lists[2], bit(c.Plain), bit(c.Disabled), c.Version, c.Created.UnixMicro(), m.now, m.mark)
	return written("client", c.ID, n, err)
}

// PutKey keeps a signing key.
func (a *Accounts) PutKey(ctx context.Context, k *account.Key, by string) error {
	if err := k.Check(); err != nil {
		return fmt.Errorf("put key: %w", err)
	}
	active, ended := k.Active.UnixMicro(), zeroOrMicros(k.Ended)
	var created time.Time
	err := a.write(ctx, fmt.Sprintf("put key %.80q", k.ID), func(m *marked) error {
		before, err := markedOne(m.tx, readKey, selectKeys+` WHERE id = $1`+forUpdate, k.ID)
		if err != nil {
			return err
		}
		var n int64
		switch {
		case before == nil:
			created = micros(m.now)
			n, err = m.exec(`INSERT INTO authority.keys (id, algorithm, public, sealed, created_us, active_us, ended_us, mark) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
				ON CONFLICT (id) DO NOTHING`, k.ID, k.Algorithm, k.Public, k.Sealed, m.now, active, ended, m.mark)
		case m.mine(before.mark):
			created = before.v.Created
			return nil
		case before.v.Algorithm != k.Algorithm || !bytes.Equal(before.v.Public, k.Public) || !bytes.Equal(before.v.Sealed, k.Sealed):
			return clash("key", k.ID, "another one is kept")
		case !before.v.Ended.IsZero() && (ended == 0 || ended > before.v.Ended.UnixMicro()):
			return clash("key", k.ID, "it ends, and does not end later")
		default:
			created = before.v.Created
			n, err = m.exec(`UPDATE authority.keys SET active_us = $2, ended_us = $3, mark = $4 WHERE id = $1`, k.ID, active, ended, m.mark)
		}
		if err := written("key", k.ID, n, err); err != nil {
			return err
		}
		return m.noted(account.PutEntry("key", "", k.ID, "", 0, ended > 0, by))
	})
	if err == nil {
		k.Created = created
	}
	return err
}

// PutAPIKey keeps an API key.
func (a *Accounts) PutAPIKey(ctx context.Context, k *account.APIKey, by string) error {
	if err := k.Check(); err != nil {
		return fmt.Errorf("put API key: %w", err)
	}
	scopes, err := texts(k.Scopes)
	if err != nil {
		return err
	}
	expires, revoked := k.Expires.UnixMicro(), zeroOrMicros(k.Revoked)
	var created time.Time
	err = a.write(ctx, fmt.Sprintf("put API key %.80q", k.ID), func(m *marked) error {
		if err := m.hasTenant(k.Tenant); err != nil {
			return err
		}
		before, err := markedOne(m.tx, readAPIKey, selectAPIKeys+` WHERE id = $1`+forUpdate, k.ID)
		if err != nil {
			return err
		}
		var n int64
		switch {
		case before == nil:
			created = micros(m.now)
			n, err = m.exec(`INSERT INTO authority.api_keys (id, tenant, subject, name, hash, scopes, expires_us, revoked_us, created_us, mark) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
				ON CONFLICT (id) DO NOTHING`, k.ID, k.Tenant, k.Subject, k.Name, k.Hash, scopes, expires, revoked, m.now, m.mark)
		case m.mine(before.mark):
			created = before.v.Created
			return nil
		case !sameAPIKey(&before.v, k):
			return clash("API key", k.ID, "another one is kept")
		case !before.v.Revoked.IsZero() && before.v.Revoked.UnixMicro() != revoked:
			return clash("API key", k.ID, "it was revoked")
		default:
			created = before.v.Created
			n, err = m.exec(`UPDATE authority.api_keys SET revoked_us = $2, mark = $3 WHERE id = $1`, k.ID, revoked, m.mark)
		}
		if err := written("API key", k.ID, n, err); err != nil {
			return err
		}
		return m.noted(account.PutEntry("apikey", k.Tenant, k.ID, "", 0, revoked != 0, by))
	})
	if err == nil {
		k.Created = created
	}
	return err
}

// sameAPIKey compares what of an API key never changes.
func sameAPIKey(a, b *account.APIKey) bool {
	return a.Tenant == b.Tenant && a.Subject == b.Subject && a.Name == b.Name && bytes.Equal(a.Hash, b.Hash) && slices.Equal(a.Scopes, b.Scopes) &&
		a.Expires.UnixMicro() == b.Expires.UnixMicro()
}

// Failed counts failed logins.
func (a *Accounts) Failed(ctx context.Context, tenant, id string, ok bool, lock func(failures int) time.Time) (*account.User, error) {
	if !known(tenant, id) {
		return nil, noSuch("user", id)
	}
	var out *account.User
	err := a.write(ctx, fmt.Sprintf("count logins of user %.80q", id), func(m *marked) error {
		before, err := markedOne(m.tx, readUser, selectUsers+` WHERE tenant = $1 AND id = $2`+forUpdate, tenant, id)
		if err != nil {
			return err
		}
		if before == nil {
			return noSuch("user", id)
		}
		out = &before.v
		if m.mine(before.mark) {
			return nil
		}
		locked := false
		switch {
		case !ok:
			out.Failures++
			if until := zeroOrMicros(lock(out.Failures)); until > zeroOrMicros(out.Locked) {
				out.Locked, locked = micros(until), true
			}
		case out.Failures == 0 && out.Locked.IsZero() || out.Locked.After(micros(m.now)):
			return nil
		default:
			out.Failures, out.Locked = 0, time.Time{}
		}
		if _, err := m.exec(`UPDATE authority.users SET failures = $3, locked_us = $4, mark = $5 WHERE tenant = $1 AND id = $2`, tenant, id, out.Failures, zeroOrMicros(out.Locked), m.mark); err != nil {
			return err
		}
		if locked {
			return m.noted(account.LockEntry(out))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Note writes to the journal. Where the outcome of the commit is not known it writes again:
// rather twice than never.
func (a *Accounts) Note(ctx context.Context, e *account.Entry) error {
	return a.write(ctx, fmt.Sprintf("note %.80q", e.Action), func(m *marked) (err error) {
		e.Time = micros(m.now)
		e.Seq, err = m.note(*e)
		return err
	})
}
