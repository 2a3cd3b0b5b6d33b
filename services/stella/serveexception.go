package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	gotable "github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/policy/policyhttp"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

func (p *program) exceptionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exception",
		Short: "Exceptions of a server: list, show, add, revoke",
		Long:  "List, show, make and take back the exceptions of a server. Here exceptions are the files of\n--exceptions.",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.exceptionList(), p.exceptionShow(), p.exceptionAdd(), p.exceptionRevoke())
	return cmd
}

const exceptionHelp = `

It means something at a server alone: --server or STELLA_SERVER names it.

Exit codes: 0 done, 1 error, 64 wrong arguments.`

func (p *program) exceptionList() *cobra.Command {
	var f scansFlags
	return f.add(&cobra.Command{
		Use:     "list",
		Short:   "List the exceptions of a server",
		Long:    "List the exceptions of a server, by id." + exceptionHelp,
		Example: "  stella policy exception list --server https://stella.example\n  stella policy exception list --server https://stella.example -o template='{{range .}}{{.id}} {{.owner}}{{\"\\n\"}}{{end}}'",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				list, err := pages(func(after string) ([]policy.Exception, string, error) {
					return r.policy.Exceptions(cmd.Context(), after)
				})
				return &render.Answer{Value: list, Table: func(w io.Writer) error { return printExceptions(w, list) }}, err
			})
		},
	})
}

func printExceptions(w io.Writer, list []policy.Exception) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "There are none.")
		return err
	}
	t := newTable("exception", "effect", "about", "owner", "expires", "state")
	now := time.Now()
	for i := range list {
		e := &list[i]
		state := "counts"
		switch {
		case !e.Revoked.IsZero():
			state = "was taken back"
		case !e.Expires.IsZero() && !e.Expires.After(now):
			state = "is over"
		}
		t.AppendRow(gotable.Row{clean(e.ID), strings.ReplaceAll(string(e.Effect), "_", " "), clean(aboutOf(&e.Scope)), clean(e.Owner), timeOrDash(e.Expires), state})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

// aboutOf says in one line what an exception is about.
func aboutOf(s *policy.ExceptionScope) string {
	var parts []string
	for _, list := range [][]string{s.Vulnerabilities, s.Packages, s.Images, s.Environments, s.Paths} {
		if len(list) > 0 {
			parts = append(parts, strings.Join(list, " "))
		}
	}
	return strings.Join(parts, "; ")
}

// keptAnswer is an exception with its history.
func keptAnswer(k *policy.KeptException, err error) (*render.Answer, error) {
	return &render.Answer{Value: k, Table: func(w io.Writer) error {
		var b strings.Builder
		if err := printExceptions(&b, []policy.Exception{k.Exception}); err != nil {
			return err
		}
		fmt.Fprintf(&b, "because %s\n", clean(k.Exception.Reason))
		for _, e := range k.Events {
			fmt.Fprintf(&b, "%s %s by %s: %s\n", e.At.UTC().Format(time.RFC3339), clean(e.Kind), clean(cmp.Or(e.By, "-")), clean(cmp.Or(e.Reason, "-")))
		}
		_, err := io.WriteString(w, b.String())
		return err
	}}, err
}

func (p *program) exceptionShow() *cobra.Command {
	var f scansFlags
	return f.add(&cobra.Command{
		Use:     "show ID",
		Short:   "Show an exception of a server with its history",
		Long:    "Show an exception of a server with what became of it." + exceptionHelp,
		Example: "  stella policy exception show EX-1 --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				return keptAnswer(r.policy.Exception(cmd.Context(), args[0]))
			})
		},
	})
}

func (p *program) exceptionAdd() *cobra.Command {
	var f scansFlags
	cmd := f.add(&cobra.Command{
		Use:     "add FILE",
		Short:   "Make the exceptions of a file count at a server",
		Long:    "Make the exceptions of a file count at a server: the YAML of --exceptions. Who is logged in is\ntheir approver, and the server says since when they count. The same again changes nothing." + exceptionHelp,
		Example: "  stella policy exception add exceptions.yaml --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := p.readFile(args[0], policyfile.MaxDocument)
			if err != nil {
				return err
			}
			list, err := policyfile.ParseExceptions(args[0], text)
			if err != nil {
				return &codeError{exitUsage, err}
			}
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) { return r.except(cmd.Context(), list) })
		},
	})
	return cmd
}

// except makes exceptions count.
func (r *service) except(ctx context.Context, list []policy.Exception) (*render.Answer, error) {
	kept := []policy.KeptException{}
	for i := range list {
		e := &list[i]
		k, _, err := r.policy.Except(ctx, policyhttp.Draft{
			ID: e.ID, Scope: e.Scope, Effect: e.Effect, Severity: e.Severity, Control: e.Control, Owner: e.Owner, Reason: e.Reason,
			Justification: e.Justification, Expires: e.Expires, Basis: e.Basis,
		}, "")
		if err != nil {
			return nil, fmt.Errorf("exception %s, after %d of %d: %w", clean(e.ID), i, len(list), err)
		}
		kept = append(kept, *k)
	}
	return &render.Answer{Value: kept, Table: func(w io.Writer) error {
		all := make([]policy.Exception, len(kept))
		for i := range kept {
			all[i] = kept[i].Exception
		}
		return printExceptions(w, all)
	}}, nil
}

func (p *program) exceptionRevoke() *cobra.Command {
	var f scansFlags
	var reason string
	cmd := f.add(&cobra.Command{
		Use:     "revoke ID",
		Short:   "Take an exception of a server back",
		Long:    "Take an exception of a server back: it counts no more, and what follows from it is decided\nanew." + exceptionHelp,
		Example: "  stella policy exception revoke EX-1 --reason \"a fix is out\" --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return usageError("why? Give --reason TEXT, for those who look at it later")
			}
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				return keptAnswer(r.policy.Revoke(cmd.Context(), args[0], reason))
			})
		},
	})
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who look at it later")
	return cmd
}
