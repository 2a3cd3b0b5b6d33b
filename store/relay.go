package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// Relay carries the outbox to a queue: what is pending is claimed for a short
// while, published, and marked. Publishing is at least once. Any number of
// relays may run on one store. Make it with Root.Relay.
type Relay struct {
	root *Root
	to   *queue.Queue
	opts RelayOptions
	turn map[string]string // the tenant that was served last, by topic
}

// RelayOptions say how a relay works. The zero value is ready.
type RelayOptions struct {
	// Batch is how many rows are published at a time. Default: 200.
	Batch int
	// Window is how many job messages may be on the queue without having been
	// claimed, over all tenants: what waits in the store is released by priority
	// and by turn, what waits on the queue no longer is. Default: 64.
	Window int
	// Claim is how long a relay has rows for itself. Default: 10 s.
	Claim time.Duration
	// Poll is the longest pause between two looks. Default: 250 ms.
	Poll time.Duration
	// Stale is after how long what was published and not consumed is published
	// again although the queue does not seem to have lost it. It doubles with
	// each time. Default: 5 min.
	Stale time.Duration
	// Sweep is how often jobs whose holder vanished are looked for. Default: 1 s.
	Sweep time.Duration
	// Report is told of failures; the relay goes on. Nil means nobody.
	Report func(error)
}

// Relay returns a relay to q.
func (r *Root) Relay(q *queue.Queue, opts *RelayOptions) *Relay {
	out := &Relay{root: r, to: q, turn: map[string]string{}}
	if opts != nil {
		out.opts = *opts
	}
	o := &out.opts
	o.Batch = max(cmp.Or(o.Batch, 200), 1)
	o.Window = max(cmp.Or(o.Window, 64), 1)
	o.Claim = cmp.Or(o.Claim, 10*time.Second)
	o.Poll = cmp.Or(o.Poll, 250*time.Millisecond)
	o.Stale = cmp.Or(o.Stale, 5*time.Minute)
	o.Sweep = cmp.Or(o.Sweep, time.Second)
	if o.Report == nil {
		o.Report = func(error) {}
	}
	return out
}

// Run relays, and gives jobs back whose holder vanished, until ctx is done. It
// returns nil then; failures are reported and tried again.
func (y *Relay) Run(ctx context.Context) error {
	chores := []*chore{
		{every: y.opts.Sweep, do: func(ctx context.Context) error { _, err := y.root.Sweep(ctx); return err }},
		{every: time.Second, do: func(ctx context.Context) error { _, err := y.root.WakePolicies(ctx); return err }},
		{every: time.Second, do: func(ctx context.Context) error { _, err := y.Recover(ctx); return err }},
		{every: max(y.opts.Stale/10, time.Second), do: func(ctx context.Context) error { _, err := y.Remind(ctx); return err }},
	}
	for ctx.Err() == nil {
		woken := y.root.wake.on(wakeOutbox)
		for _, c := range chores {
			if time.Since(c.last) < c.every {
				continue
			}
			c.last = time.Now()
			if err := c.do(ctx); err != nil {
				y.failed(ctx, err)
			}
		}
		n, err := y.Step(ctx)
		if err != nil {
			y.failed(ctx, err)
		}
		if n > 0 && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-woken:
		case <-time.After(y.opts.Poll):
		}
	}
	return nil
}

// chore is what a relay does now and then.
type chore struct {
	every time.Duration
	last  time.Time
	do    func(context.Context) error
}

func (y *Relay) failed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		y.opts.Report(fmt.Errorf("relay: %w", err))
	}
}

// outRow is a claimed outbox row.
type outRow struct {
	Seq   int64  `json:"seq"`
	Topic string `json:"-"`
	ID    string `json:"-"`
	Body  []byte `json:"-"`
}

// Step publishes one batch and returns how many rows it was.
func (y *Relay) Step(ctx context.Context) (int, error) {
	var rows []outRow
	var incarnation string // of the queue as far as the store knows
	err := y.root.write(ctx, Scope{Role: RoleRelay}, "claim outbox rows", func(tx *tx) error {
		var err error
		if incarnation, err = tx.incarnation(); err != nil {
			return err
		}
		events, err := y.eventSeqs(tx)
		if err != nil {
			return err
		}
		for _, topic := range windowed {
			jobs, err := y.jobSeqs(tx, topic)
			if err != nil {
				return err
			}
			events = append(events, jobs...)
		}
		rows, err = y.claim(tx, events)
		return err
	})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	crashpoint.Hit(crashpoint.RelayClaimed)
	if err := y.publish(ctx, rows); err != nil {
		return 0, errors.Join(err, y.release(ctx, rows))
	}
	crashpoint.Hit(crashpoint.RelayPublished)
	if err := y.mark(ctx, rows, incarnation); err != nil {
		return 0, err
	}
	crashpoint.Hit(crashpoint.RelayMarked)
	return len(rows), nil
}

