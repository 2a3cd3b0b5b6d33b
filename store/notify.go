package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Notify is what one tenant is told of: settings, groups, deliveries and attempts. It is
// a notify.Routes, notify.Queue, notify.Desk and notify.Ledger, and safe for concurrent
// use.
type Notify struct{ tenant *Tenant }

var (
	_ notify.Routes = (*Notify)(nil)
	_ notify.Queue  = (*Notify)(nil)
	_ notify.Desk   = (*Notify)(nil)
	_ notify.Ledger = (*Notify)(nil)
)

// Notify returns the tenant's notifications.
func (t *Tenant) Notify() *Notify { return &Notify{t} }

// The bounds of one decision.
const (
	MaxEvents    = 1000 // that are noted together
	MaxGroups    = 100_000
	MaxIncidents = 1000
)

// Do carries out work. What was carried out before, and is asked for again since the
// answer was lost, finds its events done.
func (n *Notify) Do(ctx context.Context, w *notify.Work) error {
	if err := checkWork(w); err != nil {
		return fmt.Errorf("decide who is told: %w", err)
	}
	do := func() error {
		return n.tenant.write(ctx, "decide who is told", func(tx *tx) error { return tx.decideNotices(w) })
	}
	err := do()
	if errors.Is(err, errUnknown) {
		err = do()
	}
	return err
}

func checkWork(w *notify.Work) error {
	limit := func(what string, n, most int) error {
		if n > most {
			return &fault.LimitError{What: what, Where: "a decision", Max: int64(most), Seen: int64(n)}
		}
		return nil
	}
	err := errors.Join(limit("events", len(w.Events), MaxEvents), limit("groups", len(w.Groups), MaxGroups),
		limit("inhibitors", len(w.Inhibitors), MaxGroups), limit("incidents", len(w.Incidents), MaxIncidents))
	if err == nil && w.Decide == nil {
		err = fmt.Errorf("nothing decides: %w", fault.Invalid)
	}
	for _, list := range [][]string{w.Events, w.Groups, w.Inhibitors, w.Incidents} {
		for _, id := range list {
			err = errors.Join(err, checkName("id", id, maxName))
		}
	}
	return err
}

func (t *tx) decideNotices(w *notify.Work) error {
	// Who changes the settings waits until what follows from them is written.
	revision, err := t.notifyRevision(" FOR SHARE")
	if err != nil {
		return err
	}
	if revision != w.Revision {
		return fmt.Errorf("settings of revision %d stand, and this follows from revision %d: %w", revision, w.Revision, fault.Conflict)
	}
	s := &notify.State{Now: micros(t.now), Done: map[string]bool{}}
	if err := t.consumeAll(event.GroupNotify, w.Events, s.Done); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.NotifyRouteEvents)
	if s.Groups, err = t.lockGroups(w.Groups); err != nil {
		return err
	}
	if s.Incidents, err = t.incidents(forUpdate, w.Incidents); err != nil {
		return err
	}
	if s.Inhibitors, err = t.inhibitors(w.Inhibitors); err != nil {
		return err
	}
	if w.Collected {
		if s.Items, err = t.collected(s.Groups); err != nil {
			return err
		}
	}
	crashpoint.Hit(crashpoint.NotifyRouteRead)
	p, err := w.Decide(s)
	if err != nil || p == nil {
		return err
	}
	return t.writePlan(s, p, w.Inline)
}

// notifyRevision is how often the settings were changed; 0 for never.
func (t *tx) notifyRevision(lock string) (n int64, err error) {
	err = t.get(`SELECT number FROM notify.revisions WHERE tenant_id = $1`+lock, []any{t.tenant}, &n)
	if isNoRows(err) {
		err = nil
	}
	return n, err
}

// consumeAll notes that a group has the effect of events, in the order of their ids, and
// says in done which ones had been noted before.
func (t *tx) consumeAll(group string, events []string, done map[string]bool) error {
	if len(events) == 0 {
		return nil
	}
	ids := slices.Compact(slices.Sorted(slices.Values(events)))
	list, err := idList(ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		done[id] = true
	}
	return t.each(func(row func(...any) error) error {
		var id string
		err := row(&id)
		delete(done, id)
		return err
	}, `INSERT INTO transport.inbox (tenant_id, group_name, event_id, at_us) SELECT CAST($1 AS TEXT), CAST($3 AS TEXT), value->>'id', CAST($4 AS BIGINT) FROM json_rows($2) AS q WHERE true
		ON CONFLICT (tenant_id, group_name, event_id) DO NOTHING RETURNING event_id`, t.tenant, list, group, t.now)
}

