package store

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/store/account"
)

// The columns of each table, as the functions below read them.
const (
	selectTenants = `SELECT id, name, disabled, version, created_us, updated_us, mark FROM authority.tenants`
	selectUsers   = `SELECT tenant, id, login, name, email, password, scopes, disabled, failures, locked_us, version, created_us, updated_us, mark FROM authority.users`
	selectClients = `SELECT id, tenant, name, public, keys, secret, redirects, grants, scopes, plain, disabled, version, created_us, updated_us, mark FROM authority.clients`
	selectKeys    = `SELECT id, algorithm, public, sealed, created_us, active_us, ended_us, mark FROM authority.keys`
	selectAPIKeys = `SELECT id, tenant, subject, name, hash, scopes, expires_us, revoked_us, created_us, mark FROM authority.api_keys`
)

// markedRow is a row with its mark.
type markedRow[T any] struct {
	v    T
	mark string
}

// rowScanner scans the columns of one row.
type rowScanner = func(...any) error

func readTenant(row rowScanner) (markedRow[account.Tenant], error) {
	var k markedRow[account.Tenant]
	var created, updated int64
	err := row(&k.v.ID, &k.v.Name, &k.v.Disabled, &k.v.Version, &created, &updated, &k.mark)
	k.v.Created, k.v.Updated = micros(created), micros(updated)
	return k, err
}

func readUser(row rowScanner) (markedRow[account.User], error) {
	var k markedRow[account.User]
	var scopes string
	var locked, created, updated int64
	u := &k.v
	if err := row(&u.Tenant, &u.ID, &u.Login, &u.Name, &u.Email, &u.Password, &scopes, &u.Disabled, &u.Failures, &locked, &u.Version, &created, &updated, &k.mark); err != nil {
		return k, err
	}
	u.Locked, u.Created, u.Updated = microsOrZero(locked), micros(created), micros(updated)
	return k, intoTexts(scopes, &u.Scopes)
}

func readClient(row rowScanner) (markedRow[account.Client], error) {
	var k markedRow[account.Client]
	var redirects, grants, scopes string
	var created, updated int64
	c := &k.v
	if err := row(&c.ID, &c.Tenant, &c.Name, &c.Public, &c.Keys, &c.Secret, &redirects, &grants, &scopes, &c.Plain, &c.Disabled, &c.Version, &created, &updated, &k.mark); err != nil {
		return k, err
	}
	c.Keys, c.Created, c.Updated = none(c.Keys), micros(created), micros(updated)
	return k, intoTexts(redirects, &c.Redirects, grants, &c.Grants, scopes, &c.Scopes)
}

func readKey(row rowScanner) (markedRow[account.Key], error) {
	var k markedRow[account.Key]
	var created, active, ended int64
	err := row(&k.v.ID, &k.v.Algorithm, &k.v.Public, &k.v.Sealed, &created, &active, &ended, &k.mark)
	k.v.Created, k.v.Active, k.v.Ended = micros(created), micros(active), microsOrZero(ended)
	return k, err
}

func readAPIKey(row rowScanner) (markedRow[account.APIKey], error) {
	var k markedRow[account.APIKey]
	var scopes string
	var expires, revoked, created int64
	v := &k.v
	if err := row(&v.ID, &v.Tenant, &v.Subject, &v.Name, &v.Hash, &scopes, &expires, &revoked, &created, &k.mark); err != nil {
		return k, err
	}
	v.Expires, v.Revoked, v.Created = micros(expires), microsOrZero(revoked), micros(created)
	return k, intoTexts(scopes, &v.Scopes)
}

// markedOne reads a row; nil for none.
func markedOne[T any](t *tx, read func(rowScanner) (markedRow[T], error), statement string, args ...any) (*markedRow[T], error) {
	k, err := read(func(into ...any) error { return t.get(statement, args, into...) })
	if isNoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &k, nil
}

// markedAll reads rows without their marks.
func markedAll[T any](t *tx, read func(rowScanner) (markedRow[T], error), statement string, args ...any) (out []T, err error) {
	return out, t.each(func(row func(...any) error) error {
		k, err := read(row)
		out = append(out, k.v)
		return err
	}, statement, args...)
}

// lookUp returns one row of the directory. names are what it is looked for by, the last being
// what an error shows.
func lookUp[T any](ctx context.Context, a *Accounts, what string, read func(rowScanner) (markedRow[T], error), statement string, names ...string) (*T, error) {
	id := names[len(names)-1]
	if !known(names...) {
		return nil, noSuch(what, id)
	}
	args := make([]any, len(names))
	for i, n := range names {
		args[i] = n
	}
	var out *markedRow[T]
	err := a.read(ctx, fmt.Sprintf("look up %s %.80q", what, id), func(tx *tx) (err error) {
		out, err = markedOne(tx, read, statement, args...)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case out == nil:
		return nil, noSuch(what, id)
	}
	return &out.v, nil
}

// Tenant returns one.
func (a *Accounts) Tenant(ctx context.Context, id string) (*account.Tenant, error) {
	return lookUp(ctx, a, "tenant", readTenant, selectTenants+` WHERE id = $1`, id)
}

// User returns one of a tenant.
func (a *Accounts) User(ctx context.Context, tenant, id string) (*account.User, error) {
	return lookUp(ctx, a, "user", readUser, selectUsers+` WHERE tenant = $1 AND id = $2`, tenant, id)
}

// Login returns the user of a login.
func (a *Accounts) Login(ctx context.Context, tenant, login string) (*account.User, error) {
	return lookUp(ctx, a, "login", readUser, selectUsers+` WHERE tenant = $1 AND login = $2`, tenant, login)
}

// Client returns one.
func (a *Accounts) Client(ctx context.Context, id string) (*account.Client, error) {
	return lookUp(ctx, a, "client", readClient, selectClients+` WHERE id = $1`, id)
}

// APIKey returns one.
func (a *Accounts) APIKey(ctx context.Context, id string) (*account.APIKey, error) {
	return lookUp(ctx, a, "API key", readAPIKey, selectAPIKeys+` WHERE id = $1`, id)
}

// Keys returns the signing keys that have not ended, by Active.
func (a *Accounts) Keys(ctx context.Context) (out []account.Key, err error) {
	err = a.read(ctx, "look up keys", func(tx *tx) (err error) {
		out, err = markedAll(tx, readKey, selectKeys+` WHERE ended_us = 0 OR ended_us > $1 ORDER BY active_us, id`, tx.now)
		return err
	})
	return out, err
}
