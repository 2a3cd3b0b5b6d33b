package attest_test

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/tlog"
)

// logged gives the bundle the entry of another body.
func logged(body func(l *lab, d doc) []byte) func(l *lab, d doc) {
	return func(l *lab, d doc) { d.material()[entries] = []any{l.entry(body(l, d), l.log, 3, 6)} }
}

// bodyWith changes the text of the good entry's body, and has it logged.
func bodyWith(old, by string) func(l *lab, d doc) {
	return logged(func(l *lab, d doc) []byte {
		body := unb64(d.entry()["canonicalizedBody"].(string))
		if !bytes.Contains(body, []byte(old)) {
			l.t.Fatalf("%q is not in %s", old, body)
		}
		return bytes.Replace(body, []byte(old), []byte(by), 1)
	})
}

// inEntry and inProof give the entry another member.
func inEntry(name string, value any) func(l *lab, d doc) {
	return func(l *lab, d doc) { d.entry()[name] = value }
}

func inProof(name string, value any) func(l *lab, d doc) {
	return func(l *lab, d doc) { d.proof()[name] = value }
}

// index gives the entry another index, in both places.
func index(i any) func(l *lab, d doc) {
	return func(l *lab, d doc) { d.entry()["logIndex"], d.proof()["logIndex"] = i, i }
}

// hashes changes the hashes of the proof.
func hashes(change func([]any) []any) func(l *lab, d doc) {
	return func(l *lab, d doc) { d.proof()["hashes"] = change(d.proof()["hashes"].([]any)) }
}

// another is the bundle of another statement of the same key.
func (l *lab) another() doc { return l.signed(with(l.statement(), "predicate", doc{}).text(), l.a) }

// odd is a hash that is none of the log's.
var odd = b64(make([]byte, 32))

