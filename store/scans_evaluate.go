package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// ClaimEvaluation takes a job that is evaluating.
func (s *Scans) ClaimEvaluation(ctx context.Context, c scan.ClaimRequest) (*scan.Evaluation, error) {
	if err := checkClaim(c); err != nil {
		return nil, err
	}
	e := &scan.Evaluation{Lease: scan.Lease{JobID: c.JobID, Holder: c.Holder, Length: c.Length}}
	var refused error
	err := s.tenant.write(ctx, "claim evaluation of "+c.JobID, func(tx *tx) error {
		refused = nil
		if c.Message != "" {
			if _, err := tx.consume(event.GroupScannerWeb, c.Message); err != nil {
				return err
			}
		}
		err := tx.get(`UPDATE scanner.scan_jobs SET eval_epoch = eval_epoch + 1, eval_attempt = eval_attempt + 1, eval_until_us = $3, eval_retry_us = $3
			WHERE tenant_id = $1 AND job_id = $2 AND status = 'evaluating' AND eval_attempt < $5 AND eval_until_us <= $4
			RETURNING eval_epoch, eval_attempt`, []any{tx.tenant, c.JobID, tx.now + c.Length.Microseconds(), tx.now, Attempts}, &e.Lease.Epoch, &e.Lease.Attempt)
		if err != nil && !isNoRows(err) {
			return err
		}
		job, jobErr := tx.job(c.JobID, "")
		if jobErr == nil && isNoRows(err) {
			jobErr = fmt.Errorf("scan job %s is %s and cannot be claimed for evaluation now: %w", c.JobID, job.State, fault.Conflict)
		}
		if jobErr != nil {
			if kind := fault.KindOf(jobErr); kind == fault.NotFound || kind == fault.Conflict {
				refused = jobErr
				return nil
			}
			return jobErr
		}
		e.Job = job
		e.Documents, err = tx.documents(c.JobID)
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// guardEvaluation locks the job and checks that the lease holds its evaluation.
func (t *tx) guardEvaluation(l scan.Lease) (*scan.Job, error) {
	var epoch int64
	job, err := t.jobFor(forUpdate, l.JobID, `, eval_epoch`, &epoch)
	if err == nil && (epoch != l.Epoch || job.State != scan.Evaluating) {
		err = fencedUnless(0, nil, l)
	}
	return job, err
}

// FinishEvaluation stores the verdict and ends the job.
func (s *Scans) FinishEvaluation(ctx context.Context, l scan.Lease, c scan.Conclusion) error {
	if c.Verdict != nil && len(c.Verdict.Body) > scan.MaxInline {
		return &fault.LimitError{What: "bytes of a verdict", Where: "evaluation of " + l.JobID, Max: scan.MaxInline, Seen: int64(len(c.Verdict.Body))}
	}
	if c.Signature != nil && (len(c.Signature.Envelope) > scan.MaxInline || c.Verdict == nil) {
		return fmt.Errorf("evaluation of %s: a signature of %d bytes without a verdict, or over %d: %w", l.JobID, len(c.Signature.Envelope), scan.MaxInline, fault.Invalid)
	}
	err := s.tenant.write(ctx, "finish evaluation of "+l.JobID, func(tx *tx) error { return tx.finish(l, c) })
	if errors.Is(err, errUnknown) {
		// Only this epoch's holder could have ended it this way.
		if job, readErr := s.Job(context.WithoutCancel(ctx), l.JobID); readErr == nil && job.State == scan.Completed {
			err = nil
		}
	}
	if err == nil {
		crashpoint.Hit(crashpoint.EvaluateDone)
	}
	return err
}

func (t *tx) finish(l scan.Lease, c scan.Conclusion) error {
	job, err := t.guardEvaluation(l)
	if err != nil {
		return err
	}
	s := job.Summary
	s.Outcome, s.Unsigned = scan.NotEvaluated, c.Unsigned
	if v := c.Verdict; v != nil {
		s.Outcome, s.Verdict = v.Outcome, v.Digest
		if _, err := t.exec(`INSERT INTO scanner.verdicts (tenant_id, digest, body, created_us) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, digest) DO NOTHING`,
			t.tenant, v.Digest, v.Body, t.now); err != nil {
			return err
		}
	}
	if g := c.Signature; g != nil {
		if _, err := t.exec(`INSERT INTO scanner.signatures (tenant_id, payload_digest, key_id, envelope, created_us) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (tenant_id, payload_digest, key_id) DO NOTHING`, t.tenant, c.Verdict.Digest, g.KeyID, g.Envelope, t.now); err != nil {
			return err
		}
	}
	_, err = t.exec(`UPDATE scanner.scan_jobs SET status = 'completed', outcome = $3, verdict = $4, unsigned = $5, updated_us = $6 WHERE tenant_id = $1 AND job_id = $2`,
		t.tenant, job.ID, s.Outcome, s.Verdict, bit(s.Unsigned), t.now)
	if err != nil {
		return err
	}
	job.State = scan.Completed
	err = t.announce(scanEvent(event.ScanCompleted, "completed", job))
	crashpoint.Hit(crashpoint.EvaluateUpdated)
	return err
}

// FailEvaluation gives a job back, or ends it.
func (s *Scans) FailEvaluation(ctx context.Context, l scan.Lease, f scan.Failure) error {
	return s.tenant.write(ctx, "fail evaluation of "+l.JobID, func(tx *tx) error {
		job, err := tx.guardEvaluation(l)
		if err != nil {
			return err
		}
		f.Cause = cut(f.Cause)
		if !f.Permanent && l.Attempt < Attempts {
			return tx.evaluateAgain(job, tx.now+backoff(l.Attempt).Microseconds(), f.Cause)
		}
		job.State, job.Reason = scan.Dead, "evaluation: "+f.Cause
		if f.Permanent {
			job.State = scan.Failed
		}
		return tx.endEvaluation(job)
	})
}

// evaluateAgain has the results announced again: the same event, which groups
// that have consumed it recognise. Who evaluates has not, as it turned out: its
// note goes, so that the event is published once more where the queue loses it.
func (t *tx) evaluateAgain(job *scan.Job, at int64, reason string) error {
	_, err := t.exec(`UPDATE scanner.scan_jobs SET eval_until_us = $3, eval_retry_us = $4, reason = $5, updated_us = $6 WHERE tenant_id = $1 AND job_id = $2`,
		t.tenant, job.ID, at, at+evaluationGrace.Microseconds(), reason, t.now)
	if err != nil {
		return err
	}
	a := scanEvent(event.SBOMCreated, "sbom", job)
	a.notBefore = at
	if _, err := t.exec(`DELETE FROM transport.inbox WHERE tenant_id = $1 AND group_name = $2 AND event_id = $3`, t.tenant, event.GroupScannerWeb, a.event.ID); err != nil {
		return err
	}
	return t.announce(a)
}

func (t *tx) endEvaluation(job *scan.Job) error {
	_, err := t.exec(`UPDATE scanner.scan_jobs SET status = $3, reason = $4, updated_us = $5 WHERE tenant_id = $1 AND job_id = $2`, t.tenant, job.ID, column(job.State), job.Reason, t.now)
	if err != nil {
		return err
	}
	return t.announce(scanEvent(event.ScanFailed, string(job.State), job))
}
