package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/internal/sum"
)

// notaryFlags say who signs, and who proves it.
type notaryFlags struct {
	key                    string
	log, logKey, logOrigin string
	rekor, rekorKey        string
	tsa, tsaChain          string
	identityToken, fulcio  string
	root                   string
	patience               time.Duration
	witnesses              []string
	witnessThreshold       int
}

func (f *notaryFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.key, "key", "", keyHelp)
	fs.StringVar(&f.log, "log", "", "enter the signatures into the transparency log in this folder; it is made where there is none")
	fs.StringVar(&f.logKey, "log-key", "", "the key that signs the log's checkpoints, as --key")
	fs.StringVar(&f.logOrigin, "log-origin", "", "the log's name for ever: a bare host name, such as log2026.example, if cosign is to check it")
	fs.StringArrayVar(&f.witnesses, "witness", nil, "'NAME+ID+KEY URL', a witness that co-signs the log's checkpoints; may be repeated")
	fs.IntVar(&f.witnessThreshold, "witness-threshold", 0, "how many witnesses must co-sign (default: all that are named)")
	fs.StringVar(&f.rekor, "rekor", "", "enter the signatures into the Rekor v2 log at this address")
	fs.StringVar(&f.rekorKey, "rekor-key", "", "the public key of that log, as PEM or as a verifier key (NAME+ID+KEY); or name it in --trust-root")
	fs.StringVar(&f.tsa, "tsa", "", "have the signatures timestamped at this address (RFC 3161)")
	fs.StringVar(&f.tsaChain, "tsa-chain", "", "the authority's certificates as PEM, from the one that signs to the root")
	fs.StringVar(&f.identityToken, "identity-token", "", "sign without a key, as whom this OpenID Connect token says: a file, or env:NAME")
	fs.StringVar(&f.fulcio, "fulcio", "", "the certificate authority (Fulcio) that is shown the token")
	fs.StringVar(&f.root, "trust-root", "", "check what log and authorities answer by this trust root too")
	fs.DurationVar(&f.patience, "patience", 30*time.Second, "how long to wait for a log or an authority")
}

// notary signs statements and has them proved.
type notary struct {
	key       *key.Key   // nil without one
	certified *certified // nil with a key
	trust     *attest.Trust
	log       attest.Log
	stamper   attest.Stamper
	patience  time.Duration
	closers   []func() error
}

func (n *notary) close() {
	for _, c := range slices.Backward(n.closers) {
		_ = c() // nothing is pending: each signature was waited for
	}
}

// tenant is whom the command line works for.
const tenant = "local"

// always is before every signature.
var always = time.Unix(0, 0).UTC()

