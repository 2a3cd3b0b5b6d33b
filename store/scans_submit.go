package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Submit stores a job with its manifest, its idempotency row and its events.
func (s *Scans) Submit(ctx context.Context, r scan.Request, key string) (*scan.Job, bool, error) {
	if err := r.Normalize(); err != nil {
		return nil, false, err
	}
	if s.options.Layers && r.SBOM == nil && r.Authorization == "" {
		r.StoreLayers = true
	}
	if len(key) > scan.MaxKey {
		return nil, false, fmt.Errorf("submit scan: idempotency key of %d bytes, at most %d: %w", len(key), scan.MaxKey, fault.Invalid)
	}
	hash, err := r.Hash()
	if err != nil {
		return nil, false, err
	}
	id := "scan-" + strings.ToLower(rand.Text())
	var job *scan.Job
	crashpoint.Hit(crashpoint.SubmitBegin)
	err = s.tenant.write(ctx, "submit scan", func(tx *tx) error {
		var err error
		job, err = tx.submit(id, r, key, hash, &s.options)
		return err
	})
	if errors.Is(err, errUnknown) {
		// The job is there if and only if the commit happened.
		if known, readErr := s.Job(context.WithoutCancel(ctx), id); readErr == nil {
			job, err = known, nil
		}
	}
	if err != nil {
		return nil, false, err
	}
	crashpoint.Hit(crashpoint.SubmitCommitted)
	return job, job.ID != id, nil
}

func (t *tx) submit(id string, r scan.Request, key, hash string, o *ScansOptions) (*scan.Job, error) {
	if key != "" {
		n, err := t.exec(`INSERT INTO scanner.scan_keys (tenant_id, key, request_hash, job_id, created_us) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (tenant_id, key) DO NOTHING`, t.tenant, key, hash, id, t.now)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return t.submitted(key, hash)
		}
	}
	crashpoint.Hit(crashpoint.SubmitKey)
	if err := t.admit(o.Quota); err != nil {
		return nil, err
	}
	m := scan.Manifest{JobID: id, Reference: r.Image, Platform: r.Platform, Formats: r.Formats, StoreLayers: r.StoreLayers, Owner: r.Owner, Labels: r.Labels,
		PlainHTTP: r.PlainHTTP, Credential: r.Authorization != ""}
	if r.SBOM != nil {
		m.Reference, m.Name, m.SBOM = scan.SBOMScheme+r.SBOM.Digest, r.Image, r.SBOM
	}
	manifest, err := m.Encode()
	if err != nil {
		return nil, err
	}
	_, err = t.exec(`INSERT INTO scanner.scan_jobs (tenant_id, job_id, image_ref, platform, owner, status, priority, manifest, created_us, updated_us)
		VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $8, $8)`, t.tenant, id, r.Image, r.Platform, r.Owner, *r.Priority, manifest, t.now)
	if err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.SubmitJob)
	if err := t.keepBeside(id, &r, o); err != nil {
		return nil, err
	}
	j := &scan.Job{ID: id, Tenant: t.tenant, State: scan.Queued, Image: r.Image, Platform: r.Platform, Owner: r.Owner, Priority: *r.Priority,
		Created: micros(t.now), Updated: micros(t.now)}
	if err := t.announce(scanEvent(event.ScanQueued, "queued", j)); err != nil {
		return nil, err
	}
	if err := t.announce(jobMessage(j, "1", 0)); err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.SubmitEvent)
	return j, nil
}

// keepBeside keeps what comes with a request beside the job.
func (t *tx) keepBeside(id string, r *scan.Request, o *ScansOptions) error {
	if err := t.keepSecret(id, r.Authorization, o); err != nil {
		return err
	}
	if r.SBOM != nil {
		if err := t.refTo(r.SBOM.Ref(), id); err != nil { // it is there as long as the job is
			return err
		}
	}
	return t.keepProject(id, r.Project)
}

// submitted returns the job that a key was used for before.
func (t *tx) submitted(key, hash string) (*scan.Job, error) {
	var before, id string
	if err := t.get(`SELECT request_hash, job_id FROM scanner.scan_keys WHERE tenant_id = $1 AND key = $2`, []any{t.tenant, key}, &before, &id); err != nil {
		return nil, err
	}
	if before != hash {
		return nil, fmt.Errorf("idempotency key %.80q was used for another request, which is job %s: %w", key, id, fault.Conflict)
	}
	return t.job(id, "")
}

// Cancel ends a job.
func (s *Scans) Cancel(ctx context.Context, id, reason string) (*scan.Job, error) {
	var job *scan.Job
	err := s.tenant.write(ctx, "cancel scan", func(tx *tx) error {
		n, err := tx.exec(`UPDATE scanner.scan_jobs SET status = 'cancelled', reason = $3, updated_us = $4, progress = ''
			WHERE tenant_id = $1 AND job_id = $2 AND status IN ('pending', 'running', 'evaluating')`, tx.tenant, id, cut(reason), tx.now)
		if err != nil {
			return err
		}
		if job, err = tx.job(id, ""); err != nil {
			return err
		}
		if n == 0 && job.State != scan.Cancelled {
			return fmt.Errorf("scan job %s is %s and cannot be cancelled: %w", id, job.State, fault.Conflict)
		}
		if n == 0 {
			return nil
		}
		if err := tx.forget(id); err != nil {
			return err
		}
		if err := tx.dropSecret(id); err != nil {
			return err
		}
		return tx.announce(scanEvent(event.ScanCancelled, "cancelled", job))
	})
	if err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.CancelCommitted)
	return job, nil
}

// forget settles the messages of a job that nobody needs to claim any more.
func (t *tx) forget(id string) error {
	_, err := t.exec(`UPDATE transport.outbox SET state = 2 WHERE tenant_id = $1 AND topic = $2 AND state < 2 AND event_id LIKE $3`,
		t.tenant, event.ScannerJobs, id+"/job/%")
	return err
}

// cut bounds what people and errors have to say.
func cut(s string) string { return cutTo(s, scan.MaxReason) }

func cutTo(s string, most int) string {
	s = clean(s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most-3], "") + "…"
	}
	return s
}
