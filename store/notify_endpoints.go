package store

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

// useEndpoint has what follows from another setting of an endpoint: what waits for one
// that is used no longer is parked, and what was parked for one that is used again is
// queued. The revision is locked, so nobody claims a delivery meanwhile.
func (t *tx) useEndpoint(before, s *notify.Setting, reason string) error {
	was, err := endpointOf(before)
	if err != nil {
		return err
	}
	is, err := endpointOf(s)
	if err != nil {
		return err
	}
	used := func(e *notify.Endpoint) bool { return e != nil && !e.Disabled }
	n := &event.Notification{Endpoint: s.ID, By: s.By, Reason: reason}
	switch {
	case used(was) == used(is):
		return nil
	case used(is):
		if err := t.unpark(s.ID); err != nil || before == nil {
			return err
		}
		return t.announceNotification(event.EndpointEnabled, fmt.Sprintf("endpoint/%s/enabled/%d", s.ID, s.Number), n)
	}
	if err := t.park(s.ID, unused(s.ID, is), ""); err != nil || was == nil {
		return err
	}
	return t.announceNotification(event.EndpointDisabled, fmt.Sprintf("endpoint/%s/disabled/%d", s.ID, s.Number), n)
}

// disableGone disables the endpoint of a delivery, whose receiver says that it is there no
// longer. The revision is locked.
func (t *tx) disableGone(d *sentRow, reason string) error {
	before, err := t.setting(notify.SettingEndpoint, d.Endpoint)
	if err != nil {
		return err
	}
	e, err := endpointOf(before)
	if err != nil || e == nil || e.Disabled {
		return err
	}
	e.Disabled = true
	body, err := json.Marshal(e, json.Deterministic(true))
	if err == nil {
		err = (*jsontext.Value)(&body).Canonicalize()
	}
	if err != nil {
		return err
	}
	revision, err := t.lockRevision()
	if err != nil {
		return err
	}
	s := &notify.Setting{Kind: notify.SettingEndpoint, ID: d.Endpoint, Number: before.Number + 1, Body: body, By: "notify", At: micros(t.now)}
	if err := t.insertSetting(s, revision+1); err != nil {
		return err
	}
	if err := t.park(d.Endpoint, unused(d.Endpoint, e), d.ID); err != nil {
		return err
	}
	return t.announceNotification(event.EndpointDisabled, fmt.Sprintf("endpoint/%s/disabled/%d", s.ID, s.Number), &event.Notification{Endpoint: s.ID, By: s.By, Reason: reason})
}

// park has all deliveries that wait for an endpoint wait for somebody, but one.
func (t *tx) park(endpoint, reason, but string) error {
	list, err := t.waiting(`d.endpoint = $2 AND d.status = 'pending' AND d.id <> $3`, endpoint, but)
	if err != nil || len(list) == 0 {
		return err
	}
	if _, err := t.exec(`UPDATE notify.notification_deliveries SET status = 'parked', parked = $3, reason = $4, due_us = 0, slot_us = 0, updated_us = $5
		WHERE tenant_id = $1 AND endpoint = $2 AND status = 'pending' AND id <> $6`, t.tenant, endpoint, parkedByEndpoint, cut(reason), t.now, but); err != nil {
		return err
	}
	var told []announcement
	var messages []string
	for _, d := range list {
		messages = append(messages, d.message())
		d.Status, d.Reason = notify.Parked, reason
		a, err := outcomeOf(&d.Delivery)
		if err != nil {
			return err
		}
		told = append(told, a)
	}
	if err := t.consumeMessages(event.NotifyDeliveries, event.GroupDeliveryWorkers, messages); err != nil {
		return err
	}
	return t.announceAll(told)
}

// unpark queues all deliveries that were parked for an endpoint.
func (t *tx) unpark(endpoint string) error {
	list, err := t.waiting(`d.endpoint = $2 AND d.status = 'parked' AND d.parked = $3`, endpoint, parkedByEndpoint)
	if err != nil || len(list) == 0 {
		return err
	}
	if _, err := t.exec(`UPDATE notify.notification_deliveries SET status = 'pending', parked = '', reason = '', attempt = 0, due_us = $4, round = round + 1, updated_us = $4
		WHERE tenant_id = $1 AND endpoint = $2 AND status = 'parked' AND parked = $3`, t.tenant, endpoint, parkedByEndpoint, t.now); err != nil {
		return err
	}
	var told []announcement
	for _, d := range list {
		a, err := sendMessage(d.ID, d.round+1, t.now)
		if err != nil {
			return err
		}
		told = append(told, a)
	}
	return t.announceAll(told)
}

// waiting locks deliveries in the order of their ids.
func (t *tx) waiting(where string, args ...any) (out []*sentRow, err error) {
	return out, t.each(func(row func(...any) error) error {
		d, err := readSent(row)
		out = append(out, d)
		return err
	}, `SELECT `+sentColumns+` FROM notify.notification_deliveries d WHERE d.tenant_id = $1 AND `+where+` ORDER BY d.id FOR UPDATE`, append([]any{t.tenant}, args...)...)
}

// consumeMessages is consumeMessage for many.
func (t *tx) consumeMessages(topic, group string, messages []string) error {
	if err := t.consumeAll(group, messages, map[string]bool{}); err != nil || len(messages) == 0 {
		return err
	}
	list, err := idList(messages)
	if err != nil {
		return err
	}
	t.wakes = append(t.wakes, wakeOutbox)
	_, err = t.exec(`UPDATE transport.outbox SET state = 2 WHERE tenant_id = $1 AND event_id`+oneOf+` AND topic = $3`, t.tenant, list, topic)
	return err
}
