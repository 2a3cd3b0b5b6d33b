package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// parkedByEndpoint marks what waits for its endpoint to be used again.
const parkedByEndpoint = "endpoint"

// sentRow is the row of a delivery.
type sentRow struct {
	notify.Delivery
	parked string // why, where it is not for its own reason
	round  int    // numbers the messages that ask for it
	asked  bool   // the last of them is still needed
	epoch  int64  // of the last lease
	holder string
	until  int64 // of the lease
	slot   int64 // that the pace gave it, 0 for none
}

const sentColumns = `id, status, kind, rule_id, endpoint, recipient, user_id, group_id, window_us, title, severity, total, incident, notes, digest,
	created_us, updated_us, due_us, reason, parked, attempt, attempts, duplicate, round, epoch, holder, until_us, slot_us`

func readSent(row func(...any) error, more ...any) (*sentRow, error) {
	d := new(sentRow)
	var notes string
	var created, updated, due, duplicate int64
	if err := row(append([]any{&d.ID, &d.Status, &d.Kind, &d.Rule, &d.Endpoint, &d.To, &d.User, &d.Group, &d.Window, &d.Title, &d.Severity, &d.Total, &d.Incident, &notes, &d.Digest,
		&created, &updated, &due, &d.Reason, &d.parked, &d.Attempt, &d.Attempts, &duplicate, &d.round, &d.epoch, &d.holder, &d.until, &d.slot}, more...)...); err != nil {
		return nil, err
	}
	d.Created, d.Updated, d.Due, d.Duplicate = micros(created), micros(updated), microsOrZero(due), duplicate != 0
	d.asked = d.Status == notify.Pending // who took it has noted the message
	if err := json.Unmarshal([]byte(notes), &d.Notes); err != nil {
		return nil, fmt.Errorf("notes of delivery %s: %v: %w", d.ID, err, fault.Mismatch)
	}
	return d, nil
}

// sent reads a delivery.
func (t *tx) sent(lock, id string) (*sentRow, error) {
	d, err := readSent(func(into ...any) error {
		return t.get(`SELECT `+sentColumns+` FROM notify.notification_deliveries WHERE tenant_id = $1 AND id = $2`+lock, []any{t.tenant, id}, into...)
	})
	if isNoRows(err) {
		return nil, fmt.Errorf("delivery %.80q: %w", id, fault.NotFound)
	}
	return d, err
}

// sentWhole reads a delivery with its payload, verified.
func (t *tx) sentWhole(lock, id string) (*sentRow, error) {
	p := new(notify.Payload)
	d, err := readSent(func(into ...any) error {
		return t.get(`SELECT `+sentColumns+`, media_type, payload FROM notify.notification_deliveries WHERE tenant_id = $1 AND id = $2`+lock, []any{t.tenant, id}, into...)
	}, &p.MediaType, &p.Body)
	if isNoRows(err) {
		return nil, fmt.Errorf("delivery %.80q: %w", id, fault.NotFound)
	}
	if err != nil {
		return nil, err
	}
	if got := sum.Of(p.Body); got != d.Digest {
		return nil, &fault.MismatchError{What: "digest of the payload of delivery " + d.ID, Want: d.Digest, Got: got}
	}
	p.Notes, d.Payload = d.Notes, p
	return d, nil
}

// setSent writes what may change of a delivery.
func (t *tx) setSent(d *sentRow) error {
	d.Updated = micros(t.now)
	_, err := t.exec(`UPDATE notify.notification_deliveries SET status = $3, updated_us = $4, due_us = $5, reason = $6, parked = $7, attempt = $8, attempts = $9, duplicate = $10,
		round = $11, epoch = $12, holder = $13, until_us = $14, slot_us = $15 WHERE tenant_id = $1 AND id = $2`,
		t.tenant, d.ID, string(d.Status), t.now, zeroOrMicros(d.Due), d.Reason, d.parked, d.Attempt, d.Attempts, bit(d.Duplicate), d.round, d.epoch, d.holder, d.until, d.slot)
	return err
}

// message is the one that asks for it now.
func (d *sentRow) message() string { return roundMessage(d.ID, d.round) }

