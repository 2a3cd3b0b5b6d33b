package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// Retention says how long rows are kept after they were last needed. Zero fields
// mean the defaults; a negative one means for ever.
type Retention struct {
	Scans  time.Duration // ended jobs with their documents and findings. Default: 90 days
	Keys   time.Duration // idempotency keys. Default: 24 h
	Events time.Duration // outbox rows that every group consumed, and inbox rows. Default: 7 days
	// Notices are deliveries that ended, with their attempts and what they told of. What
	// is open, or waits for somebody, stays. Default: 90 days
	Notices time.Duration
	// Samples are what held about all images, one an hour. Default: 400 days
	Samples time.Duration
	Batch   int // rows of a kind deleted in one transaction. Default: 500
	Run     int // documents of one package that are packed into one row of the index. Default: 2048
}

const day = 24 * time.Hour

// Removed counts what a collection deleted.
type Removed struct {
	Scans, Keys, Events, Inbox, Packages, Cached, Deliveries, Samples int64
}

// Collect deletes what the retention allows, in small transactions, until nothing
// is left to delete. Objects are another matter: they become free, and
// blob.Bucket.Collect removes them. It may run at any time, and several times at
// once.
func (r *Root) Collect(ctx context.Context, keep *Retention) (Removed, error) {
	var k Retention
	if keep != nil {
		k = *keep
	}
	k.Scans, k.Keys, k.Events, k.Batch = cmp.Or(k.Scans, 90*day), cmp.Or(k.Keys, day), cmp.Or(k.Events, 7*day), cmp.Or(k.Batch, 500)
	k.Notices, k.Samples = cmp.Or(k.Notices, 90*day), cmp.Or(k.Samples, 400*day)
	k.Run = max(cmp.Or(k.Run, 2048), 2)
	var done Removed
	tenants, err := r.tenants(ctx)
	if err != nil {
		return done, err
	}
	for _, name := range tenants {
		t := &Tenant{root: r, name: name}
		err := t.collect(ctx, k, &done)
		if err == nil {
			err = t.collectNotices(ctx, k, &done)
		}
		if err == nil {
			err = t.collectSamples(ctx, k, &done)
		}
		if err != nil {
			return done, fmt.Errorf("collect what tenant %s no longer needs: %w", name, err)
		}
	}
	return done, r.collectTransport(ctx, k, &done)
}

// tenants lists all that have jobs, settings of notifications, or policies.
func (r *Root) tenants(ctx context.Context) ([]string, error) {
	var out []string
	err := r.read(ctx, Scope{Role: RoleRelay}, "list tenants", func(tx *tx) error {
		out = out[:0]
		for _, table := range []string{"scanner.scan_jobs", "notify.revisions", "policy.locks"} {
			for last := ""; ; { // leaps over the index: a tenant may have very many jobs
				var next string
				err := tx.get(`SELECT tenant_id FROM `+table+` WHERE tenant_id > $1 ORDER BY tenant_id LIMIT 1`, []any{last}, &next)
				if isNoRows(err) {
					break
				}
				if err != nil {
					return err
				}
				out, last = append(out, next), next
			}
		}
		slices.Sort(out)
		out = slices.Compact(out)
		return nil
	})
	return out, err
}

// repeat runs a deletion until it finds less than a batch.
func repeat(batch int, total *int64, step func() (int64, error)) error {
	for {
		n, err := step()
		*total += n
		if err != nil || n < int64(batch) {
			return err
		}
	}
}

