package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
)

// Scans are the scans of one tenant. It is a scan.Store, scan.Jobs and
// scan.Evaluations, and safe for concurrent use.
type Scans struct {
	tenant  *Tenant
	options ScansOptions
}

var (
	_ scan.Store       = (*Scans)(nil)
	_ scan.Jobs        = (*Scans)(nil)
	_ scan.Evaluations = (*Scans)(nil)
)

// column and state are the two names of one thing.
func column(s scan.State) string {
	if s == scan.Queued {
		return "pending"
	}
	return string(s)
}

func state(column string) scan.State {
	if column == "pending" {
		return scan.Queued
	}
	return scan.State(column)
}

const jobColumns = `job_id, status, image_ref, platform, owner, priority, attempt, reason, causes, created_us, updated_us,
	image_digest, sbom_digest, package_count, finding_count, gap_count, blocked, snapshot, evaluated_us, outcome, verdict, unsigned, progress`

// readJob reads jobColumns and what else is asked for after them.
func readJob(tenant string, scanRow func(...any) error, more ...any) (*scan.Job, error) {
	j := &scan.Job{Tenant: tenant}
	s := new(scan.Summary)
	var status, causes, progress string
	var created, updated, evaluated int64
	into := append([]any{&j.ID, &status, &j.Image, &j.Platform, &j.Owner, &j.Priority, &j.Attempt, &j.Reason, &causes, &created, &updated,
		&s.ImageDigest, &s.SBOMDigest, &s.Packages, &s.Findings, &s.Gaps, &s.Blocked, &s.Snapshot, &evaluated, &s.Outcome, &s.Verdict, &s.Unsigned, &progress}, more...)
	if err := scanRow(into...); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(causes), &j.Causes); err != nil {
		return nil, fmt.Errorf("causes of %s: %w", j.ID, err)
	}
	j.State, j.Created, j.Updated = state(status), micros(created), micros(updated)
	if s.SBOMDigest != "" {
		s.At = micros(evaluated)
		j.Summary = s
	}
	if progress != "" && j.State == scan.Running {
		if err := json.Unmarshal([]byte(progress), &j.Progress); err != nil {
			return nil, fmt.Errorf("progress of %s: %w", j.ID, err)
		}
	}
	return j, nil
}

func micros(us int64) time.Time { return time.UnixMicro(us).UTC() }

// job reads one job, and the columns of more into into.
func (t *tx) job(id, more string, into ...any) (*scan.Job, error) {
	return t.jobFor("", id, more, into...)
}

// The locks that a job may be read for.
const (
	forUpdate  = " FOR UPDATE"
	skipLocked = " FOR UPDATE SKIP LOCKED" // one that somebody works on is not found
)

func (t *tx) jobFor(lock, id, more string, into ...any) (*scan.Job, error) {
	j, err := readJob(t.tenant, func(dest ...any) error {
		return t.get(`SELECT `+jobColumns+more+` FROM scanner.scan_jobs WHERE tenant_id = $1 AND job_id = $2`+lock, []any{t.tenant, id}, dest...)
	}, into...)
	if isNoRows(err) {
		return nil, fmt.Errorf("scan job %.80q: %w", id, fault.NotFound)
	}
	return j, err
}

// Job returns one job.
func (s *Scans) Job(ctx context.Context, id string) (*scan.Job, error) {
	var j *scan.Job
	err := s.tenant.read(ctx, "read scan job", func(tx *tx) error {
		var err error
		j, err = tx.job(id, "")
		return err
	})
	return j, err
}

// Manifest returns the canonical JSON of the job's manifest.
func (s *Scans) Manifest(ctx context.Context, id string) ([]byte, error) {
	var b []byte
	err := s.tenant.read(ctx, "read scan manifest", func(tx *tx) error {
		_, err := tx.job(id, ", manifest", &b)
		return err
	})
	return b, err
}

// Documents returns what is kept of a job's documents, sorted by format.
func (s *Scans) Documents(ctx context.Context, id string) ([]scan.Stored, error) {
	var out []scan.Stored
	err := s.tenant.read(ctx, "read documents", func(tx *tx) error {
		if _, err := tx.job(id, ""); err != nil {
			return err
		}
		var err error
		out, err = tx.documents(id)
		return err
	})
	return out, err
}