// consumeSends notes the message that came for a delivery, and the one that asks for it
// now, should that be another one.
func (t *tx) consumeSends(d *sentRow, message string) error {
	if message == d.message() {
		d.asked = true
	}
	if d.asked {
		d.asked = false
		if err := t.consumeMessage(event.NotifyDeliveries, event.GroupDeliveryWorkers, d.message()); err != nil {
			return err
		}
	}
	if message == d.message() {
		return nil
	}
	return t.consumeMessage(event.NotifyDeliveries, event.GroupDeliveryWorkers, message)
}

// askAgain has a delivery asked for in another round, from a time on.
func (t *tx) askAgain(d *sentRow, at int64) error {
	if err := t.consumeSends(d, ""); err != nil {
		return err
	}
	d.round, d.asked = d.round+1, true
	a, err := sendMessage(d.ID, d.round, at)
	if err != nil {
		return err
	}
	return t.announce(a)
}

// Claim takes a delivery for a while.
func (n *Notify) Claim(ctx context.Context, c *notify.Claim) (*notify.Task, error) {
	if c.Length < MinLease || c.Length > MaxLease || c.Holder == "" || c.ID == "" {
		return nil, fmt.Errorf("claim delivery %.80q for %.80q: lease of %v: want a delivery, a holder and %v to %v: %w", c.ID, c.Holder, c.Length, MinLease, MaxLease, fault.Invalid)
	}
	var task *notify.Task
	var refused error
	err := n.tenant.write(ctx, "claim delivery "+cut(c.ID), func(tx *tx) (err error) {
		task, refused, err = tx.claimDelivery(c)
		return err
	})
	if err == nil {
		err = refused // committed: the message is consumed all the same
	}
	if err != nil {
		return nil, err
	}
	return task, nil
}

func (t *tx) claimDelivery(c *notify.Claim) (task *notify.Task, refused, err error) {
	// Who enables the endpoint meanwhile waits, and finds what is parked for it.
	if _, err := t.notifyRevision(" FOR SHARE"); err != nil {
		return nil, nil, err
	}
	d, err := t.sentWhole(forUpdate, c.ID)
	if errors.Is(err, fault.NotFound) {
		return nil, err, t.consumeMessage(event.NotifyDeliveries, event.GroupDeliveryWorkers, c.Message)
	}
	if err != nil {
		return nil, nil, err
	}
	switch {
	case d.Status == notify.Sending && d.until > t.now:
		refused = &notify.LaterError{Delivery: d.ID, Until: micros(d.until), Reason: d.holder + " has it"}
	case d.Status != notify.Sending && d.Status != notify.Pending:
		refused = fmt.Errorf("delivery %s is %s: %w", d.ID, d.Status, fault.Conflict)
	}
	if refused != nil {
		return nil, refused, t.consumeMessage(event.NotifyDeliveries, event.GroupDeliveryWorkers, c.Message)
	}
	if err := t.loseAttempt(d); err != nil {
		return nil, nil, err
	}
	e, err := t.endpoint(d.Endpoint)
	if err != nil {
		return nil, nil, err
	}
	if e == nil || e.Disabled {
		d.Status, d.Due, d.Reason, d.parked = notify.Parked, time.Time{}, unused(d.Endpoint, e), parkedByEndpoint
		refused = fmt.Errorf("delivery %s: %s: %w", d.ID, d.Reason, fault.Conflict)
		return nil, refused, t.endDelivery(d, c.Message)
	}
	s, err := t.claimEndpoint(d, c.PaceOf(e))
	if err != nil {
		return nil, nil, err
	}
	if at, why := s.from(d, c.PaceOf(e), t.now); at > t.now {
		return nil, &notify.LaterError{Delivery: d.ID, Until: micros(at), Reason: why}, t.putOff(d, s, at, c.Message)
	}
	task, err = t.beginAttempt(d, s, c)
	if err != nil {
		return nil, nil, err
	}
	task.Endpoint = *e
	return task, nil, nil
}

