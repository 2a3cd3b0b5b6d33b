package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// testSweep lets a holder vanish: another one is told.
func testSweep(t *testing.T, root *store.Root) {
	q := memory(t)
	y := root.Relay(q, nil)
	s := tenant(t, root, "acme").Scans()
	j, held := submit(t, s, "a"), submit(t, s, "held")
	c := claimOf(j)
	c.Length = time.Second
	zombie := must[*scan.Lease](t)(s.Claim(t.Context(), c))
	claim(t, s, held)
	if n := must[int](t)(root.Sweep(t.Context())); n != 0 {
		t.Errorf("%d jobs swept while they are held", n)
	}
	time.Sleep(1100 * time.Millisecond)
	if n := must[int](t)(root.Sweep(t.Context())); n != 1 {
		t.Errorf("%d jobs swept, want 1", n)
	}
	if n := must[int](t)(root.Sweep(t.Context())); n != 0 {
		t.Errorf("%d jobs swept again", n)
	}
	got := must[*scan.Job](t)(s.Job(t.Context(), j.ID))
	if got.State != scan.Queued || len(got.Causes) != 1 {
		t.Errorf("%s, causes %q", got.State, got.Causes)
	}
	wantFenced(t, "after the sweep", everyWrite(t, s, *zombie))
	relayAll(t, y)
	jobs := drain(t, q, event.ScannerJobs, event.GroupScannerWorkers)
	if len(jobs) != 1 {
		t.Fatalf("%d job messages", len(jobs))
	}
	c.Message = jobs[0].ID
	if l := must[*scan.Lease](t)(s.Claim(t.Context(), c)); l.Attempt != 2 {
		t.Errorf("attempt %d", l.Attempt)
	}
}

func testSweepEvaluation(t *testing.T, root *store.Root) {
	q := memory(t)
	y := root.Relay(q, nil)
	s := tenant(t, root, "acme").Scans()
	j, _ := evaluating(t, s, "a")
	relayAll(t, y)
	drain(t, q, event.ScannerEvents, event.GroupScannerWeb)
	c := scan.ClaimRequest{JobID: j.ID, Holder: "web", Message: j.ID + "/sbom", Length: time.Second}
	must[*scan.Evaluation](t)(s.ClaimEvaluation(t.Context(), c))
	time.Sleep(1100 * time.Millisecond)
	if n := must[int](t)(root.Sweep(t.Context())); n != 1 {
		t.Errorf("%d evaluations swept", n)
	}
	if n := must[int](t)(root.Sweep(t.Context())); n != 0 {
		t.Errorf("%d evaluations swept again at once", n)
	}
	relayAll(t, y)
	again := drain(t, q, event.ScannerEvents, event.GroupScannerWeb)
	if len(again) != 1 || again[0].ID != j.ID+"/sbom" {
		t.Fatalf("announced again: %q", ids(again))
	}
	must[*scan.Evaluation](t)(s.ClaimEvaluation(t.Context(), c))
}

func testReferences(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	s, refs := acme.Scans(), acme.References()
	r := results("a")
	evaluating(t, s, "a")
	for _, d := range []string{r.SBOMDigest, r.Fragments[0].Digest} {
		if free := must[bool](t)(refs.Condemn(t.Context(), d)); free {
			t.Errorf("%s is referred to and was condemned", d)
		}
	}
	evaluating(t, s, "a") // the same objects once more: they are not condemned
	later := results("b")
	if free := must[bool](t)(refs.Condemn(t.Context(), later.SBOMDigest)); !free {
		t.Error("nothing refers to the object, and it was not condemned")
	}
	if free := must[bool](t)(tenant(t, root, "other").References().Condemn(t.Context(), r.SBOMDigest)); !free {
		t.Error("another tenant's reference counts")
	}
	l := claim(t, s, submit(t, s, "b"))
	if err := s.Complete(t.Context(), *l, later); !errors.Is(err, scan.ErrConflict) {
		t.Errorf("a reference to a condemned object: %v", err)
	}
	if err := refs.Forget(t.Context(), later.SBOMDigest); err != nil {
		t.Fatal(err)
	}
	if err := s.Complete(t.Context(), *l, later); err != nil {
		t.Errorf("after it was forgotten: %v", err)
	}
}

// testRecoverEvaluation loses an event that was announced again after its claim.
func testRecoverEvaluation(t *testing.T, root *store.Root) {
	f := &forgetful{incarnation: "1"}
	y := root.Relay(queue.New(f), nil)
	if err := root.Register(t.Context(), event.ScannerEvents, event.GroupScannerWeb, event.SBOMCreated); err != nil {
		t.Fatal(err)
	}
	must[int64](t)(y.Recover(t.Context()))
	s := tenant(t, root, "acme").Scans()
	j, _ := evaluating(t, s, "a")
	relayAll(t, y)
	must[*scan.Evaluation](t)(s.ClaimEvaluation(t.Context(), scan.ClaimRequest{JobID: j.ID, Holder: "web", Message: j.ID + "/sbom", Length: time.Second}))
	time.Sleep(1100 * time.Millisecond)
	must[int](t)(root.Sweep(t.Context()))
	relayAll(t, y)
	f.incarnation, f.published = "2", nil
	must[int64](t)(y.Recover(t.Context()))
	relayAll(t, y)
	if !slices.Contains(f.published, j.ID+"/sbom") {
		t.Errorf("the queue lost the event of an evaluation that was given back; published again: %q", f.published)
	}
}
