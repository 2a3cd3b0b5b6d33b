package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Timeline is what happened to one tenant, and when. It is a timeline.Store, and safe for
// concurrent use.
type Timeline struct{ tenant *Tenant }

var _ timeline.Store = (*Timeline)(nil)

// Timeline returns the tenant's timeline.
func (t *Tenant) Timeline() *Timeline { return &Timeline{t} }

// Append adds the events that have no row yet.
func (l *Timeline) Append(ctx context.Context, events []timeline.Event) error {
	for i := range events {
		if e := &events[i]; e.Tenant != l.tenant.name {
			return fmt.Errorf("append event %.80q of tenant %.80q to the timeline of %s: %w", e.ID, e.Tenant, l.tenant.name, fault.Invalid)
		}
	}
	add := func() error {
		return l.tenant.write(ctx, "append to the timeline", func(tx *tx) error {
			head, err := tx.timelineHead(forUpdate)
			if err != nil {
				return err
			}
			fresh, err := tx.withoutRow(events)
			if err == nil {
				err = tx.noteIndexed(events)
			}
			if err != nil || len(fresh) == 0 {
				return err
			}
			_, err = tx.extend(head, fresh)
			return err
		})
	}
	err := add()
	if errors.Is(err, errUnknown) {
		err = add() // what has a row gets no other
	}
	if err == nil {
		crashpoint.Hit(crashpoint.TimelineAppended)
	}
	return err
}

// timelineHead reads the end of the tenant's chain. To lock it, it has to be there.
func (t *tx) timelineHead(lock string) (timeline.Head, error) {
	h := timeline.Head{Hash: timeline.Genesis(t.tenant), Now: micros(t.now)}
	var hash []byte
	var at int64
	read := func() error {
		return t.get(`SELECT seq, hash, at_us FROM timeline.heads WHERE tenant_id = $1`+lock, []any{t.tenant}, &h.Seq, &hash, &at)
	}
	err := read()
	if isNoRows(err) {
		if lock == "" {
			return h, nil
		}
		if _, err := t.exec(`INSERT INTO timeline.heads (tenant_id, seq, hash, at_us) VALUES ($1, 0, $2, 0) ON CONFLICT (tenant_id) DO NOTHING`, t.tenant, h.Hash[:]); err != nil {
			return h, err
		}
		err = read()
	}
	if err != nil || h.Seq == 0 {
		return h, err
	}
	h.Indexed = micros(at)
	return h, toHash(hash, &h.Hash)
}

func toHash(b []byte, h *timeline.Hash) error {
	if copy(h[:], b) != len(h) || len(b) != len(h) {
		return fmt.Errorf("a hash of the timeline has %d bytes: %w", len(b), fault.Mismatch)
	}
	return nil
}