// claimEndpoint returns how an endpoint is, which is locked only where something about it
// may have to be written.
func (t *tx) claimEndpoint(d *sentRow, pace time.Duration) (*endpointState, error) {
	if pace == 0 {
		if well, err := t.wellEndpoint(d); err != nil || well {
			return &endpointState{well: true}, err
		}
	}
	return t.endpointState(d)
}

// unused says why an endpoint is not used.
func unused(id string, e *notify.Endpoint) string {
	if e == nil {
		return fmt.Sprintf("there is no endpoint %s", id)
	}
	return fmt.Sprintf("endpoint %s is disabled", id)
}

// loseAttempt ends the attempt of a holder that vanished: the receiver may have got it.
func (t *tx) loseAttempt(d *sentRow) error {
	if d.Attempts == 0 {
		return nil
	}
	n, err := t.exec(`UPDATE notify.attempts SET outcome = $4, ended_us = $5, reason = $6 WHERE tenant_id = $1 AND delivery_id = $2 AND number = $3 AND outcome = 'open'`,
		t.tenant, d.ID, d.Attempts, string(notify.OutcomeUnknown), t.now, "its lease ended without a sign of life")
	if n > 0 {
		d.Duplicate = true
	}
	if d.Status == notify.Sending {
		d.Status, d.holder, d.until = notify.Pending, "", 0
	}
	return err
}

// endDelivery writes what became of a delivery, and tells everybody.
func (t *tx) endDelivery(d *sentRow, message string) error {
	d.holder, d.until, d.slot = "", 0, 0
	if err := t.setSent(d); err != nil {
		return err
	}
	if err := t.consumeSends(d, message); err != nil {
		return err
	}
	a, err := outcomeOf(&d.Delivery)
	if err != nil {
		return err
	}
	return t.announce(a)
}

// putOff has a delivery asked for later. Where another message asks for it than the one
// that came, that one will come; who came without one has it asked for by another.
func (t *tx) putOff(d *sentRow, s *endpointState, at int64, message string) error {
	d.Due = micros(at)
	if message == "" || message == d.message() || !d.asked {
		if err := t.askAgain(d, at); err != nil {
			return err
		}
	} else if err := t.consumeMessage(event.NotifyDeliveries, event.GroupDeliveryWorkers, message); err != nil {
		return err
	}
	if err := t.setEndpointState(d, s); err != nil {
		return err
	}
	return t.setSent(d)
}

// beginAttempt takes the delivery and notes an attempt.
func (t *tx) beginAttempt(d *sentRow, s *endpointState, c *notify.Claim) (*notify.Task, error) {
	unknown := 0
	if d.Attempts > 0 {
		if err := t.get(`SELECT count(*) FROM notify.attempts WHERE tenant_id = $1 AND delivery_id = $2 AND outcome = 'unknown'`, []any{t.tenant, d.ID}, &unknown); err != nil {
			return nil, err
		}
	}
	d.Status, d.Attempt, d.Attempts, d.Duplicate = notify.Sending, d.Attempt+1, d.Attempts+1, d.Duplicate || unknown > 0
	d.epoch, d.holder, d.until, d.slot, d.Due, d.Reason = d.epoch+1, clean(c.Holder), t.now+c.Length.Microseconds(), 0, time.Time{}, ""
	a := notify.Attempt{Number: d.Attempts, Holder: d.holder, Outcome: notify.OutcomeOpen, Duplicate: unknown > 0, Started: micros(t.now)}
	if _, err := t.exec(`INSERT INTO notify.attempts (tenant_id, delivery_id, number, holder, duplicate, started_us) VALUES ($1, $2, $3, $4, $5, $6)`,
		t.tenant, d.ID, a.Number, a.Holder, bit(a.Duplicate), t.now); err != nil {
		return nil, err
	}
	s.begin(d, t.now)
	if err := t.setEndpointState(d, s); err != nil {
		return nil, err
	}
	if err := t.setSent(d); err != nil {
		return nil, err
	}
	if err := t.consumeSends(d, c.Message); err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.NotifyClaimWritten)
	return &notify.Task{Delivery: d.Delivery, Attempt: a, Epoch: d.epoch, Holder: c.Holder, Until: micros(d.until), Failures: s.failures}, nil
}
