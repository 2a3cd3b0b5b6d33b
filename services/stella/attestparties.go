package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/rekor/rekorclient"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/tlog"
)

// openLog opens the log in a folder.
func (p *program) openLog(ctx context.Context, n *notary, f *notaryFlags, offline bool) error {
	if f.logKey == "" || f.logOrigin == "" {
		return usageError("--log needs --log-key, a key that signs nothing else, and --log-origin, the log's name")
	}
	k, err := p.openKey(ctx, f.logKey, offline)
	if err != nil {
		return err
	}
	if n.key != nil && k.KeyID() == n.key.KeyID() {
		return usageError("--log-key is --key: a log that its only signer signs proves nothing")
	}
	signer, err := tlog.NewLogSigner(f.logOrigin, k.Public(), k)
	if err != nil {
		return err
	}
	storage, closer, err := tlog.NewDir(f.log)
	if err != nil {
		return err
	}
	n.closers = append(n.closers, closer.Close)
	opts := &tlog.Options{MaxDelay: -1, Report: func(err error) { p.note("log: %v", err) }}
	if err := f.witness(opts, offline); err != nil {
		return err
	}
	log, err := tlog.Open(ctx, storage, signer, opts)
	if err != nil {
		return verificationOf(err)
	}
	n.closers = append(n.closers, log.Close)
	n.log = &attest.Embedded{Log: log}
	n.trust.Logs = tlog.Policy{Logs: []tlog.LogKey{{Key: log.Key()}}, Threshold: opts.WitnessThreshold}
	for _, w := range opts.Witnesses {
		n.trust.Logs.Witnesses = append(n.trust.Logs.Witnesses, w.Key())
	}
	return nil
}

// witness names who co-signs the log's checkpoints.
func (f *notaryFlags) witness(opts *tlog.Options, offline bool) error {
	for _, spec := range f.witnesses {
		text, address, ok := strings.Cut(spec, " ")
		if !ok {
			return usageError("--witness %q: want 'NAME+ID+KEY URL'", spec)
		}
		k, err := tlog.ParseKey(text)
		if err != nil {
			return &codeError{exitUsage, fmt.Errorf("--witness: %w", err)}
		}
		rt, err := transport(address, offline)
		if err != nil {
			return err
		}
		w, err := tlog.NewHTTPWitness(address, k, &tlog.HTTPOptions{Transport: rt})
		if err != nil {
			return err
		}
		opts.Witnesses = append(opts.Witnesses, w)
	}
	if opts.WitnessThreshold = f.witnessThreshold; opts.WitnessThreshold == 0 {
		opts.WitnessThreshold = len(opts.Witnesses)
	}
	return nil
}

// openRekor opens a log elsewhere.
func (p *program) openRekor(n *notary, f *notaryFlags, offline bool) error {
	if f.rekorKey == "" && len(n.trust.Logs.Logs) == 0 {
		return usageError("--rekor needs --rekor-key or --trust-root: an answer of a log that nobody knows proves nothing")
	}
	rt, err := transport(f.rekor, offline)
	if err != nil {
		return err
	}
	if f.rekorKey != "" {
		u, err := url.Parse(f.rekor)
		if err != nil {
			return err
		}
		k, err := p.readLogKey(f.rekorKey, u.Host)
		if err != nil {
			return err
		}
		n.trust.Logs.Logs = append(slices.Clip(n.trust.Logs.Logs), tlog.LogKey{Key: k})
	}
	source, err := tlog.NewHTTPSource(strings.TrimSuffix(f.rekor, "/")+"/api/v2", &tlog.HTTPOptions{Transport: rt})
	if err != nil {
		return err
	}
	n.log = &rekorclient.Log{Client: &rekorclient.Client{URL: f.rekor, Transport: rt}, Reader: tlog.NewReader(source, &n.trust.Logs)}
	return nil
}

// readLogKey reads the key of a log: a verifier key, a file with one, or a PEM file of
// the log that has the name.
func (p *program) readLogKey(ref, name string) (*tlog.Key, error) {
	if k, err := tlog.ParseKey(ref); err == nil {
		return k, nil
	}
	text, err := p.readFile(ref, dsse.MaxKeyText)
	if err != nil {
		return nil, fmt.Errorf("key of a log: %.200q is no verifier key (NAME+ID+KEY) and no file: %w", ref, err)
	}
	if k, err := tlog.ParseKey(strings.TrimSpace(string(text))); err == nil {
		return k, nil
	}
	public, err := dsse.ParsePublicKey(text)
	if err != nil {
		return nil, fmt.Errorf("key of a log %s: %w", ref, err)
	}
	if name == "" {
		return nil, usageError("%s is a key without the name of its log: want ORIGIN=%s", ref, ref)
	}
	return tlog.NewLogKey(name, public)
}

// openTSA opens a timestamp authority.
func (p *program) openTSA(n *notary, f *notaryFlags, offline bool) error {
	if f.tsaChain == "" && len(n.trust.Authorities) == 0 {
		return usageError("--tsa needs --tsa-chain or --trust-root: a timestamp of somebody unknown proves nothing")
	}
	rt, err := transport(f.tsa, offline)
	if err != nil {
		return err
	}
	if f.tsaChain != "" {
		a, err := p.readAuthority(f.tsaChain, f.tsa)
		if err != nil {
			return err
		}
		n.trust.Authorities = append(slices.Clip(n.trust.Authorities), a)
	}
	n.stamper = &attest.Authority{Client: &timestamp.Client{URL: f.tsa, Authorities: n.trust.Authorities, Transport: rt}}
	return nil
}

// readAuthority reads the chain of a timestamp authority. It is believed from when its
// first certificate is valid on.
func (p *program) readAuthority(file, name string) (*timestamp.Authority, error) {
	text, err := p.readFile(file, 1<<20)
	if err != nil {
		return nil, err
	}
	a := &timestamp.Authority{Name: name}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s: a PEM block %.40q, want CERTIFICATE", file, block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		a.Certificates = append(a.Certificates, c)
	}
	if len(a.Certificates) == 0 {
		return nil, fmt.Errorf("%s: there is no certificate in it", file)
	}
	a.From = a.Certificates[0].NotBefore.UTC()
	return a, nil
}
