package store

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/account"
)

const selectGrants = `SELECT hash, kind, state, user_code, family, tenant, client, user_id, scopes, jkt, data, auth_us, created_us, expires_us, mark FROM authority.grants`

func readGrant(row rowScanner) (markedRow[account.Grant], error) {
	var k markedRow[account.Grant]
	var scopes string
	var auth, created, expires int64
	g := &k.v
	if err := row(&g.Hash, &g.Kind, &g.State, &g.UserCode, &g.Family, &g.Tenant, &g.Client, &g.User, &scopes, &g.JKT, &g.Data, &auth, &created, &expires, &k.mark); err != nil {
		return k, err
	}
	g.Data, g.AuthTime, g.Created, g.Expires = none(g.Data), microsOrZero(auth), micros(created), micros(expires)
	return k, intoTexts(scopes, &g.Scopes)
}

// shareRevocations keeps revocations out until the transaction ends: whoever revokes
// afterwards finds what it added. It is the first lock of those who add or open grants.
func (t *tx) shareRevocations() error {
	_, err := t.exec(`LOCK TABLE authority.revocations IN ROW EXCLUSIVE MODE`)
	return err
}

// notRevoked refuses a grant that a revocation ends. Revocations are shared.
func (t *tx) notRevoked(g *account.Grant) error {
	list, err := markedAll(t, readRevocation, selectRevocations+` WHERE until_us > $1 AND (kind = $2 AND id = $3 OR kind = $4 AND id = $5 OR kind = $6 AND id = $7 OR kind = $8 AND id = $9)`,
		t.now, account.RevokeFamily, g.Family, account.RevokeClient, g.Client, account.RevokeUser, g.Tenant+"/"+g.User, account.RevokeTenant, g.Tenant)
	if err != nil {
		return err
	}
	for _, r := range list {
		if r.Ends(g) {
			return clash("grant of family", g.Family, "it was revoked")
		}
	}
	return nil
}

// addGrant keeps a grant as a new one. Revocations are shared.
func (m *marked) addGrant(g *account.Grant) error {
	if err := g.CheckNew(); err != nil {
		return err
	}
	scopes, err := texts(g.Scopes)
	if err != nil {
		return err
	}
	g.Created = micros(m.now)
	if err := m.notRevoked(g); err != nil {
		return err
	}
	if g.UserCode != "" { // that of one that is over is free
		if _, err := m.exec(`UPDATE authority.grants SET user_code = '' WHERE user_code = $1 AND expires_us <= $2`, g.UserCode, m.now); err != nil {
			return err
		}
	}
	n, err := m.exec(`INSERT INTO authority.grants (hash, kind, state, user_code, family, tenant, client, user_id, scopes, jkt, data, auth_us, created_us, expires_us, mark)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING`,
		g.Hash, g.Kind, g.State, g.UserCode, g.Family, g.Tenant, g.Client, g.User, scopes, g.JKT, present(g.Data), zeroOrMicros(g.AuthTime), m.now, g.Expires.UnixMicro(), m.mark)
	if err == nil && n == 0 {
		err = clash("grant of family", g.Family, "its hash or user code is there")
	}
	return err
}

// Add keeps a grant.
func (a *Accounts) Add(ctx context.Context, g *account.Grant) error {
	if err := g.CheckNew(); err != nil {
		return fmt.Errorf("add grant: %w", err)
	}
	added := *g
	err := a.write(ctx, "add grant", func(m *marked) error {
		if err := m.shareRevocations(); err != nil {
			return err
		}
		if m.again {
			there, err := m.grant(g.Kind, g.Hash)
			if err != nil || there != nil && m.mine(there.mark) {
				if there != nil {
					added.Created = there.v.Created
				}
				return err
			}
		}
		return m.addGrant(&added)
	})
	if err == nil {
		g.Created = added.Created
	}
	return err
}

// grant returns one that is not over; nil for none.
func (t *tx) grant(kind string, hash []byte) (*markedRow[account.Grant], error) {
	return markedOne(t, readGrant, selectGrants+` WHERE hash = $1 AND kind = $2 AND expires_us > $3`, hash, kind, t.now)
}

