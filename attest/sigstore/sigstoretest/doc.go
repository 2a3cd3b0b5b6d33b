// Package sigstoretest runs a Sigstore instance inside the process, for tests: an
// issuer of identity tokens, a certificate authority that speaks Fulcio's API v2, a
// timestamp authority, and a transparency log whose entries are those of Rekor v2.
// Nothing is dialled and nothing listens. All keys are made anew and mean nothing.
//
// Its parts can be replaced and its certificates changed before they are signed, so
// that it can be an instance that does things wrongly.
package sigstoretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"time"

	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
)

// The names of the instance's parts.
const (
	Issuer   = "https://issuer.stella.test"
	Audience = "sigstore"
	Origin   = "log.stella.test"
	Stamper  = "https://tsa.stella.test"
	CA       = "https://fulcio.stella.test"
)

// Instance is a Sigstore instance. It is not safe for concurrent use.
type Instance struct {
	// CA issues certificates, TSA timestamps. Log is the log.
	CA  *Authority
	TSA *timestamptest.TSA
	Log *Log

	at, stamp time.Time
	tokenKey  *ecdsa.PrivateKey
}

// New returns an instance whose clock stands at a time, in whole seconds. Its
// certificate authority is valid for a year before and after.
func New(at time.Time) (*Instance, error) {
	i := &Instance{at: at.UTC().Truncate(time.Second)}
	var err error
	if i.tokenKey, err = newKey(); err != nil {
		return nil, err
	}
	if i.CA, err = NewAuthority("stella test signers", i.at, nil); err != nil {
		return nil, err
	}
	if err := i.SetTSA(nil); err != nil {
		return nil, err
	}
	if i.Log, err = NewLog(Origin); err != nil {
		return nil, err
	}
	return i, nil
}

// Now returns the instance's time, and is its clock.
func (i *Instance) Now() time.Time { return i.at }

// Set moves the clock.
func (i *Instance) Set(at time.Time) { i.at = at.UTC().Truncate(time.Second) }

// SetTSA makes another timestamp authority. change, which may be nil, changes its
// certificates before they are signed: timestamptest.Root, Intermediate and Leaf.
func (i *Instance) SetTSA(change func(which string, c *x509.Certificate)) error {
	var err error
	i.TSA, err = timestamptest.New(&timestamptest.Options{Now: func() time.Time { return i.stamp }, Certificate: change})
	return err
}

// Timestamp returns the timestamp authority's answer over a signature, for any
// time.
func (i *Instance) Timestamp(sig []byte, at time.Time) ([]byte, error) {
	i.stamp = at
	return i.TSA.Stamp(sig)
}

// TrustRoot returns the trust root of the instance, as it is now. It trusts its
// parts since a year ago, and has no log of certificates.
func (i *Instance) TrustRoot() (*sigstore.TrustRoot, error) {
	from := i.at.AddDate(-1, 0, 0)
	log, err := i.Log.Trusted(from)
	if err != nil {
		return nil, err
	}
	tsa := sigstore.Authority{URL: Stamper, From: from}
	for _, c := range i.TSA.Certificates() {
		tsa.Chain = append(tsa.Chain, c.Raw)
	}
	return &sigstore.TrustRoot{
		Logs:        []sigstore.Log{log},
		Authorities: []sigstore.Authority{{URL: CA, Chain: i.CA.Chain(), From: from}},
		Timestamps:  []sigstore.Authority{tsa},
	}, nil
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
