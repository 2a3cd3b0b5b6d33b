package sigstore_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/attest/sigstore/sigstoretest"
)

// badScene is refused for a reason.
type badScene struct {
	want sigstore.Reason
	step
}

// certificate is a scene with a changed certificate.
func certificate(want sigstore.Reason, change func(*x509.Certificate)) badScene {
	return badScene{want, step{make: func(s *scene) { s.cert = change }}}
}

// authority is a scene with a changed certificate of the authority.
func authority(want sigstore.Reason, change func(*x509.Certificate)) badScene {
	return badScene{want, step{make: func(s *scene) {
		s.CA = must(sigstoretest.NewAuthority("changed", noon, change))
		s.root.Authorities[0].Chain = s.CA.Chain()
	}}}
}

// signed is a scene that is changed after signing.
func signed(want sigstore.Reason, change func(*scene)) badScene {
	return badScene{want, step{sign: change}}
}

// written is a scene whose bundle is changed as a text.
func written(want sigstore.Reason, old, new string) badScene {
	return badScene{want, step{text: func(b []byte) []byte {
		out := bytes.Replace(b, []byte(old), []byte(new), 1)
		if bytes.Equal(out, b) {
			panic("nothing to replace: " + old)
		}
		return out
	}}}
}

func extension(id int, value []byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, id}, Value: value}
}

func payloadOf(text string) badScene {
	return badScene{sigstore.ReasonMalformed, step{make: func(s *scene) { s.payload = []byte(text) }}}
}

func mustURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}

