package servers

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/stella-ops/stella/store/postgres"
)

// StoreDatabase is a PostgreSQL database with the schema of a store.
type StoreDatabase struct {
	Owner string // URL of who owns the schema
	App   string // URL as store.Open takes it: a login that owns nothing
}

// PostgresStore makes one on the shared server. The schema is made once, and copied.
func PostgresStore(t testing.TB) StoreDatabase {
	t.Helper()
	if os.Getenv(postgresVariable) != "" {
		return PrepareStore(t, Postgres(t))
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		shared.server = startPostgres(t)
	}
	t.Logf("PostgreSQL from %s", shared.server.How)
	base := shared.server.URL
	if shared.template == "" {
		name := "stella_" + secret(8)
		if err := execute(t.Context(), base, "create database "+name); err != nil {
			t.Fatalf("make a database: %v", err)
		}
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		u.Path = "/" + name
		if err := postgres.Migrate(t.Context(), u.String()); err != nil {
			t.Fatal(err)
		}
		shared.template = name
	}
	return PrepareStore(t, newDatabase(t, base, shared.template))
}

// PrepareStore makes the schema in an empty database of whom the URL names its
// owner, and a login for it.
func PrepareStore(t testing.TB, owner string) StoreDatabase {
	t.Helper()
	login, password := "app_"+secret(8), secret(12)
	if err := execute(t.Context(), owner, "create role "+login+" login noinherit password '"+password+"'"); err != nil {
		t.Fatalf("make a login: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(context.Background(), owner, "drop role "+login); err != nil {
			t.Logf("drop role %s: %v", login, err)
		}
	})
	if err := postgres.Migrate(t.Context(), owner, login); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(login, password)
	return StoreDatabase{Owner: owner, App: u.String()}
}

// Connect opens a database as the URL's user, with nothing between.
func Connect(t testing.TB, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
