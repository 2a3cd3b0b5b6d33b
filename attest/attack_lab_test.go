package attest_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"strconv"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
	"github.com/stella-ops/stella/attest/tlog"
)

// lab makes bundles with the standard library alone, so that what an attacker would
// write can be written: nothing here asks the packages under test.
type lab struct {
	t       testing.TB
	a, b    *ecdsa.PrivateKey // may sign anything
	narrow  *ecdsa.PrivateKey // may sign verdicts, and OpenVEX 0.2.0
	past    *ecdsa.PrivateKey // could sign until an hour and a half ago
	future  *ecdsa.PrivateKey // can sign in an hour
	stolen  *ecdsa.PrivateKey // revoked since two hours
	never   *ecdsa.PrivateKey // revoked for ever
	p384    *ecdsa.PrivateKey
	ed      ed25519.PrivateKey
	nobody  *ecdsa.PrivateKey
	log     note // that is trusted
	second  note // as well
	foreign note // of a log that is not
	watch   []note
	tsa     *timestamptest.TSA
	later   *timestamptest.TSA // that a case made
	stamped time.Time
	trust   attest.Trust
}

// note is a key of signed-note: of a log, or of a witness.
type note struct {
	name string
	kind byte
	ed   ed25519.PrivateKey
	ec   *ecdsa.PrivateKey
}

func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{t: t, stamped: now.Add(-time.Hour)}
	for _, k := range []**ecdsa.PrivateKey{&l.a, &l.b, &l.narrow, &l.past, &l.future, &l.stolen, &l.never, &l.nobody} {
		*k = ecKey(t, elliptic.P256())
	}
	l.p384, l.ed = ecKey(t, elliptic.P384()), edKey(t)
	l.log = note{name: "log.example/one", kind: 1, ed: edKey(t)}
	l.second = note{name: "log.example/two", kind: 2, ec: ecKey(t, elliptic.P256())}
	l.foreign = note{name: "log.example/elsewhere", kind: 1, ed: edKey(t)}
	for i := range 2 {
		l.watch = append(l.watch, note{name: fmt.Sprintf("witness.example/%d", i), kind: 4, ed: edKey(t)})
	}
	var err error
	if l.tsa, err = timestamptest.New(&timestamptest.Options{Now: func() time.Time { return l.stamped }}); err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	anything := []string{key.AnyPurpose}
	l.trust = attest.Trust{
		Keys: key.Ring{Members: []key.Member{
			l.member(l.a.Public(), now.Add(-day), now.Add(day), anything),
			l.member(l.b.Public(), now.Add(-day), time.Time{}, anything),
			l.member(l.narrow.Public(), now.Add(-day), time.Time{}, []string{intoto.PredicateVerdict, intoto.PredicateOpenVEX + "/v0.2.0", intoto.PredicateVulns}),
			l.member(l.past.Public(), now.Add(-day), now.Add(-90*time.Minute), anything),
			l.member(l.future.Public(), now.Add(time.Hour), time.Time{}, anything),
			l.member(l.stolen.Public(), now.Add(-day), time.Time{}, anything),
			l.member(l.never.Public(), now.Add(-day), time.Time{}, anything),
			l.member(l.p384.Public(), now.Add(-day), time.Time{}, anything),
			l.member(l.ed.Public(), now.Add(-day), time.Time{}, anything),
		}},
		Logs:        tlog.Policy{Logs: []tlog.LogKey{{Key: l.log.key(t)}, {Key: l.second.key(t)}}, Witnesses: []*tlog.Key{l.watch[0].key(t), l.watch[1].key(t)}, Threshold: 1},
		Authorities: []*timestamp.Authority{l.tsa.Authority()},
	}
	l.trust.Keys.Members[5].Revoked = &key.Revocation{At: now.Add(-2 * time.Hour), Reason: "stolen"}
	l.trust.Keys.Members[6].Revoked = &key.Revocation{Reason: "never ours"}
	return l
}

func ecKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (l *lab) member(public crypto.PublicKey, from, to time.Time, purposes []string) key.Member {
	l.t.Helper()
	k, err := dsse.NewPublicKey(public)
	if err != nil {
		l.t.Fatal(err)
	}
	return key.Member{Key: k, From: from, To: to, Purposes: purposes}
}

