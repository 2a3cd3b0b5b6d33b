package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// The defaults of a Deliverer.
const (
	DefaultLease   = 2 * time.Minute
	DefaultTimeout = time.Minute // of one attempt
	settleTimeout  = 10 * time.Second
)

// Deliverer sends what is stored. It reads notify:deliveries in the group
// delivery-workers, or is called inline. Queues, Open, Holder and Now are required. It is
// safe for concurrent use.
//
// An attempt is noted, then made, then its outcome is noted. Where the process dies in
// between, whoever takes the delivery next notes the attempt as unknown and sends the
// same bytes with the same id, flagged as a possible duplicate: delivery is at least once.
type Deliverer struct {
	// Queues gives the queue of a tenant.
	Queues func(tenant string) (Queue, error)
	// Open gives what opens a tenant's endpoints.
	Open func(tenant string) Opener
	// Holder names this process in leases and attempts.
	Holder string
	// Now is the clock by which latencies are measured, and a lease that was long in
	// coming is noticed. It decides nothing else.
	Now func() time.Time
	// Backoff is for all endpoints. The zero value is the default.
	Backoff Backoff
	// Pace is the least time between two messages to an endpoint that does not say, such
	// as channels.Pace; nil is none.
	Pace func(*Endpoint) time.Duration
	// Lease is how long a delivery is claimed, Timeout how long an attempt may take,
	// which is at most half of it. 0 are the defaults.
	Lease, Timeout time.Duration
}

func (d *Deliverer) lease() time.Duration { return positive(d.Lease, DefaultLease) }

func (d *Deliverer) timeout() time.Duration {
	return min(positive(d.Timeout, DefaultTimeout), d.lease()/2)
}

// Handle delivers what a message asks for. A nil error means that the message is done:
// what is to be tried again has another one. Events of other types are left alone.
func (d *Deliverer) Handle(ctx context.Context, body []byte) error {
	e, err := event.Decode(body)
	if err != nil {
		return err
	}
	if e.Type != event.NotificationDelivery {
		return nil
	}
	job, err := event.DecodeDeliveryJob(e)
	if err != nil {
		return err
	}
	return settled(d.deliver(ctx, e.Tenant, job.Delivery, e.ID))
}

// settled takes errors away that say that there is nothing more to do now.
func settled(_ *Settlement, err error) error {
	switch fault.KindOf(err) {
	case fault.Conflict, fault.NotFound, fault.Fenced: // it needs nobody any more, or somebody else has it
		return nil
	case fault.Unavailable:
		var later *LaterError
		if errors.As(err, &later) { // it was put off: another message comes then
			return nil
		}
	}
	return err
}

// LaterError says that a delivery was put off: its endpoint rests, is paced, or the time of
// its next attempt has not come. Another message comes when it has. It matches
// ErrUnavailable under errors.Is.
type LaterError struct {
	Delivery string
	Until    time.Time // by the store's clock
	Reason   string
}

// Error says until when and why.
func (e *LaterError) Error() string {
	return fmt.Sprintf("delivery %s waits until %s: %s", e.Delivery, e.Until.UTC().Format(time.RFC3339), e.Reason)
}

// Is reports whether target is ErrUnavailable.
func (e *LaterError) Is(target error) bool { return target == fault.Unavailable }

// Deliver makes one attempt at a delivery and returns what came of it. It is for callers
// without a queue; they call again when it is due.
func (d *Deliverer) Deliver(ctx context.Context, tenant, id string) (*Settlement, error) {
	return d.deliver(ctx, tenant, id, "")
}

