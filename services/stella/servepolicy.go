package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	gotable "github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/policy/policyhttp"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const policyServerHelp = `

It means something at a server alone, which keeps policies by id and version and says which
is in force where: --server or STELLA_SERVER names it.

Exit codes: 0 done, 1 error, 64 wrong arguments.`

// pages collects all pages of a list. next is "" or 0 behind the last one.
func pages[T any, C comparable](ask func(after C) ([]T, C, error)) ([]T, error) {
	out := []T{}
	var after, none C
	for {
		list, next, err := ask(after)
		if err != nil {
			return nil, err
		}
		if out = append(out, list...); next == none {
			return out, nil
		}
		after = next
	}
}

func (p *program) policyList() *cobra.Command {
	var f scansFlags
	var history bool
	cmd := f.add(&cobra.Command{
		Use:     "list",
		Short:   "List the policies that a server keeps, and where they are in force",
		Long:    "List the policies that a server keeps, and where they are in force; with --history what was\nput in force when, the newest first." + policyServerHelp,
		Example: "  stella policy list --server https://stella.example\n  stella policy list --history --server https://stella.example -o ndjson",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				if history {
					list, err := pages(func(after int64) ([]policy.Activation, int64, error) {
						return r.policy.Activations(cmd.Context(), after)
					})
					return &render.Answer{Value: list, Table: func(w io.Writer) error { return printActivations(w, list) }}, err
				}
				list, err := pages(func(after string) ([]policy.Revision, string, error) { return r.policy.Policies(cmd.Context(), after) })
				return &render.Answer{Value: list, Table: func(w io.Writer) error { return printRevisions(w, list) }}, err
			})
		},
	})
	cmd.Flags().BoolVar(&history, "history", false, "what was put in force when, in place of the policies")
	return cmd
}

func printRevisions(w io.Writer, list []policy.Revision) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "There are none: \"stella policy add FILE\" keeps one.")
		return err
	}
	t := newTable("policy", "version", "in force in", "by", "created", "title")
	for i := range list {
		v := &list[i]
		t.AppendRow(gotable.Row{clean(v.ID), v.Version, clean(cmp.Or(strings.Join(v.Environments, ", "), "-")), clean(v.By), timeOrDash(v.Created), clean(v.Title)})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

func printActivations(w io.Writer, list []policy.Activation) error {
	t := newTable("number", "environment", "policy", "by", "at", "reason")
	for i := range list {
		t.AppendRow(gotable.Row{list[i].Number, clean(list[i].Environment), clean(activated(&list[i])), clean(list[i].By), timeOrDash(list[i].At), clean(list[i].Reason)})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

// activated says which policy was put in force.
func activated(a *policy.Activation) string {
	switch {
	case a.Policy.ID == "":
		return "none any more"
	case a.Rollback:
		return fmt.Sprintf("%s %d, a rollback", a.Policy.ID, a.Policy.Version)
	}
	return fmt.Sprintf("%s %d", a.Policy.ID, a.Policy.Version)
}

// policyName reads ID or ID@VERSION; without a version it is 0, which is the newest.
func policyName(s string) (policy.Named, error) {
	id, version, given := strings.Cut(s, "@")
	n := policy.Named{ID: id}
	var err error
	if given {
		n.Version, err = strconv.Atoi(version)
	}
	if err != nil || id == "" || given && n.Version < 1 {
		return n, usageError("policy %q: want ID, or ID@VERSION with a number from 1 on", s)
	}
	return n, nil
}

func (p *program) policyShow() *cobra.Command {
	var f scansFlags
	return f.add(&cobra.Command{
		Use:     "show ID[@VERSION]",
		Short:   "Show a policy of a server: its text, or with -o json all that is kept of it",
		Long:    "Show a policy of a server, the newest version where none is named: its text as it was read,\nor with -o json all that is kept of it." + policyServerHelp,
		Example: "  stella policy show release@3 --server https://stella.example > release.yaml",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := policyName(args[0])
			if err != nil {
				return err
			}
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				v, err := r.policy.Policy(cmd.Context(), n.ID, n.Version)
				if err != nil {
					return nil, err
				}
				text, err := r.policy.Source(cmd.Context(), v.ID, v.Version)
				return &render.Answer{
					Encode: func(w io.Writer) error { return writeValue(w, v) },
					Table:  func(w io.Writer) error { return writeLine(w, text) },
				}, err
			})
		},
	})
}

func (p *program) policyAdd() *cobra.Command {
	var f scansFlags
	return f.add(&cobra.Command{
		Use:     "add FILE",
		Short:   "Keep a version of a policy at a server, without putting it in force",
		Long:    "Keep a version of a policy at a server. It is checked first as \"stella policy lint\" does; it\nis in force once \"stella policy activate\" says so." + policyServerHelp,
		Example: "  stella policy add release.yaml --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := p.readFile(args[0], policyfile.MaxDocument)
			if err != nil {
				return err
			}
			if _, _, err := policyfile.Parse(args[0], text); err != nil {
				return &codeError{exitUsage, err}
			}
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				v, again, err := r.policy.Add(cmd.Context(), text)
				if err != nil {
					return nil, err
				}
				how := "is kept"
				if again {
					how = "was kept already"
				}
				return &render.Answer{
					Encode: func(w io.Writer) error { return writeValue(w, v) },
					Table:  line("%s %d %s, %s", clean(v.ID), v.Version, how, clean(v.Digest)),
				}, nil
			})
		},
	})
}

