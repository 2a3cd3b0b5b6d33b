package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan"
)

func must2(t testing.TB) func(*finding.Report, error) *finding.Report {
	return must[*finding.Report](t)
}

// everyWrite is what a worker may do with a lease.
func everyWrite(t *testing.T, s Scans, l scan.Lease) map[string]error {
	_, beat := s.Heartbeat(t.Context(), l)
	_, resolve := s.Resolve(t.Context(), l, "sha256:late")
	return map[string]error{"heartbeat": beat, "resolve": resolve, "complete": s.Complete(t.Context(), l, results("late")), "fail": s.Fail(t.Context(), l, scan.Failure{Cause: "late"})}
}

func wantFenced(t *testing.T, what string, errs map[string]error) {
	t.Helper()
	for name, err := range errs {
		if !errors.Is(err, scan.ErrFenced) {
			t.Errorf("%s: %s: %v", what, name, err)
		}
	}
}

func testFencing(t *testing.T, s Scans) {
	j := submit(t, s, "a")
	l := claim(t, s, j)
	forged := *l
	forged.Epoch++
	wantFenced(t, "an epoch that is not yet", everyWrite(t, s, forged))
	forged.Epoch = 0
	wantFenced(t, "an epoch that never was", everyWrite(t, s, forged))
	forged = *l
	forged.Holder = "somebody else"
	wantFenced(t, "another holder's epoch", everyWrite(t, s, forged))
	if _, err := s.Heartbeat(t.Context(), *l); err != nil {
		t.Errorf("the holder's heartbeat: %v", err)
	}
	if err := s.Complete(t.Context(), *l, results("a")); err != nil {
		t.Fatal(err)
	}
	errs := everyWrite(t, s, *l)
	wantFenced(t, "after completion", errs)
}

// testTakeover pauses a holder beyond its lease.
func testTakeover(t *testing.T, s Scans) {
	j := submit(t, s, "a")
	c := claimOf(j)
	c.Length = time.Second
	zombie := must[*scan.Lease](t)(s.Claim(t.Context(), c))
	if _, err := s.Claim(t.Context(), claimOf(j)); !errors.Is(err, scan.ErrConflict) {
		t.Errorf("a job that is held: %v", err)
	}
	time.Sleep(1100 * time.Millisecond)
	c.Holder, c.Length = "w2", 15*time.Second
	l := must[*scan.Lease](t)(s.Claim(t.Context(), c))
	if l.Epoch <= zombie.Epoch || l.Attempt != zombie.Attempt+1 {
		t.Errorf("epoch %d after %d, attempt %d after %d", l.Epoch, zombie.Epoch, l.Attempt, zombie.Attempt)
	}
	wantFenced(t, "after the takeover", everyWrite(t, s, *zombie))
	if err := s.Complete(t.Context(), *l, results("a")); err != nil {
		t.Error(err)
	}
	wantFenced(t, "after the takeover completed", everyWrite(t, s, *zombie))
}

func testResolve(t *testing.T, s Scans) {
	j := submit(t, s, "a")
	l := claim(t, s, j)
	for range 2 {
		if got := must[string](t)(s.Resolve(t.Context(), *l, "sha256:1")); got != "sha256:1" {
			t.Errorf("resolved to %s", got)
		}
	}
	if got := must[string](t)(s.Resolve(t.Context(), *l, "sha256:2")); got != "sha256:1" {
		t.Errorf("a moved tag resolved to %s", got)
	}
	m, err := scan.DecodeManifest(must[[]byte](t)(s.Manifest(t.Context(), j.ID)))
	if err != nil || m.Resolved != "sha256:1" {
		t.Errorf("manifest: %+v %v", m, err)
	}
}

