package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
)

// testHold: what is held is not deleted, and says why.
func testHold(w *proofWorld) {
	s, id := w.acme.Attest(), w.completed(w.acme)
	gone := w.completed(w.acme)
	w.wantErr("no scan", s.Hold(w.ctx, "scan-none", "why", "ann"), attest.ErrNotFound)
	w.wantErr("no reason", s.Hold(w.ctx, id, " ", "ann"), attest.ErrInvalid)
	w.wantErr("nobody", s.Hold(w.ctx, id, "why", ""), attest.ErrInvalid)
	w.wantErr("not held", s.Release(w.ctx, id, "why", "ann"), attest.ErrNotFound)
	w.keep(attestation("e", id))
	for range 2 {
		if err := s.Hold(w.ctx, id, "a trial", "ann"); err != nil {
			w.Fatal(err)
		}
	}
	w.collect()
	if _, err := w.acme.Scans().Job(w.ctx, gone); !errors.Is(err, scan.ErrNotFound) {
		w.Errorf("the one that is not held: %v", err)
	}
	must[*attest.Attestation](w)(s.Attestation(w.ctx, sha("e")))
	if err := s.Release(w.ctx, id, "it is over", "bob"); err != nil {
		w.Fatal(err)
	}
	w.wantErr("released twice, otherwise", s.Release(w.ctx, id, "it is over", "eve"), attest.ErrNotFound)
	if err := s.Hold(w.ctx, id, "an appeal", "ann"); err != nil {
		w.Fatal(err)
	}
	w.collect()
	var said []string
	for _, h := range must[[]store.Hold](w)(s.Holds(w.ctx, id)) {
		said = append(said, fmt.Sprintf("%d %v %s %s", h.Number, h.Held, h.Reason, h.By))
	}
	if diff := cmp.Diff([]string{"1 true a trial ann", "2 false it is over bob", "3 true an appeal ann"}, said); diff != "" {
		w.Error(diff)
	}
	if err := s.Release(w.ctx, id, "it is over", "ann"); err != nil {
		w.Fatal(err)
	}
	w.collect()
	if _, err := w.acme.Scans().Job(w.ctx, id); !errors.Is(err, scan.ErrNotFound) {
		w.Errorf("after the release: %v", err)
	}
	if list := must[[]store.Hold](w)(s.Holds(w.ctx, id)); len(list) > 0 {
		w.Errorf("%+v", list)
	}
}

// testHoldRace holds scans while they are collected: whoever was told that a scan is
// held finds it afterwards.
func testHoldRace(w *proofWorld) {
	for range 8 {
		ids := []string{w.completed(w.acme), w.completed(w.acme), w.completed(w.acme)}
		held := make([]bool, len(ids))
		time.Sleep(2 * time.Millisecond)
		var wg sync.WaitGroup
		wg.Go(func() {
			w.retry(func() error {
				_, err := w.root.Collect(w.ctx, &store.Retention{Scans: time.Millisecond, Keys: -1, Events: -1})
				return err
			})
		})
		for i, id := range ids {
			wg.Go(func() {
				w.retry(func() error {
					err := w.acme.Attest().Hold(w.ctx, id, "a trial", "ann")
					if held[i] = err == nil; errors.Is(err, attest.ErrNotFound) {
						return nil
					}
					return err
				})
			})
		}
		wg.Wait()
		for i, id := range ids {
			if _, err := w.acme.Scans().Job(w.ctx, id); held[i] && err != nil {
				w.Errorf("held, and gone: %v", err)
			}
		}
	}
}
