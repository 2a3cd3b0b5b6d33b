package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const logVerifyHelp = `Read a whole transparency log, a folder or an address (tlog-tiles), and check all of
it: that the log signed its checkpoint, that every entry is in the tree that it
commits to, and with --checkpoint FILE that the tree contains the one that FILE
remembers. FILE is written when all is well, so the next run goes on from there: a log
that shows another past is found. The first checkpoint is believed.

Exit codes: 0 all is well, 1 it could not be read, 4 it is not (the name of the reason
comes first), 64 wrong arguments.`

// logFlags say which log is verified.
type logFlags struct {
	key, root, checkpoint string
	offline               bool
}

// logVerified is what "stella attest log verify" has to say.
type logVerified struct {
	Origin    string   `json:"origin"`
	Size      int64    `json:"size"`
	Root      string   `json:"root"`
	Witnesses []string `json:"witnesses,omitempty"`
	Since     int64    `json:"since,omitzero"` // size of the checkpoint that was remembered
}

func (p *program) logCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Check transparency logs",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var f logFlags
	var outputs []string
	verify := &cobra.Command{
		Use:     "verify FOLDER|URL",
		Short:   "Check a whole log, and that it has the past that was seen",
		Long:    logVerifyHelp,
		Example: "  stella attest log verify ./log --log-key log2026.example=log.pub --checkpoint seen.txt\n  stella attest log verify https://log2026.example --trust-root trust.json",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			r, err := p.verifyLog(cmd.Context(), args[0], &f)
			if err != nil {
				return verificationOf(err)
			}
			return p.say(out, &render.Answer{Value: r, Table: r.table})
		},
	}
	fs := verify.Flags()
	fs.StringVar(&f.key, "log-key", "", "the log's key: ORIGIN=FILE, or a verifier key NAME+ID+KEY")
	fs.StringVar(&f.root, "trust-root", "", "a trust root that names the log and its witnesses")
	fs.StringVar(&f.checkpoint, "checkpoint", "", "a file that remembers the checkpoint that was seen last")
	fs.BoolVar(&f.offline, "offline", false, "refuse every network connection")
	outputFlag(verify, &outputs)
	cmd.AddCommand(verify)
	return cmd
}

func (r *logVerified) table(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d entries, root %s, every one of them is there\n", clean(r.Origin), r.Size, r.Root)
	for _, name := range r.Witnesses {
		fmt.Fprintf(&b, "witnessed by %s\n", clean(name))
	}
	if r.Since > 0 {
		fmt.Fprintf(&b, "it contains the %d entries that were seen before\n", r.Since)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *program) verifyLog(ctx context.Context, where string, f *logFlags) (*logVerified, error) {
	if (f.key != "") == (f.root != "") {
		return nil, usageError("give --log-key or --trust-root: whose log is it?")
	}
	root, err := p.makeRoot(&trustRootFlags{base: f.root, logs: oneOrNone(f.key)})
	if err != nil {
		return nil, err
	}
	source, done, err := openSource(where, f.offline)
	if err != nil {
		return nil, err
	}
	defer done()
	reader := tlog.NewReader(source, &root.Logs)
	c, err := reader.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	out := &logVerified{Origin: c.Origin, Size: c.Size, Root: c.Root.String()}
	for _, w := range c.Cosigned {
		out.Witnesses = append(out.Witnesses, w.Key.Name())
	}
	for next := int64(0); next < c.Size; {
		entries, err := reader.Entries(ctx, c.Tree, next)
		if err != nil {
			return nil, err
		}
		next += int64(len(entries))
	}
	if f.checkpoint == "" {
		return out, nil
	}
	if out.Since, err = p.follows(ctx, reader, &root.Logs, c, f.checkpoint); err != nil {
		return nil, err
	}
	return out, replaceFile(f.checkpoint, c.Text)
}

// follows checks that a log contains what a file remembers of it, and returns that size.
func (p *program) follows(ctx context.Context, reader *tlog.Reader, policy *tlog.Policy, now *tlog.Checkpoint, file string) (int64, error) {
	text, err := p.readFile(file, tlog.MaxCheckpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	before, err := policy.Open(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	var proof []tlog.Hash
	if before.Size < now.Size {
		if proof, err = reader.Consistency(ctx, now.Tree, before.Size); err != nil {
			return 0, err
		}
	}
	return before.Size, tlog.Follow(before, now, proof)
}

// openSource opens what a log shows.
func openSource(where string, offline bool) (tlog.Source, func(), error) {
	if strings.Contains(where, "://") {
		rt, err := transport(where, offline)
		if err != nil {
			return nil, nil, err
		}
		s, err := tlog.NewHTTPSource(where, &tlog.HTTPOptions{Transport: rt})
		return s, func() {}, err
	}
	if info, err := os.Stat(where); err != nil {
		return nil, nil, err
	} else if !info.IsDir() {
		return nil, nil, usageError("%s is no folder of a log", where)
	}
	storage, closer, err := tlog.NewDir(where)
	if err != nil {
		return nil, nil, err
	}
	return storage.Source(), func() { closer.Close() }, nil
}

func oneOrNone(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
