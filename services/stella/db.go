package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

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
	cpe        bool
}

func (f *dbFlags) register(fs *pflag.FlagSet) {
	f.registerDir(fs)
	fs.BoolVar(&f.matchOwned, "match-owned", false, "judge language packages that the distribution installed by their ecosystem's data too")
	fs.BoolVar(&f.cpe, "cpe", false, "look up packages that no ecosystem has data for by their CPE names, which are often wrong")
}

func (f *dbFlags) registerDir(fs *pflag.FlagSet) {
	fs.StringVar(&f.dir, "db", "", "folder of advisory data (default: STELLA_DB, or stella/db in the user's data folder)")
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

// store is the store of the folder.
func (f *dbFlags) store(env func(string) string) (snapshot.Store, error) {
	dir, err := dbDir(f.dir, env)
	return snapshot.Store{Dir: dir}, err
}

// open opens the current data. An error wraps snapshot.ErrNotFound where there
// is none.
func (f *dbFlags) open(env func(string) string) (*snapshot.Snapshot, error) {
	store, err := f.store(env)
	if err != nil {
		return nil, err
	}
	return store.Open()
}

// mustOpen is open for commands that are nothing without data.
func (f *dbFlags) mustOpen(env func(string) string) (*snapshot.Snapshot, error) {
	snap, err := f.open(env)
	if errors.Is(err, snapshot.ErrNotFound) {
		return nil, &codeError{exitNotAssessed, fmt.Errorf("%w: get some with \"stella db update\" or \"stella db import\"", err)}
	}
	return snap, err
}

// options say how packages are matched. What is old is old at the time that the
// environment names (SOURCE_DATE_EPOCH), else now.
func (f *dbFlags) options(env func(string) string) advisory.Options {
	at := time.Now()
	if t, err := time.Parse(time.RFC3339, sourceDate(env("SOURCE_DATE_EPOCH"))); err == nil {
		at = t
	}
	return advisory.Options{MatchOwned: f.matchOwned, CPE: f.cpe, At: at}
}

// match matches a document with the current data. Without any, that is the
// report's one gap: absence of data is never absence of findings.
func (f *dbFlags) match(ctx context.Context, env func(string) string, doc *sbom.Document) (*finding.Report, error) {
	snap, err := f.open(env)
	if errors.Is(err, snapshot.ErrNotFound) {
		return &finding.Report{Gaps: []sbom.Gap{{Code: sbom.GapNoData, Blocking: true, Where: "advisories",
			What: "there is no advisory data: get some with \"stella db update\" or \"stella db import FOLDER|ZIP\""}}}, nil
	}
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	return advisory.Matcher{View: snap, Options: f.options(env)}.Match(ctx, doc)
}

func (p *program) dbCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Get advisory data, look into it, and pass it on",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.dbUpdate(), p.dbSources(), p.dbApprove(), p.dbImport(), p.dbExport(), p.dbPush(), p.dbPull(), p.dbStatus(), p.dbSearch(), p.dbDiff(), p.dbVerify())
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
			store, err := f.store(p.env)
			if err != nil {
				return err
			}
			res, err := store.Import(p.counted(osv.Walk(cmd.Context(), nil, args...)))
			p.work.end()
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
	f.registerDir(cmd.Flags())
	return cmd
}

// counted counts records as they go by.
func (p *program) counted(records iter.Seq2[*advisory.Record, error]) iter.Seq2[*advisory.Record, error] {
	return func(yield func(*advisory.Record, error) bool) {
		for r, err := range records {
			p.work.count(1, "records")
			if !yield(r, err) {
				return
			}
		}
	}
}
