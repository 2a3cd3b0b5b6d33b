package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// standing is where a report stands in the succession of heads.
type standing struct {
	current int64 // the newest head, 0 for none; nobody commits another before this transaction ends
	matched int64 // the head that the report was made with, 0 where that is none
}

// standing shares the lock of the current head, which a new head takes alone, and
// says which head a snapshot is. It is the third lock of a completion: see
// docs/architecture.md. A scan is thus completed either before a head is
// committed, and then who looks for whom the head concerns sees it, or after, and
// then it sees the head.
func (t *tx) standing(snapshot string) (s standing, err error) {
	err = t.get(`SELECT number FROM vuln.current_head WHERE id = 1 FOR SHARE`, nil, &s.current)
	if err != nil || s.current == 0 || snapshot == "" {
		return s, err
	}
	// One snapshot may have been current more than once.
	err = t.get(`SELECT coalesce(max(number), 0) FROM vuln.heads WHERE digest = $1 AND number <= $2`, []any{snapshot, s.current}, &s.matched)
	return s, err
}

// catchUp schedules an evaluation of a scan that was matched with an older head
// than the current one.
func (t *tx) catchUp(id string, s standing) error {
	defer crashpoint.Hit(crashpoint.CompleteGate)
	if s.current == 0 || s.matched == s.current {
		return nil
	}
	return t.schedule([]schedule.Job{{ScanID: id, Head: s.current, Cause: schedule.CauseCompletion, Priority: scan.DefaultPriority}})
}

// jobRow is one element of the JSON parameter that evaluations are stored from.
type jobRow struct {
	Scan     string `json:"s"`
	Head     int64  `json:"h"`
	Cause    string `json:"c"`
	Priority int    `json:"p"`
}

// schedule stores the evaluations that are not there yet, with their messages. The
// evaluation time of each is when its head was committed.
func (t *tx) schedule(jobs []schedule.Job) error {
	if len(jobs) == 0 {
		return nil
	}
	rows := make([]jobRow, len(jobs))
	for i, j := range jobs {
		rows[i] = jobRow{j.ScanID, j.Head, j.Cause, min(max(j.Priority, scan.MinPriority), scan.MaxPriority)}
	}
	list, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	var fresh []schedule.Job
	err = t.each(func(row func(...any) error) error {
		var j schedule.Job
		err := row(&j.ScanID, &j.Head, &j.Priority)
		fresh = append(fresh, j)
		return err
	}, `INSERT INTO scheduler.evaluations (tenant_id, scan_id, head, cause, priority, at_us, created_us, updated_us)
		SELECT $1, j.job_id, h.number, q.value->>'c', CAST(q.value->>'p' AS BIGINT), h.at_us, CAST($2 AS BIGINT), CAST($2 AS BIGINT) FROM json_rows($3) AS q
		JOIN scanner.scan_jobs j ON j.tenant_id = $1 AND j.job_id = q.value->>'s' AND j.status IN ('running', 'evaluating', 'completed')
		JOIN vuln.heads h ON h.number = CAST(q.value->>'h' AS BIGINT)
		WHERE NOT EXISTS (SELECT 1 FROM scanner.reports r WHERE r.tenant_id = $1 AND r.scan_id = j.job_id AND r.head = h.number) ORDER BY j.job_id
		ON CONFLICT (tenant_id, scan_id, head) DO NOTHING RETURNING scan_id, head, priority`, t.tenant, t.now, string(list))
	if err != nil {
		return err
	}
	for _, j := range fresh {
		if err := t.announce(evaluationMessage(j.ScanID, j.Head, j.Priority, 1, 0)); err != nil {
			return err
		}
	}
	return nil
}

// evaluationMessage tells evaluators of a job. round makes it another message than
// those before.
func evaluationMessage(scanID string, head int64, priority, round int, notBefore int64) announcement {
	data := event.Evaluation{JobID: scanID, Head: head}
	return announcement{topic: event.SchedulerEvaluations, priority: priority, notBefore: notBefore,
		event: event.Event{ID: fmt.Sprintf("%s/evaluation/%d/%d", scanID, head, round), Type: event.EvaluationJob, Source: "scheduler", Data: data.Encode()}}
}

// Schedule is the scheduling of evaluations for all tenants. It is a
// schedule.Store, and safe for concurrent use.
type Schedule struct{ root *Root }

var _ schedule.Store = (*Schedule)(nil)

// Schedule returns what schedule.Scheduler reads and writes.
func (r *Root) Schedule() *Schedule { return &Schedule{r} }

// MaxJobs bounds the evaluations that are stored in one transaction.
const MaxJobs = 1000

// Schedule stores jobs of one tenant.
func (s *Schedule) Schedule(ctx context.Context, tenant, eventID string, jobs []schedule.Job) error {
	if len(jobs) > MaxJobs {
		return &fault.LimitError{What: "evaluations", Where: "schedule for " + tenant, Max: MaxJobs, Seen: int64(len(jobs))}
	}
	t, err := s.root.Tenant(tenant)
	if err != nil {
		return err
	}
	run := func() error {
		return t.write(ctx, "schedule evaluations", func(tx *tx) error {
			if eventID != "" {
				if done, err := tx.consume(event.GroupScheduler, eventID); err != nil || !done {
					return err
				}
			}
			err := tx.schedule(jobs)
			crashpoint.Hit(crashpoint.ScheduleWritten)
			return err
		})
	}
	if err = run(); errors.Is(err, errUnknown) {
		err = run() // what is stored already is recognised
	}
	if err == nil {
		crashpoint.Hit(crashpoint.ScheduleDone)
	}
	return err
}

// Unassessed returns scans that were completed before there was any head.
func (s *Schedule) Unassessed(ctx context.Context, after schedule.Job, limit int) ([]schedule.Job, error) {
	return readAll(ctx, s.root, Scope{Role: RoleIndex}, "look for scans without a head", func(row func(...any) error) (schedule.Job, error) {
		var j schedule.Job
		err := row(&j.Tenant, &j.ScanID)
		return j, err
	}, `SELECT tenant_id, job_id FROM scanner.scan_jobs WHERE head_at = 0 AND sbom_digest <> '' AND status IN ('evaluating', 'completed')
		AND (tenant_id > $1 OR tenant_id = $1 AND job_id > $2) ORDER BY tenant_id, job_id LIMIT $3`, after.Tenant, after.ScanID, limit)
}

// Consume notes that the scheduler has an event that belongs to no tenant.
func (s *Schedule) Consume(ctx context.Context, eventID string) error {
	_, err := s.root.Once(ctx, event.GroupScheduler, eventID, nothing)
	return err
}
