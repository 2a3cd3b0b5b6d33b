package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyhttp"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/services/auth"
)

// tabs are the parts of a scan's page.
var tabs = []string{"findings", "packages", "layers", "changes", "evidence", "documents", "verdicts"}

// scanView is one scan.
type scanView struct {
	Job       *scan.Job
	Standings *policyhttp.Standings
	Worst     *policy.Standing
	Tab       string
	Tabs      []string
	Submit    bool
	Now       time.Time
	Wrong     string // why a tab shows nothing

	Document  *sbom.Document
	Findings  []findingRow
	Hidden    int // findings that pass and are not shown
	All       bool
	Gaps      []sbom.Gap
	Packages  []packageRow
	Map       *chart
	Layers    []layerRow
	Waterfall *chart
	Changes   *changesView
	Documents []scan.Stored
	Decisions []policy.Decision
	Trace     *policy.Trace
}

// findingRow is a finding with what was decided about it.
type findingRow struct {
	finding.Finding
	Outcome policy.Outcome
	Because string
}

type packageRow struct {
	sbom.Package
	Open  int // findings that do not pass
	Worst finding.Severity
}

// layerRow is a layer with what it brought.
type layerRow struct {
	Number   int
	DiffID   string
	Step     string
	Packages int
	Open     int
}

func scanPage(v *visit) error {
	job, err := v.api.scans.Job(v.ctx(), v.r.PathValue("scan"))
	if err != nil {
		return err
	}
	d := &scanView{Job: job, Tab: cmp.Or(v.form("view"), tabs[0]), Tabs: tabs, Submit: v.Can(auth.ScannerScan), All: v.form("all") != "", Now: v.c.Now().UTC()}
	if !slices.Contains(tabs, d.Tab) {
		return &pageError{http.StatusNotFound, "There is no such page."}
	}
	if job.Summary != nil {
		if err := d.fill(v); err != nil {
			d.Wrong = v.c.why(err)
		}
	}
	return v.show(http.StatusOK, "scan", job.Image, d)
}

// fill reads what a tab shows.
func (d *scanView) fill(v *visit) error {
	ctx, a, id := v.ctx(), v.api, d.Job.ID
	var report *finding.Report
	var failed, missing error
	reads := []func(){
		func() {
			if s, err := a.policies.Verdict(ctx, id); err == nil {
				d.Standings, d.Worst = s, s.Worst()
				if d.Worst != nil && d.Worst.Key != "" {
					if t, err := a.verdict(ctx, d.Worst.Key); err == nil {
						d.Trace = t.Trace
					}
				}
			} else if !errors.Is(err, fault.Forbidden) && !errors.Is(err, fault.NotFound) {
				failed = err
			}
		},
	}
	switch d.Tab {
	case "findings", "packages", "layers":
		reads = append(reads, func() {
			if report, missing = a.scans.Findings(ctx, id); errors.Is(missing, fault.NotFound) {
				missing = nil // nothing was matched
			}
		})
	}
	var unread error
	if d.Tab != "documents" && d.Tab != "verdicts" && d.Tab != "findings" && d.Tab != "changes" {
		reads = append(reads, func() { d.Document, unread = a.document(ctx, id) })
	}
	together(reads...)
	if err := errors.Join(failed, missing, unread); err != nil {
		return err
	}
	d.rows(report)
	switch d.Tab {
	case "packages":
		d.packages(v.form("text"))
	case "layers":
		d.layers()
	case "evidence":
		d.Gaps = d.Document.Gaps
	case "changes":
		return d.compare(ctx, v)
	case "documents":
		list, err := a.scans.Documents(ctx, id)
		d.Documents = list
		return err
	case "verdicts":
		list, _, err := a.policies.Verdicts(ctx, id, "")
		d.Decisions = list
		return err
	}
	return nil
}

// Blocked reports whether something that matters was not assessed.
func (d *scanView) Blocked() bool {
	return slices.ContainsFunc(d.Gaps, func(g sbom.Gap) bool { return g.Blocking })
}

// rows puts findings and decisions together, the worst first.
func (d *scanView) rows(report *finding.Report) {
	if report == nil {
		return
	}
	decided := map[[3]string]*policy.Decided{}
	if d.Trace != nil {
		for i := range d.Trace.Decisions {
			x := &d.Trace.Decisions[i]
			decided[[3]string{x.Package, x.Vulnerability, x.Advisory}] = x
		}
		d.Gaps = d.Trace.Gaps
	} else {
		d.Gaps = report.Gaps
	}
	for _, f := range report.Findings {
		row := findingRow{Finding: f}
		if x := decided[[3]string{f.Package, f.Vulnerability, f.Advisory}]; x != nil {
			row.Outcome, row.Because = x.Outcome, x.Because
		}
		if row.Outcome == policy.Pass && !d.All && d.Tab == "findings" {
			d.Hidden++
			continue
		}
		d.Findings = append(d.Findings, row)
	}
	slices.SortStableFunc(d.Findings, func(a, b findingRow) int {
		return cmp.Or(cmp.Compare(outcomeRank(a.Outcome), outcomeRank(b.Outcome)), b.Severity.Rank()-a.Severity.Rank(), strings.Compare(a.Vulnerability, b.Vulnerability), strings.Compare(a.Name, b.Name))
	})
}