// badCertificates are about the certificate and those above it (RFC 5280, Fulcio's
// certificate specification).
var badCertificates = map[string]badScene{
	"certificate expired":         certificate(sigstore.ReasonExpired, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = noon.Add(-time.Hour), noon.Add(-time.Second) }),
	"certificate not yet valid":   certificate(sigstore.ReasonExpired, func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Second) }),
	"certificate for timestamps":  certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping} }),
	"certificate for nothing":     certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.ExtKeyUsage = nil }),
	"certificate for any use":     certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }),
	"certificate for servers too": certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) }),
	"certificate of an authority": certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }),
	"key not for signatures":      certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }),
	"wildcard of a mail domain":   certificate(sigstore.ReasonIdentity, func(c *x509.Certificate) { c.URIs, c.EmailAddresses = nil, []string{"*@stella.test"} }),
	"wildcard of a URI":           certificate(sigstore.ReasonIdentity, func(c *x509.Certificate) { c.URIs = []*url.URL{mustURL("https://ci.stella.test/*")} }),
	"two names":                   certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.EmailAddresses = []string{"alice@stella.test"} }),
	"two URIs":                    certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.URIs = append(c.URIs, mustURL("https://other.test/x")) }),
	"no name":                     certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.URIs = nil; c.Subject.CommonName = subject }),
	"a host beside the name":      certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.DNSNames = []string{"stella.test"} }),
	"an address beside the name":  certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)} }),
	"no issuer":                   certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.ExtraExtensions = nil }),
	"two issuers":                 certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.ExtraExtensions[0].Value = []byte("https://other.test") }),
	"issuer that reads as two": certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{extension(1, []byte("https://a.test|b"))}
	}),
	"issuer that is no text": certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.ExtraExtensions[1].Value = []byte{0x0c, 0x05, 'a'} }),
	"other issuer": certificate(sigstore.ReasonIdentity, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{extension(1, []byte("https://other.test"))}
	}),
	"other subject": certificate(sigstore.ReasonIdentity, func(c *x509.Certificate) { c.URIs = []*url.URL{mustURL(subject + "x")} }),
	"issuer longer by a slash": certificate(sigstore.ReasonIdentity, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{extension(1, []byte(sigstoretest.Issuer+"/"))}
	}),
	"unknown critical extension": certificate(sigstore.ReasonCertificate, func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}})
	}),
	"name outside constraints": authority(sigstore.ReasonCertificate, func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedURIDomains = true, []string{"other.test"}
	}),
	"name inside excluded names": authority(sigstore.ReasonCertificate, func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.ExcludedURIDomains = true, []string{"ci.stella.test"}
	}),
	"authority for servers": authority(sigstore.ReasonCertificate, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }),
	"authority that is none": authority(sigstore.ReasonCertificate, func(c *x509.Certificate) {
		c.IsCA = false
		c.MaxPathLenZero = false
		c.KeyUsage = x509.KeyUsageDigitalSignature
	}),
	"authority expired, CVE-2026-24122":       authority(sigstore.ReasonExpired, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Second) }),
	"authority not yet valid, CVE-2026-24122": authority(sigstore.ReasonExpired, func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Second) }),
	"authority trusted later":                 signed(sigstore.ReasonExpired, func(s *scene) { s.root.Authorities[0].From = noon.Add(time.Second) }),
	"authority trusted until before":          signed(sigstore.ReasonExpired, func(s *scene) { s.root.Authorities[0].Until = noon.Add(-time.Second) }),
	"authority of the same name":              signed(sigstore.ReasonCertificate, func(s *scene) { s.root.Authorities[0].Chain = must(sigstoretest.New(noon)).CA.Chain() }),
	"no authorities":                          signed(sigstore.ReasonCertificate, func(s *scene) { s.root.Authorities = nil }),
	"authority for times":                     signed(sigstore.ReasonCertificate, func(s *scene) { s.root.Authorities[0].Chain = s.root.Timestamps[0].Chain[1:] }),
	"signed by itself":                        {sigstore.ReasonCertificate, step{sign: selfSigned}},
	"certificate of another key": signed(sigstore.ReasonSignature, func(s *scene) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			s.t.Fatal(err)
		}
		s.bundle.Material.Certificates[0] = must(s.Certificate(key.Public(), subject, noon, nil))
		s.relog()
	}),
	"certificate issued again": signed(sigstore.ReasonEntry, func(s *scene) {
		pub, err := x509.ParsePKIXPublicKey(s.public.DER())
		if err != nil {
			s.t.Fatal(err)
		}
		s.bundle.Material.Certificates[0] = must(s.Certificate(pub, subject, noon.Add(-time.Minute), nil))
	}),
	"chain of 50":             signed(sigstore.ReasonLimit, func(s *scene) { s.chain(`bundle+json;version=0.2`, 50) }),
	"chain where none may be": signed(sigstore.ReasonMalformed, func(s *scene) { s.chain(`bundle.v0.3+json`, 2) }),
	"root in the chain":       signed(sigstore.ReasonMalformed, func(s *scene) { s.chain(`bundle+json;version=0.2`, 3) }),
	"no promise to be shown": signed(sigstore.ReasonSCT, func(s *scene) {
		s.root.CertificateLogs = []sigstore.Log{must(must(sigstoretest.NewLog("ct.stella.test")).Trusted(noon))}
	}),
	"certificate cut off":              signed(sigstore.ReasonMalformed, func(s *scene) { c := s.bundle.Material.Certificates; c[0] = c[0][:len(c[0])-1] }),
	"nobody expected":                  signed(sigstore.ReasonIdentity, func(s *scene) { s.policy = &sigstore.Policy{} }),
	"no policy":                        signed(sigstore.ReasonIdentity, func(s *scene) { s.policy = nil }),
	"expected without an issuer":       signed(sigstore.ReasonMalformed, func(s *scene) { s.policy.Identities[0].Issuer = "" }),
	"expected without a subject":       signed(sigstore.ReasonMalformed, func(s *scene) { s.policy.Identities[0].Subject = "" }),
	"pattern that matches a part":      signed(sigstore.ReasonIdentity, func(s *scene) { s.pattern(`https://ci\.stella\.test/org/repo|https://x\.test`) }),
	"pattern over a line's end":        signed(sigstore.ReasonIdentity, func(s *scene) { s.pattern(`(?m)https://ci\.stella\.test/$`) }),
	"pattern that is none":             signed(sigstore.ReasonMalformed, func(s *scene) { s.pattern(`(`) }),
	"pattern that closes the brackets": signed(sigstore.ReasonMalformed, func(s *scene) { s.pattern(`x)|(?:https`) }),
	"key expected":                     signed(sigstore.ReasonKey, func(s *scene) { s.policy = &sigstore.Policy{Keys: []sigstore.Key{{Public: s.public}}} }),
}

