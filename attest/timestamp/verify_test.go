package timestamp_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
)

var (
	message = []byte("the signature")
	noon    = time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
)

const second = time.Second

// authority makes a test authority whose clock stands at noon.
func authority(t testing.TB, o *timestamptest.Options) *timestamptest.TSA {
	t.Helper()
	if o == nil {
		o = &timestamptest.Options{}
	}
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	tsa, err := timestamptest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return tsa
}

func stamped(t testing.TB, tsa *timestamptest.TSA) []byte {
	t.Helper()
	der, err := tsa.Stamp(message)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// validity sets that of one certificate.
func validity(which string, from, to time.Time) func(string, *x509.Certificate) {
	return func(w string, c *x509.Certificate) {
		if w == which {
			c.NotBefore, c.NotAfter = from, to
		}
	}
}

func leaf(change func(*x509.Certificate)) func(string, *x509.Certificate) {
	return of(timestamptest.Leaf, change)
}

func of(which string, change func(*x509.Certificate)) func(string, *x509.Certificate) {
	return func(w string, c *x509.Certificate) {
		if w == which {
			change(c)
		}
	}
}

// signer makes a key of an algorithm.
func signer(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	var k crypto.Signer
	var err error
	switch kind {
	case "P-224":
		k, err = ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	case "P-384":
		k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "P-521":
		k, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "Ed25519":
		_, k, err = ed25519.GenerateKey(rand.Reader)
	case "RSA 1024":
		k, err = rsa.GenerateKey(rand.Reader, 1024)
	case "RSA 2048":
		k, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// edge is one case: an authority, how it is trusted, and the reason for which
// the token is refused, or "".
type edge struct {
	tsa    *timestamptest.Options
	trust  func(*timestamp.Authority)
	reason timestamp.Reason
}

func tokenEdges(t testing.TB) map[string]edge {
	tokens := func(change func(*timestamptest.Token)) *timestamptest.Options {
		return &timestamptest.Options{Change: change}
	}
	other := authority(t, nil)
	return map[string]edge{
		"all is well":                            {},
		"no certificates in the token":           {tsa: &timestamptest.Options{Bare: true}},
		"no accuracy":                            {tsa: tokens(func(k *timestamptest.Token) { k.Accuracy = 0 })},
		"an accuracy of all units":               {tsa: tokens(func(k *timestamptest.Token) { k.Accuracy = 61*time.Second + 2*time.Millisecond + 3*time.Microsecond })},
		"an accuracy of a year":                  {tsa: tokens(func(k *timestamptest.Token) { k.Accuracy = 365 * 24 * time.Hour }), reason: timestamp.ReasonMalformed},
		"a negative accuracy":                    {tsa: tokens(func(k *timestamptest.Token) { k.Accuracy = -5 * time.Second })}, // written as 1 µs
		"a nonce that nobody asked":              {tsa: tokens(func(k *timestamptest.Token) { k.Nonce = big.NewInt(1) })},
		"a critical extension":                   {tsa: tokens(func(k *timestamptest.Token) { k.Critical = true }), reason: timestamp.ReasonMalformed},
		"another message":                        {tsa: tokens(func(k *timestamptest.Token) { k.Digest[0] ^= 1 }), reason: timestamp.ReasonImprint},
		"a digest cut":                           {tsa: tokens(func(k *timestamptest.Token) { k.Digest = k.Digest[:31] }), reason: timestamp.ReasonImprint},
		"a digest of another algorithm's length": {tsa: tokens(func(k *timestamptest.Token) { k.Digest = append(k.Digest, k.Digest...) }), reason: timestamp.ReasonImprint},
		"SHA-256 called SHA-384":                 {tsa: tokens(func(k *timestamptest.Token) { k.Hash = crypto.SHA384 }), reason: timestamp.ReasonImprint},
		"SHA-384":                                {tsa: tokens(func(k *timestamptest.Token) { k.Hash, k.Digest = crypto.SHA384, digest(crypto.SHA384) })},
		"SHA-512":                                {tsa: tokens(func(k *timestamptest.Token) { k.Hash, k.Digest = crypto.SHA512, digest(crypto.SHA512) })},
		"signed over SHA-384":                    {tsa: tokens(func(k *timestamptest.Token) { k.With = crypto.SHA384 })},
		"signed over SHA-512":                    {tsa: tokens(func(k *timestamptest.Token) { k.With = crypto.SHA512 })},
		"signed over SHA-1":                      {tsa: tokens(func(k *timestamptest.Token) { k.With = crypto.SHA1 }), reason: timestamp.ReasonAlgorithm},
		"signed by another key":                  {tsa: tokens(func(k *timestamptest.Token) { k.Signer = signer(t, "P-384") }), reason: timestamp.ReasonSignature},
		"signed by another authority":            {tsa: &timestamptest.Options{Bare: true, Change: func(k *timestamptest.Token) { k.Leaf = other.Certificates()[0] }}, reason: timestamp.ReasonAuthority},
		"another policy, any trusted":            {tsa: tokens(func(k *timestamptest.Token) { k.Policy = asn1.ObjectIdentifier{1, 2, 3} })},
		"another policy": {tsa: tokens(func(k *timestamptest.Token) { k.Policy = asn1.ObjectIdentifier{1, 2, 3} }),
			trust: func(a *timestamp.Authority) { a.Policies = []string{timestamptest.Policy} }, reason: timestamp.ReasonPolicy},
		"the policy": {trust: func(a *timestamp.Authority) { a.Policies = []string{"1.2.3", timestamptest.Policy} }},
	}
}

func timeEdges() map[string]edge {
	valid := func(which string, from, to time.Duration) *timestamptest.Options {
		return &timestamptest.Options{Certificate: validity(which, noon.Add(from), noon.Add(to))}
	}
	window := func(from, to time.Duration) func(*timestamp.Authority) {
		return func(a *timestamp.Authority) { a.From, a.To = noon.Add(from), noon.Add(to) }
	}
	const hour = time.Hour
	edges := map[string]edge{
		"window begins then":               {trust: window(0, hour)},
		"window begins a second later":     {trust: window(second, hour), reason: timestamp.ReasonWindow},
		"window begins a nanosecond later": {trust: window(1, hour), reason: timestamp.ReasonWindow},
		"window ends then":                 {trust: window(-hour, 0)},
		"window ended a second before":     {trust: window(-hour, -second), reason: timestamp.ReasonWindow},
		"window ended a nanosecond before": {trust: window(-hour, -1), reason: timestamp.ReasonWindow},
		"window is that moment":            {trust: window(0, 0)},
		"window without end":               {trust: func(a *timestamp.Authority) { a.From, a.To = noon, time.Time{} }},
		"window in another zone": {trust: func(a *timestamp.Authority) {
			a.From, a.To = noon.In(time.FixedZone("", 3600)), noon.In(time.FixedZone("", -3600))
		}},
		"accuracy does not widen the window": {
			tsa:   &timestamptest.Options{Change: func(k *timestamptest.Token) { k.Accuracy = hour }},
			trust: window(second, hour), reason: timestamp.ReasonWindow},
		"both the window and the certificate are over": {tsa: valid(timestamptest.Leaf, -hour, -second), trust: window(-hour, -second), reason: timestamp.ReasonWindow},
	}
	for _, which := range []string{timestamptest.Leaf, timestamptest.Intermediate, timestamptest.Root} {
		edges[which+" begins then"] = edge{tsa: valid(which, 0, hour)}
		edges[which+" begins a second later"] = edge{tsa: valid(which, second, hour), reason: timestamp.ReasonExpired}
		edges[which+" ends then"] = edge{tsa: valid(which, -hour, 0)}
		edges[which+" ended a second before"] = edge{tsa: valid(which, -hour, -second), reason: timestamp.ReasonExpired}
		edges[which+" has expired since"] = edge{tsa: valid(which, -hour, second)}
	}
	return edges
}

func certificateEdges(t testing.TB) map[string]edge {
	codeSigning := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 3}
	made := func(change func(*x509.Certificate)) *timestamptest.Options {
		return &timestamptest.Options{Certificate: leaf(change)}
	}
	edges := map[string]edge{
		"usage not critical": {tsa: made(func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{timestamptest.Usage(false)} }), reason: timestamp.ReasonUsage},
		"usage and another": {tsa: made(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{timestamptest.Usage(true, codeSigning)}
		}), reason: timestamp.ReasonUsage},
		"usage and an unknown one": {tsa: made(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{timestamptest.Usage(true, asn1.ObjectIdentifier{1, 2, 3})}
		}), reason: timestamp.ReasonUsage},
		"no usage": {tsa: made(func(c *x509.Certificate) { c.ExtraExtensions = nil }), reason: timestamp.ReasonUsage},
		"another usage": {tsa: made(func(c *x509.Certificate) {
			c.ExtraExtensions, c.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
		}), reason: timestamp.ReasonUsage},
		"any usage": {tsa: made(func(c *x509.Certificate) {
			c.ExtraExtensions, c.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
		}), reason: timestamp.ReasonUsage},
		"a key for encryption":          {tsa: made(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), reason: timestamp.ReasonUsage},
		"a key for commitments":         {tsa: made(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment })},
		"a key without usage":           {tsa: made(func(c *x509.Certificate) { c.KeyUsage = 0 })},
		"a CA for code":                 {tsa: &timestamptest.Options{Certificate: of(timestamptest.Intermediate, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} })}, reason: timestamp.ReasonUsage},
		"a CA for timestamps":           {tsa: &timestamptest.Options{Certificate: of(timestamptest.Intermediate, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping} })}},
		"an intermediate that is no CA": {tsa: &timestamptest.Options{Bare: true, Certificate: of(timestamptest.Intermediate, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature })}, reason: timestamp.ReasonChain},
		"a root for no issuers":         {tsa: &timestamptest.Options{Certificate: of(timestamptest.Root, func(c *x509.Certificate) { c.MaxPathLenZero = true })}, reason: timestamp.ReasonChain},
		"an unknown critical extension": {tsa: made(func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}})
		}), reason: timestamp.ReasonChain},
		"no certificate is listed but the leaf and the root": {trust: func(a *timestamp.Authority) {
			a.Certificates = []*x509.Certificate{a.Certificates[0], a.Certificates[2]}
		}},
		"the root alone is trusted":         {trust: func(a *timestamp.Authority) { a.Certificates = a.Certificates[2:] }},
		"root and intermediate are trusted": {trust: func(a *timestamp.Authority) { a.Certificates = a.Certificates[1:] }},
		"the root alone, nothing in the token": {tsa: &timestamptest.Options{Bare: true},
			trust: func(a *timestamp.Authority) { a.Certificates = a.Certificates[2:] }, reason: timestamp.ReasonAuthority},
		"the leaf alone is trusted":         {tsa: &timestamptest.Options{Bare: true}, trust: func(a *timestamp.Authority) { a.Certificates = a.Certificates[:1] }},
		"the leaf alone, more in the token": {trust: func(a *timestamp.Authority) { a.Certificates = a.Certificates[:1] }, reason: timestamp.ReasonChain},
		"no way from leaf to root": {tsa: &timestamptest.Options{Bare: true}, trust: func(a *timestamp.Authority) {
			a.Certificates = []*x509.Certificate{a.Certificates[0], a.Certificates[2]}
		}, reason: timestamp.ReasonChain},
		"another root":                     {trust: func(a *timestamp.Authority) { a.Certificates[2] = authority(t, nil).Certificates()[2] }, reason: timestamp.ReasonChain},
		"another leaf is pinned":           {trust: func(a *timestamp.Authority) { a.Certificates[0] = authority(t, nil).Certificates()[0] }, reason: timestamp.ReasonAuthority},
		"another root, all from the token": {trust: func(a *timestamp.Authority) { a.Certificates = authority(t, nil).Certificates()[2:] }, reason: timestamp.ReasonChain},
	}
	for kind, reason := range map[string]timestamp.Reason{
		"P-224": timestamp.ReasonAlgorithm, "P-384": "", "P-521": "", "RSA 1024": timestamp.ReasonAlgorithm, "RSA 2048": "",
	} {
		edges["a key of "+kind] = edge{tsa: &timestamptest.Options{Key: signer(t, kind)}, reason: reason}
	}
	return edges
}

