package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store/crashpoint"
)

// keepWatches is how long it is known that a tag could not be resolved, which nobody asks
// about any more.
const keepWatches = 90 * 24 * time.Hour

const runColumns = `id, schedule_id, cause, by_whom, window_us, state, attempt, selected, submitted, skipped, failed, problems, reason, created_us, updated_us, plan, term, image_ref, platform`

func readRun(row func(...any) error) (*schedule.Run, error) {
	r := new(schedule.Run)
	var problems, plan string
	var window, created, updated int64
	if err := row(&r.ID, &r.Schedule, &r.Cause, &r.By, &window, &r.State, &r.Attempt, &r.Selected, &r.Submitted, &r.Skipped, &r.Failed, &problems, &r.Reason, &created, &updated,
		&plan, &r.Term, &r.After.Image, &r.After.Platform); err != nil {
		return nil, err
	}
	r.Window, r.Created, r.Updated = micros(window), micros(created), micros(updated)
	if err := errors.Join(json.Unmarshal([]byte(problems), &r.Problems), json.Unmarshal([]byte(plan), &r.Plan)); err != nil {
		return nil, fmt.Errorf("run %s of schedule %s as it is kept: %v: %w", r.ID, r.Schedule, err, fault.Mismatch)
	}
	return r, nil
}

func (t *tx) run(lock, planID, runID string) (*schedule.Run, error) {
	r, err := readRun(func(into ...any) error {
		return t.get(`SELECT `+runColumns+` FROM scheduler.runs WHERE tenant_id = $1 AND schedule_id = $2 AND id = $3`+lock, []any{t.tenant, planID, runID}, into...)
	})
	if isNoRows(err) {
		return nil, fmt.Errorf("run %.80q of schedule %.80q: %w", runID, planID, fault.NotFound)
	}
	return r, err
}

// insertRun makes a run of a plan as it stands, unless it is there. The plan is locked.
func (t *tx) insertRun(p *schedule.Plan, r *schedule.Run) (made bool, err error) {
	as := *p
	as.Due = time.Time{}
	plan, err := json.Marshal(as, json.Deterministic(true))
	if err != nil {
		return false, err
	}
	n, err := t.exec(`INSERT INTO scheduler.runs (tenant_id, schedule_id, id, state, cause, by_whom, window_us, plan, not_before_us, created_us, updated_us)
		VALUES ($1, $2, $3, 'running', $4, $5, $6, $7, $8, $8, $8) ON CONFLICT (tenant_id, schedule_id, id) DO NOTHING`, t.tenant, p.ID, r.ID, r.Cause, r.By, r.Window.UnixMicro(), string(plan), t.now)
	return n == 1, err
}

// Run returns one run.
func (s *Schedules) Run(ctx context.Context, id, runID string) (r *schedule.Run, err error) {
	err = s.tenant.read(ctx, "read run", func(tx *tx) (err error) {
		r, err = tx.run("", clean(id), clean(runID))
		return err
	})
	return r, err
}

// Runs returns those of a plan, the newest first.
func (s *Schedules) Runs(ctx context.Context, id, after string, limit int) (out []schedule.Run, err error) {
	if limit, err = pageLimit(limit); err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	err = s.tenant.read(ctx, "list runs", func(tx *tx) error {
		out = out[:0]
		p, err := tx.plan("", clean(id))
		if err != nil {
			return err
		}
		before, last := int64(1)<<62, ""
		if after != "" {
			r, err := tx.run("", p.ID, clean(after))
			if errors.Is(err, fault.NotFound) {
				return badCursor(after)
			}
			if err != nil {
				return err
			}
			before, last = r.Created.UnixMicro(), r.ID
		}
		return tx.each(func(row func(...any) error) error {
			r, err := readRun(row)
			if err == nil {
				out = append(out, *r)
			}
			return err
		}, `SELECT `+runColumns+` FROM scheduler.runs WHERE tenant_id = $1 AND schedule_id = $2 AND (created_us < $3 OR created_us = $3 AND id < $4) ORDER BY created_us DESC, id DESC LIMIT $5`,
			tx.tenant, p.ID, before, last, limit)
	})
	return out, err
}

