package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/postgres"
)

// global are tables without a tenant, each with its reason.
var global = map[string]string{
	"transport.groups":        "names of groups",
	"transport.meta":          "what the relay knows of the queue",
	"transport.messages":      "the embedded queue; reached by the relay's role alone",
	"transport.subscriptions": "the embedded queue",
	"transport.deliveries":    "the embedded queue",
	"transport.cache":         "nonces, not data of tenants",
	"vuln.packs":              "public advisories",
	"vuln.contents":           "public advisories",
	"vuln.documents":          "public advisories",
	"vuln.groups":             "public advisories",
	"vuln.observations":       "public advisories",
	"vuln.signals":            "public advisories",
	"vuln.runs":               "public sources",
	"vuln.sources":            "public sources",
	"vuln.heads":              "snapshots of public advisories",
	"vuln.current_head":       "which snapshot is the newest",
	"vuln.facts":              "what differs between snapshots",
	"vuln.linksets":           "public advisories",
	"vuln.advisories":         "public advisories",
	"vuln.blobs":              "public objects",
	"vuln.objects":            "public objects",
	"attest.logs":             "heads of transparency logs, which all tenants share",
	"authority.tenants":       "Authority's alone: see TestAuthorityAlone",
	"authority.users":         "Authority's alone",
	"authority.clients":       "Authority's alone",
	"authority.keys":          "Authority's alone",
	"authority.api_keys":      "Authority's alone",
	"authority.grants":        "Authority's alone",
	"authority.revocations":   "Authority's alone",
	"authority.journal":       "Authority's alone",
	"scheduler.leaders":       "who runs the schedules of all tenants",
}

// public are global tables that tenants may read.
var public = []string{"vuln.packs", "vuln.contents", "vuln.groups", "vuln.observations", "vuln.heads", "vuln.current_head", "vuln.facts", "vuln.linksets", "vuln.advisories", "scheduler.leaders"}