func (d *Deliverer) deliver(ctx context.Context, tenant, id, message string) (*Settlement, error) {
	q, err := d.Queues(tenant)
	if err != nil {
		return nil, err
	}
	asked := d.Now()
	t, err := q.Claim(ctx, &Claim{ID: id, Message: message, Holder: d.Holder, Length: d.lease(), Pace: d.Pace})
	if err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.NotifyClaimed)
	s := &Settlement{Attempt: t.Attempt}
	switch late := d.Now().Sub(asked); {
	case late > d.lease()/3:
		// Another one may have it soon: it is tried again while the lease is long enough.
		d.judge(s, t, &Failure{Sent: No, Reason: "the claim took " + late.Round(time.Second).String()})
		s.Status, s.Retry, s.Failed = Pending, d.Backoff.After(id, t.Delivery.Attempt), false
	case t.Delivery.Attempt > 2*d.Backoff.MaxAttempts():
		// Those who took it vanished, or came too late, again and again.
		d.judge(s, t, &Failure{Sent: No, Permanent: true, Reason: fmt.Sprintf("%d attempts came to no end", t.Delivery.Attempt-1)})
		s.Failed = false
	default:
		d.attempt(ctx, tenant, t, s)
		s.Failed = s.Failed && ctx.Err() == nil // who stops is not the endpoint
	}
	// What came of it is noted even where the caller has no time left.
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer done()
	if err := q.Settle(ctx, t, s); err != nil {
		return s, err
	}
	crashpoint.Hit(crashpoint.NotifySettled)
	return s, nil
}

// attempt sends, and says what follows.
func (d *Deliverer) attempt(ctx context.Context, tenant string, t *Task, s *Settlement) {
	channel, err := d.Open(tenant)(&t.Endpoint, nil)
	if err != nil {
		d.judge(s, t, &Failure{Sent: No, Reason: "the endpoint cannot be opened: " + err.Error(), Permanent: permanent(err)})
		s.Failed = false
		return
	}
	ctx, done := context.WithTimeout(ctx, d.timeout())
	defer done()
	began := d.Now()
	r, err := sent(ctx, channel, &Dispatch{
		ID: t.Delivery.ID, Tenant: tenant, To: t.Delivery.To, Attempt: t.Attempt.Number, Duplicate: t.Attempt.Duplicate, Payload: *t.Delivery.Payload,
	})
	s.Attempt.Latency = d.Now().Sub(began)
	crashpoint.Hit(crashpoint.NotifySent)
	if err != nil {
		d.judge(s, t, failureOf(err))
		return
	}
	a := &s.Attempt
	a.Outcome, a.Status, a.Answer, a.Reference, a.Reason = OutcomeDelivered, r.Status, r.Answer, r.Reference, r.Note
	s.Status = Delivered
}

// sent contains a panic of a channel: nobody knows what it did.
func sent(ctx context.Context, c Channel, d *Dispatch) (r *Receipt, err error) {
	defer func() {
		if x := recover(); x != nil {
			r, err = nil, &Failure{Reason: fmt.Sprintf("the channel panics: %v", x)}
		}
	}()
	return c.Send(ctx, d)
}

// judge says what follows from a failure.
func (d *Deliverer) judge(s *Settlement, t *Task, f *Failure) {
	a := &s.Attempt
	a.Status, a.Answer, a.After, a.Reason = f.Status, f.Answer, f.After, f.Error()
	switch {
	case f.Sent == No && f.Status == 0:
		a.Outcome = OutcomeNotSent
	case f.Sent == No:
		a.Outcome = OutcomeRefused
	default:
		a.Outcome = OutcomeUnknown
	}
	s.Reason = a.Reason
	switch {
	case f.Gone:
		s.Status, s.Gone = Parked, true
		return
	case f.Permanent:
		s.Status = Dead
		return
	case f.After > MaxAfter:
		s.Status, s.Reason = Parked, fmt.Sprintf("%s; it asks to be left alone for %v, the most is %v", a.Reason, f.After, MaxAfter)
	case t.Delivery.Attempt >= d.Backoff.MaxAttempts():
		s.Status, s.Reason = Dead, fmt.Sprintf("%s; that was attempt %d", a.Reason, t.Delivery.Attempt)
	default:
		s.Status = Pending
		s.Retry = max(d.Backoff.After(t.Delivery.ID, t.Delivery.Attempt), f.After)
	}
	s.Failed = f.Status != 429 // who is asked too much is well
	s.Rest = min(f.After, MaxAfter)
	if s.Failed {
		s.Rest = max(s.Rest, Cooldown(t.Failures+1))
	}
}
