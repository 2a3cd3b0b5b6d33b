package main

import (
	"errors"
	"fmt"
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
	signed, err := mirror.SignedBy(store, digest, time.Now())
	if errors.Is(err, mirror.ErrNotFound) && role.ReasonOf(err) == "" {
		fmt.Fprintln(p.stdout, "it came from no mirror: nobody signed it")
		return nil
	}
	if role.ReasonOf(err) != "" || errors.Is(err, mirror.ErrMismatch) || errors.Is(err, mirror.ErrInvalid) {
		return &codeError{exitVerification, err}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "signed by the feed %s, version %d, until %s\n", clean(signed.Feed), signed.Version, signed.Expires.Format(time.RFC3339))
	switch {
	case signed.NewerVersion > 0:
		fmt.Fprintf(p.stdout, "version %d is known and could not be completed: it is not in use\n", signed.NewerVersion)
	case signed.Newer:
		fmt.Fprintln(p.stdout, "a newer version is known and could not be completed: it is not in use")
	}
	return nil
}
