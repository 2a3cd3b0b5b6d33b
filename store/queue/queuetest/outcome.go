package queuetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/queue"
)

// testRetry: a message comes back after its delay and says why.
func testRetry(s *suite) {
	r := request("t", s.group("t", "g"))
	s.publish("t", "a")
	var causes []string
	for i := range 4 {
		d := s.one(r)
		if d.Attempt != i+1 || !slices.Equal(d.Causes, causes) {
			s.Errorf("attempt %d, causes %q; want %d, %q", d.Attempt, d.Causes, i+1, causes)
		}
		causes = append(causes, fmt.Sprintf("no %d: \"é\"\r\n", i))
		start, delay := time.Now(), time.Duration(i)*s.c.Claim/2
		s.settle(r, d, queue.Settlement{Action: queue.Retry, Delay: delay, Cause: causes[i]})
		if i == 3 {
			s.none(r, delay*8/10-time.Since(start))
		}
	}
	s.ack(r, s.one(r))
	s.none(r, 100*time.Millisecond)
}

// testPostpone: it does not count, and others do meanwhile.
func testPostpone(s *suite) {
	r := request("t", s.group("t", "g"))
	s.publish("t", "a")
	s.settle(r, s.one(r), queue.Settlement{Action: queue.Retry, Cause: "first"})
	for range 3 {
		d := s.one(r)
		if d.Attempt != 2 || !slices.Equal(d.Causes, []string{"first"}) {
			s.Errorf("attempt %d, causes %q; want 2, first", d.Attempt, d.Causes)
		}
		s.settle(r, d, queue.Settlement{Action: queue.Postpone, Delay: 4 * s.c.Claim})
		s.none(r, s.c.Claim)
	}
	s.publish("t", "b")
	if d := s.one(r); d.ID != "a" && d.ID != "b" {
		s.Errorf("got %s", d.ID)
	}
}

// testBury: the dead letter tells the whole story, and only this group's.
func testBury(s *suite) {
	r := request("t", s.group("t", "g"))
	other := request("t", s.group("t", "other"))
	bodies := map[string]string{"text": `{"type":"scan.job"}`, "binary": "\xff\x00\r\n", "empty": ""}
	for _, id := range []string{"text", "binary", "empty"} {
		if err := s.d.Publish(s.Context(), "t", []queue.Message{{ID: id, Body: []byte(bodies[id])}}); err != nil {
			s.Fatal(err)
		}
	}
	r.Max = len(bodies)
	for _, d := range s.some(r, len(bodies)) {
		s.settle(r, d, queue.Settlement{Action: queue.Retry, Cause: "first"})
	}
	for _, d := range s.some(r, len(bodies)) {
		s.settle(r, d, queue.Settlement{Action: queue.Bury, Cause: "second"})
	}
	dead := request("t:dead", "reader")
	seen := map[string]bool{}
	for _, d := range s.some(dead, len(bodies)) {
		s.ack(dead, d)
		got, err := queue.DecodeDead(d.Body)
		if err != nil {
			s.Fatal(err)
		}
		seen[got.ID] = true
		want := &queue.DeadLetter{ID: got.ID, Topic: "t", Group: "g", Attempts: 2, Causes: []string{"first", "second"}}
		if body := bodies[got.ID]; body != "" {
			want.Body = []byte(body)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			s.Error(diff)
		}
		if d.ID != "g/"+got.ID {
			s.Errorf("dead letter has the ID %q, want g/%s", d.ID, got.ID)
		}
	}
	if len(seen) != len(bodies) {
		s.Errorf("dead letters of %v", seen)
	}
	s.none(r, 2*s.c.Claim)
	if got := s.some(other, 3); len(got) != 3 {
		s.Error("another group lost messages")
	}
	// The largest message can be buried, too.
	big := make([]byte, queue.MaxBody)
	if err := s.d.Publish(s.Context(), "big", []queue.Message{{ID: "big", Body: big}}); err != nil {
		s.Fatal(err)
	}
	r.Topic, dead.Topic = "big", "big:dead"
	s.settle(r, s.one(r), queue.Settlement{Action: queue.Bury, Cause: "too much"})
	if got, err := queue.DecodeDead(s.one(dead).Body); err != nil || len(got.Body) != len(big) {
		s.Errorf("dead letter of the largest message: %v", err)
	}
}