func (t *Tenant) collect(ctx context.Context, k Retention, done *Removed) error {
	if k.Scans > 0 {
		if err := repeat(k.Batch, &done.Scans, func() (int64, error) { return t.collectScans(ctx, k, done) }); err != nil {
			return err
		}
	}
	if err := t.pack(ctx, k.Run); err != nil {
		return err
	}
	if err := t.collectSecrets(ctx); err != nil {
		return err
	}
	if err := t.collectProgress(ctx, k); err != nil || k.Keys <= 0 {
		return err
	}
	return repeat(k.Batch, &done.Keys, func() (n int64, err error) {
		err = t.write(ctx, "delete idempotency keys", func(tx *tx) error {
			n, err = tx.exec(`DELETE FROM scanner.scan_keys WHERE tenant_id = $1 AND key IN (SELECT key FROM scanner.scan_keys WHERE tenant_id = $1 AND created_us < $2 LIMIT $3)`,
				tx.tenant, tx.now-k.Keys.Microseconds(), k.Batch)
			return err
		})
		return n, err
	})
}

// collectProgress deletes how far the tenant was with heads that are done. Should
// one be worked on again, what was announced stands with the scans.
func (t *Tenant) collectProgress(ctx context.Context, k Retention) error {
	if k.Events <= 0 {
		return nil
	}
	return t.write(ctx, "delete progress of drift", func(tx *tx) error {
		_, err := tx.exec(`DELETE FROM vuln.drift_progress WHERE tenant_id = $1 AND done > 0 AND at_us < $2`, tx.tenant, tx.now-k.Events.Microseconds())
		return err
	})
}

// collectScans deletes a batch of ended jobs with all that hangs on them.
func (t *Tenant) collectScans(ctx context.Context, k Retention, done *Removed) (n int64, err error) {
	err = t.write(ctx, "delete ended scans", func(tx *tx) error {
		if err := tx.lockIndex(); err != nil {
			return err
		}
		// Whoever adds a report to one of them waits, and finds that it is gone.
		ids, digests, err := tx.endedScans(k)
		if err != nil || len(ids) == 0 {
			return err
		}
		if ids, err = tx.withoutHeld(ids); err != nil {
			return err
		}
		list, err := json.Marshal(ids)
		if err != nil {
			return err
		}
		const chosen = oneOf
		proof, err := tx.lockProof(string(list))
		if err != nil {
			return err
		}
		for _, table := range []string{"scanner.sbom_documents", "scanner.reports", "scanner.vulnerabilities", "scanner.blob_refs", "scanner.projects", "vuln.drift", "scheduler.evaluations",
			"policy.decisions", "policy.current", "policy.watched", "policy.due"} {
			if _, err := tx.exec(`DELETE FROM `+table+` WHERE tenant_id = $1 AND scan_id`+chosen, tx.tenant, string(list)); err != nil {
				return err
			}
		}
		if n, err = tx.exec(`DELETE FROM scanner.scan_jobs WHERE tenant_id = $1 AND job_id`+chosen, tx.tenant, string(list)); err != nil {
			return err
		}
		if err := tx.collectProof(string(list), proof); err != nil {
			return err
		}
		if _, err := tx.exec(`DELETE FROM policy.verdicts WHERE tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM policy.decisions d WHERE d.tenant_id = $1 AND d.key = policy.verdicts.key)`, tx.tenant); err != nil {
			return err
		}
		// The index of an SBOM goes with the last scan that has it; so do verdicts.
		packages, err := tx.collectIndex(digests)
		done.Packages += packages
		if err != nil {
			return err
		}
		_, err = tx.exec(`DELETE FROM scanner.layer_archives WHERE tenant_id = $1 AND NOT EXISTS (
			SELECT 1 FROM scanner.blob_refs r WHERE r.tenant_id = $1 AND r.digest = scanner.layer_archives.digest)`, tx.tenant)
		if err != nil {
			return err
		}
		_, err = tx.exec(`DELETE FROM scanner.verdicts WHERE tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM scanner.scan_jobs j WHERE j.tenant_id = $1 AND j.verdict = scanner.verdicts.digest)`, tx.tenant)
		if err != nil {
			return err
		}
		_, err = tx.exec(`DELETE FROM scanner.signatures WHERE tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM scanner.verdicts v WHERE v.tenant_id = $1 AND v.digest = scanner.signatures.payload_digest)`, tx.tenant)
		return err
	})
	return n, err
}

