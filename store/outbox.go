package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/event"
)

// The states of an outbox row.
const (
	outPending   = 0 // to be published
	outPublished = 1 // published, and not known to be consumed by every group
	outSettled   = 2 // consumed by every group
)

// announcement is an outbox row to be.
type announcement struct {
	topic     string
	event     event.Event
	priority  int
	notBefore int64 // microseconds; 0 means at once
}

// announce writes an event in the transaction of what it announces. Announcing
// an event that is there has it published again.
func (t *tx) announce(a announcement) error { return t.announceAll([]announcement{a}) }

// outColumns is how many values announceAll writes for each event.
const outColumns = 13

// announceAll announces many events, each once.
func (t *tx) announceAll(list []announcement) error {
	if len(list) == 0 {
		return nil
	}
	rows := make([]any, 0, outColumns*len(list))
	for i := range list {
		a := &list[i]
		a.event.Tenant = t.tenant
		if a.event.Time.IsZero() {
			a.event.Time = time.UnixMicro(t.now).UTC()
		}
		body, err := a.event.Encode()
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		rows = append(rows, t.tenant, a.event.ID, a.topic, string(a.event.Type), body, hex.EncodeToString(sum[:]), a.priority, a.notBefore, t.now, outPending, 0, 0, 0)
	}
	t.wakes = append(t.wakes, wakeOutbox)
	_, err := t.insert(`INSERT INTO transport.outbox (tenant_id, event_id, topic, type, body, digest, priority, not_before_us, created_us, state, claimed_us, published_us, publishes)`, outColumns, rows,
		` ON CONFLICT (tenant_id, topic, event_id) DO UPDATE SET state = 0, not_before_us = excluded.not_before_us, claimed_us = 0`)
	return err
}

// consume notes that a group has the effect of an event. It reports false when
// it had been noted before: the effect must then not be repeated.
func (t *tx) consume(group, eventID string) (bool, error) {
	n, err := t.exec(`INSERT INTO transport.inbox (tenant_id, group_name, event_id, at_us) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, group_name, event_id) DO NOTHING`, t.tenant, group, eventID, t.now)
	return n == 1, err
}

// Tx is the transaction that Once gives to an effect. It sees what belongs to
// the tenant, and ends with the call.
type Tx struct{ tx *tx }

// Exec runs a statement in the SDK's SQL (see Dialect) and returns how many rows
// it changed.
func (t *Tx) Exec(statement string, args ...any) (int64, error) { return t.tx.exec(statement, args...) }

// Announce writes an event to the outbox, together with the effect.
func (t *Tx) Announce(topic string, e event.Event) error {
	return t.tx.announce(announcement{topic: topic, event: e})
}

// Once runs effect, and notes that group has consumed the event, in one
// transaction. When the group had consumed it before, effect is not called and
// done is false. The event may be acknowledged when the error is nil.
func (t *Tenant) Once(ctx context.Context, group, eventID string, effect func(*Tx) error) (done bool, err error) {
	return t.root.once(ctx, Scope{RoleTenant, t.name}, group, eventID, effect)
}

func checkOnce(group, eventID string) error {
	if group == "" || eventID == "" {
		return fmt.Errorf("consume event %q for group %q: both are required: %w", eventID, group, fault.Invalid)
	}
	return nil
}

// Register says that a group consumes the events of a topic, or of some types
// only, and notes each with Once or by claiming its job. Outbox rows are kept
// until every registered group has. Registering again replaces the types.
func (r *Root) Register(ctx context.Context, topic, group string, types ...event.Type) error {
	list := ""
	for _, t := range types {
		list += " " + string(t)
	}
	if list != "" {
		list += " "
	}
	if topic == "" || group == "" || strings.Contains(group, " ") {
		return fmt.Errorf("register group %q of topic %q: both are required: %w", group, topic, fault.Invalid)
	}
	return r.write(ctx, Scope{Role: RoleRelay}, "register group "+group+" of "+topic, func(tx *tx) error {
		_, err := tx.exec(`INSERT INTO transport.groups (topic, group_name, types) VALUES ($1, $2, $3)
			ON CONFLICT (topic, group_name) DO UPDATE SET types = excluded.types`, topic, group, list)
		return err
	})
}

// Unregister says that a group consumes a topic no longer.
func (r *Root) Unregister(ctx context.Context, topic, group string) error {
	return r.write(ctx, Scope{Role: RoleRelay}, "unregister group "+group+" of "+topic, func(tx *tx) error {
		_, err := tx.exec(`DELETE FROM transport.groups WHERE topic = $1 AND group_name = $2`, topic, group)
		return err
	})
}

// Backlog is how much a topic's outbox holds.
type Backlog struct {
	Pending, Published int
	Oldest             time.Time // of the pending ones; zero without any
}

// Backlog tells how far the relay is behind on a topic.
func (r *Root) Backlog(ctx context.Context, topic string) (Backlog, error) {
	var b Backlog
	var oldest int64
	err := r.read(ctx, Scope{Role: RoleRelay}, "backlog of "+topic, func(tx *tx) error {
		return tx.get(`SELECT coalesce(sum(CASE WHEN state = 0 THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN state = 1 THEN 1 ELSE 0 END), 0),
			coalesce(min(CASE WHEN state = 0 THEN created_us END), 0) FROM transport.outbox WHERE topic = $1 AND state < 2`,
			[]any{topic}, &b.Pending, &b.Published, &oldest)
	})
	if oldest > 0 {
		b.Oldest = time.UnixMicro(oldest).UTC()
	}
	return b, err
}
