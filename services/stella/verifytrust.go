package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/tlog"
)

// verifying is whom a verification believes.
type verifying struct {
	attest.Verifier
	sigstore *sigstore.Verifier // nil where certificates are not believed
	// signers are those that were named; none means everybody whom the root names.
	signers []string
	// rooted says that there is a trust root: what it does not name is refused.
	rooted bool
}

// readTrust reads whom to believe.
func (p *program) readVerifying(f *verifyFlags, at time.Time) (*verifying, error) {
	if len(f.keys) == 0 && f.root == "" {
		return nil, usageError("whom to believe? Give --key, the public key, or --trust-root")
	}
	v := new(verifying)
	if f.root != "" {
		var err error
		if v, err = p.readTrustRoot(f.root, at); err != nil {
			return nil, err
		}
	}
	for _, file := range f.keys {
		k, err := p.readPublicKey(file)
		if err != nil {
			return nil, unusableTrust(err)
		}
		v.signers = append(v.signers, k.KeyID())
		known := func(m key.Member) bool { return m.Key != nil && m.Key.KeyID() == k.KeyID() }
		if !slices.ContainsFunc(v.Trust.Keys.Members, known) { // what the root says of its times stands
			v.Trust.Keys.Members = append(v.Trust.Keys.Members, key.Member{Key: k, From: always, Purposes: []string{key.AnyPurpose}})
		}
	}
	for _, identity := range f.identities {
		issuer, subject, ok := strings.Cut(identity, "|")
		if !ok || issuer == "" || subject == "" {
			return nil, usageError("--identity %q: want 'ISSUER|SUBJECT'", identity)
		}
		if v.sigstore == nil {
			return nil, usageError("--identity needs a --trust-root that says whose certificates count: a trusted_root.json of Sigstore, or a trust root with one")
		}
		v.signers = append(v.signers, "sigstore:"+identity)
	}
	return v, nil
}

// unusableTrust is the refusal of what should say whom to believe.
func unusableTrust(err error) error {
	r := refusalOf(err)
	if r.exit == exitVerification {
		r.code = "trust"
	}
	return r
}

// readTrustRoot reads a trust root, ours or Sigstore's.
func (p *program) readTrustRoot(file string, at time.Time) (*verifying, error) {
	text, err := p.readFile(file, attest.MaxRoot)
	if err != nil {
		return nil, err
	}
	var kind struct {
		MediaType string `json:"mediaType"`
	}
	if json.Unmarshal(text, &kind) == nil && kind.MediaType != "" {
		v := &verifying{rooted: true}
		if err := v.believe(text, at); err != nil {
			return nil, unusableTrust(fmt.Errorf("%s: %w", file, err))
		}
		return v, nil
	}
	root, err := attest.DecodeRoot(text)
	if err != nil {
		return nil, unusableTrust(fmt.Errorf("%s: %w", file, err))
	}
	v := &verifying{rooted: true, Verifier: attest.Verifier{Trust: *root.Trust(nil)}}
	if root.Sigstore != nil {
		if err := v.believe(root.Sigstore, at); err != nil {
			return nil, unusableTrust(fmt.Errorf("%s: %w", file, err))
		}
	}
	return v, nil
}

// believe adds a trusted_root.json: for certificates as it stands, and, for bundles of
// keys, those of its logs and authorities that are good at the time.
func (v *verifying) believe(text []byte, at time.Time) error {
	root, err := sigstore.ParseTrustRoot(text)
	if err != nil {
		return err
	}
	if len(root.Authorities) > 0 {
		if v.sigstore, err = sigstore.NewVerifier(root, nil); err != nil {
			return err
		}
		v.Trust.Certificates = v.sigstore
	}
	for i := range root.Logs {
		l := &root.Logs[i]
		if at.Before(l.From) || !l.Until.IsZero() && at.After(l.Until) {
			continue
		}
		k, err := logKey(l)
		if errors.Is(err, tlog.ErrUnsupported) || errors.Is(err, dsse.ErrUnsupported) || err == nil && l.Origin() == "" {
			continue // such a log's entries stay unknown
		}
		if err != nil {
			return err
		}
		v.Trust.Logs.Logs = append(v.Trust.Logs.Logs, tlog.LogKey{Key: k})
	}
	for i := range root.Timestamps {
		a := &timestamp.Authority{Name: root.Timestamps[i].URL, From: root.Timestamps[i].From, To: root.Timestamps[i].Until}
		for _, der := range root.Timestamps[i].Chain {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				return err
			}
			a.Certificates = append(a.Certificates, c)
		}
		v.Trust.Authorities = append(v.Trust.Authorities, a)
	}
	return nil
}

func logKey(l *sigstore.Log) (*tlog.Key, error) {
	public, err := dsse.ParsePublicKeyDER(l.Key)
	if err != nil {
		return nil, err
	}
	return tlog.NewLogKey(l.Origin(), public)
}