// lockGroups locks groups in the order of their ids. Those that are not there are made,
// since what is not there cannot be locked: all are made before any is locked, so two
// who want the same never wait for each other crosswise.
func (t *tx) lockGroups(ids []string) (map[string]*notify.Group, error) {
	out := map[string]*notify.Group{}
	if len(ids) == 0 {
		return out, nil
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	list, err := idList(ids)
	if err != nil {
		return nil, err
	}
	for range 3 { // a collection may take one in between
		if _, err := t.exec(`INSERT INTO notify.groups (tenant_id, id, updated_us) SELECT CAST($1 AS TEXT), value->>'id', CAST($3 AS BIGINT) FROM json_rows($2) AS q WHERE true
			ON CONFLICT (tenant_id, id) DO NOTHING`, t.tenant, list, t.now); err != nil {
			return nil, err
		}
		// By a list of placeholders: how many elements a JSON text has no planner knows, and
		// it may read the whole table.
		err := batches(ids, []any{t.tenant}, func(in string, args []any) error {
			return t.each(func(row func(...any) error) error {
				g := new(notify.Group)
				var due int64
				err := row(&g.ID, &g.Rule, &g.Target.Endpoint, &g.Target.To, &g.Key, &g.Window, &due, &g.Count, &g.Severity, &g.Leaders, &g.Silenced, &g.Incident)
				g.Due, out[g.ID] = microsOrZero(due), g
				return err
			}, `SELECT id, rule_id, endpoint, recipient, key, window_us, due_us, notices, severity, leaders, silenced, incident FROM notify.groups WHERE tenant_id = $1 AND id IN `+in+` ORDER BY id FOR UPDATE`, args...)
		})
		if err != nil || len(out) == len(ids) {
			return out, err
		}
	}
	return nil, fmt.Errorf("groups are being deleted; try again: %w", fault.Unavailable)
}

// microsOrZero is a time, the zero one for 0.
func microsOrZero(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return micros(us)
}

// zeroOrMicros is the other way round.
func zeroOrMicros(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMicro()
}

// incidents reads those of ids that there are, and locks them in their order.
func (t *tx) incidents(lock string, ids []string) (map[string]*notify.Incident, error) {
	out := map[string]*notify.Incident{}
	if len(ids) == 0 {
		return out, nil
	}
	list, err := idList(ids)
	if err != nil {
		return nil, err
	}
	return out, t.each(func(row func(...any) error) error {
		i := new(notify.Incident)
		var due, opened, acknowledged int64
		var message string
		if err := row(&i.ID, &i.Rule, &i.Group, &i.Revision, &message, &opened, &i.Step, &due, &acknowledged, &i.AcknowledgedBy, &i.Note); err != nil {
			return err
		}
		i.Due, i.Opened, i.Acknowledged, out[i.ID] = microsOrZero(due), micros(opened), microsOrZero(acknowledged), i
		if err := json.Unmarshal([]byte(message), &i.Message); err != nil {
			return fmt.Errorf("the message of incident %s: %v: %w", i.ID, err, fault.Mismatch)
		}
		return nil
	}, `SELECT id, rule_id, group_id, revision, message, opened_us, step, due_us, acknowledged_us, acknowledged_by, note FROM notify.incidents WHERE tenant_id = $1 AND id`+oneOf+` ORDER BY id`+lock, t.tenant, list)
}

func (t *tx) inhibitors(ids []string) (map[string]notify.Inhibitor, error) {
	out := map[string]notify.Inhibitor{}
	if len(ids) == 0 {
		return out, nil
	}
	list, err := idList(ids)
	if err != nil {
		return nil, err
	}
	return out, t.each(func(row func(...any) error) error {
		var i notify.Inhibitor
		var until int64
		err := row(&i.ID, &i.Event, &until)
		i.Until = micros(until)
		out[i.ID] = i
		return err
	}, `SELECT id, event_id, until_us FROM notify.inhibitors WHERE tenant_id = $1 AND id`+oneOf, t.tenant, list)
}
