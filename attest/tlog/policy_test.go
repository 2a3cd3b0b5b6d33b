package tlog_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/tlog"
)

// good is a tree of three entries, and the receipt of the second one.
func good() (leaves []tlog.Hash, r *tlog.Receipt, text string) {
	for i := range 3 {
		leaves = append(leaves, tlog.LeafHash([]byte(entry(i))))
	}
	text = body(origin, 3, mth(leaves))
	return leaves, &tlog.Receipt{Index: 1, Proof: path(1, leaves), Checkpoint: []byte(text + "\n" + logLine(origin, text))}, text
}

func TestVerify(t *testing.T) {
	leaves, r, text := good()
	other := body(origin, 3, tlog.LeafHash([]byte("other")))
	empty := body(origin, 0, tlog.EmptyRoot())
	note := func(text string, lines ...string) []byte { return []byte(text + "\n" + strings.Join(lines, "")) }
	mine := logLine(origin, text)
	bad := func(l string) string { // the same key, another signature
		k := strings.Split(strings.TrimSuffix(l, "\n"), " ")
		return k[0] + " " + k[1] + " " + k[2][:20] + "AAAA" + k[2][24:] + "\n"
	}
	elsewhere := body("log.example/other", 3, mth(leaves))
	two := &tlog.Policy{Logs: []tlog.LogKey{{Key: logSigner(origin).Key()}, {Key: logSigner("log.example/other").Key()}}}
	cases := []struct {
		name   string
		policy *tlog.Policy // nil: the log alone
		change func(r *tlog.Receipt)
		entry  string // "": the right one
		want   tlog.Reason
	}{
		{name: "right", want: ""},
		{name: "unknown signatures are ignored", change: func(r *tlog.Receipt) {
			r.Checkpoint = note(text, logLine("stranger", text), mine, witnessLine("w9", text))
		}},
		{name: "two logs are known", policy: two},
		{name: "extension lines", change: func(r *tlog.Receipt) {
			x := text + "more\n"
			r.Checkpoint = note(x, logLine(origin, x))
		}},
		{name: "another entry", entry: "other", want: tlog.ReasonRoot},
		{name: "another index", change: func(r *tlog.Receipt) { r.Index = 0 }, want: tlog.ReasonRoot},
		{name: "index beyond", change: func(r *tlog.Receipt) { r.Index = 3 }, want: tlog.ReasonIndex},
		{name: "index negative", change: func(r *tlog.Receipt) { r.Index = -1 }, want: tlog.ReasonIndex},
		{name: "index largest", change: func(r *tlog.Receipt) { r.Index = math.MaxInt64 }, want: tlog.ReasonIndex},
		{name: "index smallest", change: func(r *tlog.Receipt) { r.Index = math.MinInt64 }, want: tlog.ReasonIndex},
		{name: "no proof", change: func(r *tlog.Receipt) { r.Proof = nil }, want: tlog.ReasonProof},
		{name: "proof too long", change: func(r *tlog.Receipt) { r.Proof = append(r.Proof, tlog.Hash{}) }, want: tlog.ReasonProof},
		{name: "10^5 hashes", change: func(r *tlog.Receipt) { r.Proof = make([]tlog.Hash, 100_000) }, want: tlog.ReasonProof},
		{name: "another proof", change: func(r *tlog.Receipt) { r.Proof = path(0, leaves) }, want: tlog.ReasonRoot},
		{name: "no checkpoint", change: func(r *tlog.Receipt) { r.Checkpoint = nil }, want: tlog.ReasonMalformed},
		{name: "no signature", change: func(r *tlog.Receipt) { r.Checkpoint = []byte(text) }, want: tlog.ReasonMalformed},
		{name: "an empty block of signatures", change: func(r *tlog.Receipt) { r.Checkpoint = note(text) }, want: tlog.ReasonMalformed},
		{name: "only unknown signatures", change: func(r *tlog.Receipt) { r.Checkpoint = note(text, logLine("stranger", text)) }, want: tlog.ReasonUnsigned},
		{name: "bad signature", change: func(r *tlog.Receipt) { r.Checkpoint = note(text, bad(mine)) }, want: tlog.ReasonSignature},
		{name: "the signature of another tree", change: func(r *tlog.Receipt) { r.Checkpoint = note(text, logLine(origin, other)) }, want: tlog.ReasonSignature},
		{name: "another tree, signed", change: func(r *tlog.Receipt) { r.Checkpoint = note(other, logLine(origin, other)) }, want: tlog.ReasonRoot},
		{name: "the right name, another key", change: func(r *tlog.Receipt) {
			k, err := tlog.NewLogKey(origin, key("thief").Public())
			if err != nil {
				t.Fatal(err)
			}
			r.Checkpoint = note(text, line(k, key("thief"), text, 0))
		}, want: tlog.ReasonUnsigned},
		{name: "twice the same signature", change: func(r *tlog.Receipt) { r.Checkpoint = note(text, mine, mine) }, want: tlog.ReasonMalformed},
		{name: "an unknown log", change: func(r *tlog.Receipt) { r.Checkpoint = note(elsewhere, logLine("log.example/other", elsewhere)) }, want: tlog.ReasonUnknownLog},
		{name: "a known key for an unknown log", change: func(r *tlog.Receipt) { r.Checkpoint = note(elsewhere, logLine(origin, elsewhere)) }, want: tlog.ReasonOrigin},
		{name: "a known key for another known log", policy: two, change: func(r *tlog.Receipt) { r.Checkpoint = note(elsewhere, logLine(origin, elsewhere)) }, want: tlog.ReasonOrigin},
		{name: "an empty tree", change: func(r *tlog.Receipt) { r.Checkpoint = note(empty, logLine(origin, empty)) }, want: tlog.ReasonIndex},
		{name: "a size with zeros", change: func(r *tlog.Receipt) {
			x := strings.Replace(text, "\n3\n", "\n03\n", 1)
			r.Checkpoint = note(x, logLine(origin, x))
		}, want: tlog.ReasonMalformed},
		{name: "size 2^63", change: func(r *tlog.Receipt) {
			x := strings.Replace(text, "\n3\n", "\n9223372036854775808\n", 1)
			r.Checkpoint = note(x, logLine(origin, x))
		}, want: tlog.ReasonMalformed},
		{name: "size 2^62", change: func(r *tlog.Receipt) { // where arithmetic overflows
			x := strings.Replace(text, "\n3\n", "\n4611686018427387905\n", 1)
			r.Checkpoint = note(x, logLine(origin, x))
		}, want: tlog.ReasonMalformed},
		{name: "an empty line in the text", change: func(r *tlog.Receipt) {
			x := text + "\nmore\n"
			r.Checkpoint = note(x, logLine(origin, x))
		}, want: tlog.ReasonMalformed},
		{name: "carriage returns", change: func(r *tlog.Receipt) {
			x := strings.Replace(text, "\n", "\r\n", 1)
			r.Checkpoint = note(x, logLine(origin, x))
		}, want: tlog.ReasonMalformed},
		{name: "text behind it", change: func(r *tlog.Receipt) { r.Checkpoint = append(r.Checkpoint, "x"...) }, want: tlog.ReasonMalformed},
		{name: "as many signatures as there may be", change: func(r *tlog.Receipt) {
			r.Checkpoint = note(text, append(strangers(tlog.MaxSignatures-1, text), mine)...)
		}},
		{name: "one signature more", change: func(r *tlog.Receipt) { r.Checkpoint = note(text, append(strangers(tlog.MaxSignatures, text), mine)...) }, want: tlog.ReasonMalformed},
		{name: "no policy", policy: &tlog.Policy{}, want: tlog.ReasonPolicy},
		{name: "a policy without a key", policy: &tlog.Policy{Logs: []tlog.LogKey{{Origin: origin}}}, want: tlog.ReasonPolicy},
		{name: "a witness for a log", policy: &tlog.Policy{Logs: []tlog.LogKey{{Key: witnessSigner(origin).Key()}}}, want: tlog.ReasonPolicy},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := &tlog.Receipt{Index: r.Index, Proof: append([]tlog.Hash(nil), r.Proof...), Checkpoint: append([]byte(nil), r.Checkpoint...)}
			if c.change != nil {
				c.change(r)
			}
			p, e := c.policy, c.entry
			if p == nil {
				p = trusting(origin)
			}
			if e == "" {
				e = entry(1)
			}
			checked, err := p.Verify([]byte(e), r)
			if got := tlog.ReasonOf(err); got != c.want || (err == nil) != (c.want == "") {
				t.Fatalf("reason %q, want %q: %v", got, c.want, err)
			}
			if err != nil && (!errors.Is(err, c.want) || checked != nil) {
				t.Errorf("errors.Is does not see %q, or something is vouched for: %v", c.want, checked)
			}
			if err == nil && (checked.Index != 1 || checked.Checkpoint.Size != 3 || checked.Leaf != leaves[1] || checked.Checkpoint.Key.Name() != origin) {
				t.Errorf("%+v", checked)
			}
		})
	}
	if _, err := trusting(origin).Verify(nil, nil); tlog.ReasonOf(err) != tlog.ReasonMalformed {
		t.Errorf("no receipt: %v", err)
	}
}

