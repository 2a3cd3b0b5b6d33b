package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/drift"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// nextHead makes the next head, of a snapshot by that name.
func nextHead(t testing.TB, root *store.Root, number int64, snapshot string) {
	t.Helper()
	c := &advisory.Commit{Head: advisory.Head{Number: number, Digest: sha(snapshot), Manifest: []byte("{}"), Runs: map[string]int64{}}}
	if err := root.Advisories(nil).Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// evaluatingAt brings a new job there that was matched with a snapshot.
func evaluatingAt(t testing.TB, s Scans, image, snapshot string) *scan.Job {
	t.Helper()
	j := submit(t, s, image)
	r := results(image)
	r.Report.Snapshot = sha(snapshot)
	if snapshot == "" {
		r.Report = nil
	}
	if err := s.Complete(t.Context(), *claim(t, s, j), r); err != nil {
		t.Fatal(err)
	}
	return j
}

func list(t testing.TB, e *store.Evaluations, scanID string) string {
	t.Helper()
	var out []string
	for _, v := range must[[]schedule.Evaluation](t)(e.List(t.Context(), scanID)) {
		out = append(out, fmt.Sprintf("%d:%s:%s:%d", v.Head, v.State, v.Cause, v.Attempt))
	}
	return strings.Join(out, " ")
}

// testGate: completing schedules an evaluation where the scan was matched with
// another head than the current one.
func testGate(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	s, e := acme.Scans(), acme.Evaluations()
	none := evaluatingAt(t, s, "before-any-head", "one")
	nextHead(t, root, 1, "one")
	current, unmatched := evaluatingAt(t, s, "current", "one"), evaluatingAt(t, s, "unmatched", "")
	nextHead(t, root, 2, "two")
	old, foreign := evaluatingAt(t, s, "old", "one"), evaluatingAt(t, s, "foreign", "nobody's")
	nextHead(t, root, 3, "one") // the first again
	again := evaluatingAt(t, s, "again", "one")
	for _, c := range []struct {
		job  *scan.Job
		want string
	}{{none, ""}, {current, ""}, {unmatched, "1:pending:completion:0"}, {old, "2:pending:completion:0"}, {foreign, "2:pending:completion:0"}, {again, ""}} {
		if got := list(t, e, c.job.ID); got != c.want {
			t.Errorf("%s: %q, want %q", c.job.Image, got, c.want)
		}
	}
	unassessed := must[[]schedule.Job](t)(root.Schedule().Unassessed(t.Context(), schedule.Job{}, 10))
	if diff := cmp.Diff([]schedule.Job{{Tenant: "acme", ScanID: none.ID}}, unassessed); diff != "" {
		t.Errorf("without a head (-want +got):\n%s", diff)
	}
	if more := must[[]schedule.Job](t)(root.Schedule().Unassessed(t.Context(), unassessed[0], 10)); len(more) != 0 {
		t.Errorf("after the last: %+v", more)
	}
}

func claimEvaluation(scanID string, head int64) schedule.ClaimRequest {
	return schedule.ClaimRequest{ScanID: scanID, Head: head, Holder: "v1", Message: fmt.Sprintf("%s/evaluation/%d/1", scanID, head), Length: 15 * time.Second}
}

// testEvaluations follows an evaluation through its states.
func testEvaluations(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	s, e, ctx := acme.Scans(), acme.Evaluations(), context.WithoutCancel(t.Context())
	nextHead(t, root, 1, "one")
	nextHead(t, root, 2, "two")
	j := evaluatingAt(t, s, "a", "one")
	jobs := []schedule.Job{{ScanID: j.ID, Head: 2, Cause: "new", Priority: 9}, {ScanID: j.ID, Head: 1, Cause: "new", Priority: 9}, {ScanID: "scan-none", Head: 2, Cause: "new"}, {ScanID: j.ID, Head: 7, Cause: "new"}}
	for range 2 { // what is there stays; what has a report, is gone or is no head is left out
		if err := root.Schedule().Schedule(ctx, "acme", "", jobs); err != nil {
			t.Fatal(err)
		}
	}
	if got := list(t, e, j.ID); got != "2:pending:completion:0" {
		t.Fatalf("scheduled: %q", got)
	}
	w := must[*schedule.Work](t)(e.Claim(ctx, claimEvaluation(j.ID, 2)))
	at := must[*advisory.Head](t)(root.Advisories(nil).Head(ctx, 2)).At
	if w.Snapshot != sha("two") || !w.At.Equal(at) || w.Document.Format != scan.Neutral || w.Epoch != 1 || w.Attempt != 1 {
		t.Errorf("claimed %+v, want as of %v", w, at)
	}
	if _, err := e.Claim(ctx, claimEvaluation(j.ID, 2)); !errors.Is(err, schedule.ErrConflict) {
		t.Errorf("claimed twice: %v", err)
	}
	if err := e.Fail(ctx, w.Lease, scan.Failure{Cause: "no luck"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Claim(ctx, claimEvaluation(j.ID, 2)); !errors.Is(err, schedule.ErrUnavailable) {
		t.Errorf("claimed before it is due: %v", err)
	}
	if err := e.Finish(ctx, w.Lease, &finding.Report{Snapshot: sha("two")}); !errors.Is(err, schedule.ErrFenced) {
		t.Errorf("finished by who gave up: %v", err)
	}
	for _, bad := range []schedule.ClaimRequest{{}, {ScanID: j.ID, Head: 2, Holder: "v", Length: time.Hour}, {ScanID: j.ID, Head: 2, Length: time.Second}} {
		if _, err := e.Claim(ctx, bad); !errors.Is(err, schedule.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := e.Claim(ctx, claimEvaluation("scan-none", 2)); !errors.Is(err, schedule.ErrNotFound) {
		t.Errorf("no such evaluation: %v", err)
	}
	testFinishEvaluation(t, root, acme)
}

// testFinishEvaluation finishes one, twice, and reads what came of it.
func testFinishEvaluation(t *testing.T, root *store.Root, acme *store.Tenant) {
	s, e, ctx := acme.Scans(), acme.Evaluations(), context.WithoutCancel(t.Context())
	k := evaluatingAt(t, s, "b", "one")
	before := must2(t)(s.Findings(ctx, k.ID))
	w := must[*schedule.Work](t)(e.Claim(ctx, claimEvaluation(k.ID, 2)))
	zombie := w.Lease
	zombie.Holder = "other"
	after := &finding.Report{Snapshot: sha("two"), Findings: []finding.Finding{{Package: "p2", Name: "x", Vulnerability: "CVE-2", Severity: finding.Critical, Summary: "bad"}}}
	if err := e.Finish(ctx, zombie, after); !errors.Is(err, schedule.ErrFenced) {
		t.Errorf("finished by somebody else: %v", err)
	}
	for range 2 { // as after a lost answer
		if err := e.Finish(ctx, w.Lease, after); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(after, must2(t)(s.Findings(ctx, k.ID)), cmpopts.EquateEmpty()); diff != "" || len(before.Findings) == 0 {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if got := list(t, e, k.ID); got != "2:done:completion:1" {
		t.Errorf("finished: %q", got)
	}
	q := memory(t)
	relayAll(t, root.Relay(q, nil))
	told := map[string]string{}
	for _, v := range drain(t, q, event.ConcelierDrift, "test") {
		d := must[*event.Drift](t)(event.DecodeDrift(v))
		for _, c := range d.Scans {
			told[c.ScanID+" "+d.Vulnerability] += d.Cause + " " + d.Severity
		}
	}
	if diff := cmp.Diff(map[string]string{k.ID + " CVE-1": "withdrawn high", k.ID + " CVE-2": "new critical"}, told); diff != "" {
		t.Errorf("told of what the scan has missed (-want +got):\n%s", diff)
	}
}

// testEvaluationLeases: who does not finish in time is followed by others, until
// the evaluation is dead.
func testEvaluationLeases(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	s, e, ctx := acme.Scans(), acme.Evaluations(), context.WithoutCancel(t.Context())
	nextHead(t, root, 1, "one")
	j := evaluatingAt(t, s, "a", "none")
	c := claimEvaluation(j.ID, 1)
	c.Length = time.Second
	first := must[*schedule.Work](t)(e.Claim(ctx, c))
	for attempt := 2; attempt <= store.Attempts; attempt++ {
		time.Sleep(1050 * time.Millisecond)
		if n := must[int](t)(root.Sweep(ctx)); n != 1 {
			t.Fatalf("attempt %d: swept %d", attempt, n)
		}
		c.Message = fmt.Sprintf("%s/evaluation/1/%d", j.ID, attempt)
		w := must[*schedule.Work](t)(e.Claim(ctx, c))
		if w.Attempt != attempt || w.Epoch <= first.Epoch || !w.At.Equal(first.At) {
			t.Errorf("attempt %d: %+v", attempt, w)
		}
		if err := e.Finish(ctx, first.Lease, &finding.Report{Snapshot: sha("one")}); !errors.Is(err, schedule.ErrFenced) {
			t.Errorf("finished by who was too late: %v", err)
		}
	}
	time.Sleep(1050 * time.Millisecond)
	must[int](t)(root.Sweep(ctx))
	all := must[[]schedule.Evaluation](t)(e.List(ctx, j.ID))
	if len(all) != 1 || all[0].State != schedule.Dead || len(all[0].Causes) != store.Attempts || !strings.Contains(all[0].Reason, "v1") {
		t.Errorf("in the end: %+v", all)
	}
	k := evaluatingAt(t, s, "b", "none")
	w := must[*schedule.Work](t)(e.Claim(ctx, claimEvaluation(k.ID, 1)))
	if err := e.Fail(ctx, w.Lease, scan.Failure{Cause: "never", Permanent: true}); err != nil || list(t, e, k.ID) != "1:failed:completion:1" {
		t.Errorf("failed for good: %q, %v", list(t, e, k.ID), err)
	}
}

// testIndex: candidates and postings, and that the index goes with the last scan
// that has an SBOM.
func testIndex(t *testing.T, root *store.Root) {
	ctx := context.WithoutCancel(t.Context())
	indexed := func(name, image string, facts ...string) {
		s := tenant(t, root, name).Scans()
		j := submit(t, s, image)
		r := results(image)
		r.Packages = nil
		for i, f := range facts {
			r.Packages = append(r.Packages, scan.PackageFact{ID: fmt.Sprint("p", i), Name: f, Fact: `{"n":"` + f + `"}`, Keys: []finding.Key{{Ecosystem: "npm", Name: f}, {Ecosystem: "CPE", Name: "a:all:of them"}}})
		}
		if err := s.Complete(ctx, *claim(t, s, j), r); err != nil {
			t.Fatal(err)
		}
		e := must[*scan.Evaluation](t)(s.ClaimEvaluation(ctx, scan.ClaimRequest{JobID: j.ID, Holder: "web", Length: 15 * time.Second}))
		if err := s.FinishEvaluation(ctx, e.Lease, scan.Conclusion{}); err != nil {
			t.Fatal(err)
		}
	}
	indexed("acme", "one", "a", "a", "b")
	indexed("acme", "two", "a", "c")
	indexed("acme", "two", "a", "c") // another scan of the same SBOM
	indexed("other", "one", "a")
	asked := func(ecosystem, name string) string {
		var out []string
		for c, err := range root.Drift().Candidates(ctx, []finding.Key{{Ecosystem: ecosystem, Name: name}, {Ecosystem: ecosystem, Name: name}}) {
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for p, err := range root.Drift().Postings(ctx, c.Tenant, []int64{c.Package}) {
				if err != nil || p.Package != c.Package || p.Document == 0 {
					t.Fatal(p, err)
				}
				n++
			}
			out = append(out, fmt.Sprintf("%s %s in %d", c.Tenant, c.Fact, n))
		}
		return strings.Join(out, ", ")
	}
	for _, c := range [][3]string{
		{"npm", "a", `acme {"n":"a"} in 2, other {"n":"a"} in 1`}, {"npm", "c", `acme {"n":"c"} in 1`}, {"npm", "none", ""}, {"PyPI", "a", ""},
	} {
		if got := asked(c[0], c[1]); got != c[2] {
			t.Errorf("%s %s: %q, want %q", c[0], c[1], got, c[2])
		}
	}
	if got := strings.Count(asked("CPE", "a:all:of them"), " in "); got != 4 {
		t.Errorf("%d packages have the CPE", got)
	}
	for _, run := range []int{2, 2} { // packed, it says the same, and so with more
		if _, err := root.Collect(ctx, &store.Retention{Scans: -1, Keys: -1, Events: -1, Run: run}); err != nil {
			t.Fatal(err)
		}
		if got, want := asked("npm", "a"), `acme {"n":"a"} in 2, other {"n":"a"} in 1`; got != want {
			t.Errorf("packed: %q, want %q", got, want)
		}
		indexed("acme", "two", "a", "c") // once more: nothing is added
	}
	indexed("acme", "three", "a")
	indexed("acme", "four", "a", "d")
	if got, want := asked("npm", "a"), `acme {"n":"a"} in 4, other {"n":"a"} in 1`; got != want {
		t.Errorf("packed and not: %q, want %q", got, want)
	}
	time.Sleep(3 * time.Millisecond)
	if _, err := root.Collect(ctx, &store.Retention{Scans: time.Millisecond, Keys: -1, Events: -1, Batch: 1, Run: 2}); err != nil {
		t.Fatal(err)
	}
	if got := asked("npm", "a") + asked("npm", "c") + asked("CPE", "a:all:of them"); got != "" {
		t.Errorf("after the collection of all scans: %s", got)
	}
	indexed("acme", "one", "a")
	if got := asked("npm", "a"); got != `acme {"n":"a"} in 1` {
		t.Errorf("indexed again: %s", got)
	}
}

// testManyDrift announces one vulnerability to more scans than one event holds.
func testManyDrift(t *testing.T, root *store.Root) {
	ctx := context.WithoutCancel(t.Context())
	s := tenant(t, root, "acme").Scans()
	n := event.MaxScans + 20
	if testing.Short() {
		n = 30
	}
	r := results("same")
	r.Packages = []scan.PackageFact{{ID: "p", Name: "a", Fact: `{"n":"a"}`, Keys: []finding.Key{{Ecosystem: "npm", Name: "a"}}}}
	for range n {
		j := must3(t)(s.Submit(ctx, scan.Request{Image: strings.Repeat("i", scan.MaxReference), Owner: strings.Repeat("o", scan.MaxReference)}, ""))
		if err := s.Complete(ctx, *claim(t, s, j), r); err != nil {
			t.Fatal(err)
		}
	}
	a := &drift.Announcement{Head: 1, Vulnerability: "CVE-1", Severity: finding.Low}
	for c, err := range root.Drift().Candidates(ctx, []finding.Key{{Ecosystem: "npm", Name: "a"}}) {
		if err != nil {
			t.Fatal(err)
		}
		for p, err := range root.Drift().Postings(ctx, c.Tenant, []int64{c.Package}) {
			if err != nil {
				t.Fatal(err)
			}
			a.Documents = append(a.Documents, drift.Document{Number: p.Document, Turn: finding.TurnNew})
		}
	}
	calls := 0
	for at := (drift.Progress{}); !at.Through; calls++ {
		at = must[drift.Progress](t)(root.Drift().Announce(ctx, "acme", a))
	}
	if want := n/event.MaxScans + 1; calls != want || len(a.Documents) != 1 {
		t.Errorf("%d calls for %d documents, want %d", calls, len(a.Documents), want)
	}
	q := memory(t)
	relayAll(t, root.Relay(q, nil))
	told := map[string]int{}
	for _, e := range drain(t, q, event.ConcelierDrift, "test") {
		for _, s := range must[*event.Drift](t)(event.DecodeDrift(e)).Scans {
			told[s.ScanID]++
		}
	}
	for id, times := range told {
		if times != 1 {
			t.Errorf("%s was told %d times", id, times)
		}
	}
	if len(told) != n {
		t.Errorf("%d scans were told, want %d", len(told), n)
	}
	if err := root.Drift().Finish(ctx, "acme", 1); err != nil {
		t.Fatal(err)
	}
	if at := must[drift.Progress](t)(root.Drift().Progress(ctx, "acme", 1)); !at.Done || at.Vulnerability != "CVE-1" {
		t.Errorf("progress in the end: %+v", at)
	}
}

// must3 is must for what also says whether it is a repetition.
func must3(t testing.TB) func(*scan.Job, bool, error) *scan.Job {
	return func(j *scan.Job, _ bool, err error) *scan.Job {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
}
