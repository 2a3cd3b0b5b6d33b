package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/schedule"
)

// Schedules are what one tenant has scheduled, and its runs. It is a schedule.Plans and a
// schedule.Progress, and safe for concurrent use.
type Schedules struct{ tenant *Tenant }

var (
	_ schedule.Plans    = (*Schedules)(nil)
	_ schedule.Progress = (*Schedules)(nil)
)

// Schedules returns what the tenant has scheduled.
func (t *Tenant) Schedules() *Schedules { return &Schedules{t} }

// SchedulesDue lists up to limit plans that somebody is to look after, of all tenants: those
// that have waited longest, by turns over tenants.
func (r *Root) SchedulesDue(ctx context.Context, limit int) ([]schedule.Due, error) {
	if limit < 1 || limit > dueLook {
		return nil, fmt.Errorf("look which plans are due: limit %d: want 1 to %d: %w", limit, dueLook, fault.Invalid)
	}
	var out []schedule.Due
	err := r.read(ctx, Scope{Role: RoleRelay}, "look which plans are due", func(tx *tx) error {
		out = out[:0]
		return tx.each(func(row func(...any) error) error {
			var d schedule.Due
			err := row(&d.Tenant, &d.ID)
			out = append(out, d)
			return err
		}, `SELECT tenant_id, id FROM (SELECT tenant_id, id, due_us, row_number() OVER (PARTITION BY tenant_id ORDER BY due_us, id) AS turn FROM (
				SELECT tenant_id, id, due_us FROM scheduler.schedules WHERE due_us > 0 AND due_us <= $1 ORDER BY due_us LIMIT $2) AS waiting) AS turns
			ORDER BY turn, due_us, tenant_id LIMIT $3`, tx.now, dueLook, limit)
	})
	return out, err
}

const planColumns = `id, version, body, by_whom, updated_us, due_us`

func readPlan(row func(...any) error) (*schedule.Plan, error) {
	var id, body, by string
	var version, updated, due int64
	if err := row(&id, &version, &body, &by, &updated, &due); err != nil {
		return nil, err
	}
	p := new(schedule.Plan)
	if err := json.Unmarshal([]byte(body), p); err != nil {
		return nil, fmt.Errorf("plan %s as it is kept: %v: %w", id, err, fault.Mismatch)
	}
	p.ID, p.Version, p.By, p.Updated, p.Due = id, version, by, micros(updated), microsOrZero(due)
	return p, nil
}

// plan reads one, with its lock.
func (t *tx) plan(lock, id string) (*schedule.Plan, error) {
	p, err := readPlan(func(into ...any) error {
		return t.get(`SELECT `+planColumns+` FROM scheduler.schedules WHERE tenant_id = $1 AND id = $2`+lock, []any{t.tenant, id}, into...)
	})
	if isNoRows(err) {
		return nil, fmt.Errorf("schedule %.80q: %w", id, fault.NotFound)
	}
	return p, err
}

// Plan returns one.
func (s *Schedules) Plan(ctx context.Context, id string) (p *schedule.Plan, err error) {
	err = s.tenant.read(ctx, "read schedule", func(tx *tx) (err error) {
		p, err = tx.plan("", clean(id))
		return err
	})
	return p, err
}

// List returns plans by id.
func (s *Schedules) List(ctx context.Context, after string, limit int) ([]schedule.Plan, error) {
	limit, err := pageLimit(limit)
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	return readAll(ctx, s.tenant.root, Scope{RoleTenant, s.tenant.name}, "list schedules", func(row func(...any) error) (schedule.Plan, error) {
		p, err := readPlan(row)
		if err != nil {
			return schedule.Plan{}, err
		}
		return *p, nil
	}, `SELECT `+planColumns+` FROM scheduler.schedules WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3`, s.tenant.name, clean(after), limit)
}

// Set keeps a plan in place of the one of that version.
func (s *Schedules) Set(ctx context.Context, p *schedule.Plan, version int64, by string) error {
	if err := p.Check(); err != nil {
		return err
	}
	kept := *p // without what a store sets
	kept.Version, kept.By, kept.Updated, kept.Due = 0, "", time.Time{}, time.Time{}
	body, err := json.Marshal(kept, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("set schedule %s: %v: %w", p.ID, err, fault.Invalid)
	}
	if len(body) > schedule.MaxPlan {
		return &fault.LimitError{What: "bytes of a plan", Where: "schedule " + p.ID, Max: schedule.MaxPlan, Seen: int64(len(body))}
	}
	var done *schedule.Plan
	again := false
	set := func() error {
		return s.tenant.write(ctx, "set schedule "+p.ID, func(tx *tx) (err error) {
			done, err = tx.setPlan(&kept, string(body), version, cut(by), again)
			return err
		})
	}
	if err = set(); errors.Is(err, errUnknown) {
		again = true
		err = set()
	}
	if err == nil {
		*p = *done
	}
	return err
}

