package queue

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// mem is the driver in memory.
type mem struct {
	maxMessages, maxBytes int

	mu              sync.Mutex
	topics          map[string]*memTopic
	messages, bytes int
	incarnation     string
	changed         chan struct{} // closed and replaced when something may have become ready
	closed          bool
}

type memTopic struct {
	first    int // number of messages[0]
	messages []Message
	groups   map[string]*memGroup
	acks     int // since the last trim
}

type memGroup struct {
	next   int // number of the first message that was not delivered yet
	claims map[int]*memClaim
}

// memClaim is a message that was delivered and is not done.
type memClaim struct {
	until   time.Time // the end of the claim, or when it comes back
	receipt int       // counts deliveries and what ends them
	attempt int
	causes  []string
}

func openMem(_ context.Context, u *url.URL) (Driver, error) {
	if u.Host != "" || u.Path != "" || u.Opaque != "" || u.User != nil {
		return nil, fmt.Errorf("want \"mem:\" without host and path: %w", fault.Invalid)
	}
	q, err := Query(u, "messages", "bytes")
	if err != nil {
		return nil, err
	}
	m := newMem(100_000, 256<<20)
	for key, at := range map[string]*int{"messages": &m.maxMessages, "bytes": &m.maxBytes} {
		if s := q.Get(key); s != "" {
			if *at, err = strconv.Atoi(s); err != nil || *at < 1 {
				return nil, fmt.Errorf("query key %q: %q is not a positive number: %w", key, s, fault.Invalid)
			}
		}
	}
	return m, nil
}

func newMem(messages, bytes int) *mem {
	return &mem{maxMessages: messages, maxBytes: bytes, topics: map[string]*memTopic{}, incarnation: rand.Text(), changed: make(chan struct{})}
}

// lock takes the mutex; the caller unlocks also after an error.
func (m *mem) lock(ctx context.Context) error {
	m.mu.Lock()
	if m.closed {
		return fmt.Errorf("the queue is closed: %w", fault.Unavailable)
	}
	return ctx.Err()
}

func (m *mem) topic(name string) *memTopic {
	t := m.topics[name]
	if t == nil {
		t = &memTopic{groups: map[string]*memGroup{}}
		m.topics[name] = t
	}
	return t
}

func (t *memTopic) group(name string) *memGroup {
	g := t.groups[name]
	if g == nil {
		g = &memGroup{next: t.first, claims: map[int]*memClaim{}}
		t.groups[name] = g
	}
	return g
}

// wake lets waiting receivers look again.
func (m *mem) wake() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *mem) Publish(ctx context.Context, topic string, messages []Message) error {
	err := m.lock(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return err
	}
	return m.publish(topic, messages)
}

func (m *mem) publish(topic string, messages []Message) error {
	size := 0
	for _, msg := range messages {
		size += len(msg.ID) + len(msg.Body)
	}
	if n := m.messages + len(messages); n > m.maxMessages {
		return &fault.LimitError{What: "messages", Where: "queue in memory", Max: int64(m.maxMessages), Seen: int64(n)}
	}
	if n := m.bytes + size; n > m.maxBytes {
		return &fault.LimitError{What: "bytes", Where: "queue in memory", Max: int64(m.maxBytes), Seen: int64(n)}
	}
	t := m.topic(topic)
	for _, msg := range messages {
		t.messages = append(t.messages, Message{msg.ID, slices.Clone(msg.Body)})
	}
	m.messages += len(messages)
	m.bytes += size
	m.wake()
	return nil
}

func (m *mem) Subscribe(ctx context.Context, topic, group string) error {
	err := m.lock(ctx)
	defer m.mu.Unlock()
	if err == nil {
		m.topic(topic).group(group)
	}
	return err
}

