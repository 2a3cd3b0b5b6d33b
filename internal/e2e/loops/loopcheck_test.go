package loops

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/e2e/world"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store"
)

// asRole reads rows as a role of the store's.
func asRole(ctx context.Context, db *sql.DB, role, query string, row func(func(...any) error) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "SELECT set_config('role', $1, true)", role); err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// loopCheck is what should have come of a loop.
type loopCheck struct {
	testing.TB
	heads   []string // digests; heads[n] is that of head n
	cache   *snapshot.Cache
	docs    map[string]*sbom.Document // by digest
	reports map[string]*finding.Report
}

// check reads all heads.
func (l *loop) check() *loopCheck {
	advisories := l.nodes[0].root.Advisories(l.bucket)
	c := &loopCheck{TB: l, heads: []string{""}, cache: ingest.Cache(l.dir+"/check", advisories), docs: map[string]*sbom.Document{}, reports: map[string]*finding.Report{}}
	last, err := advisories.Head(l.Context(), 0)
	if err != nil {
		l.Fatal(err)
	}
	for n := range last.Number {
		h, err := advisories.Head(l.Context(), n+1)
		if err != nil {
			l.Fatal(err)
		}
		c.heads = append(c.heads, h.Digest)
	}
	return c
}

// match matches a document in full with a head.
func (c *loopCheck) match(head int, document string) *finding.Report {
	key := c.heads[head] + document
	if c.reports[key] == nil {
		view, done, err := c.cache.View(c.Context(), c.heads[head])
		if err != nil {
			c.Fatal(err)
		}
		defer done()
		if c.reports[key], err = (advisory.Matcher{View: view}).Match(c.Context(), c.docs[document]); err != nil {
			c.Fatal(err)
		}
	}
	return c.reports[key]
}

// differ says how two heads differ for a document.
func (c *loopCheck) differ(before, after int, document string) []finding.Difference {
	if before == 0 {
		return nil
	}
	return finding.Together(finding.Compare(c.match(before, document).Findings, c.match(after, document).Findings))
}

// outcome is what becomes of a scan.
type outcome struct {
	lines       []string
	evaluations []int64 // heads
	overtaken   bool    // by a head, between its matching and its completion
}

// want is what should become of a scan that was matched with one head, 0 for none,
// and completed when another was current.
func (c *loopCheck) want(s loopScan, matched, current int, document string) (o outcome) {
	o.overtaken = matched != current
	tell := func(before, after int) bool {
		list := c.differ(before, after, document)
		for _, d := range list {
			o.lines = append(o.lines, line(s.tenant, s.id, int64(after), d.Vulnerability, d.Turn.Cause()))
		}
		return len(list) > 0
	}
	if matched != current {
		tell(matched, current)
		o.evaluations = append(o.evaluations, int64(current))
	}
	for n := current + 1; n < len(c.heads); n++ {
		// Who was completed before there was any head is evaluated with the first.
		if tell(n-1, n) || n == 1 {
			o.evaluations = append(o.evaluations, int64(n))
		}
	}
	return o
}

// stand returns with which head a scan was matched, which was current when it was
// completed, and its document.
func (c *loopCheck) stand(scans *store.Scans, id string, current int) (matched int, document string) {
	job, err := scans.Job(c.Context(), id)
	if err != nil {
		c.Fatal(err)
	}
	for n := 1; n <= current; n++ { // of heads with one snapshot the last
		if c.heads[n] == job.Summary.Snapshot {
			matched = n
		}
	}
	list, err := scans.Documents(c.Context(), id)
	if err != nil {
		c.Fatal(err)
	}
	for _, d := range list {
		if document = job.Summary.SBOMDigest; d.Format == scan.Neutral && c.docs[document] == nil {
			if c.docs[document], err = world.Decode(bytes.NewReader(d.Content)); err != nil {
				c.Fatal(err)
			}
		}
	}
	return matched, document
}

// compare holds what was announced, evaluated and found against full matching.
func (l *loop) compare(url string) {
	currents := map[string]int{}
	err := asRole(l.Context(), servers.Connect(l, url), "stella_index", `SELECT job_id, head_at FROM scanner.scan_jobs`, func(row func(...any) error) error {
		var id string
		var at int
		err := row(&id, &at)
		currents[id] = at
		return err
	})
	if err != nil {
		l.Fatal(err)
	}
	c := l.check()
	want, before, overtaken := map[string]int{}, 0, 0
	causes := map[string]int{}
	for _, s := range l.scans {
		tenant, err := l.nodes[0].root.Tenant(s.tenant)
		if err != nil {
			l.Fatal(err)
		}
		current := currents[s.id]
		matched, document := c.stand(tenant.Scans(), s.id, current)
		o := c.want(s, matched, current, document)
		for _, text := range o.lines {
			want[text]++
			causes[text[strings.LastIndexByte(text, ' ')+1:]]++
		}
		if current == 0 {
			before++
		}
		if o.overtaken && len(o.lines) > 0 {
			overtaken++
		}
		c.evaluated(tenant, s, o)
		found, err := tenant.Scans().Findings(l.Context(), s.id)
		if err != nil {
			l.Fatal(err)
		}
		if d := finding.Compare(found.Findings, c.match(len(c.heads)-1, document).Findings); len(d) > 0 {
			l.Errorf("%s, matched with head %d and completed at %d: its findings differ from those of head %d: %+v", s.id, matched, current, len(c.heads)-1, d)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if diff := cmp.Diff(want, l.told); diff != "" {
		l.Errorf("announced (-in full +by the loop):\n%s", diff)
	}
	l.Logf("%d heads; %d scans, of them %d before the first head and %d overtaken by one that concerns them; %d announced: %v; %d faults reported", len(c.heads)-1, len(l.scans), before, overtaken, len(want), causes, l.faults.Load())
	if before == 0 || overtaken == 0 || len(want) < 20 {
		l.Error("this run proves little")
	}
}

// evaluated wants exactly the evaluations that are due, each done at once.
func (c *loopCheck) evaluated(tenant *store.Tenant, s loopScan, o outcome) {
	list, err := tenant.Evaluations().List(c.Context(), s.id)
	if err != nil {
		c.Fatal(err)
	}
	var heads []int64
	for _, e := range list {
		heads = append(heads, e.Head)
		if e.State != schedule.Done || e.Attempt != 1 || len(e.Causes) > 0 {
			c.Errorf("%s: %+v", s.id, e)
		}
	}
	if diff := cmp.Diff(o.evaluations, heads); diff != "" {
		c.Errorf("evaluations of %s (-want +got):\n%s", s.id, diff)
	}
}
