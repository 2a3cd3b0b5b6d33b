package export_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/fault"
)

// notary signs and logs what it is given, in memory.
type notary struct {
	key   *dsse.PrivateKey
	log   *tlog.Log
	store *attest.Memory
}

func newNotary(t testing.TB) *notary {
	t.Helper()
	n := &notary{key: newKey(t), store: &attest.Memory{Now: func() time.Time { return now }}}
	k := newKey(t)
	signer, err := tlog.NewLogSigner("log.example", k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	if n.log, err = tlog.Open(t.Context(), tlog.NewMem(), signer, &tlog.Options{MaxDelay: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.log.Close() })
	return n
}

func newKey(t testing.TB) *dsse.PrivateKey {
	t.Helper()
	k, err := key.Generate(key.P256)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (n *notary) Current(context.Context, string, string) (string, error) { return n.key.KeyID(), nil }

func (n *notary) Key(_ context.Context, _, id, _ string) (attest.Key, error) {
	if id != n.key.KeyID() {
		return nil, fault.NotFound
	}
	return n.key, nil
}

func (n *notary) trust() *attest.Trust {
	return &attest.Trust{
		Keys: key.Ring{Members: []key.Member{{Key: n.key.Public(), From: now.Add(-time.Hour), Purposes: []string{key.AnyPurpose}}}},
		Logs: tlog.Policy{Logs: []tlog.LogKey{{Key: n.log.Key()}}},
	}
}

func (n *notary) signer(facts func(string) (attest.Facts, error)) *attest.Signer {
	return &attest.Signer{Facts: facts, Keys: n, Stores: func(string) (attest.Store, error) { return n.store, nil }, Grants: []attest.Grant{{}}}
}

func (n *notary) attestor() *attest.Attestor {
	return &attest.Attestor{
		Trust:   func(context.Context, string) (*attest.Trust, error) { return n.trust(), nil },
		Stores:  func(string) (attest.Store, error) { return n.store, nil },
		Objects: func(string) (attest.Objects, error) { return n.store, nil },
		Log:     &attest.Embedded{Log: n.log}, Now: func() time.Time { return now },
	}
}

// evidence proves everything about a material.
func (n *notary) evidence(t testing.TB, m *export.Material) []bundle.Item {
	t.Helper()
	p := &export.Prover{
		Signer: n.signer(func(string) (attest.Facts, error) { return m.Facts(), nil }), Attestor: n.attestor(), Caller: attest.Caller{Tenant: "acme", Subject: "ci"}, Logged: true,
	}
	items, _, err := p.Prove(t.Context(), "scan-1", m.Predicates())
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func lines(t testing.TB, items []bundle.Item) []byte {
	t.Helper()
	text, err := bundle.Encode(items)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var wanted = &attest.Expectation{At: now, Subjects: []string{digest("manifest")}, Predicates: []string{intoto.PredicateSPDX, intoto.PredicateVerdict}, Logged: true, Canonical: true}

func TestEvidence(t *testing.T) {
	n := newNotary(t)
	items := n.evidence(t, material(t))
	v := attest.Verifier{Trust: *n.trust()}
	e, err := v.Evidence(t.Context(), lines(t, items), "", wanted)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Verdicts) != 1 || e.Verdicts[0].Outcome != verdict.Block && e.Verdicts[0].Outcome != verdict.NotAssessed || len(e.Lines) != len(items) {
		t.Errorf("%+v", e)
	}
	if err := e.Decide(&attest.Decision{Outcomes: []verdict.Outcome{e.Verdicts[0].Outcome}, Environment: "production", Policies: []string{e.Verdicts[0].Inputs.Policy}, MaxAge: time.Hour}, now); err != nil {
		t.Error(err)
	}
	all := []verdict.Outcome{verdict.Pass, verdict.Warn, verdict.NotAssessed, verdict.Block}
	for code, d := range map[string]attest.Decision{
		"outcome": {Outcomes: []verdict.Outcome{verdict.Pass}}, "outcome ": {Outcomes: all, Environment: "test"}, "outcome  ": {Outcomes: all, Policies: []string{digest("another")}},
		"outcome   ": {}, "age": {Outcomes: all, MaxAge: time.Second},
	} {
		if err := e.Decide(&d, now.Add(time.Minute)); attest.Code(err) != strings.TrimSpace(code) {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

func TestEvidenceRefuses(t *testing.T) {
	n := newNotary(t)
	good := n.evidence(t, material(t))
	m := material(t)
	m.Report.Findings = m.Report.Findings[:1]
	m.Verdict = decide(t, m.Document, m.Report, m.Neutral)
	foreign := n.evidence(t, m) // of the same image, another verdict
	byKind := func(items []bundle.Item, kind intoto.Kind) bundle.Item {
		for _, i := range items {
			if s, err := intoto.Decode(i.Bundle.Envelope.PayloadType, i.Bundle.Envelope.Payload); err == nil && intoto.KindOf(s.PredicateType) == kind {
				return i
			}
		}
		t.Fatal("no ", kind)
		return bundle.Item{}
	}
	last := len(good) - 1
	for name, c := range map[string]struct {
		items []bundle.Item
		code  string
	}{
		"a line is missing":          {slices.Delete(slices.Clone(good), 1, 2), "evidence"},
		"the list is missing":        {good[:last], "evidence"},
		"a line twice":               {append(slices.Clone(good), good[0]), "evidence"},
		"the list twice":             {append(slices.Clone(good), good[last]), "evidence"},
		"two lists":                  {append(slices.Clone(good), foreign[last]), "evidence"},
		"a foreign verdict":          {append(slices.Clone(good), byKind(foreign, intoto.Verdict)), "evidence"},
		"a foreign list":             {append(slices.Clone(good[:last]), foreign[last]), "evidence"},
		"a foreign verdict for ours": {[]bundle.Item{good[0], good[1], good[2], byKind(foreign, intoto.Verdict), good[last]}, "evidence"},
		"nothing":                    {nil, "malformed"},
	} {
		v := attest.Verifier{Trust: *n.trust()}
		e, err := v.Evidence(t.Context(), lines(t, c.items), "", wanted)
		if e != nil || attest.Code(err) != c.code {
			t.Errorf("%s: code %q, %v", name, attest.Code(err), err)
		}
	}
	want := *wanted
	want.Predicates = []string{intoto.PredicateOpenVEX}
	v := attest.Verifier{Trust: *n.trust()}
	if _, err := v.Evidence(t.Context(), lines(t, good), "", &want); attest.Code(err) != "evidence" {
		t.Errorf("a statement that is not there: %v", err)
	}
	text := lines(t, good)
	if _, err := v.Evidence(t.Context(), text[:len(text)-1], "", wanted); attest.Code(err) != "malformed" {
		t.Errorf("the last line without its end: %v", err)
	}
	if _, err := v.Evidence(t.Context(), text, digest("another"), wanted); attest.Code(err) != "malformed" {
		t.Errorf("another digest: %v", err)
	}
}

// Every byte of evidence is signed, proved, or has one spelling.
func TestFlipEvidence(t *testing.T) {
	n := newNotary(t)
	text := lines(t, n.evidence(t, material(t)))
	v := attest.Verifier{Trust: *n.trust()}
	step := 17
	if testing.Short() {
		step = 101
	}
	for i := 0; i < len(text); i += step {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		if _, err := v.Evidence(t.Context(), changed, "", wanted); attest.Code(err) == "" {
			t.Fatalf("byte %d of %d, %q: %v", i, len(text), text[i], err)
		}
	}
}

func BenchmarkEvidence(b *testing.B) {
	n := newNotary(b)
	text := lines(b, n.evidence(b, material(b)))
	v := attest.Verifier{Trust: *n.trust()}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := v.Evidence(b.Context(), text, "", wanted); err != nil {
			b.Fatal(err)
		}
	}
}
