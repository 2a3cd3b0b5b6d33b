package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	gotable "github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

func (p *program) dbStatus() *cobra.Command {
	var f dbFlags
	var outputs []string
	var server eitherFlags
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Say which advisory data there is, and how old it is",
		Long:    "Say which advisory data there is, how old it is and on what terms; with --server which\nhead of which sources' runs the server matches with.\n\nExit codes: 0 done, 1 error, 3 there is no data, 64 wrong arguments.",
		Example: "  stella db status\n  stella db status --server https://stella.example -o template='{{.digest}}'",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			done, err := p.elsewhere(cmd, &server, out, func(ctx context.Context, r *service) (*render.Answer, error) {
				return headAnswer(r.advisories.Head(ctx, 0))
			})
			if done {
				return err
			}
			store, err := f.store(p.env)
			if err != nil {
				return err
			}
			st, err := store.Status()
			if errors.Is(err, snapshot.ErrNotFound) {
				return &codeError{exitNotAssessed, fmt.Errorf("no advisory data in %s: get some with \"stella db update\"", store.Dir)}
			}
			if err != nil {
				return err
			}
			return p.say(out, &render.Answer{Value: st, Table: func(w io.Writer) error { return printStatus(w, st) }})
		},
	}
	f.registerDir(cmd.Flags())
	server.register(cmd.Flags())
	outputFlag(cmd, &outputs)
	return cmd
}

// printStatus says what the data is, where it is from, how fresh it is and on what terms.
func printStatus(w io.Writer, st *snapshot.Status) error {
	var b strings.Builder
	fmt.Fprintf(&b, "digest    %s\nfile      %s\nimported  %s\nrecords   %d (%d withdrawn), %d set aside\n\n",
		st.Digest, st.Path, st.Imported.Format(time.RFC3339), st.Records, st.Withdrawn, len(st.Broken))
	ecosystems := newTable("ecosystem", "records", "packages", "newest")
	for _, e := range st.Ecosystems {
		ecosystems.AppendRow(gotable.Row{clean(e.Name), e.Records, e.Packages, clean(e.Modified)})
	}
	b.WriteString(ecosystems.Render() + "\n")
	if len(st.Sources) > 0 {
		b.WriteString("\n" + originTable(st) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func originTable(st *snapshot.Status) string {
	t := newTable("source", "checked", "stale after", "licence", "may be passed on")
	for _, o := range st.Sources {
		stale := "never"
		if o.StaleAfter > 0 {
			stale = fmt.Sprintf("%d h", o.StaleAfter)
		}
		t.AppendRow(gotable.Row{clean(o.Name), clean(cmp.Or(o.Checked, "unknown")), stale, clean(o.License), map[bool]string{true: "yes", false: "no"}[o.Redistribute]})
	}
	return t.Render()
}