var entryAttacks = []attack{
	{name: "none", code: "no transparency", change: gone(mat, entries)},
	{name: "an empty list", code: "no transparency", change: member([]any{}, mat, entries)},
	{name: "null", code: "no transparency", change: member(nil, mat, entries)},
	{name: "of another statement (CVE-2026-22703)", code: "log entry/entry of another signature", change: func(l *lab, d doc) { d.material()[entries] = l.another().material()[entries] }},
	{name: "of another statement beside the right one (CVE-2026-22703)", code: "malformed", change: func(l *lab, d doc) {
		d.material()[entries] = append(d.material()[entries].([]any), l.another().material()[entries].([]any)...)
	}},
	{name: "of another statement in another log beside the right one", code: "log entry/entry of another signature", change: func(l *lab, d doc) {
		o := l.another()
		l.relog(o, l.second)
		d.material()[entries] = append(d.material()[entries].([]any), o.material()[entries].([]any)...)
	}},
	{name: "of another key (CVE-2022-36056)", code: "log entry/entry of another key", change: logged(func(l *lab, d doc) []byte {
		return bytes.Replace(unb64(d.entry()["canonicalizedBody"].(string)), []byte(b64(der(l.a.Public()))), []byte(b64(der(l.b.Public()))), 1)
	})},
	{name: "of the signature's twin", code: "log entry/entry of another signature", change: logged(func(l *lab, d doc) []byte {
		sig := d.signature()["sig"].(string)
		return bytes.Replace(unb64(d.entry()["canonicalizedBody"].(string)), []byte(sig), []byte(b64(twin(l.a, unb64(sig)))), 1)
	})},
	{name: "of the payload's digest", code: "log entry/entry of another digest", change: logged(func(l *lab, d doc) []byte {
		return rekorBody(make([]byte, 32), unb64(d.signature()["sig"].(string)), der(l.a.Public()))
	})},
	{name: "of another kind", code: "log entry/unknown kind of entry", change: bodyWith(`"kind":"hashedrekord"`, `"kind":"helm"`)},
	{name: "of another version", code: "log entry/unknown kind of entry", change: bodyWith(`"apiVersion":"0.0.2"`, `"apiVersion":"0.0.3"`)},
	{name: "with a member more", code: "log entry/malformed entry", change: bodyWith(`"kind"`, `"extra":1,"kind"`)},
	{name: "with a member twice", code: "log entry/malformed entry", change: bodyWith(`"digest"`, `"digest":"AAAA","digest"`)},
	{name: "with blanks", code: "log entry/entry not in canonical form", change: bodyWith(`:`, ` : `)},
	{name: "in another order", code: "log entry/entry not in canonical form", change: logged(func(l *lab, d doc) []byte {
		body := string(unb64(d.entry()["canonicalizedBody"].(string)))
		return []byte(`{"kind":"hashedrekord",` + strings.Replace(body[1:], `"kind":"hashedrekord",`, "", 1))
	})},
	{name: "with something behind it", code: "log entry/malformed entry", change: logged(func(l *lab, d doc) []byte { return append(unb64(d.entry()["canonicalizedBody"].(string)), "{}"...) })},
	{name: "that is no JSON", code: "log entry/malformed entry", change: logged(func(l *lab, d doc) []byte { return []byte("entry") })},
	{name: "that is empty", code: "malformed", change: inEntry("canonicalizedBody", "")},
	{name: "by another algorithm", code: "log entry/entry of another algorithm", change: bodyWith("SHA2_256", "SHA2_384")},
	{name: "of a key by another algorithm", code: "log entry/entry of another algorithm", change: bodyWith("PKIX_ECDSA_P256_SHA_256", "PKIX_ED25519")},
	{name: "labelled as another kind", code: "log entry/wrong label of entry", change: inEntry("kindVersion", doc{"kind": "dsse", "version": "0.0.2"})},
	{name: "labelled as another version", code: "log entry/wrong label of entry", change: inEntry("kindVersion", doc{"kind": "hashedrekord", "version": "0.0.1"})},
	{name: "without a label", code: "malformed", change: func(l *lab, d doc) { delete(d.entry(), "kindVersion") }},
	{name: "changed where it was not logged", code: "log entry/entry of another digest", change: func(l *lab, d doc) {
		d.entry()["canonicalizedBody"] = b64(rekorBody(make([]byte, 32), unb64(d.signature()["sig"].(string)), der(l.a.Public())))
	}},
	{name: "right, and the log has another", code: "log/wrong root", change: func(l *lab, d doc) {
		body := d.entry()["canonicalizedBody"]
		d.material()[entries] = l.another().material()[entries]
		d.entry()["canonicalizedBody"] = body
	}},

	{name: "without a proof", code: "malformed", change: func(l *lab, d doc) { delete(d.entry(), inclusion) }},
	{name: "with a promise alone", code: "log", change: func(l *lab, d doc) {
		d["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1"
		delete(d.entry(), inclusion)
		d.entry()["inclusionPromise"], d.entry()["integratedTime"] = doc{"signedEntryTimestamp": "AAAA"}, "1700000000"
	}},
	{name: "integrated time in place of a timestamp (Rekor v2)", code: "no timestamp", change: func(l *lab, d doc) {
		delete(d.material(), stampData)
		d.entry()["integratedTime"] = fmt.Sprint(l.stamped.Unix())
	}},
	{name: "integrated time negative", code: "malformed", change: inEntry("integratedTime", "-1")},
	{name: "index of the entry beside it", code: "log/wrong root", change: index("2")},
	{name: "index beyond the tree", code: "log/wrong index", change: index("6")},
	{name: "index negative", code: "malformed", change: index("-1")},
	{name: "index 2⁶³-1", code: "log/wrong index", change: index("9223372036854775807")},
	{name: "index 2⁶³", code: "malformed", change: index("9223372036854775808")},
	{name: "index 2⁶⁴+3", code: "malformed", change: index("18446744073709551619")},
	{name: "index with a zero before it", code: "malformed", change: index("03")},
	{name: "index with a sign", code: "malformed", change: index("+3")},
	{name: "index with a blank", code: "malformed", change: index("3 ")},
	{name: "index in hexadecimal", code: "malformed", change: index("0x3")},
	{name: "index with a fraction", code: "malformed", text: replaced(`"logIndex":"3"`, `"logIndex":3.0`)},
	{name: "index with an exponent", code: "malformed", text: replaced(`"logIndex":"3"`, `"logIndex":3e0`)},
	{name: "index is -0", code: "malformed", text: replaced(`"logIndex":"3"`, `"logIndex":-0`)},
	{name: "index beside the proof's", code: "log", change: inEntry("logIndex", "2")},
	{name: "size 0", code: "malformed", change: inProof("treeSize", "0")},
	{name: "size beside the checkpoint's", code: "log", change: inProof("treeSize", "7")},
	{name: "root beside the checkpoint's", code: "log", change: inProof("rootHash", odd)},
	{name: "root too short", code: "malformed", change: inProof("rootHash", "AAAA")},
	{name: "log id of another log", code: "log", change: func(l *lab, d doc) { d.entry()["logId"] = doc{"keyId": b64(l.second.id())} }},
	{name: "log id cut to the key id", code: "log", change: func(l *lab, d doc) { d.entry()["logId"] = doc{"keyId": b64(l.log.id()[:4])} }},
	{name: "no log id", code: "malformed", change: func(l *lab, d doc) { delete(d.entry(), "logId") }},
	{name: "a hash changed", code: "log/wrong root", change: hashes(func(h []any) []any { h[0] = odd; return h })},
	{name: "hashes swapped", code: "log/wrong root", change: hashes(func(h []any) []any { h[0], h[1] = h[1], h[0]; return h })},
	{name: "a hash missing", code: "log/wrong proof length", change: hashes(func(h []any) []any { return h[1:] })},
	{name: "no hashes", code: "log/wrong proof length", change: hashes(func(h []any) []any { return nil })},
	{name: "a hash more", code: "log/wrong proof length", change: hashes(func(h []any) []any { return append(h, odd) })},
	{name: "65 hashes", code: "malformed", change: hashes(func(h []any) []any { return append(h, make([]any, 65)...) })},
	{name: "a hash of 31 bytes", code: "malformed", change: hashes(func(h []any) []any { h[0] = b64(make([]byte, 31)); return h })},
	{name: "a hash that is null", code: "malformed", change: hashes(func(h []any) []any { h[0] = nil; return h })},
	{name: "an inner node for a leaf", code: "log entry/malformed entry", change: func(l *lab, d doc) { // the second preimage that RFC 6962 keeps apart by a prefix
		leaves := tree(unb64(d.entry()["canonicalizedBody"].(string)), 3, 6)
		body := append(append([]byte{1}, leaves[2][:]...), leaves[3][:]...)
		d.entry()["canonicalizedBody"] = b64(body)
		d.proof()["hashes"] = d.proof()["hashes"].([]any)[1:]
	}},
	{name: "twice", code: "malformed", change: func(l *lab, d doc) { d.material()[entries] = []any{d.entry(), d.entry()} }},
	{name: "twice, once with another index (CVE-2026-49834)", code: "log", change: func(l *lab, d doc) { d.material()[entries] = []any{d.entry(), with(d.entry(), "logIndex", "4")} }},
	{name: "twice in one log, of an earlier kind (CVE-2026-49834)", code: "log", change: func(l *lab, d doc) {
		e := l.entryV1(d)
		d.material()[entries] = []any{e, with(e, "logIndex", "1004")}
	}},
	{name: "33 of them", code: "malformed", change: func(l *lab, d doc) {
		list := []any{}
		for i := range 33 {
			list = append(list, with(d.entry(), "logIndex", fmt.Sprint(i)))
		}
		d.material()[entries] = list
	}},
}

// entryV1 is the entry of a bundle as Rekor v1 would have it.
func (l *lab) entryV1(d doc) doc {
	pem := "-----BEGIN PUBLIC KEY-----\n"
	for text := b64(der(l.a.Public())); text != ""; {
		n := min(64, len(text))
		pem, text = pem+text[:n]+"\n", text[n:]
	}
	pem += "-----END PUBLIC KEY-----\n"
	sum := func(b []byte) doc { return doc{"algorithm": "sha256", "value": hexOf(b)} }
	body := doc{"apiVersion": "0.0.1", "kind": "dsse", "spec": doc{
		"envelopeHash": sum([]byte("as it was uploaded")), "payloadHash": sum(unb64(d.envelope()["payload"].(string))),
		"signatures": []any{doc{"signature": d.signature()["sig"], "verifier": b64([]byte(pem))}},
	}}.text()
	e := l.entry(body, l.log, 3, 6)
	e["kindVersion"], e["logIndex"] = doc{"kind": "dsse", "version": "0.0.1"}, "1003"
	return e
}

// rewritten gives the entry a checkpoint with another text, signed by the log, and by a
// witness.
func rewritten(change func(text string) string) func(l *lab, d doc) {
	return func(l *lab, d doc) {
		text := change(d.checkpoint())
		d.recheck(text, l.log.line(text, 0), l.watch[0].line(text, 1))
	}
}

// endorsed gives the entry's checkpoint other signatures.
func endorsed(lines func(l *lab, text string) []string) func(l *lab, d doc) {
	return func(l *lab, d doc) { d.recheck(d.checkpoint(), lines(l, d.checkpoint())...) }
}

// spelt changes the whole note.
func spelt(change func(text string) string) func(l *lab, d doc) {
	return func(l *lab, d doc) {
		c := d.proof().at("checkpoint")
		c["envelope"] = change(c["envelope"].(string))
	}
}

var checkpointAttacks = []attack{
	{name: "none", code: "malformed", change: func(l *lab, d doc) { delete(d.proof(), "checkpoint") }},
	{name: "empty", code: "malformed", change: spelt(func(string) string { return "" })},
	{name: "without signatures", code: "log/malformed", change: spelt(func(s string) string { text, _, _ := strings.Cut(s, "\n\n"); return text + "\n" })},
	{name: "with no signature behind the empty line", code: "log/malformed", change: endorsed(func(*lab, string) []string { return nil })},
	{name: "signed by nobody known", code: "log/not signed by the log", change: endorsed(func(l *lab, text string) []string { return []string{l.foreign.line(text, 0)} })},
	{name: "signed by a witness alone", code: "log/not signed by the log", change: endorsed(func(l *lab, text string) []string { return []string{l.watch[0].line(text, 1)} })},
	{name: "signed by another log", code: "log/wrong origin", change: endorsed(func(l *lab, text string) []string { return []string{l.second.line(text, 0), l.watch[0].line(text, 1)} })},
	{name: "signed by another key under the log's name and key id", code: "log/bad signature", change: endorsed(func(l *lab, text string) []string {
		sig := unb64(strings.Fields(l.foreign.line(text, 0))[2])
		copy(sig, l.log.id()[:4])
		return []string{"— " + l.log.name + " " + b64(sig) + "\n", l.watch[0].line(text, 1)}
	})},
	{name: "signed by another key under the log's name", code: "log/not signed by the log", change: endorsed(func(l *lab, text string) []string {
		n := l.foreign
		n.name = l.log.name
		return []string{n.line(text, 0), l.watch[0].line(text, 1)}
	})},
	{name: "signed by the log under another name", code: "log/not signed by the log", change: endorsed(func(l *lab, text string) []string {
		return []string{strings.Replace(l.log.line(text, 0), "one", "won", 1), l.watch[0].line(text, 1)}
	})},
	{name: "of an unknown log", code: "log/unknown log", change: func(l *lab, d doc) { l.relog(d, l.foreign) }},
	{name: "of an unknown log, beside one that is known", code: "log/unknown log", change: func(l *lab, d doc) {
		e := d.entry()
		l.relog(d, l.foreign)
		d.material()[entries] = []any{e, d.entry()}
	}},
	{name: "of an unknown log, which counts as none", code: "no transparency", change: func(l *lab, d doc) { l.relog(d, l.foreign) }, want: func(_ *lab, e *attest.Expectation) { e.Unknown = true }},
	{name: "no log is trusted", code: "log/unknown log", trust: func(_ *lab, t *attest.Trust) { t.Logs = tlog.Policy{} }},
	{name: "of another origin, signed by the log", code: "log/wrong origin", change: rewritten(put("log.example/one", "log.example/two"))},
	{name: "of an unknown origin, signed by the log", code: "log/wrong origin", change: rewritten(put("log.example/one", "log.example/three"))},
	{name: "origin with a blank", code: "log/wrong origin", change: rewritten(put("log.example/one", "log.example/one "))},
	{name: "of another size", code: "log/", change: rewritten(put("\n6\n", "\n7\n"))},
	{name: "of a size with a zero before it", code: "log/malformed", change: rewritten(put("\n6\n", "\n06\n"))},
	{name: "of size 0", code: "log/wrong root", change: rewritten(put("\n6\n", "\n0\n"))},
	{name: "of a negative size", code: "log/malformed", change: rewritten(put("\n6\n", "\n-6\n"))},
	{name: "of size 2⁶³", code: "log/malformed", change: rewritten(put("\n6\n", "\n9223372036854775808\n"))},
	{name: "of another root", code: "log/wrong root", change: func(l *lab, d doc) {
		text := checkpointText(l.log.name, 6, [32]byte{})
		d.recheck(text, l.log.line(text, 0), l.watch[0].line(text, 1))
	}},
	{name: "changed after it was signed", code: "log/bad signature", change: spelt(put("\n6\n", "\n7\n"))},
	{name: "with a line more after it was signed", code: "log/bad signature", change: spelt(put("\n\n", "\nextension\n\n"))},
	{name: "whose root is not base64", code: "log/malformed", change: rewritten(func(s string) string { return s[:len(s)-4] + "\n" })},
	{name: "with an empty line in its text", code: "log/malformed", change: rewritten(func(s string) string { return s + "\nx\n" })},
	{name: "with other line ends", code: "log/malformed", change: spelt(func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") })},
	{name: "without its last line end", code: "log/malformed", change: spelt(func(s string) string { return strings.TrimSuffix(s, "\n") })},
	{name: "with text behind its signatures", code: "log/malformed", change: spelt(func(s string) string { return s + "text\n" })},
	{name: "with a hyphen for the dash", code: "log/malformed", change: spelt(func(s string) string { return strings.ReplaceAll(s, "— ", "- ") })},
	{name: "with one signature twice", code: "log/malformed", change: endorsed(func(l *lab, text string) []string {
		return []string{l.log.line(text, 0), l.log.line(text, 0), l.watch[0].line(text, 1)}
	})},
	{name: "with signatures before its text", code: "log/malformed", change: spelt(func(s string) string { text, sigs, _ := strings.Cut(s, "\n\n"); return sigs + "\n" + text + "\n" })},
	{name: "with 1000 signatures", code: "log/malformed", change: func(l *lab, d doc) {
		lines := []string{l.log.line(d.checkpoint(), 0)}
		for i := range 300 {
			lines = append(lines, strings.Replace(l.foreign.line(d.checkpoint(), 0), "elsewhere", fmt.Sprint(i), 1))
		}
		d.recheck(d.checkpoint(), lines...)
	}},
	{name: "larger than it may be", code: "malformed", change: spelt(func(s string) string { return s + strings.Repeat("x", 64<<10) })},

	{name: "without a witness", code: "log/witness threshold", change: endorsed(func(l *lab, text string) []string { return []string{l.log.line(text, 0)} })},
	{name: "with an unknown witness", code: "log/witness threshold", change: endorsed(func(l *lab, text string) []string {
		n := l.foreign
		n.kind = 4
		return []string{l.log.line(text, 0), n.line(text, 1)}
	})},
	{name: "with a witness's signature as of a log", code: "log/witness threshold", change: endorsed(func(l *lab, text string) []string {
		n := l.watch[0]
		n.kind = 1
		return []string{l.log.line(text, 0), n.line(text, 1)}
	})},
	{name: "the log as its own witness", code: "log/witness threshold", change: endorsed(func(l *lab, text string) []string {
		n := l.log
		n.kind = 4
		return []string{l.log.line(text, 0), n.line(text, 1)}
	})},
	{name: "a witness of another text", code: "log/bad signature", change: endorsed(func(l *lab, text string) []string {
		return []string{l.log.line(text, 0), l.watch[0].line(strings.Replace(text, "\n6\n", "\n5\n", 1), 1)}
	})},
	{name: "a witness at time 0", code: "log/bad signature", change: endorsed(func(l *lab, text string) []string { return []string{l.log.line(text, 0), l.watch[0].line(text, 0)} })},
	{name: "a witness at a negative time", code: "log/bad signature", change: endorsed(func(l *lab, text string) []string { return []string{l.log.line(text, 0), l.watch[0].line(text, -1)} })},
	{name: "one of two witnesses", code: "log/witness threshold", trust: func(_ *lab, t *attest.Trust) { t.Logs.Threshold = 2 }},
	{name: "one witness twice", code: "log/malformed", trust: func(_ *lab, t *attest.Trust) { t.Logs.Threshold = 2 }, change: endorsed(func(l *lab, text string) []string {
		return []string{l.log.line(text, 0), l.watch[0].line(text, 1), l.watch[0].line(text, 2)}
	})},
	{name: "one witness under two names", code: "log/witness threshold", change: endorsed(func(l *lab, text string) []string {
		return []string{l.log.line(text, 0), l.watch[0].line(text, 1), l.alias().line(text, 1)}
	}), trust: func(l *lab, t *attest.Trust) {
		t.Logs.Threshold, t.Logs.Witnesses = 2, append(append([]*tlog.Key(nil), t.Logs.Witnesses...), l.alias().key(l.t))
	}},
	{name: "a threshold above all witnesses", code: "log/unusable policy", trust: func(_ *lab, t *attest.Trust) { t.Logs.Threshold = 3 }},
	{name: "a negative threshold", code: "log/unusable policy", trust: func(_ *lab, t *attest.Trust) { t.Logs.Threshold = -1 }},
	{name: "another view that no witness saw", code: "log/witness threshold", change: func(l *lab, d doc) {
		// The log shows one tree to the witness, and another one with this entry to us.
		text := checkpointText(l.log.name, 6, fold(tree(unb64(d.entry()["canonicalizedBody"].(string)), 3, 6)))
		d.recheck(text, l.log.line(text, 0))
	}},
}

// alias is the first witness under another name.
func (l *lab) alias() note {
	n := l.watch[0]
	n.name = "witness.example/alias"
	return n
}
