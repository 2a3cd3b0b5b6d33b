package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/mirror"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

func (p *program) dbVerify() *cobra.Command {
	var f dbFlags
	var outputs []string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Read all of the current data and check it against its digest and the signatures it came with",
		Long: "Read all of the current data and check it against its digest and the signatures it came\nwith. It is about data on this machine alone.\n\n" +
			"Exit codes: 0 all is well, 1 error, 3 there is no data, 4 it is not what it must be, 64 wrong\narguments.",
		Example: "  stella db verify\n  stella db verify --db ./carried -o json",
		Args:    usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
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
			store, err := f.store(p.env)
			if err != nil {
				return err
			}
			v, err := verifyRelease(store, snap.Digest())
			if err != nil {
				return err
			}
			return p.say(out, &render.Answer{Value: v, Table: v.table})
		},
	}
	f.registerDir(cmd.Flags())
	outputFlag(cmd, &outputs)
	return cmd
}

// dbVerified is what "stella db verify" has to say: every block of the data has its digest.
type dbVerified struct {
	Digest string     `json:"digest"`
	Signed *dbRelease `json:"signed,omitempty"` // missing: it came from no mirror
}

// dbRelease is the release of a mirror that the data is.
type dbRelease struct {
	Feed         string    `json:"feed"`
	Version      int64     `json:"version"`
	Expires      time.Time `json:"expires"`
	Newer        bool      `json:"newer,omitempty"`         // one is known that could not be completed
	NewerVersion int64     `json:"newer_version,omitempty"` // its number, where that is known
}

// verifyRelease checks the signatures of the mirror that a store follows.
func verifyRelease(store snapshot.Store, digest string) (*dbVerified, error) {
	signed, err := mirror.SignedBy(store, digest, time.Now())
	if errors.Is(err, mirror.ErrNotFound) && role.ReasonOf(err) == "" {
		return &dbVerified{Digest: digest}, nil
	}
	if role.ReasonOf(err) != "" || errors.Is(err, mirror.ErrMismatch) || errors.Is(err, mirror.ErrInvalid) {
		return nil, &codeError{exitVerification, err}
	}
	if err != nil {
		return nil, err
	}
	return &dbVerified{digest, &dbRelease{signed.Feed, signed.Version, signed.Expires, signed.Newer || signed.NewerVersion > 0, signed.NewerVersion}}, nil
}

func (v *dbVerified) table(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: every block has its digest\n", v.Digest)
	switch r := v.Signed; {
	case r == nil:
		b.WriteString("it came from no mirror: nobody signed it\n")
	default:
		fmt.Fprintf(&b, "signed by the feed %s, version %d, until %s\n", clean(r.Feed), r.Version, r.Expires.Format(time.RFC3339))
		if r.NewerVersion > 0 {
			fmt.Fprintf(&b, "version %d is known and could not be completed: it is not in use\n", r.NewerVersion)
		} else if r.Newer {
			b.WriteString("a newer version is known and could not be completed: it is not in use\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
