package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/policy"
)

// sampleGrace is how long after a change was made it may be committed: a sample of that
// time is made again.
const sampleGrace = time.Minute

// sampleSince is how far a history goes back where nobody says.
const sampleSince = 30 * day

func openText(o *policy.Open) (string, error) {
	if o == nil {
		return "", nil
	}
	text, err := json.Marshal(o)
	return string(text), err
}

// SamplePostures keeps what holds about all images of each tenant where something changed
// since its last sample, or that is of an earlier day, and returns how many samples that
// were. Any number of processes may do so at once.
func (r *Root) SamplePostures(ctx context.Context) (int, error) {
	tenants, err := r.policyTenants(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	var failed error
	for _, name := range tenants {
		if ctx.Err() != nil {
			break
		}
		kept, err := (&Tenant{root: r, name: name}).samplePostures(ctx)
		n += kept
		failed = errors.Join(failed, err)
	}
	return n, failed
}

// samplePostures reads apart from writing: who writes does not wait for the reading.
func (t *Tenant) samplePostures(ctx context.Context) (int, error) {
	var list []*policy.Posture
	err := t.root.readOnce(ctx, Scope{RoleTenant, t.name}, "look what holds about all images", func(tx *tx) error {
		due, err := tx.sampleDue()
		if err != nil || !due {
			return err
		}
		list, err = tx.postures()
		return err
	})
	if err != nil || len(list) == 0 {
		return 0, err
	}
	err = t.write(ctx, "keep what holds about all images", func(tx *tx) error {
		for _, p := range list {
			if err := tx.keepPosture(p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return len(list), nil
}

// sampleDue looks at the newest row of everything that a posture follows from.
func (t *tx) sampleDue() (bool, error) {
	var last, changed int64
	err := t.each(func(row func(...any) error) error {
		var name string
		var at int64
		err := row(&name, &at)
		if name == "sample" {
			last = at
		} else {
			changed = max(changed, at)
		}
		return err
	}, `SELECT 'sample', coalesce(max(at_us), 0) FROM policy.samples WHERE tenant_id = $1
		UNION ALL SELECT 'verdict', coalesce(max(kept_us), 0) FROM policy.current WHERE tenant_id = $1
		UNION ALL SELECT 'scan', coalesce(max(updated_us), 0) FROM scanner.scan_jobs WHERE tenant_id = $1 AND status IN ('completed', 'failed', 'cancelled', 'dead')
		UNION ALL SELECT 'policy', coalesce(max(at_us), 0) FROM policy.activations WHERE tenant_id = $1`, t.tenant)
	today := t.now - t.now%day.Microseconds() // what is published becomes older
	return changed > last-sampleGrace.Microseconds() || last < today, err
}

// postures puts together what holds in each environment with a policy in force, sorted.
func (t *tx) postures() ([]*policy.Posture, error) {
	var environments []string
	index := map[string]int{}
	err := t.each(func(row func(...any) error) error {
		var name string
		err := row(&name)
		index[name] = len(environments)
		environments = append(environments, name)
		return err
	}, `SELECT a.environment FROM policy.activations a WHERE a.tenant_id = $1 AND a.policy_id <> ''
		AND NOT EXISTS (SELECT 1 FROM policy.activations b WHERE b.tenant_id = $1 AND b.environment = a.environment AND b.number > a.number) ORDER BY a.environment`, t.tenant)
	if err != nil || len(environments) == 0 {
		return nil, err
	}
	newest, err := t.newestScans()
	if err != nil {
		return nil, err
	}
	images := make([][]policy.ImageStanding, len(environments))
	for i := range images {
		images[i] = slices.Clone(newest)
	}
	if err := t.standingsOf(newest, index, images); err != nil {
		return nil, err
	}
	var out []*policy.Posture
	for i, name := range environments {
		out = append(out, policy.PostureOf(name, micros(t.now), images[i]))
	}
	return out, nil
}

// newestScans finds the newest completed scan of each reference by leaps over an index: a
// tenant may have very many scans of an image.
func (t *tx) newestScans() (out []policy.ImageStanding, err error) {
	return out, t.each(func(row func(...any) error) error {
		var image string
		var id sql.NullString // an image may have no completed scan
		err := row(&image, &id)
		if id.Valid {
			out = append(out, policy.ImageStanding{Image: image, ScanID: id.String})
		}
		return err
	}, `WITH RECURSIVE refs (ref) AS (SELECT min(image_ref) FROM scanner.scan_jobs WHERE tenant_id = $1
			UNION ALL SELECT (SELECT min(j.image_ref) FROM scanner.scan_jobs j WHERE j.tenant_id = $1 AND j.image_ref > r.ref) FROM refs r WHERE r.ref IS NOT NULL)
		SELECT r.ref, (SELECT j.job_id FROM scanner.scan_jobs j WHERE j.tenant_id = $1 AND j.image_ref = r.ref AND j.status = 'completed'
			ORDER BY j.created_us DESC, j.job_id DESC LIMIT 1) FROM refs r WHERE r.ref IS NOT NULL`, t.tenant)
}

// standingPage is how many scans are asked about at once: each time, an engine may read all
// that holds.
const standingPage = 50_000

// standingsOf fills in what holds about scans, in the environments that index has.
func (t *tx) standingsOf(newest []policy.ImageStanding, index map[string]int, images [][]policy.ImageStanding) error {
	for from := 0; from < len(newest); from += standingPage {
		page := newest[from:min(from+standingPage, len(newest))]
		at := make(map[string]int, len(page))
		ids := make([]idRow, len(page))
		for i := range page {
			ids[i].ID, at[page[i].ScanID] = page[i].ScanID, from+i
		}
		text, err := json.Marshal(ids)
		if err != nil {
			return err
		}
		err = t.each(func(row func(...any) error) error {
			var id, environment, open string
			var s policy.ImageStanding
			var since int64
			if err := row(&id, &environment, &s.Outcome, &s.Because, &s.Blocked, &since, &open); err != nil {
				return err
			}
			i, inForce := index[environment]
			if !inForce {
				return nil
			}
			into := &images[i][at[id]]
			into.Outcome, into.Because, into.Blocked, into.Since = s.Outcome, s.Because, s.Blocked, micros(since)
			if open == "" {
				return nil
			}
			into.Open = new(policy.Open)
			return json.Unmarshal([]byte(open), into.Open)
		}, `SELECT c.scan_id, c.environment, c.outcome, c.because, c.blocked, c.changed_us, c.open FROM policy.current c WHERE c.tenant_id = $1 AND c.scan_id`+oneOf, t.tenant, string(text))
		if err != nil {
			return err
		}
	}
	return nil
}

// keepPosture keeps a sample unless a newer one of the same hour is there.
func (t *tx) keepPosture(p *policy.Posture) error {
	brief, err := json.Marshal(p.Sample())
	if err != nil {
		return err
	}
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	at := p.At.UnixMicro()
	_, err = t.exec(`INSERT INTO policy.samples (tenant_id, environment, hour_us, at_us, brief, body) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant_id, environment, hour_us) DO UPDATE SET at_us = excluded.at_us, brief = excluded.brief, body = excluded.body WHERE excluded.at_us > policy.samples.at_us`,
		t.tenant, p.Environment, at-at%time.Hour.Microseconds(), at, string(brief), clean(string(body)))
	return err
}

// Posture returns what is kept of what held about all images in an environment, since a
// time, zero for 30 days ago. "" without samples of its own is the first environment that
// has some.
func (p *Policy) Posture(ctx context.Context, environment string, since time.Time) (*policy.PostureHistory, error) {
	var out *policy.PostureHistory
	err := p.tenant.root.readOnce(ctx, Scope{RoleTenant, p.tenant.name}, "read what held about all images", func(tx *tx) (err error) {
		out, err = tx.history(environment, since)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *tx) history(environment string, since time.Time) (*policy.PostureHistory, error) {
	out := &policy.PostureHistory{Environment: environment, Environments: []string{}, Samples: []policy.Sample{}}
	for last, more := "", `>=`; ; more = `>` { // leaps over the index
		var next string
		err := t.get(`SELECT environment FROM policy.samples WHERE tenant_id = $1 AND environment `+more+` $2 ORDER BY environment LIMIT 1`, []any{t.tenant, last}, &next)
		if isNoRows(err) {
			break
		}
		if err != nil {
			return nil, err
		}
		out.Environments, last = append(out.Environments, next), next
	}
	if environment == "" && len(out.Environments) > 0 {
		out.Environment = out.Environments[0] // "" comes first
	}
	var body string
	err := t.get(`SELECT body FROM policy.samples WHERE tenant_id = $1 AND environment = $2 ORDER BY hour_us DESC LIMIT 1`, []any{t.tenant, out.Environment}, &body)
	if isNoRows(err) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	out.Newest = new(policy.Posture)
	if err := json.Unmarshal([]byte(body), out.Newest); err != nil {
		return nil, fmt.Errorf("a sample of %q: %w", out.Environment, err)
	}
	from := t.now - sampleSince.Microseconds()
	if !since.IsZero() {
		from = since.UnixMicro()
	}
	var briefs []string
	err = t.each(func(row func(...any) error) error {
		var text string
		err := row(&text)
		briefs = append(briefs, text)
		return err
	}, `SELECT brief FROM policy.samples WHERE tenant_id = $1 AND environment = $2 AND hour_us >= $3 AND at_us >= $4 ORDER BY hour_us`,
		t.tenant, out.Environment, from-time.Hour.Microseconds(), from)
	if err != nil {
		return nil, err
	}
	for _, i := range thinned(len(briefs), policy.MaxSamples) {
		var s policy.Sample
		if err := json.Unmarshal([]byte(briefs[i]), &s); err != nil {
			return nil, fmt.Errorf("a sample of %q: %w", out.Environment, err)
		}
		out.Samples = append(out.Samples, s)
	}
	return out, nil
}

// thinned chooses at most so many of n, evenly, the first and the last among them.
func thinned(n, most int) []int {
	out := make([]int, min(n, most))
	for i := range out {
		out[i] = i
		if n > most {
			out[i] = i * (n - 1) / (most - 1)
		}
	}
	return out
}

// collectSamples deletes samples that are too old.
func (t *Tenant) collectSamples(ctx context.Context, k Retention, done *Removed) error {
	if k.Samples <= 0 {
		return nil
	}
	return repeat(k.Batch, &done.Samples, func() (n int64, err error) {
		err = t.write(ctx, "delete old samples", func(tx *tx) error {
			n, err = tx.exec(`DELETE FROM policy.samples WHERE tenant_id = $1 AND (environment, hour_us) IN (SELECT environment, hour_us FROM policy.samples WHERE tenant_id = $1 AND at_us < $2 LIMIT $3)`,
				tx.tenant, tx.now-k.Samples.Microseconds(), k.Batch)
			return err
		})
		return n, err
	})
}
