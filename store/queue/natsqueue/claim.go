package natsqueue

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// claim is a message that this driver holds.
type claim struct {
	d     *driver
	msg   jetstream.Msg
	key   string // in the bucket of histories
	known history
	kept  bool // the bucket has a history

	mu    sync.Mutex
	until time.Time // the end of the claim
	held  time.Time // until when the server waits
	timer *time.Timer
	done  bool
}

func (c *claim) start(receipt string, length time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = time.Now().Add(length)
	c.timer = time.AfterFunc(min(length, ackWait/3), func() { c.tick(receipt) })
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.d.claims[receipt] = c
}

// tick tells the server that the claim lasts, or ends it.
func (c *claim) tick(receipt string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.done {
		return
	}
	switch {
	case now.After(c.held): // others have it already
	case !now.Before(c.until):
		c.msg.Nak()
	default:
		if c.msg.InProgress() == nil {
			c.held = now.Add(ackWait)
		}
		c.timer.Reset(min(c.until.Sub(now), ackWait/3))
		return
	}
	c.end(receipt)
}

// end forgets the claim; the caller holds its lock.
func (c *claim) end(receipt string) {
	c.done = true
	c.timer.Stop()
	c.d.mu.Lock()
	delete(c.d.claims, receipt)
	c.d.mu.Unlock()
}

func (d *driver) Settle(ctx context.Context, topic, group string, m queue.Delivery, s queue.Settlement) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	if s.Action < queue.Ack || s.Action > queue.Extend {
		return fmt.Errorf("action %d: %w", s.Action, fault.Unsupported)
	}
	d.mu.Lock()
	c := d.claims[m.Receipt]
	d.mu.Unlock()
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); c.done || now.After(c.held) || now.After(c.until) && s.Action != queue.Ack {
		return nil
	}
	err := c.settle(ctx, topic, group, m, s)
	if err == nil && s.Action != queue.Extend {
		c.end(m.Receipt)
	}
	if err == nil && (s.Action == queue.Ack || s.Action == queue.Bury) {
		d.trim(ctx, topic)
	}
	return d.fault(ctx, err)
}

// settle tells the server; the caller holds the lock.
func (c *claim) settle(ctx context.Context, topic, group string, m queue.Delivery, s queue.Settlement) error {
	switch s.Action {
	case queue.Extend:
		now := time.Now()
		if err := c.msg.InProgress(); err != nil {
			return err
		}
		c.held, c.until = now.Add(ackWait), now.Add(s.Delay)
		c.timer.Reset(min(s.Delay, ackWait/3))
		return nil
	case queue.Retry, queue.Postpone:
		if err := c.remember(ctx, s); err != nil {
			return err
		}
		if s.Delay <= 0 {
			return c.msg.Nak()
		}
		return c.msg.NakWithDelay(s.Delay)
	case queue.Bury:
		dead := queue.NewDeadLetter(topic, group, m, s.Cause).Message()
		if err := c.d.Publish(ctx, event.Dead(topic), []queue.Message{dead}); err != nil {
			return err
		}
	}
	if err := c.ack(ctx); err != nil {
		return err
	}
	if c.kept {
		// It would go by itself.
		if kv, err := c.d.kv(ctx, "stella-queue-state", stateTime); err == nil {
			kv.Delete(ctx, c.key)
		}
	}
	return nil
}

// ack waits until the server has the acknowledgement. A server that does not
// know the consumer any more has lost the message.
func (c *claim) ack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := c.msg.DoubleAck(ctx)
	if lost(err) {
		return nil
	}
	return err
}

// remember writes down what the count of deliveries does not say. Doing it twice
// for one delivery is doing it once.
func (c *claim) remember(ctx context.Context, s queue.Settlement) error {
	next := history{Postponed: c.known.Postponed, Causes: c.known.Causes}
	if s.Action == queue.Postpone {
		next.Postponed++
	} else {
		next.Causes = queue.AppendCause(c.known.Causes, s.Cause)
		if slices.Equal(next.Causes, c.known.Causes) {
			return nil
		}
	}
	value, err := json.Marshal(next)
	if err != nil {
		return err
	}
	kv, err := c.d.kv(ctx, "stella-queue-state", stateTime)
	if err != nil {
		return err
	}
	_, err = kv.Put(ctx, c.key, value)
	return err
}

// trim drops, now and then, what every group is done with. It may fail: the next
// one does its work.
func (d *driver) trim(ctx context.Context, topic string) {
	if !d.trims.Due(topic) {
		return
	}
	s, err := d.js.Stream(ctx, d.streamName(topic))
	if err != nil {
		return
	}
	floor, groups := ^uint64(0), 0
	list := s.ListConsumers(ctx)
	for info := range list.Info() {
		groups++
		floor = min(floor, info.AckFloor.Stream)
	}
	if list.Err() == nil && groups > 0 && floor > 0 {
		s.Purge(ctx, jetstream.WithPurgeSequence(floor+1))
	}
}

// ready says why nothing should be sent.
func (d *driver) ready(ctx context.Context) error {
	select {
	case <-d.closed:
		return fmt.Errorf("the queue is closed: %w", fault.Unavailable)
	default:
		return ctx.Err()
	}
}
