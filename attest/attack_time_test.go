package attest_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
)

// stamped gives the bundle other timestamps.
func stamped(tokens func(l *lab, sig []byte) [][]byte) func(l *lab, d doc) {
	return func(l *lab, d doc) {
		list := []any{}
		for _, t := range tokens(l, unb64(d.signature()["sig"].(string))) {
			list = append(list, doc{"signedTimestamp": b64(t)})
		}
		d.material()[stampData] = doc{"rfc3161Timestamps": list}
	}
}

func stampOver(message func(l *lab, sig []byte) []byte) func(l *lab, d doc) {
	return stamped(func(l *lab, sig []byte) [][]byte { return [][]byte{l.stamp(message(l, sig))} })
}

// authority is another authority, which is trusted in place of the lab's.
func (l *lab) authority(o *timestamptest.Options) *timestamptest.TSA {
	if o.Now == nil {
		o.Now = func() time.Time { return l.stamped }
	}
	tsa, err := timestamptest.New(o)
	if err != nil {
		l.t.Fatal(err)
	}
	return tsa
}

// otherwise has an authority stamp the bundle that is trusted and does it wrongly.
func otherwise(name, code string, o func() *timestamptest.Options) attack {
	var tsa *timestamptest.TSA
	return attack{name: name, code: code,
		change: stamped(func(l *lab, sig []byte) [][]byte {
			tsa = l.authority(o())
			token, err := tsa.Stamp(sig)
			if err != nil {
				l.t.Fatal(err)
			}
			return [][]byte{token}
		}),
		trust: func(_ *lab, t *attest.Trust) { t.Authorities = []*timestamp.Authority{tsa.Authority()} },
	}
}

// valid gives a certificate of an authority another validity.
func valid(which string, from, to time.Time) func() *timestamptest.Options {
	return func() *timestamptest.Options {
		return &timestamptest.Options{Certificate: func(name string, c *x509.Certificate) {
			if name == which {
				c.NotBefore, c.NotAfter = from, to
			}
		}}
	}
}

