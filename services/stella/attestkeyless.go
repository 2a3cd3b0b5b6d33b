package main

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/sigstore"
)

// certified is a key that is certified for a short time, and who checks what it signs.
type certified struct {
	*sigstore.CertifiedKey
	verifier *sigstore.Verifier
}

// certify has a new key certified for the holder of an identity token.
func (p *program) certify(ctx context.Context, f *notaryFlags, with *verifying, offline bool) (*certified, error) {
	switch {
	case f.fulcio == "":
		return nil, usageError("--identity-token needs --fulcio, the address of a certificate authority")
	case f.rekor == "" && f.log == "" || f.tsa == "":
		return nil, usageError("the certificate is over in minutes: without a log (--rekor or --log) and a timestamp (--tsa) nobody could say that it was good")
	case with == nil || with.sigstore == nil:
		return nil, usageError("--identity-token needs --trust-root with a trusted_root.json: what comes back is verified before it is written")
	}
	rt, err := transport(f.fulcio, offline)
	if err != nil {
		return nil, err
	}
	authority, err := sigstore.NewFulcio(f.fulcio, &sigstore.FulcioOptions{Transport: rt})
	if err != nil {
		return nil, err
	}
	keyless := &sigstore.Keyless{Authority: authority, Token: func(context.Context) (string, error) { return p.readToken(f.identityToken) }}
	k, err := keyless.Signer(ctx)
	if err != nil {
		return nil, err
	}
	return &certified{k, with.sigstore}, nil
}

// signKeyless signs by a certified key, has it stamped and logged, and verifies what
// came out: a certificate that nobody believes later is found now.
func (n *notary) signKeyless(ctx context.Context, facts attest.Facts, types []string) ([]bundle.Item, error) {
	var out []bundle.Item
	for _, t := range types {
		e, err := signStatement(ctx, facts, t, n.certified)
		if err != nil {
			return nil, err
		}
		b := bundle.New(e, n.certified.Certificate())
		if err := n.stamp(ctx, b); err != nil {
			return nil, err
		}
		if err := n.enter(ctx, b, nil); err != nil {
			return nil, err
		}
		text, err := b.Encode()
		if err != nil {
			return nil, err
		}
		if _, err := n.certified.verifier.VerifyBundle(ctx, text); err != nil {
			return nil, &codeError{exitVerification, fmt.Errorf("what was signed does not verify, and is not written: %w", err)}
		}
		out = append(out, bundle.Item{Bundle: b})
	}
	return out, nil
}
