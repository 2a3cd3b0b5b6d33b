package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

func (p *program) bundleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Carry advisories, VEX, policies and trust into places without a network",
		Long: `Carry advisories, VEX, policies, trust documents and the engine's own files into places
without a network, in one signed file. A publisher makes a root once ("bundle root") and
signs editions ("bundle create"); a site trusts the root and loads them ("bundle load").
Commands with --offline then use what is active, where nothing else is named. It is about this
machine alone: servers are asked for nothing.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.bundleRoot(), p.bundleCreate(), p.bundleVerify(), p.bundleLoad(), p.bundleStatus(), p.bundlePush(), p.bundlePull())
	return cmd
}

// siteFlags say where kits are kept.
type siteFlags struct {
	dir, root, at string
	outputs       []string
}

func (f *siteFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.dir, "dir", "", "folder of what was loaded (default: STELLA_KIT, or stella/kit in the user's data folder)")
	fs.StringVar(&f.at, "at", "", "the time by which signatures must not have expired, RFC 3339 (default: now)")
	fs.StringArrayVarP(&f.outputs, "output", "o", nil, render.Usage(render.Table))
}

// store is the folder of kits.
func (f *siteFlags) store(env func(string) string) (kit.Store, error) {
	dir, err := kitDir(f.dir, env)
	return kit.Store{Dir: dir}, err
}

// kitDir resolves the folder of kits.
func kitDir(flag string, env func(string) string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if dir := env("STELLA_KIT"); dir != "" {
		return dir, nil
	}
	if base := env("XDG_DATA_HOME"); base != "" {
		return filepath.Join(base, "stella", "kit"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the folder of the offline kit: %w (set STELLA_KIT or --dir)", err)
	}
	return filepath.Join(home, ".local", "share", "stella", "kit"), nil
}

func (f *siteFlags) time() (time.Time, error) {
	if f.at == "" {
		return time.Now(), nil
	}
	t, err := time.Parse(time.RFC3339, f.at)
	if err != nil {
		return t, usageError("--at %q: want RFC 3339, such as 2026-12-24T12:00:00Z", f.at)
	}
	return t, nil
}

// guarded runs what verifies a kit. A panic is a failure like any other.
func guarded(run func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &codeError{exitVerification, fmt.Errorf("panic: reading the kit panicked, which is a defect of stella: %v\n%s", cause, debug.Stack())}
		}
	}()
	return kitRefusal(run())
}

// kitRefusal names why a kit was refused, and what to do.
func kitRefusal(err error) error {
	var lacks *kit.BaseError
	switch {
	case err == nil:
		return nil
	case role.ReasonOf(err) != "":
		return &codeError{exitVerification, fmt.Errorf("kit/%s: %w", role.ReasonOf(err), err)}
	case errors.As(err, &lacks):
		return fmt.Errorf("%w (load a kit of version %d or later first)", err, lacks.Base)
	}
	return err
}

const bundleVerifyHelp = `Read a kit to its end and check all of it: signatures of the four roles, expiry, that it
is no older than what was seen, and every byte. With --root by that root alone, else by
what the folder of kits has seen. Nothing is kept or changed.