// strangers are signature lines of keys that nobody knows.
func strangers(n int, text string) (out []string) {
	for i := range n {
		out = append(out, logLine(fmt.Sprint("stranger", i), text))
	}
	return out
}

func TestThreshold(t *testing.T) {
	_, r, text := good()
	mine := logLine(origin, text)
	alias, err := tlog.NewWitnessKey("alias", key("w1").Public())
	if err != nil {
		t.Fatal(err)
	}
	aliasLine := line(alias, key("w1"), text, 1700000001)
	wrong := witnessLine("w2", body(origin, 4, tlog.Hash{}))
	cases := []struct {
		name      string
		keys      []*tlog.Key
		threshold int
		lines     []string
		want      tlog.Reason
	}{
		{"none needed", witnesses("w1"), 0, nil, ""},
		{"one of one", witnesses("w1"), 1, []string{witnessLine("w1", text)}, ""},
		{"two of three", witnesses("w1", "w2", "w3"), 2, []string{witnessLine("w3", text), witnessLine("w1", text)}, ""},
		{"one of two", witnesses("w1", "w2"), 2, []string{witnessLine("w1", text)}, tlog.ReasonWitness},
		{"strangers", witnesses("w1", "w2"), 1, []string{witnessLine("w8", text), witnessLine("w9", text)}, tlog.ReasonWitness},
		{"one key, two names", append(witnesses("w1", "w2"), alias), 2, []string{witnessLine("w1", text), aliasLine}, tlog.ReasonWitness},
		{"one key, twice", witnesses("w1", "w2"), 2, []string{witnessLine("w1", text), witnessLine("w1", text)}, tlog.ReasonMalformed},
		{"a cosignature of another tree", witnesses("w1", "w2"), 1, []string{witnessLine("w1", text), wrong}, tlog.ReasonSignature},
		{"without a time", witnesses("w1"), 1, []string{line(witnessSigner("w1").Key(), key("w1"), text, 0)}, tlog.ReasonSignature},
		{"a time before 1970", witnesses("w1"), 1, []string{line(witnessSigner("w1").Key(), key("w1"), text, -1)}, tlog.ReasonSignature},
		{"a threshold that one key cannot reach", append(witnesses("w1"), alias), 2, nil, tlog.ReasonPolicy},
		{"a negative threshold", witnesses("w1"), -1, nil, tlog.ReasonPolicy},
		{"a log's key for a witness", []*tlog.Key{logSigner("w1").Key()}, 1, nil, tlog.ReasonPolicy},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := trusting(origin)
			p.Witnesses, p.Threshold = c.keys, c.threshold
			r := &tlog.Receipt{Index: 1, Proof: r.Proof, Checkpoint: []byte(text + "\n" + mine + strings.Join(c.lines, ""))}
			checked, err := p.Verify([]byte(entry(1)), r)
			if got := tlog.ReasonOf(err); got != c.want || (err == nil) != (c.want == "") {
				t.Fatalf("reason %q, want %q: %v", got, c.want, err)
			}
			if err == nil && len(checked.Checkpoint.Cosigned) != len(c.lines) {
				t.Errorf("%d cosignatures", len(checked.Checkpoint.Cosigned))
			}
		})
	}
}

