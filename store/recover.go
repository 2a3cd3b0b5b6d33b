package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/stella-ops/stella/store/crashpoint"
)

const (
	wakeOutbox      = "outbox"
	metaIncarnation = "queue.incarnation"
)

// unconsumed is the condition that some group that wants the event o has not
// consumed it.
const unconsumed = `EXISTS (SELECT 1 FROM transport.groups g WHERE g.topic = o.topic AND (g.types = '' OR g.types LIKE '% ' || o.type || ' %')
	AND NOT EXISTS (SELECT 1 FROM transport.inbox i WHERE i.tenant_id = o.tenant_id AND i.group_name = g.group_name AND i.event_id = o.event_id))`

// Recover has published again what the queue lost: everything that some group
// has not consumed, when the queue is another one than before. It returns how
// many rows that is.
func (y *Relay) Recover(ctx context.Context) (int64, error) {
	now, err := y.to.Incarnation(ctx)
	if err != nil {
		return 0, err
	}
	var before string
	var groups [][2]string
	err = y.root.read(ctx, Scope{Role: RoleRelay}, "look what the queue was", func(tx *tx) error {
		groups = groups[:0]
		var err error
		if before, err = tx.incarnation(); err != nil || before == now {
			return err
		}
		return tx.each(func(row func(...any) error) error {
			var g [2]string
			err := row(&g[0], &g[1])
			groups = append(groups, g)
			return err
		}, `SELECT topic, group_name FROM transport.groups ORDER BY topic, group_name`)
	})
	if err != nil || before == now {
		return 0, err
	}
	// First the groups: a queue may drop what every group that it knows has had.
	for _, g := range groups {
		if _, err := y.to.Group(ctx, g[0], g[1]); err != nil {
			return 0, err
		}
	}
	var n int64
	err = y.root.write(ctx, Scope{Role: RoleRelay}, "publish again what the queue lost", func(tx *tx) error {
		var err error
		if n, err = tx.exec(`UPDATE transport.outbox AS o SET state = 0, claimed_us = 0 WHERE o.state = 1 AND ` + unconsumed); err != nil {
			return err
		}
		_, err = tx.exec(`INSERT INTO transport.meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, metaIncarnation, now)
		return err
	})
	return republished(n, err)
}

// Remind has published again what has been out for long and was not consumed,
// although the queue does not seem to have lost it. It returns how many rows that
// is.
func (y *Relay) Remind(ctx context.Context) (int64, error) {
	var n int64
	err := y.root.write(ctx, Scope{Role: RoleRelay}, "publish again what nobody consumes", func(tx *tx) error {
		var err error
		n, err = tx.exec(`UPDATE transport.outbox AS o SET state = 0, claimed_us = 0 WHERE o.state = 1
			AND o.published_us < CAST($1 AS BIGINT) - CAST($2 AS BIGINT) * (1 << CAST(CASE WHEN o.publishes < 12 THEN o.publishes ELSE 12 END AS INTEGER)) / 2 AND `+unconsumed,
			tx.now, y.opts.Stale.Microseconds())
		return err
	})
	return republished(n, err)
}

func republished(n int64, err error) (int64, error) {
	if n > 0 && err == nil {
		crashpoint.Hit(crashpoint.RelayRepublished)
	}
	return n, err
}

// incarnation returns the queue's, as it was when the store last looked; "" when
// it never did.
func (t *tx) incarnation() (string, error) {
	var s string
	err := t.get(`SELECT value FROM transport.meta WHERE name = $1`, []any{metaIncarnation}, &s)
	if isNoRows(err) {
		err = nil
	}
	return s, err
}

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
