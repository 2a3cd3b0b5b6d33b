package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/services/internal/vexsource"
	"github.com/stella-ops/stella/services/stella/internal/render"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/folder"
	"github.com/stella-ops/stella/vex/ingest"
	vexsnapshot "github.com/stella-ops/stella/vex/snapshot"
	"github.com/stella-ops/stella/vex/trust"
)

// vexArchive is what suppliers said, word by word, in the folder of the data.
type vexArchive struct {
	dir   string
	root  *store.Root
	vex   *store.VEX
	trust *trust.Document
}

func (p *program) openVEXArchive(ctx context.Context, f *vexFlags, db *dbFlags) (*vexArchive, error) {
	dir, err := vexDir(db, p.env)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, err
	}
	who, err := p.readTrust(f, db)
	if err != nil {
		return nil, err
	}
	root, err := sqlite.Open(ctx, filepath.Join(dir, "archive.db"))
	if err != nil {
		return nil, err
	}
	return &vexArchive{dir: dir, root: root, vex: root.VEX(), trust: who}, nil
}

// publish decides what follows, and makes the statements the current ones.
func (a *vexArchive) publish(ctx context.Context, p *program) error {
	if _, err := a.vex.SetTrust(ctx, a.trust.Trust(), "stella"); err != nil {
		return err
	}
	var made string
	publisher := &ingest.Publisher{Heads: a.vex, Snapshot: func(ctx context.Context, digest string, list iter.Seq2[*vex.Statement, error]) error {
		made = filepath.Join(a.dir, "next.vex")
		f, err := os.Create(made)
		if err != nil {
			return err
		}
		_, err = vexsnapshot.Build(ctx, f, list)
		return errors.Join(err, f.Close())
	}}
	if _, err := publisher.Publish(ctx); err != nil {
		return err
	}
	if made != "" {
		if err := os.Rename(made, filepath.Join(a.dir, "current.vex")); err != nil {
			return err
		}
	}
	snap, err := vexsnapshot.Open(filepath.Join(a.dir, "current.vex"))
	if err != nil {
		return err
	}
	defer snap.Close()
	info := snap.Info()
	p.work.wipe()
	fmt.Fprintf(p.stdout, "%d statements about %d names, %s\n", info.Statements, info.Names, info.Digest)
	return nil
}

// run ingests sources, and publishes. A source that fails leaves the others alone, and
// makes the command fail in the end.
func (a *vexArchive) run(ctx context.Context, p *program, door vex.Door, sources []vex.Source, allowLoss bool) error {
	host, _ := os.Hostname()
	in := &ingest.Ingester{Store: a.vex, Door: door, Verifier: a.trust.Verifier(&trust.Options{At: (&dbFlags{}).options(p.env).At}), Holder: fmt.Sprintf("%s/%d", host, os.Getpid()), AllowLoss: allowLoss}
	failed := 0
	for _, s := range sources {
		out, err := in.Run(ctx, s)
		name := clean(s.Describe().Name)
		p.work.wipe()
		switch {
		case ctx.Err() != nil:
			return err
		case err != nil:
			failed++
			fmt.Fprintf(p.stdout, "%-20s failed: %s\n", name, clean(err.Error()))
		case out.Unchanged:
			fmt.Fprintf(p.stdout, "%-20s unchanged\n", name)
		default:
			fmt.Fprintf(p.stdout, "%-20s %d documents, %d statements, %d verified, %d gone, %d problems, %d quarantined\n", name, out.Documents, out.Statements, out.Verified, out.Gone, out.Problems, out.Quarantined)
		}
	}
	if err := a.publish(ctx, p); err != nil {
		return err
	}
	if failed > 0 {
		return &codeError{exitError, fmt.Errorf("%d of %d sources failed; what they said before is still there", failed, len(sources))}
	}
	return nil
}

const vexImportHelp = `Keep VEX documents with the advisory data: scans, matches and policies hear them from
then on (--no-vex leaves them out). What was imported before from files, or from
folders, is replaced: name everything in one command. Documents are kept word by
word, and what of them cannot be used is told.`

