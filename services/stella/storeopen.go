package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/store"
	_ "github.com/stella-ops/stella/store/postgres" // what --store may name
	_ "github.com/stella-ops/stella/store/sqlite"
)

// storeFlags name what belongs to a tenant.
type storeFlags struct{ url, tenant string }

func (f *storeFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.url, "store", "", "the store: sqlite:FILE or postgres://USER@HOST/DATABASE (default: STELLA_STORE, which keeps a password out of lists of processes)")
	cmd.Flags().StringVar(&f.tenant, "tenant", "", "whose it is (default: STELLA_TENANT)")
}

// placeFlags say where what belongs to a tenant is: in a store that is opened here, or at a
// server.
type placeFlags struct {
	storeFlags
	server eitherFlags
}

// register registers the flags; it comes before the command's other flags.
func (f *placeFlags) register(cmd *cobra.Command) {
	f.storeFlags.register(cmd)
	f.server.register(cmd.Flags())
}

// withTenant opens the store and calls do with what belongs to the tenant.
func (p *program) withTenant(ctx context.Context, f *storeFlags, do func(*store.Root, *store.Tenant) error) (err error) {
	where, name := cmp.Or(f.url, p.env("STELLA_STORE")), cmp.Or(f.tenant, p.env("STELLA_TENANT"))
	if where == "" || name == "" {
		return usageError("of whom? Give --store URL and --tenant NAME, or --server URL")
	}
	if file, ok := strings.CutPrefix(where, "sqlite:"); ok {
		file, _, _ = strings.Cut(strings.TrimPrefix(file, "//"), "?")
		if plain, err := url.PathUnescape(file); err == nil {
			file = plain
		}
		if _, err := os.Stat(file); err != nil { // the driver would make it
			return fmt.Errorf("the store %s: %w", file, err)
		}
	}
	root, err := store.Open(ctx, where)
	if err != nil {
		return err
	}
	defer func() {
		if closing := root.Close(); err == nil {
			err = closing
		}
	}()
	t, err := root.Tenant(name)
	if err != nil {
		return err
	}
	return do(root, t)
}