func testFail(t *testing.T, s Scans) {
	j := submit(t, s, "a")
	l := claim(t, s, j)
	if err := s.Fail(t.Context(), *l, scan.Failure{Cause: strings.Repeat("long ", 2000)}); err != nil {
		t.Fatal(err)
	}
	got := must[*scan.Job](t)(s.Job(t.Context(), j.ID))
	if got.State != scan.Queued || len(got.Causes) != 1 || len(got.Reason) > scan.MaxReason || got.Attempt != 1 {
		t.Errorf("%s, attempt %d, %d causes, reason of %d bytes", got.State, got.Attempt, len(got.Causes), len(got.Reason))
	}
	if _, err := s.Claim(t.Context(), claimOf(j)); !errors.Is(err, scan.ErrUnavailable) {
		t.Errorf("before its backoff: %v", err)
	}
	other := submit(t, s, "b")
	if err := s.Fail(t.Context(), *claim(t, s, other), scan.Failure{Cause: "no such image", Permanent: true}); err != nil {
		t.Fatal(err)
	}
	got = must[*scan.Job](t)(s.Job(t.Context(), other.ID))
	if got.State != scan.Failed || got.Reason != "no such image" {
		t.Errorf("permanent: %s %q", got.State, got.Reason)
	}
}

// testDead lets every attempt's holder vanish.
func testDead(t *testing.T, s Scans) {
	if testing.Short() {
		t.Skip("waits for five leases")
	}
	j := submit(t, s, "poison")
	var last *scan.Lease
	for i := 1; ; i++ {
		c := claimOf(j)
		c.Length = time.Second
		l, err := s.Claim(t.Context(), c)
		if errors.Is(err, scan.ErrConflict) {
			if i != 6 {
				t.Errorf("refused at attempt %d", i)
			}
			break
		}
		if err != nil || l.Attempt != i {
			t.Fatalf("attempt %d: %+v %v", i, l, err)
		}
		last = l
		time.Sleep(1050 * time.Millisecond)
	}
	if err := s.Fail(t.Context(), *last, scan.Failure{Cause: "the last"}); err != nil {
		t.Fatal(err)
	}
	got := must[*scan.Job](t)(s.Job(t.Context(), j.ID))
	if got.State != scan.Dead || got.Reason != "the last" {
		t.Errorf("%s: %q", got.State, got.Reason)
	}
}

func testCancel(t *testing.T, s Scans) {
	queued, running := submit(t, s, "a"), submit(t, s, "b")
	l := claim(t, s, running)
	evaluated, _ := evaluating(t, s, "c")
	for _, j := range []*scan.Job{queued, running, evaluated} {
		for range 2 { // again is no error
			got, err := s.Cancel(t.Context(), j.ID, "not needed")
			if err != nil || got.State != scan.Cancelled || got.Reason != "not needed" {
				t.Errorf("cancel %s: %+v %v", j.Image, got, err)
			}
		}
	}
	wantFenced(t, "a cancelled job's worker", everyWrite(t, s, *l))
	if _, err := s.Claim(t.Context(), claimOf(queued)); !errors.Is(err, scan.ErrConflict) {
		t.Errorf("claim of a cancelled job: %v", err)
	}
	done := completed(t, s, "d")
	if _, err := s.Cancel(t.Context(), done.ID, ""); !errors.Is(err, scan.ErrConflict) {
		t.Errorf("cancel of a completed job: %v", err)
	}
}

// testCancelRace cancels while a worker completes: one of both wins, whole.
func testCancelRace(t *testing.T, s Scans) {
	for i := range 20 {
		j := submit(t, s, fmt.Sprint("race-", i))
		l := claim(t, s, j)
		var completed, cancelled error
		var wg sync.WaitGroup
		wg.Go(func() { completed = s.Complete(t.Context(), *l, results(j.Image)) })
		wg.Go(func() { _, cancelled = s.Cancel(t.Context(), j.ID, "race") })
		wg.Wait()
		got := must[*scan.Job](t)(s.Job(t.Context(), j.ID))
		if cancelled != nil || got.State != scan.Cancelled { // an evaluating job can be cancelled, too
			t.Fatalf("complete: %v, cancel: %v, job is %s", completed, cancelled, got.State)
		}
		if completed != nil && !errors.Is(completed, scan.ErrFenced) || (completed == nil) != (got.Summary != nil) {
			t.Fatalf("complete: %v, summary %+v", completed, got.Summary)
		}
	}
}

