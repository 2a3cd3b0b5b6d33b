package proof

import (
	"time"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/store/crashpoint"
)

// rotate has the second key sign from now on.
func (l *lab) rotate() {
	l.Helper()
	root := *l.parties.root
	ring, err := root.Keys.Rotate(key.Member{Key: l.next.Public(), From: l.born, Purposes: []string{key.AnyPurpose}}, time.Hour)
	if err != nil {
		l.Fatal(err)
	}
	root.Keys = ring
	l.parties = &parties{signing: l.signing, next: l.next, logKey: l.logKey, tsa: l.tsa, root: &root, tokens: l.tokens, born: l.born}
}

// rotated is 6.10: an export that was begun with a key is ended with it; the next one has
// the other, in all its lines.
func (f *flow) rotated(l *lab) {
	for _, at := range some([]crashpoint.Point{crashpoint.SignKept, crashpoint.ExportRequested, crashpoint.AttestKept, crashpoint.AttestProved, crashpoint.ExportBundled}) {
		for _, nth := range []int{1, 2} {
			l := f.base.copy(l)
			if !l.crash(at, nth) && nth == 1 {
				l.Errorf("%s was not reached", at)
			}
			l.rotate()
			l.restart()
			l.work()
			f.same(l)
			if _, err := l.center.Request(l.Context(), "acme", export.Ask{ScanID: l.scan, By: "ann"}); err != nil {
				l.Fatal(err)
			}
			l.work()
			v := l.verifier(l)
			for _, e := range l.exports() {
				want := logged()
				want.Signers = []string{l.next.KeyID()}
				if _, err := v.Lines(l.Context(), l.object(e.Made.Bundle), "", want); err != nil || e.Inputs.KeyID != l.next.KeyID() {
					l.Errorf("%s: %s after the rotation: %v", at, e.Format, err)
				}
			}
			l.close()
		}
	}
}

// revoked is 6.10 with a key that was stolen meanwhile: it signs no more, and nothing is
// mixed; whoever asks anew gets the other key.
func (f *flow) revoked(l *lab) {
	if !l.crash(crashpoint.SignKept, 1) {
		l.Fatal("not reached")
	}
	l.rotate()
	ring, err := l.parties.root.Keys.Revoke(l.signing.KeyID(), key.Revocation{At: time.Now().Add(-time.Minute).Truncate(time.Second), Reason: "stolen"})
	if err != nil {
		l.Fatal(err)
	}
	l.parties.root.Keys = ring
	l.restart()
	l.work()
	for _, e := range l.exports() {
		if e.Made != nil || e.State == export.Completed {
			l.Errorf("%s is %s with a key that was revoked: %+v", e.Format, e.State, e.Made)
		}
	}
	if _, err := l.center.Request(l.Context(), "acme", export.Ask{ScanID: l.scan, By: "ann"}); err != nil {
		l.Fatal(err)
	}
	l.work()
	l.provedOnce()
}
