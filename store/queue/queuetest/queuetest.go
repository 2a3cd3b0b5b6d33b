// Package queuetest proves a driver of package queue. Every driver of the SDK
// passes it, and so does one that an embedder writes:
//
//	func TestDriver(t *testing.T) {
//		queuetest.TestDriver(t, queuetest.Config{Open: openEmpty})
//	}
package queuetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stella-ops/stella/store/queue"
)

// Config says how the suite reaches a backend. Open is required.
type Config struct {
	// Open returns a driver on a backend that holds nothing, such as one under a
	// prefix of its own. It is called once per test, from several goroutines, and
	// registers what is to be cleaned up; the suite does not close the driver.
	Open func(t *testing.T) queue.Driver
	// Again returns another driver on the backend of d, as another process would
	// have. Nil means that d itself is used.
	Again func(t *testing.T, d queue.Driver) queue.Driver
	// Lose makes the backend of d lose everything, as FLUSHALL does. Nil skips
	// what needs it.
	Lose func(t *testing.T, d queue.Driver)
	// Retained counts the messages of a topic that the backend of d still holds.
	// Nil skips what needs it.
	Retained func(t *testing.T, d queue.Driver, topic string) int
	// Claim is the shortest claim that the backend keeps reliably; the suite
	// waits for several of them. Default: 500 ms.
	Claim time.Duration
	// Late is how long after its time a message may come back. Default: 10 s.
	Late time.Duration
}

// TestDriver checks that c.Open returns drivers that keep the contract of
// queue.Driver. Each subtest has a driver of its own and runs in parallel with
// the others.
func TestDriver(t *testing.T, c Config) {
	c.Claim = cmp.Or(c.Claim, 500*time.Millisecond)
	c.Late = cmp.Or(c.Late, 10*time.Second)
	for name, test := range map[string]func(*suite){
		"Groups": testGroups, "OneConsumer": testOneConsumer, "Wait": testWait, "Cancel": testCancel,
		"Bodies": testBodies, "Names": testNames, "Publishers": testPublishers, "Close": testClose,
		"Redelivery": testRedelivery, "ClaimPerRequest": testClaimPerRequest, "Extend": testExtend,
		"LateSettle": testLateSettle, "SettleTwice": testSettleTwice, "History": testHistory,
		"Retry": testRetry, "Postpone": testPostpone, "Bury": testBury, "Replay": testReplay,
		"Incarnation": testIncarnation, "Loss": testLoss, "Bounded": testBounded,
		"Consume": testConsume, "ConsumeGrace": testConsumeGrace, "ConsumeVanished": testConsumeVanished,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(&suite{T: t, c: c, d: c.Open(t)})
		})
	}
}

// suite is one test on one driver.
type suite struct {
	*testing.T
	c Config
	d queue.Driver
}

func (s *suite) again() queue.Driver {
	if s.c.Again == nil {
		return s.d
	}
	return s.c.Again(s.T, s.d)
}

// group subscribes and returns the name.
func (s *suite) group(topic, group string) string {
	s.Helper()
	if err := s.d.Subscribe(s.Context(), topic, group); err != nil {
		s.Fatalf("subscribe %s to %s: %v", group, topic, err)
	}
	return group
}

// publish appends messages whose body is their ID.
func (s *suite) publish(topic string, ids ...string) {
	s.Helper()
	if err := publish(s.Context(), s.d, topic, ids...); err != nil {
		s.Fatal(err)
	}
}

func publish(ctx context.Context, d queue.Driver, topic string, ids ...string) error {
	var messages []queue.Message
	for _, id := range ids {
		messages = append(messages, queue.Message{ID: id, Body: []byte(id)})
	}
	if err := d.Publish(ctx, topic, messages); err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}

// request is for one message and a claim that does not end in a test.
func request(topic, group string) queue.Request {
	return queue.Request{Topic: topic, Group: group, Consumer: "c1", Max: 1, Claim: time.Minute, Wait: 50 * time.Millisecond}
}

// one waits for a delivery.
func (s *suite) one(r queue.Request) queue.Delivery {
	s.Helper()
	r.Max = 1
	return s.some(r, 1)[0]
}

// some waits for exactly n deliveries.
func (s *suite) some(r queue.Request, n int) (out []queue.Delivery) {
	s.Helper()
	for end := time.Now().Add(s.c.Late + r.Claim/4); len(out) < n; {
		if time.Now().After(end) {
			s.Fatalf("%s got %d of %d messages from %s", r.Group, len(out), n, r.Topic)
		}
		r.Max, r.Wait = min(max(r.Max, 1), n-len(out)), time.Second
		ds, err := s.d.Receive(s.Context(), r)
		if err != nil {
			s.Fatalf("receive from %s: %v", r.Topic, err)
		}
		if len(ds) > r.Max {
			s.Fatalf("asked for %d messages, got %d", r.Max, len(ds))
		}
		out = append(out, ds...)
	}
	return out
}

// none checks that nothing comes within d.
func (s *suite) none(r queue.Request, d time.Duration) {
	s.Helper()
	r.Wait, r.Max = d, 10
	ds, err := s.d.Receive(s.Context(), r)
	if err != nil {
		s.Fatalf("receive from %s: %v", r.Topic, err)
	}
	if len(ds) > 0 {
		s.Fatalf("%s got %q (attempt %d) from %s, want nothing", r.Group, ds[0].ID, ds[0].Attempt, r.Topic)
	}
}

func (s *suite) settle(r queue.Request, d queue.Delivery, st queue.Settlement) {
	s.Helper()
	if err := s.d.Settle(s.Context(), r.Topic, r.Group, d, st); err != nil {
		s.Fatalf("settle %s of %s: %v", d.ID, r.Topic, err)
	}
}

func (s *suite) ack(r queue.Request, ds ...queue.Delivery) {
	s.Helper()
	for _, d := range ds {
		s.settle(r, d, queue.Settlement{Action: queue.Ack})
	}
}

func ids(ds []queue.Delivery) (out []string) {
	for _, d := range ds {
		out = append(out, d.ID)
	}
	slices.Sort(out)
	return out
}

// numbered returns prefix and a number for each of n IDs.
func numbered(prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("%s%04d", prefix, i))
	}
	return out
}
