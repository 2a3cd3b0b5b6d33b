package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// The bounds of one call of WakePolicies, so that a relay has time for other things.
const (
	wakePage    = 500 // scans in one transaction
	wakeTenants = 200
	wakeRounds  = 8 // transactions of a kind for each tenant
)

// WakePolicies sends messages for scans that are due to be decided about again, and
// returns how many. A relay does so by itself, once a second.
func (r *Root) WakePolicies(ctx context.Context) (int, error) {
	var tenants []string
	err := r.read(ctx, Scope{Role: RoleRelay}, "look who has scans due", func(tx *tx) error {
		tenants = tenants[:0]
		for last := ""; len(tenants) < wakeTenants; { // leaps over the index
			var next string
			err := tx.get(`SELECT tenant_id FROM policy.due WHERE message = '' AND tenant_id > $1 AND due_us <= $2 ORDER BY tenant_id LIMIT 1`, []any{last, tx.now}, &next)
			if isNoRows(err) {
				return nil
			}
			if err != nil {
				return err
			}
			tenants, last = append(tenants, next), next
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	n := 0
	var failed error
	for _, name := range tenants {
		sent, err := (&Tenant{root: r, name: name}).wakePolicies(ctx)
		n += sent
		failed = errors.Join(failed, err)
	}
	return n, failed
}

// wakePolicies first finds out which scans are due, so that each is told of once.
func (t *Tenant) wakePolicies(ctx context.Context) (n int, err error) {
	for range wakeRounds {
		swept := false
		err := t.write(ctx, "find scans that are due", func(tx *tx) (err error) {
			swept, err = tx.sweepPolicies()
			return err
		})
		if err != nil {
			return 0, err
		}
		if !swept {
			break
		}
	}
	for range wakeRounds {
		sent := 0
		err := t.write(ctx, "wake scans that are due", func(tx *tx) (err error) {
			sent, err = tx.wakeScans()
			crashpoint.Hit(crashpoint.PolicyWaking)
			return err
		})
		n += sent
		if err != nil || sent == 0 {
			return n, err
		}
		crashpoint.Hit(crashpoint.PolicyWoken)
	}
	return n, nil
}

// sweepPolicies works off a page of what makes many scans due.
func (t *tx) sweepPolicies() (bool, error) {
	if err := t.lockPolicy(forUpdate); err != nil {
		return false, err
	}
	var due int64
	var cause, names, after string
	err := t.get(`SELECT due_us, cause, names, after FROM policy.due WHERE tenant_id = $1 AND scan_id = '' AND message = '' AND due_us <= $2 ORDER BY due_us, cause LIMIT 1`,
		[]any{t.tenant, t.now}, &due, &cause, &names, &after)
	if isNoRows(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if id, ok := strings.CutSuffix(cause, "/expired"); ok && after == "" {
		if err := t.expireException(strings.TrimPrefix(id, "exception/")); err != nil {
			return false, err
		}
	}
	list, err := t.sweepPage(names, after)
	if err != nil {
		return false, err
	}
	if len(list) > 0 {
		text, err := json.Marshal(list)
		if err != nil {
			return false, err
		}
		_, err = t.exec(`INSERT INTO policy.due (tenant_id, scan_id, due_us, cause) SELECT CAST($1 AS TEXT), value->>'id', CAST($2 AS BIGINT), CAST($3 AS TEXT) FROM json_rows($4) AS found
			WHERE EXISTS (SELECT 1 FROM policy.activations WHERE tenant_id = $1)
			ON CONFLICT (tenant_id, scan_id, due_us, cause) DO NOTHING`, t.tenant, due, cause, string(text))
		if err != nil {
			return false, err
		}
	}
	if len(list) == wakePage {
		_, err = t.exec(`UPDATE policy.due SET after = $4 WHERE tenant_id = $1 AND scan_id = '' AND due_us = $2 AND cause = $3`, t.tenant, due, cause, list[len(list)-1].ID)
		return true, err
	}
	_, err = t.exec(`DELETE FROM policy.due WHERE tenant_id = $1 AND scan_id = '' AND due_us = $2 AND cause = $3`, t.tenant, due, cause)
	return true, err
}

// sweepPage lists the next scans that have one of the names, or of all.
func (t *tx) sweepPage(names, after string) ([]idRow, error) {
	var out []idRow
	add := func(row func(...any) error) error {
		var id idRow
		err := row(&id.ID)
		out = append(out, id)
		return err
	}
	if names == "" {
		return out, t.each(add, `SELECT job_id FROM scanner.scan_jobs WHERE tenant_id = $1 AND job_id > $2 AND status IN ('evaluating', 'completed') ORDER BY job_id LIMIT $3`, t.tenant, after, wakePage)
	}
	var list []string
	if err := json.Unmarshal([]byte(names), &list); err != nil {
		return nil, fmt.Errorf("what is due has names that cannot be read: %v: %w", err, fault.Mismatch)
	}
	rows := make([]idRow, len(list))
	for i, name := range list {
		rows[i].ID = cutTo(strings.ToUpper(name), MaxVulnerability)
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return nil, err
	}
	return out, t.each(add, `SELECT DISTINCT w.scan_id FROM json_rows($1) AS q JOIN policy.watched w ON w.tenant_id = $2 AND w.name = q.value->>'id'
		WHERE w.scan_id > $3 ORDER BY w.scan_id LIMIT $4`, string(text), t.tenant, after, wakePage)
}

// dueScan is a scan that is due, with all that makes it so.
type dueScan struct {
	id    string
	at    int64
	cause string // of the latest
}

// wakeScans sends a message for each scan that is due. One that is for several causes
// is decided about once, as of the latest, and never as of an earlier time than before, or
// than its results.
func (t *tx) wakeScans() (int, error) {
	var scans []dueScan
	index := map[string]int{}
	err := t.each(func(row func(...any) error) error {
		var d dueScan
		if err := row(&d.id, &d.at, &d.cause); err != nil {
			return err
		}
		i, known := index[d.id]
		if !known {
			index[d.id] = len(scans)
			scans = append(scans, d)
		} else if scans[i].at <= d.at {
			scans[i] = d
		}
		return nil
	}, `SELECT scan_id, due_us, cause FROM policy.due WHERE tenant_id = $1 AND scan_id <> '' AND message = '' AND due_us <= $2 ORDER BY due_us, scan_id, cause LIMIT $3 FOR UPDATE SKIP LOCKED`,
		t.tenant, t.now, wakePage)
	if err != nil {
		return 0, err
	}
	for i := range scans {
		if err := t.wakeScan(&scans[i]); err != nil {
			return 0, err
		}
	}
	return len(scans), nil
}

func (t *tx) wakeScan(d *dueScan) error {
	var last, results int64
	err := t.get(`SELECT (SELECT coalesce(max(at_us), 0) FROM policy.current WHERE tenant_id = $1 AND scan_id = $2), (SELECT coalesce(max(evaluated_us), 0) FROM scanner.scan_jobs WHERE tenant_id = $1 AND job_id = $2)`,
		[]any{t.tenant, d.id}, &last, &results)
	if err != nil {
		return err
	}
	at := max(d.at, last, results)
	// The time of waking tells it from earlier messages about the same.
	id := fmt.Sprintf("%s/policy/%s/%d/%d", d.id, d.cause, at, t.now)
	n, err := t.exec(`UPDATE policy.due SET message = $4 WHERE tenant_id = $1 AND scan_id = $2 AND due_us <= $3 AND message = ''`, t.tenant, d.id, d.at, id)
	if err != nil || n == 0 {
		return err
	}
	data := event.PolicyJob{JobID: d.id, At: micros(at), Cause: d.cause}
	body, err := data.Encode()
	if err != nil {
		return err
	}
	return t.announce(announcement{topic: event.SchedulerEvaluations, priority: scan.DefaultPriority,
		event: event.Event{ID: id, Type: event.PolicyEvaluation, Source: "policy", Time: time.UnixMicro(t.now).UTC(), Data: body}})
}

// jsonText writes names as they stand with what is due.
func jsonText(names []string) (string, error) {
	text, err := json.Marshal(names)
	return string(text), err
}
