package store

import (
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/store/account"
)

// maxPurge is how many rows of one table one transaction forgets.
const maxPurge = 1000

// pageOf lists rows after one. statement has the tenant as $1 where args begin with one, then
// what the page is after, then the limit.
func pageOf[T any](ctx context.Context, a *Accounts, what string, read func(rowScanner) (markedRow[T], error), statement string, limit int, args ...any) (out []T, err error) {
	if limit, err = account.Limit(limit); err != nil {
		return nil, fmt.Errorf("list %s: %w", what, err)
	}
	if tenant, is := args[0].(string); is && len(args) > 1 && tenant != "" && !known(tenant) {
		return nil, nil
	}
	if after, is := args[len(args)-1].(string); is {
		args[len(args)-1] = account.Cut(after, account.MaxID)
	}
	err = a.read(ctx, "list "+what, func(tx *tx) (err error) {
		out, err = markedAll(tx, read, statement, append(args[:len(args):len(args)], limit)...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Tenants lists them.
func (a *Accounts) Tenants(ctx context.Context, after string, limit int) ([]account.Tenant, error) {
	return pageOf(ctx, a, "tenants", readTenant, selectTenants+` WHERE id > $1 ORDER BY id LIMIT $2`, limit, after)
}

// Users lists those of a tenant.
func (a *Accounts) Users(ctx context.Context, tenant, after string, limit int) ([]account.User, error) {
	return pageOf(ctx, a, "users", readUser, selectUsers+` WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3`, limit, tenant, after)
}

// Clients lists those of a tenant, or with "" those of none.
func (a *Accounts) Clients(ctx context.Context, tenant, after string, limit int) ([]account.Client, error) {
	return pageOf(ctx, a, "clients", readClient, selectClients+` WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3`, limit, tenant, after)
}

// APIKeys lists those of a tenant.
func (a *Accounts) APIKeys(ctx context.Context, tenant, after string, limit int) ([]account.APIKey, error) {
	return pageOf(ctx, a, "API keys", readAPIKey, selectAPIKeys+` WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3`, limit, tenant, after)
}

func readEntry(row rowScanner) (markedRow[account.Entry], error) {
	var k markedRow[account.Entry]
	var at int64
	e := &k.v
	err := row(&e.Seq, &e.Tenant, &at, &e.Action, &e.Subject, &e.Client, &e.Detail)
	e.Time = micros(at)
	return k, err
}

// Journal lists the entries of a tenant, or with "" those of none.
func (a *Accounts) Journal(ctx context.Context, tenant string, after int64, limit int) ([]account.Entry, error) {
	return pageOf(ctx, a, "the journal", readEntry, `SELECT seq, tenant, at_us, action, subject, client, detail FROM authority.journal
		WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3`, limit, tenant, after)
}

// Purge forgets what is over, some rows in each of several transactions. Where it fails the
// number is of what it forgot before.
func (a *Accounts) Purge(ctx context.Context, journal time.Time) (total int, err error) {
	now := func(now int64) int64 { return now }
	for _, step := range []struct {
		what, statement string
		before          func(now int64) int64
	}{
		{"grants", `DELETE FROM authority.grants WHERE hash IN (SELECT hash FROM authority.grants WHERE expires_us <= $1 ORDER BY expires_us LIMIT $2 FOR UPDATE SKIP LOCKED)`, now},
		{"revocations", `DELETE FROM authority.revocations WHERE seq IN (SELECT seq FROM authority.revocations WHERE until_us <= $1 ORDER BY seq LIMIT $2)`, now},
		{"entries of the journal", `DELETE FROM authority.journal WHERE seq IN (SELECT seq FROM authority.journal WHERE at_us < $1 ORDER BY at_us LIMIT $2)`,
			func(int64) int64 { return zeroOrMicros(journal) }},
	} {
		for n := int64(maxPurge); n == maxPurge; total += int(n) {
			err := a.write(ctx, "purge "+step.what, func(m *marked) (err error) {
				n, err = m.exec(step.statement, step.before(m.now), maxPurge)
				return err
			})
			if err != nil {
				return total, err
			}
		}
	}
	return total, nil
}