var timeAttacks = []attack{
	{name: "no timestamp", code: "no timestamp", change: gone(mat, stampData)},
	{name: "no timestamp, and an age is asked for", code: "no timestamp", change: gone(mat, stampData), want: func(_ *lab, e *attest.Expectation) { e.Stamped, e.MaxAge = false, time.Hour }},
	{name: "an envelope alone where a timestamp is asked for", code: "no timestamp", text: plainText(nil), want: func(_ *lab, e *attest.Expectation) { e.Logged = false }},
	{name: "an envelope alone where an age is asked for", code: "no timestamp", text: plainText(nil), want: func(l *lab, e *attest.Expectation) { plainly(l, e); e.MaxAge = time.Hour }},
	{name: "an envelope alone where an entry is asked for", code: "no transparency", text: plainText(nil), want: func(_ *lab, e *attest.Expectation) { e.Stamped = false }},
	{name: "an empty list", code: "no timestamp", change: stamped(func(*lab, []byte) [][]byte { return nil })},
	{name: "an empty token", code: "malformed", change: stamped(func(*lab, []byte) [][]byte { return [][]byte{{}} })},
	{name: "garbage", code: "timestamp/malformed", change: stamped(func(*lab, []byte) [][]byte { return [][]byte{[]byte("token")} })},
	{name: "something behind the token", code: "timestamp/malformed", change: stamped(func(l *lab, sig []byte) [][]byte { return [][]byte{append(l.stamp(sig), 0)} })},
	{name: "a token cut short", code: "timestamp/malformed", change: stamped(func(l *lab, sig []byte) [][]byte { t := l.stamp(sig); return [][]byte{t[:len(t)-1]} })},
	{name: "nested deeply", code: "timestamp/", change: stamped(func(*lab, []byte) [][]byte { return [][]byte{deepDER(5_000)} })},
	{name: "64 KiB of token", code: "malformed", change: stamped(func(*lab, []byte) [][]byte { return [][]byte{make([]byte, 64<<10+1)} })},
	{name: "over the payload", code: "timestamp/other message", change: stampOver(func(l *lab, _ []byte) []byte { return l.statement().text() })},
	{name: "over the signature in base64", code: "timestamp/other message", change: stampOver(func(_ *lab, sig []byte) []byte { return []byte(b64(sig)) })},
	{name: "over the signature's twin", code: "timestamp/other message", change: stampOver(func(l *lab, sig []byte) []byte { return twin(l.a, sig) })},
	{name: "over another signature (CVE-2026-39984)", code: "timestamp/other message", change: stampOver(func(l *lab, _ []byte) []byte { return unb64(l.another().signature()["sig"].(string)) })},
	{name: "one good and one bad", code: "timestamp/other message", change: stamped(func(l *lab, sig []byte) [][]byte { return [][]byte{l.stamp(sig), l.stamp([]byte("x"))} })},
	{name: "one bad and one good", code: "timestamp/malformed", change: stamped(func(l *lab, sig []byte) [][]byte { return [][]byte{{1}, l.stamp(sig)} })},
	{name: "an unknown authority", code: "timestamp/unknown authority", trust: func(_ *lab, t *attest.Trust) { t.Authorities = nil }},
	{name: "an unknown authority with names of a known one (CVE-2026-39984)", code: "timestamp/", change: stamped(func(l *lab, sig []byte) [][]byte {
		t, err := l.authority(&timestamptest.Options{}).Stamp(sig) // every test authority has the same names
		if err != nil {
			l.t.Fatal(err)
		}
		return [][]byte{t}
	})},
	{name: "an unknown authority, which counts as none", code: "no timestamp", trust: func(_ *lab, t *attest.Trust) { t.Authorities = nil }, want: func(_ *lab, e *attest.Expectation) { e.Unknown = true }},
	{name: "a bad token is no unknown one", code: "timestamp/malformed", change: stamped(func(*lab, []byte) [][]byte { return [][]byte{{1}} }), want: func(_ *lab, e *attest.Expectation) { e.Unknown, e.Stamped = true, false }},
	{name: "an authority without certificates", code: "timestamp", trust: func(_ *lab, t *attest.Trust) { t.Authorities = []*timestamp.Authority{{From: now.AddDate(-1, 0, 0)}} }},
	{name: "an authority that is nil", code: "timestamp", trust: func(_ *lab, t *attest.Trust) { t.Authorities = []*timestamp.Authority{nil} }},
	{name: "an authority without a time", code: "timestamp", trust: func(l *lab, t *attest.Trust) {
		a := *l.tsa.Authority()
		a.From = time.Time{}
		t.Authorities = []*timestamp.Authority{&a}
	}},
	{name: "an authority under other policies", code: "timestamp/other policy", trust: func(l *lab, t *attest.Trust) {
		a := *l.tsa.Authority()
		a.Policies = []string{"1.2.3"}
		t.Authorities = []*timestamp.Authority{&a}
	}},
	otherwise("a certificate that expired", "timestamp/certificate not valid at the time", valid(timestamptest.Leaf, now.AddDate(-1, 0, 0), now.Add(-2*time.Hour))),
	otherwise("an intermediate that expired (CVE-2026-24122)", "timestamp/certificate not valid at the time", valid(timestamptest.Intermediate, now.AddDate(-1, 0, 0), now.Add(-2*time.Hour))),
	otherwise("a root that expired (CVE-2026-24122)", "timestamp/certificate not valid at the time", valid(timestamptest.Root, now.AddDate(-1, 0, 0), now.Add(-2*time.Hour))),
	otherwise("a certificate that is not valid yet", "timestamp/certificate not valid at the time", valid(timestamptest.Leaf, now, now.AddDate(1, 0, 0))),
	otherwise("a certificate for other things", "timestamp/certificate not for timestamps", func() *timestamptest.Options {
		return &timestamptest.Options{Certificate: func(name string, c *x509.Certificate) {
			if name == timestamptest.Leaf {
				c.ExtraExtensions = nil
				c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
			}
		}}
	}),
	otherwise("signed by somebody else (CVE-2026-39984)", "timestamp/bad signature", func() *timestamptest.Options {
		return &timestamptest.Options{Change: func(t *timestamptest.Token) { t.Signer = mustKey() }}
	}),
	otherwise("an hour after now", "age", func() *timestamptest.Options {
		return &timestamptest.Options{Now: func() time.Time { return now.Add(time.Hour) }}
	}),
	{name: "older than it may be", code: "age", want: func(_ *lab, e *attest.Expectation) { e.MaxAge = time.Hour - 1 }},
	{name: "the oldest counts", code: "age", change: stamped(func(l *lab, sig []byte) [][]byte {
		t, old := l.stamp(sig), *l
		old.stamped = now.Add(-3 * time.Hour)
		late, err := l.tsaAt(old.stamped).Stamp(sig)
		if err != nil {
			l.t.Fatal(err)
		}
		return [][]byte{t, late}
	}), want: func(_ *lab, e *attest.Expectation) { e.MaxAge = 2 * time.Hour }, trust: func(l *lab, t *attest.Trust) { t.Authorities = append(t.Authorities, l.later.Authority()) }},
	{name: "verified before it was made", code: "age", want: func(_ *lab, e *attest.Expectation) { e.At = now.Add(-24 * time.Hour) }},
	{name: "verified in the year 1", code: "age", want: func(_ *lab, e *attest.Expectation) { e.At = time.Time{}.Add(1) }},
	{name: "verified 10,000 years later", code: "age", want: func(_ *lab, e *attest.Expectation) { e.At, e.MaxAge = now.AddDate(10_000, 0, 0), 1<<63-2 }},
}

