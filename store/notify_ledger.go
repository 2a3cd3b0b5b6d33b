package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Delivery returns one with its payload, verified, and its attempts.
func (n *Notify) Delivery(ctx context.Context, id string) (*notify.Delivery, []notify.Attempt, error) {
	var d *sentRow
	var attempts []notify.Attempt
	err := n.tenant.root.readOnce(ctx, Scope{RoleTenant, n.tenant.name}, "read delivery "+cut(id), func(tx *tx) (err error) {
		if d, err = tx.sentWhole("", clean(id)); err != nil {
			return err
		}
		attempts, err = tx.attempts(d.ID)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return &d.Delivery, attempts, nil
}

// attempts lists those of a delivery by their numbers.
func (t *tx) attempts(id string) (out []notify.Attempt, err error) {
	return out, t.each(func(row func(...any) error) error {
		var a notify.Attempt
		var duplicate, started, ended, latency, after int64
		err := row(&a.Number, &a.Holder, &a.Outcome, &duplicate, &started, &ended, &latency, &a.Status, &a.Answer, &a.Reference, &after, &a.Reason)
		a.Duplicate, a.Started, a.Ended = duplicate != 0, micros(started), microsOrZero(ended)
		a.Latency, a.After = time.Duration(latency)*time.Microsecond, time.Duration(after)*time.Microsecond
		out = append(out, a)
		return err
	}, `SELECT number, holder, outcome, duplicate, started_us, ended_us, latency_us, status, answer, reference, after_us, reason FROM notify.attempts WHERE tenant_id = $1 AND delivery_id = $2 ORDER BY number`, t.tenant, id)
}

// Deliveries lists deliveries without their payloads, the newest first.
func (n *Notify) Deliveries(ctx context.Context, q notify.Query) (*notify.Page, error) {
	limit, err := pageLimit(q.Limit)
	if err == nil && q.Status != "" && !slices.Contains([]notify.Status{notify.Pending, notify.Sending, notify.Delivered, notify.Parked, notify.Dead, notify.Suppressed}, q.Status) {
		err = fmt.Errorf("no status is called %.40q: %w", q.Status, fault.Invalid)
	}
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	before, id, err := readCursor(q.After)
	if err != nil {
		return nil, err
	}
	// A statement for each filter: the engine need not plan for those that are not there.
	where, args := "", []any{n.tenant.name, before, clean(id)}
	filter := func(condition, value string) {
		if value != "" {
			args = append(args, clean(value))
			where += " AND " + condition + " $" + strconv.Itoa(len(args))
		}
	}
	filter("d.status =", string(q.Status))
	filter("d.rule_id =", q.Rule)
	filter("d.endpoint =", q.Endpoint)
	filter("d.user_id =", q.User)
	filter("EXISTS (SELECT 1 FROM notify.item_scans s WHERE s.tenant_id = d.tenant_id AND s.group_id = d.group_id AND s.window_us = d.window_us AND s.scan_id =", q.ScanID)
	if q.ScanID != "" {
		where += ")"
	}
	page := new(notify.Page)
	err = n.tenant.read(ctx, "list deliveries", func(tx *tx) error {
		page.Deliveries = page.Deliveries[:0]
		return tx.each(func(row func(...any) error) error {
			d, err := readSent(row)
			if err == nil {
				page.Deliveries = append(page.Deliveries, d.Delivery)
			}
			return err
		}, `SELECT `+sentColumns+` FROM notify.notification_deliveries d WHERE d.tenant_id = $1 AND (d.created_us < $2 OR d.created_us = $2 AND d.id < $3)`+where+
			` ORDER BY d.created_us DESC, d.id DESC LIMIT `+strconv.Itoa(limit+1), args...)
	})
	if err != nil {
		return nil, err
	}
	if len(page.Deliveries) > limit {
		page.Deliveries = page.Deliveries[:limit]
		last := &page.Deliveries[limit-1]
		page.Next = strconv.FormatInt(last.Created.UnixMicro(), 10) + "." + last.ID
	}
	return page, nil
}

// Items lists what a delivery tells of.
func (n *Notify) Items(ctx context.Context, delivery, after string, limit int) ([]notify.Item, error) {
	limit, err := pageLimit(limit)
	if err != nil {
		return nil, fmt.Errorf("list items of delivery %.80q: %w", delivery, err)
	}
	var out []notify.Item
	err = n.tenant.read(ctx, "list items of delivery "+cut(delivery), func(tx *tx) error {
		out = nil
		d, err := tx.sent("", clean(delivery))
		if err != nil {
			return err
		}
		from := 0
		if after != "" {
			err := tx.get(`SELECT n FROM notify.items WHERE tenant_id = $1 AND key = $2 AND group_id = $3 AND window_us = $4`, []any{tx.tenant, clean(after), d.Group, d.Window}, &from)
			if isNoRows(err) {
				return fmt.Errorf("after %.80q, which is none of its items: %w", after, fault.Invalid)
			}
			if err != nil {
				return err
			}
		}
		return tx.each(func(row func(...any) error) error {
			i, err := readItem(row)
			out = append(out, i)
			return err
		}, `SELECT `+itemColumns+` FROM notify.items i WHERE i.tenant_id = $1 AND i.group_id = $2 AND i.window_us = $3 AND i.n > $4 ORDER BY i.n LIMIT $5`, tx.tenant, d.Group, d.Window, from, limit)
	})
	return out, err
}

// Replay has a delivery sent again.
func (n *Notify) Replay(ctx context.Context, id, by string) (*notify.Delivery, error) {
	var d *sentRow
	round := 0 // of the message that asks for it, once it was written
	replay := func() error {
		return n.tenant.write(ctx, "replay delivery "+cut(id), func(tx *tx) (err error) {
			if d, err = tx.sent(forUpdate, clean(id)); err != nil {
				return err
			}
			if round > 0 && d.round == round {
				return nil // it was committed after all
			}
			if d.Status != notify.Dead && d.Status != notify.Parked || d.Digest == sum.Of(nil) {
				return fmt.Errorf("it is %s, or has nothing to be sent: %w", d.Status, fault.Conflict)
			}
			d.Attempt, d.Reason, d.parked = 0, "", ""
			if err := tx.retryDelivery(d, tx.now); err != nil {
				return err
			}
			round = d.round
			_, err = tx.exec(`UPDATE notify.notification_deliveries SET replayed_us = $3, replayed_by = $4 WHERE tenant_id = $1 AND id = $2`, tx.tenant, d.ID, tx.now, cut(by))
			return err
		})
	}
	err := replay()
	if errors.Is(err, errUnknown) {
		err = replay()
	}
	if err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.NotifyReplayDone)
	return &d.Delivery, nil
}

// Incident returns one.
func (n *Notify) Incident(ctx context.Context, id string) (out *notify.Incident, err error) {
	err = n.tenant.read(ctx, "read incident "+cut(id), func(tx *tx) (err error) {
		out, err = tx.incident("", id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *tx) incident(lock, id string) (*notify.Incident, error) {
	list, err := t.incidents(lock, []string{clean(id)})
	if err != nil {
		return nil, err
	}
	for _, i := range list {
		return i, nil
	}
	return nil, fmt.Errorf("incident %.80q: %w", id, fault.NotFound)
}

// Acknowledge notes who takes care of an incident.
func (n *Notify) Acknowledge(ctx context.Context, incident, by, note string) (out *notify.Incident, err error) {
	acknowledge := func() error {
		return n.tenant.write(ctx, "acknowledge incident "+cut(incident), func(tx *tx) (err error) {
			if out, err = tx.incident("", incident); err != nil {
				return err
			}
			// What comes to the group from now on is another incident. Groups are locked first.
			if _, err := tx.exec(`UPDATE notify.groups SET incident = '' WHERE tenant_id = $1 AND id = $2 AND incident = $3`, tx.tenant, out.Group, out.ID); err != nil {
				return err
			}
			if out, err = tx.incident(forUpdate, incident); err != nil || !out.Acknowledged.IsZero() {
				return err
			}
			out.Acknowledged, out.AcknowledgedBy, out.Note, out.Due = micros(tx.now), cut(by), cut(note), time.Time{}
			if err := tx.setIncident(out); err != nil {
				return err
			}
			return tx.announceNotification(event.NotificationAcknowledged, out.ID+"/acknowledged",
				&event.Notification{Delivery: out.ID, Incident: out.ID, Rule: out.Rule, Title: out.Message.Title, Severity: string(out.Message.Severity), By: by, Reason: note})
		})
	}
	if err = acknowledge(); errors.Is(err, errUnknown) {
		err = acknowledge() // who was first stays
	}
	if err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.NotifyAckDone)
	return out, nil
}

// States tells how endpoints do, by endpoint and receiver: those that something was sent
// to, or waits for.
func (n *Notify) States(ctx context.Context) ([]notify.EndpointState, error) {
	return readAll(ctx, n.tenant.root, Scope{RoleTenant, n.tenant.name}, "read how endpoints do", func(row func(...any) error) (notify.EndpointState, error) {
		var s notify.EndpointState
		var until int64
		err := row(&s.Endpoint, &s.To, &s.Failures, &until, &s.Waiting, &s.Parked, &s.Dead)
		s.Until = microsOrZero(until)
		return s, err
	}, `SELECT k.endpoint, k.recipient, coalesce(max(e.failures), 0), coalesce(max(e.rest_us), 0), coalesce(sum(k.waiting), 0), coalesce(sum(k.parked), 0), coalesce(sum(k.dead), 0) FROM (
			SELECT endpoint, recipient, CASE WHEN status = 'pending' THEN 1 ELSE 0 END AS waiting, CASE WHEN status = 'parked' THEN 1 ELSE 0 END AS parked, CASE WHEN status = 'dead' THEN 1 ELSE 0 END AS dead
			FROM notify.notification_deliveries WHERE tenant_id = $1 AND status IN ('pending', 'parked', 'dead')
			UNION ALL SELECT endpoint, recipient, 0, 0, 0 FROM notify.endpoint_states WHERE tenant_id = $1) AS k
		LEFT JOIN notify.endpoint_states e ON e.tenant_id = $1 AND e.endpoint = k.endpoint AND e.recipient = k.recipient
		GROUP BY k.endpoint, k.recipient ORDER BY k.endpoint, k.recipient`, n.tenant.name)
}
