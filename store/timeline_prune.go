package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store/crashpoint"
)

// pruneBatch is how many rows lose their bodies in one transaction.
const pruneBatch = 2000

// Prune deletes the bodies of old rows, after a row that says so.
func (l *Timeline) Prune(ctx context.Context, o *timeline.Order) (*timeline.Result, error) {
	if o.Before.IsZero() {
		return nil, fmt.Errorf("delete old bodies of the timeline of tenant %s: a time is required: %w", l.tenant.name, fault.Invalid)
	}
	out := new(timeline.Result)
	say := func() error {
		return l.tenant.write(ctx, "say that bodies of the timeline go", func(tx *tx) (err error) {
			out.Last, err = tx.announcePruning(o)
			return err
		})
	}
	err := say()
	if errors.Is(err, errUnknown) {
		err = say() // what was said is not said again
	}
	if err != nil || out.Last == 0 {
		return out, err
	}
	crashpoint.Hit(crashpoint.TimelinePruning)
	// What an earlier call left is deleted with it.
	for {
		var first, n int64
		err := l.tenant.write(ctx, "delete bodies of the timeline", func(tx *tx) error {
			err := tx.get(`SELECT coalesce(min(seq), 0) FROM timeline.bodies WHERE tenant_id = $1 AND seq <= $2`, []any{tx.tenant, out.Last}, &first)
			if err != nil || first == 0 {
				return err
			}
			until := min(out.Last, first+pruneBatch-1)
			if _, err := tx.exec(`DELETE FROM timeline.refs WHERE tenant_id = $1 AND seq >= $2 AND seq <= $3`, tx.tenant, first, until); err != nil {
				return err
			}
			n, err = tx.exec(`DELETE FROM timeline.bodies WHERE tenant_id = $1 AND seq >= $2 AND seq <= $3`, tx.tenant, first, until)
			return err
		})
		if err != nil || first == 0 {
			return out, err
		}
		out.Bodies += n
		crashpoint.Hit(crashpoint.TimelinePruned)
	}
}

// announcePruning appends the row that says that bodies go, where there are any, and
// returns up to which row they may.
func (t *tx) announcePruning(o *timeline.Order) (int64, error) {
	head, err := t.timelineHead(forUpdate)
	if err != nil {
		return 0, err
	}
	var said int64
	if err := t.get(`SELECT coalesce(max(last), 0) FROM timeline.prunes WHERE tenant_id = $1`, []any{t.tenant}, &said); err != nil {
		return 0, err
	}
	last, err := t.lastBefore(said, head.Seq, o.Before.UnixMicro())
	if err != nil || last == said {
		return said, err
	}
	e, err := (&timeline.Retention{Last: last, By: o.By, Reason: o.Reason}).Announce(t.tenant, micros(t.now))
	if err != nil {
		return 0, err
	}
	next, err := t.extend(head, []timeline.Event{*e})
	if err != nil {
		return 0, err
	}
	_, err = t.exec(`INSERT INTO timeline.prunes (tenant_id, last, seq) VALUES ($1, $2, $3)`, t.tenant, last, next.Seq)
	return last, err
}

// lastBefore returns the last row from low to high that was appended before a time; low
// is known to be, or 0. Times never decrease along the chain.
func (t *tx) lastBefore(low, high, before int64) (int64, error) {
	for low < high {
		middle := high - (high-low)/2
		var at int64
		if err := t.get(`SELECT at_us FROM timeline.rows WHERE tenant_id = $1 AND seq = $2`, []any{t.tenant, middle}, &at); err != nil {
			return 0, fmt.Errorf("row %d of the timeline: %w", middle, err)
		}
		if at < before {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low, nil
}
