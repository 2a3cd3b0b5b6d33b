package valkeyqueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// The bounds of one Receive.
const (
	maxReceive   = 1000
	receiveBytes = 8 << 20 // it stops when it has more
	// A context that ends is seen, and a message that comes back early enough
	// for its delay, after at most this.
	maxBlock = 250 * time.Millisecond
)

func (d *driver) Receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	end := time.Now().Add(r.Wait)
	args := []any{r.Group, r.Consumer, min(max(r.Max, 1), maxReceive), max(r.Claim.Milliseconds(), 1), receiveBytes}
	for lost := 0; ; {
		if err := d.ready(ctx); err != nil {
			return nil, err
		}
		reply, err := receiveScript.Run(ctx, d.client, d.keys(r.Topic, r.Group), args...).Slice()
		if noGroup(err) && lost < 3 {
			lost++
			if err := d.again(ctx, r.Topic, r.Group); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, d.fault(ctx, err)
		}
		out, last, next, err := decode(reply)
		left := time.Until(end)
		if err != nil || len(out) > 0 || left <= 0 {
			return out, err
		}
		block := min(left, maxBlock)
		if next >= 0 {
			block = min(block, next)
		}
		// It does not claim what it sees; it only waits for it.
		err = d.client.XRead(ctx, &redis.XReadArgs{Streams: []string{d.key(r.Topic), last}, Count: 1, Block: max(block, time.Millisecond)}).Err()
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, d.fault(ctx, err)
		}
	}
}

// decode reads the reply of receive.lua.
func decode(reply []any) (out []queue.Delivery, last string, next time.Duration, err error) {
	broken := fmt.Errorf("the server's answer has an unknown form: %w", fault.Unavailable)
	if len(reply) != 3 {
		return nil, "", 0, broken
	}
	entries, _ := reply[0].([]any)
	for _, e := range entries {
		entry, ok := e.([]any)
		if !ok || len(entry) != 5 {
			return nil, "", 0, broken
		}
		id, _ := entry[0].(string)
		receipt, _ := entry[1].(int64)
		attempt, _ := entry[2].(int64)
		fields, _ := entry[4].([]any)
		// What a foreign hand added may lack fields; its handler judges it.
		m := queue.Delivery{Message: queue.Message{ID: id}, Attempt: int(attempt), Receipt: id + " " + strconv.FormatInt(receipt, 10)}
		for i := 0; i+1 < len(fields); i += 2 {
			switch value, _ := fields[i+1].(string); fields[i] {
			case "id":
				m.ID = value
			case "body":
				m.Body = []byte(value)
			}
		}
		if causes, _ := entry[3].(string); causes != "" {
			if err := json.Unmarshal([]byte(causes), &m.Causes); err != nil {
				return nil, "", 0, fmt.Errorf("causes of %s: %v: %w", id, err, fault.Unavailable)
			}
		}
		out = append(out, m)
	}
	last, _ = reply[1].(string)
	ms, _ := reply[2].(int64)
	return out, last, time.Duration(ms) * time.Millisecond, nil
}

func (d *driver) Settle(ctx context.Context, topic, group string, m queue.Delivery, s queue.Settlement) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	id, receipt, ok := strings.Cut(m.Receipt, " ")
	if !ok {
		return fmt.Errorf("receipt %q is not of this driver: %w", m.Receipt, fault.Invalid)
	}
	action, causes, dead := "", []byte(nil), queue.Message{}
	switch s.Action {
	case queue.Ack:
		action = "ack"
	case queue.Retry:
		action = "retry"
		causes, _ = json.Marshal(queue.AppendCause(m.Causes, s.Cause))
	case queue.Postpone:
		action = "postpone"
	case queue.Bury:
		action = "bury"
		dead = queue.NewDeadLetter(topic, group, m, s.Cause).Message()
	case queue.Extend:
		action = "extend"
	default:
		return fmt.Errorf("action %d: %w", s.Action, fault.Unsupported)
	}
	keys := append(d.keys(topic, group), d.key(event.Dead(topic)))
	err := settleScript.Run(ctx, d.client, keys, group, id, receipt, action, max(s.Delay.Milliseconds(), 0), causes, dead.ID, dead.Body).Err()
	if err != nil {
		return d.fault(ctx, err)
	}
	if s.Action == queue.Ack || s.Action == queue.Bury {
		d.trim(ctx, topic)
	}
	return nil
}

// trim drops, now and then, what every group is done with. It may fail: the next
// one does its work.
func (d *driver) trim(ctx context.Context, topic string) {
	if d.trims.Due(topic) {
		trimScript.Run(ctx, d.client, []string{d.key(topic)})
	}
}
