package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/services/internal/config"
	"github.com/stella-ops/stella/services/internal/shell"
	"github.com/stella-ops/stella/services/internal/system"
	"github.com/stella-ops/stella/store/account"
)

// Main is the main function of a service with one system. It returns the exit code.
func Main(name string) int {
	p := Program(name, nil, name)
	return shell.Main(p, name)
}

// version names this build in documents and exports.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

// passwordFile has the password of the administrator that the first start made.
const passwordFile = "initial-password"

// bootstrap makes the tenant of an embedded installation and its administrator, at the
// first start.
func (b *builder) bootstrap(ctx context.Context) error {
	made, err := b.server.Bootstrap(ctx, issuer.Bootstrap{Tenant: b.cfg.Tenant, Redirects: []string{b.origin() + system.ConsolePath}})
	if err != nil || made.Password == "" {
		return err
	}
	file := filepath.Join(b.cfg.Data, passwordFile)
	if err := os.WriteFile(file, []byte(made.Password+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the first password: %w", err)
	}
	b.env.Log.Info("an administrator was made: change the password, and delete the file", "tenant", made.Tenant, "login", made.Login, "file", file)
	return nil
}

// Bootstrap makes the first tenant of an installation over servers, with its administrator
// and the clients of people. What is there stays.
func Bootstrap(ctx context.Context, c *config.Config, what issuer.Bootstrap) (made *issuer.Bootstrapped, err error) {
	if len(what.Redirects) == 0 && c.URL != "" {
		what.Redirects = []string{strings.TrimRight(c.URL, "/") + system.ConsolePath}
	}
	err = atAuthority(ctx, c, "bootstrap", func(ctx context.Context, s *issuer.Server) (err error) {
		made, err = s.Bootstrap(ctx, what)
		return err
	})
	return made, err
}

// Rotate makes the next key that tokens are signed with.
func Rotate(ctx context.Context, c *config.Config, how issuer.Rotation) (made *account.Key, err error) {
	err = atAuthority(ctx, c, "rotate", func(ctx context.Context, s *issuer.Server) (err error) {
		made, err = s.Rotate(ctx, &how)
		return err
	})
	return made, err
}

// atAuthority does something at an authority in this process, on the store of the others. It
// is for whoever has the store and the key that seals what is in it, so nobody is asked for
// rights.
func atAuthority(ctx context.Context, c *config.Config, name string, do func(context.Context, *issuer.Server) error) error {
	if err := system.Local(c); err != nil {
		return err
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	b := &builder{cfg: c, systems: []string{"authority"}}
	c.Management.Listen = ""
	p := &shell.Program{Name: name, Config: c, Build: func(ctx context.Context, env *shell.Env) ([]*shell.Part, error) {
		b.env = env
		err := b.open(ctx)
		if err == nil {
			_, err = b.authority(ctx)
		}
		if err == nil {
			err = do(ctx, b.server)
		}
		done() // there is nothing to run
		return nil, err
	}}
	return p.Run(ctx)
}