func (t *tx) documents(id string) ([]scan.Stored, error) {
	var out []scan.Stored
	err := t.each(func(row func(...any) error) error {
		var d scan.Stored
		err := row(&d.Format, &d.MediaType, &d.Name, &d.Ref.Digest, &d.Ref.Size, &d.Ref.Chunks, &d.Content)
		out = append(out, d)
		return err
	}, `SELECT format, media_type, name, digest, size, chunks, content FROM scanner.sbom_documents WHERE tenant_id = $1 AND scan_id = $2 ORDER BY format`, t.tenant, id)
	for i := range out {
		if len(out[i].Ref.Chunks) == 0 {
			out[i].Ref.Chunks = nil
		}
	}
	return out, err
}

// Findings returns the newest report about a job: the one with the newest head,
// and of those without any the last. An error wraps ErrNotFound where nothing was
// matched.
func (s *Scans) Findings(ctx context.Context, id string) (r *finding.Report, err error) {
	err = s.tenant.read(ctx, "read findings", func(tx *tx) error {
		if _, err := tx.job(id, ""); err != nil {
			return err
		}
		r, _, err = tx.report(id, `head DESC, evaluated_us DESC`)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// report returns the first report about a scan by an order, and its head.
func (t *tx) report(id, order string) (*finding.Report, int64, error) {
	r := &finding.Report{Findings: []finding.Finding{}}
	var key, head int64
	var gaps string
	err := t.get(`SELECT evaluated_us, head, snapshot, gaps FROM scanner.reports WHERE tenant_id = $1 AND scan_id = $2 ORDER BY `+order+` LIMIT 1`,
		[]any{t.tenant, id}, &key, &head, &r.Snapshot, &gaps)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, fmt.Errorf("scan job %s was not matched with advisories: %w", id, fault.NotFound)
	}
	if err == nil {
		err = json.Unmarshal([]byte(gaps), &r.Gaps)
	}
	if err != nil {
		return nil, 0, err
	}
	err = t.each(func(row func(...any) error) error {
		var text string
		if err := row(&text); err != nil {
			return err
		}
		var f finding.Finding
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			return err
		}
		r.Findings = append(r.Findings, f)
		return nil
	}, `SELECT finding FROM scanner.vulnerabilities WHERE tenant_id = $1 AND scan_id = $2 AND evaluated_us = $3 ORDER BY n`, t.tenant, id, key)
	return r, head, err
}

// scanEvent is an event about a job on scanner:events.
func scanEvent(t event.Type, suffix string, j *scan.Job) announcement {
	data := event.Scan{JobID: j.ID, Status: string(j.State), ImageRef: j.Image, Owner: j.Owner, Reason: j.Reason}
	if s := j.Summary; s != nil {
		data.Digest, data.SBOM, data.Packages, data.Findings = s.ImageDigest, s.SBOMDigest, s.Packages, s.Findings
		data.Snapshot, data.Verdict, data.Outcome, data.Unsigned = s.Snapshot, s.Verdict, s.Outcome, s.Unsigned
	}
	return announcement{topic: event.ScannerEvents, event: event.Event{ID: j.ID + "/" + suffix, Type: t, Source: "scanner", Data: data.Encode()}}
}

// jobMessage tells workers of a job. round makes it another message than those
// before.
func jobMessage(j *scan.Job, round string, notBefore int64) announcement {
	data := event.Scan{JobID: j.ID, Status: string(scan.Queued), ImageRef: j.Image}
	return announcement{topic: event.ScannerJobs, priority: j.Priority, notBefore: notBefore,
		event: event.Event{ID: j.ID + "/job/" + round, Type: event.ScanJob, Source: "scanner", Data: data.Encode()}}
}

// refTo notes that a scan, or something else that has a name like no scan, refers to an
// object, and keeps it from being collected.
func (t *tx) refTo(ref blob.Ref, scanID string) error {
	_, err := t.exec(`INSERT INTO scanner.blobs (tenant_id, digest, size, chunks) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, digest) DO NOTHING`,
		t.tenant, ref.Digest, ref.Size, present(ref.Chunks))
	if err != nil {
		return err
	}
	// Many jobs refer to a layer at once: they share the lock, which keeps out
	// only who would condemn the object.
	var condemned int64
	err = t.get(`SELECT condemned_us FROM scanner.blobs WHERE tenant_id = $1 AND digest = $2 FOR SHARE`, []any{t.tenant, ref.Digest}, &condemned)
	if err != nil && !isNoRows(err) {
		return err
	}
	if condemned > 0 || err != nil { // a collection has just forgotten it, or will
		return fmt.Errorf("object %s is being deleted; put it again: %w", ref.Digest, fault.Conflict)
	}
	_, err = t.exec(`INSERT INTO scanner.blob_refs (tenant_id, digest, scan_id) VALUES ($1, $2, $3) ON CONFLICT (tenant_id, digest, scan_id) DO NOTHING`, t.tenant, ref.Digest, scanID)
	return err
}