// open counts findings that do not pass, by package.
func (d *scanView) open() (count map[string]int, worst map[string]finding.Severity) {
	count, worst = map[string]int{}, map[string]finding.Severity{}
	for _, f := range d.Findings {
		if f.Outcome == policy.Pass {
			continue
		}
		count[f.Package]++
		if w, ok := worst[f.Package]; !ok || f.Severity.Rank() > w.Rank() {
			worst[f.Package] = f.Severity
		}
	}
	return count, worst
}

// maxRows bounds the rows of one page.
const maxRows = 500

// packages lists those whose name or URL has a text, and draws all of them by ecosystem.
func (d *scanView) packages(text string) {
	count, worst := d.open()
	kinds := map[string]int{}
	text = strings.ToLower(text)
	for i := range d.Document.Packages {
		p := &d.Document.Packages[i]
		kinds[cmp.Or(p.PURL.Type, p.FoundBy, "other")]++
		if text != "" && !strings.Contains(strings.ToLower(p.Name), text) && !strings.Contains(strings.ToLower(p.PURL.String()), text) {
			continue
		}
		d.Packages = append(d.Packages, packageRow{*p, count[p.ID], worst[p.ID]})
	}
	slices.SortStableFunc(d.Packages, func(a, b packageRow) int {
		return cmp.Or(b.Open-a.Open, strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version))
	})
	if d.Hidden = max(len(d.Packages)-maxRows, 0); d.Hidden > 0 {
		d.Packages = d.Packages[:maxRows]
	}
	var tiles []tile
	for kind, n := range kinds {
		tiles = append(tiles, tile{Name: kind, Count: n, Class: "plain"})
	}
	d.Map = treemap("Packages by kind", tiles)
}

// layers counts what each brought.
func (d *scanView) layers() {
	count, _ := d.open()
	at := map[string]int{}
	for i, l := range d.Document.Subject.Layers {
		at[l.DiffID] = i
		d.Layers = append(d.Layers, layerRow{Number: i + 1, DiffID: l.DiffID, Step: l.CreatedBy})
	}
	for i := range d.Document.Packages {
		p := &d.Document.Packages[i]
		if len(p.Locations) == 0 {
			continue
		}
		if n, ok := at[p.Locations[0].Layer]; ok {
			d.Layers[n].Packages++
			d.Layers[n].Open += count[p.ID]
		}
	}
	d.Waterfall = waterfall(d.Layers)
}

// waterfall draws what each layer adds to the packages before it.
func waterfall(list []layerRow) *chart {
	const line, left = 22, 40
	total := 0
	for _, l := range list {
		total += l.Packages
	}
	if total == 0 {
		return nil
	}
	c := &chart{Title: "Packages that each layer adds", Width: chartWidth, Height: len(list)*line + 4, Head: []string{"Layer", "Packages", "Open findings"}}
	before, room := 0, chartWidth-left-80
	for i, l := range list {
		x, w := left+before*room/total, l.Packages*room/total
		class := "plain"
		if l.Open > 0 {
			class = "high"
		}
		if l.Packages > 0 {
			c.Shapes = append(c.Shapes, shape{Class: class, X: x, Y: i*line + 3, W: max(w, 1), H: line - 6, Title: l.Step})
		}
		c.Labels = append(c.Labels, chartLabel{left - 8, i*line + 16, short(l.Number), "end"}, chartLabel{x + w + 6, i*line + 16, "+" + short(l.Packages), "start"})
		c.Rows = append(c.Rows, chartRow{short(l.Number), []string{short(l.Packages), short(l.Open)}})
		before += l.Packages
	}
	return c
}

// previous finds the scan of the same image before this one, nil where there is none.
func previous(ctx context.Context, a *api, job *scan.Job) (*scan.Job, error) {
	q := scan.Query{Image: job.Image, State: scan.Completed, Limit: 200}
	page, err := a.scans.List(ctx, q)
	if err != nil {
		return nil, err
	}
	for i := range page.Jobs {
		if o := &page.Jobs[i]; o.ID != job.ID && o.Created.Before(job.Created) && o.Summary != nil {
			return o, nil
		}
	}
	return nil, nil
}
