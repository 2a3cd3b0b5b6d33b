package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store"
)

// TestSchedules proves what a backend does for schedules and who runs them.
func TestSchedules(t *testing.T, open func(t testing.TB) *store.Root) {
	for name, test := range map[string]func(*testing.T, *store.Root){
		"Plans": testPlans, "Windows": testWindows, "Requests": testRequests, "Runs": testRuns, "Targets": testTargets, "Terms": testTerms, "Due": testSchedulesDue,
		"Rescan": testRescan, "EvaluateAll": testEvaluateAll, "Watch": testWatch, "Redo": testRedo, "Loop": testScheduleLoop, "Leaders": testTwoLeaders, "DeadRuns": testDeadRuns,
	} {
		t.Run(name, func(t *testing.T) {
			root := open(t)
			t.Cleanup(func() {
				if err := root.Close(); err != nil {
					t.Error(err)
				}
			})
			test(t, root)
		})
	}
}

// leading begins another term, which does not end before the test or the next one.
func leading(t testing.TB, root *store.Root) int64 {
	t.Helper()
	var term int64
	err := root.LeadWith(t.Context(), schedule.LeaderName, &store.LeadOptions{Look: 10 * time.Millisecond}, func(_ context.Context, n int64) error {
		term = n
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return term
}

func plan(id string, kind schedule.Kind, images ...string) *schedule.Plan {
	return &schedule.Plan{ID: id, Cron: "0 3 * * *", Zone: "Europe/Berlin", Kind: kind, Selection: schedule.Selection{Images: images}}
}

func setPlan(t testing.TB, s *store.Schedules, p *schedule.Plan) {
	t.Helper()
	if err := s.Set(t.Context(), p, 0, "ann"); err != nil {
		t.Fatal(err)
	}
}

// due makes the plan's next window one that was due since then.
func due(t testing.TB, tn *store.Tenant, id string, since time.Time) {
	t.Helper()
	_, err := tn.Once(t.Context(), "test", fmt.Sprint(id, since.UnixNano(), time.Now().UnixNano()), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE scheduler.schedules SET next_us = $3, due_us = $3 WHERE tenant_id = $1 AND id = $2`, tn.Name(), id, since.UnixMicro())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testPlans(t *testing.T, root *store.Root) {
	ctx := t.Context()
	s, other := tenant(t, root, "acme").Schedules(), tenant(t, root, "other").Schedules()
	p := plan("nightly", schedule.Rescan, "*/shop:*")
	p.Selection.Labels = map[string]string{"team": "a\"b"}
	p.By, p.Version, p.Due = "forged", 77, time.Unix(1, 0)
	want := *p
	setPlan(t, s, p)
	if p.By != "ann" || p.Version < 1e15 || p.Due.Before(p.Updated) || p.Due.Sub(p.Updated) > 25*time.Hour {
		t.Errorf("set: %+v", p)
	}
	got := must[*schedule.Plan](t)(s.Plan(ctx, "nightly"))
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("read (-set +got):\n%s", diff)
	}
	if diff := cmp.Diff(&want, got, cmpopts.IgnoreFields(schedule.Plan{}, "Version", "By", "Updated", "Due")); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	for name, err := range map[string]error{
		"anew":         s.Set(ctx, plan("nightly", schedule.Watch), 0, "bob"),
		"other number": s.Set(ctx, plan("nightly", schedule.Watch), p.Version-1, "bob"),
		"deleted old":  s.Delete(ctx, "nightly", p.Version+1),
	} {
		if !errors.Is(err, schedule.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, e1 := other.Plan(ctx, "nightly")
	_, e2 := s.Plan(ctx, "no\x00ne")
	_, _, e3 := other.Request(ctx, "nightly", "", "eve")
	_, e4 := other.Runs(ctx, "nightly", "", 0)
	for i, err := range []error{e1, e2, e3, e4, other.Delete(ctx, "nightly", p.Version), other.Set(ctx, plan("nightly", schedule.Watch), p.Version, "eve")} {
		if !errors.Is(err, schedule.ErrNotFound) {
			t.Errorf("of another tenant, %d: %v", i, err)
		}
	}
	bad := plan("b", "paint")
	bad.Cron = "61 * * * *"
	if err := s.Set(ctx, bad, 0, "ann"); !errors.Is(err, schedule.ErrInvalid) || !strings.Contains(err.Error(), "61") || !strings.Contains(err.Error(), "paint") {
		t.Errorf("invalid: %v", err)
	}
	second := *p
	second.Disabled = true
	if err := s.Set(ctx, &second, p.Version, "bob"); err != nil || second.Version <= p.Version || second.By != "bob" || !second.Due.IsZero() {
		t.Errorf("changed: %+v, %v", second, err)
	}
	never := plan("never", schedule.Rescan)
	never.Cron = "0 0 30 2 *"
	setPlan(t, s, never)
	if !never.Due.IsZero() {
		t.Errorf("30 February is due at %v", never.Due)
	}
	if err := s.Delete(ctx, "nightly", second.Version); err != nil {
		t.Fatal(err)
	}
	again := plan("nightly", schedule.Rescan)
	setPlan(t, s, again)
	if again.Version <= second.Version {
		t.Errorf("version %d follows %d, which was deleted", again.Version, second.Version)
	}
	for i := range 5 {
		setPlan(t, s, plan(fmt.Sprint("p", i), schedule.Rescan))
	}
	var ids []string
	for after := ""; ; after = ids[len(ids)-1] {
		page := must[[]schedule.Plan](t)(s.List(ctx, after, 3))
		for _, p := range page {
			ids = append(ids, p.ID)
		}
		if len(page) < 3 {
			break
		}
	}
	if diff := cmp.Diff([]string{"never", "nightly", "p0", "p1", "p2", "p3", "p4"}, ids); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}

// testWindows: windows that passed while nobody led have one run, that of the last; the next
// is after now.
func testWindows(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	s, ctx := acme.Schedules(), t.Context()
	term := leading(t, root)
	p := plan("hourly", schedule.Rescan)
	p.Cron, p.Zone, p.Jitter = "0 * * * *", "", 600
	setPlan(t, s, p)
	if _, err := s.Begin(ctx, term, "hourly"); !errors.Is(err, schedule.ErrConflict) {
		t.Errorf("begun before it is due: %v", err)
	}
	due(t, acme, "hourly", time.Now().Add(-72*time.Hour))
	r := must[*schedule.Run](t)(s.Begin(ctx, term, "hourly"))
	now := must[*schedule.Plan](t)(s.Plan(ctx, "hourly"))
	if late := r.Created.Sub(r.Window); late < 0 || late > time.Hour+10*time.Minute || r.Window.Minute() != 0 || r.Cause != schedule.CauseWindow || r.ID != fmt.Sprintf("window-%d", r.Window.Unix()) {
		t.Errorf("the run of the last window: %+v", r)
	}
	if same := must[*schedule.Run](t)(s.Begin(ctx, term, "hourly")); same.ID != r.ID || same.Attempt != 2 {
		t.Errorf("begun again: %+v", same)
	}
	r.State, r.Attempt = schedule.RunDone, 1
	for range 2 { // as after a lost answer
		if err := s.Advance(ctx, r, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Begin(ctx, term, "hourly"); !errors.Is(err, schedule.ErrConflict) {
		t.Errorf("begun after it was done: %v", err)
	}
	all := must[[]schedule.Run](t)(s.Runs(ctx, "hourly", "", 0))
	after := must[*schedule.Plan](t)(s.Plan(ctx, "hourly"))
	if len(all) != 1 || all[0].State != schedule.RunDone || !after.Due.After(all[0].Created) || after.Due.Sub(r.Window) > time.Hour+10*time.Minute || now.Due.After(after.Due) {
		t.Errorf("then: %d runs %+v, due at %v", len(all), all, after.Due)
	}
	// The same window under a clock that was set back: its run is there.
	due(t, acme, "hourly", r.Window)
	if again, err := s.Begin(ctx, term, "hourly"); !errors.Is(err, schedule.ErrConflict) {
		t.Errorf("a window twice: %+v, %v", again, err)
	}
}

func testRequests(t *testing.T, root *store.Root) {
	s, ctx := tenant(t, root, "acme").Schedules(), t.Context()
	term := leading(t, root)
	p := plan("x", schedule.Rescan)
	p.Disabled = true
	setPlan(t, s, p)
	first, repeated, err := s.Request(ctx, "x", "key", "bob")
	if err != nil || repeated || first.By != "bob" || first.State != schedule.RunRunning || first.Cause != schedule.CauseRequest {
		t.Fatalf("%+v, %v, %v", first, repeated, err)
	}
	if again, repeated, err := s.Request(ctx, "x", "key", "bob"); err != nil || !repeated || again.ID != first.ID {
		t.Errorf("again: %+v, %v, %v", again, repeated, err)
	}
	second, repeated, err := s.Request(ctx, "x", "", "bob")
	if err != nil || repeated || second.ID == first.ID {
		t.Errorf("without a key: %+v, %v, %v", second, repeated, err)
	}
	changed := *p
	changed.Kind = schedule.Watch
	if err := s.Set(ctx, &changed, p.Version, "ann"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{first.ID, second.ID} {
		r := must[*schedule.Run](t)(s.Begin(ctx, term, "x"))
		if r.ID != want || r.Plan.Kind != schedule.Rescan || r.Plan.Version != p.Version {
			t.Errorf("run %s of version %d: %+v", want, p.Version, r)
		}
		r.State = schedule.RunDone
		if err := s.Advance(ctx, r, nil); err != nil {
			t.Fatal(err)
		}
	}
	if now := must[*schedule.Plan](t)(s.Plan(ctx, "x")); !now.Due.IsZero() {
		t.Errorf("disabled and due at %v", now.Due)
	}
	if _, _, err := s.Request(ctx, "x", strings.Repeat("k", scan.MaxKey+1), "bob"); !errors.Is(err, schedule.ErrInvalid) {
		t.Errorf("a long key: %v", err)
	}
}

// testRuns: only so many that ended are kept, and pages list the newest first.
func testRuns(t *testing.T, root *store.Root) {
	s, ctx := tenant(t, root, "acme").Schedules(), t.Context()
	term := leading(t, root)
	setPlan(t, s, plan("x", schedule.Rescan))
	var ids []string
	for i := range schedule.RunsKept + 3 {
		r, _, err := s.Request(ctx, "x", fmt.Sprint(i), "bob")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
		r = must[*schedule.Run](t)(s.Begin(ctx, term, "x"))
		r.State = schedule.RunDone
		if i == 50 {
			r.State, r.Reason, r.Failed, r.Problems = schedule.RunFailed, "why\x00", 1, []schedule.Problem{{Image: "a", Reason: "b\u0000"}}
		}
		if err := s.Advance(ctx, r, nil); err != nil {
			t.Fatal(err)
		}
	}
	slices.Reverse(ids)
	var got []string
	for after := ""; ; after = got[len(got)-1] {
		page := must[[]schedule.Run](t)(s.Runs(ctx, "x", after, 30))
		for _, r := range page {
			got = append(got, r.ID)
		}
		if len(page) < 30 {
			break
		}
	}
	if diff := cmp.Diff(ids[:schedule.RunsKept], got); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	if r := must[*schedule.Run](t)(s.Run(ctx, "x", ids[len(ids)-51])); r.State != schedule.RunFailed || r.Reason != "why\ufffd" || len(r.Problems) != 1 {
		t.Errorf("failed: %+v", r)
	}
	if _, err := s.Runs(ctx, "x", "gone", 0); !errors.Is(err, schedule.ErrInvalid) {
		t.Errorf("after a run that is gone: %v", err)
	}
}

// testTargets: the newest completed scan of each image and platform.
func testTargets(t *testing.T, root *store.Root) {
	acme, ctx := tenant(t, root, "acme"), t.Context()
	scans, s := acme.Scans(), acme.Schedules()
	completed(t, tenant(t, root, "other").Scans(), "foreign")
	completed(t, scans, "b:1")
	newest := completed(t, scans, "b:1")
	labelled := completedAs(t, scans, scan.Request{Image: "a:1", Platform: "linux/arm64", Labels: map[string]string{"team": "x", "env": "prod"}, Owner: "ann", Formats: []string{"spdx-json"}}, "sha256:moved")
	failed := submit(t, scans, "c:1")
	must[*scan.Job](t)(scans.Cancel(ctx, failed.ID, ""))
	active := completed(t, scans, "d:1")
	submit(t, scans, "d:1")
	submit(t, scans, "e:1") // never completed
	nextHead(t, root, 1, "one")
	all := must[*schedule.Targets](t)(s.Targets(ctx, new(schedule.Selection), schedule.Cursor{}, 100))
	var got []string
	for _, x := range all.List {
		got = append(got, fmt.Sprintf("%s %s %v", x.Request.Image, x.ScanID, x.Active))
	}
	if diff := cmp.Diff([]string{"a:1 " + labelled.ID + " false", "b:1 " + newest.ID + " false", "d:1 " + active.ID + " true"}, got); diff != "" || all.Next != nil || all.Head != 1 {
		t.Errorf("targets, next %v, head %d (-want +got):\n%s", all.Next, all.Head, diff)
	}
	want := schedule.Target{ScanID: labelled.ID, Resolved: "sha256:moved", Request: scan.Request{Image: "a:1", Platform: "linux/arm64", Labels: map[string]string{"team": "x", "env": "prod"}, Owner: "ann", Formats: []string{"spdx-json"}}}
	if diff := cmp.Diff(want, all.List[0]); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
	for text, c := range map[string]struct {
		s    schedule.Selection
		want int
	}{
		"pattern": {schedule.Selection{Images: []string{"x", "*:1"}}, 3}, "exact": {schedule.Selection{Images: []string{"a:1"}}, 1}, "none": {schedule.Selection{Images: []string{"a"}}, 0},
		"label": {schedule.Selection{Labels: map[string]string{"team": "x"}}, 1}, "labels": {schedule.Selection{Labels: map[string]string{"team": "x", "env": "dev"}}, 0},
	} {
		n := 0
		for after := (schedule.Cursor{}); ; {
			page := must[*schedule.Targets](t)(s.Targets(ctx, &c.s, after, 2))
			if n += len(page.List); page.Next == nil {
				break
			}
			after = *page.Next
		}
		if n != c.want {
			t.Errorf("%s: %d selected, want %d", text, n, c.want)
		}
	}
}

// completedAs brings a job there that was asked for like that and has read a digest.
func completedAs(t testing.TB, s Scans, r scan.Request, digest string) *scan.Job {
	t.Helper()
	j, _, err := s.Submit(t.Context(), r, "")
	if err != nil {
		t.Fatal(err)
	}
	return complete(t, s, j, digest)
}

// complete has a job completed that is queued.
func complete(t testing.TB, s Scans, j *scan.Job, digest string) *scan.Job {
	t.Helper()
	l := claim(t, s, j)
	if digest != "" {
		must[string](t)(s.Resolve(t.Context(), *l, digest))
	}
	if err := s.Complete(t.Context(), *l, results(j.ID[:12])); err != nil {
		t.Fatal(err)
	}
	e := must[*scan.Evaluation](t)(s.ClaimEvaluation(t.Context(), scan.ClaimRequest{JobID: j.ID, Holder: "web", Message: j.ID + "/sbom", Length: 15 * time.Second}))
	if err := s.FinishEvaluation(t.Context(), e.Lease, scan.Conclusion{}); err != nil {
		t.Fatal(err)
	}
	return must[*scan.Job](t)(s.Job(t.Context(), j.ID))
}

// testTerms: who writes in a term that is over is refused.
func testTerms(t *testing.T, root *store.Root) {
	s, ctx := tenant(t, root, "acme").Schedules(), t.Context()
	setPlan(t, s, plan("x", schedule.Rescan))
	request := func() { _, _, err := s.Request(ctx, "x", "", "bob"); must[bool](t)(true, err) }
	request()
	if _, err := s.Begin(ctx, 1, "x"); !errors.Is(err, schedule.ErrFenced) {
		t.Errorf("begun by nobody: %v", err)
	}
	first := leading(t, root)
	r := must[*schedule.Run](t)(s.Begin(ctx, first, "x"))
	second := leading(t, root)
	if second != first+1 {
		t.Errorf("term %d follows %d", second, first)
	}
	r.State = schedule.RunDone
	_, err := s.Begin(ctx, first, "x")
	for i, err := range []error{err, s.Advance(ctx, r, nil)} {
		if !errors.Is(err, schedule.ErrFenced) {
			t.Errorf("%d in a term that is over: %v", i, err)
		}
	}
	again := must[*schedule.Run](t)(s.Begin(ctx, second, "x"))
	if again.ID != r.ID || again.Attempt != 2 || again.State != schedule.RunRunning {
		t.Errorf("the next leader goes on with %+v", again)
	}
	again.State = schedule.RunDone
	if err := s.Advance(ctx, again, nil); err != nil {
		t.Error(err)
	}
	again.State = schedule.RunFailed
	if err := s.Advance(ctx, again, nil); !errors.Is(err, schedule.ErrFenced) {
		t.Errorf("after its end: %v", err)
	}
}

// testSchedulesDue: tenants take turns, and what is not due is not listed.
func testSchedulesDue(t *testing.T, root *store.Root) {
	for _, name := range []string{"acme", "other"} {
		s := tenant(t, root, name).Schedules()
		for i := range 3 {
			setPlan(t, s, plan(fmt.Sprint("p", i), schedule.Rescan))
		}
		setPlan(t, s, plan("later", schedule.Rescan))
	}
	for i := range 3 {
		due(t, tenant(t, root, "acme"), fmt.Sprint("p", i), time.Now().Add(-time.Hour))
	}
	due(t, tenant(t, root, "other"), "p1", time.Now().Add(-time.Minute))
	got := must[[]schedule.Due](t)(root.SchedulesDue(t.Context(), 2))
	if diff := cmp.Diff([]schedule.Due{{Tenant: "acme", ID: "p0"}, {Tenant: "other", ID: "p1"}}, got); diff != "" {
		t.Errorf("due (-want +got):\n%s", diff)
	}
	if all := must[[]schedule.Due](t)(root.SchedulesDue(t.Context(), 100)); len(all) != 4 {
		t.Errorf("due: %+v", all)
	}
}