// windowed are the topics of jobs: what waits in the store is released by priority
// and by turn. Whoever claims a job settles its message.
var windowed = []string{event.ScannerJobs, event.SchedulerEvaluations, event.ExportJobs, event.NotifyDeliveries}

// ofJobs are those topics in a statement. An index has the other rows that are pending: its
// condition is the same.
const ofJobs = `('` + event.ScannerJobs + `', '` + event.SchedulerEvaluations + `', '` + event.ExportJobs + `', '` + event.NotifyDeliveries + `')`

// eventSeqs picks events: they have no order to keep, and the oldest go first.
func (y *Relay) eventSeqs(tx *tx) ([]int64, error) {
	var out []int64
	err := tx.each(func(scan func(...any) error) error {
		var seq int64
		err := scan(&seq)
		out = append(out, seq)
		return err
	}, `SELECT seq FROM transport.outbox WHERE state = 0 AND topic NOT IN `+ofJobs+` AND not_before_us <= $1 AND claimed_us <= $1
		ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED`, tx.now, y.opts.Batch)
	return out, err
}

// jobSeqs picks jobs: those of the highest priority, by turns over tenants, and
// no more than the window has room for.
func (y *Relay) jobSeqs(tx *tx, topic string) ([]int64, error) {
	var inFlight int
	if err := tx.get(`SELECT count(*) FROM transport.outbox WHERE state = 1 AND topic = $1`, []any{topic}, &inFlight); err != nil {
		return nil, err
	}
	room := min(y.opts.Window-inFlight, y.opts.Batch)
	if room <= 0 {
		return nil, nil
	}
	var out []int64
	priority := 1 << 30
	for len(out) < room {
		err := tx.get(`SELECT priority FROM transport.outbox WHERE topic = $1 AND state = 0 AND priority < $2 ORDER BY priority DESC LIMIT 1`,
			[]any{topic, priority}, &priority)
		if isNoRows(err) {
			break
		}
		if err != nil {
			return nil, err
		}
		lanes, err := y.lanes(tx, topic, priority, room-len(out))
		if err != nil {
			return nil, err
		}
		out = y.deal(out, topic, lanes, room)
	}
	return out, nil
}

// lane is the due jobs of one tenant with one priority, the oldest first.
type lane struct {
	tenant string
	seqs   []int64
}

// maxLeaps bounds the tenants that are looked at in one step; the next one goes on
// from there.
const maxLeaps = 1024

// lanes lists tenants that have due jobs of a priority, beginning after the one
// that was served last. Tenants are found by leaps over the index, since each may
// have very many jobs.
func (y *Relay) lanes(tx *tx, topic string, priority, room int) ([]lane, error) {
	var lanes []lane
	at, wrapped := y.turn[topic], false
	for range maxLeaps {
		if len(lanes) == room {
			break
		}
		l := lane{}
		err := tx.get(`SELECT tenant_id FROM transport.outbox WHERE topic = $1 AND state = 0 AND priority = $2 AND tenant_id > $3 ORDER BY tenant_id LIMIT 1`,
			[]any{topic, priority, at}, &l.tenant)
		if isNoRows(err) && !wrapped {
			at, wrapped = "", true
			continue
		}
		if isNoRows(err) || err == nil && wrapped && l.tenant > y.turn[topic] {
			break // once around
		}
		if err != nil {
			return nil, err
		}
		at = l.tenant
		err = tx.each(func(scan func(...any) error) error {
			var seq int64
			err := scan(&seq)
			l.seqs = append(l.seqs, seq)
			return err
		}, laneOf(topic), topic, priority, l.tenant, tx.now, room)
		if err != nil {
			return nil, err
		}
		if len(l.seqs) > 0 {
			lanes = append(lanes, l)
		}
	}
	if len(lanes) == 0 && !wrapped {
		y.turn[topic] = at // none of these is due: look at others next time
	}
	return lanes, nil
}

