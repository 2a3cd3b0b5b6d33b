package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/advisory/mirror"
	"github.com/stella-ops/stella/advisory/sources"
	"github.com/stella-ops/stella/services/stella/internal/render"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/sqlite"
)

const updateHelp = `Bring the advisory data up to date.

With --from it follows a signed mirror: an address, a folder, or a .zip that was
carried here ("stella db export" makes them). It reads only what changed, and
refuses what is unsigned, expired, older than what it has, or put together of
different releases. The first time, --root names the file that says whose
signatures count; later the folder of the data remembers it.

With --source it asks publishers themselves, keeps what they say word by word in
the folder of the data, and compiles it. Without either it does again what was
done before. --mirror names a copy of what publishers publish: a folder, or an
address; publishers are asked for what it does not have, unless --offline.
"stella db sources" lists the sources.

A source that loses many records at once, or goes back in time, is held: what it
said before stays current until "stella db approve SOURCE".

With --server and --source the server reads those sources soon.

Exit codes: 0 done, 1 error or a source that failed, 3 no source gave anything yet, 4 what
a mirror says is not to be believed, 64 wrong arguments.`

// updateFlags say where data comes from.
type updateFlags struct {
	dbFlags
	from, root string
	names      []string
	mirror     string
	offline    bool
	outputs    []string
	out        render.Outputs
	server     eitherFlags
}

func (p *program) dbUpdate() *cobra.Command {
	var f updateFlags
	cmd := &cobra.Command{
		Use:     "update",
		Short:   "Bring the advisory data up to date",
		Long:    updateHelp,
		Example: "  stella db update --from https://advisories.example --root root.json\n  stella db update --from kit.zip\n  stella db update --source debian,ghsa,kev,epss\n  stella db update --source debian --server https://stella.example\n  stella db update",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.from != "" && len(f.names) > 0 {
				return usageError("--from and --source exclude each other")
			}
			var err error
			if f.out, err = parseOutputs(f.outputs, render.Table); err != nil {
				return err
			}
			remote, err := f.server.asked(p.env, cmd.Flags())
			if err != nil {
				return err
			}
			if remote {
				if len(f.names) == 0 {
					return usageError("a server reads its sources by itself; which is it to read now? Give --source NAME (--server= updates here)")
				}
				return p.at(cmd.Context(), &f.server.serverFlags, f.out, func(r *service) (*render.Answer, error) { return r.syncAt(cmd.Context(), f.names) })
			}
			if f.from == "" {
				return p.ingest(cmd.Context(), &f)
			}
			out, err := p.follow(cmd.Context(), &f.dbFlags, f.from, f.root, f.offline)
			if err != nil {
				return err
			}
			return p.say(f.out, &render.Answer{Value: out, Table: func(w io.Writer) error { return printUpdated(w, out) }})
		},
	}
	f.registerDir(cmd.Flags())
	cmd.Flags().StringVar(&f.from, "from", "", "address, folder or .zip of a signed mirror")
	cmd.Flags().StringVar(&f.root, "root", "", "file of the mirror's root, needed the first time")
	cmd.Flags().StringSliceVar(&f.names, "source", nil, "publishers to ask, by the names of \"stella db sources\"")
	cmd.Flags().StringVar(&f.mirror, "mirror", "", "folder or address with a copy of what publishers publish, asked first")
	cmd.Flags().BoolVar(&f.offline, "offline", false, "never ask the network")
	f.server.register(cmd.Flags(), "source")
	outputFlag(cmd, &f.outputs)
	return cmd
}

func printUpdated(w io.Writer, u *mirror.Updated) error {
	_, err := fmt.Fprintf(w, "%s of the feed %s, version %d: %s, %d bytes read\n", u.Digest, clean(u.Feed), u.Version, u.How, u.Bytes)
	return err
}

// archive is the store of what publishers said, in the folder of the data.
type archive struct {
	*ingest.Publisher
	store  ingest.Store
	states func(context.Context) ([]advisory.SourceState, error)
	close  func() error
}