// Begin takes the run of a plan that is to go on, or makes that of the last window due.
func (s *Schedules) Begin(ctx context.Context, term int64, planID string) (run *schedule.Run, err error) {
	var refused error
	err = s.tenant.write(ctx, "begin run of "+planID, func(tx *tx) (err error) {
		if err := tx.guardTerm(schedule.LeaderName, term); err != nil {
			return err
		}
		run, refused, err = tx.beginRun(term, planID)
		crashpoint.Hit(crashpoint.ScheduleWritten)
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.ScheduleDone)
	return run, nil
}

// beginRun returns the run that goes on. What is refused is committed all the same.
func (t *tx) beginRun(term int64, planID string) (run *schedule.Run, refused, err error) {
	p, err := t.plan(forUpdate, planID)
	if errors.Is(err, fault.Mismatch) { // not each second again
		_, failed := t.exec(`UPDATE scheduler.schedules SET due_us = $3 WHERE tenant_id = $1 AND id = $2`, t.tenant, planID, t.now+time.Hour.Microseconds())
		return nil, err, failed
	}
	if err != nil {
		return nil, nil, err
	}
	if err := t.openWindow(p); err != nil {
		return nil, nil, err
	}
	for {
		var id string
		err := t.get(`SELECT id FROM scheduler.runs WHERE tenant_id = $1 AND schedule_id = $2 AND state = 'running' AND not_before_us <= $3 ORDER BY created_us, id LIMIT 1`, []any{t.tenant, p.ID, t.now}, &id)
		if isNoRows(err) {
			return nil, fmt.Errorf("schedule %s has no run that is due: %w", p.ID, fault.Conflict), t.redue(p.ID)
		}
		if err != nil {
			return nil, nil, err
		}
		r, err := t.run(forUpdate, p.ID, id)
		if err != nil {
			return nil, nil, err
		}
		r.Term, r.Attempt = term, r.Attempt+1
		if r.Attempt > schedule.RunAttempts { // whoever began it died with it each time
			r.State, r.Reason = schedule.RunFailed, fmt.Sprintf("%d attempts ended without a word, the last one in term %d", schedule.RunAttempts, r.Term)
		}
		if err := t.keepRun(r); err != nil {
			return nil, nil, err
		}
		if r.State == schedule.RunRunning {
			return r, nil, t.redue(p.ID)
		}
	}
}

// openWindow makes the run of the last window that is due, if there is one.
func (t *tx) openWindow(p *schedule.Plan) error {
	var next int64
	if err := t.get(`SELECT next_us FROM scheduler.schedules WHERE tenant_id = $1 AND id = $2`, []any{t.tenant, p.ID}, &next); err != nil || next == 0 || next > t.now {
		return err
	}
	window, err := p.LatestDue(t.tenant, micros(t.now))
	if err != nil {
		return err
	}
	if !window.IsZero() {
		if _, err := t.insertRun(p, &schedule.Run{ID: "window-" + strconv.FormatInt(window.Unix(), 10), Cause: schedule.CauseWindow, Window: window}); err != nil {
			return err
		}
	} else {
		window = micros(t.now)
	}
	_, due, err := p.NextDue(t.tenant, window)
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE scheduler.schedules SET next_us = $3 WHERE tenant_id = $1 AND id = $2`, t.tenant, p.ID, zeroOrMicros(due))
	return err
}

// keepRun writes what changes of a run.
func (t *tx) keepRun(r *schedule.Run) error {
	problems, err := json.Marshal(r.Problems, json.Deterministic(true))
	if err != nil {
		return err
	}
	notBefore := t.now + max(r.Wait, 0).Microseconds()
	_, err = t.exec(`UPDATE scheduler.runs SET state = $4, attempt = $5, term = $6, selected = $7, submitted = $8, skipped = $9, failed = $10, problems = $11, reason = $12, updated_us = $13,
		image_ref = $14, platform = $15, not_before_us = $16 WHERE tenant_id = $1 AND schedule_id = $2 AND id = $3`,
		t.tenant, r.Schedule, r.ID, string(r.State), r.Attempt, r.Term, r.Selected, r.Submitted, r.Skipped, r.Failed, clean(string(problems)), cut(r.Reason), t.now, r.After.Image, r.After.Platform, notBefore)
	return err
}

// Advance keeps how far a run is, and what came of resolving tags.
func (s *Schedules) Advance(ctx context.Context, r *schedule.Run, marks []schedule.Mark) error {
	if len(r.Problems) > schedule.MaxProblems || len(marks) > schedule.MaxTargets {
		return &fault.LimitError{What: "problems or marks", Where: "run " + r.ID, Max: schedule.MaxTargets, Seen: int64(max(len(r.Problems), len(marks)))}
	}
	advance := func() error {
		return s.tenant.write(ctx, "advance run "+r.ID, func(tx *tx) error {
			if err := tx.guardTerm(schedule.LeaderName, r.Term); err != nil {
				return err
			}
			return tx.advanceRun(r, marks)
		})
	}
	err := advance()
	if errors.Is(err, errUnknown) {
		err = advance() // the same again, or it has ended as it says
	}
	return err
}

func (t *tx) advanceRun(r *schedule.Run, marks []schedule.Mark) error {
	if _, err := t.plan(forUpdate, r.Schedule); err != nil {
		return err
	}
	kept, err := t.run(forUpdate, r.Schedule, r.ID)
	if err != nil {
		return err
	}
	if kept.State != schedule.RunRunning {
		if kept.State == r.State && kept.Term == r.Term {
			return nil
		}
		return fmt.Errorf("run %s of schedule %s is %s: %w", r.ID, r.Schedule, kept.State, fault.Fenced)
	}
	if err := t.keepRun(r); err != nil {
		return err
	}
	for _, m := range marks {
		if err := t.mark(&m); err != nil {
			return err
		}
	}
	if r.State != schedule.RunRunning {
		if _, err := t.exec(`DELETE FROM scheduler.runs WHERE tenant_id = $1 AND schedule_id = $2 AND state <> 'running' AND id IN (
			SELECT id FROM scheduler.runs WHERE tenant_id = $1 AND schedule_id = $2 AND state <> 'running' ORDER BY created_us DESC, id DESC LIMIT 100 OFFSET $3)`, t.tenant, r.Schedule, schedule.RunsKept); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM scheduler.watches WHERE tenant_id = $1 AND updated_us < $2`, t.tenant, t.now-keepWatches.Microseconds()); err != nil {
			return err
		}
	}
	return t.redue(r.Schedule)
}

