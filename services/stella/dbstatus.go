package main

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	gotable "github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/snapshot"
)

func (p *program) dbStatus() *cobra.Command {
	var f dbFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say which advisory data there is, and how old it is",
		Args:  usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			store, err := f.store(p.env)
			if err != nil {
				return err
			}
			st, err := store.Status()
			if errors.Is(err, snapshot.ErrNotFound) {
				return &codeError{exitNotAssessed, fmt.Errorf("no advisory data in %s", store.Dir)}
			}
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(st)
			}
			fmt.Fprintf(p.stdout, "digest    %s\nfile      %s\nimported  %s\nrecords   %d (%d withdrawn), %d set aside\n\n",
				st.Digest, st.Path, st.Imported.Format(time.RFC3339), st.Records, st.Withdrawn, len(st.Broken))
			t := newTable("ecosystem", "records", "packages", "newest")
			for _, e := range st.Ecosystems {
				t.AppendRow(gotable.Row{clean(e.Name), e.Records, e.Packages, clean(e.Modified)})
			}
			fmt.Fprintln(p.stdout, t.Render())
			p.origins(st)
			return nil
		},
	}
	f.registerDir(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

// origins lists where the data is from, how fresh it is and on what terms.
func (p *program) origins(st *snapshot.Status) {
	if len(st.Sources) == 0 {
		return
	}
	t := newTable("source", "checked", "stale after", "licence", "may be passed on")
	for _, o := range st.Sources {
		stale := "never"
		if o.StaleAfter > 0 {
			stale = fmt.Sprintf("%d h", o.StaleAfter)
		}
		t.AppendRow(gotable.Row{clean(o.Name), clean(cmp.Or(o.Checked, "unknown")), stale, clean(o.License), map[bool]string{true: "yes", false: "no"}[o.Redistribute]})
	}
	fmt.Fprintf(p.stdout, "\n%s\n", t.Render())
}