// testReplay: dead letters are listed, replayed and discarded.
func testReplay(s *suite) {
	q := queue.New(s.d)
	r := request("t", s.group("t", "g"))
	s.publish("t", "a", "b", "c")
	for range 3 {
		s.settle(r, s.one(r), queue.Settlement{Action: queue.Bury, Cause: "no"})
	}
	list := func() (out []string) {
		dead, err := q.Dead(s.Context(), "t", 100)
		if err != nil {
			s.Fatal(err)
		}
		for _, l := range dead {
			out = append(out, l.ID)
		}
		slices.Sort(out)
		return out
	}
	for range 2 { // looking changes nothing
		if diff := cmp.Diff([]string{"a", "b", "c"}, list()); diff != "" {
			s.Fatal(diff)
		}
	}
	if some, err := q.Dead(s.Context(), "t", 2); err != nil || len(some) != 2 {
		s.Errorf("got %d letters and %v, want 2", len(some), err)
	}
	n, err := q.Replay(s.Context(), "t", func(l *queue.DeadLetter) bool { return l.ID == "b" })
	if n != 1 || err != nil {
		s.Errorf("replayed %d, %v", n, err)
	}
	if d := s.one(r); d.ID != "b" || string(d.Body) != "b" || d.Attempt != 1 || len(d.Causes) != 0 {
		s.Errorf("replayed %s, attempt %d, causes %q", d.ID, d.Attempt, d.Causes)
	} else {
		s.ack(r, d)
	}
	n, err = q.Discard(s.Context(), "t", func(l *queue.DeadLetter) bool { return l.ID == "a" })
	if n != 1 || err != nil {
		s.Errorf("discarded %d, %v", n, err)
	}
	if diff := cmp.Diff([]string{"c"}, list()); diff != "" {
		s.Error(diff)
	}
	if n, err := q.Replay(s.Context(), "t", nil); n != 1 || err != nil {
		s.Errorf("replayed %d, %v", n, err)
	}
	if got := list(); len(got) != 0 {
		s.Errorf("left %q", got)
	}
	s.none(request("t:dead", "operators"), 50*time.Millisecond)
}

// testHistory plays random outcomes, and holds each delivery against what the
// test knows of the message.
func testHistory(s *suite) {
	const messages, steps = 12, 150
	r := request("t", s.group("t", "g"))
	r.Claim = 2 * s.c.Claim
	s.publish("t", numbered("m", messages)...)
	type history struct {
		attempts int
		causes   []string
	}
	known := map[string]*history{}
	seed := uint64(time.Now().UnixNano())
	s.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	done := map[string]bool{}
	last := time.Now()
	for i := 0; len(done) < messages; i++ {
		if time.Since(last) > 2*s.c.Late {
			s.Fatalf("%d of %d messages done, the others do not come back", len(done), messages)
		}
		r.Consumer, r.Max, r.Wait = fmt.Sprint("c", i%3), 1+rnd.IntN(3), time.Second
		ds, err := s.d.Receive(s.Context(), r)
		if err != nil {
			s.Fatal(err)
		}
		for _, d := range ds {
			last = time.Now()
			h := known[d.ID]
			if h == nil {
				h = &history{}
				known[d.ID] = h
			}
			h.attempts++
			if done[d.ID] || d.Attempt != h.attempts || !slices.Equal(d.Causes, h.causes) {
				s.Fatalf("%s: attempt %d, causes %q, done %v; want attempt %d, causes %q", d.ID, d.Attempt, d.Causes, done[d.ID], h.attempts, h.causes)
			}
			action := rnd.IntN(6)
			if i > steps/3 || h.attempts > 8 {
				action = 0
			}
			switch delay := time.Duration(rnd.IntN(3)) * s.c.Claim / 4; action {
			case 0:
				s.ack(r, d)
				done[d.ID] = true
			case 1, 2:
				cause := fmt.Sprint("cause ", i)
				h.causes = append(h.causes, cause)
				s.settle(r, d, queue.Settlement{Action: queue.Retry, Delay: delay, Cause: cause})
			case 3, 4:
				h.attempts--
				s.settle(r, d, queue.Settlement{Action: queue.Postpone, Delay: delay})
			case 5: // vanish
			}
		}
	}
}