Exit codes: 0 it is good, 1 it could not be read, 4 it is refused (kit/REASON comes
first), 64 wrong arguments.`

func (p *program) bundleVerify() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:     "verify KIT",
		Short:   "Check a kit without loading it",
		Long:    bundleVerifyHelp,
		Example: "  stella bundle verify kit.tar --root root.json",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return guarded(func() error { return p.verifyKit(cmd.Context(), args[0], &f) })
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringVar(&f.root, "root", "", "the root to verify by, which came on a way that is trusted")
	return cmd
}

func (p *program) verifyKit(ctx context.Context, file string, f *siteFlags) error {
	outs, err := parseOutputs(f.outputs, render.Table)
	if err != nil {
		return err
	}
	at, err := f.time()
	if err != nil {
		return err
	}
	state, err := f.state(p.env)
	if err != nil {
		return err
	}
	r, err := os.Open(file)
	if err != nil {
		return err
	}
	defer r.Close()
	k, err := kit.Verify(ctx, r, state, at)
	if err != nil {
		return err
	}
	return p.say(outs, &render.Answer{Value: k, Table: func(w io.Writer) error {
		return printKit(w, k.Feed, k.Version, k.Expires, k.Base, len(k.Entries), k.Size)
	}})
}

// state is what a kit is verified by.
func (f *siteFlags) state(env func(string) string) (role.State, error) {
	if f.root != "" {
		text, err := os.ReadFile(f.root)
		if err != nil {
			return role.State{}, err
		}
		return role.Trust(text)
	}
	store, err := f.store(env)
	if err != nil {
		return role.State{}, err
	}
	text, err := os.ReadFile(filepath.Join(store.Dir, "state.json"))
	if errors.Is(err, os.ErrNotExist) {
		return role.State{}, usageError("whose kit is it? --root names the file that the publisher gave you")
	}
	if err != nil {
		return role.State{}, err
	}
	return role.DecodeState(text)
}

func printKit(w io.Writer, feed string, version int64, expires time.Time, base int64, entries int, size int64) error {
	text := fmt.Sprintf("%s, version %d, good until %s: %d entries", clean(feed), version, expires.Format(time.RFC3339), entries)
	if base > 0 {
		text += fmt.Sprintf(", without what version %d has", base)
	}
	_, err := fmt.Fprintf(w, "%s, %d bytes\n", text, size)
	return err
}

const bundleLoadHelp = `Verify a kit wholly and make it the active one: commands with --offline use it from then
on, where nothing else is named. Until then, and where anything is wrong with it, the
one that was active stays so. An older kit is refused unless --allow-older says why.

The first time --root names the publisher's root, which must come on a way that is
trusted; later the folder remembers it.

Exit codes: 0 it is active, 1 it could not be read or lacks its base, 4 it is refused
(kit/REASON comes first), 64 wrong arguments.`

func (p *program) bundleLoad() *cobra.Command {
	var f siteFlags
	var older string
	var keep int
	cmd := &cobra.Command{
		Use:     "load KIT",
		Short:   "Verify a kit and make it the active one",
		Long:    bundleLoadHelp,
		Example: "  stella bundle load kit.tar --root root.json\n  stella bundle load delta-7.tar\n  stella scan oci:./layout --offline",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return guarded(func() error { return p.loadKit(cmd.Context(), args[0], &f, older, keep) })
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringVar(&f.root, "root", "", "the publisher's root, needed the first time")
	cmd.Flags().StringVar(&older, "allow-older", "", "allow a kit that is older than what was seen, and say why: it is recorded")
	cmd.Flags().IntVar(&keep, "keep", 2, "how many releases stay on disk")
	return cmd
}

func (p *program) loadKit(ctx context.Context, file string, f *siteFlags, older string, keep int) error {
	outs, err := parseOutputs(f.outputs, render.Table)
	if err != nil {
		return err
	}
	at, err := f.time()
	if err != nil {
		return err
	}
	store, err := f.store(p.env)
	if err != nil {
		return err
	}
	if f.root != "" {
		text, err := os.ReadFile(f.root)
		if err != nil {
			return err
		}
		if err := store.Trust(text); err != nil {
			return err
		}
	}
	r, err := os.Open(file)
	if err != nil {
		return err
	}
	defer r.Close()
	out, err := store.Load(ctx, r, at, &kit.LoadOptions{AllowOlder: older})
	if errors.Is(err, kit.ErrNotFound) && role.ReasonOf(err) == "" && f.root == "" && !errors.As(err, new(*kit.BaseError)) {
		return fmt.Errorf("%w (--root names the file that the publisher gave you)", err)
	}
	if err != nil {
		return err
	}
	active, err := store.Active()
	if err != nil {
		return err
	}
	if _, err := unpackRelease(ctx, store.Dir, active); err != nil {
		return fmt.Errorf("the kit is active, and cannot be used: %w", err)
	}
	if err := collectKits(ctx, store, active, keep); err != nil {
		p.note("old releases are still there: %v", err)
	}
	return p.say(outs, &render.Answer{Value: out, Table: func(w io.Writer) error {
		how := "loaded"
		if out.Unchanged {
			how = "was loaded already"
		}
		_, err := fmt.Fprintf(w, "%s, version %d, good until %s: %s, %d contents read, %d there before\n", clean(out.Feed), out.Version, out.Expires.Format(time.RFC3339), how, out.Read, out.Reused)
		return err
	}})
}

const bundleStatusHelp = `Say what is active, how old its parts are, and whether this program is the one that the
kit names as the engine.

