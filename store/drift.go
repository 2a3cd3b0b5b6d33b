package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/drift"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Drift is the index of packages over all tenants, and what is announced by it. It
// is a drift.Store, and safe for concurrent use.
type Drift struct{ root *Root }

var _ drift.Store = (*Drift)(nil)

// Drift returns what drift.Worker reads and writes.
func (r *Root) Drift() *Drift { return &Drift{r} }

// readAll collects the rows of one statement in its own transaction: what is done
// with them may take long.
func readAll[T any](ctx context.Context, r *Root, s Scope, what string, row func(scan func(...any) error) (T, error), statement string, args ...any) ([]T, error) {
	var out []T
	err := r.read(ctx, s, what, func(tx *tx) error {
		out = out[:0]
		return tx.each(func(scan func(...any) error) error {
			v, err := row(scan)
			out = append(out, v)
			return err
		}, statement, args...)
	})
	return out, err
}

func yieldAll[T any](list []T, err error, yield func(T, error) bool) {
	if err != nil {
		var none T
		yield(none, err)
		return
	}
	for _, v := range list {
		if !yield(v, nil) {
			return
		}
	}
}

// Facts yields what differs between a head and the one before.
func (d *Drift) Facts(ctx context.Context, head int64) iter.Seq2[advisory.Fact, error] {
	return d.root.Advisories(nil).Facts(ctx, head)
}

// Candidates yields the packages of all tenants that have one of the keys.
func (d *Drift) Candidates(ctx context.Context, keys []finding.Key) iter.Seq2[drift.Candidate, error] {
	return func(yield func(drift.Candidate, error) bool) {
		list, err := json.Marshal(keys, jsontext.AllowInvalidUTF8(true))
		if err != nil {
			yield(drift.Candidate{}, err)
			return
		}
		all, err := readAll(ctx, d.root, Scope{Role: RoleIndex}, "ask the index of packages", func(scan func(...any) error) (drift.Candidate, error) {
			var c drift.Candidate
			err := scan(&c.Tenant, &c.Package, &c.Fact)
			return c, err
		}, `SELECT f.tenant_id, f.fact_no, f.fact FROM scanner.package_facts f JOIN (
			SELECT DISTINCT k.tenant_id, k.fact_no FROM json_rows($1) AS q JOIN scanner.package_keys k ON k.ecosystem = q.value->>'ecosystem' AND k.name = q.value->>'name'
			) AS k ON f.tenant_id = k.tenant_id AND f.fact_no = k.fact_no ORDER BY f.tenant_id, f.fact_no`, string(list))
		yieldAll(all, err, yield)
	}
}

// Postings yields which documents of a tenant have the packages. Runs of them come
// as one text each, and so do those that are not packed yet: a row for each would
// cost many times as much.
func (d *Drift) Postings(ctx context.Context, tenant string, packages []int64) iter.Seq2[drift.Posting, error] {
	return func(yield func(drift.Posting, error) bool) {
		for _, number := range packages {
			// One statement: it sees a posting before it is packed, or after.
			runs, err := readAll(ctx, d.root, Scope{Role: RoleIndex}, "read who has a package", func(row func(...any) error) (run string, err error) {
				return run, row(&run)
			}, `SELECT numbers FROM scanner.package_runs WHERE tenant_id = $1 AND fact_no = $2
				UNION ALL SELECT coalesce(string_agg(CAST(sbom_no AS TEXT), ','), '') FROM scanner.package_postings WHERE tenant_id = $1 AND fact_no = $2`, tenant, number)
			if err != nil {
				yield(drift.Posting{}, err)
				return
			}
			for _, run := range runs {
				for len(run) > 0 {
					p := drift.Posting{Package: number}
					if p.Document, run, err = cutNumber(run); !yield(p, err) || err != nil {
						return
					}
				}
			}
		}
	}
}

// cutNumber cuts the first number and its comma off a run.
func cutNumber(run string) (n int64, rest string, err error) {
	for i := range len(run) {
		c := run[i]
		switch {
		case c == ',' && i > 0:
			return n, run[i+1:], nil
		case c < '0' || c > '9' || i > 18:
			return 0, "", fmt.Errorf("a run of documents has %.40q: %w", run, fault.Invalid)
		}
		n = n*10 + int64(c-'0')
	}
	return n, "", nil
}

func (d *Drift) tenant(name string) (*Tenant, error) { return d.root.Tenant(name) }

