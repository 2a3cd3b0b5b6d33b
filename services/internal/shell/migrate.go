package shell

import (
	"context"
	"fmt"
	"os"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/internal/config"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/postgres"
)

// Migrate brings the schema of the store up to date. SQLite is migrated by whoever opens
// it; PostgreSQL only here, by its owner (migrate.store), who lets the login of store use
// it. Several may do it at once. A schema that is newer than this program is an error, and
// stays as it is.
func Migrate(ctx context.Context, c *config.Config) error {
	switch c.Store.Scheme() {
	case "sqlite":
		if err := os.MkdirAll(c.Data, 0o700); err != nil {
			return fmt.Errorf("data: %w", err)
		}
		root, err := store.Open(ctx, c.Store.Reveal())
		if err != nil {
			return err
		}
		return root.Close()
	case "postgres", "postgresql":
		if c.Migrate.Store.Reveal() == "" {
			return fmt.Errorf("migrate.store is missing: want postgres://OWNER@HOST/DATABASE of who owns the database: %w", fault.Invalid)
		}
		var logins []string
		if name := login(c.Store); name != "" {
			logins = append(logins, name)
		}
		return postgres.Migrate(ctx, c.Migrate.Store.Reveal(), logins...)
	}
	return fmt.Errorf("store %s: want sqlite:PATH or postgres://LOGIN@HOST/DATABASE: %w", c.Store, fault.Unsupported)
}
