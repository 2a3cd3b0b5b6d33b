package attest_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
)

// What strangers attach keeps nothing from counting, and never counts.
func TestMeet(t *testing.T) {
	w := newWorld(t)
	second, stranger := newKey(t), newKey(t)
	w.trust.Keys.Members = append(w.trust.Keys.Members, key.Member{Key: second.Public(), From: now, Purposes: []string{key.AnyPurpose}})
	envelope := func(predicate string, k dsse.Signer) []byte {
		text, err := w.statement(predicate, k).Encode()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	texts := [][]byte{
		[]byte("no bundle"), envelope(intoto.PredicateSPDX, stranger), encode(t, w.proved(w.statement(intoto.PredicateSPDX))), envelope(intoto.PredicateSPDX, second), envelope(intoto.PredicateOpenVEX, second),
	}
	v := &attest.Verifier{Trust: w.trust}
	got, err := v.Meet(t.Context(), texts, []attest.Requirement{
		{Name: "one", Predicates: []string{intoto.PredicateSPDX}},
		{Name: "two", Predicates: []string{intoto.PredicateSPDX}, Threshold: 2},
		{Name: "logged", Predicates: []string{intoto.PredicateSPDX}, Logged: true, Signers: []string{w.key.KeyID()}},
		{Name: "three", Predicates: []string{intoto.PredicateSPDX}, Threshold: 3},
		{Name: "logged by another", Predicates: []string{intoto.PredicateSPDX}, Logged: true, Signers: []string{second.KeyID()}},
		{Name: "verdict", Predicates: []string{intoto.PredicateVerdict}},
		{Name: "decision", Decision: &attest.Decision{}},
	}, &attest.Expectation{At: now, Subjects: []string{image}})
	if err != nil {
		t.Fatal(err)
	}
	met := map[string][]int{}
	for _, m := range got {
		if met[m.Requirement] = m.Lines; (m.Err == nil) != (m.Statement != nil) {
			t.Errorf("%+v", m)
		}
	}
	want := map[string][]int{"one": {3, 4}, "two": {3, 4}, "logged": {3}, "three": nil, "logged by another": nil, "verdict": nil, "decision": nil}
	if diff := cmp.Diff(want, met); diff != "" {
		t.Error(diff)
	}
	for _, m := range got {
		if m.Requirement == "three" && !errors.Is(m.Err, attest.ReasonThreshold) {
			t.Error(m.Err)
		}
	}
	if _, err := v.Meet(t.Context(), texts, nil, &attest.Expectation{At: now}); !errors.Is(err, attest.ErrInvalid) {
		t.Errorf("nothing is required: %v", err)
	}
	if _, err := v.Meet(t.Context(), texts, []attest.Requirement{{}}, &attest.Expectation{}); !errors.Is(err, attest.ErrInvalid) {
		t.Errorf("without a time: %v", err)
	}
	none, err := v.Meet(t.Context(), nil, []attest.Requirement{{}}, &attest.Expectation{At: now})
	if err != nil || !errors.Is(none[0].Err, attest.ReasonUnsigned) {
		t.Errorf("%v, %v", none, err)
	}
}
