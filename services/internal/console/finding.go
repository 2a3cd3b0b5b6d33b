package console

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/report"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
)

var findingRoutes = []route{
	{pattern: "GET scans/{scan}/why", serve: whyScan},
	{pattern: "GET scans/{scan}/finding", serve: findingPage},
	{pattern: "GET verdicts/{key}", serve: verdictText},
	{pattern: "GET verdicts/{key}/trace", serve: traceText},
}

// findingView is the story of one vulnerability in one image.
type findingView struct {
	Job     *scan.Job
	Verdict *policy.Verdict
	Key     string
	Stories []*report.Story
	Title   string
	Steps   map[string]string // of the build, by layer
	Stale   bool
	Except  string // where an exception of it is asked for; "" for who may not
}

// story reads what stories of a scan are told from, and tells those that are chosen.
func (v *visit) story(id string, choose func(t *policy.Trace, o *report.Options)) (*findingView, error) {
	ctx, a := v.ctx(), v.api
	d := &findingView{}
	var t *decided
	var doc *sbom.Document
	var found *finding.Report
	var e [4]error
	together(
		func() { d.Job, e[0] = a.scans.Job(ctx, id) },
		func() { t, e[1] = d.standing(ctx, a, id) },
		func() { doc, e[2] = a.document(ctx, id) },
		func() { found, e[3] = a.scans.Findings(ctx, id) },
	)
	if err := errors.Join(e[0], e[1]); err != nil {
		return nil, err
	}
	o := &report.Options{Passing: true}
	if e[2] == nil { // without the document a story says less
		o.Packages, o.Secrets, o.Layers = doc.Packages, doc.Secrets, doc.Subject.Layers
		d.Steps = builtBy(doc)
	}
	if e[3] == nil {
		o.Findings = found.Findings
	}
	d.Verdict = t.Verdict
	choose(t.Trace, o)
	var err error
	d.Stories, err = report.Stories(t.Trace, o)
	return d, err
}

// standing reads the verdict that decides about a scan.
func (d *findingView) standing(ctx context.Context, a *api, id string) (*decided, error) {
	s, err := a.policies.Verdict(ctx, id)
	if err != nil {
		return nil, err
	}
	w := s.Worst()
	if w == nil {
		return nil, &pageError{http.StatusNotFound, "Nothing was decided about this scan: no policy is in force, or it has not ended."}
	}
	if w.Key == "" {
		return nil, &pageError{http.StatusNotFound, "The policy could not be evaluated: " + w.Because}
	}
	d.Key, d.Stale = w.Key, s.Stale
	return a.verdict(ctx, w.Key)
}

// findingPage tells the story of a vulnerability: of all packages that it is about, or of one.
func findingPage(v *visit) error {
	vulnerability := v.form("vulnerability") // ids of others may have a slash, which no path may
	var trace *policy.Trace
	d, err := v.story(v.r.PathValue("scan"), func(t *policy.Trace, o *report.Options) {
		trace = t
		o.Vulnerability, o.Package = vulnerability, v.form("package")
	})
	if err != nil {
		return err
	}
	d.Title, d.Except = vulnerability, v.exceptPath(d.Job.Image, d.Job.ID, vulnerability, v.form("package"), trace)
	return v.show(http.StatusOK, "finding", clip(vulnerability, 80), d)
}

// whyScan tells why a scan has its outcome: the stories of what has the same.
func whyScan(v *visit) error {
	d, err := v.story(v.r.PathValue("scan"), func(t *policy.Trace, o *report.Options) { o.Passing = t.Outcome == policy.Pass })
	if err != nil {
		return err
	}
	kept := d.Stories[:0:0]
	for _, s := range d.Stories {
		if s.Outcome == d.Verdict.Outcome && len(kept) < 20 {
			kept = append(kept, s)
		}
	}
	d.Stories, d.Title = kept, "Why "+words(string(d.Verdict.Outcome))
	return v.show(http.StatusOK, "finding", d.Title, d)
}

// verdictText gives out a verdict as it is signed.
func verdictText(v *visit) error {
	key := v.r.PathValue("key")
	text, _, err := v.api.policies.Find(v.ctx(), key)
	if err != nil {
		return err
	}
	return v.download("verdict-"+short12(key)+".json", text)
}

// traceText gives out how it came about.
func traceText(v *visit) error {
	key := v.r.PathValue("key")
	_, verdict, err := v.api.policies.Find(v.ctx(), key)
	if err != nil {
		return err
	}
	text, err := v.api.policies.Trace(v.ctx(), verdict)
	if err != nil {
		return err
	}
	return v.download("trace-"+short12(key)+".json", text)
}

func short12(key string) string {
	_, hex, _ := strings.Cut(key, ":")
	return clip(plain(hex), 12)
}

// stepGroup is what a page shows together of a story.
type stepGroup struct {
	Steps []report.Step
	Fold  bool // rules, of which there are many: the verdict says which decided
}

// groups puts the rules of a story together, in the order of its steps.
func groups(steps []report.Step) (out []stepGroup) {
	for _, s := range steps {
		rule := s.Kind == report.StepRule
		if n := len(out); n > 0 && out[n-1].Fold == rule {
			out[n-1].Steps = append(out[n-1].Steps, s)
			continue
		}
		out = append(out, stepGroup{[]report.Step{s}, rule})
	}
	return out
}
