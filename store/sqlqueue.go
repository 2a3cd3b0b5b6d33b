package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// QueueDriver returns a queue in the store's own database: durable, and without
// a server of its own. It is what a single process uses. Closing it leaves the
// store open.
func (r *Root) QueueDriver() queue.Driver { return &sqlQueue{root: r} }

// sqlQueue is a queue.Driver. A message has one delivery row for each group, made
// when it is published or when the group subscribes; it goes with its last one.
type sqlQueue struct {
	root   *Root
	closed atomic.Bool
	known  sync.Map // [topic, group] of groups that exist
}

// look is how often a receiver looks for what another process published.
const look = 100 * time.Millisecond

func (q *sqlQueue) write(ctx context.Context, what string, f func(*tx) error) error {
	if q.closed.Load() {
		return fmt.Errorf("%s: the queue is closed: %w", what, ErrUnavailable)
	}
	return q.root.write(ctx, Scope{Role: RoleRelay}, what, f)
}

func topicWake(topic string) string { return "topic " + topic }

// Publish appends messages to a topic.
func (q *sqlQueue) Publish(ctx context.Context, topic string, messages []queue.Message) error {
	return q.write(ctx, "publish", func(tx *tx) error { return tx.publish(topic, messages) })
}

func (t *tx) publish(topic string, messages []queue.Message) error {
	seqs := make([]int64, len(messages))
	for i, m := range messages {
		if err := t.get(`INSERT INTO transport.messages (topic, id, body, created_us) VALUES ($1, $2, $3, $4) RETURNING seq`, []any{topic, m.ID, present(m.Body), t.now}, &seqs[i]); err != nil {
			return err
		}
	}
	// Only what this transaction made: nobody else can have taken or ended it.
	_, err := t.exec(`INSERT INTO transport.deliveries (topic, group_name, seq)
		SELECT s.topic, s.group_name, CAST(own.value->>'seq' AS BIGINT) FROM json_rows($1) AS own JOIN transport.subscriptions s ON s.topic = $2 WHERE true`, seqRows(seqs), topic)
	t.wakes = append(t.wakes, topicWake(topic))
	return err
}

// Subscribe makes sure that a group exists.
func (q *sqlQueue) Subscribe(ctx context.Context, topic, group string) error {
	if q.closed.Load() {
		return fmt.Errorf("subscribe: the queue is closed: %w", ErrUnavailable)
	}
	err := q.subscribe(ctx, topic, group)
	if err == nil {
		q.known.Store([2]string{topic, group}, true)
	}
	return err
}

