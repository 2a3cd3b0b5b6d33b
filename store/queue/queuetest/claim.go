package queuetest

import (
	"time"

	"github.com/stella-ops/stella/store/queue"
)

// testRedelivery: a message comes to another consumer when its claim ends, not
// before, and before what is new.
func testRedelivery(s *suite) {
	r := request("t", s.group("t", "g"))
	s.publish("t", "a")
	r.Claim = 2 * s.c.Claim
	start := time.Now()
	if d := s.one(r); d.Attempt != 1 {
		s.Errorf("attempt %d, want 1", d.Attempt)
	}
	s.publish("t", "b")
	other := request("t", "g")
	other.Consumer = "c2"
	s.ack(other, s.one(other)) // b
	for attempt := 2; attempt <= 3; attempt++ {
		r.Consumer += "x"
		d := s.one(r)
		if took := time.Since(start); took < r.Claim*9/10 {
			s.Errorf("came back after %v of a claim of %v", took, r.Claim)
		}
		start = time.Now()
		if d.ID != "a" || d.Attempt != attempt || len(d.Causes) != 0 {
			s.Errorf("got %s, attempt %d, causes %q; want a, attempt %d, none", d.ID, d.Attempt, d.Causes, attempt)
		}
	}
	time.Sleep(r.Claim + s.c.Claim)
	s.publish("t", "c", "d")
	if d := s.one(other); d.ID != "a" {
		s.Errorf("got %s before a, whose claim had ended", d.ID)
	}
}

// testClaimPerRequest: claims of different lengths hold side by side.
func testClaimPerRequest(s *suite) {
	long, short := request("t", s.group("t", "g")), request("t", "g")
	short.Claim, short.Consumer = s.c.Claim, "c2"
	s.publish("t", "a")
	held := s.one(long)
	s.publish("t", "b")
	if d := s.one(short); d.ID != "b" {
		s.Fatalf("got %s, want b", d.ID)
	}
	long.Consumer = "c3"
	if d := s.one(long); d.ID != "b" || d.Attempt != 2 {
		s.Errorf("got %s, attempt %d; want b, whose claim was short", d.ID, d.Attempt)
	}
	s.none(long, 4*s.c.Claim)
	s.ack(long, held)
}

// testExtend: an extension counts from when it is asked for, and may shorten.
func testExtend(s *suite) {
	r := request("t", s.group("t", "g"))
	r.Claim = 2 * s.c.Claim
	s.publish("t", "a")
	d := s.one(r)
	extend := queue.Settlement{Action: queue.Extend, Delay: r.Claim}
	for range 4 {
		s.none(r, s.c.Claim)
		s.settle(r, d, extend)
	}
	extend.Delay = time.Minute
	s.settle(r, d, extend)
	s.none(r, 2*r.Claim)
	extend.Delay = s.c.Claim
	s.settle(r, d, extend)
	if got := s.one(r); got.Attempt != 2 {
		s.Errorf("attempt %d, want 2: extending does not count", got.Attempt)
	}
}

// testLateSettle: who comes after the end of its claim changes nothing for the
// consumer that has the message now.
func testLateSettle(s *suite) {
	late := map[string]queue.Settlement{
		"ack": {Action: queue.Ack}, "retry": {Action: queue.Retry, Cause: "late"}, "postpone": {Action: queue.Postpone},
		"bury": {Action: queue.Bury, Cause: "late"}, "extend": {Action: queue.Extend, Delay: time.Hour},
	}
	type held struct {
		r          queue.Request
		first, now queue.Delivery
	}
	var all []held
	for name, settlement := range late {
		r := request(name, s.group(name, "g"))
		s.publish(name, "a")
		r.Claim = s.c.Claim
		first := s.one(r)
		r.Claim, r.Consumer = time.Minute, "c2"
		now := s.one(r)
		s.settle(r, first, settlement)
		all = append(all, held{r, first, now})
	}
	for _, h := range all {
		s.none(h.r, 100*time.Millisecond)
		// The message is still there and its history is the holder's.
		s.settle(h.r, h.now, queue.Settlement{Action: queue.Retry, Cause: "mine"})
		d := s.one(h.r)
		if d.Attempt != 3 || len(d.Causes) != 1 || d.Causes[0] != "mine" {
			s.Errorf("late %s: attempt %d, causes %q; want 3 and mine", h.r.Topic, d.Attempt, d.Causes)
		}
		s.ack(h.r, d)
		s.none(request(h.r.Topic+":dead", "x"), 50*time.Millisecond)
	}
}

// testSettleTwice: a settlement whose answer was lost is repeated.
func testSettleTwice(s *suite) {
	r := request("t", s.group("t", "g"))
	s.publish("t", "a")
	d := s.one(r)
	retry := queue.Settlement{Action: queue.Retry, Cause: "no"}
	s.settle(r, d, retry)
	s.settle(r, d, retry)
	d = s.one(r)
	if d.Attempt != 2 || len(d.Causes) != 1 {
		s.Errorf("attempt %d, causes %q; want 2 and one", d.Attempt, d.Causes)
	}
	s.settle(r, d, queue.Settlement{Action: queue.Postpone})
	s.settle(r, d, queue.Settlement{Action: queue.Postpone})
	d = s.one(r)
	if d.Attempt != 2 {
		s.Errorf("attempt %d after one postponement, want 2", d.Attempt)
	}
	s.ack(r, d)
	s.ack(r, d)
	s.settle(r, d, retry)
	s.none(r, 2*s.c.Claim)
}