func (p *program) policyActivate() *cobra.Command {
	var f scansFlags
	var a policy.Activation
	cmd := f.add(&cobra.Command{
		Use:     "activate ID[@VERSION]",
		Short:   "Put a policy of a server in force in an environment",
		Long:    "Put a version of a policy of a server in force in an environment, the newest where none is\nnamed. What is known already is decided anew. An older version than the one in force is a\nrollback, which needs --reason." + policyServerHelp,
		Example: "  stella policy activate release@3 --environment production --control waf --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := policyName(args[0])
			if err != nil {
				return err
			}
			if a.Environment == "" {
				return usageError("in force where? Give --environment NAME")
			}
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				v, err := r.policy.Policy(cmd.Context(), n.ID, n.Version)
				if err != nil {
					return nil, fmt.Errorf("%w (\"stella policy list --server %s\" lists those that are there)", err, r.server)
				}
				a.Policy, a.Digest = policy.Named{ID: v.ID, Version: v.Version}, v.Digest
				return activationAnswer(r.policy.Activate(cmd.Context(), a))
			})
		},
	})
	fs := cmd.Flags()
	fs.StringVar(&a.Environment, "environment", "", "where it is in force, such as production")
	fs.StringSliceVar(&a.Controls, "control", nil, "a control that is in place there, for exceptions that require one")
	fs.StringVar(&a.Reason, "reason", "", "why, for those who look at it later; needed for a rollback")
	fs.BoolVar(&a.Rollback, "rollback", false, "a newer version was in force: go back to this one")
	return cmd
}

func (p *program) policyDeactivate() *cobra.Command {
	var f scansFlags
	var environment, reason string
	cmd := f.add(&cobra.Command{
		Use:     "deactivate",
		Short:   "Have no policy in force in an environment of a server any more",
		Long:    "Have no policy in force in an environment of a server any more: nothing is decided there." + policyServerHelp,
		Example: "  stella policy deactivate --environment staging --reason \"replaced by production\" --server https://stella.example",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if environment == "" || reason == "" {
				return usageError("where, and why? Give --environment NAME and --reason TEXT")
			}
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				return activationAnswer(r.policy.Deactivate(cmd.Context(), environment, reason))
			})
		},
	})
	cmd.Flags().StringVar(&environment, "environment", "", "where")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who look at it later")
	return cmd
}

func activationAnswer(a *policy.Activation, err error) (*render.Answer, error) {
	return &render.Answer{Value: a, Table: func(w io.Writer) error {
		return line("in force in %s: %s", clean(a.Environment), clean(activated(a)))(w)
	}}, err
}

// simulateFlags are the flags of stella policy simulate.
type simulateFlags struct {
	scansFlags
	policy, environment, at string
	trace                   string
}

func (p *program) policySimulate() *cobra.Command {
	var f simulateFlags
	cmd := f.add(&cobra.Command{
		Use:   "simulate SCAN",
		Short: "Ask a server what a policy would decide about a scan, without keeping anything",
		Long: `Ask a server what a policy would decide about a scan, by the server's data, statements and
exceptions. Nothing is kept or put in force. --trace FILE has how it came about, which
"stella explain FILE" tells.

It means something at a server alone: "stella policy eval scan:ID" decides here, by what is
here.

Exit codes: 0 pass or warn, 1 error, 2 block, 3 not assessed, 64 wrong arguments.`,
		Example: "  stella policy simulate scan-01JE4Z --policy stricter.yaml --environment production --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return p.simulate(cmd.Context(), args[0], &f) },
	})
	fs := cmd.Flags()
	fs.StringVar(&f.policy, "policy", "", "the policy to try: a YAML file, or \"default\" for the one that is built in")
	fs.StringVar(&f.environment, "environment", "", "the environment that is decided for, such as production")
	fs.StringVar(&f.at, "at", "", "as of this time, such as 2026-12-24T22:30:00Z (default: the server's now)")
	fs.StringVar(&f.trace, "trace", "", "write how it came about to this file")
	return cmd
}

func (p *program) simulate(ctx context.Context, id string, f *simulateFlags) error {
	if f.policy == "" {
		return usageError("which policy? Give --policy FILE, or --policy default")
	}
	_, text, err := policyfile.Default()
	if f.policy != "default" {
		text, err = p.readFile(f.policy, policyfile.MaxDocument)
	}
	if err != nil {
		return err
	}
	q := policyhttp.Simulation{ScanID: id, Policy: string(text), Environment: f.environment, Trace: f.trace != ""}
	if f.at != "" {
		if q.At, err = p.timeOf("--at", f.at); err != nil {
			return err
		}
	}
	var out *policyhttp.Simulated
	err = f.ask(ctx, p, func(r *service) (_ *render.Answer, err error) {
		if out, err = r.policy.Simulate(ctx, q); err != nil {
			return nil, err
		}
		return &render.Answer{Encode: func(w io.Writer) error { return writeValue(w, out) }, Table: func(w io.Writer) error {
			because := ""
			if out.Because != "" {
				because = ", because " + out.Because
			}
			return line("%s%s", strings.ReplaceAll(string(out.Outcome), "_", " "), clean(because))(w)
		}}, nil
	})
	if err != nil {
		return err
	}
	if f.trace != "" {
		if err := replaceFile(f.trace, out.Trace); err != nil {
			return err
		}
	}
	return outcomeExit(out.Outcome, out.Because)
}
