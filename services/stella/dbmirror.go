package main

import (
	"archive/zip"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/mirror"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
)

// roles are those that a publisher of a mirror signs for.
var roles = []role.Role{role.RoleRoot, role.RoleTargets, role.RoleSnapshot, role.RoleTimestamp}

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
	case isZip(from):
		z, err := zip.OpenReader(from)
		if err != nil {
			return nil, fmt.Errorf("open the bundle %s: %w", from, err)
		}
		defer z.Close()
		c.Source = role.FS(z)
	default:
		c.Source = role.FS(os.DirFS(from))
	}
	return updateFrom(ctx, c)
}

// updateFrom makes the newest release of a mirror the current data.
func updateFrom(ctx context.Context, c *mirror.Client) (*mirror.Updated, error) {
	out, err := c.Update(ctx, time.Now())
	if errors.Is(err, mirror.ErrNotFound) && c.Root == nil && role.ReasonOf(err) == "" {
		return nil, fmt.Errorf("%w (--root names the file that the publisher of the mirror gave you)", err)
	}
	return out, refused(err)
}

// refused gives an error of what is not what it must be its exit code.
func refused(err error) error {
	if role.ReasonOf(err) != "" || errors.Is(err, mirror.ErrMismatch) {
		return &codeError{exitVerification, err}
	}
	return err
}
