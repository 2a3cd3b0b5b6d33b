package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	gotable "github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxBroken bounds the set-aside records that are listed; the report beside the
// snapshot has all.
const maxBroken = 10

// dbFlags say where advisory data is and how it is used.
type dbFlags struct {
	dir        string
	matchOwned bool
}

func (f *dbFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.dir, "db", "", "folder of advisory data (default: STELLA_DB, or stella/db in the user's data folder)")
	fs.BoolVar(&f.matchOwned, "match-owned", false, "judge language packages that the distribution installed by their ecosystem's data too")
}

// dbDir resolves the folder.
func dbDir(flag string, env func(string) string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if dir := env("STELLA_DB"); dir != "" {
		return dir, nil
	}
	if base := env("XDG_DATA_HOME"); base != "" {
		return filepath.Join(base, "stella", "db"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the folder of advisory data: %w (set STELLA_DB or --db)", err)
	}
	return filepath.Join(home, ".local", "share", "stella", "db"), nil
}

// match matches a document with the current data. Without any, that is the
// report's one gap: absence of data is never absence of findings.
func (f *dbFlags) match(ctx context.Context, env func(string) string, doc *sbom.Document) (*finding.Report, error) {
	dir, err := dbDir(f.dir, env)
	if err != nil {
		return nil, err
	}
	snap, err := snapshot.Store{Dir: dir}.Open()
	if errors.Is(err, snapshot.ErrNotFound) {
		return &finding.Report{Gaps: []sbom.Gap{{Code: sbom.GapNoData, Blocking: true, Where: "advisories",
			What: "there is no advisory data: import some with \"stella db import FOLDER|ZIP\""}}}, nil
	}
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	return advisory.Matcher{View: snap, Options: advisory.Options{MatchOwned: f.matchOwned}}.Match(ctx, doc)
}

func (p *program) dbCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Import advisory data and say what there is",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.dbImport(), p.dbStatus())
	return cmd
}

func (p *program) dbImport() *cobra.Command {
	var f dbFlags
	cmd := &cobra.Command{
		Use:     "import PATH...",
		Short:   "Compile OSV records (folder, zip, tar.gz, file) into the data that scans match with",
		Long:    "Compile OSV records (folder, zip, tar.gz, file) into the data that scans match with.\nWhat is imported replaces what there was: name everything in one command.",
		Example: "  stella db import ./PyPI.zip ./Debian.zip ./our-own-records",
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := dbDir(f.dir, p.env)
			if err != nil {
				return err
			}
			res, err := snapshot.Store{Dir: dir}.Import(osv.Walk(cmd.Context(), nil, args...))
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "%d records of %d ecosystems, %d bytes, %s\n", res.Records, len(res.Ecosystems), res.Size, res.Digest)
			for i, b := range res.Broken {
				if i == maxBroken {
					fmt.Fprintf(p.stdout, "  … and %d more\n", len(res.Broken)-i)
					break
				}
				fmt.Fprintf(p.stdout, "  set aside: %s %s: %s\n", clean(b.File), clean(b.ID), clean(b.Reason))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&f.dir, "db", "", "folder of advisory data (default: STELLA_DB, or stella/db in the user's data folder)")
	return cmd
}

func (p *program) dbStatus() *cobra.Command {
	var f dbFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say which advisory data there is, and how old it is",
		Args:  usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			dir, err := dbDir(f.dir, p.env)
			if err != nil {
				return err
			}
			st, err := snapshot.Store{Dir: dir}.Status()
			if errors.Is(err, snapshot.ErrNotFound) {
				return &codeError{exitNotAssessed, fmt.Errorf("no advisory data in %s", dir)}
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
			return nil
		},
	}
	cmd.Flags().StringVar(&f.dir, "db", "", "folder of advisory data (default: STELLA_DB, or stella/db in the user's data folder)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}
