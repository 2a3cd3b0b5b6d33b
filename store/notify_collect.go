package store

import (
	"context"
)

// collectNotices deletes what was told long ago: deliveries that ended with their
// attempts, what they told of, and groups, incidents and inhibitors that are over. What is
// open, or waits for somebody, stays.
func (t *Tenant) collectNotices(ctx context.Context, k Retention, done *Removed) error {
	if k.Notices <= 0 {
		return nil
	}
	steps := []struct {
		what   string
		total  *int64
		delete func(tx *tx, before int64, batch int) (int64, error)
	}{
		{"deliveries that ended", &done.Deliveries, (*tx).collectDeliveries},
		{"items that were told of", new(int64), (*tx).collectItems},
		{"incidents that are over", new(int64), (*tx).collectIncidents},
		{"groups that are closed", new(int64), (*tx).collectGroups},
		{"inhibitors that ended", new(int64), func(tx *tx, before int64, batch int) (int64, error) {
			return tx.exec(`DELETE FROM notify.inhibitors WHERE tenant_id = $1 AND id IN (SELECT id FROM notify.inhibitors WHERE tenant_id = $1 AND until_us < $2 ORDER BY id LIMIT $3)`, tx.tenant, before, batch)
		}},
	}
	for _, s := range steps {
		if err := repeat(k.Batch, s.total, func() (n int64, err error) {
			err = t.write(ctx, "delete "+s.what, func(tx *tx) error {
				n, err = s.delete(tx, tx.now-k.Notices.Microseconds(), k.Batch)
				return err
			})
			return n, err
		}); err != nil {
			return err
		}
	}
	return nil
}

// chosenIDs reads texts, as an idList.
func (t *tx) chosenIDs(statement string, args ...any) (n int64, list string, err error) {
	var ids []string
	err = t.each(func(row func(...any) error) error {
		var id string
		err := row(&id)
		ids = append(ids, id)
		return err
	}, statement, args...)
	if err == nil {
		list, err = idList(ids)
	}
	return int64(len(ids)), list, err
}

// collectDeliveries deletes deliveries, but for those of incidents that somebody is still
// to take note of. One that is being replayed is not waited for.
func (t *tx) collectDeliveries(before int64, batch int) (int64, error) {
	n, list, err := t.chosenIDs(`SELECT d.id FROM notify.notification_deliveries d WHERE d.tenant_id = $1 AND d.status IN ('delivered', 'dead', 'suppressed') AND d.updated_us < $2
		AND NOT EXISTS (SELECT 1 FROM notify.incidents i WHERE i.tenant_id = d.tenant_id AND i.id = d.incident AND i.due_us > 0) ORDER BY d.updated_us LIMIT $3 FOR UPDATE SKIP LOCKED`, t.tenant, before, batch)
	if err != nil || n == 0 {
		return n, err
	}
	if _, err := t.exec(`DELETE FROM notify.notification_deliveries WHERE tenant_id = $1 AND id`+oneOf, t.tenant, list); err != nil {
		return 0, err
	}
	_, err = t.exec(`DELETE FROM notify.attempts WHERE tenant_id = $1 AND delivery_id`+oneOf, t.tenant, list)
	return n, err
}

// collectItems deletes items that no delivery tells of, nor will.
func (t *tx) collectItems(before int64, batch int) (int64, error) {
	n, list, err := t.chosenIDs(`SELECT i.key FROM notify.items i WHERE i.tenant_id = $1 AND i.at_us < $2
		AND NOT EXISTS (SELECT 1 FROM notify.notification_deliveries d WHERE d.tenant_id = i.tenant_id AND d.group_id = i.group_id AND d.window_us = i.window_us)
		AND NOT EXISTS (SELECT 1 FROM notify.groups g WHERE g.tenant_id = i.tenant_id AND g.id = i.group_id AND g.window_us = i.window_us AND g.due_us > 0) ORDER BY i.at_us LIMIT $3`, t.tenant, before, batch)
	if err != nil || n == 0 {
		return n, err
	}
	var windows []windowRow
	if err := t.each(func(row func(...any) error) error {
		var w windowRow
		err := row(&w.Group, &w.Window)
		windows = append(windows, w)
		return err
	}, `SELECT DISTINCT group_id, window_us FROM notify.items WHERE tenant_id = $1 AND key`+oneOf, t.tenant, list); err != nil {
		return 0, err
	}
	if _, err := t.exec(`DELETE FROM notify.items WHERE tenant_id = $1 AND key`+oneOf, t.tenant, list); err != nil {
		return 0, err
	}
	for _, w := range windows { // their scans go with the last item
		if _, err := t.exec(`DELETE FROM notify.item_scans WHERE tenant_id = $1 AND group_id = $2 AND window_us = $3
			AND NOT EXISTS (SELECT 1 FROM notify.items i WHERE i.tenant_id = $1 AND i.group_id = $2 AND i.window_us = $3)`, t.tenant, w.Group, w.Window); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// collectIncidents deletes incidents that are acknowledged, or of which all steps were
// taken, when their deliveries are gone.
func (t *tx) collectIncidents(before int64, batch int) (int64, error) {
	return t.exec(`DELETE FROM notify.incidents WHERE tenant_id = $1 AND id IN (SELECT i.id FROM notify.incidents i WHERE i.tenant_id = $1 AND i.due_us = 0 AND i.opened_us < $2 AND i.acknowledged_us < $2
		AND NOT EXISTS (SELECT 1 FROM notify.notification_deliveries d WHERE d.tenant_id = $1 AND d.incident = i.id) ORDER BY i.id LIMIT $3)`, t.tenant, before, batch)
}

// collectGroups deletes groups that are closed. One that is locked is about to be opened.
func (t *tx) collectGroups(before int64, batch int) (int64, error) {
	n, list, err := t.chosenIDs(`SELECT g.id FROM notify.groups g WHERE g.tenant_id = $1 AND g.due_us = 0 AND g.updated_us < $2
		AND NOT EXISTS (SELECT 1 FROM notify.incidents i WHERE i.tenant_id = g.tenant_id AND i.id = g.incident) ORDER BY g.updated_us LIMIT $3 FOR UPDATE SKIP LOCKED`, t.tenant, before, batch)
	if err != nil || n == 0 {
		return n, err
	}
	_, err = t.exec(`DELETE FROM notify.groups WHERE tenant_id = $1 AND id`+oneOf, t.tenant, list)
	return n, err
}