// mark notes what came of resolving a tag.
func (t *tx) mark(m *schedule.Mark) error {
	if m.Failures <= 0 {
		_, err := t.exec(`DELETE FROM scheduler.watches WHERE tenant_id = $1 AND image_ref = $2 AND platform = $3`, t.tenant, m.Image, m.Platform)
		return err
	}
	_, err := t.exec(`INSERT INTO scheduler.watches (tenant_id, image_ref, platform, failures, not_before_us, reason, updated_us) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant_id, image_ref, platform) DO UPDATE SET failures = excluded.failures, not_before_us = excluded.not_before_us, reason = excluded.reason, updated_us = excluded.updated_us`,
		t.tenant, m.Image, m.Platform, m.Failures, t.now+max(m.Wait, 0).Microseconds(), cutTo(m.Reason, schedule.MaxProblem), t.now)
	return err
}

// Targets returns a page of what is selected.
func (s *Schedules) Targets(ctx context.Context, sel *schedule.Selection, after schedule.Cursor, limit int) (*schedule.Targets, error) {
	if limit < 1 || limit > schedule.MaxTargets {
		return nil, fmt.Errorf("select images: limit %d: want 1 to %d: %w", limit, schedule.MaxTargets, fault.Invalid)
	}
	var out *schedule.Targets
	err := s.tenant.read(ctx, "select images", func(tx *tx) error {
		out = new(schedule.Targets)
		if err := tx.get(`SELECT number FROM vuln.current_head WHERE id = 1`, nil, &out.Head); err != nil {
			return err
		}
		for range limit {
			t, labels, err := tx.target(after)
			if isNoRows(err) {
				return nil
			}
			if err != nil {
				return err
			}
			after = schedule.Cursor{Image: t.Request.Image, Platform: t.Request.Platform}
			if sel.Match(t.Request.Image, labels) {
				out.List = append(out.List, *t)
			}
		}
		out.Next = &after
		return nil
	})
	return out, err
}

// target reads the newest completed scan of the next image: one look into the index.
func (t *tx) target(after schedule.Cursor) (*schedule.Target, map[string]string, error) {
	out := new(schedule.Target)
	var image, platform string
	var manifest []byte
	var notBefore int64
	if err := t.get(`SELECT j.job_id, j.image_ref, j.platform, j.manifest,
			(SELECT coalesce(max(r.head), 0) FROM scanner.reports r WHERE r.tenant_id = j.tenant_id AND r.scan_id = j.job_id),
			(SELECT CASE WHEN EXISTS (SELECT 1 FROM scanner.scan_jobs a WHERE a.tenant_id = j.tenant_id AND a.image_ref = j.image_ref AND a.platform = j.platform AND a.created_us >= j.created_us
				AND a.status IN ('pending', 'running', 'evaluating')) THEN 1 ELSE 0 END),
			coalesce((SELECT w.failures FROM scheduler.watches w WHERE w.tenant_id = j.tenant_id AND w.image_ref = j.image_ref AND w.platform = j.platform), 0),
			coalesce((SELECT w.not_before_us FROM scheduler.watches w WHERE w.tenant_id = j.tenant_id AND w.image_ref = j.image_ref AND w.platform = j.platform), 0)
		FROM scanner.scan_jobs j WHERE j.tenant_id = $1 AND (j.image_ref, j.platform) > ($2, $3) AND j.status = 'completed'
		ORDER BY j.tenant_id, j.image_ref, j.platform, j.created_us DESC, j.job_id DESC LIMIT 1`,
		[]any{t.tenant, after.Image, after.Platform}, &out.ScanID, &image, &platform, &manifest, &out.Head, &out.Active, &out.Failures, &notBefore); err != nil {
		return nil, nil, err
	}
	m, err := scan.DecodeManifest(manifest)
	if err != nil {
		return nil, nil, fmt.Errorf("manifest of %s: %w", out.ScanID, err)
	}
	out.Request = scan.Request{Image: image, Platform: platform, Formats: m.Formats, StoreLayers: m.StoreLayers, Labels: m.Labels, Owner: m.Owner, PlainHTTP: m.PlainHTTP}
	out.Fixed, out.Resolved, out.Waits = m.SBOM != nil || m.Credential, m.Resolved, notBefore > t.now
	return out, m.Labels, nil
}
