package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Attempts is how often a job is tried before it is dead.
const Attempts = 5

// The bounds of a lease, and of the delay before another attempt, which doubles
// each time.
const (
	MinLease   = time.Second
	MaxLease   = 10 * time.Minute
	minBackoff = 5 * time.Second
	maxBackoff = 2 * time.Minute
)

func checkClaim(c scan.ClaimRequest) error {
	if c.Length < MinLease || c.Length > MaxLease {
		return fmt.Errorf("claim %s: lease of %v: want %v to %v: %w", c.JobID, c.Length, MinLease, MaxLease, fault.Invalid)
	}
	if c.Holder == "" || c.JobID == "" {
		return fmt.Errorf("claim %q for %q: job and holder are required: %w", c.JobID, c.Holder, fault.Invalid)
	}
	return nil
}

// Claim takes a job for a while.
func (s *Scans) Claim(ctx context.Context, c scan.ClaimRequest) (*scan.Lease, error) {
	if err := checkClaim(c); err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.ClaimBegin)
	var lease *scan.Lease
	var refused error
	err := s.tenant.write(ctx, "claim scan job "+c.JobID, func(tx *tx) error {
		var err error
		lease, refused, err = tx.claimJob(c)
		return err
	})
	if err != nil {
		return nil, err
	}
	if refused != nil { // committed: the message is consumed all the same
		return nil, refused
	}
	crashpoint.Hit(crashpoint.ClaimCommitted)
	return lease, nil
}

func (t *tx) claimJob(c scan.ClaimRequest) (lease *scan.Lease, refused, err error) {
	l := &scan.Lease{JobID: c.JobID, Holder: c.Holder, Length: c.Length}
	var manifest []byte
	err = t.get(`UPDATE scanner.scan_jobs SET status = 'running', attempt = attempt + 1, lease_epoch = lease_epoch + 1, lease_holder = $3, lease_until_us = $4, updated_us = $5, reason = '', progress = ''
		WHERE tenant_id = $1 AND job_id = $2 AND attempt < $6 AND (status = 'pending' AND not_before_us <= $5 OR status = 'running' AND lease_until_us <= $5)
		RETURNING lease_epoch, attempt, manifest`, []any{t.tenant, c.JobID, c.Holder, t.now + c.Length.Microseconds(), t.now, Attempts}, &l.Epoch, &l.Attempt, &manifest)
	if err != nil && !isNoRows(err) {
		return nil, nil, err
	}
	// The job is locked before its messages, as everywhere.
	if err := t.consumeMessage(event.ScannerJobs, event.GroupScannerWorkers, c.Message); err != nil {
		return nil, nil, err
	}
	if isNoRows(err) {
		job, err := t.job(c.JobID, "")
		if fault.KindOf(err) == fault.NotFound {
			return nil, err, nil
		}
		if err == nil && job.State == scan.Queued { // the message must come again
			err = fmt.Errorf("scan job %s is not due yet: %w", c.JobID, fault.Unavailable)
		}
		if err != nil {
			return nil, nil, err
		}
		return nil, fmt.Errorf("scan job %s is %s and cannot be claimed now: %w", c.JobID, job.State, fault.Conflict), nil
	}
	crashpoint.Hit(crashpoint.ClaimUpdated)
	if l.Manifest, err = scan.DecodeManifest(manifest); err != nil {
		return nil, nil, err
	}
	if l.Manifest.Credential {
		if l.Sealed, err = t.secret(c.JobID); err != nil {
			return nil, nil, err
		}
	}
	job := &scan.Job{ID: c.JobID, State: scan.Running, Image: cmp.Or(l.Manifest.Name, l.Manifest.Reference), Owner: l.Manifest.Owner}
	return l, nil, t.announce(scanEvent(event.ScanStarted, fmt.Sprintf("started/%d", l.Epoch), job))
}

// consumeMessage notes that the workers have a job message, so that its place in
// the window is free and nobody publishes it again.
func (t *tx) consumeMessage(topic, group, message string) error {
	if message == "" {
		return nil
	}
	if _, err := t.consume(group, message); err != nil {
		return err
	}
	t.wakes = append(t.wakes, wakeOutbox)
	_, err := t.exec(`UPDATE transport.outbox SET state = 2 WHERE tenant_id = $1 AND topic = $2 AND event_id = $3`, t.tenant, topic, message)
	return err
}

