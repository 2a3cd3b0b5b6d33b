package e2e

import (
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/storetest"
)

func openPostgres(t testing.TB) *store.Root {
	t.Helper()
	root, err := store.Open(t.Context(), servers.PostgresStore(t).App)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestStore(t *testing.T) {
	storetest.TestRoot(t, storetest.Config{Open: openPostgres})
}
