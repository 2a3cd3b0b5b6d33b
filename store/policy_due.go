package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// The causes that scans are decided about again for, beside those with a number or
// a name: "activation/3", "exception/ID/created", "vex/7", "vex/own/2", "head/12".
const (
	causeCompletion = "completion"
	causeTime       = "time"  // its next change
	causeMoved      = "moved" // something changed while it was decided about
	causeRetry      = "retry" // after a failure
	causeTrust      = "trust" // the tenant's own is another
)

// due makes a scan due, or all that have one of the names, a JSON array, for "". Only
// tenants with a policy in force have anything due.
func (t *tx) due(scanID string, at int64, cause, names string) error {
	_, err := t.exec(`INSERT INTO policy.due (tenant_id, scan_id, due_us, cause, names) SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT), CAST($5 AS TEXT)
		WHERE EXISTS (SELECT 1 FROM policy.activations WHERE tenant_id = $1) ON CONFLICT (tenant_id, scan_id, due_us, cause) DO NOTHING`, t.tenant, scanID, at, cause, names)
	return err
}

// dueAgain notes when a scan that was just decided about is due again.
func (t *tx) dueAgain(b *policy.Batch) error {
	var next, failed int64
	err := t.get(`SELECT coalesce(min(CASE WHEN next_us > 0 THEN next_us END), 0), coalesce(sum(CASE WHEN outcome = 'error' THEN 1 ELSE 0 END), 0)
		FROM policy.current WHERE tenant_id = $1 AND scan_id = $2`, []any{t.tenant, b.ScanID}, &next, &failed)
	if err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM policy.due WHERE tenant_id = $1 AND scan_id = $2 AND cause IN ($3, $4) AND message = ''`, t.tenant, b.ScanID, causeTime, causeRetry); err != nil {
		return err
	}
	if next > 0 {
		if err := t.due(b.ScanID, next, causeTime, ""); err != nil {
			return err
		}
	}
	if failed > 0 {
		if err := t.due(b.ScanID, t.now+policyRetry.Microseconds(), causeRetry, ""); err != nil {
			return err
		}
	}
	// While the rows of the newest heads are shared, no head is committed: whom the
	// next one concerns is looked for afterwards, and finds this scan.
	if _, err := t.exec(`INSERT INTO vex.scopes (tenant_id, head, trust) VALUES ($1, 0, '') ON CONFLICT (tenant_id) DO NOTHING`, t.tenant); err != nil {
		return err
	}
	err = t.each(func(row func(...any) error) error {
		var head int64
		return row(&head)
	}, `SELECT head FROM vex.scopes WHERE tenant_id IN ($1, '') ORDER BY tenant_id FOR SHARE`, t.tenant)
	if err != nil {
		return err
	}
	marks, err := t.policyMarks(b.ScanID)
	if err != nil || !b.Marks.Precedes(marks) {
		return err
	}
	return t.due(b.ScanID, t.now, causeMoved, "")
}

// donePolicy notes that a scan was decided about as a message asked for.
func (t *tx) donePolicy(scanID, message string) error {
	if message == "" {
		return nil
	}
	if _, err := t.exec(`DELETE FROM policy.due WHERE tenant_id = $1 AND scan_id = $2 AND message = $3`, t.tenant, scanID, message); err != nil {
		return err
	}
	return t.consumeMessage(event.SchedulerEvaluations, event.GroupPolicyWorkers, message)
}

// Fail notes a failed attempt.
func (p *Policy) Fail(ctx context.Context, f *policy.Failure) (final bool, err error) {
	fail := func() error {
		return p.tenant.write(ctx, "note that nothing was decided about "+f.ScanID, func(tx *tx) error {
			final, err = tx.failPolicy(f)
			return err
		})
	}
	if err = fail(); errors.Is(err, errUnknown) {
		err = fail() // at worst it counts twice
	}
	if err == nil {
		crashpoint.Hit(crashpoint.PolicyFailed)
	}
	return final && err == nil, err
}

func (t *tx) failPolicy(f *policy.Failure) (final bool, err error) {
	job, err := t.jobFor(forUpdate, f.ScanID, "")
	if errors.Is(err, fault.NotFound) {
		return true, t.donePolicy(f.ScanID, f.Message)
	}
	if err != nil {
		return false, err
	}
	if job.Summary == nil || job.State != scan.Evaluating && job.State != scan.Completed {
		return true, t.donePolicy(f.ScanID, f.Message)
	}
	if _, err := t.exec(`UPDATE policy.due SET attempt = attempt + 1 WHERE tenant_id = $1 AND scan_id = $2 AND message = $3`, t.tenant, f.ScanID, f.Message); err != nil {
		return false, err
	}
	attempts := 0 // without a row nobody counts, and this one is the last
	if err := t.get(`SELECT coalesce(max(attempt), $4) FROM policy.due WHERE tenant_id = $1 AND scan_id = $2 AND message = $3`, []any{t.tenant, f.ScanID, f.Message, Attempts}, &attempts); err != nil {
		return false, err
	}
	if !f.Permanent && attempts < Attempts {
		return false, nil
	}
	if err := t.lockPolicy(" FOR SHARE"); err != nil {
		return false, err
	}
	b := &policy.Batch{ScanID: f.ScanID, At: f.At, Cause: "failure", Message: f.Message}
	if b.Marks, err = t.policyMarks(f.ScanID); err != nil {
		return false, err
	}
	active, err := t.activePolicies()
	if err != nil {
		return false, err
	}
	for i := range active {
		r := policy.Record{Environment: active[i].Environment, Policy: active[i].Policy, Outcome: policy.Error, Because: "the evaluation failed: " + f.Reason, At: f.At}
		k, err := newVerdict(&r)
		if err != nil {
			return false, err
		}
		if err := t.makeCurrent(job, b, &k); err != nil {
			return false, err
		}
	}
	if err := t.dueAgain(b); err != nil {
		return false, err
	}
	return true, t.donePolicy(f.ScanID, f.Message)
}

// Causes notes what makes scans of all tenants due. It is a policy.Causes, and safe for
// concurrent use.
type Causes struct{ root *Root }

var _ policy.Causes = (*Causes)(nil)

// Causes returns what policy.Handler notes causes with.
func (r *Root) Causes() *Causes { return &Causes{r} }

// Completed makes a scan due that was completed.
func (c *Causes) Completed(ctx context.Context, tenant, eventID, scanID string) error {
	t, err := c.root.Tenant(tenant)
	if err != nil {
		return err
	}
	_, err = t.Once(ctx, event.GroupPolicy, eventID, func(once *Tx) error {
		tx := once.tx
		job, err := tx.job(scanID, "")
		if errors.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil || job.Summary == nil {
			return err
		}
		// The evaluation that the completion waits for may have been faster.
		var missing int64
		at := job.Summary.At.UnixMicro()
		err = tx.get(`SELECT count(*) FROM (SELECT DISTINCT environment FROM policy.activations WHERE tenant_id = $1) AS a
			WHERE a.environment NOT IN (`+ended+`) AND NOT EXISTS (SELECT 1 FROM policy.current c WHERE c.tenant_id = $1 AND c.scan_id = $2 AND c.environment = a.environment AND c.at_us >= $3)`,
			[]any{tx.tenant, scanID, at}, &missing)
		if err != nil || missing == 0 {
			return err
		}
		return tx.due(scanID, at, causeCompletion, "")
	})
	if err == nil {
		crashpoint.Hit(crashpoint.PolicyCaused)
	}
	return err
}

// Consensus makes scans due that have a vulnerability about which suppliers say
// something else, or all for another public trust.
func (c *Causes) Consensus(ctx context.Context, tenant, eventID string, d *event.ConsensusDelta) error {
	names, err := jsonText(slices.Concat(d.Vulnerabilities, d.Said))
	if err != nil {
		return err
	}
	if tenant == "" && d.Trust != d.BaseTrust {
		names = "" // all: a tenant's own trust has its scans due by itself
	}
	cause, note := fmt.Sprintf("vex/%d/%d", d.Head, d.Part), eventID
	tenants := []string{tenant}
	if tenant == "" {
		note = "public/" + eventID // a tenant's own events are called the same
		if tenants, err = c.root.policyTenants(ctx); err != nil {
			return err
		}
	} else {
		cause = fmt.Sprintf("vex/own/%d/%d", d.Head, d.Part)
	}
	for _, name := range tenants {
		t, err := c.root.Tenant(name)
		if err != nil {
			return err
		}
		_, err = t.Once(ctx, event.GroupPolicy, note, func(once *Tx) error {
			if names == "[]" {
				return nil
			}
			return once.tx.due("", d.At.UnixMicro(), cause, names)
		})
		if err != nil {
			return err
		}
		crashpoint.Hit(crashpoint.PolicyCaused)
	}
	if tenant == "" { // noted for nobody last: until then, all are told again
		_, err = c.root.once(ctx, publicVEX, event.GroupPolicy, eventID, nothing)
	}
	return err
}

// policyTenants lists all that have, or had, a policy or an exception.
func (r *Root) policyTenants(ctx context.Context) ([]string, error) {
	return readAll(ctx, r, Scope{Role: RoleRelay}, "list tenants with policies", func(row func(...any) error) (name string, err error) {
		return name, row(&name)
	}, `SELECT tenant_id FROM policy.locks ORDER BY tenant_id`)
}
