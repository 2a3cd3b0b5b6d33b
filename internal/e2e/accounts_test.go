package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/account"
	"github.com/stella-ops/stella/store/account/accounttest"
)

func TestPostgresAccounts(t *testing.T) {
	accounttest.TestStore(t, func(t testing.TB) account.Store {
		root := openPostgres(t)
		t.Cleanup(func() {
			if err := root.Close(); err != nil {
				t.Error(err)
			}
		})
		if err := root.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		return root.Accounts()
	})
}

// TestAuthorityAlone asks the database who reaches what Authority keeps, and tries what not
// even Authority may do.
func TestAuthorityAlone(t *testing.T) {
	d := servers.PostgresStore(t)
	root, err := store.Open(t.Context(), d.App)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	accounts := root.Accounts()
	later := time.Now().Add(time.Hour)
	hash := make([]byte, account.HashSize)
	for _, err := range []error{
		accounts.PutTenant(t.Context(), &account.Tenant{ID: "acme"}, "root"),
		accounts.PutUser(t.Context(), &account.User{Tenant: "acme", ID: "u1", Login: "u1"}, "root"),
		accounts.PutClient(t.Context(), &account.Client{ID: "cli", Public: true}, "root"),
		accounts.PutKey(t.Context(), &account.Key{ID: "k", Algorithm: "ES256", Public: []byte("p"), Sealed: []byte("s"), Active: later}, "root"),
		accounts.PutAPIKey(t.Context(), &account.APIKey{ID: "a", Tenant: "acme", Subject: "u1", Hash: hash, Expires: later}, "root"),
		accounts.Add(t.Context(), &account.Grant{Hash: hash, Kind: account.KindCode, State: account.Open, Family: "f", Client: "cli", Expires: later}),
		accounts.Revoke(t.Context(), &account.Revocation{Kind: account.RevokeToken, ID: "jti", Until: later}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := accounts.Take(t.Context(), account.KindCode, hash); err != nil {
		t.Fatal(err)
	}

	owner := servers.Connect(t, d.Owner)
	rows, err := owner.Query(`SELECT c.relname, r.rolname, c.relrowsecurity AND c.relforcerowsecurity,
			has_schema_privilege(r.oid, n.oid, 'USAGE') OR has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege(r.oid, c.oid, 'DELETE, TRUNCATE'),
			(SELECT coalesce(string_agg(p.polroles::regrole[]::text, ' '), '') FROM pg_policy p WHERE p.polrelid = c.oid)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_roles r
		WHERE n.nspname = 'authority' AND c.relkind = 'r' AND (r.rolname LIKE 'stella\_%' OR NOT r.rolsuper AND r.rolcanlogin AND r.oid <> c.relowner)`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	roles, tables := map[string]bool{}, map[string]bool{}
	for rows.Next() {
		var table, role, policies string
		var secured, reached bool
		if err := rows.Scan(&table, &role, &secured, &reached, &policies); err != nil {
			t.Fatal(err)
		}
		roles[role], tables[table] = true, true
		if !secured || policies != "{stella_authority}" || reached != (role == string(store.RoleAuthority)) {
			t.Errorf("%s: row-level security %v, policies for %s, reached by %s: %v", table, secured, policies, role, reached)
		}
	}
	if err := rows.Err(); err != nil || len(tables) != 8 || len(roles) < 8 { // the seven, and the login
		t.Errorf("%d tables, roles %v, %v", len(tables), roles, err)
	}

	db := servers.Connect(t, d.App)
	as := func(role, statement string) error {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if _, err := tx.Exec(`SELECT set_config('role', $1, true), set_config('app.tenant', 'acme', true)`, role); err != nil {
			t.Fatal(err)
		}
		_, err = tx.Exec(statement)
		return err
	}
	for table := range tables {
		if err := as("stella_authority", "SELECT * FROM authority."+table); err != nil {
			t.Errorf("Authority reads %s: %v", table, err)
		}
		for _, role := range []string{"none", "stella_app", "stella_relay", "stella_index", "stella_concelier", "stella_excititor", "stella_attestor"} {
			for _, s := range []string{"SELECT * FROM authority.%s", "DELETE FROM authority.%s", "TRUNCATE authority.%s"} {
				if err := as(role, fmt.Sprintf(s, table)); err == nil || !strings.Contains(err.Error(), "permission denied") {
					t.Errorf("%s: "+s+": %v", role, table, err)
				}
			}
		}
	}
	for _, s := range []string{
		"UPDATE authority.grants SET state = 'open'", "UPDATE authority.grants SET hash = ''", "UPDATE authority.grants SET expires_us = expires_us + 1", "UPDATE authority.grants SET family = 'g'",
		"UPDATE authority.keys SET sealed = ''", "UPDATE authority.keys SET public = ''", "DELETE FROM authority.keys",
		"UPDATE authority.api_keys SET hash = ''", "UPDATE authority.api_keys SET expires_us = 0", "UPDATE authority.api_keys SET scopes = ''", "DELETE FROM authority.api_keys",
		"UPDATE authority.journal SET detail = ''", "UPDATE authority.revocations SET before_us = 0", "UPDATE authority.users SET id = 'u2'", "UPDATE authority.users SET tenant = 'other'",
		"DELETE FROM authority.users", "UPDATE authority.clients SET tenant = 'other'", "DELETE FROM authority.clients", "DELETE FROM authority.tenants", "TRUNCATE authority.journal",
		"SELECT * FROM scanner.scan_jobs", "SELECT * FROM transport.outbox",
	} {
		if err := as("stella_authority", s); err == nil || !strings.Contains(err.Error(), "permission denied") && !strings.Contains(err.Error(), "never") {
			t.Errorf("Authority: %s: %v", s, err)
		}
	}
}

// TestAccountsCommits loses the answer of each commit on its way from PostgreSQL: every call
// succeeds all the same, and has happened once.
func TestAccountsCommits(t *testing.T) {
	s, through := servers.Sever(t, servers.PostgresStore(t).App)
	s.Left.Store(1 << 40)
	root, err := store.Open(t.Context(), through)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	a := root.Accounts()
	ctx := t.Context()
	later := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	hash := func(secret byte) []byte { return bytes.Repeat([]byte{secret}, account.HashSize) }
	tenant := &account.Tenant{ID: "acme"}
	user := &account.User{Tenant: "acme", ID: "u1", Login: "u1", Password: "$x"}
	client := &account.Client{ID: "cli", Public: true}
	key := &account.Key{ID: "k", Algorithm: "ES256", Public: []byte("p"), Sealed: []byte("s"), Active: later}
	apiKey := &account.APIKey{ID: "a", Tenant: "acme", Subject: "u1", Hash: hash(1), Expires: later}
	code := &account.Grant{Hash: hash(2), Kind: account.KindCode, State: account.Open, Family: "f", Client: "cli", Expires: later}
	device := &account.Grant{Hash: hash(3), Kind: account.KindDevice, State: account.Pending, UserCode: "ABCD", Family: "d", Client: "cli", Expires: later}
	refresh := &account.Grant{Hash: hash(4), Kind: account.KindRefresh, State: account.Open, Family: "f", Client: "cli", Expires: later}
	open := func(g *account.Grant, err error) error {
		if err == nil && g.State != account.Open {
			return fmt.Errorf("a grant is %s", g.State)
		}
		return err
	}
	for i, call := range []func() error{
		func() error { return a.PutTenant(ctx, tenant, "root") },
		func() error { tenant.Name = "Acme"; return a.PutTenant(ctx, tenant, "root") },
		func() error { return a.PutUser(ctx, user, "root") },
		func() error { user.Password = "$y"; return a.PutUser(ctx, user, "root") },
		func() error { return a.PutClient(ctx, client, "root") },
		func() error { client.Name = "CLI"; return a.PutClient(ctx, client, "root") },
		func() error { return a.PutKey(ctx, key, "root") },
		func() error { key.Ended = later; return a.PutKey(ctx, key, "root") },
		func() error { return a.PutAPIKey(ctx, apiKey, "root") },
		func() error { apiKey.Revoked = later; return a.PutAPIKey(ctx, apiKey, "root") },
		func() error {
			_, err := a.Failed(ctx, "acme", "u1", false, func(int) time.Time { return later })
			return err
		},
		func() error { return a.Add(ctx, code) },
		func() error { return a.Add(ctx, device) },
		func() error { return a.Decide(ctx, &account.Grant{Hash: device.Hash, State: account.Open}) },
		func() error { return open(a.Take(ctx, account.KindDevice, device.Hash)) },
		func() error {
			return open(a.Replace(ctx, account.KindCode, code.Hash, func(*account.Grant) (*account.Grant, error) { return refresh, nil }))
		},
		func() error { return open(a.Take(ctx, account.KindRefresh, refresh.Hash)) },
		func() error {
			return a.Revoke(ctx, &account.Revocation{Kind: account.RevokeFamily, ID: "f", Tenant: "acme", Until: later})
		},
	} {
		before := s.Cut.Load()
		s.Left.Store(1)
		if err := call(); err != nil {
			t.Errorf("call %d: %v", i, err)
		}
		s.Left.Store(1 << 40)
		if s.Cut.Load() != before+1 {
			t.Errorf("call %d: %d answers were lost", i, s.Cut.Load()-before)
		}
	}
	for _, g := range []*account.Grant{code, device, refresh} {
		if _, err := a.Take(ctx, g.Kind, g.Hash); !errors.Is(err, account.ErrConflict) {
			t.Errorf("%s after it was taken: %v", g.Kind, err)
		}
	}
	got, err := a.User(ctx, "acme", "u1")
	if err != nil || got.Failures != 1 || got.Version != 2 || tenant.Version != 2 || user.Version != 2 || client.Version != 2 {
		t.Errorf("%+v, %v, tenant %d, user %d, client %d", got, err, tenant.Version, user.Version, client.Version)
	}
	var actions []string
	for _, of := range []string{"acme", ""} {
		list, err := a.Journal(ctx, of, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			actions = append(actions, e.Action)
		}
	}
	if diff := cmp.Diff([]string{"tenant.put", "tenant.put", "user.put", "user.put", "apikey.put", "apikey.put", "user.locked", "revoke.family", "revoke.family",
		"client.put", "client.put", "key.put", "key.put"}, actions); diff != "" { // what only grows is revoked again
		t.Errorf("the journal (-want +got):\n%s", diff)
	}
}