Exit codes: 0 it is good, 1 there is none, 3 it has expired: it says what was, 4 this
program is not the kit's, 64 wrong arguments.`

// bundleStatusOut is what "stella bundle status" has to say.
type bundleStatusOut struct {
	*kit.Status
	Engine string `json:"engine,omitempty"` // the name of this program in the kit
}

func (p *program) bundleStatus() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Say which kit is active",
		Example: "  stella bundle status\n  stella bundle status -o template='{{.active.version}}'",
		Long:    bundleStatusHelp,
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return guarded(func() error { return p.statusOfKit(cmd.Context(), &f) })
		},
	}
	f.register(cmd.Flags())
	return cmd
}

func (p *program) statusOfKit(ctx context.Context, f *siteFlags) error {
	outs, err := parseOutputs(f.outputs, render.Table)
	if err != nil {
		return err
	}
	at, err := f.time()
	if err != nil {
		return err
	}
	store, err := f.store(p.env)
	if err != nil {
		return err
	}
	st, err := store.Status(at)
	if errors.Is(err, kit.ErrNotFound) {
		return fmt.Errorf("%w (\"stella bundle load\" makes one active)", err)
	}
	if err != nil {
		return err
	}
	out := &bundleStatusOut{Status: st}
	engineErr := out.engine(ctx, store)
	err = p.say(outs, &render.Answer{Value: out, Table: out.table})
	switch {
	case err != nil:
		return err
	case engineErr != nil:
		return &codeError{exitVerification, fmt.Errorf("engine: %w", engineErr)}
	case st.Expired:
		return &codeError{exitNotAssessed, fmt.Errorf("it expired at %s: load a newer kit", st.Active.Expires.Format(time.RFC3339))}
	}
	return nil
}

// engine finds this program among the engine's files; a kit without any says nothing.
func (s *bundleStatusOut) engine(ctx context.Context, store kit.Store) error {
	active, err := store.Active()
	if err != nil {
		return err
	}
	path, err := os.Executable()
	if err != nil {
		return err
	}
	self, err := os.Open(path)
	if err != nil {
		return err
	}
	defer self.Close()
	e, err := kit.CheckEngine(ctx, self, active.Entries)
	if errors.Is(err, kit.ErrNotFound) {
		return nil
	}
	s.Engine = e.Name
	return err
}

func (s *bundleStatusOut) table(out io.Writer) error {
	w, a := new(strings.Builder), s.Active
	fmt.Fprintf(w, "%s, version %d, loaded %s, good until %s\n", clean(a.Feed), a.Version, a.At.Format(time.RFC3339), a.Expires.Format(time.RFC3339))
	t := newTable("kind", "entries", "bytes", "oldest", "newest")
	for _, k := range s.Kinds {
		t.AppendRow([]any{clean(k.Kind), k.Entries, k.Bytes, k.Oldest.Format(time.RFC3339), k.Newest.Format(time.RFC3339)})
	}
	w.WriteString(t.Render() + "\n")
	if s.Engine != "" {
		fmt.Fprintf(w, "this program is its engine %s\n", clean(s.Engine))
	}
	if a.Older != "" {
		fmt.Fprintf(w, "it is older than version %d, which was seen: %s\n", s.Known, clean(a.Older))
	}
	_, err := io.WriteString(out, w.String())
	return err
}