func digest(h crypto.Hash) []byte {
	d := h.New()
	d.Write(message)
	return d.Sum(nil)
}

// TestEdges: time, revocation by window, certificates, algorithms. Each token is
// good but for what the case's name says.
func TestEdges(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0") // to make a key that is refused
	n := 0
	for _, edges := range []map[string]edge{tokenEdges(t), timeEdges(), certificateEdges(t)} {
		for name, c := range edges {
			n++
			t.Run(name, func(t *testing.T) {
				tsa := authority(t, c.tsa)
				a := tsa.Authority()
				if c.trust != nil {
					c.trust(a)
				}
				der := stamped(t, tsa)
				s, err := timestamp.Verify(der, message, []*timestamp.Authority{a})
				if got := timestamp.ReasonOf(err); got != c.reason || (err == nil) != (c.reason == "") {
					t.Fatalf("%q, want %q: %v", got, c.reason, err)
				}
				if c.reason != "" {
					if s != nil || !errors.Is(err, c.reason) {
						t.Errorf("%v, %v", s, err)
					}
					return
				}
				if s.Authority != a || s.Time.Truncate(second) != noon || s.Serial == "" || s.Policy == "" {
					t.Errorf("%+v", s)
				}
			})
		}
	}
	if n < 60 {
		t.Errorf("%d cases", n)
	}
	t.Logf("%d cases", n)
}

