package attest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
)

// A key that is rotated out ends by itself, and a job that began with it goes on while
// both are in force.
func TestRotation(t *testing.T) {
	first, second, elsewhere := newKey(t), newKey(t), newKey(t)
	clock := now
	any := []string{key.AnyPurpose}
	ring := key.Ring{Members: []key.Member{{Key: first.Public(), From: now, Purposes: any}}}
	ring, err := ring.Rotate(key.Member{Key: second.Public(), From: now.Add(24 * time.Hour), Purposes: any}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if ring, err = ring.Rotate(key.Member{Key: elsewhere.Public(), From: now.Add(48 * time.Hour), Purposes: any}, time.Hour); err != nil {
		t.Fatal(err)
	}
	h := &attest.Held{Ring: ring, Open: []attest.Key{first, second, newKey(t)}, Now: func() time.Time { return clock }}
	for _, c := range []struct {
		after      time.Duration
		want       string
		firstError error
	}{
		{0, first.KeyID(), nil},
		{24*time.Hour - time.Second, first.KeyID(), nil},
		{24 * time.Hour, second.KeyID(), nil},
		{25 * time.Hour, second.KeyID(), attest.ErrForbidden},
		{48 * time.Hour, second.KeyID(), attest.ErrForbidden}, // the third is not open here
		{49 * time.Hour, "", attest.ErrForbidden},
	} {
		clock = now.Add(c.after)
		got, err := h.Current(t.Context(), "acme", intoto.PredicateVerdict)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("after %s: %s, %v", c.after, got, err)
		}
		if _, err := h.Key(t.Context(), "acme", first.KeyID(), intoto.PredicateVerdict); !errors.Is(err, c.firstError) {
			t.Errorf("after %s: %v", c.after, err)
		}
	}
	if _, err := h.Key(t.Context(), "acme", h.Open[2].KeyID(), intoto.PredicateVerdict); !errors.Is(err, attest.ErrForbidden) {
		t.Errorf("a key that is not in the ring: %v", err)
	}
	if _, err := h.Key(t.Context(), "acme", elsewhere.KeyID(), intoto.PredicateVerdict); !errors.Is(err, attest.ErrNotFound) {
		t.Errorf("a key that is not open: %v", err)
	}
}

// A key signs nothing that it is not for, though a caller names it.
func TestHeldPurpose(t *testing.T) {
	w := newWorld(t)
	k := newKey(t)
	ring := key.Ring{Members: []key.Member{{Key: k.Public(), From: now, Purposes: []string{intoto.PredicateVerdict}}}}
	s := w.signer()
	s.Keys = &attest.Held{Ring: ring, Open: []attest.Key{k}, Now: func() time.Time { return now }}
	for predicate, want := range map[string]error{intoto.PredicateVerdict: nil, intoto.PredicateSPDX: attest.ErrForbidden} {
		_, err := s.Sign(t.Context(), attest.Caller{Tenant: "acme"}, attest.Order{ScanID: "scan", Predicate: predicate, KeyID: k.KeyID()})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", predicate, err, want)
		}
	}
}