func (s *scene) pattern(re string) {
	s.policy.Identities[0] = sigstore.Identity{Issuer: sigstoretest.Issuer, SubjectPattern: re}
}

// selfSigned replaces the certificate by one of the same names that the key signed
// itself.
func selfSigned(s *scene) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	signer, err := dsse.NewPrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	like, err := x509.ParseCertificate(s.bundle.Material.Certificates[0])
	if err != nil {
		s.t.Fatal(err)
	}
	like.SerialNumber, like.ExtraExtensions, like.PublicKey = big.NewInt(5), like.Extensions, key.Public()
	der, err := x509.CreateCertificate(rand.Reader, like, like, key.Public(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.bundle = s.mustBundle(unnamed{signer}, der, s.payloadType, s.payload)
}

// chain writes the bundle with a chain of n certificates in place of one.
func (s *scene) chain(version string, n int) {
	text, err := s.bundle.Encode()
	if err != nil {
		s.t.Fatal(err)
	}
	certs := [][]byte{s.bundle.Material.Certificates[0], s.CA.Below.Raw, s.CA.Root.Raw}
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"rawBytes":%q}`, base64Of(certs[min(i, 2)])))
	}
	out := strings.Replace(string(text), fmt.Sprintf(`"certificate":{"rawBytes":%q}`, base64Of(certs[0])), `"x509CertificateChain":{"certificates":[`+strings.Join(list, ",")+`]}`, 1)
	s.text = []byte(strings.Replace(out, `bundle.v0.3+json`, version, 1))
}

// badTimes are about when something was signed.
var badTimes = map[string]badScene{
	"no time":                        signed(sigstore.ReasonTimestamp, func(s *scene) { s.bundle.Material.Timestamps = nil }),
	"stamped after the certificate":  signed(sigstore.ReasonExpired, func(s *scene) { s.stamp(noon.Add(10*time.Minute + time.Second)) }),
	"stamped before the certificate": signed(sigstore.ReasonExpired, func(s *scene) { s.stamp(noon.Add(-time.Second)) }),
	"one of two times outside": signed(sigstore.ReasonExpired, func(s *scene) {
		other := must(sigstoretest.New(noon))
		s.root.Timestamps = append(s.root.Timestamps, sigstore.Authority{URL: "https://second.stella.test", Chain: chainOf(other), From: noon.AddDate(-1, 0, 0)})
		s.bundle.Material.Timestamps = append(s.bundle.Material.Timestamps, must(other.Timestamp(s.bundle.Signature(), noon.Add(time.Hour))))
	}),
	"stamper unknown": signed(sigstore.ReasonTimestamp, func(s *scene) {
		s.bundle.Material.Timestamps = [][]byte{must(must(sigstoretest.New(noon)).Timestamp(s.bundle.Signature(), noon))}
	}),
	"stamper trusted later":        signed(sigstore.ReasonTimestamp, func(s *scene) { s.root.Timestamps[0].From = noon.Add(time.Second) }),
	"stamper trusted until before": signed(sigstore.ReasonTimestamp, func(s *scene) { s.root.Timestamps[0].Until = noon.Add(-time.Second) }),
	"stamper's certificate expired": {sigstore.ReasonTimestamp, step{make: func(s *scene) {
		s.stamper(noon.AddDate(-1, 0, 0), noon.Add(-time.Second))
		s.root.Timestamps[0].Chain = chainOf(s.Instance)
	}}},
	"stamper's certificate not yet valid": {sigstore.ReasonTimestamp, step{make: func(s *scene) {
		s.stamper(noon.Add(time.Second), noon.AddDate(1, 0, 0))
		s.root.Timestamps[0].Chain = chainOf(s.Instance)
	}}},
	"stamp of another signature": signed(sigstore.ReasonTimestamp, func(s *scene) { s.bundle.Material.Timestamps = [][]byte{must(s.Timestamp([]byte("other"), noon))} }),
	"stamp of the payload":       signed(sigstore.ReasonTimestamp, func(s *scene) { s.bundle.Material.Timestamps = [][]byte{must(s.Timestamp(s.payload, noon))} }),
	"stamp that is none":         signed(sigstore.ReasonTimestamp, func(s *scene) { s.bundle.Material.Timestamps = [][]byte{[]byte("stamp")} }),
	"one stamper for two": signed(sigstore.ReasonTimestamp, func(s *scene) {
		s.opts = &sigstore.Options{Times: 2}
		s.bundle.Material.Timestamps = append(s.bundle.Material.Timestamps, must(s.Timestamp(s.bundle.Signature(), noon.Add(time.Minute))))
	}),
	"one stamper for two under two names": signed(sigstore.ReasonTimestamp, func(s *scene) {
		s.opts = &sigstore.Options{Times: 2}
		again := s.root.Timestamps[0]
		again.URL = "https://second.stella.test"
		s.root.Timestamps = append(s.root.Timestamps, again)
		s.bundle.Material.Timestamps = append(s.bundle.Material.Timestamps, must(s.Timestamp(s.bundle.Signature(), noon.Add(time.Minute))))
	}),
	"a good stamp and a bad one": signed(sigstore.ReasonTimestamp, func(s *scene) {
		s.bundle.Material.Timestamps = append(s.bundle.Material.Timestamps, must(s.Timestamp([]byte("other"), noon)))
	}),
	"many stamps":                    {sigstore.ReasonLimit, step{text: func(b []byte) []byte { return again(b, `"rfc3161Timestamps":[`, `]`, 33) }}},
	"time that the log did not sign": written(sigstore.ReasonPromise, `"inclusionProof":`, `"integratedTime":"1793534400","inclusionProof":`),
	"only a time that the log did not sign": {sigstore.ReasonPromise, step{
		sign: func(s *scene) { s.bundle.Material.Timestamps = nil },
		text: func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"inclusionProof":`), []byte(`"integratedTime":"1793534400","inclusionProof":`), 1)
		},
	}},
	"log key of later, CVE-2026-54787":     signed(sigstore.ReasonLogKey, func(s *scene) { s.root.Logs[0].From = noon.Add(time.Second) }),
	"log key over before, CVE-2026-54787":  signed(sigstore.ReasonLogKey, func(s *scene) { s.root.Logs[0].Until = noon.Add(-time.Second) }),
	"managed key of later, CVE-2026-54787": signed(sigstore.ReasonExpired, func(s *scene) { s.manage(sigstore.Key{Public: s.public, From: noon.Add(time.Second)}) }),
	"managed key over, CVE-2026-54787":     signed(sigstore.ReasonExpired, func(s *scene) { s.manage(sigstore.Key{Public: s.public, Until: noon.Add(-time.Second)}) }),
	"managed key with an end and no time, CVE-2026-54787": signed(sigstore.ReasonTimestamp, func(s *scene) {
		s.manage(sigstore.Key{Public: s.public, Until: noon})
		s.bundle.Material.Timestamps = nil
	}),
	"managed key of somebody else": signed(sigstore.ReasonSignature, func(s *scene) {
		s.manage(sigstore.Key{Public: s.public})
		s.policy.Keys[0].Public = newScene(s.t, step{}).public
	}),
	"managed key, identity expected": signed(sigstore.ReasonKey, func(s *scene) {
		ids := s.policy
		s.manage(sigstore.Key{Public: s.public})
		s.policy = ids
	}),
	"managed key that is nil": signed(sigstore.ReasonMalformed, func(s *scene) { s.policy.Keys = []sigstore.Key{{}} }),
}

