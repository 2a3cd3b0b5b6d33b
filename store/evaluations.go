package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/drift"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Evaluations are the evaluations of one tenant. It is a schedule.Evaluations, and
// safe for concurrent use.
type Evaluations struct{ tenant *Tenant }

var _ schedule.Evaluations = (*Evaluations)(nil)

// Evaluations returns the tenant's evaluations.
func (t *Tenant) Evaluations() *Evaluations { return &Evaluations{t} }

// Claim takes an evaluation for a while.
func (s *Evaluations) Claim(ctx context.Context, c schedule.ClaimRequest) (*schedule.Work, error) {
	if c.Length < MinLease || c.Length > MaxLease || c.Holder == "" || c.ScanID == "" {
		return nil, fmt.Errorf("claim evaluation of %q for %q: lease of %v: want a scan, a holder and %v to %v: %w", c.ScanID, c.Holder, c.Length, MinLease, MaxLease, fault.Invalid)
	}
	var work *schedule.Work
	var refused error
	err := s.tenant.write(ctx, fmt.Sprintf("claim evaluation of %s with head %d", c.ScanID, c.Head), func(tx *tx) (err error) {
		work, refused, err = tx.claimRematch(c)
		return err
	})
	if err == nil {
		err = refused // committed: the message is consumed all the same
	}
	if err != nil {
		return nil, err
	}
	return work, nil
}

func (t *tx) claimRematch(c schedule.ClaimRequest) (w *schedule.Work, refused, err error) {
	w = &schedule.Work{Lease: schedule.Lease{ScanID: c.ScanID, Head: c.Head, Holder: c.Holder, Length: c.Length}}
	var at int64
	var cause string
	err = t.get(`UPDATE scheduler.evaluations SET state = 'running', attempt = attempt + 1, epoch = epoch + 1, holder = $4, until_us = $5, updated_us = $6, reason = ''
		WHERE tenant_id = $1 AND scan_id = $2 AND head = $3 AND attempt < $7 AND (state = 'pending' AND not_before_us <= $6 OR state = 'running' AND until_us <= $6)
		RETURNING epoch, attempt, at_us, cause`, []any{t.tenant, c.ScanID, c.Head, c.Holder, t.now + c.Length.Microseconds(), t.now, Attempts}, &w.Epoch, &w.Attempt, &at, &cause)
	if err != nil && !isNoRows(err) {
		return nil, nil, err
	}
	claimed := err == nil
	if !claimed {
		refused, err = t.notDue(c)
		if err != nil {
			return nil, nil, err // not due yet: the message must come again
		}
	}
	if err := t.consumeMessage(event.SchedulerEvaluations, event.GroupPolicyWorkers, c.Message); err != nil || !claimed {
		return nil, refused, err
	}
	later, err := t.laterReport(c, cause)
	if err != nil {
		return nil, nil, err
	}
	if later > 0 {
		reason := fmt.Sprintf("the report with head %d is there", later)
		return nil, fmt.Errorf("evaluation of %s with head %d: %s: %w", c.ScanID, c.Head, reason, fault.Conflict), t.endRematch(w.Lease, schedule.Done, reason)
	}
	w.At = micros(at)
	err = t.get(`SELECT digest FROM vuln.heads WHERE number = $1`, []any{c.Head}, &w.Snapshot)
	if err != nil {
		return nil, nil, err
	}
	documents, err := t.documents(c.ScanID)
	for _, d := range documents {
		if d.Format == scan.Neutral {
			w.Document = d
		}
	}
	if err == nil && w.Document.Format == "" {
		err = fmt.Errorf("scan %s has no %s document: %w", c.ScanID, scan.Neutral, fault.NotFound)
	}
	return w, nil, err
}

// notDue says why an evaluation could not be taken.
func (t *tx) notDue(c schedule.ClaimRequest) (refused, err error) {
	var state string
	err = t.get(`SELECT state FROM scheduler.evaluations WHERE tenant_id = $1 AND scan_id = $2 AND head = $3`, []any{t.tenant, c.ScanID, c.Head}, &state)
	switch {
	case isNoRows(err):
		return fmt.Errorf("evaluation of %.80q with head %d: %w", c.ScanID, c.Head, fault.NotFound), nil
	case err != nil:
		return nil, err
	case state == string(schedule.Pending):
		return nil, fmt.Errorf("evaluation of %s with head %d is not due yet: %w", c.ScanID, c.Head, fault.Unavailable)
	}
	return fmt.Errorf("evaluation of %s with head %d is %s and cannot be claimed now: %w", c.ScanID, c.Head, state, fault.Conflict), nil
}