// tsaAt is another authority that is kept for the case.
func (l *lab) tsaAt(at time.Time) *timestamptest.TSA {
	l.later = l.authority(&timestamptest.Options{Now: func() time.Time { return at }})
	return l.later
}

func deepDER(n int) []byte {
	var out []byte
	for range n {
		out = append(out, 0x30, 0x80)
	}
	return out
}

// believer is a Certificates that believes everything, and says what it is told to.
type believer struct {
	says attest.Verified
	err  error
}

func (b *believer) VerifyCertified(_ context.Context, text, _ []byte) (*attest.Verified, error) {
	if b.err != nil {
		return nil, b.err
	}
	out := b.says
	return &out, nil
}

const somebody = "sigstore:https://issuer.example|somebody@example.com"

// certified is the good bundle with a certificate, of which a verifier says something.
func certified(name, code string, says func(v *attest.Verified, b *believer), want func(l *lab, e *attest.Expectation)) attack {
	return attack{name: name, code: code,
		change: func(l *lab, d doc) {
			delete(d.material(), "publicKey")
			d.material()["certificate"] = doc{"rawBytes": b64(l.tsa.Certificates()[0].Raw)}
		},
		trust: func(l *lab, t *attest.Trust) {
			b := &believer{says: attest.Verified{PayloadType: statType, Payload: l.statement().text(), Signers: []string{somebody}, Times: []time.Time{l.stamped}, Logged: []attest.Logged{{Origin: "rekor"}}}}
			if says != nil {
				says(&b.says, b)
			}
			t.Certificates = b
		},
		want: func(l *lab, e *attest.Expectation) {
			if e.Signers = []string{somebody}; want != nil {
				want(l, e)
			}
		},
	}
}

