package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/store"
)

// finish completes a scan that is evaluating.
func (w *policyWorld) finish(of *store.Tenant, id string) {
	w.Helper()
	s := of.Scans()
	e := must[*scan.Evaluation](w)(s.ClaimEvaluation(w.Context(), scan.ClaimRequest{JobID: id, Holder: "web", Length: 15 * time.Second}))
	if err := s.FinishEvaluation(w.Context(), e.Lease, scan.Conclusion{}); err != nil {
		w.Fatal(err)
	}
}

// done brings a scan to its end, with what is found.
func (w *policyWorld) done(of *store.Tenant, image string, found ...finding.Finding) string {
	w.Helper()
	s := of.Scans()
	time.Sleep(time.Millisecond) // scans of one microsecond have no order in time
	j := submit(w, s, image)
	r := policyResults(w, image)
	for _, f := range found {
		f.Package, f.Name, f.Version, f.PURL = "p1", "x", "1", "pkg:npm/x@1"
		r.Report.Findings = append(r.Report.Findings, f)
	}
	if strings.HasPrefix(image, "blind") {
		r.Report.Gaps = []sbom.Gap{{Code: sbom.GapNoData, Blocking: true, Where: "debian-9", What: "no data"}, {Code: sbom.GapNoData, Blocking: true, Where: "debian-8", What: "no data"}, {Code: sbom.GapOddity, Where: "a", What: "odd"}}
	}
	if err := s.Complete(w.Context(), *claim(w, s, j), r); err != nil {
		w.Fatal(err)
	}
	w.settle()
	w.finish(of, j.ID)
	return j.ID
}

// posture looks, and returns what holds now in an environment.
func (w *policyWorld) posture(of *store.Tenant, environment string) *policy.Posture {
	w.Helper()
	must[int](w)(w.root.SamplePostures(w.Context()))
	h := must[*policy.PostureHistory](w)(of.Policy().Posture(w.Context(), environment, time.Time{}))
	if h.Newest == nil {
		w.Fatalf("nothing is kept of %q: %+v", environment, h)
	}
	return h.Newest
}

// testPosture counts a small fleet, and holds the numbers to the traces of the verdicts.
func testPosture(w *policyWorld) {
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	if _, _, err := w.acme.Policy().Except(w.Context(), suppress("exc-1", time.Time{}, "CVE-9"), "bob"); err != nil {
		w.Fatal(err)
	}
	ago := func(days int) string {
		return time.Now().UTC().Truncate(24 * time.Hour).Add(12*time.Hour - time.Duration(days)*24*time.Hour).Format(time.RFC3339)
	}
	found := func(id string, s finding.Severity, published string) finding.Finding {
		return finding.Finding{Vulnerability: id, Severity: s, Published: published}
	}
	bad := found("CVE-2", finding.Critical, ago(29))
	bad.Fixed, bad.Exploited = []string{"2"}, "2026-01-01"
	w.done(w.acme, "a", found("CVE-1", finding.High, ago(400)))
	w.done(w.acme, "a", found("CVE-1", finding.High, ago(0)), bad, found("CVE-3", finding.High, ago(89)), found("CVE-4", finding.Low, ago(1)), found("CVE-9", finding.High, ago(1)))
	w.done(w.acme, "b", found("CVE-1", finding.High, ""), found("CVE-5", finding.Critical, ago(90)), found("CVE-6", finding.High, ago(7)))
	w.done(w.acme, "c", found("CVE-4", finding.Low, ago(1)))
	w.done(w.acme, "blind")
	// What failed or was cancelled after it leaves the scan before it.
	must[*scan.Job](w)(w.acme.Scans().Cancel(w.Context(), submit(w, w.acme.Scans(), "a").ID, "why"))
	if err := w.acme.Scans().Fail(w.Context(), *claim(w, w.acme.Scans(), submit(w, w.acme.Scans(), "b")), scan.Failure{Cause: "why", Permanent: true}); err != nil {
		w.Fatal(err)
	}
	got := w.posture(w.acme, "")
	want := &policy.Posture{
		At: got.At, Images: 4, Outcomes: policy.Tally{Pass: 1, NotAssessed: 1, Block: 2}, Open: 6, Severities: policy.Severities{Critical: 2, High: 4}, Fixable: 1, Exploited: 1,
		Known: policy.Ages{Week: 1, Month: 2, Quarter: 1, Older: 1, Unknown: 1}, NotAssessed: 1, Gaps: []policy.GapTally{{Code: sbom.GapNoData, Images: 1, Gaps: 2}}, Worst: got.Worst,
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		w.Errorf("(-want +got):\n%s", diff)
	}
	var worst []string
	open := 0
	for _, i := range got.Worst {
		worst = append(worst, fmt.Sprintf("%s %s %d", i.Image, i.Outcome, i.Blocked))
		open += w.openOf(i.ScanID)
	}
	slices.SortStableFunc(worst[:2], func(a, b string) int { return cmp.Compare(a, b) }) // both block three
	if diff := gocmp.Diff([]string{"a block 3", "b block 3", "blind not_assessed 0"}, worst); diff != "" {
		w.Errorf("worst (-want +got):\n%s", diff)
	}
	if open != got.Open {
		w.Errorf("the traces leave %d open, and %d are counted", open, got.Open)
	}
}