// badEntries are about the log.
var badEntries = map[string]badScene{
	"no entry":    signed(sigstore.ReasonUnlogged, func(s *scene) { s.bundle.Material.Entries = nil }),
	"unknown log": signed(sigstore.ReasonUnlogged, func(s *scene) { s.root.Logs[0] = must(must(sigstoretest.NewLog(sigstoretest.Origin)).Trusted(noon)) }),
	"no logs":     signed(sigstore.ReasonUnlogged, func(s *scene) { s.root.Logs = nil }),
	"entry of another signature, CVE-2026-22703": signed(sigstore.ReasonEntry, func(s *scene) {
		other := newScene(s.t, step{}).bundle
		*s.entry() = must(s.Log.Append(rekor.OfBundle(other, nil)))
	}),
	"entry of another payload, CVE-2026-22703": signed(sigstore.ReasonEntry, func(s *scene) {
		other := s.mustBundle(s.key, s.bundle.Material.Certificates[0], s.payloadType, append(s.payload, ' '))
		*s.entry() = other.Material.Entries[0]
	}),
	"entry of another payload, none needed": signed(sigstore.ReasonEntry, func(s *scene) {
		s.opts = &sigstore.Options{NoLog: true}
		other := s.mustBundle(s.key, s.bundle.Material.Certificates[0], s.payloadType, append(s.payload, ' '))
		*s.entry() = other.Material.Entries[0]
	}),
	"body of another entry": signed(sigstore.ReasonProof, func(s *scene) {
		s.entry().Body = bytes.Replace(s.entry().Body, []byte("content"), []byte("Content"), 1)
	}),
	"checkpoint by another key": signed(sigstore.ReasonCheckpoint, func(s *scene) {
		p := s.entry().Proof
		p.Checkpoint = must(must(sigstoretest.NewLog(sigstoretest.Origin)).Checkpoint(p.TreeSize, p.RootHash[:]))
	}),
	"checkpoint of another origin": signed(sigstore.ReasonCheckpoint, func(s *scene) {
		p := s.entry().Proof
		p.Checkpoint = strings.ReplaceAll(p.Checkpoint, sigstoretest.Origin, "lag.stella.test")
	}),
	"checkpoint of another root": signed(sigstore.ReasonCheckpoint, func(s *scene) {
		p := s.entry().Proof
		p.Checkpoint = must(s.Log.Checkpoint(p.TreeSize, make([]byte, 32)))
	}),
	"checkpoint of another size": signed(sigstore.ReasonCheckpoint, func(s *scene) {
		p := s.entry().Proof
		p.Checkpoint = must(s.Log.Checkpoint(p.TreeSize+1, p.RootHash[:]))
	}),
	"checkpoint without signature": signed(sigstore.ReasonCheckpoint, func(s *scene) {
		p := s.entry().Proof
		p.Checkpoint, _, _ = strings.Cut(p.Checkpoint, "\n\n")
		p.Checkpoint += "\n\n"
	}),
	"checkpoint with an unknown signature alone": signed(sigstore.ReasonCheckpoint, func(s *scene) {
		p := s.entry().Proof
		body, _, _ := strings.Cut(p.Checkpoint, "\n\n")
		p.Checkpoint = body + "\n\n— witness.test AAAAAAAA\n"
	}),
	"checkpoint that is none":       signed(sigstore.ReasonCheckpoint, func(s *scene) { s.entry().Proof.Checkpoint = "checkpoint" }),
	"tree of another size":          signed(sigstore.ReasonProof, func(s *scene) { s.entry().Proof.TreeSize += 60 }),
	"root of another tree":          signed(sigstore.ReasonProof, func(s *scene) { s.entry().Proof.RootHash[3] ^= 1 }),
	"hash of a proof flipped":       signed(sigstore.ReasonProof, func(s *scene) { s.entry().Proof.Hashes[0][3] ^= 1 }),
	"hash of a proof missing":       signed(sigstore.ReasonProof, func(s *scene) { p := s.entry().Proof; p.Hashes = p.Hashes[:1] }),
	"hash of a proof too many":      signed(sigstore.ReasonProof, func(s *scene) { p := s.entry().Proof; p.Hashes = append(p.Hashes, p.Hashes[0]) }),
	"index of another entry":        signed(sigstore.ReasonProof, func(s *scene) { s.entry().Proof.LogIndex--; s.entry().LogIndex-- }),
	"index said otherwise":          signed(sigstore.ReasonProof, func(s *scene) { s.entry().LogIndex++ }),
	"index after the tree":          signed(sigstore.ReasonProof, func(s *scene) { s.entry().Proof.LogIndex = s.entry().Proof.TreeSize }),
	"index of 2^63":                 written(sigstore.ReasonMalformed, `"logIndex":"2"`, `"logIndex":"9223372036854775808"`),
	"index below zero":              written(sigstore.ReasonMalformed, `"logIndex":"2"}`, `"logIndex":"-1"}`),
	"index of the proof below zero": written(sigstore.ReasonProof, `"logIndex":"2","`, `"logIndex":"-1","`),
	"no proof":                      {sigstore.ReasonProof, step{text: withoutProof}},
	"label of another kind":         signed(sigstore.ReasonMalformed, func(s *scene) { s.entry().Kind = "dsse" }),
	"label of another version":      signed(sigstore.ReasonMalformed, func(s *scene) { s.entry().Version = "0.0.1" }),
	"kind that is not known":        {sigstore.ReasonUnsupported, step{sign: func(s *scene) { s.rebody(`{"apiVersion":"0.0.1","kind":"tuf","spec":{}}`, "tuf", "0.0.1") }}},
	"body without a spec": {sigstore.ReasonEntry, step{sign: func(s *scene) {
		s.rebody(`{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{}}`, "hashedrekord", "0.0.2")
	}}},
	"body that is no JSON": {sigstore.ReasonMalformed, step{sign: func(s *scene) { s.rebody(`{`, "hashedrekord", "0.0.2") }}},
	"one log for two, CVE-2026-49834": signed(sigstore.ReasonUnlogged, func(s *scene) {
		s.opts = &sigstore.Options{Logs: 2}
		s.bundle.Material.Entries = append(s.bundle.Material.Entries, must(s.Log.Append(rekor.OfBundle(s.bundle, nil))))
	}),
	"one key for two logs, CVE-2026-49834": signed(sigstore.ReasonUnlogged, func(s *scene) {
		s.opts = &sigstore.Options{Logs: 2}
		again := s.root.Logs[0]
		again.ID = []byte("another id")
		s.root.Logs = append(s.root.Logs, again)
		e := must(s.Log.Append(rekor.OfBundle(s.bundle, nil)))
		e.LogID = again.ID
		s.bundle.Material.Entries = append(s.bundle.Material.Entries, e)
	}),
	"a good entry and a bad one": signed(sigstore.ReasonProof, func(s *scene) {
		e := must(s.Log.Append(rekor.OfBundle(s.bundle, nil)))
		e.Proof.Hashes[0][0] ^= 1
		s.bundle.Material.Entries = append(s.bundle.Material.Entries, e)
	}),
	"an entry twice": {sigstore.ReasonMalformed, step{text: func(b []byte) []byte { return again(b, `"tlogEntries":[`, `]}}`, 2) }}},
	"many entries":   {sigstore.ReasonLimit, step{text: func(b []byte) []byte { return again(b, `"tlogEntries":[`, `]}}`, 33) }}},
}