// Progress says how far a tenant is with a head.
func (d *Drift) Progress(ctx context.Context, tenant string, head int64) (p drift.Progress, err error) {
	t, err := d.tenant(tenant)
	if err != nil {
		return p, err
	}
	err = t.read(ctx, "read progress of drift", func(tx *tx) error {
		p, err = tx.progress(head, "")
		return err
	})
	return p, err
}

func (t *tx) progress(head int64, lock string) (p drift.Progress, err error) {
	var done int
	err = t.get(`SELECT vulnerability, sbom_no, scan_id, done FROM vuln.drift_progress WHERE tenant_id = $1 AND head = $2`+lock, []any{t.tenant, head}, &p.Vulnerability, &p.Document, &p.Scan, &done)
	if isNoRows(err) {
		err = nil
	}
	p.Done = done > 0
	return p, err
}

// Finish notes that a tenant is through with a head.
func (d *Drift) Finish(ctx context.Context, tenant string, head int64) error {
	t, err := d.tenant(tenant)
	if err != nil {
		return err
	}
	return t.write(ctx, "finish drift", func(tx *tx) error {
		_, err := tx.exec(`INSERT INTO vuln.drift_progress (tenant_id, head, vulnerability, sbom_no, scan_id, done, at_us) VALUES ($1, $2, '', 0, '', 1, $3)
			ON CONFLICT (tenant_id, head) DO UPDATE SET done = 1, at_us = excluded.at_us`, tx.tenant, head, tx.now)
		return err
	})
}

// Consume notes that Concelier's workers have an event that belongs to no tenant.
func (d *Drift) Consume(ctx context.Context, eventID string) error {
	_, err := d.root.Once(ctx, event.GroupConcelier, eventID, nothing)
	return err
}

// nothing is the effect of events whose effects are elsewhere.
func nothing(*Tx) error { return nil }

// driftScan is a scan that is to be told of something.
type driftScan struct {
	document int64
	turn     finding.Turn
	scan     event.DriftScan
}

// Announce tells the next scans of an announcement.
func (d *Drift) Announce(ctx context.Context, tenant string, a *drift.Announcement) (at drift.Progress, err error) {
	t, err := d.tenant(tenant)
	if err != nil {
		return at, err
	}
	announce := func() error {
		return t.write(ctx, "announce "+a.Vulnerability, func(tx *tx) error {
			at, err = tx.announceDrift(a)
			return err
		})
	}
	err = announce()
	if errors.Is(err, errUnknown) {
		err = announce() // what happened already is recognised
	}
	if err == nil {
		crashpoint.Hit(crashpoint.DriftCommitted)
	}
	return at, err
}

func (t *tx) announceDrift(a *drift.Announcement) (at drift.Progress, err error) {
	// Whoever is at the same head for this tenant waits here, and goes on from there.
	if _, err := t.exec(`INSERT INTO vuln.drift_progress (tenant_id, head, vulnerability, sbom_no, scan_id, done, at_us) VALUES ($1, $2, '', 0, '', 0, $3)
		ON CONFLICT (tenant_id, head) DO NOTHING`, t.tenant, a.Head, t.now); err != nil {
		return at, err
	}
	if at, err = t.progress(a.Head, forUpdate); err != nil {
		return at, err
	}
	if at.Done || at.Vulnerability > a.Vulnerability {
		at.Through = true
		return at, nil
	}
	if at.Vulnerability < a.Vulnerability {
		at = drift.Progress{Vulnerability: a.Vulnerability}
	}
	scans, err := t.driftPage(a, at)
	if err != nil {
		return at, err
	}
	if err := t.keepDrift(a, scans); err != nil {
		return at, err
	}
	if n := len(scans); n > 0 {
		at.Document, at.Scan = scans[n-1].document, scans[n-1].scan.ScanID
	}
	at.Through = len(scans) < event.MaxScans
	_, err = t.exec(`UPDATE vuln.drift_progress SET vulnerability = $3, sbom_no = $4, scan_id = $5, at_us = $6 WHERE tenant_id = $1 AND head = $2`,
		t.tenant, a.Head, at.Vulnerability, at.Document, at.Scan, t.now)
	crashpoint.Hit(crashpoint.DriftWritten)
	return at, err
}

// documentRow is one element of the JSON parameter that scans are looked for by.
type documentRow struct {
	Number int64 `json:"n"`
	Turn   int   `json:"t"`
}

