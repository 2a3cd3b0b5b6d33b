package queue_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/store/queue"
	"github.com/stella-ops/stella/store/queue/queuetest"
)

// mutant is the driver in memory with one mistake.
type mutant struct {
	queue.Driver
	publish func(topic string, ms []queue.Message) (string, []queue.Message)
	receive func(ctx context.Context, r queue.Request) (context.Context, queue.Request)
	deliver func(d *queue.Delivery)
	settle  func(group string, d queue.Delivery, s queue.Settlement) (queue.Delivery, queue.Settlement)
	group   func(string) string
}

func (m *mutant) Publish(ctx context.Context, topic string, ms []queue.Message) error {
	if m.publish != nil {
		topic, ms = m.publish(topic, ms)
	}
	return m.Driver.Publish(ctx, topic, ms)
}

func (m *mutant) Subscribe(ctx context.Context, topic, group string) error {
	if m.group != nil {
		group = m.group(group)
	}
	return m.Driver.Subscribe(ctx, topic, group)
}

func (m *mutant) Receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	if m.receive != nil {
		ctx, r = m.receive(ctx, r)
	}
	if m.group != nil {
		r.Group = m.group(r.Group)
	}
	ds, err := m.Driver.Receive(ctx, r)
	for i := range ds {
		if m.deliver != nil {
			m.deliver(&ds[i])
		}
	}
	return ds, err
}

func (m *mutant) Settle(ctx context.Context, topic, group string, d queue.Delivery, s queue.Settlement) error {
	if m.settle != nil {
		d, s = m.settle(group, d, s)
	}
	if m.group != nil {
		group = m.group(group)
	}
	return m.Driver.Settle(ctx, topic, group, d, s)
}

// actions changes settlements.
func actions(change func(*queue.Settlement)) func(*mutant) {
	return func(m *mutant) {
		m.settle = func(_ string, d queue.Delivery, s queue.Settlement) (queue.Delivery, queue.Settlement) {
			change(&s)
			return d, s
		}
	}
}

// requests changes what consumers ask for.
func requests(change func(*queue.Request)) func(*mutant) {
	return func(m *mutant) {
		m.receive = func(ctx context.Context, r queue.Request) (context.Context, queue.Request) {
			change(&r)
			return ctx, r
		}
	}
}

// mutants are the mistakes, each with the test of the suite that must see it.
var mutants = map[string]struct {
	test string
	make func(*mutant)
}{
	"a group takes from another": {"Groups", func(m *mutant) { m.group = func(string) string { return "all" } }},
	"names are folded": {"Names", func(m *mutant) {
		m.publish = func(topic string, ms []queue.Message) (string, []queue.Message) { return strings.ToLower(topic), ms }
	}},
	"bodies end at NUL": {"Bodies", func(m *mutant) {
		m.deliver = func(d *queue.Delivery) { d.Body, _, _ = bytes.Cut(d.Body, []byte{0}) }
	}},
	"a repeated ID is refused in silence": {"Publishers", func(m *mutant) {
		var mu sync.Mutex
		seen := map[string]bool{}
		m.publish = func(topic string, ms []queue.Message) (string, []queue.Message) {
			mu.Lock()
			defer mu.Unlock()
			var out []queue.Message
			for _, msg := range ms {
				if !seen[msg.ID] {
					out = append(out, msg)
				}
				seen[msg.ID] = true
			}
			return topic, out
		}
	}},
	"the end of a context is not seen": {"Cancel", func(m *mutant) {
		m.receive = func(ctx context.Context, r queue.Request) (context.Context, queue.Request) {
			return context.WithoutCancel(ctx), r
		}
	}},
	"claims never end":     {"Redelivery", requests(func(r *queue.Request) { r.Claim = time.Hour })},
	"claims end at once":   {"Redelivery", requests(func(r *queue.Request) { r.Claim /= 4 })},
	"one length of claims": {"ClaimPerRequest", requests(func(r *queue.Request) { r.Claim = time.Second })},
	"nobody waits":         {"Wait", requests(func(r *queue.Request) { r.Wait = 0 })},
	"extensions do nothing": {"Extend", func(m *mutant) {
		m.settle = func(_ string, d queue.Delivery, s queue.Settlement) (queue.Delivery, queue.Settlement) {
			if s.Action == queue.Extend {
				d.Receipt = "0.0"
			}
			return d, s
		}
	}},
	"the latest holder is not asked": {"LateSettle", func(m *mutant) {
		var mu sync.Mutex
		latest := map[string]string{}
		m.deliver = func(d *queue.Delivery) { mu.Lock(); latest[d.ID] = d.Receipt; mu.Unlock() }
		m.settle = func(_ string, d queue.Delivery, s queue.Settlement) (queue.Delivery, queue.Settlement) {
			mu.Lock()
			defer mu.Unlock()
			d.Receipt = latest[d.ID]
			return d, s
		}
	}},
	"causes are forgotten": {"Retry", actions(func(s *queue.Settlement) { s.Cause = "" })},
	"delays are forgotten": {"Postpone", actions(func(s *queue.Settlement) { s.Delay = 0 })},
	"postponements count": {"History", actions(func(s *queue.Settlement) {
		if s.Action == queue.Postpone {
			s.Action = queue.Retry
		}
	})},
	"vanished consumers do not count": {"ConsumeVanished", func(m *mutant) { m.deliver = func(d *queue.Delivery) { d.Attempt = 1 + len(d.Causes) } }},
	"the dead are dropped": {"Bury", actions(func(s *queue.Settlement) {
		if s.Action == queue.Bury {
			s.Action = queue.Ack
		}
	})},
	"losses are not told": {"Loss", nil}, // see TestMutant
	"acknowledged messages stay": {"OneConsumer", actions(func(s *queue.Settlement) {
		if s.Action == queue.Ack {
			s.Action = queue.Postpone
		}
	})},
}

type calm struct{ queue.Driver }

func (calm) Incarnation(context.Context) (string, error) { return "always", nil }

// TestSuiteSeesMutants: a suite that nothing fails proves nothing.
func TestSuiteSeesMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the suite many times")
	}
	var all sync.WaitGroup
	slots := make(chan struct{}, 6) // they mostly wait
	for name, m := range mutants {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			cmd := exec.Command(os.Args[0], "-test.run=^TestMutant$/^"+m.test+"$", "-test.timeout=2m")
			cmd.Env = append(os.Environ(), "STELLA_MUTANT="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte("--- FAIL: TestMutant/"+m.test)) {
				t.Errorf("%s passes a driver whose mistake is that %s: %v\n%s", m.test, name, err, out)
			}
		})
	}
	all.Wait()
}

// TestMutant runs the suite on one mutant, in a process of TestSuiteSeesMutants.
func TestMutant(t *testing.T) {
	name := os.Getenv("STELLA_MUTANT")
	if name == "" {
		t.Skip("STELLA_MUTANT is set by TestSuiteSeesMutants only")
	}
	queuetest.TestDriver(t, queuetest.Config{
		Open: func(*testing.T) queue.Driver {
			if mutants[name].make == nil {
				return calm{queue.NewMem(100_000, 256<<20)}
			}
			m := &mutant{Driver: queue.NewMem(100_000, 256<<20)}
			mutants[name].make(m)
			return m
		},
		Lose: func(_ *testing.T, d queue.Driver) {
			if c, ok := d.(calm); ok {
				d = c.Driver
			}
			queue.LoseMem(d)
		},
		Claim: 200 * time.Millisecond, Late: 2 * time.Second,
	})
}