func (p *program) vexImport() *cobra.Command {
	var f vexFlags
	var db dbFlags
	var outputs []string
	var server eitherFlags
	cmd := &cobra.Command{
		Use:     "import PATH...",
		Short:   "Keep VEX documents of files and folders",
		Long:    vexImportHelp,
		Example: "  stella vex import .vex vendor.json --trust trust.yaml\n  stella vex import vendor.json --server https://stella.example",
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			remote, err := server.asked(p.env, cmd.Flags())
			if err != nil {
				return err
			}
			if remote {
				out, err := parseOutputs(outputs, render.Table)
				if err != nil {
					return err
				}
				return p.at(cmd.Context(), &server.serverFlags, out, func(r *service) (*render.Answer, error) { return p.uploadAt(cmd.Context(), r, args) })
			}
			if len(outputs) > 0 {
				return usageError("--output: of what a server answers; here an import says what it keeps in its own words")
			}
			a, err := p.openVEXArchive(cmd.Context(), &f, &db)
			if err != nil {
				return err
			}
			defer a.root.Close()
			var files []string
			var sources []vex.Source
			for _, path := range args {
				info, err := os.Stat(path)
				switch {
				case err != nil:
					return err
				case !info.IsDir():
					files = append(files, path)
				case len(sources) > 0:
					return usageError("one folder at a time: put %s below the other", path)
				default:
					sources = append(sources, folder.Dir(path))
				}
			}
			if len(files) > 0 {
				sources = append(sources, folder.Files(files...))
			}
			return a.run(cmd.Context(), p, nowhere{}, sources, true)
		},
	}
	cmd.Flags().StringVar(&f.trust, "trust", "", "the file that says whom to believe about what, and has their keys")
	db.registerDir(cmd.Flags())
	server.register(cmd.Flags())
	outputFlag(cmd, &outputs)
	return cmd
}

// nowhere is the door of what lies on this machine.
type nowhere struct{}

func (nowhere) Open(_ context.Context, r vex.Request) (*vex.Response, error) {
	return nil, fmt.Errorf("%s: nothing is fetched here: %w", r.URL, vex.ErrForbidden)
}

const vexUpdateHelp = `Ask suppliers what they say, and keep it with the advisory data. Sources are

  vexhub, rancher        repositories of many projects' documents
  redhat, suse           what these distributions say about their packages
  repository:URL         another repository, by its vex-repository.json
  csaf:URL               a CSAF provider, by its provider-metadata.json
  image:REF              the attestations of an image, in its registry

Without --source it asks again those that were asked before. Whom to believe about
what, the trust document says: statements of sources that it does not name count for
nothing.`

// vexUpdateFlags say whom to ask.
type vexUpdateFlags struct {
	vexFlags
	updateFlags
	source    sourceFlags
	namespace string
	allowLoss bool
}

func (p *program) vexUpdate() *cobra.Command {
	var f vexUpdateFlags
	cmd := &cobra.Command{
		Use:     "update",
		Short:   "Ask suppliers what they say about vulnerabilities",
		Long:    vexUpdateHelp,
		Example: "  stella vex update --source vexhub --trust trust.yaml\n  stella vex update --source csaf:https://www.example.com/.well-known/csaf/provider-metadata.json",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			f.updateFlags.offline = f.source.offline
			a, err := p.openVEXArchive(ctx, &f.vexFlags, &f.dbFlags)
			if err != nil {
				return err
			}
			defer a.root.Close()
			if f.names, err = a.remember(f.names); err != nil {
				return err
			}
			var sources []vex.Source
			for _, name := range f.names {
				s, err := vexsource.Named(name, f.namespace, f.source.options())
				if err != nil {
					return &codeError{exitUsage, err}
				}
				sources = append(sources, s)
			}
			door, err := f.door()
			if err != nil {
				return err
			}
			return a.run(ctx, p, door, sources, f.allowLoss)
		},
	}
	f.registerDir(cmd.Flags())
	f.source.register(cmd.Flags())
	cmd.Flags().StringSliceVar(&f.names, "source", nil, "whom to ask; may be repeated")
	cmd.Flags().StringVar(&f.mirror, "mirror", "", "folder or address with a copy of what suppliers publish, asked first")
	cmd.Flags().BoolVar(&f.allowLoss, "allow-loss", false, "believe a supplier who has lost more than a tenth of the documents")
	cmd.Flags().StringVar(&f.namespace, "namespace", "", "the namespace of the publisher of csaf:URL, which its documents must have")
	cmd.Flags().StringVar(&f.trust, "trust", "", "the file that says whom to believe about what, and has their keys")
	return cmd
}

// remember keeps the names of sources for the next time; without names it returns
// those that are kept.
func (a *vexArchive) remember(names []string) ([]string, error) {
	file := filepath.Join(a.dir, "sources.json")
	var kept []string
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := json.Unmarshal(text, &kept); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if len(names) == 0 {
		if len(kept) == 0 {
			return nil, usageError("name whom to ask with --source: there was no update before")
		}
		return kept, nil
	}
	for _, n := range names {
		if !slices.Contains(kept, n) {
			kept = append(kept, n)
		}
	}
	if text, err = json.Marshal(kept); err != nil {
		return nil, err
	}
	return names, replaceFile(file, text)
}
