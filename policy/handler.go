package policy

import (
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/event"
)

// Causes notes what makes scans due to be decided about again, together with the
// event that told of it, in one transaction for each tenant. A store.Root gives one.
// It is safe for concurrent use.
type Causes interface {
	// Completed makes a scan due as of the time of its results, where it has not been
	// decided about as of then.
	Completed(ctx context.Context, tenant, eventID, scanID string) error
	// Consensus makes scans due that have one of the delta's vulnerabilities: those of
	// the tenant, or of all tenants for "".
	Consensus(ctx context.Context, tenant, eventID string, d *event.ConsensusDelta) error
}

// Handler turns events into verdicts. It reads sbom.created and scan.completed on
// scanner:events and vex.delta on excititor:deltas in the group policy, which make
// scans due, and policy.evaluation on scheduler:evaluations in the group
// policy-workers, which has a scan evaluated. It is safe for concurrent use.
type Handler struct {
	Gateway *Gateway
	Causes  Causes
	// Next handles messages of other types, so that one consumer of
	// scheduler:evaluations serves a schedule.Evaluator as well: its Handle. Nil
	// leaves them alone.
	Next func(ctx context.Context, body []byte) error
}

// Handle does what an event asks for. A nil error means that the message is done.
func (h *Handler) Handle(ctx context.Context, body []byte) error {
	e, err := event.Decode(body)
	if err != nil {
		return err
	}
	switch e.Type {
	case event.PolicyEvaluation:
		return h.evaluate(ctx, e)
	case event.SBOMCreated, event.ScanCompleted:
		s, err := event.DecodeScan(e)
		if err != nil {
			return err
		}
		return h.Causes.Completed(ctx, e.Tenant, e.ID, s.JobID)
	case event.VEXDelta:
		d, err := event.DecodeConsensusDelta(e)
		if err != nil {
			return err
		}
		return h.Causes.Consensus(ctx, e.Tenant, e.ID, d)
	}
	if h.Next != nil {
		return h.Next(ctx, body)
	}
	return nil
}

func (h *Handler) evaluate(ctx context.Context, e *event.Event) error {
	d, err := event.DecodePolicyJob(e)
	if err != nil {
		return err
	}
	_, err = h.Gateway.Evaluate(ctx, e.Tenant, Request{ScanID: d.JobID, At: d.At, Cause: d.Cause, Message: e.ID})
	if err == nil || errors.Is(err, fault.Unavailable) || ctx.Err() != nil {
		return err
	}
	store, openErr := h.Gateway.Stores(e.Tenant)
	if openErr != nil {
		return fmt.Errorf("note that %v: %w", err, openErr)
	}
	f := &Failure{ScanID: d.JobID, At: d.At, Message: e.ID, Reason: err.Error(), Permanent: permanent(err)}
	switch fault.KindOf(err) {
	case fault.Forbidden, fault.Unauthenticated: // a queue does not bring these again
		f.Permanent = true
	}
	final, failErr := store.Fail(ctx, f)
	switch {
	case failErr != nil:
		return fmt.Errorf("note that %v: %w", err, failErr)
	case final:
		return nil
	}
	return err
}
