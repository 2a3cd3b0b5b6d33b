package crash

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
)

// A worker that is frozen inside of its transaction keeps nobody from working:
// jobs with the same layers complete, and the relay goes on. After a while the
// server ends the transaction, and another worker gets the job.
func TestFrozenInTransaction(t *testing.T) {
	big(t)
	root, err := store.Open(t.Context(), servers.PostgresStore(t).App)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	tenant, err := root.Tenant("alpha")
	if err != nil {
		t.Fatal(err)
	}
	s := tenant.Scans()
	layer, err := blob.New(blob.NewMem(0)).Put(t.Context(), bytes.NewReader([]byte("a layer of everybody")))
	if err != nil {
		t.Fatal(err)
	}
	results := scan.Results{SBOMDigest: layer.Digest, Fragments: []blob.Ref{layer}, Documents: []scan.Stored{{Format: scan.Neutral, MediaType: "application/json", Name: "sbom.json", Ref: layer}}}
	claim := func(j *scan.Job) *scan.Lease {
		t.Helper()
		l, err := s.Claim(t.Context(), scan.ClaimRequest{JobID: j.ID, Holder: t.Name(), Length: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	submit := func() *scan.Job {
		t.Helper()
		j, _, err := s.Submit(t.Context(), scan.Request{Image: "registry.test/a:1"}, "")
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	if err := s.Complete(t.Context(), *claim(submit()), results); err != nil { // the layer is known
		t.Fatal(err)
	}

	frozen, thaw, first := make(chan struct{}), make(chan struct{}), new(atomic.Bool)
	defer crashpoint.Set(crashpoint.Set(func(p crashpoint.Point) {
		if p == crashpoint.CompletePackages && first.CompareAndSwap(false, true) {
			close(frozen)
			<-thaw
		}
	}))
	job := submit()
	lease := claim(job)
	late := make(chan error)
	go func() { late <- s.Complete(context.WithoutCancel(t.Context()), *lease, results) }()
	<-frozen

	soon, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	if err := s.Complete(soon, *claim(submit()), results); err != nil {
		t.Errorf("a job with the same layer cannot complete: %v", err)
	}
	time.Sleep(1100 * time.Millisecond) // the lease of the frozen one ends
	if _, err := root.Sweep(soon); err != nil {
		t.Errorf("the sweep waits for the frozen worker: %v", err)
	}
	n := 0
	for over := time.Now().Add(40 * time.Second); n == 0 && time.Now().Before(over); time.Sleep(200 * time.Millisecond) {
		if n, err = root.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Error("the job of the frozen worker is not given back")
	}
	close(thaw)
	if err := <-late; !errors.Is(err, store.ErrFenced) && !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the late results: %v", err)
	}
	if j, err := s.Job(t.Context(), job.ID); err != nil || j.State != scan.Queued {
		t.Errorf("the job is %v after the late results, %v", j, err)
	}
}
