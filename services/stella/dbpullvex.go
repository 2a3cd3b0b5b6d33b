package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/stella-ops/stella/advisory/mirror"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/durable"
	vexsnapshot "github.com/stella-ops/stella/vex/snapshot"
)

// vexFile is the file of VEX statements in their folder.
const vexFile = "current.vex"

// vexReplaceable refuses to replace statements that are of this machine's own making.
func (p *program) vexReplaceable(db *dbFlags) error {
	dir, err := vexDir(db, p.env)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "archive.db")); err == nil {
		return usageError("--vex would replace the VEX statements that \"stella vex import|update\" keeps in %s: pull into another folder (--db), or without --vex", dir)
	}
	return nil
}

// pullVEX makes the VEX statements of the release the ones that are kept: all of them
// are verified before, and until then the old ones are heard.
func (p *program) pullVEX(ctx context.Context, c *mirror.Client, db *dbFlags) (digest string, err error) {
	t, err := c.VEX(time.Now())
	if err != nil {
		return "", err
	}
	dir, err := vexDir(db, p.env)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", err
	}
	target := filepath.Join(dir, vexFile)
	if have, err := fileDigest(target); err == nil && have == t.Digest {
		return t.Digest, nil
	}
	temporary, err := durable.Temporary(dir, func(w io.Writer) error { return t.Copy(ctx, w, c.Source) })
	if err != nil {
		return "", refused(err)
	}
	snap, err := vexsnapshot.Open(temporary)
	if err == nil {
		err = errors.Join(snap.Verify(ctx, snap.Info().Digest), snap.Close())
	}
	if err != nil {
		return "", &codeError{exitVerification, errors.Join(err, os.Remove(temporary))}
	}
	return t.Digest, durable.Rename(temporary, target)
}

// fileDigest is that of a file's bytes.
func fileDigest(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	t, err := role.Describe("file", f, nil)
	return t.Digest, err
}
