package main

import (
	"archive/zip"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/mirror"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
)

// roles are those that a publisher of a mirror signs for.
var roles = []role.Role{role.RoleRoot, role.RoleTargets, role.RoleSnapshot, role.RoleTimestamp}

const exportHelp = `Publish the current data as a signed mirror: a folder that any web server can
serve, or, with a name that ends in .zip, one file to carry into a closed network.
"stella db update --from" follows it and reads only what changed.

Keys are in a folder, one PEM file for each role: root.pem, targets.pem,
snapshot.pem and timestamp.pem. --new-keys makes them, and root.json, which
clients need once. Keep root.pem away from the machine that publishes.

What may not be passed on is left out and named; --everything includes it.`

func (p *program) dbExport() *cobra.Command {
	var f dbFlags
	var keys, feedName string
	var newKeys, everything bool
	cmd := &cobra.Command{
		Use:     "export FOLDER|FILE.zip",
		Short:   "Publish the current data as a signed mirror",
		Long:    exportHelp,
		Example: "  stella db export /srv/www/advisories --keys ./keys --new-keys\n  stella db export kit.zip --keys ./keys",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if keys == "" {
				return usageError("--keys is required: a folder with a key for each role, or for --new-keys")
			}
			if newKeys {
				if err := makeKeys(cmd.Context(), keys, feedName); err != nil {
					return err
				}
			}
			snap, err := f.mustOpen(p.env)
			if err != nil {
				return err
			}
			defer snap.Close()
			dir, archive := args[0], ""
			if strings.EqualFold(filepath.Ext(dir), ".zip") {
				archive = dir
				if dir, err = os.MkdirTemp("", "stella-mirror-"); err != nil {
					return err
				}
				defer os.RemoveAll(dir)
			}
			pub := &mirror.Publisher{Dir: dir, Everything: everything}
			root, err := p.openKeys(pub, keys)
			if err != nil {
				return err
			}
			if err := pub.Begin(root); err != nil && !errors.Is(err, mirror.ErrConflict) {
				return err
			}
			out, err := pub.Publish(cmd.Context(), time.Now(), snap, 0)
			if err != nil {
				return err
			}
			if archive != "" {
				if err := zipFolder(archive, dir); err != nil {
					return err
				}
			}
			fmt.Fprintf(p.stdout, "%s, version %d, %d objects, %d deltas\n", out.Digest, out.Version, out.Objects, len(out.Deltas))
			for _, source := range out.Omitted {
				if source == "" {
					source = "records that were imported by hand"
				}
				fmt.Fprintf(p.stdout, "  left out: %s, which is not known to allow it (--everything includes it)\n", clean(source))
			}
			return nil
		},
	}
	f.registerDir(cmd.Flags())
	cmd.Flags().StringVar(&keys, "keys", "", "folder of the keys")
	cmd.Flags().StringVar(&feedName, "feed", "advisories", "name of the feed, for --new-keys")
	cmd.Flags().BoolVar(&newKeys, "new-keys", false, "make the keys and root.json first")
	cmd.Flags().BoolVar(&everything, "everything", false, "also publish what is not known to allow it")
	return cmd
}

// makeKeys makes a key for each role, and the root that names them.
func makeKeys(ctx context.Context, dir, feedName string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root := &role.Root{Feed: feedName, Version: 1, Expires: time.Now().AddDate(1, 0, 0).UTC().Truncate(time.Second), Roles: map[role.Role]role.Holders{}}
	var signer dsse.Signer
	for _, r := range roles {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		key, err := dsse.NewPrivateKey(private)
		if err != nil {
			return err
		}
		text, err := key.PEM()
		if err != nil {
			return err
		}
		if err := create(filepath.Join(dir, string(r)+".pem"), text, 0o600); err != nil {
			return err
		}
		root.Roles[r] = role.Keys(1, key.Public())
		if r == role.RoleRoot {
			signer = key
		}
	}
	text, err := root.Sign(ctx, signer)
	if err != nil {
		return err
	}
	return create(filepath.Join(dir, "root.json"), text, 0o644)
}

// create writes a file that is not there.
func create(name string, text []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// openKeys reads the keys of a publisher, and its root.
func (p *program) openKeys(pub *mirror.Publisher, dir string) (root []byte, err error) {
	pub.Signers = map[role.Role][]dsse.Signer{}
	for _, r := range roles[1:] {
		text, err := os.ReadFile(filepath.Join(dir, string(r)+".pem"))
		if err != nil {
			return nil, err
		}
		key, err := dsse.ParsePrivateKey(text)
		if err != nil {
			return nil, fmt.Errorf("key of the role %s: %w", r, err)
		}
		pub.Signers[r] = []dsse.Signer{key}
	}
	return os.ReadFile(filepath.Join(dir, "root.json"))
}

// zipFolder packs a mirror, without what only its publisher needs.
func zipFolder(name, dir string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := zip.NewWriter(f)
	err = fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == "publisher.json" || path == "history.json" {
			return err
		}
		out, err := w.CreateHeader(&zip.FileHeader{Name: path, Method: zip.Store}) // contents are compressed
		if err != nil {
			return err
		}
		in, err := os.Open(filepath.Join(dir, path))
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(out, in)
		return err
	})
	return errors.Join(err, w.Close(), f.Close())
}

// follow updates the data from a mirror: an address, a folder or a zip.
func (p *program) follow(ctx context.Context, f *dbFlags, from, rootFile string, offline bool) (*mirror.Updated, error) {
	store, err := f.store(p.env)
	if err != nil {
		return nil, err
	}
	c := &mirror.Client{Store: store}
	if rootFile != "" {
		if c.Root, err = os.ReadFile(rootFile); err != nil {
			return nil, err
		}
	}
	switch {
	case strings.HasPrefix(from, "http://"), strings.HasPrefix(from, "https://"):
		if offline {
			return nil, usageError("--offline and the address %s: give a folder or a file", from)
		}
		door, err := feed.NewClient(&feed.Options{Network: feed.Network{Policy: feed.PolicyUser}})
		if err != nil {
			return nil, err
		}
		c.Source = mirror.Over(door, from)
	case strings.EqualFold(filepath.Ext(from), ".zip"):
		z, err := zip.OpenReader(from)
		if err != nil {
			return nil, fmt.Errorf("open the bundle %s: %w", from, err)
		}
		defer z.Close()
		c.Source = role.FS(z)
	default:
		c.Source = role.FS(os.DirFS(from))
	}
	out, err := c.Update(ctx, time.Now())
	if errors.Is(err, mirror.ErrNotFound) && rootFile == "" && role.ReasonOf(err) == "" {
		return nil, fmt.Errorf("%w (--root names the file that the publisher of the mirror gave you)", err)
	}
	if err != nil && role.ReasonOf(err) != "" {
		return nil, &codeError{exitVerification, err}
	}
	return out, err
}