func (n note) key(t testing.TB) *tlog.Key {
	t.Helper()
	k, err := tlog.ParseKey(fmt.Sprintf("%s+%x+%s", n.name, n.id()[:4], b64(n.raw())))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// raw is the key as a verifier key has it.
func (n note) raw() []byte {
	if n.ec != nil {
		return append([]byte{n.kind}, der(n.ec.Public())...)
	}
	return append([]byte{n.kind}, n.ed.Public().(ed25519.PublicKey)...)
}

// id is the hash that the key id is the beginning of.
func (n note) id() []byte {
	var h [32]byte
	if n.ec != nil {
		h = sha256.Sum256(der(n.ec.Public()))
	} else {
		h = sha256.Sum256([]byte(n.name + "\n" + string(n.raw())))
	}
	return h[:]
}

// line signs the text of a note, at a time where it is a witness.
func (n note) line(text string, at int64) string {
	var sig []byte
	switch {
	case n.ec != nil:
		sig = ecSign(n.ec, []byte(text))
	case n.kind == 4:
		sig = append(binary.BigEndian.AppendUint64(nil, uint64(at)), ed25519.Sign(n.ed, []byte("cosignature/v1\ntime "+strconv.FormatInt(at, 10)+"\n"+text))...)
	default:
		sig = ed25519.Sign(n.ed, []byte(text))
	}
	return "— " + n.name + " " + b64(append(n.id()[:4:4], sig...)) + "\n"
}

func der(public crypto.PublicKey) []byte {
	b, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(err)
	}
	return b
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func unb64(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func idOf(public crypto.PublicKey) string {
	h := sha256.Sum256(der(public))
	return hex.EncodeToString(h[:])
}

// pae is what a signature of an envelope is over.
func pae(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

func ecSign(k *ecdsa.PrivateKey, message []byte) []byte {
	digest := sha256.Sum256(message)
	sig, err := ecdsa.SignASN1(rand.Reader, k, digest[:])
	if err != nil {
		panic(err)
	}
	return sig
}

// twin is the other signature that every signature of ECDSA has.
func twin(k *ecdsa.PrivateKey, sig []byte) []byte {
	r, s := rsOf(sig)
	return sigOf(r, new(big.Int).Sub(k.Params().N, s))
}

// doc is JSON that can be changed.
type doc map[string]any

func (d doc) text() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// at returns the object at a path of names and indexes.
func (d doc) at(path ...any) doc {
	var v any = d
	for _, p := range path {
		switch p := p.(type) {
		case string:
			v = v.(doc)[p]
		case int:
			v = v.([]any)[p]
		}
	}
	return v.(doc)
}

func (d doc) envelope() doc  { return d.at("dsseEnvelope") }
func (d doc) signature() doc { return d.at("dsseEnvelope", "signatures", 0) }
func (d doc) material() doc  { return d.at("verificationMaterial") }
func (d doc) entry() doc     { return d.at("verificationMaterial", "tlogEntries", 0) }
func (d doc) proof() doc     { return d.at("verificationMaterial", "tlogEntries", 0, "inclusionProof") }

// statement is the good one, which a case may change.
func (l *lab) statement() doc {
	return doc{
		"_type": "https://in-toto.io/Statement/v1", "subject": []any{doc{"name": "example/app", "digest": doc{"sha256": image[7:]}}},
		"predicateType": intoto.PredicateSPDX, "predicate": doc{"spdxVersion": "SPDX-2.3"},
	}
}

// seal returns an envelope of a payload that keys signed.
func seal(payloadType string, payload []byte, keys ...*ecdsa.PrivateKey) doc {
	sigs := []any{}
	for _, k := range keys {
		sigs = append(sigs, doc{"keyid": idOf(k.Public()), "sig": b64(ecSign(k, pae(payloadType, payload)))})
	}
	return doc{"payload": b64(payload), "payloadType": payloadType, "signatures": sigs}
}

// bundle returns the bundle of an envelope with one signature by a key, with all that
// proves it.
func (l *lab) bundle(envelope doc, public crypto.PublicKey) doc {
	s := envelope.at("signatures", 0)
	sig, payload := unb64(s["sig"].(string)), unb64(envelope["payload"].(string))
	digest := sha256.Sum256(pae(envelope["payloadType"].(string), payload))
	body := rekorBody(digest[:], sig, der(public))
	return doc{
		"mediaType":            "application/vnd.dev.sigstore.bundle.v0.3+json",
		"dsseEnvelope":         doc{"payload": envelope["payload"], "payloadType": envelope["payloadType"], "signatures": []any{doc{"sig": s["sig"]}}},
		"verificationMaterial": doc{"publicKey": doc{"hint": idOf(public)}, "tlogEntries": []any{l.entry(body, l.log, 3, 6)}, "timestampVerificationData": doc{"rfc3161Timestamps": []any{doc{"signedTimestamp": b64(l.stamp(sig))}}}},
	}
}

// good is the bundle that cases change.
func (l *lab) good() doc { return l.signed(l.statement().text(), l.a) }

// signed is the bundle of a payload that a key signed.
func (l *lab) signed(payload []byte, k *ecdsa.PrivateKey) doc {
	return l.bundle(seal(intoto.PayloadType, payload, k), k.Public())
}

func (l *lab) stamp(sig []byte) []byte {
	token, err := l.tsa.Stamp(sig)
	if err != nil {
		l.t.Fatal(err)
	}
	return token
}

func rekorBody(digest, sig, public []byte) []byte {
	return doc{"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": doc{"hashedRekordV002": doc{
		"data":      doc{"algorithm": "SHA2_256", "digest": b64(digest)},
		"signature": doc{"content": b64(sig), "verifier": doc{"keyDetails": "PKIX_ECDSA_P256_SHA_256", "publicKey": doc{"rawBytes": b64(public)}}},
	}}}.text()
}

// tree is a log of a few entries.
func tree(body []byte, index, size int) (leaves [][32]byte) {
	for i := range size {
		leaf := fmt.Appendf(nil, "entry %d", i)
		if i == index {
			leaf = body
		}
		leaves = append(leaves, sha256.Sum256(append([]byte{0}, leaf...)))
	}
	return leaves
}

// fold is the root of leaves, and path the proof of one (RFC 6962, section 2.1).
func fold(leaves [][32]byte) [32]byte {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := split(len(leaves))
	left, right := fold(leaves[:k]), fold(leaves[k:])
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}

func path(leaves [][32]byte, index int) [][32]byte {
	if len(leaves) == 1 {
		return nil
	}
	k := split(len(leaves))
	if index < k {
		return append(path(leaves[:k], index), fold(leaves[k:]))
	}
	return append(path(leaves[k:], index-k), fold(leaves[:k]))
}

func split(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

func checkpointText(origin string, size int, root [32]byte) string {
	return origin + "\n" + strconv.Itoa(size) + "\n" + b64(root[:]) + "\n"
}

// entry is that of a log, with a checkpoint that one witness co-signed.
func (l *lab) entry(body []byte, log note, index, size int) doc {
	leaves := tree(body, index, size)
	root := fold(leaves)
	text := checkpointText(log.name, size, root)
	hashes := []any{}
	for _, h := range path(leaves, index) {
		hashes = append(hashes, b64(h[:]))
	}
	return doc{
		"canonicalizedBody": b64(body), "kindVersion": doc{"kind": "hashedrekord", "version": "0.0.2"}, "logId": doc{"keyId": b64(log.id())}, "logIndex": strconv.Itoa(index),
		"inclusionProof": doc{
			"checkpoint": doc{"envelope": text + "\n" + log.line(text, 0) + l.watch[0].line(text, 1_700_000_000)},
			"hashes":     hashes, "logIndex": strconv.Itoa(index), "rootHash": b64(root[:]), "treeSize": strconv.Itoa(size),
		},
	}
}

// recheck gives the good bundle's entry another checkpoint, of text and lines.
func (d doc) recheck(text string, lines ...string) {
	out := text + "\n"
	for _, line := range lines {
		out += line
	}
	d.proof().at("checkpoint")["envelope"] = out
}

// checkpoint is the text that the log signed, without signatures.
func (d doc) checkpoint() string {
	text, _, _ := bytes.Cut([]byte(d.proof().at("checkpoint")["envelope"].(string)), []byte("\n\n"))
	return string(text) + "\n"
}

func (l *lab) trustCopy() *attest.Trust {
	t := l.trust
	t.Keys.Members = append([]key.Member(nil), t.Keys.Members...)
	t.Authorities = append([]*timestamp.Authority(nil), t.Authorities...)
	return &t
}

func with(d doc, name string, value any) doc {
	out := maps.Clone(d)
	out[name] = value
	return out
}

func hexOf(content []byte) string {
	h := sha256.Sum256(content)
	return hex.EncodeToString(h[:])
}

func digestOf(content []byte) []byte {
	h := sha256.Sum256(content)
	return h[:]
}

func mustKey() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

func urlAlphabet(s string) string {
	return base64.URLEncoding.EncodeToString(unb64(s))
}
