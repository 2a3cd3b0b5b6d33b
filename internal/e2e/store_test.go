package e2e

import (
	"crypto/rand"
	"database/sql"
	"net/url"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/postgres"
	"github.com/stella-ops/stella/store/storetest"
)

// database is a PostgreSQL database with a schema and a login for the store.
type database struct{ owner, app string }

// newDatabase makes one.
func newDatabase(t testing.TB) database {
	t.Helper()
	d := database{owner: servers.Postgres(t)}
	login, password := "app_"+strings.ToLower(rand.Text()), rand.Text()
	execute(t, d.owner, "CREATE ROLE "+login+" LOGIN NOINHERIT PASSWORD '"+password+"'")
	t.Cleanup(func() { execute(t, d.owner, "DROP ROLE "+login) })
	if err := postgres.Migrate(t.Context(), d.owner, login); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(d.owner)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(login, password)
	d.app = u.String()
	return d
}

func execute(t testing.TB, url string, statements ...string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func openPostgres(t testing.TB) *store.Root {
	t.Helper()
	root, err := store.Open(t.Context(), newDatabase(t).app)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestStore(t *testing.T) {
	storetest.TestRoot(t, storetest.Config{Open: openPostgres})
}
