package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/mirror"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/durable"
)

const exportHelp = `Publish the current data as a signed mirror: a folder that any web server can
serve, or, with a name that ends in .zip, one file to carry into a closed network.
"stella db update --from" follows it and reads only what changed.

Releases are numbered, and who has one refuses an older one. A folder goes on from
what is in it; a .zip from the FILE that it replaces, from the folder --publisher, or
from the newer of both. A folder that is served may be that too.

Keys are in a folder, one PEM file for each role: root.pem, targets.pem,
snapshot.pem and timestamp.pem. --new-keys makes them, and root.json, which
clients need once. Keep root.pem away from the machine that publishes.

What may not be passed on is left out and named; --everything includes it.`

// exportFlags say what is published, and by whom.
type exportFlags struct {
	dbFlags
	keys, feed, publisher string
	newKeys, everything   bool
}

func (p *program) dbExport() *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:     "export FOLDER|FILE.zip",
		Short:   "Publish the current data as a signed mirror",
		Long:    exportHelp,
		Example: "  stella db export /srv/www/advisories --keys ./keys --new-keys\n  stella db export kit.zip --keys ./keys\n  stella db export friday.zip --keys ./keys --publisher /srv/www/advisories",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			archive := isZip(args[0])
			switch {
			case f.keys == "":
				return usageError("--keys is required: a folder with a key for each role, or for --new-keys")
			case f.publisher != "" && !archive:
				return usageError("--publisher is for a .zip: the folder %s keeps what was published itself", args[0])
			}
			snap, err := f.mustOpen(p.env)
			if err != nil {
				return err
			}
			defer snap.Close()
			if f.newKeys {
				if err := makeKeys(cmd.Context(), f.keys, f.feed); err != nil {
					return err
				}
			}
			export := p.exportFolder
			if archive {
				export = p.exportZip
			}
			out, err := export(cmd.Context(), args[0], &f, snap)
			if err != nil {
				return err
			}
			p.work.end()
			fmt.Fprintf(p.stdout, "%s, version %d, %d objects, %d deltas\n", out.Digest, out.Version, out.Objects, len(out.Deltas))
			p.omitted(out.Omitted)
			return nil
		},
	}
	f.registerDir(cmd.Flags())
	cmd.Flags().StringVar(&f.keys, "keys", "", "folder of the keys")
	cmd.Flags().StringVar(&f.feed, "feed", "advisories", "name of the feed, for --new-keys")
	cmd.Flags().StringVar(&f.publisher, "publisher", "", "folder that keeps what was published, to go on from with the next .zip")
	cmd.Flags().BoolVar(&f.newKeys, "new-keys", false, "make the keys and root.json first")
	cmd.Flags().BoolVar(&f.everything, "everything", false, "also publish what is not known to allow it")
	return cmd
}

func isZip(name string) bool { return strings.EqualFold(filepath.Ext(name), ".zip") }

// begin makes a folder a publisher's, if it is none.
func (p *program) begin(dir string, f *exportFlags) (*mirror.Publisher, error) {
	pub := &mirror.Publisher{Dir: dir, Everything: f.everything}
	root, err := p.openKeys(pub, f.keys)
	if err != nil {
		return nil, err
	}
	if err := pub.Begin(root); err != nil && !errors.Is(err, mirror.ErrConflict) {
		return nil, err
	}
	return pub, nil
}

func (p *program) exportFolder(ctx context.Context, dir string, f *exportFlags, snap *snapshot.Snapshot) (*mirror.Published, error) {
	pub, err := p.begin(dir, f)
	if err != nil {
		return nil, err
	}
	return pub.Publish(ctx, time.Now(), snap, 0)
}

// exportZip publishes in a folder that is kept or not, going on from the file that is
// replaced, and packs what a client can ask for.
func (p *program) exportZip(ctx context.Context, file string, f *exportFlags, snap *snapshot.Snapshot) (*mirror.Published, error) {
	dir := f.publisher
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "stella-mirror-"); err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
	}
	pub, err := p.begin(dir, f)
	if err != nil {
		return nil, err
	}
	if err := p.goOn(ctx, pub, file); err != nil {
		return nil, err
	}
	at := time.Now()
	out, err := pub.Publish(ctx, at, snap, 0)
	if err != nil {
		return nil, err
	}
	parts, err := pub.Parts(ctx, at)
	if err != nil {
		return nil, err
	}
	if err := pack(ctx, file, parts); err != nil {
		return nil, fmt.Errorf("write %s: %w", file, err)
	}
	if out.Version == 1 && !f.newKeys {
		p.note("%s is version 1: whoever has a release of these keys already refuses it. To go on from one, give the name of the .zip that it was in, or with --publisher the folder that it was published in", file)
	}
	return out, nil
}

// goOn goes on from the release in a file, so that those who have it take the next one
// for a newer one. It is no error that there is no file.
func (p *program) goOn(ctx context.Context, pub *mirror.Publisher, file string) error {
	z, err := zip.OpenReader(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("go on from the release in %s: %w (remove it, if it is none)", file, err)
	}
	defer z.Close()
	_, err = pub.Resume(ctx, role.FS(z))
	switch {
	case errors.Is(err, role.ReasonRollback):
		return nil // the folder is ahead
	case errors.Is(err, role.ReasonEquivocation):
		err = fmt.Errorf("%w\n%s and %s have two releases of one version: give the --publisher that signed the file, or another file", err, file, pub.Dir)
	case err != nil:
		err = fmt.Errorf("%w\n%s is of another feed, or damaged: choose another name, or remove it", err, file)
	}
	return refused(err)
}

// pack writes the files of a mirror into an archive, which takes the place of the one
// before only when it is whole.
func pack(ctx context.Context, file string, parts []mirror.Part) error {
	temporary, err := durable.Temporary(filepath.Dir(file), func(w io.Writer) error {
		z := zip.NewWriter(w)
		for _, part := range parts {
			out, err := z.CreateHeader(&zip.FileHeader{Name: part.Name, Method: zip.Store}) // contents are compressed
			if err != nil {
				return err
			}
			in, err := part.Open(ctx)
			if err != nil {
				return err
			}
			_, err = io.Copy(out, in)
			if err := errors.Join(err, in.Close()); err != nil {
				return err
			}
		}
		return z.Close()
	})
	if err != nil {
		return err
	}
	if err := os.Chmod(temporary, 0o644); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return durable.Rename(temporary, file)
}
