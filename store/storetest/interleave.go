package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/drift"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// actor runs something that stops at its points until it is let on.
type actor struct {
	stops   map[crashpoint.Point]bool
	let     chan struct{} // one for each step
	reached chan struct{} // one for each step that ended
	owed    int           // steps that were let and have not ended
}

func newActor(stops ...crashpoint.Point) *actor {
	a := &actor{stops: map[crashpoint.Point]bool{}, let: make(chan struct{}, 100), reached: make(chan struct{}, 100)}
	for _, p := range stops {
		a.stops[p] = true
	}
	return a
}

// start runs f; each of its steps waits for its turn.
func (a *actor) start(t *testing.T, what string, fs ...func() error) {
	go func() {
		for _, f := range fs {
			<-a.let
			if err := f(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			a.reached <- struct{}{}
		}
	}()
}

// pass is what a point does to the actor that passes it.
func (a *actor) pass(p crashpoint.Point) {
	if a.stops[p] {
		a.reached <- struct{}{}
		<-a.let
	}
}

// patience is how long a step is waited for that waits for a lock.
const patience = 60 * time.Millisecond

// step lets the actor take one step. One that waits for somebody else's lock ends
// when that is free.
func (a *actor) step() {
	a.let <- struct{}{}
	a.owed++
	a.await(patience)
}

func (a *actor) await(limit time.Duration) {
	for over := time.After(limit); a.owed > 0; {
		select {
		case <-a.reached:
			a.owed--
		case <-over:
			return
		}
	}
}

// merges returns all orders of a's and b's steps, each in its own order.
func merges(a, b int) (out []string) {
	if a == 0 || b == 0 {
		return []string{strings.Repeat("a", a) + strings.Repeat("b", b)}
	}
	for _, m := range merges(a-1, b) {
		out = append(out, "a"+m)
	}
	for _, m := range merges(a, b-1) {
		out = append(out, "b"+m)
	}
	return out
}

// testInterleavings tries every order in which a scan completes while a head is
// committed and looked at for whom it concerns: the scan is scheduled once and told
// once, by one of the two.
func testInterleavings(t *testing.T, root *store.Root) {
	w := newWorld(t, root, 1)
	w.commit()
	w.handleAll()
	scheduledBy := map[string]int{}
	for _, order := range merges(4, 3) {
		by := w.interleave(order)
		scheduledBy[by]++
		if by != "completion" && by != "drift" {
			t.Errorf("%s: %s", order, by)
		}
	}
	t.Logf("scheduled by: %v", scheduledBy)
	// Without the gate, those of the completion would be missed.
	if scheduledBy["completion"] == 0 || scheduledBy["drift"] == 0 {
		t.Errorf("not every order was met: %v", scheduledBy)
	}
}

// interleave tries one order of steps with a new scan and a new head that concerns
// it. It says who scheduled the scan.
func (w *world) interleave(order string) string {
	ctx := context.Background()
	s, complete := w.concerned()
	completes := newActor(crashpoint.CompletePackages, crashpoint.CompleteFindings, crashpoint.CompleteGate)
	commits := newActor(crashpoint.PublishEvent)
	var mu sync.Mutex
	defer crashpoint.Set(crashpoint.Set(func(p crashpoint.Point) {
		mu.Lock()
		w.hits[p]++
		mu.Unlock()
		completes.pass(p)
		commits.pass(p)
	}))
	number := len(w.heads) - 1
	completes.start(w.T, "complete", complete)
	commits.start(w.T, "commit", func() error { return w.commitDrawn() }, func() error {
		relayAll(w, w.relay)
		for _, m := range w.queue.messages {
			if m.topic == event.ConcelierDeltas {
				if err := (&drift.Worker{Store: w.root.Drift(), Views: w.views}).Handle(ctx, m.body); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for _, who := range order {
		if who == 'a' {
			completes.step()
		} else {
			commits.step()
		}
	}
	completes.await(30 * time.Second)
	commits.await(30 * time.Second)
	if completes.owed+commits.owed > 0 {
		return fmt.Sprintf("%d and %d steps did not end", completes.owed, commits.owed)
	}
	return w.outcome(s, number)
}

// concerned begins a scan that was matched with the newest head and that the next
// one, which it draws, concerns.
func (w *world) concerned() (*worldScan, func() error) {
	at := len(w.heads) - 1
	for {
		s, complete := w.begin()
		if w.heads[s.matched] == nil || w.heads[s.matched].digest != w.heads[at].digest {
			continue
		}
		w.draw()
		if len(w.missed(s)) > 0 {
			return s, complete
		}
		w.heads = w.heads[:at+1]
	}
}

// missed is how the last head differs from the one before for a scan.
func (w *world) missed(s *worldScan) []finding.Difference {
	n := len(w.heads) - 1
	return finding.Together(finding.Compare(w.match(n-1, s.doc).Findings, w.match(n, s.doc).Findings))
}

// handleAll handles all messages in their order, without crashes.
func (w *world) handleAll() {
	for relayAll(w, w.relay); len(w.queue.messages) > 0; relayAll(w, w.relay) {
		m := w.queue.messages[0]
		w.queue.messages = w.queue.messages[1:]
		for _, handle := range w.consumers(m) {
			if err := handle(context.Background(), m.body); err != nil {
				w.Fatalf("%s: %v", m.topic, err)
			}
		}
	}
}

// outcome delivers what is left and says who scheduled and told the scan.
func (w *world) outcome(s *worldScan, number int) string {
	crashpoint.Set(nil)
	w.handleAll()
	all := must[[]schedule.Evaluation](w)(tenant(w, w.root, s.tenant).Evaluations().List(context.Background(), s.id))
	told := 0
	for _, line := range w.drift {
		if strings.Contains(line, s.id) {
			told++
		}
	}
	switch want := len(w.missed(s)); {
	case len(all) != 1 || all[0].Head != int64(number) || all[0].State != schedule.Done:
		return fmt.Sprintf("evaluations %+v", all)
	case told != want:
		return fmt.Sprintf("told %d times, want %d: %q", told, want, w.drift)
	case all[0].Cause == schedule.CauseCompletion:
		return "completion"
	}
	return "drift"
}
