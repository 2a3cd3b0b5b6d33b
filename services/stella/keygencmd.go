package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/key"
)

const keygenHelp = `Make a key pair: PREFIX.key, under a password, in the format of cosign, and PREFIX.pub.
Files that are there are never replaced.

The password is STELLA_PASSWORD or COSIGN_PASSWORD, or is asked for on the terminal.
--no-password writes the private key unencrypted, for disks that nobody else reads.`

func (p *program) keygenCommand() *cobra.Command {
	var algorithm string
	var plain bool
	cmd := &cobra.Command{
		Use:     "keygen PREFIX",
		Short:   "Make a signing key",
		Long:    keygenHelp,
		Example: "  stella attest keygen release\n  stella attest keygen --algorithm ed25519 log",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			private, err := key.Generate(algorithm)
			if err != nil {
				return &codeError{exitUsage, err}
			}
			text, err := p.sealed(private, args[0], plain)
			if err != nil {
				return err
			}
			public := private.Public()
			if _, err := os.Lstat(args[0] + ".pub"); err == nil {
				return fmt.Errorf("%s.pub is there already, and is not replaced", args[0])
			}
			if err := key.WriteFile(args[0]+".key", text); err != nil {
				return err
			}
			if err := create(args[0]+".pub", public.PEM(), 0o644); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "%s.key and %s.pub, key %s\n", clean(args[0]), clean(args[0]), public.KeyID())
			return nil
		},
	}
	cmd.Flags().StringVar(&algorithm, "algorithm", key.P256, "ecdsa-p256, ecdsa-p384 or ed25519")
	cmd.Flags().BoolVar(&plain, "no-password", false, "do not encrypt the private key")
	return cmd
}

// sealed is a private key's text, encrypted unless it is to be plain.
func (p *program) sealed(k *dsse.PrivateKey, name string, plain bool) ([]byte, error) {
	if plain {
		return k.PEM()
	}
	word, err := p.password(context.Background(), name+".key")
	if err != nil {
		return nil, fmt.Errorf("%w (set STELLA_PASSWORD, or write it in the clear with --no-password)", err)
	}
	if f, ok := p.stdin.(*os.File); ok && p.env("STELLA_PASSWORD") == "" && p.env("COSIGN_PASSWORD") == "" {
		fmt.Fprint(p.stderr, "once more: ")
		again, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(p.stderr)
		if err != nil {
			return nil, err
		}
		if string(again) != string(word) {
			return nil, usageError("the two passwords differ")
		}
	}
	return key.Encrypt(k, word)
}
