package e2e

import (
	"testing"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/storetest"
)

// BenchmarkFleet measures what a console asks of a large tenant on PostgreSQL.
func BenchmarkFleet(b *testing.B) {
	const enter = "SELECT set_config('role', 'stella_app', true), set_config('app.tenant', 'acme', true)"
	for name, f := range map[string]storetest.Fleet{"spread": {Images: 10_000, Scans: 100_000}, "skewed": {Images: 10_000, Scans: 100_000, Skewed: true}} {
		b.Run(name, func(b *testing.B) {
			d := servers.PostgresStore(b)
			root, err := store.Open(b.Context(), d.App)
			if err != nil {
				b.Fatal(err)
			}
			defer root.Close()
			app, owner := servers.Connect(b, d.App), servers.Connect(b, d.Owner)
			storetest.FillFleet(b, root, app, ".", enter, f)
			if _, err := owner.Exec("ANALYZE"); err != nil { // as the server does by itself within a minute
				b.Fatal(err)
			}
			storetest.BenchmarkFleet(b, root, app, ".", enter, f)
		})
	}
}
