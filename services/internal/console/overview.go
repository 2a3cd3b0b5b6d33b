package console

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/vex"
)

var overviewRoutes = []route{
	{pattern: "GET {$}", serve: overview},
}

// overviewView is the first page: how the fleet stands, and what keeps it from being known.
type overviewView struct {
	Posture  section[*policy.PostureHistory]
	States   section[*scan.StateCounts]
	Feeds    section[[]advisory.SourceState]
	Head     section[*advisory.Head]
	Vex      section[[]vex.SourceState]
	VexHead  section[*vex.Head]
	Recent   section[*scan.Page]
	Outcomes *chart
	Severity *chart
	Known    *chart
	Now      time.Time
}

// shownDays is how far back charts go.
const shownDays = 30

func overview(v *visit) error {
	d := &overviewView{Now: v.c.Now().UTC()}
	a := v.api
	reads := []func(){
		read(v, &d.States, func(ctx context.Context) (*scan.StateCounts, error) { return a.scans.States(ctx) }),
		read(v, &d.Recent, func(ctx context.Context) (*scan.Page, error) { return a.scans.List(ctx, scan.Query{Limit: 8}) }),
	}
	if v.Can(auth.PolicyRead) {
		reads = append(reads, read(v, &d.Posture, func(ctx context.Context) (*policy.PostureHistory, error) {
			return posture(ctx, a, v.form("environment"), d.Now.AddDate(0, 0, -shownDays))
		}))
	}
	if v.Can(auth.AdvisoryRead) {
		reads = append(reads,
			read(v, &d.Feeds, a.advisories.Sources),
			read(v, &d.Head, func(ctx context.Context) (*advisory.Head, error) { return a.advisories.Head(ctx, 0) }))
	}
	if v.Can(auth.VEXRead) {
		reads = append(reads,
			read(v, &d.Vex, a.vex.Sources),
			read(v, &d.VexHead, func(ctx context.Context) (*vex.Head, error) { return a.vex.Head(ctx, 0) }))
	}
	together(reads...)
	d.charts()
	return v.show(http.StatusOK, "overview", "Overview", d)
}

// posture reads what holds in an environment: the first that there is, where none is named.
func posture(ctx context.Context, a *api, environment string, since time.Time) (*policy.PostureHistory, error) {
	h, err := a.policies.Posture(ctx, environment, since)
	if err == nil && environment == "" && h.Newest == nil && len(h.Environments) > 0 {
		return a.policies.Posture(ctx, h.Environments[0], since)
	}
	return h, err
}

// charts draws what was read.
func (d *overviewView) charts() {
	if d.Posture.Value == nil {
		return
	}
	samples := slices.Clone(d.Posture.Value.Samples)
	if len(samples) == 0 {
		return
	}
	outcomes := &series{Names: []string{"block", "error", "not-assessed", "warn", "pass"}}
	severities := &series{Names: []string{"critical", "high", "medium", "low", "unknown"}}
	for i := range samples {
		s := &samples[i]
		label := s.At.Format("2 Jan 15:04")
		o, n := s.Outcomes, s.Severities
		outcomes.add(label, o.Block, o.Error, o.NotAssessed, o.Warn, o.Pass)
		severities.add(label, n.Critical, n.High, n.Medium, n.Low+n.None, n.Unknown)
	}
	d.Outcomes = stacked("Images by outcome", outcomes)
	d.Severity = stacked("Open findings by severity", severities)
	if p := d.Posture.Value.Newest; p != nil {
		d.Known = bars("Open findings by how long they have been published", []bar{
			{"under 7 days", p.Known.Week}, {"under 30 days", p.Known.Month}, {"under 90 days", p.Known.Quarter}, {"longer", p.Known.Older}, {"unknown", p.Known.Unknown},
		})
	}
}

// outcomeRank orders outcomes, the worst first.
func outcomeRank(o policy.Outcome) int { return -o.Rank() }
