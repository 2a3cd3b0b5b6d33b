package mirror_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/mirror"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
)

// TestSignedBy: whatever of a newer release could not be had, and however often, the data
// that stays is signed, and that there is something newer is known.
func TestSignedBy(t *testing.T) {
	s := newSite(t)
	first, second, third := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 20)}),
		snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 21)}), snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 22)})
	s.publish(t, start, first)
	c := s.client(t)
	if _, err := mirror.SignedBy(c.Store, first.Digest(), start); !errors.Is(err, mirror.ErrNotFound) {
		t.Errorf("there is no mirror: %v", err)
	}
	signed := func(what, digest string, version, newer int64, isNewer bool) {
		t.Helper()
		got, err := mirror.SignedBy(c.Store, digest, start)
		if err != nil || got.Version != version || got.Newer != isNewer || got.NewerVersion != newer {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	update := func(src fstest.MapFS, want error) {
		t.Helper()
		c.Source = role.FS(src)
		if _, err := c.Update(t.Context(), start); !errors.Is(err, want) {
			t.Fatalf("%v, want %v", err, want)
		}
	}
	update(view(t, s.Dir), nil)
	signed("the first", first.Digest(), 1, 0, false)
	s.publish(t, start, second)
	two := view(t, s.Dir)
	update(without(two, "2.targets.json"), role.ReasonMissing)
	signed("no list of files", first.Digest(), 1, 0, true)
	update(without(two, "sha256/"), role.ReasonMissing)
	signed("no contents", first.Digest(), 1, 2, true)
	update(without(two, "sha256/"), role.ReasonMissing)
	signed("no contents again", first.Digest(), 1, 2, true)
	s.publish(t, start, third)
	three := view(t, s.Dir)
	update(without(three, "sha256/"), role.ReasonMissing)
	signed("and no contents of the next", first.Digest(), 1, 3, true)
	if _, err := mirror.SignedBy(c.Store, first.Digest(), start.AddDate(0, 0, 2)); !errors.Is(err, role.ReasonExpired) {
		t.Errorf("what is current has expired: %v", err)
	}
	if _, err := mirror.SignedBy(c.Store, second.Digest(), start); !errors.Is(err, mirror.ErrMismatch) {
		t.Errorf("what never was current: %v", err)
	}
	update(three, nil)
	signed("the third", third.Digest(), 3, 0, false)
	if _, err := os.Stat(filepath.Join(c.Store.Dir, mirror.ActiveFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was current is still known: %v", err)
	}
	// Keys that a newer root takes away do not count, also for what is current.
	if err := s.Rotate(s.nextRoot(t, newKey(t, 42))); err != nil {
		t.Fatal(err)
	}
	update(view(t, s.Dir), role.ReasonThreshold)
	if _, err := mirror.SignedBy(c.Store, third.Digest(), start); !errors.Is(err, role.ReasonThreshold) {
		t.Errorf("keys that were replaced: %v", err)
	}
	s.Signers[role.RoleTimestamp] = []dsse.Signer{newKey(t, 42)}
	if err := s.Renew(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	update(view(t, s.Dir), nil)
	signed("by the new keys", third.Digest(), 3, 0, false)
}
