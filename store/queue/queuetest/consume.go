package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/queue"
)

// consume runs queue.Consume until stop is called, which waits for its end.
func (s *suite) consume(topic string, handle func(context.Context, []byte) error, opts *queue.Options) (stop func()) {
	s.Helper()
	g, err := queue.New(s.d).Group(s.Context(), topic, "g")
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- queue.Consume(ctx, g, handle, opts) }()
	return func() {
		s.Helper()
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				s.Errorf("consume: %v", err)
			}
		case <-time.After(30 * time.Second):
			s.Fatal("Consume goes on after its context ended")
		}
	}
}

// until waits for a condition.
func (s *suite) until(what string, ok func() bool) {
	s.Helper()
	for end := time.Now().Add(3 * s.c.Late); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("still not: %s", what)
		}
	}
}

// testConsume: what a handler returns decides.
func testConsume(s *suite) {
	var mu sync.Mutex
	calls := map[string]int{}
	handle := func(_ context.Context, body []byte) error {
		id := string(body)
		mu.Lock()
		calls[id]++
		n := calls[id]
		mu.Unlock()
		switch {
		case id == "later" && n < 5:
			return queue.Later(time.Millisecond, "busy")
		case id == "twice" && n < 2, id == "never":
			return errors.New("fails")
		case id == "drop":
			return queue.Drop(errors.New("useless"))
		case id == "invalid":
			return fmt.Errorf("bad: %w", queue.ErrInvalid)
		case id == "panic":
			panic("oops")
		case id == "slow":
			time.Sleep(5 * s.c.Claim)
		}
		return nil
	}
	all := []string{"ok", "later", "twice", "never", "drop", "invalid", "panic", "slow"}
	s.publish("t", all...)
	stop := s.consume("t", handle, &queue.Options{Parallel: 4, Attempts: 3, Claim: 2 * s.c.Claim, Backoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond})
	q := queue.New(s.d)
	var dead []queue.DeadLetter
	s.until("four dead letters", func() bool {
		var err error
		if dead, err = q.Dead(s.Context(), "t", 10); err != nil {
			s.Fatal(err)
		}
		return len(dead) == 4
	})
	s.until("all handled", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return calls["slow"] > 0 && calls["later"] == 5 && calls["twice"] == 2 && calls["ok"] == 1
	})
	time.Sleep(s.c.Claim)
	stop()
	want := map[string]int{"ok": 1, "later": 5, "twice": 2, "never": 3, "drop": 1, "invalid": 1, "panic": 3, "slow": 1}
	if diff := cmp.Diff(want, calls); diff != "" {
		s.Error(diff)
	}
	var got []string
	for _, l := range dead {
		got = append(got, fmt.Sprintf("%s after %d: %s", l.ID, l.Attempts, strings.Join(l.Causes, " | ")))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{
		"drop after 1: useless", "invalid after 1: bad: invalid input", "never after 3: fails | fails | fails",
		"panic after 3: handler panicked: oops | handler panicked: oops | handler panicked: oops",
	}, got); diff != "" {
		s.Error(diff)
	}
	s.none(request("t", "g"), 100*time.Millisecond)
}

// testConsumeGrace: a handler that the shutdown ends costs the message nothing.
func testConsumeGrace(s *suite) {
	s.publish("t", "quick", "endless")
	var mu sync.Mutex
	started := map[string]bool{}
	stop := s.consume("t", func(ctx context.Context, body []byte) error {
		mu.Lock()
		started[string(body)] = true
		mu.Unlock()
		if string(body) == "quick" {
			time.Sleep(s.c.Claim)
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}, &queue.Options{Parallel: 2, Grace: 3 * s.c.Claim})
	s.until("both started", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(started) == 2
	})
	stop()
	d := s.one(request("t", "g"))
	if d.ID != "endless" || d.Attempt != 1 || len(d.Causes) != 0 {
		s.Errorf("got %s, attempt %d, causes %q; want endless as if it was new", d.ID, d.Attempt, d.Causes)
	}
	s.none(request("t", "g"), 100*time.Millisecond)
}

// testConsumeVanished: a message that ends its consumers is buried without being
// handled again.
func testConsumeVanished(s *suite) {
	r := request("t", s.group("t", "g"))
	r.Claim = s.c.Claim
	s.publish("t", "poison", "fine")
	r.Max = 2
	first := s.some(r, 2)
	for _, d := range first {
		if d.ID == "fine" {
			s.ack(r, d)
		}
	}
	for attempt := 2; attempt <= 3; attempt++ {
		if d := s.one(r); d.Attempt != attempt {
			s.Fatalf("attempt %d, want %d", d.Attempt, attempt)
		}
	}
	handled := make(chan string, 10)
	stop := s.consume("t", func(_ context.Context, body []byte) error {
		handled <- string(body)
		return nil
	}, &queue.Options{Attempts: 3})
	defer stop()
	s.until("buried", func() bool {
		dead, err := queue.New(s.d).Dead(s.Context(), "t", 10)
		if err != nil {
			s.Fatal(err)
		}
		return len(dead) == 1 && dead[0].ID == "poison" && slices.Equal(dead[0].Causes, []string{"delivered 3 times without an answer"})
	})
	if len(handled) > 0 {
		s.Errorf("%s was handled", <-handled)
	}
}