var certificateAttacks = []attack{
	{name: "nothing here verifies those", code: "certificate", change: certified("", "", nil, nil).change},
	certified("not believed", "certificate", func(_ *attest.Verified, b *believer) { b.err = errors.New("expired") }, nil),
	certified("nobody is asked for", "identity", nil, func(_ *lab, e *attest.Expectation) { e.Signers = nil }),
	certified("somebody else is asked for (CVE-2022-35930)", "identity", nil, func(_ *lab, e *attest.Expectation) { e.Signers = []string{somebody + "x"} }),
	certified("a key is asked for", "identity", nil, func(l *lab, e *attest.Expectation) { e.Signers = []string{idOf(l.a.Public())} }),
	certified("of nobody", "identity", func(v *attest.Verified, _ *believer) { v.Signers = nil }, nil),
	certified("two must sign", "below threshold", nil, func(_ *lab, e *attest.Expectation) { e.Threshold = 2 }),
	certified("not logged", "no transparency", func(v *attest.Verified, _ *believer) { v.Logged = nil }, nil),
	certified("not stamped", "no timestamp", func(v *attest.Verified, _ *believer) { v.Times = nil }, nil),
	certified("stamped in an hour", "age", func(v *attest.Verified, _ *believer) { v.Times = []time.Time{now.Add(time.Hour)} }, nil),
	certified("too old", "age", nil, func(_ *lab, e *attest.Expectation) { e.MaxAge = time.Minute }),
	certified("read as another payload (CVE-2022-36056)", "malformed", func(v *attest.Verified, _ *believer) { v.Payload = []byte("{}") }, nil),
	certified("read as another type", "payload type", func(v *attest.Verified, _ *believer) { v.PayloadType = "application/json" }, nil),
	certified("read as an artifact", "payload type", func(v *attest.Verified, _ *believer) { v.PayloadType = "" }, nil),
	certified("another predicate", "predicate type", nil, func(_ *lab, e *attest.Expectation) { e.Predicates = []string{intoto.PredicateVerdict} }),
	certified("another subject", "subject", nil, func(_ *lab, e *attest.Expectation) { e.Subjects = []string{other} }),
	{name: "a statement's signature as that of a file", code: "artifact", bundle: func(l *lab) doc {
		d := l.message(pae(statType, l.statement().text()))
		delete(d.material(), "publicKey")
		d.material()["certificate"] = doc{"rawBytes": b64(l.tsa.Certificates()[0].Raw)}
		return d
	}, trust: certified("", "", nil, nil).trust, want: func(l *lab, e *attest.Expectation) {
		*e = attest.Expectation{At: now, Artifact: pae(statType, l.statement().text()), Signers: []string{somebody}}
	}},
	certified("another artifact", "artifact", nil, func(_ *lab, e *attest.Expectation) { e.Artifact = []byte("x") }),
}

// artifact is what message bundles sign, in the control and in the cases.
var artifact = []byte("an artifact")

// message is the bundle of an artifact that a key signed.
func (l *lab) message(content []byte) doc {
	d := l.good()
	sig := ecSign(l.a, content)
	delete(d, env)
	delete(d.material(), entries)
	d.material()[stampData] = doc{"rfc3161Timestamps": []any{doc{"signedTimestamp": b64(l.stamp(sig))}}}
	d["messageSignature"] = doc{"messageDigest": doc{"algorithm": "SHA2_256", "digest": b64(digestOf(content))}, "signature": b64(sig)}
	return d
}

func signsArtifact(l *lab) doc { return l.message(artifact) }

// signed expects the artifact.
func artifactly(_ *lab, e *attest.Expectation) {
	*e = attest.Expectation{At: now, Artifact: artifact, Stamped: true}
}

