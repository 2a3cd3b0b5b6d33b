package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/scan/image"
)

func main() {
	if len(os.Args) < 5 {
		fmt.Fprintln(os.Stderr, "usage: deploy-verify TRUST NAME@sha256:HEX BUNDLE COMMAND...")
		os.Exit(64)
	}
	if err := verify(context.Background(), os.Args[1], os.Args[2], os.Args[3], time.Now()); err != nil {
		fmt.Fprintf(os.Stderr, "deploy: %s: %v\n", attest.Code(err), err)
		os.Exit(4)
	}
	cmd := exec.Command(os.Args[4], os.Args[5:]...)
	cmd.Env = append(os.Environ(), "IMAGE="+os.Args[2])
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "deploy:", err)
		os.Exit(max(1, cmd.ProcessState.ExitCode()))
	}
}

// verify returns nil where the bundle proves that the image may be used at a time.
func verify(ctx context.Context, trust, name, bundle string, at time.Time) error {
	ref, err := image.ParseReference(name)
	if err != nil || ref.Digest == "" {
		return fmt.Errorf("%.200q is not named by its digest", name)
	}
	text, err := os.ReadFile(trust)
	if err != nil {
		return err
	}
	root, err := attest.DecodeRoot(text)
	if err != nil {
		return fmt.Errorf("%s: %w", trust, err)
	}
	if text, err = os.ReadFile(bundle); err != nil {
		return err
	}
	verifier := attest.Verifier{Trust: *root.Trust(nil)}
	proved, err := verifier.Evidence(ctx, text, "", &attest.Expectation{At: at, Subjects: []string{ref.Digest}, Predicates: []string{intoto.PredicateVerdict}})
	if err != nil {
		return err
	}
	return proved.Decide(&attest.Decision{}, at)
}
