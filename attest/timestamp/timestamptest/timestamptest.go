// Package timestamptest is a timestamp authority for tests: certificates of its
// own, made anew each time, and an HTTP handler. It stamps what it is asked to,
// and can be made to do it wrongly.
//
// Its tokens are made by github.com/digitorus/timestamp, which shares no code
// with what verifies them.
package timestamptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"time"

	rfc3161 "github.com/digitorus/timestamp"

	"github.com/stella-ops/stella/attest/timestamp"
)

// The certificates of an authority, as [Options.Certificate] is told them.
const (
	Root         = "root"
	Intermediate = "intermediate"
	Leaf         = "leaf" // it signs tokens
)

// Policy is the policy of tokens by default.
const Policy = "1.3.6.1.4.1.57264.2"

// Options describe a test authority. The zero value, and nil, are one whose
// tokens are good.
type Options struct {
	// Now is the time that is stamped; nil is time.Now, in whole seconds.
	Now func() time.Time
	// Key signs tokens; nil is a new one of ECDSA on P-256.
	Key crypto.Signer
	// Certificate, if not nil, changes what a certificate is made of: its validity
	// is from 2000 to 2100, and its extended usage is an extra extension.
	Certificate func(which string, template *x509.Certificate)
	// Change, if not nil, changes a token before it is signed.
	Change func(*Token)
	// Bare leaves the certificates out of tokens, whatever is asked for.
	Bare bool
}

// Token is what a token is made of.
type Token struct {
	Hash     crypto.Hash // of the message
	Digest   []byte
	Time     time.Time
	Accuracy time.Duration
	Nonce    *big.Int // nil is none
	Policy   asn1.ObjectIdentifier
	Signer   crypto.Signer     // who signs it
	Leaf     *x509.Certificate // whom it says to be signed by
	With     crypto.Hash       // the digest of the signature
	Critical bool              // with an extension that nobody knows
}

// TSA is a timestamp authority for tests. It is safe for concurrent use if what
// its Options hold is.
type TSA struct {
	options Options
	key     crypto.Signer
	certs   []*x509.Certificate // leaf, intermediate, root
}

// New makes an authority.
func New(o *Options) (*TSA, error) {
	t := new(TSA)
	if o != nil {
		t.options = *o
	}
	if t.options.Now == nil {
		t.options.Now = func() time.Time { return time.Now().UTC().Truncate(time.Second) }
	}
	root, rootKey, err := t.issue(Root, nil, nil, nil)
	if err != nil {
		return nil, err
	}
	middle, middleKey, err := t.issue(Intermediate, nil, root, rootKey)
	if err != nil {
		return nil, err
	}
	leaf, key, err := t.issue(Leaf, t.options.Key, middle, middleKey)
	if err != nil {
		return nil, err
	}
	t.key, t.certs = key, []*x509.Certificate{leaf, middle, root}
	return t, nil
}

// issue makes a certificate that parent signs, or it signs itself.
func (t *TSA) issue(which string, key crypto.Signer, parent *x509.Certificate, parentKey crypto.Signer) (*x509.Certificate, crypto.Signer, error) {
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, nil, err
		}
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: pkix.Name{Organization: []string{"Test"}, CommonName: "Test TSA " + which},
		NotBefore: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if which == Leaf {
		template.IsCA, template.KeyUsage = false, x509.KeyUsageDigitalSignature
		template.ExtraExtensions = []pkix.Extension{Usage(true)}
	}
	if t.options.Certificate != nil {
		t.options.Certificate(which, template)
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, nil, fmt.Errorf("%s certificate: %w", which, err)
	}
	c, err := x509.ParseCertificate(der)
	return c, key, err
}

// Usage makes the extension of extended usage: for timestamps, and others.
func Usage(critical bool, others ...asn1.ObjectIdentifier) pkix.Extension {
	timeStamping := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
	value, _ := asn1.Marshal(append([]asn1.ObjectIdentifier{timeStamping}, others...)) // what is no identifier makes no certificate
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: critical, Value: value}
}

// Certificates returns the chain, from the certificate that signs tokens to the
// root.
func (t *TSA) Certificates() []*x509.Certificate { return append([]*x509.Certificate(nil), t.certs...) }

// Authority returns the authority as one to be trusted, from 2000 on.
func (t *TSA) Authority() *timestamp.Authority {
	return &timestamp.Authority{Name: "test", Certificates: t.Certificates(), From: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// Stamp returns a response with a token of a message, by SHA-256, without nonce.
func (t *TSA) Stamp(message []byte) ([]byte, error) {
	query, err := (&rfc3161.Request{HashAlgorithm: crypto.SHA256, HashedMessage: digest(crypto.SHA256, message), Certificates: true}).Marshal()
	if err != nil {
		return nil, err
	}
	return t.Respond(query)
}

func digest(h crypto.Hash, message []byte) []byte {
	d := h.New()
	d.Write(message)
	return d.Sum(nil)
}

// Respond answers a TimeStampReq with a TimeStampResp.
func (t *TSA) Respond(query []byte) ([]byte, error) {
	q, err := rfc3161.ParseRequest(query)
	if err != nil {
		return rfc3161.CreateErrorResponse(rfc3161.Rejection, rfc3161.BadDataFormat)
	}
	k := Token{Hash: q.HashAlgorithm, Digest: q.HashedMessage, Time: t.options.Now(), Accuracy: time.Second, Nonce: q.Nonce, Policy: q.TSAPolicyOID, Signer: t.key, Leaf: t.certs[0], With: crypto.SHA256}
	if len(k.Policy) == 0 {
		k.Policy = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}
	}
	if t.options.Change != nil {
		t.options.Change(&k)
	}
	made := rfc3161.Timestamp{
		HashAlgorithm: k.Hash, HashedMessage: k.Digest, Time: k.Time, Accuracy: k.Accuracy, Nonce: k.Nonce, Policy: k.Policy,
		AddTSACertificate: q.Certificates && !t.options.Bare,
	}
	if made.AddTSACertificate {
		made.Certificates = t.certs[1:]
	}
	if k.Critical {
		made.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
	}
	return made.CreateResponseWithOpts(k.Leaf, k.Signer, k.With)
}

// ServeHTTP answers requests as RFC 3161, section 3.4, has them.
func (t *TSA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query, err := io.ReadAll(io.LimitReader(r.Body, timestamp.MaxToken))
	if err == nil && (r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/timestamp-query") {
		err = errors.New("want a POST of application/timestamp-query")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	der, err := t.Respond(query)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.Write(der)
}