func (q *sqlQueue) subscribe(ctx context.Context, topic, group string) error {
	known := 0
	err := q.root.read(ctx, Scope{Role: RoleRelay}, "subscribe", func(tx *tx) error {
		return tx.get(`SELECT count(*) FROM transport.subscriptions WHERE topic = $1 AND group_name = $2`, []any{topic, group}, &known)
	})
	if err != nil || known > 0 {
		return err
	}
	return q.write(ctx, "subscribe", func(tx *tx) error {
		// Nobody publishes meanwhile: a publisher has committed by now, or sees the
		// group. And nobody else can end what the group has not yet.
		if _, err := tx.exec(`LOCK TABLE transport.messages IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		n, err := tx.exec(`INSERT INTO transport.subscriptions (topic, group_name) VALUES ($1, $2) ON CONFLICT (topic, group_name) DO NOTHING`, topic, group)
		if err != nil || n == 0 {
			return err
		}
		_, err = tx.exec(`INSERT INTO transport.deliveries (topic, group_name, seq) SELECT topic, CAST($2 AS TEXT), seq FROM transport.messages WHERE topic = $1`, topic, group)
		return err
	})
}

// Receive returns deliveries, or none when there is nothing within the wait.
func (q *sqlQueue) Receive(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	if _, known := q.known.Load([2]string{r.Topic, r.Group}); !known {
		if err := q.Subscribe(ctx, r.Topic, r.Group); err != nil {
			return nil, err
		}
	}
	until := time.Now().Add(r.Wait)
	for {
		woken := q.root.wake.on(topicWake(r.Topic))
		out, err := q.take(ctx, r)
		if err != nil || len(out) > 0 {
			return out, err
		}
		left := time.Until(until)
		if left <= 0 {
			return nil, nil
		}
		pause := time.NewTimer(min(left, look))
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil, ctx.Err()
		case <-woken:
		case <-pause.C:
		}
		pause.Stop()
	}
}

// taken is a delivery as its row tells.
type taken struct {
	seq, token int64
	attempt    int
	causes     string
}

func (q *sqlQueue) take(ctx context.Context, r queue.Request) ([]queue.Delivery, error) {
	if q.closed.Load() {
		return nil, fmt.Errorf("receive: the queue is closed: %w", ErrUnavailable)
	}
	ready := 0
	err := q.root.read(ctx, Scope{Role: RoleRelay}, "receive", func(tx *tx) error {
		err := tx.get(`SELECT 1 FROM transport.deliveries WHERE topic = $1 AND group_name = $2 AND token = 0
			UNION ALL SELECT 1 FROM transport.deliveries WHERE topic = $1 AND group_name = $2 AND token > 0 AND visible_us <= $3 LIMIT 1`, []any{r.Topic, r.Group, tx.now}, &ready)
		if isNoRows(err) {
			return nil
		}
		return err
	})
	if err != nil || ready == 0 { // looking takes no lock; taking does
		return nil, err
	}
	var out []queue.Delivery
	err = q.write(ctx, "receive", func(tx *tx) error {
		var err error
		out, err = tx.take(r)
		return err
	})
	return out, err
}

func (t *tx) take(r queue.Request) ([]queue.Delivery, error) {
	// What comes back goes before what is new.
	rows, err := t.takeRows(r, returned, r.Max)
	if err == nil && len(rows) < r.Max {
		var more []taken
		more, err = t.takeRows(r, fresh, r.Max-len(rows))
		rows = append(rows, more...)
	}
	if err != nil {
		return nil, err
	}
	out := make([]queue.Delivery, 0, len(rows))
	for _, d := range rows {
		var m queue.Delivery
		if err := t.get(`SELECT id, body FROM transport.messages WHERE seq = $1`, []any{d.seq}, &m.ID, &m.Body); err != nil {
			return nil, fmt.Errorf("message %d: %w", d.seq, err)
		}
		if err := json.Unmarshal([]byte(d.causes), &m.Causes); err != nil {
			return nil, fmt.Errorf("causes of %s: %w", m.ID, err)
		}
		m.Attempt, m.Receipt = d.attempt, strconv.FormatInt(d.seq, 10)+"."+strconv.FormatInt(d.token, 10)
		out = append(out, m)
	}
	return out, nil
}

// The deliveries that may be taken, in the order in which they are.
const (
	returned = `token > 0 AND visible_us <= $3 ORDER BY visible_us`
	fresh    = `token = 0 AND visible_us <= $3 ORDER BY seq`
)

// takeRows takes rows of one kind. The choice is materialised: a plan that made it
// again for every row would take more than it should.
func (t *tx) takeRows(r queue.Request, which string, most int) ([]taken, error) {
	var rows []taken
	err := t.each(func(row func(...any) error) error {
		var d taken
		err := row(&d.seq, &d.attempt, &d.token, &d.causes)
		rows = append(rows, d)
		return err
	}, `WITH chosen AS MATERIALIZED (SELECT seq FROM transport.deliveries WHERE topic = $1 AND group_name = $2 AND `+which+` LIMIT $5 FOR UPDATE SKIP LOCKED)
		UPDATE transport.deliveries SET visible_us = $4, attempt = attempt + 1, token = token + 1 WHERE topic = $1 AND group_name = $2 AND seq IN (SELECT seq FROM chosen)
		RETURNING seq, attempt, token, causes`, r.Topic, r.Group, t.now, t.now+r.Claim.Microseconds(), most)
	slices.SortFunc(rows, func(a, b taken) int { return int(a.seq - b.seq) })
	return rows, err
}

// Settle ends or extends a delivery.
func (q *sqlQueue) Settle(ctx context.Context, topic, group string, d queue.Delivery, s queue.Settlement) error {
	var seq, token int64
	left, right, _ := strings.Cut(d.Receipt, ".")
	seq, err := strconv.ParseInt(left, 10, 64)
	if err == nil {
		token, err = strconv.ParseInt(right, 10, 64)
	}
	if err != nil {
		return fmt.Errorf("settle %s: receipt %.40q is not one of this queue: %w", d.ID, d.Receipt, ErrInvalid)
	}
	return q.write(ctx, "settle "+d.ID, func(tx *tx) error {
		own := []any{topic, group, seq, token}
		until := tx.now + s.Delay.Microseconds()
		switch s.Action {
		case queue.Extend:
			_, err := tx.exec(`UPDATE transport.deliveries SET visible_us = $5 WHERE topic = $1 AND group_name = $2 AND seq = $3 AND token = $4`, append(own, until)...)
			return err
		case queue.Postpone:
			_, err := tx.exec(`UPDATE transport.deliveries SET visible_us = $5, attempt = attempt - 1, token = token + 1
				WHERE topic = $1 AND group_name = $2 AND seq = $3 AND token = $4`, append(own, until)...)
			return err
		case queue.Retry:
			causes, err := json.Marshal(queue.AppendCause(d.Causes, s.Cause))
			if err != nil {
				return err
			}
			_, err = tx.exec(`UPDATE transport.deliveries SET visible_us = $5, causes = $6, token = token + 1
				WHERE topic = $1 AND group_name = $2 AND seq = $3 AND token = $4`, append(own, until, string(causes))...)
			return err
		}
		n, err := tx.exec(`DELETE FROM transport.deliveries WHERE topic = $1 AND group_name = $2 AND seq = $3 AND token = $4`, own...)
		if err != nil || n == 0 {
			return err
		}
		if s.Action == queue.Bury {
			letter := queue.NewDeadLetter(topic, group, d, s.Cause).Message()
			if err := tx.publish(event.Dead(topic), []queue.Message{letter}); err != nil {
				return err
			}
		}
		_, err = tx.exec(`DELETE FROM transport.messages WHERE seq = $1 AND NOT EXISTS (SELECT 1 FROM transport.deliveries d WHERE d.seq = $1)`, seq)
		return err
	})
}

// Incarnation is always the same: what this queue loses, the store has lost.
func (q *sqlQueue) Incarnation(context.Context) (string, error) { return "in the store", nil }

// Close ends the use of the queue: the store is closed by whoever opened it.
func (q *sqlQueue) Close() error { q.closed.Store(true); return nil }
