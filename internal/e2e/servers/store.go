package servers

import (
	"context"
	"net/url"
	"testing"

	"github.com/stella-ops/stella/store/postgres"
)

// StoreDatabase is a PostgreSQL database with the schema of a store.
type StoreDatabase struct {
	Owner string // URL of who owns the schema
	App   string // URL as store.Open takes it: a login that owns nothing
}

// PostgresStore makes one on the shared server.
func PostgresStore(t testing.TB) StoreDatabase {
	t.Helper()
	return PrepareStore(t, Postgres(t))
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