// setPlan keeps a plan; again says that it may be kept already.
func (t *tx) setPlan(p *schedule.Plan, body string, version int64, by string, again bool) (*schedule.Plan, error) {
	_, due, err := p.NextDue(t.tenant, micros(t.now))
	if err != nil {
		return nil, err
	}
	next := zeroOrMicros(due)
	if version == 0 { // as a new one
		n := 0
		if err := t.get(`SELECT count(*) FROM scheduler.schedules WHERE tenant_id = $1`, []any{t.tenant}, &n); err != nil {
			return nil, err
		}
		if n >= schedule.MaxPlans {
			return nil, &fault.LimitError{What: "schedules", Where: "tenant " + t.tenant, Max: schedule.MaxPlans, Seen: int64(n + 1)}
		}
		// Numbers by the clock: what is deleted and made anew has none again.
		if n, err := t.exec(`INSERT INTO scheduler.schedules (tenant_id, id, version, body, by_whom, created_us, updated_us, next_us, due_us) VALUES ($1, $2, $3, $4, $5, $3, $3, $6, $6)
			ON CONFLICT (tenant_id, id) DO NOTHING`, t.tenant, p.ID, t.now, body, by, next); err != nil || n == 1 {
			if err != nil {
				return nil, err
			}
			return t.plan("", p.ID)
		}
	}
	before, err := t.plan(forUpdate, p.ID)
	if err != nil {
		return nil, err
	}
	if before.Version != version {
		if again && before.By == by {
			same := false
			if err := t.get(`SELECT CASE WHEN body = $3 THEN 1 ELSE 0 END FROM scheduler.schedules WHERE tenant_id = $1 AND id = $2`, []any{t.tenant, p.ID, body}, &same); err != nil || same {
				return before, err
			}
		}
		return nil, fmt.Errorf("schedule %s: version %d stands: %w", p.ID, before.Version, fault.Conflict)
	}
	if _, err := t.exec(`UPDATE scheduler.schedules SET version = $3, body = $4, by_whom = $5, updated_us = $6, next_us = $7 WHERE tenant_id = $1 AND id = $2`,
		t.tenant, p.ID, max(before.Version+1, t.now), body, by, t.now, next); err != nil {
		return nil, err
	}
	if err := t.redue(p.ID); err != nil {
		return nil, err
	}
	return t.plan("", p.ID)
}

// redue sets when somebody is to look after a plan: when its next window is due, or a run of
// it goes on. The plan is locked.
func (t *tx) redue(id string) error {
	_, err := t.exec(`UPDATE scheduler.schedules SET due_us = coalesce((SELECT min(at_us) FROM (
			SELECT next_us AS at_us FROM scheduler.schedules WHERE tenant_id = $1 AND id = $2 AND next_us > 0
			UNION ALL SELECT not_before_us FROM scheduler.runs WHERE tenant_id = $1 AND schedule_id = $2 AND state = 'running') AS waiting), 0)
		WHERE tenant_id = $1 AND id = $2`, t.tenant, id)
	return err
}

// Delete deletes a plan of that version.
func (s *Schedules) Delete(ctx context.Context, id string, version int64) error {
	return s.tenant.write(ctx, "delete schedule", func(tx *tx) error {
		p, err := tx.plan(forUpdate, clean(id))
		if err != nil {
			return err
		}
		if p.Version != version {
			return fmt.Errorf("schedule %s: version %d stands: %w", p.ID, p.Version, fault.Conflict)
		}
		if _, err := tx.exec(`DELETE FROM scheduler.runs WHERE tenant_id = $1 AND schedule_id = $2`, tx.tenant, p.ID); err != nil {
			return err
		}
		_, err = tx.exec(`DELETE FROM scheduler.schedules WHERE tenant_id = $1 AND id = $2`, tx.tenant, p.ID)
		return err
	})
}

// Request asks for a run now.
func (s *Schedules) Request(ctx context.Context, id, key, by string) (run *schedule.Run, repeated bool, err error) {
	if len(key) > scan.MaxKey {
		return nil, false, fmt.Errorf("run schedule: idempotency key of %d bytes, at most %d: %w", len(key), scan.MaxKey, fault.Invalid)
	}
	runID := "request-" + strings.ToLower(rand.Text())
	if key != "" {
		sum := sha256.Sum256([]byte(key))
		runID = fmt.Sprintf("request-%x", sum[:16])
	}
	request := func() error {
		return s.tenant.write(ctx, "run schedule", func(tx *tx) error {
			p, err := tx.plan(forUpdate, clean(id))
			if err != nil {
				return err
			}
			made, err := tx.insertRun(p, &schedule.Run{ID: runID, Cause: schedule.CauseRequest, By: cut(by), Window: micros(tx.now)})
			if err != nil {
				return err
			}
			repeated = !made
			if err := tx.redue(p.ID); err != nil {
				return err
			}
			run, err = tx.run("", p.ID, runID)
			return err
		})
	}
	if err = request(); errors.Is(err, errUnknown) {
		err = request()
	}
	return run, repeated && err == nil && key != "", err
}
