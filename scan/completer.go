package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Completer drives scans whose results are stored to their end: it has them
// evaluated and, where wanted, signed. It reads scanner:events in the group
// scanner-web. Jobs is required. A Completer is safe for concurrent use.
type Completer struct {
	// Jobs gives the evaluations of a tenant.
	Jobs func(tenant string) (Evaluations, error)
	// Evaluator decides. Nil: the scan completes as NotEvaluated.
	Evaluator Evaluator
	// Signer makes evidence. Nil: none is due. While it is away the evaluation is put
	// off, twice; after that the scan completes marked unsigned, since a decision
	// must not wait for ever for its signature.
	Signer Signer
	// Holder names this process in leases. It must be unique.
	Holder string
	// Lease is how long an evaluation is held. Default: DefaultLease.
	Lease time.Duration
}

// signAttempts is how many attempts of an evaluation wait for a Signer that is away.
// With a store's backoff that is a quarter of a minute: long enough for one to start anew.
const signAttempts = 3

// Handle finishes the scan that an event tells of. Events of other types are
// left alone. A nil error means that the message is done.
func (c *Completer) Handle(ctx context.Context, body []byte) error {
	message, s, err := readMessage(body, event.SBOMCreated)
	if err != nil || message == nil {
		return err
	}
	jobs, err := c.Jobs(message.Tenant)
	if err != nil {
		return fmt.Errorf("evaluate %s: %w", s.JobID, err)
	}
	length := cmp.Or(c.Lease, DefaultLease)
	e, err := jobs.ClaimEvaluation(ctx, ClaimRequest{JobID: s.JobID, Holder: c.Holder, Message: message.ID, Length: length})
	switch {
	case errors.Is(err, fault.Conflict), errors.Is(err, fault.NotFound):
		return nil
	case err != nil:
		return fmt.Errorf("evaluate %s: claim: %w", s.JobID, err)
	}
	crashpoint.Hit(crashpoint.EvaluateClaimed)
	// An evaluation that takes longer than its lease is fenced anyway.
	held, cancel := context.WithTimeout(ctx, length)
	conclusion, err := c.conclude(held, e)
	cancel()
	if err == nil {
		err = jobs.FinishEvaluation(ctx, e.Lease, *conclusion)
	} else {
		err = jobs.FailEvaluation(context.WithoutCancel(ctx), e.Lease, Failure{Cause: err.Error(), Permanent: permanent(err)})
	}
	if errors.Is(err, fault.Fenced) {
		return nil
	}
	return err
}

func (c *Completer) conclude(ctx context.Context, e *Evaluation) (*Conclusion, error) {
	out := new(Conclusion)
	if c.Evaluator == nil {
		return out, nil
	}
	var err error
	if out.Verdict, err = c.Evaluator.Evaluate(ctx, e, e.Job.Summary.At); err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	crashpoint.Hit(crashpoint.EvaluateVerdict)
	if c.Signer == nil || out.Verdict == nil {
		return out, nil
	}
	if out.Signature, err = c.Signer.Sign(ctx, e, out.Verdict.Body); err != nil {
		away := errors.Is(err, fault.Unavailable) || ctx.Err() != nil
		if !away || e.Lease.Attempt < signAttempts {
			return nil, fmt.Errorf("sign: %w", err)
		}
		out.Unsigned = true
	}
	crashpoint.Hit(crashpoint.EvaluateSigned)
	return out, nil
}
