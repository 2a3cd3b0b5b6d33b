package attest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/fault"
)

// fickle is a log that can be away.
type fickle struct {
	attest.Embedded
	w *world
}

func (f *fickle) Enter(ctx context.Context, r *rekor.Record) (*bundle.Entry, error) {
	if f.w.away {
		return nil, fmt.Errorf("nobody answers: %w", fault.Unavailable)
	}
	return f.Embedded.Enter(ctx, r)
}

func TestVerify(t *testing.T) {
	w := newWorld(t)
	text := encode(t, w.proved(w.statement(intoto.PredicateSPDX)))
	v := &attest.Verifier{Trust: w.trust}
	got, err := v.Verify(t.Context(), text, &attest.Expectation{
		At: now, Predicates: []string{intoto.PredicateSPDX}, Subjects: []string{other, image}, Logged: true, Stamped: true, MaxAge: 2 * time.Hour, Signers: []string{w.key.KeyID()}, Canonical: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &attest.Verified{
		PayloadType: intoto.PayloadType, Payload: got.Payload, Statement: got.Statement, Signers: []string{w.key.KeyID()}, Times: []time.Time{w.stamped}, Logged: []attest.Logged{{Origin: "log.example/stella", Index: 0, Size: 1}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	b, err := bundle.Decode(text)
	if err != nil || !bytes.Equal(b.Envelope.Payload, got.Payload) {
		t.Errorf("what is handed on is not what was signed: %v", err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	type change struct {
		name string
		code string
		// build changes the world before anything is signed, bundle what was proved, want
		// what is expected, and trust whom to believe.
		bundle func(w *world, b *bundle.Bundle)
		want   func(w *world, e *attest.Expectation)
		trust  func(w *world)
	}
	for _, c := range []change{
		{name: "nobody is trusted", code: "not signed by whom it must be", trust: func(w *world) { w.trust.Keys = key.Ring{} }},
		{name: "another key is trusted", code: "not signed by whom it must be", trust: func(w *world) { w.trust.Keys.Members[0].Key = newKey(w.t).Public() }},
		{name: "a key that says it is the trusted one", code: "not signed by whom it must be", want: func(w *world, e *attest.Expectation) { e.Stamped = false }, bundle: func(w *world, b *bundle.Bundle) {
			e := w.statement(intoto.PredicateSPDX, newKey(w.t))
			e.Signatures[0].KeyID, b.Envelope, b.Material.Timestamps = w.key.KeyID(), e, nil
		}},
		{name: "two keys and one signature", code: "below threshold", want: func(w *world, e *attest.Expectation) { e.Threshold = 2 }},
		{name: "a key that is not asked for", code: "not signed by whom it must be", want: func(w *world, e *attest.Expectation) { e.Signers = []string{"another"} }},
		{name: "key too early", code: "key/key not yet valid", trust: func(w *world) { w.trust.Keys.Members[0].From = w.stamped.Add(time.Second) }},
		{name: "key too late", code: "key/key no longer valid", trust: func(w *world) { w.trust.Keys.Members[0].To = w.stamped }},
		{name: "key revoked before", code: "key/key revoked", trust: func(w *world) { w.trust.Keys.Members[0].Revoked = &key.Revocation{At: w.stamped, Reason: "lost"} }},
		{name: "key for other things", code: "key/key for other purposes", trust: func(w *world) { w.trust.Keys.Members[0].Purposes = []string{intoto.PredicateOpenVEX} }},
		{name: "other payload type", code: "payload type", want: func(w *world, e *attest.Expectation) { e.PayloadType = "application/json" }},
		{name: "other predicate", code: "predicate type", want: func(w *world, e *attest.Expectation) { e.Predicates = []string{intoto.PredicateVerdict} }},
		{name: "other subject", code: "subject", want: func(w *world, e *attest.Expectation) { e.Subjects = []string{other} }},
		{name: "other artifact", code: "artifact", want: func(w *world, e *attest.Expectation) { e.Artifact = []byte("other") }},
		{name: "no entry", code: "no transparency", bundle: func(w *world, b *bundle.Bundle) { b.Material.Entries = nil }},
		{name: "unknown log", code: "log/unknown log", trust: func(w *world) { w.trust.Logs = tlog.Policy{} }},
		{name: "unknown log counts as none", code: "no transparency", trust: func(w *world) { w.trust.Logs = tlog.Policy{} }, want: func(w *world, e *attest.Expectation) { e.Unknown = true }},
		{name: "entry of another statement", code: "log entry/entry of another", bundle: func(w *world, b *bundle.Bundle) {
			b.Material.Entries = w.proved(w.statement(intoto.PredicateOpenVEX)).Material.Entries
		}},
		{name: "one good and one foreign entry", code: "log entry/", bundle: func(w *world, b *bundle.Bundle) {
			b.Material.Entries = append(b.Material.Entries, w.proved(w.statement(intoto.PredicateOpenVEX)).Material.Entries...)
		}},
		{name: "wrong hash", code: "log/wrong root", bundle: func(w *world, b *bundle.Bundle) {
			*b = *again(w, b)
			b.Material.Entries[0].Proof.Hashes[0][0] ^= 1
		}},
		{name: "one hash too many", code: "log/wrong proof length", bundle: func(w *world, b *bundle.Bundle) {
			p := b.Material.Entries[0].Proof
			p.Hashes = append(p.Hashes, [32]byte{})
		}},
		{name: "index beyond the tree", code: "log/wrong index", bundle: func(w *world, b *bundle.Bundle) {
			e := &b.Material.Entries[0]
			e.LogIndex, e.Proof.LogIndex = 7, 7
		}},
		{name: "largest index", code: "log/wrong index", bundle: func(w *world, b *bundle.Bundle) {
			e := &b.Material.Entries[0]
			e.LogIndex, e.Proof.LogIndex = 1<<63-1, 1<<63-1
		}},
		{name: "index beside its proof's", code: "log", bundle: func(w *world, b *bundle.Bundle) { b.Material.Entries[0].LogIndex = 5 }},
		{name: "root beside the checkpoint's", code: "log", bundle: func(w *world, b *bundle.Bundle) { b.Material.Entries[0].Proof.RootHash[3] ^= 1 }},
		{name: "size beside the checkpoint's", code: "log", bundle: func(w *world, b *bundle.Bundle) { b.Material.Entries[0].Proof.TreeSize++ }},
		{name: "log id", code: "log", bundle: func(w *world, b *bundle.Bundle) { b.Material.Entries[0].LogID[0] ^= 1 }},
		{name: "witness wanted", code: "log/witness threshold", trust: func(w *world) { w.trust.Logs.Threshold, w.trust.Logs.Witnesses = 1, []*tlog.Key{witness(w)} }},
		{name: "no timestamp", code: "no timestamp", bundle: func(w *world, b *bundle.Bundle) { b.Material.Timestamps = nil }},
		{name: "unknown authority", code: "timestamp/unknown authority", trust: func(w *world) { w.trust.Authorities = nil }},
		{name: "unknown authority counts as none", code: "no timestamp", trust: func(w *world) { w.trust.Authorities = nil }, want: func(w *world, e *attest.Expectation) { e.Unknown = true }},
		{name: "timestamp of another signature", code: "timestamp/other message", bundle: func(w *world, b *bundle.Bundle) {
			b.Material.Timestamps = w.proved(w.statement(intoto.PredicateOpenVEX)).Material.Timestamps
		}},
		{name: "one good and one bad timestamp", code: "timestamp/", bundle: func(w *world, b *bundle.Bundle) {
			b.Material.Timestamps = append(b.Material.Timestamps, []byte("no token"))
		}},
		{name: "too old", code: "age", want: func(w *world, e *attest.Expectation) { e.MaxAge = 59 * time.Minute }},
		{name: "from the future", code: "age", want: func(w *world, e *attest.Expectation) { e.At = now.Add(-2 * time.Hour) }},
		{name: "a certificate that nobody checks", code: "certificate", bundle: func(w *world, b *bundle.Bundle) {
			b.Material.Certificates, b.Material.KeyHint = [][]byte{w.tsa.Certificates()[0].Raw}, ""
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			b := w.proved(w.statement(intoto.PredicateSPDX))
			want := &attest.Expectation{At: now, Logged: true, Stamped: true, Subjects: []string{image}}
			if c.bundle != nil {
				c.bundle(w, b)
			}
			if c.want != nil {
				c.want(w, want)
			}
			if c.trust != nil {
				c.trust(w)
			}
			got, err := (&attest.Verifier{Trust: w.trust}).Verify(t.Context(), encode(t, b), want)
			if got != nil {
				t.Errorf("an error, and %v", got)
			}
			if c.name == "entry of another statement" && errors.Is(err, attest.ReasonEntry) {
				return // which part differs first does not matter
			}
			mustRefuse(t, err, c.code)
		})
	}
}

// again enters other statements beside one, so that its proof has hashes.
func again(w *world, b *bundle.Bundle) *bundle.Bundle {
	w.proved(w.statement(intoto.PredicateOpenVEX))
	w.memory = &attest.Memory{Now: w.memory.Now}
	out := w.proved(b.Envelope)
	if len(out.Material.Entries[0].Proof.Hashes) == 0 {
		w.t.Fatal("a proof without hashes")
	}
	return out
}

func witness(w *world) *tlog.Key {
	k := newKey(w.t)
	private, err := key.Generate(key.Ed25519)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := tlog.NewWitnessKey("witness.example", private.Public())
	if err != nil {
		w.t.Fatal(k, err)
	}
	return out
}

// A key that is no longer valid has signed well while it was, if somebody else says when.
func TestTimeOfSigning(t *testing.T) {
	w := newWorld(t)
	b := w.proved(w.statement(intoto.PredicateSPDX))
	m := &w.trust.Keys.Members[0]
	m.To = w.stamped.Add(time.Second)
	m.Revoked = &key.Revocation{At: w.stamped.Add(time.Second), Reason: "stolen"}
	v := &attest.Verifier{Trust: w.trust}
	if _, err := v.Verify(t.Context(), encode(t, b), &attest.Expectation{At: now}); err != nil {
		t.Errorf("with its timestamp: %v", err)
	}
	b.Material.Timestamps = nil
	_, err := v.Verify(t.Context(), encode(t, b), &attest.Expectation{At: now})
	mustRefuse(t, err, "key/key revoked")
}

func TestThreshold(t *testing.T) {
	w := newWorld(t)
	second, third := newKey(t), newKey(t)
	w.trust.Keys.Members = append(w.trust.Keys.Members, key.Member{Key: second.Public(), From: now, Purposes: []string{key.AnyPurpose}})
	v := &attest.Verifier{Trust: w.trust}
	for _, c := range []struct {
		name    string
		signers []dsse.Signer
		code    string
	}{
		{"two trusted", []dsse.Signer{w.key, second}, ""},
		{"one trusted and a stranger", []dsse.Signer{w.key, third}, "below threshold"},
		{"one key under two names", []dsse.Signer{w.key, named{w.key, "again"}}, "below threshold"},
		{"a stranger", []dsse.Signer{third}, "not signed by whom it must be"},
	} {
		text, err := w.statement(intoto.PredicateSPDX, c.signers...).Encode()
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(t.Context(), text, &attest.Expectation{At: now, Threshold: 2})
		if c.code == "" && err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if c.code != "" {
			mustRefuse(t, err, c.code)
		}
	}
}

// named signs with a key under another name.
type named struct {
	dsse.Signer
	name string
}

func (n named) KeyID() string { return n.name }

// Every byte of a bundle is signed, proved, or has one spelling.
func TestFlipEveryByte(t *testing.T) {
	w := newWorld(t)
	w.proved(w.statement(intoto.PredicateOpenVEX))
	text := encode(t, w.proved(w.statement(intoto.PredicateSPDX)))
	v := &attest.Verifier{Trust: w.trust}
	want := &attest.Expectation{At: now, Logged: true, Stamped: true, Canonical: true}
	if _, err := v.Verify(t.Context(), text, want); err != nil {
		t.Fatal(err)
	}
	codes := map[string]int{}
	for i := range text {
		for _, bit := range []byte{0x01, 0x20, 0x80} {
			changed := bytes.Clone(text)
			changed[i] ^= bit
			_, err := v.Verify(t.Context(), changed, want)
			code := attest.Code(err)
			if err == nil || code == "" {
				t.Fatalf("byte %d, %q for %q: %v", i, changed[i], text[i], err)
			}
			codes[code]++
		}
	}
	t.Logf("%d bytes, refused as %v", len(text), codes)
	for i := range text {
		if _, err := v.Verify(t.Context(), text[:i], want); err == nil {
			t.Fatalf("the first %d bytes pass", i)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	text := encode(b, w.proved(w.statement(intoto.PredicateSPDX)))
	v := &attest.Verifier{Trust: w.trust}
	want := &attest.Expectation{At: now, Logged: true, Stamped: true}
	for b.Loop() {
		if _, err := v.Verify(b.Context(), text, want); err != nil {
			b.Fatal(err)
		}
	}
}