func (m *mem) Receive(ctx context.Context, r Request) ([]Delivery, error) {
	wait := time.NewTimer(r.Wait)
	defer wait.Stop()
	for {
		if err := m.lock(ctx); err != nil {
			m.mu.Unlock()
			return nil, err
		}
		out, next := m.take(r, time.Now())
		changed := m.changed
		m.mu.Unlock()
		if len(out) > 0 {
			return out, nil
		}
		due := time.NewTimer(next)
		select {
		case <-changed:
		case <-due.C:
		case <-wait.C:
			due.Stop()
			return nil, nil
		case <-ctx.Done():
		}
		due.Stop()
	}
}

// take returns what is ready now, and otherwise how long nothing will be unless
// something changes.
func (m *mem) take(r Request, now time.Time) (out []Delivery, next time.Duration) {
	t := m.topic(r.Topic)
	g := t.group(r.Group)
	next = time.Hour
	var ready []int
	for n, c := range g.claims {
		if left := c.until.Sub(now); left > 0 {
			next = min(next, left)
		} else {
			ready = append(ready, n)
		}
	}
	slices.SortFunc(ready, func(a, b int) int {
		return cmp.Or(g.claims[a].until.Compare(g.claims[b].until), cmp.Compare(a, b))
	})
	for ; len(ready) < r.Max && g.next < t.first+len(t.messages); g.next++ {
		g.claims[g.next] = &memClaim{}
		ready = append(ready, g.next)
	}
	for _, n := range ready[:min(len(ready), r.Max)] {
		c := g.claims[n]
		c.receipt++
		c.attempt++
		c.until = now.Add(r.Claim)
		msg := t.messages[n-t.first]
		out = append(out, Delivery{Message: Message{msg.ID, slices.Clone(msg.Body)}, Attempt: c.attempt,
			Causes: slices.Clone(c.causes), Receipt: fmt.Sprintf("%d.%d", n, c.receipt)})
	}
	return out, next
}

func (m *mem) Settle(ctx context.Context, topic, group string, d Delivery, s Settlement) error {
	var n, receipt int
	if _, err := fmt.Sscanf(d.Receipt, "%d.%d", &n, &receipt); err != nil {
		return fmt.Errorf("receipt %q is not of this driver: %w", d.Receipt, fault.Invalid)
	}
	err := m.lock(ctx)
	defer m.mu.Unlock()
	if err != nil {
		return err
	}
	t := m.topic(topic)
	g := t.group(group)
	c := g.claims[n]
	if c == nil || c.receipt != receipt {
		return nil
	}
	until := time.Now().Add(s.Delay)
	switch s.Action {
	case Extend:
		c.until = until
		return nil
	case Retry:
		c.causes = AppendCause(c.causes, s.Cause)
		c.receipt, c.until = c.receipt+1, until
	case Postpone:
		c.attempt--
		c.receipt, c.until = c.receipt+1, until
	case Bury:
		l := NewDeadLetter(topic, group, d, s.Cause)
		if err := m.publish(deadTopic(topic), []Message{l.Message()}); err != nil {
			return err
		}
		delete(g.claims, n)
	case Ack:
		delete(g.claims, n)
	}
	m.trim(t)
	m.wake()
	return nil
}

// trim drops what every group is done with.
func (m *mem) trim(t *memTopic) {
	if t.acks++; t.acks < max(64, len(t.messages)/4) {
		return
	}
	t.acks = 0
	keep := t.first + len(t.messages)
	for _, g := range t.groups {
		keep = min(keep, g.next)
		for n := range g.claims {
			keep = min(keep, n)
		}
	}
	for _, msg := range t.messages[:keep-t.first] {
		m.messages--
		m.bytes -= len(msg.ID) + len(msg.Body)
	}
	t.messages = slices.Clone(t.messages[keep-t.first:])
	t.first = keep
}

func (m *mem) Incarnation(ctx context.Context) (string, error) {
	err := m.lock(ctx)
	defer m.mu.Unlock()
	return m.incarnation, err
}

// Close makes every other method fail, also those that wait.
func (m *mem) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed = true
		m.wake()
	}
	return nil
}