// Take uses a grant up.
func (a *Accounts) Take(ctx context.Context, kind string, hash []byte) (*account.Grant, error) {
	return a.Replace(ctx, kind, hash, nil)
}

// Replace uses a grant up and adds what is made of it.
func (a *Accounts) Replace(ctx context.Context, kind string, old []byte, next func(*account.Grant) (*account.Grant, error)) (*account.Grant, error) {
	if !known(kind) || len(old) != account.HashSize {
		return nil, fmt.Errorf("take %.40q: there is none: %w", kind, fault.NotFound)
	}
	var out *account.Grant
	err := a.write(ctx, "take "+kind, func(m *marked) error {
		out = nil
		if next != nil {
			if err := m.shareRevocations(); err != nil {
				return err
			}
		}
		took, err := m.exec(`UPDATE authority.grants SET state = 'used', mark = $4 WHERE hash = $1 AND kind = $2 AND state = 'open' AND expires_us > $3`, old, kind, m.now, m.mark)
		if err != nil {
			return err
		}
		g, err := m.grant(kind, old)
		switch {
		case err != nil:
			return err
		case g == nil:
			return fmt.Errorf("there is none: %w", fault.NotFound)
		}
		out = &g.v
		switch {
		case took == 0 && m.mine(g.mark): // and so is what was added with it
			out.State = account.Open
			return nil
		case took == 0 && out.State == account.Used:
			return clash("grant of family", out.Family, "it was used or revoked")
		case took == 0:
			return nil
		}
		out.State = account.Open
		return m.addNext(out, next)
	})
	return out, err
}

// addNext adds what is made of a grant that was used up.
func (m *marked) addNext(g *account.Grant, next func(*account.Grant) (*account.Grant, error)) error {
	if next == nil {
		return nil
	}
	shown := *g
	n, err := next(&shown)
	if err != nil || n == nil {
		return err
	}
	return m.addGrant(n)
}

// Pending returns what nobody has decided about.
func (a *Accounts) Pending(ctx context.Context, userCode string) (*account.Grant, error) {
	missing := fmt.Errorf("grant of a user code: there is none: %w", fault.NotFound)
	if !known(userCode) {
		return nil, missing
	}
	var out *markedRow[account.Grant]
	err := a.read(ctx, "look up a user code", func(tx *tx) (err error) {
		out, err = markedOne(tx, readGrant, selectGrants+` WHERE user_code = $1 AND user_code <> '' AND state = 'pending' AND expires_us > $2`, userCode, tx.now)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case out == nil:
		return nil, missing
	}
	return &out.v, nil
}

// Decide opens or denies a pending grant.
func (a *Accounts) Decide(ctx context.Context, d *account.Grant) error {
	if err := d.CheckDecided(); err != nil {
		return fmt.Errorf("decide about a grant: %w", err)
	}
	scopes, err := texts(d.Scopes)
	if err != nil {
		return err
	}
	return a.write(ctx, "decide about a grant", func(m *marked) error {
		if err := m.shareRevocations(); err != nil {
			return err
		}
		g, err := markedOne(m.tx, readGrant, selectGrants+` WHERE hash = $1 AND expires_us > $2`+forUpdate, d.Hash, m.now)
		switch {
		case err != nil:
			return err
		case g == nil:
			return fmt.Errorf("there is none: %w", fault.NotFound)
		case m.mine(g.mark):
			return nil
		case g.v.State != account.Pending:
			return clash("grant of family", g.v.Family, "somebody has decided")
		}
		g.v.State, g.v.Tenant, g.v.User, g.v.AuthTime = d.State, d.Tenant, d.User, d.AuthTime
		if err := m.notRevoked(&g.v); err != nil {
			return err
		}
		n, err := m.exec(`UPDATE authority.grants SET state = $2, user_code = '', tenant = $3, user_id = $4, scopes = $5, auth_us = $6, mark = $7 WHERE hash = $1 AND state = 'pending'`,
			d.Hash, d.State, d.Tenant, d.User, scopes, zeroOrMicros(d.AuthTime), m.mark)
		if err == nil && n == 0 {
			err = clash("grant of family", g.v.Family, "somebody has decided")
		}
		return err
	})
}