// openOf counts what the trace of a scan's verdict leaves open.
func (w *policyWorld) openOf(id string) (n int) {
	w.Helper()
	s := must[[]policy.Standing](w)(w.acme.Policy().Current(w.Context(), id))[0]
	t := must[*policy.Trace](w)(policy.DecodeTrace(must[*policy.Record](w)(w.acme.Policy().Find(w.Context(), s.Key)).Trace))
	for _, d := range t.Decisions {
		if d.Outcome != policy.Pass {
			n++
		}
	}
	return n
}

// testPostureChanges: a newer scan replaces the one before, exceptions and policies count
// at once, and where nothing changed nothing is kept.
func testPostureChanges(w *policyWorld) {
	if n := must[int](w)(w.root.SamplePostures(w.Context())); n != 0 {
		w.Errorf("%d samples without a policy", n)
	}
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	high := finding.Finding{Vulnerability: "CVE-1", Severity: finding.High}
	if p := w.posture(w.acme, ""); p.Images != 0 || p.Open != 0 {
		w.Errorf("without a scan: %+v", p)
	}
	w.done(w.acme, "a", high)
	if p := w.posture(w.acme, ""); p.Images != 1 || p.Outcomes.Block != 1 || p.Open != 1 {
		w.Errorf("one image: %+v", p)
	}
	w.done(w.acme, "a")
	if p := w.posture(w.acme, ""); p.Images != 1 || p.Outcomes.Pass != 1 || p.Open != 0 || len(p.Worst) > 0 {
		w.Errorf("a newer scan: %+v", p)
	}
	w.done(w.acme, "b", high)
	w.enforce(w.acme, "staging", blockFrom(2, finding.Critical))
	if p := w.posture(w.acme, "staging"); p.Images != 2 || p.Outcomes.NotAssessed != 2 || p.Uncounted != 2 || len(p.Worst) != 2 || !p.Worst[0].Since.IsZero() {
		w.Errorf("before anybody decided there: %+v", p)
	}
	w.settle()
	if p := w.posture(w.acme, "staging"); p.Outcomes.Pass != 2 || p.Uncounted != 0 {
		w.Errorf("afterwards: %+v", p)
	}
	if _, _, err := w.acme.Policy().Except(w.Context(), suppress("exc-1", time.Time{}, "CVE-1"), "bob"); err != nil {
		w.Fatal(err)
	}
	w.settle()
	if p := w.posture(w.acme, ""); p.Outcomes.Pass != 2 || p.Open != 0 {
		w.Errorf("with an exception: %+v", p)
	}
	h := must[*policy.PostureHistory](w)(w.acme.Policy().Posture(w.Context(), "", time.Time{}))
	if len(h.Samples) < 1 || len(h.Samples) > 2 || !slices.Equal(h.Environments, []string{"", "staging"}) || h.Samples[len(h.Samples)-1] != h.Newest.Sample() {
		w.Errorf("of each hour the newest: %+v", h)
	}
}

// testPostureTenants: nobody sees or counts what is another tenant's.
func testPostureTenants(w *policyWorld) {
	other := tenant(w, w.root, "other")
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	w.enforce(other, "", blockFrom(1, finding.Critical))
	high := finding.Finding{Vulnerability: "CVE-1", Severity: finding.High}
	w.done(w.acme, "a", high)
	w.done(other, "a", high)
	w.done(other, "b", high)
	if p := w.posture(w.acme, ""); p.Images != 1 || p.Outcomes.Block != 1 {
		w.Errorf("acme: %+v", p)
	}
	if p := w.posture(other, ""); p.Images != 2 || p.Outcomes.Pass != 2 {
		w.Errorf("other: %+v", p)
	}
	h := must[*policy.PostureHistory](w)(tenant(w, w.root, "third").Policy().Posture(w.Context(), "", time.Time{}))
	if h.Newest != nil || len(h.Samples)+len(h.Environments) > 0 {
		w.Errorf("third: %+v", h)
	}
}

// testPostureCollect: samples go when they are too old, and not before.
func testPostureCollect(w *policyWorld) {
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	w.posture(w.acme, "")
	kept := func() int {
		return len(must[*policy.PostureHistory](w)(w.acme.Policy().Posture(w.Context(), "", time.Time{})).Samples)
	}
	collect := func(keep time.Duration) int64 {
		return must[store.Removed](w)(w.root.Collect(w.Context(), &store.Retention{Samples: keep})).Samples
	}
	if n := collect(0); n != 0 || kept() != 1 {
		w.Errorf("%d samples are too old at once, %d are left", n, kept())
	}
	time.Sleep(3 * time.Millisecond)
	if n := collect(-1); n != 0 || kept() != 1 {
		w.Errorf("%d samples are too old for ever, %d are left", n, kept())
	}
	if n := collect(time.Millisecond); n != 1 || kept() != 0 {
		w.Errorf("%d old samples are deleted, %d are left", n, kept())
	}
}
