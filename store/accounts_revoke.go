package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stella-ops/stella/store/account"
)

const selectRevocations = `SELECT seq, kind, id, tenant, before_us, until_us, by_whom, reason FROM authority.revocations`

func readRevocation(row rowScanner) (markedRow[account.Revocation], error) {
	var k markedRow[account.Revocation]
	var before, until int64
	r := &k.v
	err := row(&r.Seq, &r.Kind, &r.ID, &r.Tenant, &before, &until, &r.By, &r.Reason)
	r.Before, r.Until = micros(before), micros(until)
	return k, err
}

// Revoke ends grants, and notes it for those who check tokens. To do so twice changes
// nothing but the number.
func (a *Accounts) Revoke(ctx context.Context, r *account.Revocation) error {
	if err := r.Check(); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	var out account.Revocation
	err := a.write(ctx, "revoke "+r.Kind, func(m *marked) error {
		// Alone: numbers become visible in their order, and who adds a grant has done so or
		// will see this.
		if _, err := m.exec(`LOCK TABLE authority.revocations IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		now, err := m.root.engine.Dialect.Enter(m.ctx, m.Tx, authority)
		if err != nil {
			return err
		}
		out = *r
		if out.Before.IsZero() { // not before what was added while this waited
			out.Before = micros(now)
		}
		before, err := markedOne(m.tx, readRevocation, selectRevocations+` WHERE kind = $1 AND id = $2`, r.Kind, r.ID)
		if err != nil {
			return err
		}
		if before != nil {
			out.Before, out.Until = later(out.Before, before.v.Before), later(out.Until, before.v.Until)
			if _, err := m.exec(`DELETE FROM authority.revocations WHERE seq = $1`, before.v.Seq); err != nil {
				return err
			}
		}
		out.Before, out.Until = micros(out.Before.UnixMicro()), micros(out.Until.UnixMicro())
		if err := m.get(`INSERT INTO authority.revocations (kind, id, tenant, before_us, until_us, by_whom, reason) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING seq`,
			[]any{r.Kind, r.ID, r.Tenant, out.Before.UnixMicro(), out.Until.UnixMicro(), r.By, r.Reason}, &out.Seq); err != nil {
			return err
		}
		if err := m.endGrants(&out); err != nil {
			return err
		}
		return m.noted(account.RevokeEntry(&out))
	})
	if err == nil {
		r.Seq, r.Before, r.Until = out.Seq, out.Before, out.Until
	}
	return err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// endGrants uses up what Revocation.Ends says.
func (m *marked) endGrants(r *account.Revocation) error {
	const (
		made  = ` AND created_us <= $2`
		login = ` AND (created_us <= $2 OR auth_us <> 0 AND auth_us <= $2)`
	)
	where, args := "", []any{r.ID, r.Before.UnixMicro(), m.mark}
	switch r.Kind {
	case account.RevokeFamily:
		where = `family = $1 AND CAST($2 AS BIGINT) IS NOT NULL`
	case account.RevokeClient:
		where = `client = $1` + made
	case account.RevokeTenant:
		where = `tenant = $1` + login
	case account.RevokeUser:
		tenant, user, _ := strings.Cut(r.ID, "/")
		where, args = `tenant = $1`+login+` AND user_id = $4`, []any{tenant, args[1], args[2], user}
	default:
		return nil // tokens have no grant of their own
	}
	_, err := m.exec(`UPDATE authority.grants SET state = 'used', user_code = '', mark = $3 WHERE state IN ('open', 'pending') AND `+where, args...)
	return err
}

// Revocations returns those after a number that are not over.
func (a *Accounts) Revocations(ctx context.Context, after int64, limit int) ([]account.Revocation, error) {
	limit, err := account.Limit(limit)
	if err != nil {
		return nil, fmt.Errorf("list revocations: %w", err)
	}
	var out []account.Revocation
	err = a.read(ctx, "list revocations", func(tx *tx) (err error) {
		out, err = markedAll(tx, readRevocation, selectRevocations+` WHERE seq > $1 AND until_us > $2 ORDER BY seq LIMIT $3`, after, tx.now, limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