// laterReport returns a head whose report makes the evaluation needless; 0 for
// none. An evaluation that follows a completion says what the scan has missed up
// to its head, which no later report does.
func (t *tx) laterReport(c schedule.ClaimRequest, cause string) (head int64, err error) {
	last := int64(1) << 62
	if cause == schedule.CauseCompletion {
		last = c.Head
	}
	err = t.get(`SELECT coalesce(max(head), 0) FROM scanner.reports WHERE tenant_id = $1 AND scan_id = $2 AND head BETWEEN $3 AND $4`, []any{t.tenant, c.ScanID, c.Head, last}, &head)
	return head, err
}

// guardRematch locks the scan, so that it is not collected meanwhile, and the
// evaluation, and checks that the lease holds it. With ErrFenced it returns the
// state all the same.
func (t *tx) guardRematch(l schedule.Lease) (e *schedule.Evaluation, err error) {
	if _, err := t.jobFor(" FOR SHARE", l.ScanID, ""); err != nil {
		return nil, err
	}
	var epoch int64
	var holder string
	if e, err = t.evaluation(forUpdate, l.ScanID, l.Head, &epoch, &holder); err != nil {
		return nil, err
	}
	if epoch != l.Epoch || holder != l.Holder || e.State != schedule.Running {
		err = fmt.Errorf("evaluation of %s with head %d: epoch %d of %s is over: %w", l.ScanID, l.Head, l.Epoch, l.Holder, fault.Fenced)
	}
	return e, err
}

const evaluationColumns = `scan_id, head, state, cause, priority, at_us, attempt, reason, causes, created_us, updated_us`

func readEvaluation(row func(...any) error, more ...any) (*schedule.Evaluation, error) {
	e := new(schedule.Evaluation)
	var at, created, updated int64
	var causes string
	if err := row(append([]any{&e.ScanID, &e.Head, &e.State, &e.Cause, &e.Priority, &at, &e.Attempt, &e.Reason, &causes, &created, &updated}, more...)...); err != nil {
		return nil, err
	}
	e.At, e.Created, e.Updated = micros(at), micros(created), micros(updated)
	return e, json.Unmarshal([]byte(causes), &e.Causes)
}

func (t *tx) evaluation(lock, scanID string, head int64, epoch *int64, holder *string) (*schedule.Evaluation, error) {
	e, err := readEvaluation(func(into ...any) error {
		return t.get(`SELECT `+evaluationColumns+`, epoch, holder FROM scheduler.evaluations WHERE tenant_id = $1 AND scan_id = $2 AND head = $3`+lock, []any{t.tenant, scanID, head}, into...)
	}, epoch, holder)
	if isNoRows(err) {
		return nil, fmt.Errorf("evaluation of %.80q with head %d: %w", scanID, head, fault.NotFound)
	}
	return e, err
}

// List returns the evaluations of a scan by their heads.
func (s *Evaluations) List(ctx context.Context, scanID string) ([]schedule.Evaluation, error) {
	return readAll(ctx, s.tenant.root, Scope{RoleTenant, s.tenant.name}, "read evaluations of "+scanID, func(row func(...any) error) (schedule.Evaluation, error) {
		e, err := readEvaluation(row)
		if err != nil {
			return schedule.Evaluation{}, err
		}
		return *e, nil
	}, `SELECT `+evaluationColumns+` FROM scheduler.evaluations WHERE tenant_id = $1 AND scan_id = $2 ORDER BY head`, s.tenant.name, scanID)
}

// Finish stores the report.
func (s *Evaluations) Finish(ctx context.Context, l schedule.Lease, r *finding.Report) error {
	if n := len(r.Findings); n > MaxFindings {
		return &fault.LimitError{What: "findings", Where: "evaluation of " + l.ScanID, Max: MaxFindings, Seen: int64(n)}
	}
	finish := func() error {
		return s.tenant.write(ctx, fmt.Sprintf("finish evaluation of %s with head %d", l.ScanID, l.Head), func(tx *tx) error { return tx.finishRematch(l, r) })
	}
	err := finish()
	if errors.Is(err, errUnknown) {
		err = finish() // what is stored already is recognised
	}
	if err == nil {
		crashpoint.Hit(crashpoint.RematchDone)
	}
	return err
}

