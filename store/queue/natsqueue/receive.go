package natsqueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/stella-ops/stella/store/queue"
)

// maxReceive bounds one Receive.
const maxReceive = 100

func (d *driver) Receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	end := time.Now().Add(r.Wait)
	most := min(max(r.Max, 1), maxReceive)
	for tries := 0; ; tries++ {
		messages, err := d.fetch(ctx, r, most, end)
		if lost(err) && tries < 3 {
			if err = d.again(ctx, r.Topic, r.Group); err == nil {
				continue
			}
		}
		var out []queue.Delivery
		for _, m := range messages {
			delivery, e := d.claim(ctx, r, m)
			if e != nil {
				err = errors.Join(err, e)
				continue
			}
			out = append(out, delivery)
		}
		if len(out) > 0 {
			return out, nil
		}
		return nil, d.fault(ctx, err)
	}
}

// fetch takes what is there, or waits for one message. It never leaves a request
// behind that could take a message which nobody waits for any more.
func (d *driver) fetch(ctx context.Context, r queue.Request, most int, end time.Time) ([]jetstream.Msg, error) {
	c, err := d.group(ctx, r.Topic, r.Group)
	if err != nil {
		return nil, err
	}
	batch, err := c.FetchNoWait(most)
	if err != nil {
		return nil, err
	}
	out, err := d.collect(ctx, batch)
	if len(out) > 0 || err != nil {
		return out, err
	}
	for len(out) == 0 {
		left := time.Until(end)
		if left < time.Millisecond {
			return nil, nil
		}
		if out, err = d.wait(ctx, c, left); err != nil {
			return out, err
		}
	}
	if most > 1 {
		if batch, err := c.FetchNoWait(most - 1); err == nil {
			more, _ := d.collect(ctx, batch)
			out = append(out, more...)
		}
	}
	return out, nil
}

// wait waits for one message. When the context ends, so does the request.
func (d *driver) wait(ctx context.Context, c jetstream.Consumer, left time.Duration) ([]jetstream.Msg, error) {
	// Short enough to see that the server was replaced. The client tells the
	// server nine tenths of it.
	limit, cancel := context.WithTimeout(ctx, min(left, 5*time.Second)*10/9)
	defer cancel()
	batch, err := c.Fetch(1, jetstream.FetchContext(limit))
	if err != nil {
		return nil, err
	}
	out, err := d.collect(ctx, batch)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = nil
	}
	return out, err
}

// collect reads a batch to its end. What comes after the end of the context is
// given back.
func (d *driver) collect(ctx context.Context, batch jetstream.MessageBatch) (out []jetstream.Msg, err error) {
	for {
		select {
		case m, ok := <-batch.Messages():
			if !ok {
				return out, batch.Error()
			}
			out = append(out, m)
		case <-ctx.Done():
			go giveBack(batch, out)
			return nil, ctx.Err()
		case <-d.closed:
			return nil, d.ready(ctx)
		}
	}
}

func giveBack(batch jetstream.MessageBatch, messages []jetstream.Msg) {
	for _, m := range messages {
		m.Nak()
	}
	for m := range batch.Messages() {
		m.Nak()
	}
}

// history is what the bucket keeps of a message that came back.
type history struct {
	Postponed int      `json:"postponed"` // deliveries that do not count
	Causes    []string `json:"causes"`
}

// claim starts the claim of a message.
func (d *driver) claim(ctx context.Context, r queue.Request, m jetstream.Msg) (queue.Delivery, error) {
	meta, err := m.Metadata()
	if err != nil {
		return queue.Delivery{}, err
	}
	id := unescape(m.Headers().Get(headerID))
	if id == "" {
		// A foreign hand published it; its handler judges it.
		id = fmt.Sprintf("%s-%d", meta.Stream, meta.Sequence.Stream)
	}
	c := &claim{d: d, msg: m, held: time.Now().Add(ackWait),
		key: fmt.Sprintf("%s.%s.%d.%d", meta.Stream, meta.Consumer, meta.Sequence.Stream, meta.Timestamp.UnixNano())}
	if meta.NumDelivered > 1 {
		if err := c.load(ctx); err != nil {
			m.Nak()
			return queue.Delivery{}, err
		}
	}
	receipt := m.Reply()
	c.start(receipt, r.Claim)
	return queue.Delivery{Message: queue.Message{ID: id, Body: m.Data()}, Attempt: int(meta.NumDelivered) - c.known.Postponed,
		Causes: c.known.Causes, Receipt: receipt}, nil
}

// load reads the history of a message.
func (c *claim) load(ctx context.Context) error {
	kv, err := c.d.kv(ctx, "stella-queue-state", stateTime)
	if err != nil {
		return err
	}
	e, err := kv.Get(ctx, c.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c.kept = true
	return json.Unmarshal(e.Value(), &c.known)
}