// laneOf is the statement that lists the due jobs of a tenant. Of deliveries very many may
// wait for another time: each has a time of its own, and they are in order by it.
func laneOf(topic string) string {
	const due = `SELECT seq FROM transport.outbox WHERE topic = $1 AND state = 0 AND priority = $2 AND tenant_id = $3 AND not_before_us <= $4 AND claimed_us <= $4`
	if topic == event.NotifyDeliveries {
		return due + ` AND topic = 'notify:deliveries' ORDER BY not_before_us, seq LIMIT $5 FOR UPDATE SKIP LOCKED`
	}
	return due + ` ORDER BY seq LIMIT $5 FOR UPDATE SKIP LOCKED`
}

// deal takes one job of each lane in turn.
func (y *Relay) deal(out []int64, topic string, lanes []lane, room int) []int64 {
	for taken := true; taken; {
		taken = false
		for i := range lanes {
			l := &lanes[i]
			if len(out) == room {
				return out
			}
			if len(l.seqs) > 0 {
				out, l.seqs, y.turn[topic], taken = append(out, l.seqs[0]), l.seqs[1:], l.tenant, true
			}
		}
	}
	return out
}

// claim takes the rows for a while and reads them.
func (y *Relay) claim(tx *tx, seqs []int64) ([]outRow, error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	at := map[int64]int{}
	for i, s := range seqs {
		at[s] = i
	}
	var rows []outRow
	err := tx.each(func(scan func(...any) error) error {
		var r outRow
		err := scan(&r.Seq, &r.Topic, &r.ID, &r.Body)
		rows = append(rows, r)
		return err
	}, `UPDATE transport.outbox SET claimed_us = $1 WHERE state = 0 AND seq IN (SELECT CAST(value->>'seq' AS BIGINT) FROM json_rows($2) AS chosen)
		RETURNING seq, topic, event_id, body`, tx.now+y.opts.Claim.Microseconds(), seqRows(seqs))
	slices.SortFunc(rows, func(a, b outRow) int { return cmp.Compare(at[a.Seq], at[b.Seq]) })
	return rows, err
}

func seqRows(seqs []int64) string {
	rows := make([]outRow, len(seqs))
	for i, s := range seqs {
		rows[i].Seq = s
	}
	b, _ := json.Marshal(rows) // numbers alone
	return string(b)
}

func (y *Relay) publish(ctx context.Context, rows []outRow) error {
	byTopic := map[string][]queue.Message{}
	var topics []string
	for _, r := range rows {
		if byTopic[r.Topic] == nil {
			topics = append(topics, r.Topic)
		}
		byTopic[r.Topic] = append(byTopic[r.Topic], queue.Message{ID: r.ID, Body: r.Body})
	}
	for _, topic := range topics {
		if err := y.to.Publish(ctx, topic, byTopic[topic]...); err != nil {
			return err
		}
	}
	return nil
}

// mark notes that rows were published, unless the queue was found to be another
// one meanwhile: what was published to the one before may be gone.
func (y *Relay) mark(ctx context.Context, rows []outRow, incarnation string) error {
	return y.root.write(ctx, Scope{Role: RoleRelay}, "mark outbox rows", func(tx *tx) error {
		now, err := tx.incarnation()
		if err != nil {
			return err
		}
		state := outPublished
		if now != incarnation {
			state = outPending
		}
		// A consumer may have settled a row before its publisher marks it, and an
		// event that was announced again is no longer claimed.
		_, err = tx.exec(`UPDATE transport.outbox SET state = $1, claimed_us = 0, published_us = $2, publishes = publishes + 1
			WHERE state = 0 AND claimed_us > 0 AND seq IN (SELECT CAST(value->>'seq' AS BIGINT) FROM json_rows($3) AS chosen)`, state, tx.now, seqRows(seqsOf(rows)))
		return err
	})
}

func (y *Relay) release(ctx context.Context, rows []outRow) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return y.root.write(ctx, Scope{Role: RoleRelay}, "release outbox rows", func(tx *tx) error {
		_, err := tx.exec(`UPDATE transport.outbox SET claimed_us = 0 WHERE state = 0 AND seq IN (SELECT CAST(value->>'seq' AS BIGINT) FROM json_rows($1) AS chosen)`, seqRows(seqsOf(rows)))
		return err
	})
}

func seqsOf(rows []outRow) []int64 {
	out := make([]int64, len(rows))
	for i, r := range rows {
		out[i] = r.Seq
	}
	return out
}