// TestECDSA: a checkpoint as of Rekor v1, whose origin is not the key's name.
func TestECDSA(t *testing.T) {
	leaves, r, _ := good()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := dsse.NewPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	logKey, err := tlog.NewLogKey("rekor.example", k.Public())
	if err != nil {
		t.Fatal(err)
	}
	if id := fmt.Sprintf("%08x", logKey.ID()); id != k.Public().KeyID()[:8] {
		t.Errorf("key id %s, want the beginning of the key's SHA-256 %s", id, k.Public().KeyID())
	}
	const shard = "rekor.example - 2605736670972794746"
	text := body(shard, 3, mth(leaves))
	r.Checkpoint = []byte(text + "\n" + line(logKey, k, text, 0))
	p := &tlog.Policy{Logs: []tlog.LogKey{{Origin: shard, Key: logKey}}}
	if _, err := p.Verify([]byte(entry(1)), r); err != nil {
		t.Error(err)
	}
	if _, err := (&tlog.Policy{Logs: []tlog.LogKey{{Key: logKey}}}).Verify([]byte(entry(1)), r); tlog.ReasonOf(err) != tlog.ReasonOrigin {
		t.Errorf("another origin: %v", err)
	}
	again, err := tlog.ParseKey(logKey.String())
	if err != nil || again.String() != logKey.String() {
		t.Errorf("%v, %v", again, err)
	}
}