// idRow is one element of the JSON parameter that rows are chosen by.
type idRow struct {
	ID string `json:"id"`
}

// endedScans locks a batch of ended jobs, the oldest first, and returns their ids
// and the digests of their documents.
func (t *tx) endedScans(k Retention) (ids, digests []idRow, err error) {
	err = t.each(func(row func(...any) error) error {
		var id, digest idRow
		err := row(&id.ID, &digest.ID)
		if ids = append(ids, id); digest.ID != "" {
			digests = append(digests, digest)
		}
		return err
	}, `SELECT job_id, sbom_digest FROM scanner.scan_jobs WHERE tenant_id = $1 AND status IN ('completed', 'failed', 'cancelled', 'dead') AND updated_us < $2 AND NOT `+onHold+`
		ORDER BY updated_us, job_id LIMIT $3 FOR UPDATE`, t.tenant, t.now-k.Scans.Microseconds(), k.Batch)
	return ids, digests, err
}

// lockIndex keeps completions of the tenant out: what they find in its index must
// stay until they end.
func (t *tx) lockIndex() error {
	var guard int64
	err := t.get(`SELECT guard FROM scanner.package_locks WHERE tenant_id = $1 FOR UPDATE`, []any{t.tenant}, &guard)
	if isNoRows(err) {
		return nil // nothing was ever indexed
	}
	return err
}

// collectTransport settles outbox rows that every group has consumed, and deletes
// what has been settled for long enough.
func (r *Root) collectTransport(ctx context.Context, k Retention, done *Removed) error {
	step := func(total *int64, what, statement string, args func(*tx) []any) error {
		return repeat(k.Batch, total, func() (n int64, err error) {
			err = r.write(ctx, Scope{Role: RoleRelay}, what, func(tx *tx) error {
				n, err = tx.exec(statement, args(tx)...)
				return err
			})
			return n, err
		})
	}
	// The state is asked for twice: whoever waits here for somebody who announces the event
	// again finds the row as it is then, and the list as it was.
	var settled int64
	err := step(&settled, "settle outbox rows", `UPDATE transport.outbox SET state = 2 WHERE state = 1 AND seq IN (
		SELECT o.seq FROM transport.outbox o WHERE o.state = 1 AND o.topic NOT IN `+ofJobs+` AND NOT `+unconsumed+` ORDER BY o.seq LIMIT $1)`,
		func(*tx) []any { return []any{k.Batch} })
	if err != nil {
		return err
	}
	if err := step(&done.Cached, "delete expired cache entries", `DELETE FROM transport.cache WHERE key IN (SELECT key FROM transport.cache WHERE expires_us <= $1 LIMIT $2)`,
		func(tx *tx) []any { return []any{tx.now, k.Batch} }); err != nil || k.Events <= 0 {
		return err
	}
	old := func(tx *tx) []any { return []any{tx.now - k.Events.Microseconds(), k.Batch} }
	if err := step(&done.Events, "delete settled outbox rows", `DELETE FROM transport.outbox WHERE state = 2 AND seq IN (SELECT seq FROM transport.outbox WHERE state = 2 AND created_us < $1 ORDER BY seq LIMIT $2)`, old); err != nil {
		return err
	}
	// An inbox row is needed as long as its event may come again.
	return step(&done.Inbox, "delete inbox rows", `DELETE FROM transport.inbox WHERE (tenant_id, group_name, event_id) IN (
		SELECT i.tenant_id, i.group_name, i.event_id FROM transport.inbox i WHERE i.at_us < $1
		AND NOT EXISTS (SELECT 1 FROM transport.outbox o WHERE o.tenant_id = i.tenant_id AND o.event_id = i.event_id) LIMIT $2)`, old)
}