// TestCatalog asks the database itself what protects each table: one without a
// policy fails here.
func TestCatalog(t *testing.T) {
	db := servers.Connect(t, servers.PostgresStore(t).Owner)
	rows, err := db.Query(`SELECT n.nspname || '.' || c.relname, c.relrowsecurity, c.relforcerowsecurity,
			EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attnotnull),
			has_table_privilege('stella_app', c.oid, 'SELECT'), has_any_column_privilege('stella_relay', c.oid, 'SELECT'), has_any_column_privilege('stella_index', c.oid, 'SELECT'),
			has_any_column_privilege('stella_concelier', c.oid, 'SELECT, INSERT, UPDATE'), has_any_column_privilege('stella_app', c.oid, 'INSERT, UPDATE'),
			pg_get_userbyid(c.relowner),
			coalesce((SELECT string_agg(p.polname || ':' || p.polcmd::text || ':' || p.polroles::regrole[]::text || ':' || pg_get_expr(p.polqual, p.polrelid) || ':' || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), ''), ' | ' ORDER BY p.polname)
				FROM pg_policy p WHERE p.polrelid = c.oid), '')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	const own = "(tenant_id = ( SELECT transport.tenant() AS tenant))"
	const nobodys = "nobody:*:{stella_concelier}:(tenant_id = ''::text):(tenant_id = ''::text)"
	seen := 0
	for rows.Next() {
		var name, owner, policies string
		var rls, force, tenant, app, relay, index, concelier, appWrites bool
		if err := rows.Scan(&name, &rls, &force, &tenant, &app, &relay, &index, &concelier, &appWrites, &owner, &policies); err != nil {
			t.Fatal(err)
		}
		if name == "public.stella_migrations" {
			continue
		}
		seen++
		switch {
		case strings.HasPrefix(owner, "stella_"):
			t.Errorf("%s belongs to %s", name, owner)
		case global[name] != "":
			isPublic := slices.Contains(public, name)
			if tenant || app != isPublic || index || appWrites && name != "vuln.current_head" && name != "scheduler.leaders" || concelier != strings.HasPrefix(name, "vuln.") {
				t.Errorf("%s is listed as global: tenant column %v, readable by tenants %v, writable %v, readable by the index %v, by Concelier %v", name, tenant, app, appWrites, index, concelier)
			}
		case !tenant || !rls || !force:
			t.Errorf("%s: tenant column %v, row-level security %v, forced %v; a table of tenants needs all, a global one a reason", name, tenant, rls, force)
		case !strings.Contains(policies, "tenant:*:{stella_app}:"+own+":"+own):
			t.Errorf("%s: no policy that binds stella_app to its tenant: %s", name, policies)
		case relay && !slices.Contains([]string{"notify.groups", "notify.incidents", "notify.notification_deliveries", "notify.revisions", "policy.due", "policy.locks", "scanner.scan_jobs", "scheduler.evaluations", "scheduler.schedules", "transport.inbox", "transport.outbox"}, name):
			t.Errorf("%s: the relay's role can read it", name)
		case index && !slices.Contains([]string{"scanner.scan_jobs", "scanner.packages", "scanner.package_facts", "scanner.package_keys", "scanner.package_postings", "scanner.package_runs", "scanner.sboms"}, name):
			t.Errorf("%s: the index's role can read it", name)
		case concelier && (!strings.HasPrefix(name, "transport.") || !strings.Contains(policies, nobodys)):
			t.Errorf("%s: Concelier's role can reach it: %s", name, policies)
		}
	}
	if err := rows.Err(); err != nil || seen < 17 {
		t.Errorf("%d tables, %v", seen, err)
	}
	// Every unique key of a tenant table begins with the tenant, but for the
	// outbox's own sequence.
	var loose []string
	keys, err := db.Query(`SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE i.indisunique AND n.nspname IN ('scanner', 'transport', 'vuln', 'vex', 'policy', 'attest', 'scheduler') AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
		AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attnum = ANY (i.indkey))`)
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	for keys.Next() {
		var k string
		if err := keys.Scan(&k); err != nil {
			t.Fatal(err)
		}
		loose = append(loose, k)
	}
	if diff := cmp.Diff([]string{"transport.outbox_pkey"}, loose); diff != "" {
		t.Errorf("unique keys without the tenant (-want +got):\n%s", diff)
	}
}

// TestRolesAreBound tries what the application's login must not do, with its own
// connection.
func TestRolesAreBound(t *testing.T) {
	d := servers.PostgresStore(t)
	root, err := store.Open(t.Context(), d.App)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, name := range []string{"acme", "other"} {
		tn, err := root.Tenant(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := tn.Scans().Submit(t.Context(), scan.Request{Image: "secret-of-" + name}, ""); err != nil {
			t.Fatal(err)
		}
	}
	db := servers.Connect(t, d.App)
	as := func(role, tenant, statement string) (n int64, err error) {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if role != "" {
			if _, err := tx.Exec(`SELECT set_config('role', $1, true), set_config('app.tenant', $2, true)`, role, tenant); err != nil {
				return 0, err
			}
		}
		r, err := tx.Exec(statement)
		if err != nil {
			return 0, err
		}
		return r.RowsAffected()
	}
	for _, c := range []struct {
		role, tenant, statement string
		rows                    int64 // -1: refused
	}{
		{"", "", "SELECT * FROM scanner.scan_jobs", -1},
		{"", "", "SELECT * FROM transport.outbox", -1},
		{"stella_app", "acme", "SELECT * FROM scanner.scan_jobs", 1},
		{"stella_app", "acme", "SELECT * FROM scanner.scan_jobs WHERE tenant_id = 'other'", 0},
		{"stella_app", "nobody", "SELECT * FROM scanner.scan_jobs", 0},
		{"stella_app", "", "SELECT * FROM scanner.scan_jobs", -1},
		{"stella_app", "", "SELECT count(*) FROM transport.outbox", -1},
		{"stella_app", "acme", "UPDATE scanner.scan_jobs SET reason = 'x'", 1},
		{"stella_app", "acme", "UPDATE scanner.scan_jobs SET tenant_id = 'other'", -1},
		{"stella_app", "acme", "INSERT INTO transport.inbox VALUES ('other', 'g', 'e', 0)", -1},
		{"stella_app", "acme", "DELETE FROM transport.outbox WHERE tenant_id = 'other'", 0},
		{"stella_app", "acme", "SELECT * FROM transport.messages", -1},
		{"stella_app", "acme", "UPDATE scanner.vulnerabilities SET severity = 'low'", -1},
		{"stella_app", "acme", "UPDATE scanner.sbom_documents SET digest = 'x'", -1},
		{"stella_app", "acme", "TRUNCATE scanner.scan_jobs", -1},
		{"stella_app", "acme", "ALTER TABLE scanner.scan_jobs DISABLE ROW LEVEL SECURITY", -1},
		{"stella_app", "acme", "SET LOCAL row_security = off; SELECT * FROM scanner.scan_jobs", -1},
		{"stella_relay", "", "SELECT tenant_id, event_id FROM transport.outbox", 4},
		{"stella_relay", "", "SELECT tenant_id, job_id, status FROM scanner.scan_jobs", 2},
		{"stella_relay", "", "SELECT image_ref FROM scanner.scan_jobs", -1},
		{"stella_relay", "", "UPDATE scanner.scan_jobs SET status = 'dead'", -1},
		{"stella_relay", "", "SELECT * FROM scanner.packages", -1},
		{"stella_index", "", "SELECT * FROM scanner.packages", 0},
		{"stella_index", "", "DELETE FROM scanner.packages", -1},
		{"stella_index", "", "SELECT * FROM transport.outbox", -1},
	} {
		n, err := as(c.role, c.tenant, c.statement)
		if (c.rows < 0) != (err != nil) || err == nil && n != c.rows {
			t.Errorf("%s of %q: %s: %d rows, %v; want %d", c.role, c.tenant, c.statement, n, err, c.rows)
		}
	}
	// What a transaction took is gone when its connection serves the next one.
	db.SetMaxOpenConns(1)
	if _, err := as("stella_app", "acme", "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	var role, tenant sql.NullString
	if err := db.QueryRow(`SELECT current_setting('role'), current_setting('app.tenant', true)`).Scan(&role, &tenant); err != nil || role.String != "none" || tenant.String != "" {
		t.Errorf("after a transaction the connection has role %q and tenant %q, %v", role.String, tenant.String, err)
	}
}

// TestOpenPostgresRefuses names all that is wrong at once, and no password.
func TestOpenPostgresRefuses(t *testing.T) {
	owner := servers.Postgres(t)
	u, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	refused := func(name, url string, kind error, says ...string) {
		t.Helper()
		root, err := store.Open(t.Context(), url)
		if err == nil {
			root.Close()
			t.Errorf("%s: opened", name)
			return
		}
		if !errors.Is(err, kind) || strings.Contains(err.Error(), "hunter2") || password != "" && strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", name, err)
		}
		for _, s := range says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %q does not say %q", name, err, s)
			}
		}
	}
	refused("no schema", owner, store.ErrNotFound, "the schema is missing", "postgres.Migrate")
	if err := postgres.Migrate(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	refused("the owner", owner, store.ErrForbidden, "owner", "CREATE ROLE stella LOGIN NOINHERIT", "may not take the role")
	wrong := *u
	wrong.User = url.UserPassword(u.User.Username(), "hunter2")
	refused("wrong password", wrong.String(), store.ErrUnauthenticated)
	wrong = *u
	wrong.RawQuery = "fsync=off"
	refused("unknown key", wrong.String(), store.ErrInvalid, `"fsync"`, "sslmode")
	refused("nobody listens", "postgres://a:hunter2@127.0.0.1:1/x", store.ErrUnavailable, "postgres://a:xxxxx@127.0.0.1:1/x")
	refused("no such file", "postgres://a:hunter2@127.0.0.1:1/x?sslmode=verify-full&sslrootcert=/none", store.ErrInvalid)

	db := servers.Connect(t, owner)
	login := "inherits_" + strings.ToLower(t.Name())
	for _, s := range []string{"CREATE ROLE " + login + " LOGIN INHERIT PASSWORD 'hunter2'", "GRANT stella_app, stella_relay TO " + login,
		"INSERT INTO public.stella_migrations VALUES (99, '0099_later.sql', 'x')"} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { db.ExecContext(context.Background(), "DROP ROLE "+login) })
	inherits := *u
	inherits.User = url.UserPassword(login, "hunter2")
	refused("newer", inherits.String(), store.ErrUnsupported, "99", "newer than this program")
	if _, err := db.Exec("DELETE FROM public.stella_migrations WHERE version = 99"); err != nil {
		t.Fatal(err)
	}
	refused("inherits", inherits.String(), store.ErrForbidden, "inherits the rights of stella_app", "NOINHERIT", "may not take the role stella_index")
}

// TestMigrateAtOnce: programs that start together apply each step once.
func TestMigrateAtOnce(t *testing.T) {
	owner := servers.Postgres(t)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if err := postgres.Migrate(t.Context(), owner); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestTransitions holds the database's table of states against the one in Go, for
// every pair.
func TestTransitions(t *testing.T) {
	db := servers.Connect(t, servers.PostgresStore(t).Owner)
	db.SetMaxOpenConns(1)
	for _, s := range []string{"ALTER TABLE scanner.scan_jobs NO FORCE ROW LEVEL SECURITY"} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	column := func(s scan.State) string { return strings.Replace(string(s), "queued", "pending", 1) }
	n := 0
	for _, from := range scan.States() {
		for _, to := range scan.States() {
			n++
			if _, err := db.Exec(`INSERT INTO scanner.scan_jobs (tenant_id, job_id, image_ref, platform, owner, status, priority, manifest, created_us, updated_us)
				VALUES ('t', $1, '', '', '', $2, 5, '', 0, 0)`, fmt.Sprint(n), column(from)); err != nil {
				t.Fatal(err)
			}
			_, err := db.Exec(`UPDATE scanner.scan_jobs SET status = $2 WHERE job_id = $1`, fmt.Sprint(n), column(to))
			if want := from.CanBecome(to) || from == to && !from.Terminal(); (err == nil) != want {
				t.Errorf("%s to %s: in Go %v, in the database %v", from, to, want, err)
			}
		}
	}
}