// openNotary opens the key and the parties that are named.
func (p *program) openNotary(ctx context.Context, f *notaryFlags, offline bool) (*notary, error) {
	n := &notary{trust: new(attest.Trust), patience: f.patience}
	if err := p.openParties(ctx, n, f, offline); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

func (p *program) openParties(ctx context.Context, n *notary, f *notaryFlags, offline bool) (err error) {
	if (f.key != "") == (f.identityToken != "") {
		return usageError("who signs? Give --key, or --identity-token with --fulcio (\"stella attest keygen\" makes a key)")
	}
	var with *verifying
	if f.root != "" {
		if with, err = p.readTrustRoot(f.root, time.Now()); err != nil {
			return err
		}
		n.trust.Logs, n.trust.Authorities = with.Trust.Logs, with.Trust.Authorities
	}
	if f.key != "" {
		if n.key, err = p.openKey(ctx, f.key, offline); err != nil {
			return err
		}
		n.trust.Keys = key.Ring{Members: []key.Member{{Key: n.key.Public(), From: always, Purposes: []string{key.AnyPurpose}}}}
	} else if n.certified, err = p.certify(ctx, f, with, offline); err != nil {
		return err
	}
	if f.log != "" && f.rekor != "" {
		return usageError("--log and --rekor exclude each other")
	}
	if f.log != "" {
		err = p.openLog(ctx, n, f, offline)
	} else if f.rekor != "" {
		err = p.openRekor(n, f, offline)
	}
	if err == nil && f.tsa != "" {
		err = p.openTSA(n, f, offline)
	}
	return err
}

// sign has statements of the given types signed and proved, and fills in r.
func (n *notary) sign(ctx context.Context, r *attested, facts attest.Facts, types []string) error {
	var err error
	if n.certified != nil {
		r.Certificate = n.certified.Identity()
		r.items, err = n.signKeyless(ctx, facts, types)
	} else {
		r.items, err = n.signByKey(ctx, facts, types)
	}
	if err != nil {
		return verificationOf(err)
	}
	return r.describe(types)
}

// describe says what its bundles are.
func (r *attested) describe(types []string) error {
	r.predicateOf = types
	for i, item := range r.items {
		b := item.Bundle
		s := attestedStatement{PredicateType: types[i], Digest: sum.Of(b.Envelope.Payload), KeyID: b.Material.KeyHint, Logged: len(b.Material.Entries), Stamped: len(b.Material.Timestamps)}
		r.Statements = append(r.Statements, s)
		statement, err := intoto.Decode(b.Envelope.PayloadType, b.Envelope.Payload)
		if err != nil {
			return err
		}
		r.Subjects = append(r.Subjects, statement.Digests()...)
	}
	slices.Sort(r.Subjects)
	r.Subjects = slices.Compact(r.Subjects)
	var err error
	r.bundles, err = bundle.Encode(r.items)
	return err
}

// signByKey signs as the services do, with a store that ends with the command.
func (n *notary) signByKey(ctx context.Context, facts attest.Facts, types []string) ([]bundle.Item, error) {
	memory := &attest.Memory{Now: time.Now}
	stores := func(string) (attest.Store, error) { return memory, nil }
	attestor := &attest.Attestor{
		Trust: func(context.Context, string) (*attest.Trust, error) { return n.trust, nil }, Stores: stores,
		Objects: func(string) (attest.Objects, error) { return memory, nil }, Log: n.log, Stamper: n.stamper, Now: time.Now, Patience: n.patience,
	}
	prover := &export.Prover{
		Signer: &attest.Signer{
			Facts: func(string) (attest.Facts, error) { return facts, nil }, Stores: stores, Grants: []attest.Grant{{}},
			Keys: &attest.Held{Ring: n.trust.Keys, Open: []attest.Key{n.key}, Now: time.Now},
		},
		Attestor: attestor, Caller: attest.Caller{Tenant: tenant, Subject: "the command line"}, Logged: n.log != nil,
	}
	items, kept, err := prover.Prove(ctx, "command", types)
	if err != nil {
		return nil, err
	}
	for _, a := range kept {
		if len(a.Missing()) == 0 {
			continue
		}
		_, err := attestor.Complete(ctx, tenant, a.ID) // it says why
		return nil, fmt.Errorf("nothing is written: the %v of %s did not come: %w", a.Missing(), a.PredicateType, errors.Join(err, ctx.Err()))
	}
	if n.log == nil && n.stamper != nil {
		for i := range items {
			if err := n.stamp(ctx, items[i].Bundle); err != nil {
				return nil, err
			}
		}
	}
	return items, nil
}

func (n *notary) stamp(ctx context.Context, b *bundle.Bundle) error {
	ctx, cancel := context.WithTimeout(ctx, n.patience)
	defer cancel()
	token, err := n.stamper.Stamp(ctx, b.Signature())
	if err != nil {
		return fmt.Errorf("timestamp authority %s: %w", n.stamper.Name(), err)
	}
	b.Material.Timestamps = append(b.Material.Timestamps, token)
	return nil
}

// enter has a bundle's signature logged.
func (n *notary) enter(ctx context.Context, b *bundle.Bundle, publicKey []byte) error {
	ctx, cancel := context.WithTimeout(ctx, n.patience)
	defer cancel()
	e, err := n.log.Enter(ctx, rekor.OfBundle(b, publicKey))
	if err != nil {
		return err
	}
	b.Material.Entries = append(b.Material.Entries, *e)
	return nil
}

// signStatement makes an envelope of a fact.
func signStatement(ctx context.Context, facts attest.Facts, predicateType string, signer dsse.Signer) (*dsse.Envelope, error) {
	fact, err := facts.Fact(ctx, "command", predicateType, "")
	if err != nil {
		return nil, err
	}
	payload, err := export.Statement(fact).Encode()
	if err != nil {
		return nil, err
	}
	return dsse.Sign(ctx, intoto.PayloadType, payload, signer)
}

// readToken reads an identity token from a file or the environment.
func (p *program) readToken(ref string) (string, error) {
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		if v := p.env(name); v != "" {
			return v, nil
		}
		return "", usageError("--identity-token: the variable %s is not set", name)
	}
	text, err := os.ReadFile(ref)
	return strings.TrimSpace(string(text)), err
}