var messageAttacks = []attack{
	{name: "where a statement is wanted", code: "statement", bundle: signsArtifact, want: func(_ *lab, e *attest.Expectation) { e.Logged, e.Artifact = false, artifact }},
	{name: "where a payload type is wanted", code: "statement", bundle: signsArtifact, want: func(l *lab, e *attest.Expectation) { artifactly(l, e); e.PayloadType = statType }},
	{name: "where nothing is at hand", code: "artifact", bundle: signsArtifact, want: func(_ *lab, e *attest.Expectation) { *e = attest.Expectation{At: now} }},
	{name: "of another artifact", code: "artifact", bundle: signsArtifact, want: func(l *lab, e *attest.Expectation) { artifactly(l, e); e.Artifact = []byte("another") }},
	{name: "of another artifact, without a digest", code: unsigned, bundle: func(l *lab) doc {
		d := l.message(artifact)
		delete(d.at("messageSignature"), "messageDigest")
		return d
	}, want: func(l *lab, e *attest.Expectation) { artifactly(l, e); e.Artifact = []byte("another") }},
	{name: "of another artifact, with the right digest", code: unsigned, bundle: func(l *lab) doc {
		d := l.message([]byte("another"))
		d.at("messageSignature", "messageDigest")["digest"] = b64(digestOf(artifact))
		return d
	}, want: artifactly},
	{name: "with another digest", code: "artifact", bundle: func(l *lab) doc {
		d := l.message(artifact)
		d.at("messageSignature", "messageDigest")["digest"] = odd
		return d
	}, want: artifactly},
	{name: "with a digest of another length", code: "malformed", bundle: func(l *lab) doc {
		d := l.message(artifact)
		d.at("messageSignature", "messageDigest")["digest"] = "AAAA"
		return d
	}, want: artifactly},
	{name: "with a digest by SHA-1", code: "malformed", bundle: func(l *lab) doc {
		d := l.message(artifact)
		d.at("messageSignature", "messageDigest")["algorithm"] = "SHA1"
		return d
	}, want: artifactly},
	{name: "by a key for statements", code: "key/key for other purposes", bundle: signsArtifact, want: artifactly, trust: func(_ *lab, t *attest.Trust) { t.Keys.Members[0].Purposes = []string{intoto.PredicateSPDX} }},
	{name: "where two must sign", code: "below threshold", bundle: signsArtifact, want: func(l *lab, e *attest.Expectation) { artifactly(l, e); e.Threshold = 2 }},
	{name: "where an entry is wanted", code: "no transparency", bundle: signsArtifact, want: func(l *lab, e *attest.Expectation) { artifactly(l, e); e.Logged = true }},
	{name: "with the entry of a statement", code: "log entry/", bundle: func(l *lab) doc {
		d := l.message(artifact)
		d.material()[entries] = l.good().material()[entries]
		return d
	}, want: func(l *lab, e *attest.Expectation) { artifactly(l, e); e.Logged = true }},
	{name: "a statement's signature as that of a file (CVE-2022-35929)", code: "artifact", bundle: func(l *lab) doc {
		// What signs an envelope is also a signature of a file with the envelope's encoding in it.
		return l.message(pae(statType, l.statement().text()))
	}, want: func(l *lab, e *attest.Expectation) {
		artifactly(l, e)
		e.Artifact = pae(statType, l.statement().text())
	}},
	{name: "a statement that is not about the artifact", code: "artifact", want: func(_ *lab, e *attest.Expectation) { e.Artifact = artifact }},
}

// TestMessage is the control of the cases above.
func TestMessage(t *testing.T) {
	l := newLab(t)
	if _, err := l.verify(t, &attack{bundle: signsArtifact, want: artifactly}); err != nil {
		t.Error(err)
	}
}

// loosened is a bundle that passes, and not where the form is asked for in which nothing
// can be changed.
func loosened(name, code string, change func(l *lab, d doc)) attack {
	return attack{name: name, code: code, change: change, want: canonically}
}

