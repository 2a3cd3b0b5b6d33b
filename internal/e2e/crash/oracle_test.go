package crash

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/store"
)

// oracle reads the tables as they are.
type oracle struct {
	t *testing.T
	*pair
	bucket string // folder
}

// rows runs a query as a role of PostgreSQL, for a tenant. SQLite has no roles;
// its tables are named with an underscore.
func (p *pair) rows(ctx context.Context, role, tenant string, row func(*sql.Rows) error, query string, args ...any) error {
	if p.postgres == nil {
		query = strings.NewReplacer("scanner.", "scanner_", "transport.", "transport_", "attest.", "attest_", "notify.", "notify_", "timeline.", "timeline_").Replace(query)
	}
	tx, err := p.look.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if p.postgres != nil {
		if _, err := tx.ExecContext(ctx, "SELECT set_config('role', $1, true), set_config('app.tenant', $2, true)", role, tenant); err != nil {
			return err
		}
	}
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (p *pair) count(ctx context.Context, role, tenant, query string, args ...any) (n int, err error) {
	err = p.rows(ctx, role, tenant, func(r *sql.Rows) error { return r.Scan(&n) }, query, args...)
	return n, err
}

// undoneJobs counts jobs that began before a time, in microseconds, and have not
// ended.
func (p *pair) undoneJobs(ctx context.Context, before int64) (n int, err error) {
	for _, tenant := range tenants {
		some, err := p.count(ctx, "stella_app", tenant, `SELECT count(*) FROM scanner.scan_jobs WHERE tenant_id = $1 AND created_us <= $2 AND status IN ('pending', 'running', 'evaluating')`, tenant, before)
		if err != nil {
			return 0, err
		}
		n += some
	}
	return n, nil
}

// undoneEvents counts events that lack the reader's effect.
func (p *pair) undoneEvents(ctx context.Context, before int64) (int, error) {
	return p.count(ctx, "stella_relay", "", `SELECT count(*) FROM transport.outbox o WHERE o.topic = 'scanner:events' AND o.created_us <= $1
		AND NOT EXISTS (SELECT 1 FROM scanner.crash_effects e WHERE e.tenant_id = o.tenant_id AND e.event_id = o.event_id)`, before)
}

// undone is something that is to be done in the end, and counts what is not that began
// before a time, in microseconds.
type undone struct {
	what  string
	count func(ctx context.Context, before int64) (int, error)
}

// drained waits until every job that began before now has ended, and everything
// that was announced until then had its effect. It returns how long that took.
func (p *pair) drained(ctx context.Context, limit time.Duration) (time.Duration, error) {
	began := time.Now()
	list := []undone{{"jobs", p.undoneJobs}, {"events", p.undoneEvents}, {"exports", p.undoneExports}}
	if p.undone != nil {
		list = p.undone
	}
	for _, u := range list {
		until := time.Now().UnixMicro()
		for {
			n, err := u.count(ctx, until)
			if err == nil && n == 0 {
				break
			}
			if took := time.Since(began); took > limit {
				return took, fmt.Errorf("after %v, %d %s are not done: %v", limit, n, u.what, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	return time.Since(began), nil
}

// job is a row of scanner.scan_jobs.
type job struct {
	id, image, status, reason, sbom, verdict string
	epoch                                    int64
}

// check compares tables and bucket with the journal.
func (o *oracle) check(ctx context.Context, j *journal) (completed, cancelled int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	jobs := map[string]job{} // by id
	byImage := map[string]string{}
	for _, tenant := range tenants {
		o.query("stella_app", tenant, func(r *sql.Rows) error {
			var b job
			err := r.Scan(&b.id, &b.image, &b.status, &b.reason, &b.sbom, &b.verdict, &b.epoch)
			if other := byImage[b.image]; other != "" {
				o.t.Errorf("%s was submitted once and is two jobs: %s and %s", b.image, other, b.id)
			}
			jobs[b.id], byImage[b.image] = b, b.id
			return err
		}, `SELECT job_id, image_ref, status, reason, sbom_digest, verdict, lease_epoch FROM scanner.scan_jobs WHERE tenant_id = $1`, tenant)
	}
	for _, d := range j.doubled {
		o.t.Errorf("a key was answered with two jobs: %s", d)
	}
	for n := range j.tried + 1 {
		id, want := byImage[reference(n)], j.acked[n]
		if want != "" && id != want {
			o.t.Errorf("submission %d was acknowledged as %s; the store has %q: lost", n, want, id)
		}
	}
	dead := 0
	for id, b := range jobs {
		switch {
		case b.status == "completed":
			completed++
		case b.status == "cancelled" && strings.Contains(b.reason, "no longer wanted"):
			cancelled++
		case b.status == "dead" && b.epoch == store.Attempts && strings.Contains(b.reason, "without a sign of life"):
			o.t.Logf("job %s was given up: each of its %d attempts was killed or stopped: %s", id, b.epoch, b.reason)
			if dead++; dead*50 > len(jobs) {
				o.t.Errorf("%d of %d jobs were given up", dead, len(jobs))
			}
		default:
			o.t.Errorf("job %s of %s ended as %s: %s", id, b.image, b.status, b.reason)
		}
	}
	o.checkEffects(jobs)
	o.checkWrites(jobs, j)
	o.checkDocuments(jobs)
	o.checkRest(jobs)
	return completed, cancelled
}

func (o *oracle) query(role, tenant string, row func(*sql.Rows) error, query string, args ...any) {
	o.t.Helper()
	if err := o.rows(o.t.Context(), role, tenant, row, query, args...); err != nil {
		o.t.Error(err)
	}
}

// checkEffects wants each event of each job once, and none of anybody else.
func (o *oracle) checkEffects(jobs map[string]job) {
	count := map[string]int{}
	o.query("stella_app", "", func(r *sql.Rows) error {
		var tenant, id, kind, jobID string
		err := r.Scan(&tenant, &id, &kind, &jobID)
		if _, known := jobs[jobID]; !known {
			o.t.Errorf("an effect of %s of tenant %s, which is no job", id, tenant)
		}
		if count[id]++; count[id] == 2 {
			o.t.Errorf("the effect of %s happened twice", id)
		}
		return err
	}, `SELECT tenant_id, event_id, type, job_id FROM scanner.crash_effects`)
	want := map[string]bool{}
	for id, b := range jobs {
		want[id+"/queued"] = true
		want[id+"/"+b.status] = true
		if b.sbom != "" {
			want[id+"/sbom"] = true
		}
		for e := int64(1); e <= b.epoch; e++ {
			want[fmt.Sprintf("%s/started/%d", id, e)] = true
		}
	}
	for id := range want {
		if count[id] == 0 {
			o.t.Errorf("%s has no effect", id)
		}
	}
	for id := range count {
		if !want[id] {
			o.t.Errorf("%s has an effect and should not have happened", id)
		}
	}
	o.query("stella_relay", "", func(r *sql.Rows) error {
		var tenant string
		err := r.Scan(&tenant)
		if !strings.Contains(" "+strings.Join(tenants, " ")+" ", " "+tenant+" ") {
			o.t.Errorf("rows of tenant %q, which nobody is", tenant)
		}
		return err
	}, `SELECT DISTINCT tenant_id FROM transport.outbox UNION SELECT DISTINCT tenant_id FROM transport.inbox UNION SELECT DISTINCT tenant_id FROM scanner.scan_jobs`)
}

// checkWrites wants results from the last holder of each job alone.
func (o *oracle) checkWrites(jobs map[string]job, j *journal) {
	for _, w := range j.accepted {
		b := jobs[w.job]
		if w.what == "complete" && w.epoch != b.epoch {
			o.t.Errorf("stale write: results of epoch %d were accepted for %s, which is %s with epoch %d", w.epoch, w.job, b.status, b.epoch)
		}
		if w.what == "fail" && w.epoch == b.epoch && b.status == "completed" {
			o.t.Errorf("stale write: a failure of epoch %d was accepted for %s, which completed in it", w.epoch, w.job)
		}
	}
}

// checkDocuments wants every document of every job under its digest and under
// its name, with the bytes that the tables have.
func (o *oracle) checkDocuments(jobs map[string]job) {
	found := map[string]int{}
	for _, tenant := range tenants {
		o.query("stella_app", tenant, func(r *sql.Rows) error {
			var id, name, digest string
			var content []byte
			if err := r.Scan(&id, &name, &digest, &content); err != nil {
				return err
			}
			found[id]++
			sum := strings.TrimPrefix(digest, "sha256:")
			for _, file := range []string{filepath.Join("sha256", sum[:2], sum), filepath.Join(id, name)} {
				b, err := os.ReadFile(filepath.Join(o.bucket, tenant, file))
				if err != nil {
					o.t.Errorf("job %s: %v", id, err)
				} else if got := sha256.Sum256(b); hex.EncodeToString(got[:]) != sum || string(b) != string(content) {
					o.t.Errorf("job %s: %s is not what was written", id, file)
				}
			}
			return nil
		}, `SELECT scan_id, name, digest, content FROM scanner.sbom_documents WHERE tenant_id = $1`, tenant)
	}
	for id, b := range jobs {
		want := 0
		if b.sbom != "" {
			want = 2
		}
		if found[id] != want {
			o.t.Errorf("job %s, which is %s, has %d documents, want %d", id, b.status, found[id], want)
		}
	}
}

// checkRest wants one verdict and one signature for each completed job, one
// report, and nothing that waits.
func (o *oracle) checkRest(jobs map[string]job) {
	signed, reports := map[string]int{}, map[string]int{}
	for _, tenant := range tenants {
		o.query("stella_app", tenant, func(r *sql.Rows) error {
			var digest string
			err := r.Scan(&digest)
			signed[digest]++
			return err
		}, `SELECT s.payload_digest FROM scanner.signatures s JOIN scanner.verdicts v ON v.tenant_id = s.tenant_id AND v.digest = s.payload_digest WHERE s.tenant_id = $1`, tenant)
		o.query("stella_app", tenant, func(r *sql.Rows) error {
			var id string
			err := r.Scan(&id)
			reports[id]++
			return err
		}, `SELECT scan_id FROM scanner.reports WHERE tenant_id = $1`, tenant)
	}
	for id, b := range jobs {
		if b.status == "completed" && (signed[b.verdict] != 1 && !o.proof || reports[id] != 1) { // proofs are looked at elsewhere
			o.t.Errorf("job %s completed with %d signatures and %d reports, want one each", id, signed[b.verdict], reports[id])
		}
	}
	// What is published again without need may still be on its way.
	if n, err := o.count(o.t.Context(), "stella_relay", "", `SELECT count(*) FROM transport.outbox WHERE state = 0 AND publishes = 0`); err != nil || n > 0 {
		o.t.Errorf("%d outbox rows were not published: %v", n, err)
	}
}
