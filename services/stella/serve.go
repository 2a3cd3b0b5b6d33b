package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/services/internal/app"
	"github.com/stella-ops/stella/services/internal/config"
	"github.com/stella-ops/stella/services/internal/shell"
	"github.com/stella-ops/stella/services/internal/system"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const serveHelp = `Run systems of the platform in one process: all of them, or those that are named.

Without a configuration it is an installation of its own, in ./stella-data, for this
machine: the gateway at http://127.0.0.1:8443, metrics and health at 127.0.0.1:9443.
The first start makes an administrator, and keeps the password in
stella-data/initial-password. "stella login --server http://127.0.0.1:8443" takes it.

Over servers each process runs some of the systems, configured by --config, STELLA_*
and flags (docs/configuration.md): authority, gateway, scanner, worker, concelier,
excititor, scheduler, policy, signer, attestor, notifier, timeline, exporter.

It is the server itself: --server is for commands that ask it.

Exit codes: 0 it was stopped, 1 error, 64 a wrong configuration.`

func (p *program) serveCommand() *cobra.Command {
	var flags *config.Flags
	cmd := &cobra.Command{
		Use:     "serve [SYSTEM...]",
		Short:   "Run the platform, or some of its systems",
		Long:    serveHelp,
		Example: "  stella serve\n  stella serve --config stella.yaml scanner worker",
		RunE: func(cmd *cobra.Command, systems []string) error {
			c, err := loadConfig(flags, systems)
			if err != nil {
				return err
			}
			if err := system.Local(c); err != nil {
				return err
			}
			name := "stella"
			if len(systems) > 0 {
				name = strings.Join(systems, "+")
			}
			ctx, cancel := shell.Signals(cmd.Context())
			defer cancel()
			return app.Program(name, c, systems...).Run(ctx)
		},
	}
	flags = config.AddFlags(cmd.Flags())
	return cmd
}

// loadConfig puts together what is configured for some systems, or for all.
func loadConfig(flags *config.Flags, systems []string) (*config.Config, error) {
	if len(systems) == 0 {
		systems = config.Systems
	}
	c, err := config.Load(flags.Input(systems, os.Environ()))
	var wrong config.Problems
	if errors.As(err, &wrong) {
		return nil, &codeError{exitUsage, err}
	}
	return c, err
}

func (p *program) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "What processes are configured by", Args: usage(cobra.NoArgs), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	var flags *config.Flags
	var outputs []string
	show := &cobra.Command{
		Use:     "print [SYSTEM...]",
		Short:   "Print the configuration that holds, with where each value is from, and no secret",
		Long:    "Print the configuration that holds, with where each value is from, and no secret: as YAML,\nor with -o json as the values alone.\n\nExit codes: 0 printed, 1 error, 64 a wrong configuration.",
		Example: "  stella config print --config stella.yaml scanner\n  stella config print -o json",
		RunE: func(_ *cobra.Command, systems []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			c, err := loadConfig(flags, systems)
			if err != nil {
				return err
			}
			return p.say(out, &render.Answer{Encode: func(w io.Writer) error { return configJSON(w, c) }, Table: c.Print})
		},
	}
	flags = config.AddFlags(show.Flags())
	outputFlag(show, &outputs)
	cmd.AddCommand(show)
	return cmd
}

// configJSON writes the values that are printed, without where they are from.
func configJSON(w io.Writer, c *config.Config) error {
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		return err
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(b.Bytes(), &values); err != nil {
		return err
	}
	return render.WriteJSON(w, values)
}

func (p *program) readyCommand() *cobra.Command {
	var flags *config.Flags
	cmd := &cobra.Command{
		Use:     "ready [SYSTEM...]",
		Short:   "Ask the process with this configuration, on this machine, whether it is ready",
		Long:    "Ask the process with this configuration, on this machine, whether it is ready.\n\nExit codes: 0 it is, 1 it is not, 64 a wrong configuration.",
		Example: "  stella ready --config stella.yaml scanner",
		RunE: func(cmd *cobra.Command, systems []string) error {
			c, err := loadConfig(flags, systems)
			if err != nil {
				return err
			}
			return shell.Ready(cmd.Context(), c, p.stdout)
		},
	}
	flags = config.AddFlags(cmd.Flags())
	return cmd
}

const migrateHelp = `Bring the schema of the store up to date, before a new version of the processes starts.
PostgreSQL is migrated as the owner of the database, whom migrate.store names; SQLite is
by whoever opens it.`

func (p *program) migrateCommand() *cobra.Command {
	var flags *config.Flags
	cmd := &cobra.Command{
		Use:     "migrate",
		Short:   "Bring the schema of the store up to date",
		Example: "  stella migrate --config stella.yaml",
		Long:    migrateHelp,
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(flags, []string{"scheduler"})
			if err != nil {
				return err
			}
			return shell.Migrate(cmd.Context(), c)
		},
	}
	flags = config.AddFlags(cmd.Flags())
	return cmd
}

const bootstrapHelp = `Make the first tenant, its administrator, and the clients that people log in by. What is
there already stays as it is. The administrator's password is printed once, or is the one
of --password-file.`

func (p *program) authorityCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "authority", Short: "Who may have tokens", Args: usage(cobra.NoArgs), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	var flags *config.Flags
	var what issuer.Bootstrap
	var password string
	boot := &cobra.Command{
		Use:     "bootstrap",
		Short:   "Make the first tenant and its administrator",
		Long:    bootstrapHelp,
		Example: "  stella authority bootstrap --config stella.yaml --first-tenant acme --admin ann",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(flags, []string{"authority"})
			if err != nil {
				return err
			}
			if password != "" {
				text, err := os.ReadFile(password)
				if err != nil {
					return err
				}
				what.Password = strings.TrimRight(string(text), "\r\n")
			}
			made, err := app.Bootstrap(cmd.Context(), c, what)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "tenant %s, administrator %s\n", clean(made.Tenant), clean(made.Login))
			if made.Password != "" {
				fmt.Fprintf(p.stdout, "password %s\n", made.Password)
			}
			return nil
		},
	}
	flags = config.AddFlags(boot.Flags())
	boot.Flags().StringVar(&what.Tenant, "first-tenant", "default", "the tenant")
	boot.Flags().StringVar(&what.Login, "admin", "admin", "the administrator's name")
	boot.Flags().StringVar(&password, "password-file", "", "a file with the administrator's password")
	cmd.AddCommand(boot, p.rotateCommand())
	return cmd
}

const rotateHelp = `Make the next key that tokens are signed with, on the store itself. It is published at
once and signs ten minutes later; those before it end when their last token has. With --now
it signs at once and all others end: for keys that somebody else may have.`

func (p *program) rotateCommand() *cobra.Command {
	var flags *config.Flags
	how := issuer.Rotation{By: "stella authority rotate"}
	cmd := &cobra.Command{
		Use:     "rotate",
		Short:   "Make the next key that tokens are signed with",
		Long:    rotateHelp,
		Example: "  stella authority rotate --config stella.yaml --now",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(flags, []string{"authority"})
			if err != nil {
				return err
			}
			made, err := app.Rotate(cmd.Context(), c, how)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "key %s (%s) signs from %s on\n", made.ID, made.Algorithm, made.Active.UTC().Format(time.RFC3339))
			return nil
		},
	}
	flags = config.AddFlags(cmd.Flags())
	cmd.Flags().StringVar(&how.Algorithm, "algorithm", issuer.ES256, "ES256 or EdDSA")
	cmd.Flags().BoolVar(&how.Now, "now", false, "let it sign at once, and end all others")
	return cmd
}