// rebody logs a body as it stands.
func (s *scene) rebody(body, kind, version string) {
	e := must(s.Log.AppendBody([]byte(body)))
	e.Kind, e.Version = kind, version
	*s.entry() = e
}

func withoutProof(text []byte) []byte {
	before, rest, _ := strings.Cut(string(text), `"inclusionProof":`)
	_, after, _ := strings.Cut(rest, `},"`)
	_, after, _ = strings.Cut(after, `},"`)
	if !strings.HasPrefix(after, "kindVersion") {
		before, after, _ = strings.Cut(string(text), `"inclusionProof":`)
		i := strings.Index(after, `},"kindVersion"`)
		after = after[i+3:]
	}
	return []byte(before + `"` + after)
}

// badContents are about what is signed, and about the text of a bundle.
var badContents = map[string]badScene{
	"signature flipped": signed(sigstore.ReasonSignature, func(s *scene) { s.bundle.Envelope.Signatures[0].Sig[20] ^= 1 }),
	"signature cut off": signed(sigstore.ReasonSignature, func(s *scene) { e := s.bundle.Envelope; e.Signatures[0].Sig = e.Signatures[0].Sig[:20] }),
	"payload changed": signed(sigstore.ReasonSignature, func(s *scene) {
		s.bundle.Envelope.Payload = bytes.Replace(payload, []byte(`"a":1`), []byte(`"a":2`), 1)
	}),
	"payload type changed":              signed(sigstore.ReasonSignature, func(s *scene) { s.bundle.Envelope.PayloadType, s.artifact = "application/json", nil }),
	"two signatures":                    {sigstore.ReasonMalformed, step{text: func(b []byte) []byte { return again(b, `"signatures":[`, `]`, 2) }}},
	"no signature":                      {sigstore.ReasonMalformed, step{text: func(b []byte) []byte { return between(b, `"signatures":[`, `]`, "") }}},
	"other artifact":                    signed(sigstore.ReasonArtifact, func(s *scene) { s.artifact.Digest = "sha256:" + strings.Repeat("0", 64) }),
	"artifact of other content":         signed(sigstore.ReasonArtifact, func(s *scene) { s.artifact = &sigstore.Artifact{Content: []byte("x")} }),
	"artifact that is two":              signed(sigstore.ReasonArtifact, func(s *scene) { s.artifact.Content = []byte("x") }),
	"artifact that is none":             signed(sigstore.ReasonMalformed, func(s *scene) { s.artifact = &sigstore.Artifact{} }),
	"digest in upper case":              signed(sigstore.ReasonMalformed, func(s *scene) { s.artifact.Digest = "sha256:" + strings.ToUpper(image[7:]) }),
	"digest by SHA-1":                   signed(sigstore.ReasonMalformed, func(s *scene) { s.artifact.Digest = "sha1:" + strings.Repeat("0", 40) }),
	"artifact for a payload of its own": {sigstore.ReasonArtifact, step{make: func(s *scene) { s.payloadType = "application/vnd.stella.test" }}},
	"statement of another version": {sigstore.ReasonUnsupported, step{make: func(s *scene) {
		s.payload = []byte(`{"_type":"https://in-toto.io/Statement/v2","subject":[{"digest":{"sha256":"` + image[7:] + `"}}],"predicateType":"t","predicate":{}}`)
	}}},
	"statement that is none, CVE-2026-39395": payloadOf(`{}x`),
	"statement without subject":              payloadOf(`{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"t","predicate":{}}`),
	"statement with a member twice":          payloadOf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + image[7:] + `"}}],"predicateType":"t","predicateType":"u","predicate":{}}`),
	"message of another digest":              signed(sigstore.ReasonArtifact, func(s *scene) { s.message([]byte("content")); s.bundle.Message.Digest[0] ^= 1 }),
	"message and no artifact":                signed(sigstore.ReasonArtifact, func(s *scene) { s.message([]byte("content")); s.artifact = nil }),
	"message of other content":               signed(sigstore.ReasonArtifact, func(s *scene) { s.message([]byte("content")); s.artifact.Content = []byte("Content") }),
	"message with another signature":         signed(sigstore.ReasonSignature, func(s *scene) { s.message([]byte("content")); s.bundle.Message.Signature[20] ^= 1 }),
	"nothing":                                {sigstore.ReasonMalformed, step{text: func([]byte) []byte { return nil }}},
	"a list":                                 {sigstore.ReasonMalformed, step{text: func(b []byte) []byte { return append(append([]byte("["), b...), ']') }}},
	"cut off":                                {sigstore.ReasonMalformed, step{text: func(b []byte) []byte { return b[:len(b)-1] }}},
	"something after":                        {sigstore.ReasonMalformed, step{text: func(b []byte) []byte { return append(b, '{', '}') }}},
	"too large":                              {sigstore.ReasonLimit, step{text: func(b []byte) []byte { return append(b, bytes.Repeat([]byte(" "), sigstore.MaxBundle)...) }}},
	"member twice":                           written(sigstore.ReasonMalformed, `{"dsseEnvelope":`, `{"mediaType":"x","dsseEnvelope":`),
	"member unknown":                         written(sigstore.ReasonMalformed, `{"dsseEnvelope":`, `{"x":1,"dsseEnvelope":`),
	"member of another case":                 written(sigstore.ReasonMalformed, `"payloadType"`, `"PayloadType"`),
	"type unknown":                           written(sigstore.ReasonUnsupported, `bundle.v0.3+json`, `bundle.v0.4+json`),
	"type of a patch":                        written(sigstore.ReasonUnsupported, `bundle.v0.3+json`, `bundle.v0.3.1+json`),
	"type missing":                           written(sigstore.ReasonUnsupported, `"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",`, ``),
	"older version":                          written(sigstore.ReasonPromise, `bundle.v0.3+json`, `bundle+json;version=0.1`),
	"material empty":                         {sigstore.ReasonMalformed, step{text: func(b []byte) []byte { return between(b, `"verificationMaterial":{`, `}}`, "") }}},
	"a thousand levels deep":                 {sigstore.ReasonMalformed, step{text: func([]byte) []byte { return []byte(strings.Repeat(`{"verificationMaterial":`, 20000)) }}},
}