// Heartbeat extends a lease.
func (s *Scans) Heartbeat(ctx context.Context, l scan.Lease) (*scan.Lease, error) {
	if l.Length < MinLease || l.Length > MaxLease {
		return nil, fmt.Errorf("heartbeat of %s: lease of %v: want %v to %v: %w", l.JobID, l.Length, MinLease, MaxLease, fault.Invalid)
	}
	set, progress := "", []byte(nil)
	if l.Progress != nil {
		list, err := scan.CheckProgress(l.Progress)
		if err == nil {
			progress, err = json.Marshal(list)
		}
		if err != nil {
			return nil, fmt.Errorf("heartbeat of %s: %w", l.JobID, err)
		}
		set = `, progress = $6`
	}
	err := s.tenant.write(ctx, "heartbeat of scan job "+l.JobID, func(tx *tx) error {
		args := []any{tx.tenant, l.JobID, l.Epoch, tx.now + l.Length.Microseconds(), l.Holder}
		if progress != nil {
			args = append(args, string(progress))
		}
		n, err := tx.exec(`UPDATE scanner.scan_jobs SET lease_until_us = $4`+set+` WHERE tenant_id = $1 AND job_id = $2 AND lease_epoch = $3 AND lease_holder = $5 AND status = 'running'`, args...)
		return fencedUnless(n, err, l)
	})
	if err != nil {
		return nil, err
	}
	l.Progress = nil
	return &l, nil
}

// fencedUnless turns a guarded write that hit nothing into ErrFenced.
func fencedUnless(n int64, err error, l scan.Lease) error {
	if err == nil && n == 0 {
		return fmt.Errorf("scan job %s: epoch %d of %s is over: %w", l.JobID, l.Epoch, l.Holder, fault.Fenced)
	}
	return err
}

// held is a job that is locked for a write of a lease's holder.
type held struct {
	*scan.Job
	manifest []byte
	epoch    int64
}

// guard locks the job and checks that the lease holds it. With ErrFenced it
// returns the job all the same.
func (t *tx) guard(l scan.Lease) (*held, error) {
	h := new(held)
	var holder string
	var err error
	if h.Job, err = t.jobFor(forUpdate, l.JobID, `, manifest, lease_epoch, lease_holder`, &h.manifest, &h.epoch, &holder); err != nil {
		return nil, err
	}
	if h.epoch != l.Epoch || holder != l.Holder || h.State != scan.Running {
		err = fencedUnless(0, nil, l)
	}
	return h, err
}

// Resolve notes what digest the reference stands for.
func (s *Scans) Resolve(ctx context.Context, l scan.Lease, digest string) (string, error) {
	resolved := ""
	err := s.tenant.write(ctx, "resolve scan job "+l.JobID, func(tx *tx) error {
		job, err := tx.guard(l)
		if err != nil {
			return err
		}
		m, err := scan.DecodeManifest(job.manifest)
		if err != nil {
			return err
		}
		if resolved = m.Resolved; resolved != "" {
			return nil
		}
		m.Resolved, resolved = digest, digest
		return tx.setManifest(l.JobID, m)
	})
	return resolved, err
}

func (t *tx) setManifest(id string, m *scan.Manifest) error {
	b, err := m.Encode()
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE scanner.scan_jobs SET manifest = $3 WHERE tenant_id = $1 AND job_id = $2`, t.tenant, id, b)
	return err
}

// Fail ends an attempt.
func (s *Scans) Fail(ctx context.Context, l scan.Lease, f scan.Failure) error {
	err := s.tenant.write(ctx, "fail scan job "+l.JobID, func(tx *tx) error {
		job, err := tx.guard(l)
		if err != nil {
			return err
		}
		return tx.retry(job.Job, f, backoff(job.Attempt))
	})
	if err == nil {
		crashpoint.Hit(crashpoint.FailCommitted)
	}
	return err
}

// backoff doubles with each attempt; the same history gives the same delay.
func backoff(attempt int) time.Duration {
	return min(minBackoff<<min(max(attempt-1, 0), 10), maxBackoff)
}

// retry queues a running job again, or ends it.
func (t *tx) retry(job *scan.Job, f scan.Failure, delay time.Duration) error {
	f.Cause = cut(f.Cause)
	job.Causes = append(job.Causes, fmt.Sprintf("attempt %d: %s", job.Attempt, f.Cause))
	causes, err := json.Marshal(job.Causes)
	if err != nil {
		return err
	}
	switch {
	case f.Permanent:
		job.State = scan.Failed
	case job.Attempt >= Attempts:
		job.State = scan.Dead
	default:
		job.State = scan.Queued
	}
	job.Reason = f.Cause
	notBefore := t.now + delay.Microseconds()
	n, err := t.exec(`UPDATE scanner.scan_jobs SET status = $3, reason = $4, causes = $5, not_before_us = $6, updated_us = $7, progress = '' WHERE tenant_id = $1 AND job_id = $2`,
		t.tenant, job.ID, column(job.State), job.Reason, string(causes), notBefore, t.now)
	if err != nil || n == 0 {
		return err
	}
	if job.State == scan.Queued {
		return t.announce(jobMessage(job, fmt.Sprint(job.Attempt+1), notBefore))
	}
	if err := t.dropSecret(job.ID); err != nil {
		return err
	}
	return t.announce(scanEvent(event.ScanFailed, string(job.State), job))
}