func testEvaluation(t *testing.T, s Scans) {
	j, _ := evaluating(t, s, "a")
	c := scan.ClaimRequest{JobID: j.ID, Holder: "web", Message: j.ID + "/sbom", Length: time.Second}
	e := must[*scan.Evaluation](t)(s.ClaimEvaluation(t.Context(), c))
	if len(e.Documents) != 2 || e.Job.Summary == nil || e.Job.Summary.At.IsZero() || e.Lease.Epoch == 0 {
		t.Errorf("claimed: %+v", e)
	}
	if _, err := s.ClaimEvaluation(t.Context(), c); !errors.Is(err, scan.ErrConflict) {
		t.Errorf("claimed twice: %v", err)
	}
	time.Sleep(1100 * time.Millisecond)
	second := must[*scan.Evaluation](t)(s.ClaimEvaluation(t.Context(), c))
	if !second.Job.Summary.At.Equal(e.Job.Summary.At) {
		t.Errorf("the evaluation time moved from %v to %v", e.Job.Summary.At, second.Job.Summary.At)
	}
	verdict := &scan.Verdict{Digest: "sha256:v", Outcome: "pass", Body: []byte(`{}`)}
	if err := s.FinishEvaluation(t.Context(), e.Lease, scan.Conclusion{Verdict: verdict}); !errors.Is(err, scan.ErrFenced) {
		t.Errorf("the first holder finishes: %v", err)
	}
	conclusion := scan.Conclusion{Verdict: verdict, Signature: &scan.Signature{KeyID: "k", Envelope: []byte("{}")}, Unsigned: true}
	if err := s.FinishEvaluation(t.Context(), second.Lease, conclusion); err != nil {
		t.Fatal(err)
	}
	got := must[*scan.Job](t)(s.Job(t.Context(), j.ID))
	if got.State != scan.Completed || got.Summary.Verdict != "sha256:v" || got.Summary.Outcome != "pass" || !got.Summary.Unsigned {
		t.Errorf("%s: %+v", got.State, got.Summary)
	}
	if _, err := s.ClaimEvaluation(t.Context(), c); !errors.Is(err, scan.ErrConflict) {
		t.Errorf("claim of a completed job: %v", err)
	}
	plain, _ := evaluating(t, s, "b")
	c.JobID = plain.ID
	e = must[*scan.Evaluation](t)(s.ClaimEvaluation(t.Context(), c))
	if err := s.FinishEvaluation(t.Context(), e.Lease, scan.Conclusion{}); err != nil {
		t.Fatal(err)
	}
	if got := must[*scan.Job](t)(s.Job(t.Context(), plain.ID)); got.Summary.Outcome != scan.NotEvaluated {
		t.Errorf("nobody decided, and the outcome is %q", got.Summary.Outcome)
	}
}

func testEvaluationFails(t *testing.T, s Scans) {
	j, _ := evaluating(t, s, "a")
	c := scan.ClaimRequest{JobID: j.ID, Holder: "web", Length: 15 * time.Second}
	e := must[*scan.Evaluation](t)(s.ClaimEvaluation(t.Context(), c))
	if err := s.FailEvaluation(t.Context(), e.Lease, scan.Failure{Cause: "policy is away"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ClaimEvaluation(t.Context(), c); !errors.Is(err, scan.ErrConflict) {
		t.Errorf("before its backoff: %v", err)
	}
	if got := must[*scan.Job](t)(s.Job(t.Context(), j.ID)); got.State != scan.Evaluating || got.Reason != "policy is away" {
		t.Errorf("%s: %q", got.State, got.Reason)
	}
	bad, _ := evaluating(t, s, "b")
	c.JobID = bad.ID
	e = must[*scan.Evaluation](t)(s.ClaimEvaluation(t.Context(), c))
	if err := s.FailEvaluation(t.Context(), e.Lease, scan.Failure{Cause: "no such policy", Permanent: true}); err != nil {
		t.Fatal(err)
	}
	if got := must[*scan.Job](t)(s.Job(t.Context(), bad.ID)); got.State != scan.Failed {
		t.Errorf("permanent: %s", got.State)
	}
}
