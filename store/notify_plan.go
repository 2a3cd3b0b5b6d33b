package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// writePlan writes what was decided on a state.
func (t *tx) writePlan(s *notify.State, p *notify.Plan, inline time.Duration) error {
	if err := t.keepGroups(s, p.Groups); err != nil {
		return err
	}
	for k := range p.Items {
		i := &p.Items[k]
		if s.Groups[i.Group] == nil || len(i.Notices) == 0 {
			return fmt.Errorf("item %.80q of group %.80q, which was not read, or without a notice: %w", i.Key, i.Group, fault.Invalid)
		}
		if err := checkName("key", i.Key, maxName); err != nil {
			return err
		}
	}
	if err := t.keepItems(p.Items); err != nil {
		return err
	}
	if err := t.keepInhibitors(p.Inhibitors); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.NotifyRouteGroups)
	for k := range p.Incidents {
		if err := t.keepIncident(s.Incidents[p.Incidents[k].ID], &p.Incidents[k]); err != nil {
			return err
		}
	}
	err := t.keepDeliveries(p.Deliveries, inline)
	crashpoint.Hit(crashpoint.NotifyRouteWritten)
	return err
}

// groupRow is one element of the JSON parameter that groups are stored from.
type groupRow struct {
	ID       string `json:"i"`
	Rule     string `json:"r"`
	Endpoint string `json:"e"`
	To       string `json:"t"`
	Key      string `json:"k"`
	Window   int64  `json:"w"`
	Due      int64  `json:"d"`
	Count    int    `json:"c"`
	Severity string `json:"s"`
	Leaders  int    `json:"l"`
	Silenced string `json:"q"`
	Incident string `json:"n"`
}

