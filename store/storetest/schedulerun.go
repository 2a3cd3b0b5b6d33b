package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store"
)

// runnerOf is a runner on a store, whose registries say nothing.
func runnerOf(t testing.TB, root *store.Root) *schedule.Runner {
	return &schedule.Runner{
		Due:         root.SchedulesDue,
		Progress:    func(name string) (schedule.Progress, error) { return tenant(t, root, name).Schedules(), nil },
		Scans:       func(name string) (schedule.Submitter, error) { return tenant(t, root, name).Scans(), nil },
		Evaluations: root.Schedule(),
		Resolve: func(context.Context, string, string, string) (string, error) {
			return "", errors.New("no registry is asked here")
		},
	}
}

// runNow has a plan run by request, and returns its run when it has ended.
func runNow(t testing.TB, root *store.Root, r *schedule.Runner, name, id string) *schedule.Run {
	t.Helper()
	s := tenant(t, root, name).Schedules()
	asked, _, err := s.Request(t.Context(), id, "", "bob")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.RunPlan(t.Context(), leading(t, root), schedule.Due{Tenant: name, ID: id}); err != nil {
		t.Fatal(err)
	}
	return must[*schedule.Run](t)(s.Run(t.Context(), id, asked.ID))
}

func counts(r *schedule.Run) string {
	return fmt.Sprintf("%s: %d = %d+%d+%d", r.State, r.Selected, r.Submitted, r.Skipped, r.Failed)
}

// queued counts jobs that wait, by image.
func queued(t testing.TB, s scan.Store) map[string]int {
	t.Helper()
	out := map[string]int{}
	for after := ""; ; {
		page := must[*scan.Page](t)(s.List(t.Context(), scan.Query{State: scan.Queued, After: after, Limit: 1000}))
		for _, j := range page.Jobs {
			out[j.Image]++
		}
		if after = page.Next; after == "" {
			return out
		}
	}
}

func testRescan(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	completedAs(t, acme.Scans(), scan.Request{Image: "shop:1", Owner: "ann", Labels: map[string]string{"a": "b"}, Formats: []string{"spdx-json"}}, "sha256:a")
	completed(t, acme.Scans(), "shop:2")
	completed(t, acme.Scans(), "other")
	p := plan("x", schedule.Rescan, "shop:*")
	setPlan(t, acme.Schedules(), p)
	r := runnerOf(t, root)
	if got := counts(runNow(t, root, r, "acme", "x")); got != "done: 2 = 2+0+0" {
		t.Errorf("ran: %s", got)
	}
	if got := counts(runNow(t, root, r, "acme", "x")); got != "done: 2 = 0+2+0" {
		t.Errorf("ran while nobody worked: %s", got)
	}
	if diff := cmp.Diff(map[string]int{"shop:1": 1, "shop:2": 1}, queued(t, acme.Scans())); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
	page := must[*scan.Page](t)(acme.Scans().List(t.Context(), scan.Query{Image: "shop:1"}))
	m := must[*scan.Manifest](t)(scan.DecodeManifest(must[[]byte](t)(acme.Scans().Manifest(t.Context(), page.Jobs[0].ID))))
	if diff := cmp.Diff(&scan.Manifest{JobID: page.Jobs[0].ID, Reference: "shop:1", Owner: "ann", Labels: map[string]string{"a": "b"}, Formats: []string{"spdx-json"}}, m); diff != "" || page.Jobs[0].Priority != 2 {
		t.Errorf("asked for the same again with priority %d (-want +got):\n%s", page.Jobs[0].Priority, diff)
	}
}

func testEvaluateAll(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	nextHead(t, root, 1, "one")
	old := completeAt(t, acme.Scans(), "old", "one")
	nextHead(t, root, 2, "two")
	current := completeAt(t, acme.Scans(), "current", "two")
	setPlan(t, acme.Schedules(), plan("x", schedule.Evaluate))
	r := runnerOf(t, root)
	for range 2 {
		if got := counts(runNow(t, root, r, "acme", "x")); got != "done: 2 = 1+1+0" {
			t.Errorf("ran: %s", got)
		}
	}
	if a, b := list(t, acme.Evaluations(), old.ID), list(t, acme.Evaluations(), current.ID); a != "2:pending:schedule:0" || b != "" {
		t.Errorf("evaluations: %q and %q", a, b)
	}
	if n := queued(t, acme.Scans()); len(n) != 0 {
		t.Errorf("scans: %v", n)
	}
}