// driftPage reads the next scans after a position: those whose results were stored
// before the head was current.
func (t *tx) driftPage(a *drift.Announcement, at drift.Progress) ([]driftScan, error) {
	rows := make([]documentRow, len(a.Documents))
	for i, d := range a.Documents {
		rows[i] = documentRow{d.Number, int(d.Turn)}
	}
	list, err := json.Marshal(rows)
	if err != nil {
		return nil, err
	}
	var out []driftScan
	err = t.each(func(scan func(...any) error) error {
		var s driftScan
		err := scan(&s.document, &s.turn, &s.scan.ScanID, &s.scan.ImageRef, &s.scan.Owner)
		out = append(out, s)
		return err
	}, `SELECT s.sbom_no, CAST(d.value->>'t' AS BIGINT), j.job_id, j.image_ref, j.owner FROM json_rows($2) AS d
		JOIN scanner.sboms s ON s.tenant_id = $1 AND s.sbom_no = CAST(d.value->>'n' AS BIGINT)
		JOIN scanner.scan_jobs j ON j.tenant_id = $1 AND j.sbom_digest = s.digest AND j.sbom_digest <> ''
		WHERE j.status IN ('evaluating', 'completed') AND j.head_at < $3 AND (s.sbom_no > $4 OR s.sbom_no = $4 AND j.job_id > $5)
		ORDER BY s.sbom_no, j.job_id LIMIT $6`, t.tenant, string(list), a.Head, at.Document, at.Scan, event.MaxScans)
	return out, err
}

// driftRow is one element of the JSON parameter that drift is stored from.
type driftRow struct {
	Scan  string `json:"s"`
	Cause string `json:"c"`
}

// keepDrift stores who is told of what, and announces it to those that were not
// told before.
func (t *tx) keepDrift(a *drift.Announcement, scans []driftScan) error {
	if len(scans) == 0 {
		return nil
	}
	rows := make([]driftRow, len(scans))
	for i, s := range scans {
		rows[i] = driftRow{s.scan.ScanID, s.turn.Cause()}
	}
	list, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	fresh := map[string]bool{}
	err = t.each(func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		fresh[id] = true
		return err
	}, `INSERT INTO vuln.drift (tenant_id, head, scan_id, vulnerability, cause, severity, at_us)
		SELECT $1, CAST($2 AS BIGINT), value->>'s', $3, value->>'c', $4, CAST($5 AS BIGINT) FROM json_rows($6) AS d WHERE true ORDER BY value->>'s'
		ON CONFLICT (tenant_id, head, scan_id, vulnerability) DO NOTHING RETURNING scan_id`,
		t.tenant, a.Head, clean(a.Vulnerability), string(a.Severity), t.now, string(list))
	if err != nil {
		return err
	}
	byCause := map[string][]event.DriftScan{}
	for i, s := range scans {
		if fresh[s.scan.ScanID] {
			byCause[rows[i].Cause] = append(byCause[rows[i].Cause], s.scan)
		}
	}
	for _, cause := range []string{"kev", "new", "fix_available", "changed", "withdrawn"} {
		for part := range driftParts(byCause[cause]) {
			if err := t.announceDriftEvent(a, cause, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxDriftBytes bounds the scans of one event, beside their number: the whole of
// an event is bounded by event.MaxBody.
const maxDriftBytes = 200 << 10

// driftParts splits scans, sorted by their ids, into what one event holds.
func driftParts(scans []event.DriftScan) iter.Seq[[]event.DriftScan] {
	return func(yield func([]event.DriftScan) bool) {
		slices.SortFunc(scans, func(a, b event.DriftScan) int { return strings.Compare(a.ScanID, b.ScanID) })
		first, size := 0, 0
		for i := range scans {
			text, _ := json.Marshal(scans[i], jsontext.AllowInvalidUTF8(true)) // of strings alone
			if i > first && (size+len(text) > maxDriftBytes || i-first == event.MaxScans) {
				if !yield(scans[first:i]) {
					return
				}
				first, size = i, 0
			}
			size += len(text) + 1
		}
		if first < len(scans) {
			yield(scans[first:])
		}
	}
}

func (t *tx) announceDriftEvent(a *drift.Announcement, cause string, scans []event.DriftScan) error {
	data := event.Drift{Head: a.Head, Vulnerability: a.Vulnerability, Cause: cause, Severity: string(a.Severity), Scans: scans, Summary: a.Summary,
		Exploited: event.Answer(a.Exploited), Fixed: event.Answer(a.Fixed)}
	body, err := data.Encode()
	if err != nil {
		return err
	}
	// A scan is told once of a vulnerability and a head, so the first one names it.
	id := clean(fmt.Sprintf("drift/%d/%s/%s", a.Head, a.Vulnerability, scans[0].ScanID))
	return t.announce(announcement{topic: event.ConcelierDrift, event: event.Event{ID: id, Type: event.AdvisoryDrift, Source: "concelier", Data: body}})
}