var canonicalAttacks = []attack{
	{name: "white space", code: "malformed", text: after(" "), want: canonically},
	{name: "a line end", code: "malformed", text: after("\n"), want: canonically},
	{name: "a blank before it", code: "malformed", text: func(l *lab) []byte { return append([]byte(" "), l.good().text()...) }, want: canonically},
	{name: "an escape", code: "malformed", text: replaced(`"hint"`, `"\u0068int"`), want: canonically},
	{name: "a number for a string", code: "malformed", text: replaced(`"logIndex":"3"`, `"logIndex":3`), want: canonically},
	{name: "a member that is null", code: "malformed", text: replaced(`"mediaType"`, `"messageSignature":null,"mediaType"`), want: canonically},
	{name: "members in another order", code: "malformed", want: canonically, text: func(l *lab) []byte {
		text := string(l.good().text())
		const m = `"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",`
		return []byte("{" + m + put(m, "")(text)[1:])
	}},
	{name: "the URL alphabet", code: "malformed", want: canonically, bundle: func(l *lab) doc {
		d := l.signed(padded(l), l.a)
		d.envelope()["payload"] = urlAlphabet(d.envelope()["payload"].(string))
		return d
	}},
	loosened("another spelling of the media type", "malformed", member("application/vnd.dev.sigstore.bundle+json;version=0.3", "mediaType")),
	loosened("another hint", "malformed", func(l *lab, d doc) { d.material().at("publicKey")["hint"] = idOf(l.b.Public()) }),
	loosened("no hint", "malformed", func(l *lab, d doc) { d.material()["publicKey"] = doc{} }),
	loosened("a key id in the envelope", "malformed", func(l *lab, d doc) { d.signature()["keyid"] = idOf(l.a.Public()) }),
	loosened("a promise that nobody checks", "malformed", inEntry("inclusionPromise", doc{"signedEntryTimestamp": "AAAA"})),
	loosened("a time that nobody checks", "malformed", inEntry("integratedTime", "1700000000")),
	loosened("an index that nobody checks", "malformed", func(l *lab, d doc) { d.material()[entries] = []any{l.entryV1(d)} }),
	loosened("a signature of nobody known in the checkpoint", "unknown party", func(l *lab, d doc) {
		c := d.proof().at("checkpoint")
		c["envelope"] = c["envelope"].(string) + l.foreign.line(d.checkpoint(), 0)
	}),
	{name: "an envelope with another key id", code: "malformed", text: plainText(func(l *lab, e doc) { e.at("signatures", 0)["keyid"] = "another" }), want: canonicallyPlain},
	{name: "an envelope without a key id", code: "malformed", text: plainText(func(l *lab, e doc) { delete(e.at("signatures", 0), "keyid") }), want: canonicallyPlain},
	{name: "an envelope with a signature of nobody known", code: "unknown party", want: canonicallyPlain, text: func(l *lab) []byte {
		return seal(statType, l.statement().text(), l.a, l.nobody).text()
	}},
	{name: "an envelope with a signature that is none", code: "unknown party", want: canonicallyPlain, text: plainText(func(l *lab, e doc) {
		e["signatures"] = []any{e.at("signatures", 0), doc{"sig": "AAAA"}}
	})},
	{name: "an envelope with one signature twice", code: "malformed", want: canonicallyPlain, text: plainText(func(l *lab, e doc) {
		e["signatures"] = []any{e.at("signatures", 0), e.at("signatures", 0)}
	})},
}

func canonicallyPlain(l *lab, e *attest.Expectation) { plainly(l, e); e.Canonical = true }