// completeAt has a scan completed that was matched with a snapshot.
func completeAt(t testing.TB, s Scans, image, snapshot string) *scan.Job {
	t.Helper()
	j := evaluatingAt(t, s, image, snapshot)
	e := must[*scan.Evaluation](t)(s.ClaimEvaluation(t.Context(), scan.ClaimRequest{JobID: j.ID, Holder: "web", Message: j.ID + "/sbom", Length: 15 * time.Second}))
	if err := s.FinishEvaluation(t.Context(), e.Lease, scan.Conclusion{}); err != nil {
		t.Fatal(err)
	}
	return j
}

func testWatch(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	scans := acme.Scans()
	for image, digest := range map[string]string{"still:1": "sha256:a", "moved:1": "sha256:a", "away:1": "sha256:a", "pinned@sha256:0123": "sha256:a", "local": ""} {
		completedAs(t, scans, scan.Request{Image: image, Platform: "linux/amd64"}, digest)
	}
	setPlan(t, acme.Schedules(), plan("x", schedule.Watch))
	var mu sync.Mutex
	asked := map[string]int{}
	back := false
	r := runnerOf(t, root)
	r.Resolve = func(_ context.Context, name, ref, platform string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		asked[ref]++
		switch {
		case name != "acme" || platform != "linux/amd64":
			return "", fmt.Errorf("asked for %s of %s", platform, name)
		case ref == "away:1" && !back:
			return "", errors.New("the registry is away")
		case ref == "moved:1":
			return "sha256:b", nil
		}
		return "sha256:a", nil
	}
	run := runNow(t, root, r, "acme", "x")
	if got := counts(run); got != "done: 5 = 1+3+1" || len(run.Problems) != 1 || run.Problems[0].Image != "away:1" || !strings.Contains(run.Problems[0].Reason, "away") {
		t.Errorf("ran: %s, %+v", got, run.Problems)
	}
	if diff := cmp.Diff(map[string]int{"moved:1": 1}, queued(t, scans)); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
	// The tag that moved is being scanned, the one that failed waits.
	if got := counts(runNow(t, root, r, "acme", "x")); got != "done: 5 = 0+5+0" {
		t.Errorf("ran again: %s", got)
	}
	if diff := cmp.Diff(map[string]int{"moved:1": 1, "still:1": 2, "away:1": 1}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	targets := must[*schedule.Targets](t)(acme.Schedules().Targets(t.Context(), &schedule.Selection{Images: []string{"away:1"}}, schedule.Cursor{}, 100))
	if len(targets.List) != 1 || targets.List[0].Failures != 1 || !targets.List[0].Waits {
		t.Errorf("what failed: %+v", targets.List)
	}
	// Its wait is over: it fails again, then it is back.
	waited := func() {
		_, err := acme.Once(t.Context(), "test", fmt.Sprint("waited", time.Now().UnixNano()), func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE scheduler.watches SET not_before_us = 1 WHERE tenant_id = $1`, "acme")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	waited()
	runNow(t, root, r, "acme", "x")
	targets = must[*schedule.Targets](t)(acme.Schedules().Targets(t.Context(), &schedule.Selection{Images: []string{"away:1"}}, schedule.Cursor{}, 100))
	if targets.List[0].Failures != 2 {
		t.Errorf("what failed twice: %+v", targets.List)
	}
	waited()
	mu.Lock()
	back = true
	mu.Unlock()
	runNow(t, root, r, "acme", "x")
	targets = must[*schedule.Targets](t)(acme.Schedules().Targets(t.Context(), &schedule.Selection{Images: []string{"away:1"}}, schedule.Cursor{}, 100))
	if targets.List[0].Failures != 0 || targets.List[0].Waits {
		t.Errorf("what is back: %+v", targets.List)
	}
}

// broken fails at some calls, before or after their effect: as what dies there.
type broken struct {
	schedule.Progress
	schedule.Submitter
	mu   *sync.Mutex
	dice *rand.Rand
	odds int
}

var errBroken = errors.New("died")

// roll says where a call fails: 0 before, 1 after, else nowhere.
func (b *broken) roll() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dice.IntN(b.odds)
}

func call[T any](b *broken, f func() (T, error)) (out T, err error) {
	at := b.roll()
	if at == 0 {
		return out, errBroken
	}
	if out, err = f(); at == 1 {
		err = errBroken
	}
	return out, err
}

func (b *broken) Begin(ctx context.Context, term int64, id string) (*schedule.Run, error) {
	return call(b, func() (*schedule.Run, error) { return b.Progress.Begin(ctx, term, id) })
}

func (b *broken) Advance(ctx context.Context, r *schedule.Run, m []schedule.Mark) error {
	_, err := call(b, func() (bool, error) { return true, b.Progress.Advance(ctx, r, m) })
	return err
}

func (b *broken) Submit(ctx context.Context, r scan.Request, key string) (*scan.Job, bool, error) {
	j, err := call(b, func() (*scan.Job, error) { j, _, err := b.Submitter.Submit(ctx, r, key); return j, err })
	return j, false, err
}

// testRedo: whatever dies wherever, each image is submitted once in a run.
func testRedo(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	const images = 25
	for i := range images {
		completed(t, acme.Scans(), fmt.Sprint("image:", i))
	}
	s := acme.Schedules()
	setPlan(t, s, plan("x", schedule.Rescan))
	asked, _, err := s.Request(t.Context(), "x", "", "bob")
	if err != nil {
		t.Fatal(err)
	}
	b := &broken{Progress: s, Submitter: acme.Scans(), mu: new(sync.Mutex), dice: rand.New(rand.NewPCG(1, 2)), odds: 12}
	r := runnerOf(t, root)
	r.Progress = func(string) (schedule.Progress, error) { return b, nil }
	r.Scans = func(string) (schedule.Submitter, error) { return b, nil }
	tries := 0
	for run := asked; run.State == schedule.RunRunning; run = must[*schedule.Run](t)(s.Run(t.Context(), "x", asked.ID)) {
		if tries++; tries > 500 {
			t.Fatalf("it does not end: %+v", run)
		}
		_ = r.RunPlan(t.Context(), leading(t, root), schedule.Due{Tenant: "acme", ID: "x"})
		hurry(t, acme)
		b.odds += 2 // it gets better
	}
	run := must[*schedule.Run](t)(s.Run(t.Context(), "x", asked.ID))
	if tries < 3 || run.State != schedule.RunDone || run.Selected != images || run.Submitted+run.Skipped != images {
		t.Errorf("after %d attempts: %s, %s", tries, counts(run), run.Reason)
	}
	for image, n := range queued(t, acme.Scans()) {
		if n != 1 {
			t.Errorf("%s was submitted %d times", image, n)
		}
	}
	if n := len(queued(t, acme.Scans())); n != images {
		t.Errorf("%d images were submitted, want %d", n, images)
	}
}

// hurry ends waits, and counts no attempts.
func hurry(t testing.TB, tn *store.Tenant) {
	t.Helper()
	_, err := tn.Once(t.Context(), "test", fmt.Sprint("hurry", time.Now().UnixNano()), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE scheduler.runs SET not_before_us = 1, attempt = 0 WHERE tenant_id = $1 AND state = 'running'`, tn.Name())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// testTwoLeaders: two that take themselves for the leader make each scan once, and only the
// later one writes of the run.
func testTwoLeaders(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	const images = 40
	for i := range images {
		completed(t, acme.Scans(), fmt.Sprint("image:", i))
	}
	s := acme.Schedules()
	setPlan(t, s, plan("x", schedule.Rescan))
	for range 3 {
		asked, _, err := s.Request(t.Context(), "x", "", "bob")
		if err != nil {
			t.Fatal(err)
		}
		first := leading(t, root)
		var began sync.WaitGroup
		began.Add(1)
		old := runnerOf(t, root)
		old.Scans = func(string) (schedule.Submitter, error) { began.Done(); return acme.Scans(), nil }
		var wg sync.WaitGroup
		var zombie error
		wg.Go(func() { zombie = old.RunPlan(t.Context(), first, schedule.Due{Tenant: "acme", ID: "x"}) })
		began.Wait()
		second := leading(t, root)
		if err := runnerOf(t, root).RunPlan(t.Context(), second, schedule.Due{Tenant: "acme", ID: "x"}); err != nil {
			t.Error(err)
		}
		wg.Wait()
		run := must[*schedule.Run](t)(s.Run(t.Context(), "x", asked.ID))
		if !errors.Is(zombie, schedule.ErrFenced) || run.State != schedule.RunDone || run.Term != second || run.Selected != images {
			t.Errorf("the first leader: %v; the run: term %d of %d, %s", zombie, run.Term, second, counts(run))
		}
		for image, n := range queued(t, acme.Scans()) {
			if n != 1 {
				t.Errorf("%s was submitted %d times", image, n)
			}
		}
		for _, j := range must[*scan.Page](t)(acme.Scans().List(t.Context(), scan.Query{State: scan.Queued, Limit: 1000})).Jobs {
			must[*scan.Job](t)(acme.Scans().Cancel(t.Context(), j.ID, "next round"))
		}
	}
}

// testDeadRuns: a run without progress fails after its attempts, and one that nobody
// survives too; then the next window has its turn.
func testDeadRuns(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	completed(t, acme.Scans(), "image")
	s := acme.Schedules()
	setPlan(t, s, plan("x", schedule.Rescan))
	r := runnerOf(t, root)
	r.Scans = func(string) (schedule.Submitter, error) {
		return nil, fmt.Errorf("no scans: %w", schedule.ErrUnavailable)
	}
	term := leading(t, root)
	asked, _, err := s.Request(t.Context(), "x", "", "bob")
	if err != nil {
		t.Fatal(err)
	}
	over := func() {
		_, err := acme.Once(t.Context(), "test", fmt.Sprint("over", time.Now().UnixNano()), func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE scheduler.runs SET not_before_us = 1 WHERE tenant_id = $1 AND state = 'running'`, "acme")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range schedule.RunAttempts {
		if err := r.RunPlan(t.Context(), term, schedule.Due{Tenant: "acme", ID: "x"}); !errors.Is(err, schedule.ErrUnavailable) {
			t.Errorf("attempt %d: %v", i+1, err)
		}
		if i == 0 { // it waits
			if err := r.RunPlan(t.Context(), term, schedule.Due{Tenant: "acme", ID: "x"}); err != nil {
				t.Errorf("before its time: %v", err)
			}
		}
		over()
	}
	if run := must[*schedule.Run](t)(s.Run(t.Context(), "x", asked.ID)); run.State != schedule.RunFailed || !strings.Contains(run.Reason, "no scans") || run.Attempt != schedule.RunAttempts {
		t.Errorf("in the end: %+v", run)
	}
	if asked, _, err = s.Request(t.Context(), "x", "", "bob"); err != nil {
		t.Fatal(err)
	}
	for range schedule.RunAttempts {
		must[*schedule.Run](t)(s.Begin(t.Context(), term, "x"))
	}
	if _, err := s.Begin(t.Context(), term, "x"); !errors.Is(err, schedule.ErrConflict) {
		t.Errorf("once more: %v", err)
	}
	if run := must[*schedule.Run](t)(s.Run(t.Context(), "x", asked.ID)); run.State != schedule.RunFailed || !strings.Contains(run.Reason, "without a word") {
		t.Errorf("a run that kills: %+v", run)
	}
}

// testScheduleLoop: who leads runs what is due of all tenants, beside a plan that takes long,
// and stops when its term is over.
func testScheduleLoop(t *testing.T, root *store.Root) {
	for _, name := range []string{"acme", "other", "slow"} {
		tn := tenant(t, root, name)
		completed(t, tn.Scans(), "image")
		setPlan(t, tn.Schedules(), plan("x", schedule.Rescan))
		due(t, tn, "x", time.Now().Add(-time.Hour))
	}
	r := runnerOf(t, root)
	r.Every, r.Report = 20*time.Millisecond, func(err error) { t.Error(err) }
	release := make(chan struct{})
	r.Scans = func(name string) (schedule.Submitter, error) {
		if name == "slow" {
			<-release
		}
		return tenant(t, root, name).Scans(), nil
	}
	ran := make(chan error, 1)
	first := leading(t, root)
	go func() { ran <- r.Run(t.Context(), first) }()
	done := func(name string) bool {
		runs := must[[]schedule.Run](t)(tenant(t, root, name).Schedules().Runs(t.Context(), "x", "", 0))
		return len(runs) == 1 && runs[0].State == schedule.RunDone
	}
	wait := func(what string, f func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal(what)
			}
		}
	}
	wait("the others wait for the slow one", func() bool { return done("acme") && done("other") })
	if done("slow") {
		t.Error("the slow one is done")
	}
	leading(t, root) // another term: the slow one is refused, and the loop ends
	close(release)
	if err := <-ran; !errors.Is(err, schedule.ErrFenced) {
		t.Errorf("after its term: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	second := leading(t, root)
	go func() { ran <- r.Run(ctx, second) }()
	wait("the next leader does not go on", func() bool { return done("slow") })
	cancel()
	if err := <-ran; !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	for _, name := range []string{"acme", "other", "slow"} {
		if n := queued(t, tenant(t, root, name).Scans())["image"]; n != 1 {
			t.Errorf("%s: %d scans", name, n)
		}
	}
}
