package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/services/auth/client"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

func (p *program) logoutCommand() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "End a login at a server",
		Long: `End a login: the server is told to end it, and the keys and tokens that are kept here are
deleted, also where the server is not to be had.

Exit codes: 0 logged out, 1 error, 64 wrong arguments.`,
		Example: "  stella logout --server https://stella.example",
		Args:    usage(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.logout(cmd.Context(), &f) },
	}
	f.register(cmd.Flags())
	return cmd
}

func (p *program) logout(ctx context.Context, f *serverFlags) error {
	server, err := f.address(p.env)
	if err != nil {
		return err
	}
	folder, err := p.sessions()
	if err != nil {
		return err
	}
	s, err := folder.Read(server)
	if errors.Is(err, client.ErrNotFound) {
		return fmt.Errorf("nobody is logged in at %s", server)
	}
	var failed error
	if err == nil && s.Token != nil {
		failed = f.revoke(ctx, s)
	} else if err != nil {
		failed = err
	}
	if err := folder.Remove(ctx, server); err != nil {
		return errors.Join(failed, err)
	}
	if failed != nil {
		return fmt.Errorf("the login is deleted here; at the server it goes on until it is over: %w", failed)
	}
	fmt.Fprintf(p.stdout, "logged out of %s\n", server)
	return nil
}

// revoke has the server end a session.
func (f *serverFlags) revoke(ctx context.Context, s *client.Session) error {
	door, err := f.door(s.Server)
	if err != nil {
		return err
	}
	as, err := client.Metadata(ctx, s.Issuer, &client.Options{Base: door, Insecure: f.insecure})
	if err != nil {
		return err
	}
	c := &client.Client{Server: as, ID: s.Client, Key: s.Key, Base: door, Insecure: f.insecure}
	return c.Revoke(ctx, s.Token)
}

// identity is what "stella whoami" says.
type identity struct {
	Server  string   `json:"server"`
	Subject string   `json:"subject,omitempty"`
	Tenant  string   `json:"tenant,omitempty"`
	Client  string   `json:"client,omitempty"`
	Scopes  []string `json:"scopes,omitempty"`
	Bound   bool     `json:"bound"` // to a key
	Expires string   `json:"token_expires,omitempty"`
}

func (p *program) whoamiCommand() *cobra.Command {
	var f serverFlags
	var specs []string
	cmd := &cobra.Command{
		Use:     "whoami",
		Short:   "Say who asks a server, and what that may do",
		Long:    "Get a token as every command that asks a server does, and say whose it is.\n\n" + serverHelp + "\n\nExit codes: 0 somebody, 1 nobody or an error, 64 wrong arguments.",
		Example: "  stella whoami --server https://stella.example",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := parseOutputs(specs, render.Table)
			if err != nil {
				return err
			}
			r, err := p.connect(cmd.Context(), &f)
			if err != nil {
				return err
			}
			t, err := r.caller.source.Token(cmd.Context())
			if err != nil {
				return r.explain(err)
			}
			return p.say(out, identify(r, t))
		},
	}
	f.register(cmd.Flags())
	outputFlag(cmd, &specs)
	return cmd
}

// identify says whose a token is.
func identify(r *service, t *client.Token) *render.Answer {
	c := t.Owner()
	id := &identity{Server: r.server, Subject: c.Subject, Tenant: c.Tenant, Client: c.Client, Scopes: strings.Fields(c.Scope), Bound: t.Type == client.TypeDPoP}
	if !t.Expires.IsZero() {
		id.Expires = t.Expires.UTC().Format(time.RFC3339)
	}
	return &render.Answer{Value: id, Table: id.table}
}

func (id *identity) table(w io.Writer) error {
	bound := "no: whoever has it may use it"
	if id.Bound {
		bound = "to the key of this login"
	}
	for _, line := range [][2]string{{"server", id.Server}, {"subject", id.Subject}, {"tenant", id.Tenant}, {"client", id.Client}, {"rights", strings.Join(id.Scopes, " ")}, {"bound", bound}, {"token until", id.Expires}} {
		if line[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%-12s %s\n", line[0], clean(line[1])); err != nil {
			return err
		}
	}
	return nil
}
