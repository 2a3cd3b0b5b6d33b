package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	gotable "github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/services/stella/internal/render"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/trust"
	"github.com/stella-ops/stella/vex/vexhttp"
)

// scopes are what a server has of VEX: what is public, and what is the tenant's own. They
// share what the client of one has.
func (r *service) scopes() []*vexhttp.Client {
	return []*vexhttp.Client{{URL: r.server, Transport: r.transport, Scope: vexhttp.Public}, r.vex}
}

// heardAt are the statements that a server has about vulnerabilities, each once.
func (r *service) heardAt(ctx context.Context, ids []string) ([]*vex.Statement, error) {
	var out []*vex.Statement
	for _, c := range r.scopes() {
		for _, id := range ids {
			list, err := c.Statements(ctx, id, "")
			if err != nil {
				return nil, err
			}
			out = append(out, list...)
		}
	}
	return vex.NewSet(out).All(), nil
}

// resolveAt decides between what a server has of suppliers, by whom the tenant believes.
func (r *service) resolveAt(ctx context.Context, q *vex.Query, at time.Time) (*resolved, error) {
	believed, err := r.vex.Trust(ctx)
	if err != nil {
		return nil, err
	}
	judge, err := believed.Judge()
	if err != nil {
		return nil, fmt.Errorf("the trust in force at %s: %w", r.server, err)
	}
	list, err := r.heardAt(ctx, q.Vulnerabilities)
	if err != nil {
		return nil, err
	}
	selection := q.Select(list)
	return resolve(judge.Resolve(selection.Claims, at), selection.Others), nil
}

func (p *program) vexConsensus() *cobra.Command {
	var f scansFlags
	return f.add(&cobra.Command{
		Use:   "consensus VULNERABILITY [PRODUCT]",
		Short: "Say what a server decided about a vulnerability, by the products of statements",
		Long: `Say what a server decided about a vulnerability as of its newest head, for each product that
statements name. It means something at a server alone: "stella vex resolve" decides about one
package, here and there.

Exit codes: 0 listed, 1 error, 64 wrong arguments.`,
		Example: "  stella vex consensus CVE-2026-0001 --server https://stella.example\n  stella vex consensus CVE-2026-0001 pkg:npm/foo@1.0.0 --server https://stella.example -o ndjson",
		Args:    usage(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			product := ""
			if len(args) > 1 {
				product = args[1]
			}
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				list, err := r.vex.Consensus(cmd.Context(), args[0], product)
				return &render.Answer{Value: append([]vex.Decision{}, list...), Table: func(w io.Writer) error { return printConsensus(w, list) }}, err
			})
		},
	})
}

func printConsensus(w io.Writer, list []vex.Decision) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "Nobody says anything about it.")
		return err
	}
	t := newTable("product", "status", "tier", "disputed", "signed", "until")
	for i := range list {
		d := &list[i]
		t.AppendRow(gotable.Row{clean(d.Product), clean(strings.ReplaceAll(cmp.Or(string(d.Status), "nobody entitled"), "_", " ")), d.Tier, yes(d.Disputed), yes(d.Signed), timeOrDash(d.NextChange)})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// uploadAt uploads documents under the names of their files.
func (p *program) uploadAt(ctx context.Context, r *service, files []string) (*render.Answer, error) {
	names := map[string]string{}
	for _, file := range files {
		name := filepath.Base(file)
		if other, twice := names[name]; twice {
			return nil, usageError("%s and %s have the same name, and the second would replace the first at the server: import them one by one under other names", other, file)
		}
		names[name] = file
	}
	list := []vexhttp.Uploaded{}
	for _, file := range files {
		text, err := p.readFile(file, maxVEX)
		if err != nil {
			return nil, fmt.Errorf("%w (folders are imported here alone: name the files)", err)
		}
		u, err := r.vex.Upload(ctx, filepath.Base(file), text)
		if err != nil {
			return nil, fmt.Errorf("%s, after %d of %d documents: %w", clean(file), len(list), len(files), err)
		}
		list = append(list, *u)
	}
	return &render.Answer{Value: list, Table: func(w io.Writer) error {
		var b strings.Builder
		for i := range list {
			u := &list[i]
			fmt.Fprintf(&b, "%s: %d statements, %s\n", clean(u.Reading.Document), u.Count, clean(strings.TrimRight(cmp.Or(string(u.Reading.Signature), "unsigned")+" "+u.Reading.Signer, " ")))
			for _, problem := range u.Reading.Problems {
				fmt.Fprintf(&b, "  %s\n", clean(fmt.Sprint(problem)))
			}
			if u.Reading.Quarantined != "" {
				fmt.Fprintf(&b, "  nothing of it that lowers risk is in force: %s\n", clean(u.Reading.Quarantined))
			}
		}
		_, err := io.WriteString(w, b.String())
		return err
	}}, nil
}

// maxVEX bounds a document that is uploaded, in bytes.
const maxVEX = 64 << 20

func (p *program) vexTrust() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Whom the tenant of a server believes: show, set",
		Long:  "Show and set whom the tenant of a server believes about what suppliers say. Here that is\nthe file of --trust.",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var show, set scansFlags
	cmd.AddCommand(show.add(&cobra.Command{
		Use:     "show",
		Short:   "Show whom the tenant of a server believes",
		Long:    "Show whom the tenant of a server believes.\n\nExit codes: 0 shown, 1 error, 64 wrong arguments.",
		Example: "  stella vex trust show --server https://stella.example -o json",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) { return trustAnswer(r.vex.Trust(cmd.Context())) })
		},
	}), set.add(&cobra.Command{
		Use:     "set FILE",
		Short:   "Set whom the tenant of a server believes",
		Long:    "Set whom the tenant of a server believes, by a trust document as --trust reads it. What is\ndecided follows with the next head.\n\nExit codes: 0 set, 1 error, 64 wrong arguments, also a document that is wrong.",
		Example: "  stella vex trust set trust.yaml --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := p.readFile(args[0], trust.MaxDocument)
			if err != nil {
				return err
			}
			doc, err := trust.Parse(args[0], text)
			if err != nil {
				return &codeError{exitUsage, err}
			}
			return set.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				return trustAnswer(doc.Trust(), r.vex.SetTrust(cmd.Context(), doc.Trust()))
			})
		},
	}))
	return cmd
}

// trustAnswer says whom somebody believes.
func trustAnswer(t *vex.Trust, err error) (*render.Answer, error) {
	return &render.Answer{
		Encode: func(w io.Writer) error { return writeValue(w, t) }, List: "issuers",
		Table: func(w io.Writer) error {
			list := slices.Clone(t.Issuers)
			if len(list) == 0 {
				_, err := fmt.Fprintln(w, "Nobody is believed.")
				return err
			}
			table := newTable("issuer", "tier", "sources", "identities")
			for i := range list {
				table.AppendRow(gotable.Row{clean(list[i].ID), list[i].Tier, clean(strings.Join(list[i].Sources, " ")), len(list[i].Identities)})
			}
			_, err := fmt.Fprintln(w, table.Render())
			return err
		},
	}, err
}