func TestStampSaysWhatTheTokenDoes(t *testing.T) {
	tsa := authority(t, &timestamptest.Options{Change: func(k *timestamptest.Token) {
		k.Hash, k.Digest, k.Accuracy, k.Policy = crypto.SHA384, digest(crypto.SHA384), 61*time.Second+2*time.Millisecond+3*time.Microsecond, asn1.ObjectIdentifier{1, 2, 3}
	}})
	s, err := timestamp.Verify(stamped(t, tsa), message, []*timestamp.Authority{tsa.Authority()})
	if err != nil {
		t.Fatal(err)
	}
	if s.Time != noon || s.Accuracy != 61*time.Second+2*time.Millisecond+3*time.Microsecond || s.Policy != "1.2.3" || s.Hash != crypto.SHA384 {
		t.Errorf("%+v", s)
	}
}

// TestAuthorities: of several the one that made the token is told, and what
// cannot be used is refused before anything is read.
func TestAuthorities(t *testing.T) {
	one, two := authority(t, nil), authority(t, nil)
	a, b := one.Authority(), two.Authority()
	der := stamped(t, two)
	if s, err := timestamp.Verify(der, message, []*timestamp.Authority{a, b}); err != nil || s.Authority != b {
		t.Errorf("%v, %v", s, err)
	}
	old := *b
	old.To = noon.Add(-second)
	if s, err := timestamp.Verify(der, message, []*timestamp.Authority{&old, b}); err != nil || s.Authority != b {
		t.Errorf("the same certificates with another window: %v, %v", s, err)
	}
	if _, err := timestamp.Verify(der, message, []*timestamp.Authority{&old, a}); timestamp.ReasonOf(err) != timestamp.ReasonWindow {
		t.Error(err)
	}
	if _, err := timestamp.Verify(der, message, nil); timestamp.ReasonOf(err) != timestamp.ReasonAuthority {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		a   []*timestamp.Authority
		err error
	}{
		"nil":             {[]*timestamp.Authority{b, nil}, timestamp.ErrInvalid},
		"empty":           {[]*timestamp.Authority{{}}, timestamp.ErrInvalid},
		"no certificates": {[]*timestamp.Authority{{From: noon}}, timestamp.ErrInvalid},
		"nil certificate": {[]*timestamp.Authority{{From: noon, Certificates: []*x509.Certificate{nil}}}, timestamp.ErrInvalid},
		"no begin":        {[]*timestamp.Authority{{Certificates: b.Certificates}}, timestamp.ErrInvalid},
		"never":           {[]*timestamp.Authority{{Certificates: b.Certificates, From: noon, To: noon.Add(-1)}}, timestamp.ErrInvalid},
		"certificates":    {[]*timestamp.Authority{{Certificates: make([]*x509.Certificate, 17), From: noon}}, timestamp.ErrInvalid},
		"many":            {make([]*timestamp.Authority, timestamp.MaxAuthorities+1), timestamp.ErrLimit},
	} {
		if s, err := timestamp.Verify(der, message, c.a); !errors.Is(err, c.err) || s != nil {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}