// between replaces what is between two texts.
func between(text []byte, from, to, with string) []byte {
	before, rest, _ := strings.Cut(string(text), from)
	i := strings.LastIndex(rest, to)
	if to == "]" {
		i = strings.Index(rest, to)
	}
	return []byte(before + from + with + rest[i:])
}

// again repeats what is between two texts, with commas.
func again(text []byte, from, to string, n int) []byte {
	_, rest, _ := strings.Cut(string(text), from)
	inner, _, _ := strings.Cut(rest, to)
	return between(text, from, to, strings.Join(slices.Repeat([]string{inner}, n), ","))
}

// badScenes are all.
func badScenes() map[string]badScene {
	out := map[string]badScene{}
	for _, m := range []map[string]badScene{badCertificates, badTimes, badEntries, badContents} {
		maps.Copy(out, m)
	}
	return out
}

func TestBad(t *testing.T) {
	seen := map[sigstore.Reason]int{}
	for name, bad := range badScenes() {
		t.Run(name, func(t *testing.T) {
			r, err := newScene(t, bad.step).verify()
			if got := sigstore.ReasonOf(err); err == nil || got != bad.want || r != nil {
				t.Errorf("%v, want %q", err, bad.want)
			}
		})
		seen[bad.want]++
	}
	for _, r := range sigstore.Reasons() {
		if seen[r] == 0 && r != sigstore.ReasonFailed {
			t.Errorf("no scene for reason %q", r)
		}
	}
	t.Logf("%d scenes", len(badScenes()))
}
