package rekor_test

import (
	"bytes"
	"crypto/elliptic"
	"errors"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/attest/rekor"
)

// known reports whether err has a kind: none may slip through without.
func known(err error) bool {
	return errors.Is(err, rekor.ErrInvalid) || errors.Is(err, rekor.ErrUnsupported) || errors.Is(err, rekor.ErrMismatch) || errors.Is(err, rekor.ErrLimit)
}

// flip changes each byte of body, in one bit or in each, and returns where an entry
// was still taken for that of r.
func flip(t *testing.T, r *rekor.Record, whole []byte, each bool) (taken []int) {
	t.Helper()
	body := bytes.Clone(whole)
	for i := range body {
		for bit := range 8 {
			if !each && bit != i%8 {
				continue
			}
			body[i] ^= 1 << bit
			err := r.Check(body)
			if err == nil {
				taken = append(taken, i)
			} else if !known(err) {
				t.Fatalf("byte %d: %v", i, err)
			}
			body[i] = whole[i]
		}
	}
	return taken
}

// TestFlip: no bit of an entry can change without it being refused.
func TestFlip(t *testing.T) {
	for name, r := range map[string]*rekor.Record{
		"P-256": signed(t, ecKey(elliptic.P256(), 7), "{}"), "P-384": signed(t, ecKey(elliptic.P384(), 7), "{}"), "Ed25519": signed(t, edKey(7), "{}"),
	} {
		body, err := r.Body()
		if err != nil {
			t.Fatal(err)
		}
		if taken := flip(t, r, body, true); taken != nil {
			t.Errorf("%s: changed at %d and taken", name, taken)
		}
	}
}

// TestFlipConformance: the same for entries of Rekor itself. What cannot be known of
// Rekor v1's is the hash of the envelope's JSON as it was uploaded. STELLA_LONG tries
// each bit, not one of each byte.
func TestFlipConformance(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range packEntries(t) {
		kind := l.entry.Kind + " " + l.entry.Version
		if seen[kind] || l.record.CheckEntry(l.entry) != nil {
			continue
		}
		seen[kind] = true
		free := map[string]string{"dsse 0.0.1": `"envelopeHash":{"algorithm":"sha256","value":"`, "intoto 0.0.2": `"hash":{"algorithm":"sha256","value":"`}[kind]
		from, to := 0, 0
		if free != "" {
			from = strings.Index(string(l.entry.Body), free) + len(free)
			to = from + 64
		}
		for _, i := range flip(t, l.record, l.entry.Body, os.Getenv("STELLA_LONG") != "") {
			if i < from || i >= to {
				t.Errorf("%s (%s): changed at %d and taken", kind, l.test, i)
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("kinds: %v, want 4", seen)
	}
}

// TestRecords: whatever is signed has one body, which is no other record's.
func TestRecords(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func() *rekor.Record {
			payload := rapid.SampledFrom([]string{"", "a", "ab", "{}"}).Draw(rt, "payload")
			n := rapid.IntRange(1, 3).Draw(rt, "key")
			if rapid.Bool().Draw(rt, "ed25519") {
				return signed(t, edKey(byte(n)), payload)
			}
			return signed(t, ecKey(elliptic.P256(), int64(n)), payload)
		}
		a, b := draw(), draw()
		body, err := a.Body()
		if err != nil {
			rt.Fatal(err)
		}
		same := bytes.Equal(a.PublicKey, b.PublicKey) && bytes.Equal(a.Envelope.Payload, b.Envelope.Payload)
		if err := b.Check(body); same != (err == nil) {
			rt.Fatalf("same %v, Check %v", same, err)
		}
	})
}

func FuzzCheck(f *testing.F) {
	r := signed(f, ecKey(elliptic.P256(), 7), "{}")
	body, err := r.Body()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	for _, kind := range []string{
		`{"apiVersion":"0.0.1","kind":"dsse","spec":{"envelopeHash":{"algorithm":"sha256","value":""},"payloadHash":{"algorithm":"sha256","value":""},"signatures":[{"signature":"","verifier":""}]}}`,
		`{"apiVersion":"0.0.2","kind":"intoto","spec":{"content":{"envelope":{"payloadType":"","signatures":[{"publicKey":"","sig":""}]},"hash":{"algorithm":"sha256","value":""},"payloadHash":{"algorithm":"sha256","value":""}}}}`,
		`{"apiVersion":"0.0.2","kind":"dsse","spec":{"dsseV002":{"payloadHash":{},"signatures":[{}]}}}`,
		`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":""}},"signature":{"content":"","publicKey":{"content":""}}}}`,
	} {
		f.Add([]byte(kind))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		switch err := r.Check(text); {
		case err == nil && bytes.HasPrefix(text, []byte(`{"apiVersion":"0.0.2","kind":"hashedrekord"`)) && !bytes.Equal(text, body):
			t.Fatalf("taken: %s", text)
		case err != nil && !known(err):
			t.Fatal(err)
		}
	})
}
