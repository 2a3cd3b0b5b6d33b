package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/crashpoint"
)

// sweepBatch bounds one sweep.
const sweepBatch = 500

// Sweep gives back jobs, evaluations and deliveries whose holder's lease ended, and has
// results announced again that nobody evaluates. It returns how many. A relay does so by
// itself.
func (r *Root) Sweep(ctx context.Context) (int, error) {
	type overdue struct {
		tenant, id, status string
		head               int64
	}
	var jobs []overdue
	err := r.read(ctx, Scope{Role: RoleRelay}, "look for jobs without a holder", func(tx *tx) error {
		jobs = jobs[:0]
		collect := func(row func(...any) error) error {
			var j overdue
			err := row(&j.tenant, &j.id, &j.status)
			jobs = append(jobs, j)
			return err
		}
		if err := tx.each(collect, `SELECT tenant_id, job_id, status FROM scanner.scan_jobs WHERE status = 'running' AND lease_until_us <= $1
			ORDER BY lease_until_us LIMIT $2`, tx.now, sweepBatch); err != nil {
			return err
		}
		if err := tx.each(collect, `SELECT tenant_id, job_id, status FROM scanner.scan_jobs WHERE status = 'evaluating' AND eval_retry_us <= $1
			ORDER BY eval_retry_us LIMIT $2`, tx.now, sweepBatch); err != nil {
			return err
		}
		if err := tx.each(func(row func(...any) error) error {
			j := overdue{status: "delivery"}
			err := row(&j.tenant, &j.id)
			jobs = append(jobs, j)
			return err
		}, `SELECT tenant_id, id FROM notify.notification_deliveries WHERE status = 'sending' AND until_us <= $1 ORDER BY until_us LIMIT $2`, tx.now, sweepBatch); err != nil {
			return err
		}
		return tx.each(func(row func(...any) error) error {
			j := overdue{status: "evaluation"}
			err := row(&j.tenant, &j.id, &j.head)
			jobs = append(jobs, j)
			return err
		}, `SELECT tenant_id, scan_id, head FROM scheduler.evaluations WHERE state = 'running' AND until_us <= $1 ORDER BY until_us LIMIT $2`, tx.now, sweepBatch)
	})
	if err != nil {
		return 0, err
	}
	n := 0
	var failed error
	for _, j := range jobs {
		t := &Tenant{root: r, name: j.tenant}
		err := t.write(ctx, "give back "+j.id, func(tx *tx) error {
			switch j.status {
			case "running":
				return tx.giveBack(j.id)
			case "evaluation":
				return tx.giveBackRematch(j.id, j.head)
			case "delivery":
				return tx.giveBackDelivery(j.id)
			}
			return tx.giveBackEvaluation(j.id)
		})
		switch {
		case err == nil:
			n++
		case !errors.Is(err, fault.Conflict) && !errors.Is(err, fault.NotFound):
			failed = errors.Join(failed, err)
		}
	}
	if n > 0 {
		crashpoint.Hit(crashpoint.SweepRequeued)
	}
	return n, failed
}

// errHeld says that somebody else was faster, or has the job locked: a process that
// is frozen in its transaction must not stop the relay.
var errHeld = fmt.Errorf("the job is held again: %w", fault.Conflict)

func (t *tx) giveBack(id string) error {
	var until, epoch int64
	var holder string
	job, err := t.jobFor(skipLocked, id, `, lease_until_us, lease_holder, lease_epoch`, &until, &holder, &epoch)
	if err == nil && (job.State != scan.Running || until > t.now) {
		return errHeld
	}
	if err != nil {
		return err
	}
	return t.retry(job, scan.Failure{Cause: fmt.Sprintf("the lease of %s ended without a sign of life (epoch %d)", holder, epoch)}, 0)
}

func (t *tx) giveBackEvaluation(id string) error {
	var retry int64
	var attempt int
	job, err := t.jobFor(skipLocked, id, `, eval_retry_us, eval_attempt`, &retry, &attempt)
	if err == nil && (job.State != scan.Evaluating || retry > t.now) {
		return errHeld
	}
	if err != nil {
		return err
	}
	if attempt >= Attempts {
		job.State, job.Reason = scan.Dead, fmt.Sprintf("evaluation: given up after %d attempts", attempt)
		return t.endEvaluation(job)
	}
	return t.evaluateAgain(job, t.now, job.Reason)
}