func (t *tx) finishRematch(l schedule.Lease, r *finding.Report) error {
	e, err := t.guardRematch(l)
	if errors.Is(err, fault.Fenced) && e.State == schedule.Done {
		known := 0 // the report is a function of the scan and the head
		if t.get(`SELECT count(*) FROM scanner.reports WHERE tenant_id = $1 AND scan_id = $2 AND head = $3`, []any{t.tenant, l.ScanID, l.Head}, &known) == nil && known > 0 {
			return nil
		}
	}
	if err != nil {
		return err
	}
	if err := t.keepReport(l.ScanID, reportAt{head: l.Head, at: e.At.UnixMicro()}, r); err != nil {
		return err
	}
	if e.Cause == schedule.CauseCompletion {
		if err := t.announceMissed(l, r); err != nil {
			return err
		}
	}
	if err := t.due(l.ScanID, e.At.UnixMicro(), fmt.Sprintf("head/%d", l.Head), ""); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.RematchWritten)
	return t.endRematch(l, schedule.Done, "")
}

// announceMissed tells a scan of what happened to the advisories between those
// that it was matched with when it was completed and the then current ones.
func (t *tx) announceMissed(l schedule.Lease, r *finding.Report) error {
	before, head, err := t.report(l.ScanID, `evaluated_us`) // the completion's
	if errors.Is(err, fault.NotFound) || err == nil && head == 0 {
		return nil // what was never matched with a head has nothing to differ from
	}
	if err != nil {
		return err
	}
	job, err := t.job(l.ScanID, "")
	if err != nil {
		return err
	}
	for _, d := range finding.Together(finding.Compare(before.Findings, r.Findings)) {
		a := &drift.Announcement{Head: l.Head, Vulnerability: d.Vulnerability, Severity: d.Severity, Summary: cutTo(d.Summary, drift.MaxSummary)}
		one := driftScan{turn: d.Turn, scan: event.DriftScan{ScanID: job.ID, ImageRef: job.Image, Owner: job.Owner}}
		if err := t.keepDrift(a, []driftScan{one}); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) endRematch(l schedule.Lease, state schedule.State, reason string) error {
	_, err := t.exec(`UPDATE scheduler.evaluations SET state = $4, reason = $5, updated_us = $6 WHERE tenant_id = $1 AND scan_id = $2 AND head = $3`,
		t.tenant, l.ScanID, l.Head, string(state), reason, t.now)
	return err
}

// Fail ends the attempt.
func (s *Evaluations) Fail(ctx context.Context, l schedule.Lease, f scan.Failure) error {
	return s.tenant.write(ctx, fmt.Sprintf("fail evaluation of %s with head %d", l.ScanID, l.Head), func(tx *tx) error {
		e, err := tx.guardRematch(l)
		if err != nil {
			return err
		}
		return tx.retryRematch(e, f, tx.now+backoff(e.Attempt).Microseconds())
	})
}

// retryRematch has a running evaluation tried again, or ends it.
func (t *tx) retryRematch(e *schedule.Evaluation, f scan.Failure, notBefore int64) error {
	f.Cause = cut(f.Cause)
	causes, err := json.Marshal(append(e.Causes, fmt.Sprintf("attempt %d: %s", e.Attempt, f.Cause)))
	if err != nil {
		return err
	}
	state := schedule.Pending
	switch {
	case f.Permanent:
		state = schedule.Failed
	case e.Attempt >= Attempts:
		state = schedule.Dead
	}
	if _, err := t.exec(`UPDATE scheduler.evaluations SET state = $4, reason = $5, causes = $6, not_before_us = $7, updated_us = $8 WHERE tenant_id = $1 AND scan_id = $2 AND head = $3`,
		t.tenant, e.ScanID, e.Head, string(state), f.Cause, string(causes), notBefore, t.now); err != nil || state != schedule.Pending {
		return err
	}
	return t.announce(evaluationMessage(e.ScanID, e.Head, e.Priority, e.Attempt+1, notBefore))
}

// giveBackRematch gives an evaluation back whose holder did not finish in time.
func (t *tx) giveBackRematch(scanID string, head int64) error {
	var epoch int64
	var holder string
	var until int64
	err := t.get(`SELECT until_us FROM scheduler.evaluations WHERE tenant_id = $1 AND scan_id = $2 AND head = $3 AND state = 'running'`+skipLocked, []any{t.tenant, scanID, head}, &until)
	if isNoRows(err) || err == nil && until > t.now {
		return errHeld
	}
	if err != nil {
		return err
	}
	e, err := t.evaluation("", scanID, head, &epoch, &holder)
	if err != nil {
		return err
	}
	return t.retryRematch(e, scan.Failure{Cause: fmt.Sprintf("the lease of %s ended without a sign of life (epoch %d)", holder, epoch)}, 0)
}
