package store

import (
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
)

// Judge has a policy.Gateway decide about scans that complete. It is a scan.Evaluator:
// a scan completes with the verdict of the environment that has the worst, the first
// of several by name. Where no policy is in force it completes without one. Where an
// evaluation fails, so does the attempt: a scan never completes without a verdict that
// it should have.
type Judge struct{ Gateway *policy.Gateway }

var _ scan.Evaluator = (*Judge)(nil)

// Evaluate decides as of the time of the results.
func (j *Judge) Evaluate(ctx context.Context, e *scan.Evaluation, at time.Time) (*scan.Verdict, error) {
	records, err := j.Gateway.Evaluate(ctx, e.Job.Tenant, policy.Request{ScanID: e.Job.ID, At: at, Cause: causeCompletion})
	if err != nil || len(records) == 0 {
		return nil, err
	}
	worst := &records[0]
	for i := range records {
		if r := &records[i]; r.Outcome.Rank() > worst.Outcome.Rank() {
			worst = r
		}
	}
	if worst.Key == "" {
		return nil, fmt.Errorf("environment %q: %s: %w", worst.Environment, worst.Because, ErrUnavailable)
	}
	return &scan.Verdict{Digest: worst.Digest, Outcome: string(worst.Outcome), Body: worst.Body}, nil
}