// TestKeyAlgorithms: only what is said to be verified is.
func TestKeyAlgorithms(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := dsse.NewPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("name+%s+%s", p384.KeyID()[:8], base64.StdEncoding.EncodeToString(append([]byte{tlog.TypeECDSA}, p384.DER()...)))
	for what, err := range map[string]error{
		"a log with P-384":         second(tlog.NewLogKey("name", p384)),
		"a verifier key of P-384":  second(tlog.ParseKey(text)),
		"a witness with ECDSA":     second(tlog.NewWitnessKey("name", p384)),
		"an ML-DSA verifier key":   second(tlog.ParseKey("name+00000000+" + base64.StdEncoding.EncodeToString(append([]byte{6}, make([]byte, 1312)...)))),
		"an RFC 6962 verifier key": second(tlog.ParseKey("name+00000000+" + base64.StdEncoding.EncodeToString(append([]byte{5}, make([]byte, 91)...)))),
	} {
		if !errors.Is(err, tlog.ErrUnsupported) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := tlog.NewLogKey("name", nil); !errors.Is(err, tlog.ErrInvalid) {
		t.Errorf("no key: %v", err)
	}
}

func TestKeys(t *testing.T) {
	const example = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
	k, err := tlog.ParseKey(example)
	if err != nil {
		t.Fatal(err)
	}
	if k.Name() != "example.com/foo" || k.ID() != 0x530d903a || k.String() != example || k.Type() != tlog.TypeEd25519 || len(k.FullID()) != 32 {
		t.Errorf("%s %08x %s", k.Name(), k.ID(), k)
	}
	for _, bad := range []string{
		"", "example.com/foo", "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", strings.Replace(example, "530d", "530e", 1),
		strings.Replace(example, "530d903a", "530D903A", 1), example + "\n", example + "=", strings.Replace(example, "foo", "f oo", 1),
		strings.Replace(example, "+Aek", "+CUk", 1), example[:len(example)-4], strings.Repeat("x", 5000),
	} {
		if k, err := tlog.ParseKey(bad); err == nil {
			t.Errorf("%.80q is accepted as %s", bad, k)
		}
	}
	for _, name := range []string{"", "a b", "a+b", "a\nb", "\xff", "a b", strings.Repeat("x", 256)} {
		if _, err := tlog.NewLogKey(name, key("x").Public()); !errors.Is(err, tlog.ErrInvalid) {
			t.Errorf("name %.20q: %v", name, err)
		}
	}
	if _, err := tlog.NewLogSigner("name", key("x").Public(), key("y")); err != nil {
		t.Error(err) // noticed when it signs, which is when the key is at hand
	}
	l, err := tlog.NewLogSigner("name", key("x").Public(), key("y"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tlog.Open(ctx, tlog.NewMem(), l, nil); !errors.Is(err, tlog.ErrMismatch) {
		t.Errorf("a signer with another key: %v", err)
	}
}

// Signatures of nobody known are counted, so that who wants none can refuse them.
func TestStrangers(t *testing.T) {
	_, _, text := good()
	p := &tlog.Policy{Logs: []tlog.LogKey{{Key: logSigner(origin).Key()}}, Witnesses: witnesses("w1")}
	for want, lines := range []string{
		logLine(origin, text) + witnessLine("w1", text), logLine(origin, text) + witnessLine("w2", text), witnessLine("w2", text) + logLine(origin, text) + logLine("stranger", text),
	} {
		c, err := p.Open([]byte(text + "\n" + lines))
		if err != nil || c.Strangers != want {
			t.Errorf("%+v, %v, want %d strangers", c, err, want)
		}
	}
}
