package queuetest

import (
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/queue"
)

// testIncarnation: it stays while nothing is lost, and every driver sees it.
func testIncarnation(s *suite) {
	first, err := s.d.Incarnation(s.Context())
	if err != nil || first == "" {
		s.Fatalf("got %q, %v", first, err)
	}
	r := request("t", s.group("t", "g"))
	s.publish("t", "a")
	s.ack(r, s.one(r))
	for _, d := range []queue.Driver{s.d, s.again(), s.d} {
		if got, err := d.Incarnation(s.Context()); got != first || err != nil {
			s.Errorf("got %q, %v; want %q", got, err, first)
		}
	}
}

// testLoss: after everything was lost the incarnation is another, groups are
// made again, and what is published again arrives.
func testLoss(s *suite) {
	if s.c.Lose == nil {
		s.Skip("this backend's Config has no Lose")
	}
	r := request("t", s.group("t", "g"))
	s.publish("t", "a", "b", "c")
	held := s.one(r)
	retried := s.one(r)
	s.settle(r, retried, queue.Settlement{Action: queue.Retry, Cause: "x", Delay: time.Minute})
	before, err := s.d.Incarnation(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	s.c.Lose(s.T, s.d)
	s.settle(r, held, queue.Settlement{Action: queue.Ack})
	s.none(r, 100*time.Millisecond)
	after, err := s.d.Incarnation(s.Context())
	if err != nil || after == before {
		s.Errorf("incarnation %q, %v; want another than %q", after, err, before)
	}
	if got, err := s.again().Incarnation(s.Context()); got != after || err != nil {
		s.Errorf("another driver sees incarnation %q, %v; want %q", got, err, after)
	}
	// The group was made again by Receive, so it gets what is published now.
	s.publish("t", "a", "b", "c")
	got := s.some(r, 3)
	if diff := cmp.Diff([]string{"a", "b", "c"}, ids(got)); diff != "" {
		s.Error(diff)
	}
	for _, d := range got {
		if d.Attempt != 1 || len(d.Causes) != 0 {
			s.Errorf("%s: attempt %d, causes %q; want a new message", d.ID, d.Attempt, d.Causes)
		}
	}
	s.ack(r, got...)
	s.c.Lose(s.T, s.d)
	s.publish("t", "d") // without a group
	if d := s.one(r); d.ID != "d" {
		s.Errorf("got %s, want d", d.ID)
	}
}

// testBounded: what all groups are done with is dropped, and nothing that one
// still has to read.
func testBounded(s *suite) {
	const rounds, batch, most = 12, 250, 1500
	fast, slow := request("t", s.group("t", "fast")), request("t", s.group("t", "slow"))
	fast.Max, slow.Max = 100, 100
	all := numbered("m", rounds*batch)
	for part := range slices.Chunk(all, batch) {
		s.publish("t", part...)
		s.ack(fast, s.some(fast, batch)...)
	}
	kept := s.one(slow)
	var got []queue.Delivery
	for len(got) < len(all)-1 {
		ds := s.some(slow, min(100, len(all)-1-len(got)))
		s.ack(slow, ds...)
		got = append(got, ds...)
	}
	s.settle(slow, kept, queue.Settlement{Action: queue.Retry, Cause: "x"})
	again := s.one(slow)
	if again.ID != kept.ID {
		s.Errorf("got %s, want %s, which was held all the time", again.ID, kept.ID)
	}
	s.ack(slow, again)
	if diff := cmp.Diff(all, ids(append(got, kept))); diff != "" {
		s.Errorf("the slow group did not get what the fast one was done with: %s", diff)
	}
	if s.c.Retained == nil {
		return
	}
	for part := range slices.Chunk(all, batch) {
		s.publish("t", part...)
		s.ack(fast, s.some(fast, batch)...)
		s.ack(slow, s.some(slow, batch)...)
	}
	if n := s.c.Retained(s.T, s.d, "t"); n > most {
		s.Errorf("%d of %d messages are still held though nobody needs them, want at most %d", n, 2*len(all), most)
	}
}