func (t *tx) keepGroups(s *notify.State, groups []notify.Group) error {
	if len(groups) == 0 {
		return nil
	}
	rows := make([]groupRow, len(groups))
	for k := range groups {
		g := &groups[k]
		if s.Groups[g.ID] == nil {
			return fmt.Errorf("group %.80q was not read: %w", g.ID, fault.Invalid)
		}
		rows[k] = groupRow{g.ID, clean(g.Rule), clean(g.Target.Endpoint), clean(g.Target.To), cutTo(g.Key, maxName), g.Window, zeroOrMicros(g.Due), g.Count, clean(string(g.Severity)), g.Leaders, clean(g.Silenced), clean(g.Incident)}
	}
	list, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO notify.groups (tenant_id, id, rule_id, endpoint, recipient, key, window_us, due_us, notices, severity, leaders, silenced, incident, updated_us)
		SELECT CAST($1 AS TEXT), q.value->>'i', q.value->>'r', q.value->>'e', q.value->>'t', q.value->>'k', CAST(q.value->>'w' AS BIGINT), CAST(q.value->>'d' AS BIGINT), CAST(q.value->>'c' AS BIGINT),
		q.value->>'s', CAST(q.value->>'l' AS BIGINT), q.value->>'q', q.value->>'n', CAST($3 AS BIGINT) FROM json_rows($2) AS q WHERE true
		ON CONFLICT (tenant_id, id) DO UPDATE SET rule_id = excluded.rule_id, endpoint = excluded.endpoint, recipient = excluded.recipient, key = excluded.key, window_us = excluded.window_us, due_us = excluded.due_us,
		notices = excluded.notices, severity = excluded.severity, leaders = excluded.leaders, silenced = excluded.silenced, incident = excluded.incident, updated_us = excluded.updated_us`, t.tenant, string(list), t.now)
	return err
}

// keepInhibitors keeps those that end later than those that are kept, in the order of
// their ids.
func (t *tx) keepInhibitors(list []notify.Inhibitor) error {
	for _, i := range slices.SortedFunc(slices.Values(list), func(a, b notify.Inhibitor) int { return strings.Compare(a.ID, b.ID) }) {
		if err := checkName("inhibitor", i.ID, maxName); err != nil {
			return err
		}
		if _, err := t.exec(`INSERT INTO notify.inhibitors AS i (tenant_id, id, event_id, until_us) VALUES ($1, $2, $3, $4)
			ON CONFLICT (tenant_id, id) DO UPDATE SET event_id = excluded.event_id, until_us = excluded.until_us WHERE i.until_us < excluded.until_us`,
			t.tenant, i.ID, clean(i.Event), i.Until.UnixMicro()); err != nil {
			return err
		}
	}
	return nil
}

// keepIncident adds an incident, or replaces the one that was read.
func (t *tx) keepIncident(before, i *notify.Incident) error {
	if err := checkName("incident", i.ID, maxName); err != nil {
		return err
	}
	if before == nil {
		message, err := json.Marshal(&i.Message, json.Deterministic(true), anyText)
		if err != nil {
			return fmt.Errorf("the message of incident %s: %v: %w", i.ID, err, fault.Invalid)
		}
		_, err = t.exec(`INSERT INTO notify.incidents (tenant_id, id, rule_id, group_id, revision, message, opened_us, step, due_us, acknowledged_us, acknowledged_by, note)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (tenant_id, id) DO NOTHING`,
			t.tenant, i.ID, clean(i.Rule), clean(i.Group), i.Revision, string(message), i.Opened.UnixMicro(), i.Step, zeroOrMicros(i.Due), zeroOrMicros(i.Acknowledged), cut(i.AcknowledgedBy), cut(i.Note))
		return err
	}
	if err := t.setIncident(i); err != nil || i.Step <= before.Step {
		return err
	}
	return t.announceNotification(event.NotificationEscalated, fmt.Sprintf("%s/escalated/%d", i.ID, i.Step),
		&event.Notification{Delivery: i.ID, Incident: i.ID, Rule: i.Rule, Title: i.Message.Title, Severity: string(i.Message.Severity)})
}

func (t *tx) setIncident(i *notify.Incident) error {
	due := zeroOrMicros(i.Due)
	if !i.Acknowledged.IsZero() {
		due = 0
	}
	_, err := t.exec(`UPDATE notify.incidents SET step = $3, due_us = $4, acknowledged_us = $5, acknowledged_by = $6, note = $7 WHERE tenant_id = $1 AND id = $2`,
		t.tenant, i.ID, i.Step, due, zeroOrMicros(i.Acknowledged), cut(i.AcknowledgedBy), cut(i.Note))
	return err
}

// announceNotification tells everybody what came of something. Texts are as long as fits
// into an event.
func (t *tx) announceNotification(what event.Type, id string, n *event.Notification) error {
	a, err := notification(what, id, n)
	if err != nil {
		return err
	}
	return t.announce(a)
}

func notification(what event.Type, id string, n *event.Notification) (announcement, error) {
	n.Title, n.Reason, n.By, n.To = cut(n.Title), cut(n.Reason), cut(n.By), cut(n.To)
	body, err := n.Encode()
	return announcement{topic: event.NotifyEvents, event: event.Event{ID: id, Type: what, Source: "notify", Data: body}}, err
}

// checkDelivery wants what can be kept and sent.
func checkDelivery(d *notify.Delivery) error {
	err := errors.Join(checkName("delivery", d.ID, maxName), checkName("endpoint", d.Endpoint, notify.MaxID))
	switch d.Status {
	case notify.Pending, notify.Suppressed, notify.Parked, notify.Dead:
	default:
		err = errors.Join(err, fmt.Errorf("delivery %.80q: it cannot begin as %.40q: %w", d.ID, d.Status, fault.Invalid))
	}
	if d.Payload == nil && d.Status == notify.Pending {
		return errors.Join(err, fmt.Errorf("delivery %.80q has no payload: %w", d.ID, fault.Invalid))
	}
	if d.Payload == nil {
		return err
	}
	if n := len(d.Payload.Body); n > notify.MaxPayload {
		return errors.Join(err, &fault.LimitError{What: "bytes of a payload", Where: "delivery " + d.ID, Max: notify.MaxPayload, Seen: int64(n)})
	}
	if got := sum.Of(d.Payload.Body); d.Digest != "" && d.Digest != got {
		err = errors.Join(err, &fault.MismatchError{What: "digest of the payload of delivery " + d.ID, Want: d.Digest, Got: got})
	}
	return err
}

// keepDeliveries adds deliveries, and has those sent that are pending, after a while where
// somebody sends them inline. Those that are
// there stay as they are.
func (t *tx) keepDeliveries(list []notify.Delivery, inline time.Duration) error {
	var rows []any
	byID := map[string]*notify.Delivery{}
	for k := range list {
		d := &list[k]
		if err := checkDelivery(d); err != nil {
			return err
		}
		if byID[d.ID] != nil {
			return fmt.Errorf("delivery %.80q is there twice: %w", d.ID, fault.Invalid)
		}
		byID[d.ID] = d
		row, err := t.deliveryRow(d)
		if err != nil {
			return err
		}
		rows = append(rows, row...)
	}
	fresh, err := t.insertNew(`INSERT INTO notify.notification_deliveries (tenant_id, id, status, kind, rule_id, endpoint, recipient, user_id, group_id, window_us, title, severity, total, incident,
		notes, media_type, digest, created_us, updated_us, due_us, reason, round, payload)`, deliveryColumns, rows, ` ON CONFLICT (tenant_id, id) DO NOTHING RETURNING id`)
	if err != nil {
		return err
	}
	var told []announcement
	for _, id := range fresh {
		d := byID[id]
		var a announcement
		switch d.Status {
		case notify.Pending:
			a, err = sendMessage(id, 1, max(zeroOrMicros(d.Due), t.now+inline.Microseconds()))
		case notify.Suppressed:
			continue
		default:
			a, err = outcomeOf(d)
		}
		if err != nil {
			return err
		}
		told = append(told, a)
	}
	return t.announceAll(told)
}

// deliveryColumns is how many values deliveryRow returns.
const deliveryColumns = 23

func (t *tx) deliveryRow(d *notify.Delivery) ([]any, error) {
	p := d.Payload
	if p == nil {
		p = &notify.Payload{}
	}
	notes := d.Notes
	if notes == nil {
		notes = p.Notes
	}
	text, err := json.Marshal(notes, anyText)
	if err != nil {
		return nil, err
	}
	due := int64(0)
	if d.Status == notify.Pending {
		due = max(zeroOrMicros(d.Due), t.now)
	}
	return []any{t.tenant, d.ID, string(d.Status), clean(string(d.Kind)), clean(d.Rule), d.Endpoint, clean(d.To), clean(d.User), clean(d.Group), d.Window, cut(d.Title), clean(string(d.Severity)), d.Total, clean(d.Incident),
		string(text), clean(p.MediaType), sum.Of(p.Body), t.now, t.now, due, cut(d.Reason), 1, present(p.Body)}, nil
}

// sendMessage asks for a delivery from a time on; the relay has them in order by it. The
// round makes it another message than those before.
func sendMessage(id string, round int, notBefore int64) (announcement, error) {
	data := event.DeliveryJob{Delivery: id}
	body, err := data.Encode()
	return announcement{topic: event.NotifyDeliveries, priority: scan.DefaultPriority, notBefore: notBefore,
		event: event.Event{ID: roundMessage(id, round), Type: event.NotificationDelivery, Source: "notify", Data: body}}, err
}

func roundMessage(id string, round int) string { return fmt.Sprintf("%s/send/%d", id, round) }

// outcomeOf is the event of a delivery that reached its receiver, or that nobody tries any
// more. One that is replayed may end again: its attempts tell one end from another.
func outcomeOf(d *notify.Delivery) (announcement, error) {
	what, word := event.NotificationFailed, string(d.Status)
	if d.Status == notify.Delivered {
		what = event.NotificationDelivered
	}
	return notification(what, fmt.Sprintf("%s/%s/%d", d.ID, word, d.Attempts), &event.Notification{Delivery: d.ID, Incident: d.Incident, Rule: d.Rule, Endpoint: d.Endpoint, To: d.To, Title: d.Title,
		Severity: string(d.Severity), Status: string(d.Status), Attempts: d.Attempts, Duplicate: d.Duplicate, Reason: d.Reason})
}
