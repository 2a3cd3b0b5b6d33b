package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/mirror"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest/role"
)

func (p *program) dbVerify() *cobra.Command {
	var f dbFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Read all of the current data and check it against its digest and the signatures it came with",
		Args:  usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			snap, err := f.mustOpen(p.env)
			if err == nil {
				defer snap.Close()
				err = snap.Verify()
			}
			if errors.Is(err, snapshot.ErrMismatch) || errors.Is(err, snapshot.ErrInvalid) {
				return &codeError{exitVerification, err}
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "%s: every block has its digest\n", snap.Digest())
			store, err := f.store(p.env)
			if err != nil {
				return err
			}
			return p.verifyRelease(store, snap.Digest())
		},
	}
	f.registerDir(cmd.Flags())
	return cmd
}

// verifyRelease checks the signatures of the mirror that a store follows.
func (p *program) verifyRelease(store snapshot.Store, digest string) error {
	text, err := os.ReadFile(filepath.Join(store.Dir, mirror.StateFile))
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(p.stdout, "it came from no mirror: nobody signed it")
		return nil
	}
	if err != nil {
		return err
	}
	state, err := role.DecodeState(text)
	if err != nil {
		return &codeError{exitVerification, err}
	}
	release, err := state.Release(time.Now())
	if err != nil {
		return &codeError{exitVerification, err}
	}
	signed, err := mirror.SnapshotOf(release)
	if err != nil {
		return &codeError{exitVerification, err}
	}
	if signed != digest {
		return &codeError{exitVerification, fmt.Errorf("the feed %s signs %s, version %d: the current data is another", release.Feed, signed, release.Version)}
	}
	fmt.Fprintf(p.stdout, "signed by the feed %s, version %d, until %s\n", clean(release.Feed), release.Version, release.Expires.Format(time.RFC3339))
	return nil
}
