package store

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/scan"
)

// reportFacts is what counts in a report, as it stands in the row.
type reportFacts struct {
	Findings  map[finding.Severity]int `json:"findings"`
	Exploited bool                     `json:"exploited,omitzero"`
	Fixed     bool                     `json:"fixed,omitzero"`
}

func factsOf(r *finding.Report) *reportFacts {
	f := &reportFacts{Findings: map[finding.Severity]int{}}
	for i := range r.Findings {
		found := &r.Findings[i]
		f.Findings[found.Severity]++
		f.Exploited = f.Exploited || found.Exploited != ""
		f.Fixed = f.Fixed || len(found.Fixed) > 0
	}
	return f
}

// fill says what a report says about a scan.
func (f *reportFacts) fill(out *notify.ScanFacts) {
	out.Findings, out.Exploited, out.Fixed = f.Findings, answer(f.Exploited), answer(f.Fixed)
	for s := range f.Findings {
		if s.Rank() > out.Severity.Rank() {
			out.Severity = s
		}
	}
}

func answer(yes bool) notify.Answer {
	if yes {
		return notify.Yes
	}
	return notify.No
}

// Scans returns what is known about scans. One that was matched with no advisory data was
// not counted.
func (n *Notify) Scans(ctx context.Context, ids []string) (map[string]notify.ScanFacts, error) {
	var out map[string]notify.ScanFacts
	err := n.tenant.root.readOnce(ctx, Scope{RoleTenant, n.tenant.name}, "read what is known about scans", func(tx *tx) (err error) {
		out, err = tx.scanFacts(ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *tx) scanFacts(ids []string) (map[string]notify.ScanFacts, error) {
	out := map[string]notify.ScanFacts{}
	if len(ids) == 0 {
		return out, nil
	}
	wanted := make([]string, len(ids))
	for i, id := range ids {
		wanted[i] = clean(id)
	}
	list, err := idList(wanted)
	if err != nil {
		return nil, err
	}
	err = t.each(func(row func(...any) error) error {
		var id string
		var f notify.ScanFacts
		var manifest []byte
		if err := row(&id, &f.Image, &f.Digest, &f.Owner, &manifest); err != nil {
			return err
		}
		m, err := scan.DecodeManifest(manifest)
		if err != nil {
			return fmt.Errorf("scan %s: %w", id, err)
		}
		f.Labels = m.Labels
		out[id] = f
		return nil
	}, `SELECT job_id, image_ref, image_digest, owner, manifest FROM scanner.scan_jobs WHERE tenant_id = $1 AND job_id`+oneOf, t.tenant, list)
	if err != nil {
		return nil, err
	}
	return out, t.reportsFacts(list, out)
}

// newestReports are those of the newest heads, of scans by the second parameter.
const newestReports = `(SELECT r.scan_id, r.evaluated_us, r.snapshot, r.facts, row_number() OVER (PARTITION BY r.scan_id ORDER BY r.head DESC, r.evaluated_us DESC) AS place
	FROM scanner.reports r WHERE r.tenant_id = $1 AND r.scan_id` + oneOf + `) AS newest WHERE newest.place = 1 AND newest.snapshot <> ''`

func (t *tx) reportsFacts(list string, out map[string]notify.ScanFacts) error {
	var old []string // reports of earlier releases
	err := t.each(func(row func(...any) error) error {
		var id, text string
		if err := row(&id, &text); err != nil {
			return err
		}
		if text == "" {
			old = append(old, id)
			return nil
		}
		facts := new(reportFacts)
		if err := json.Unmarshal([]byte(text), facts); err != nil {
			return fmt.Errorf("facts of the report about scan %s: %v: %w", id, err, fault.Mismatch)
		}
		f := out[id]
		facts.fill(&f)
		out[id] = f
		return nil
	}, `SELECT newest.scan_id, newest.facts FROM `+newestReports, t.tenant, list)
	if err != nil || len(old) == 0 {
		return err
	}
	return t.countFindings(old, out)
}

// countFindings reads the findings of the newest reports. In their JSON no text can look
// like a member.
func (t *tx) countFindings(ids []string, out map[string]notify.ScanFacts) error {
	list, err := idList(ids)
	if err != nil {
		return err
	}
	facts := map[string]*reportFacts{}
	for _, id := range ids {
		facts[id] = &reportFacts{Findings: map[finding.Severity]int{}}
	}
	err = t.each(func(row func(...any) error) error {
		var id, severity string
		var n, exploited, fixed int
		err := row(&id, &severity, &n, &exploited, &fixed)
		if f := facts[id]; err == nil && f != nil {
			f.Findings[finding.Severity(severity)] += n
			f.Exploited, f.Fixed = f.Exploited || exploited > 0, f.Fixed || fixed > 0
		}
		return err
	}, `SELECT v.scan_id, v.severity, count(*), sum(CASE WHEN v.finding LIKE '%"exploited":"%' THEN 1 ELSE 0 END), sum(CASE WHEN v.finding LIKE '%"fixed":["%' THEN 1 ELSE 0 END)
		FROM scanner.vulnerabilities v JOIN (SELECT newest.scan_id, newest.evaluated_us FROM `+newestReports+`) AS n ON n.scan_id = v.scan_id AND n.evaluated_us = v.evaluated_us
		WHERE v.tenant_id = $1 GROUP BY v.scan_id, v.severity`, t.tenant, list)
	for id, known := range facts {
		f := out[id]
		known.fill(&f)
		out[id] = f
	}
	return err
}
