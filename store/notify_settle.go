package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/crashpoint"
)

// Settle notes the outcome of an attempt and what follows. One whose lease is over is
// heard as long as nobody else took the delivery: what he says is the truth.
func (n *Notify) Settle(ctx context.Context, t *notify.Task, s *notify.Settlement) error {
	if err := checkSettlement(t, s); err != nil {
		return fmt.Errorf("settle delivery %.80q: %w", t.Delivery.ID, err)
	}
	settle := func() error {
		return n.tenant.write(ctx, "settle delivery "+t.Delivery.ID, func(tx *tx) error { return tx.settleDelivery(t, s) })
	}
	err := settle()
	if errors.Is(err, errUnknown) {
		err = settle() // what is noted already is recognised
	}
	return err
}

func checkSettlement(t *notify.Task, s *notify.Settlement) error {
	switch s.Status {
	case notify.Delivered, notify.Pending, notify.Parked, notify.Dead:
	default:
		return fmt.Errorf("it cannot become %.40q: %w", s.Status, fault.Invalid)
	}
	switch s.Attempt.Outcome {
	case notify.OutcomeDelivered, notify.OutcomeNotSent, notify.OutcomeRefused, notify.OutcomeUnknown:
	default:
		return fmt.Errorf("an outcome cannot be %.40q: %w", s.Attempt.Outcome, fault.Invalid)
	}
	if (s.Status == notify.Delivered) != (s.Attempt.Outcome == notify.OutcomeDelivered) {
		return fmt.Errorf("it is %s after an attempt that is %s: %w", s.Status, s.Attempt.Outcome, fault.Invalid)
	}
	if s.Attempt.Number != t.Attempt.Number || s.Retry < 0 || s.Rest < 0 {
		return fmt.Errorf("attempt %d of %d, again after %v, rest of %v: %w", s.Attempt.Number, t.Attempt.Number, s.Retry, s.Rest, fault.Invalid)
	}
	return nil
}

func (t *tx) settleDelivery(task *notify.Task, s *notify.Settlement) error {
	if s.Gone { // the first lock of who changes settings
		if _, err := t.lockRevision(); err != nil {
			return err
		}
	}
	d, err := t.sent(forUpdate, task.Delivery.ID)
	if err != nil {
		return err
	}
	if d.epoch != task.Epoch {
		return t.settledBefore(task, s)
	}
	a := &s.Attempt
	n, err := t.exec(`UPDATE notify.attempts SET outcome = $4, ended_us = $5, latency_us = $6, status = $7, answer = $8, reference = $9, after_us = $10, reason = $11
		WHERE tenant_id = $1 AND delivery_id = $2 AND number = $3 AND outcome = 'open'`,
		t.tenant, d.ID, a.Number, string(a.Outcome), t.now, a.Latency.Microseconds(), a.Status, cut(a.Answer), cut(a.Reference), a.After.Microseconds(), cut(a.Reason))
	if err != nil {
		return err
	}
	if n == 0 {
		return t.settledBefore(task, s)
	}
	d.Status, d.Reason, d.parked, d.Due = s.Status, cut(s.Reason), "", time.Time{}
	if s.Gone {
		if s.Status == notify.Parked {
			d.parked = parkedByEndpoint
		}
		if err := t.disableGone(d, cut(s.Reason)); err != nil {
			return err
		}
	}
	if err := t.endEndpoint(d, s); err != nil {
		return err
	}
	if s.Status == notify.Pending {
		err = t.retryDelivery(d, t.now+s.Retry.Microseconds())
	} else {
		err = t.endDelivery(d, "")
	}
	crashpoint.Hit(crashpoint.NotifySettleWritten)
	return err
}

// endEndpoint notes what an attempt says about the endpoint. Of one that is well a success
// says nothing new.
func (t *tx) endEndpoint(d *sentRow, s *notify.Settlement) error {
	if s.Status == notify.Delivered && s.Rest == 0 {
		if well, err := t.wellEndpoint(d); err != nil || well {
			return err
		}
	}
	state, err := t.endpointState(d)
	if err != nil {
		return err
	}
	state.end(d, s, t.now)
	return t.setEndpointState(d, state)
}

// retryDelivery has a delivery sent again from a time on.
func (t *tx) retryDelivery(d *sentRow, at int64) error {
	d.Status, d.Due, d.holder, d.until, d.slot = notify.Pending, micros(at), "", 0, 0
	if err := t.askAgain(d, at); err != nil {
		return err
	}
	return t.setSent(d)
}

// settledBefore recognises a call whose answer was lost. Whoever took the delivery
// meanwhile has noted another end of the attempt.
func (t *tx) settledBefore(task *notify.Task, s *notify.Settlement) error {
	known := 0
	a := &s.Attempt
	err := t.get(`SELECT count(*) FROM notify.attempts WHERE tenant_id = $1 AND delivery_id = $2 AND number = $3 AND holder = $4 AND outcome = $5 AND status = $6 AND answer = $7 AND reference = $8 AND reason = $9`,
		[]any{t.tenant, task.Delivery.ID, a.Number, clean(task.Holder), string(a.Outcome), a.Status, cut(a.Answer), cut(a.Reference), cut(a.Reason)}, &known)
	if err == nil && known == 0 {
		err = fmt.Errorf("delivery %s: epoch %d of %s is over: %w", task.Delivery.ID, task.Epoch, task.Holder, fault.Fenced)
	}
	return err
}

// giveBackDelivery has a delivery asked for again whose holder did not settle in time.
// Its attempt stays open: the holder may still come, until somebody else takes it.
func (t *tx) giveBackDelivery(id string) error {
	d, err := t.sent(skipLocked, id)
	if err == nil && (d.Status != notify.Sending || d.until > t.now) {
		return errHeld
	}
	if err != nil {
		return err
	}
	return t.retryDelivery(d, t.now)
}