// openArchive opens the archive; it is made where there is none.
func (f *dbFlags) openArchive(ctx context.Context, env func(string) string) (*archive, error) {
	dir, err := dbDir(f.dir, env)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, err
	}
	root, err := sqlite.Open(ctx, filepath.Join(dir, "archive.db"))
	if err != nil {
		return nil, err
	}
	objects, err := blob.NewFile(filepath.Join(dir, "archive"))
	if err != nil {
		root.Close()
		return nil, err
	}
	adv := root.Advisories(blob.New(objects))
	cache := ingest.Cache(filepath.Join(dir, "compiled"), adv)
	return &archive{
		Publisher: &ingest.Publisher{Heads: adv, Objects: adv, Cache: cache, Describe: describe},
		store:     adv, states: adv.Sources,
		close: func() error { return errors.Join(cache.Close(), root.Close()) },
	}, nil
}

// describe says what a source is.
func describe(name string) (advisory.Description, bool) {
	list, err := sources.Named(name)
	if err != nil {
		return advisory.Description{}, false
	}
	return list[0].Describe(), true
}

// ingested is one source of an update, as -json writes it.
type ingested struct {
	Source string          `json:"source"`
	Result *ingest.Outcome `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// ingest asks publishers, and makes the result the current data. A source that
// fails leaves the others alone, and makes the command fail in the end.
func (p *program) ingest(ctx context.Context, f *updateFlags) error {
	a, err := f.openArchive(ctx, p.env)
	if err != nil {
		return err
	}
	defer a.close()
	if len(f.names) == 0 {
		states, err := a.states(ctx)
		if err != nil {
			return err
		}
		for _, s := range states {
			f.names = append(f.names, s.Source)
		}
		if len(f.names) == 0 {
			return usageError("name a mirror with --from, or publishers with --source: there was no update before")
		}
	}
	list, err := sources.Named(f.names...)
	if err != nil {
		return usageError("%v (\"stella db sources\" lists them)", err)
	}
	door, err := f.door()
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	in := &ingest.Ingester{Store: a.store, Door: door, Holder: fmt.Sprintf("%s/%d", host, os.Getpid())}
	results, failed := []ingested{}, 0
	for _, s := range list {
		out, err := in.Run(ctx, s)
		one := ingested{Source: s.Describe().Name, Result: out}
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			one.Error = err.Error()
			failed++
		}
		results = append(results, one)
		if f.out.Has(render.Table) { // it takes long: who reads it sees each
			p.work.wipe()
			printIngested(p.stdout, &one)
		}
	}
	digest, err := p.install(ctx, f, a)
	if err != nil {
		return err
	}
	err = p.say(f.out, &render.Answer{Value: map[string]any{"sources": results, "digest": digest}, List: "sources", Table: func(w io.Writer) error {
		_, err := fmt.Fprintln(w, digest)
		return err
	}})
	if err != nil {
		return err
	}
	if failed > 0 {
		return &codeError{exitError, fmt.Errorf("%d of %d sources failed; what they said before is still there", failed, len(list))}
	}
	return nil
}

func printIngested(w io.Writer, one *ingested) {
	switch {
	case one.Error != "":
		fmt.Fprintf(w, "%-20s failed: %s\n", clean(one.Source), clean(one.Error))
	case one.Result.Held != "":
		fmt.Fprintf(w, "%-20s held: %s (release it with \"stella db approve %s\")\n", clean(one.Source), clean(one.Result.Held), clean(one.Source))
	case one.Result.Unchanged:
		fmt.Fprintf(w, "%-20s unchanged\n", clean(one.Source))
	default:
		r := one.Result
		fmt.Fprintf(w, "%-20s %d documents, %d records, %d signals, %d gone, %d problems, %d quarantined\n", clean(one.Source), r.Documents, r.Records, r.Signals, r.Gone, r.Problems, r.Quarantined)
	}
}

// install makes the newest head the current data.
func (p *program) install(ctx context.Context, f *updateFlags, a *archive) (digest string, err error) {
	if _, err := a.Publish(ctx); err != nil {
		return "", err
	}
	head, err := a.Heads.Head(ctx, 0)
	if errors.Is(err, advisory.ErrNotFound) {
		return "", &codeError{exitNotAssessed, errors.New("no source gave anything yet: there is no data")}
	}
	if err != nil {
		return "", err
	}
	snap, done, err := a.Cache.View(ctx, head.Digest)
	if err != nil {
		return "", err
	}
	defer done()
	store, err := f.store(p.env)
	if err != nil {
		return "", err
	}
	return head.Digest, store.Install(head.Digest, snap.CopyTo)
}

// door is how publishers are reached.
func (f *updateFlags) door() (advisory.Door, error) {
	isAddress := strings.HasPrefix(f.mirror, "http://") || strings.HasPrefix(f.mirror, "https://")
	switch {
	case f.offline && (f.mirror == "" || isAddress):
		return nil, usageError("--offline needs --mirror with a folder")
	case f.offline:
		return feed.Dir(f.mirror), nil
	}
	opts := &feed.Options{Network: feed.Network{Policy: feed.PolicyUser}}
	if isAddress {
		opts.Mirrors = []feed.Mirror{{Base: f.mirror}}
	}
	client, err := feed.NewClient(opts)
	if err != nil || f.mirror == "" || isAddress {
		return client, err
	}
	return feed.Chain{feed.Dir(f.mirror), client}, nil
}

func (p *program) dbApprove() *cobra.Command {
	var f updateFlags
	cmd := &cobra.Command{
		Use:     "approve SOURCE",
		Short:   "Make current what a source said when it lost many records or went back in time",
		Long:    "Make current what a source said when it lost many records or went back in time, in the data\nhere or with --server in the server's.\n\nExit codes: 0 done, 1 error, also where nothing is held, 64 wrong arguments.",
		Example: "  stella db approve debian\n  stella db approve debian --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			var err error
			if f.out, err = parseOutputs(f.outputs, render.Table); err != nil {
				return err
			}
			done, err := p.elsewhere(cmd, &f.server, f.out, func(ctx context.Context, r *service) (*render.Answer, error) {
				return r.approveAt(ctx, args[0])
			})
			if done {
				return err
			}
			a, err := f.openArchive(ctx, p.env)
			if err != nil {
				return err
			}
			defer a.close()
			states, err := a.states(ctx)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(states, func(s advisory.SourceState) bool { return s.Source == args[0] })
			if i < 0 || states[i].Held == 0 {
				return fmt.Errorf("nothing of %q is held: \"stella db update\" says when something is", args[0])
			}
			by := p.env("USER")
			if by == "" {
				by = "the command line"
			}
			if err := a.Heads.Approve(ctx, args[0], states[i].Held, by); err != nil {
				return err
			}
			digest, err := p.install(ctx, &f, a)
			if err != nil {
				return err
			}
			return p.say(f.out, &render.Answer{Value: map[string]string{"source": args[0], "digest": digest}, Table: line("%s", digest)})
		},
	}
	f.registerDir(cmd.Flags())
	f.server.register(cmd.Flags())
	outputFlag(cmd, &f.outputs)
	return cmd
}

func (p *program) dbSources() *cobra.Command {
	var outputs []string
	var server eitherFlags
	cmd := &cobra.Command{
		Use:     "sources",
		Short:   "List the publishers of advisories that update can ask",
		Long:    "List the publishers of advisories that update can ask; with --server those that the server\nasks, how they stand, and what of them is held.\n\nExit codes: 0 listed, 1 error, 64 wrong arguments.",
		Example: "  stella db sources\n  stella db sources --server https://stella.example -o ndjson",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			done, err := p.elsewhere(cmd, &server, out, func(ctx context.Context, r *service) (*render.Answer, error) {
				return sourcesAnswer(r.advisories.Sources(ctx))
			})
			if done {
				return err
			}
			list := []advisory.Description{}
			for _, s := range sources.All() {
				list = append(list, s.Describe())
			}
			return p.say(out, &render.Answer{Value: list, Table: func(w io.Writer) error { return printSources(w, list) }})
		},
	}
	server.register(cmd.Flags())
	outputFlag(cmd, &outputs)
	return cmd
}

func printSources(w io.Writer, list []advisory.Description) error {
	t := newTable("source", "title", "licence", "may be passed on", "stale after")
	for i := range list {
		d := &list[i]
		stale := d.Stale
		if stale == 0 {
			stale = 72 * time.Hour
		}
		t.AppendRow([]any{d.Name, d.Title, d.License, map[bool]string{true: "yes", false: "no"}[d.Redistribute], fmt.Sprintf("%d h", stale/time.Hour)})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}