// What the canonical form refuses is otherwise no reason to refuse a bundle: those who
// made it may not have been this tool.
func TestLoosened(t *testing.T) {
	l := newLab(t)
	for _, c := range canonicalAttacks {
		want := c.want
		c.want = func(l *lab, e *attest.Expectation) { want(l, e); e.Canonical = false }
		if _, err := l.verify(t, &c); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestTimeEdges is T5: each window has two edges, and each edge three seconds.
func TestTimeEdges(t *testing.T) {
	l := newLab(t)
	l.tsaAt(l.stamped)
	second := time.Second
	at := func(off time.Duration) time.Time { return l.stamped.Add(off) }
	type edge struct {
		name string
		code [3]string // one second before, at, and after the edge
		want func(e *attest.Expectation, off time.Duration)
		// trust sets the edge so that the bundle was stamped off after it.
		trust func(t *attest.Trust, off time.Duration)
	}
	const early, late, revoked, window = "key/key not yet valid", "key/key no longer valid", "key/key revoked", "timestamp/outside the authority's validity"
	first := func(t *attest.Trust) *key.Member { return &t.Keys.Members[0] }
	authority := func(t *attest.Trust) *timestamp.Authority {
		a := *t.Authorities[0]
		t.Authorities[0] = &a
		return &a
	}
	for _, c := range []edge{
		{name: "key from", code: [3]string{early, "", ""}, trust: func(t *attest.Trust, off time.Duration) { first(t).From = at(-off) }},
		{name: "key to", code: [3]string{"", late, late}, trust: func(t *attest.Trust, off time.Duration) { first(t).To = at(-off) }},
		{name: "key revoked", code: [3]string{"", revoked, revoked}, trust: func(t *attest.Trust, off time.Duration) {
			first(t).Revoked = &key.Revocation{At: at(-off), Reason: "lost"}
		}},
		{name: "authority from", code: [3]string{window, "", ""}, trust: func(t *attest.Trust, off time.Duration) { authority(t).From = at(-off) }},
		{name: "authority to", code: [3]string{"", "", window}, trust: func(t *attest.Trust, off time.Duration) { authority(t).To = at(-off) }},
		{name: "age", code: [3]string{"", "", "age"}, want: func(e *attest.Expectation, off time.Duration) { e.MaxAge, e.At = time.Hour, at(time.Hour+off) }},
		{name: "future", code: [3]string{"age", "", ""}, want: func(e *attest.Expectation, off time.Duration) { e.At = at(-5*time.Minute + off) }},
		{name: "key to, by the clock alone", code: [3]string{"", late, late}, want: func(e *attest.Expectation, off time.Duration) { e.At = at(0) },
			trust: func(t *attest.Trust, off time.Duration) { first(t).To, t.Authorities = at(-off), nil }},
		{name: "key from, by the clock alone", code: [3]string{early, "", ""}, want: func(e *attest.Expectation, off time.Duration) { e.At = at(0) },
			trust: func(t *attest.Trust, off time.Duration) { first(t).From, t.Authorities = at(-off), nil }},
		{name: "key revoked, by the clock alone", code: [3]string{"", revoked, revoked}, want: func(e *attest.Expectation, off time.Duration) { e.At = at(0) },
			trust: func(t *attest.Trust, off time.Duration) {
				first(t).Revoked, t.Authorities = &key.Revocation{At: at(-off), Reason: "lost"}, nil
			}},
		{name: "key to while revoked later", code: [3]string{"", late, late}, trust: func(t *attest.Trust, off time.Duration) {
			first(t).To, first(t).Revoked = at(-off), &key.Revocation{At: at(time.Hour), Reason: "lost"}
		}},
		{name: "revoked while it ends later", code: [3]string{"", revoked, revoked}, trust: func(t *attest.Trust, off time.Duration) {
			first(t).To, first(t).Revoked = at(time.Hour), &key.Revocation{At: at(-off), Reason: "lost"}
		}},
	} {
		for i, off := range []time.Duration{-second, 0, second} {
			for _, zone := range []*time.Location{time.UTC, time.FixedZone("east", 14*3600)} { // a zone is no other time
				t.Run(fmt.Sprintf("%s/%v/%v", c.name, off, zone), func(t *testing.T) {
					a := attack{want: func(_ *lab, e *attest.Expectation) {
						if c.want != nil {
							c.want(e, off)
						}
						e.At = e.At.In(zone)
					}, trust: func(_ *lab, trust *attest.Trust) {
						if c.trust != nil {
							c.trust(trust, off)
						}
						for i := range trust.Keys.Members {
							trust.Keys.Members[i].From = trust.Keys.Members[i].From.In(zone)
						}
					}}
					if want := a.want; c.trust != nil && c.want != nil { // by the clock alone
						a.want = func(l *lab, e *attest.Expectation) { want(l, e); e.Stamped, e.Unknown = false, true }
					}
					_, err := l.verify(t, &a)
					if c.code[i] == "" && err != nil {
						t.Error(err)
					} else if c.code[i] != "" {
						mustRefuse(t, err, c.code[i])
					}
				})
			}
		}
	}
}