// withoutRow leaves out events that have a row. One with another body is an error.
func (t *tx) withoutRow(events []timeline.Event) ([]timeline.Event, error) {
	type name struct{ topic, id string }
	rows := map[name][]byte{}
	ids := make([]string, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	err := batches(ids, []any{t.tenant}, func(in string, args []any) error {
		return t.each(func(scan func(...any) error) error {
			var n name
			var digest []byte
			err := scan(&n.topic, &n.id, &digest)
			rows[n] = digest
			return err
		}, `SELECT topic, event_id, digest FROM timeline.rows WHERE tenant_id = $1 AND event_id IN `+in, args...)
	})
	if err != nil {
		return nil, err
	}
	var out []timeline.Event
	for i := range events {
		e := &events[i]
		n, digest := name{e.Topic, e.ID}, e.Digest()
		if there, ok := rows[n]; !ok {
			rows[n] = digest[:]
			out = append(out, *e)
		} else if !bytes.Equal(there, digest[:]) {
			return nil, fmt.Errorf("event %.80q of %s is on the timeline with another body: %w", e.ID, e.Topic, fault.Conflict)
		}
	}
	return out, nil
}

// noteIndexed notes that the group timeline has the events.
func (t *tx) noteIndexed(events []timeline.Event) error {
	args := make([]any, 0, len(events)*4)
	for i := range events {
		args = append(args, t.tenant, event.GroupTimeline, events[i].ID, t.now)
	}
	_, err := t.insert(`INSERT INTO transport.inbox (tenant_id, group_name, event_id, at_us)`, 4, args, ` ON CONFLICT (tenant_id, group_name, event_id) DO NOTHING`)
	return err
}

// extend writes rows for events behind a head that is locked, and moves it.
func (t *tx) extend(head timeline.Head, events []timeline.Event) (timeline.Head, error) {
	entries, next := timeline.Extend(head, micros(t.now), events)
	rows, bodies, refs := make([]any, 0, len(entries)*9), make([]any, 0, len(entries)*3), make([]any, 0, len(entries)*16)
	for i := range entries {
		e := &entries[i]
		rows = append(rows, t.tenant, e.Seq, e.Topic, e.Event, string(e.Type), e.Time.UnixMicro(), e.Indexed.UnixMicro(), e.Digest[:], e.Hash[:])
		bodies = append(bodies, t.tenant, e.Seq, e.Body)
		for _, r := range events[i].Refs {
			refs = append(refs, t.tenant, string(r.Kind), r.Key(), e.Seq)
		}
	}
	for _, w := range []struct {
		head    string
		columns int
		args    []any
	}{
		{`INSERT INTO timeline.rows (tenant_id, seq, topic, event_id, type, time_us, at_us, digest, hash)`, 9, rows},
		{`INSERT INTO timeline.bodies (tenant_id, seq, body)`, 3, bodies},
		{`INSERT INTO timeline.refs (tenant_id, kind, value, seq)`, 4, refs},
	} {
		if _, err := t.insert(w.head, w.columns, w.args, ""); err != nil {
			return next, err
		}
	}
	crashpoint.Hit(crashpoint.TimelineRows)
	n, err := t.exec(`UPDATE timeline.heads SET seq = $1, hash = $2, at_us = $3 WHERE tenant_id = $4 AND seq = $5`,
		next.Seq, next.Hash[:], next.Indexed.UnixMicro(), t.tenant, head.Seq)
	if err == nil && n != 1 {
		err = fmt.Errorf("the timeline of tenant %s has no head %d: %w", t.tenant, head.Seq, fault.Mismatch)
	}
	crashpoint.Hit(crashpoint.TimelineHead)
	return next, err
}

// Head returns the end of the chain.
func (l *Timeline) Head(ctx context.Context) (head timeline.Head, err error) {
	err = l.tenant.read(ctx, "read the head of the timeline", func(tx *tx) (err error) {
		head, err = tx.timelineHead("")
		return err
	})
	return head, err
}

// Checkpoint returns a checkpoint by its number, the newest for 0.
func (l *Timeline) Checkpoint(ctx context.Context, number int64) (*timeline.Kept, error) {
	k := new(timeline.Kept)
	err := l.tenant.read(ctx, "read a checkpoint of the timeline", func(tx *tx) error { return tx.checkpoint(number, k) })
	return k, err
}

func (t *tx) checkpoint(number int64, k *timeline.Kept) error {
	statement, args := `SELECT number, envelope FROM timeline.checkpoints WHERE tenant_id = $1 AND number = $2`, []any{t.tenant, number}
	if number == 0 {
		statement, args = `SELECT number, envelope FROM timeline.checkpoints WHERE tenant_id = $1 ORDER BY number DESC LIMIT 1`, args[:1]
	}
	err := t.get(statement, args, &k.Number, &k.Envelope)
	if isNoRows(err) {
		return fmt.Errorf("checkpoint %d of the timeline of tenant %s: %w", number, t.tenant, fault.NotFound)
	}
	return err
}

// Keep keeps a checkpoint unless there is one of its number, and returns that.
func (l *Timeline) Keep(ctx context.Context, c *timeline.Kept) (*timeline.Kept, error) {
	if c.Number < 1 || len(c.Envelope) == 0 || len(c.Envelope) > timeline.MaxCheckpoint {
		return nil, fmt.Errorf("keep checkpoint %d of %d bytes: %w", c.Number, len(c.Envelope), fault.Invalid)
	}
	out := new(timeline.Kept)
	keep := func() error {
		return l.tenant.write(ctx, "keep a checkpoint of the timeline", func(tx *tx) error {
			if _, err := tx.timelineHead(forUpdate); err != nil {
				return err
			}
			err := tx.checkpoint(c.Number, out)
			if err == nil || !errors.Is(err, fault.NotFound) {
				return err
			}
			if c.Number > 1 {
				if err := tx.checkpoint(c.Number-1, new(timeline.Kept)); err != nil {
					return fmt.Errorf("%w: %w", err, fault.Conflict)
				}
			}
			*out = *c
			_, err = tx.exec(`INSERT INTO timeline.checkpoints (tenant_id, number, envelope, at_us) VALUES ($1, $2, $3, $4)`, tx.tenant, c.Number, c.Envelope, tx.now)
			return err
		})
	}
	err := keep()
	if errors.Is(err, errUnknown) {
		err = keep()
	}
	return out, err
}
