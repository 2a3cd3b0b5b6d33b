package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/vex"
)

// watchedStore is a store that tells a test what a gateway does.
type watchedStore struct {
	policy.Store
	loaded func()
	keep   func(*policy.Batch) error // instead
	before func()                    // the keeping
}

func (s *watchedStore) Load(ctx context.Context, q policy.Request) (*policy.Loaded, error) {
	in, err := s.Store.Load(ctx, q)
	if s.loaded != nil {
		s.loaded()
	}
	return in, err
}

func (s *watchedStore) Keep(ctx context.Context, b *policy.Batch) error {
	if s.before != nil {
		s.before()
	}
	if s.keep != nil {
		return s.keep(b)
	}
	return s.Store.Keep(ctx, b)
}

// watched is a gateway over such a store.
func (w *policyWorld) watched(s *watchedStore) *policy.Gateway {
	s.Store = w.acme.Policy()
	return &policy.Gateway{Stores: func(string) (policy.Store, error) { return s, nil }, Document: w.gateway.Document, Statements: w.gateway.Statements}
}

func testVerdicts(w *policyWorld) {
	p, ctx := w.acme.Policy(), w.Context()
	w.enforce(w.acme, "production", blockFrom(1, finding.High))
	w.enforce(w.acme, "", blockFrom(2, finding.Critical))
	w.settle()
	id := w.scan(w.acme, "a", "CVE-1 high", "CVE-2 low")
	other := w.scan(w.acme, "b", "CVE-2 low")
	w.settle()
	w.want(w.acme, id, ":pass:0 production:block:1")
	w.want(w.acme, other, ":pass:0 production:pass:0")
	if diff := cmp.Diff([]string{">block CVE-1 pkg:npm/x@1", ">pass ", ">pass ", ">pass "}, w.changes()); diff != "" {
		w.Errorf("told (-want +got):\n%s", diff)
	}
	all, next, err := p.Decisions(ctx, id, "", 0)
	if err != nil || len(all) != 2 || next != "" {
		w.Fatalf("%+v, %q, %v", all, next, err)
	}
	one, next, err := p.Decisions(ctx, id, "", 1)
	rest, end, err2 := p.Decisions(ctx, id, next, 1)
	if err != nil || err2 != nil || end != "" || !cmp.Equal(all, append(one, rest...)) {
		w.Errorf("in pages: %+v, %+v, %q, %v, %v", one, rest, end, err, err2)
	}
	job := must[*scan.Job](w)(w.acme.Scans().Job(ctx, id))
	for _, d := range all {
		r := must[*policy.Record](w)(p.Find(ctx, d.Key))
		v := must[*policy.Verdict](w)(policy.DecodeVerdict(r.Body))
		trace := must[*policy.Trace](w)(policy.DecodeTrace(r.Trace))
		if v.Key() != d.Key || v.Digest() != d.Digest || v.Outcome != d.Outcome || len(trace.Decisions) != 2 || !d.At.Equal(job.Summary.At) || v.Inputs.Advisories != sha("one") || v.Inputs.SBOM != job.Summary.SBOMDigest {
			w.Errorf("%+v has %s", d, r.Body)
		}
	}
	for _, err := range []error{second(p.Find(ctx, sha("x"))), second(p.Current(ctx, "scan-none")), second(p.Load(ctx, policy.Request{ScanID: "scan-none"}))} {
		if !errors.Is(err, policy.ErrNotFound) {
			w.Error(err)
		}
	}
	if _, _, err := p.Decisions(ctx, id, "x", 1); !errors.Is(err, policy.ErrInvalid) {
		w.Error(err)
	}
	w.enforce(w.acme, "production", blockFrom(3, finding.Low))
	w.settle()
	w.want(w.acme, id, ":pass:0 production:block:2")
	if diff := cmp.Diff([]string{"block>block CVE-1 pkg:npm/x@1,CVE-2 pkg:npm/x@1", "pass>block CVE-2 pkg:npm/x@1"}, w.changes()); diff != "" {
		w.Errorf("told (-want +got):\n%s", diff)
	}
}

// testUnassessed: what nobody matched is never a pass.
func testUnassessed(w *policyWorld) {
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	s := w.acme.Scans()
	j := submit(w, s, "a")
	r := policyResults(w, "a")
	r.Report = nil
	if err := s.Complete(w.Context(), *claim(w, s, j), r); err != nil {
		w.Fatal(err)
	}
	w.settle()
	w.want(w.acme, j.ID, ":not_assessed:0")
}

// testSameKey: evaluators with the same inputs give the same bytes, in one row.
func testSameKey(w *policyWorld) {
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	id := w.scan(w.acme, "a", "CVE-1 high")
	twin := w.scan(w.acme, "a", "CVE-1 high")
	at := must[*scan.Job](w)(w.acme.Scans().Job(w.Context(), twin)).Summary.At
	var wg sync.WaitGroup
	got := make([][]policy.Record, 6)
	for i := range got {
		wg.Go(func() {
			var err error
			q := policy.Request{ScanID: []string{id, twin}[i%2], At: at, Cause: "race"}
			for range 20 {
				if got[i], err = w.gateway.Evaluate(w.Context(), "acme", q); !errors.Is(err, policy.ErrUnavailable) {
					break
				}
			}
			if err != nil {
				w.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range got {
		if len(got[i]) != 1 || got[i][0].Key != got[0][0].Key || !bytes.Equal(got[i][0].Body, got[0][0].Body) || !bytes.Equal(got[i][0].Trace, got[0][0].Trace) {
			w.Errorf("evaluator %d decided otherwise", i)
		}
	}
	for _, scanned := range []string{id, twin} {
		list, _, err := w.acme.Policy().Decisions(w.Context(), scanned, "", 0)
		if err != nil || len(list) != 1 || list[0].Key != got[0][0].Key {
			w.Errorf("%s: %+v, %v", scanned, list, err)
		}
	}
	w.settle()
	if diff := cmp.Diff([]string{">block CVE-1 pkg:npm/x@1", ">block CVE-1 pkg:npm/x@1"}, w.changes()); diff != "" {
		w.Errorf("told (-want +got):\n%s", diff)
	}
}

// testOtherBytes: another verdict, or another trace, under a key that is taken.
func testOtherBytes(w *policyWorld) {
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	id := w.scan(w.acme, "a", "CVE-1 high")
	r := w.evaluate(id, time.Now())[0]
	b := policy.Batch{ScanID: id, At: r.At, Cause: "test", Records: []policy.Record{r}}
	if err := w.acme.Policy().Keep(w.Context(), &b); err != nil {
		w.Errorf("the same again: %v", err)
	}
	forged := r
	forged.Trace = append([]byte(" "), r.Trace...)
	b.Records = []policy.Record{forged}
	if err := w.acme.Policy().Keep(w.Context(), &b); !errors.Is(err, policy.ErrMismatch) {
		w.Errorf("another trace: %v", err)
	}
	forged = r
	forged.Body = bytes.Replace(r.Body, []byte(`"outcome":"block"`), []byte(`"outcome":"pass"`), 1)
	forged.Digest, forged.Outcome = sha(string(forged.Body)), policy.Pass
	b.Records = []policy.Record{forged}
	if err := w.acme.Policy().Keep(w.Context(), &b); !errors.Is(err, policy.ErrMismatch) || bytes.Equal(forged.Body, r.Body) {
		w.Errorf("another verdict: %v", err)
	}
	forged.Digest = r.Digest
	b.Records = []policy.Record{forged}
	if err := w.acme.Policy().Keep(w.Context(), &b); !errors.Is(err, policy.ErrInvalid) {
		w.Errorf("a verdict that is not its digest: %v", err)
	}
	b.Records = []policy.Record{{Environment: "", Outcome: policy.Pass, At: r.At}}
	if err := w.acme.Policy().Keep(w.Context(), &b); !errors.Is(err, policy.ErrInvalid) {
		w.Errorf("a pass without a verdict: %v", err)
	}
	w.settle()
	w.want(w.acme, id, ":block:1")
}

// testVerdictOrder: what was loaded earlier does not hold because it is kept later.
func testVerdictOrder(w *policyWorld) {
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	id := w.scan(w.acme, "a", "CVE-1 high")
	var late *policy.Batch
	at := time.Now().Add(time.Hour)
	_, err := w.watched(&watchedStore{keep: func(b *policy.Batch) error { late = b; return nil }}).Evaluate(w.Context(), "acme", policy.Request{ScanID: id, At: at, Cause: "slow"})
	if err != nil {
		w.Fatal(err)
	}
	w.enforce(w.acme, "", blockFrom(2, finding.Critical))
	w.settle()
	w.want(w.acme, id, ":pass:0")
	if err := w.acme.Policy().Keep(w.Context(), late); err != nil {
		w.Fatal(err)
	}
	w.want(w.acme, id, ":pass:0:stale") // to be on the safe side
	w.settle()
	w.want(w.acme, id, ":pass:0")
	if _, err := w.acme.Policy().Find(w.Context(), late.Records[0].Key); err != nil {
		w.Errorf("it is kept all the same: %v", err)
	}
	// An earlier evaluation time with the same inputs does not count either.
	before := must[[]policy.Standing](w)(w.acme.Policy().Current(w.Context(), id))[0]
	w.evaluate(id, before.At.Add(-time.Hour))
	if s := must[[]policy.Standing](w)(w.acme.Policy().Current(w.Context(), id))[0]; s.Key != before.Key || !s.At.Equal(before.At) {
		w.Errorf("it holds as of %v, and before as of %v", s.At, before.At)
	}
}

// testMovingHeads: what changes between loading and keeping has the scan decided about
// again.
func testMovingHeads(w *policyWorld) {
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	w.settle()
	id := w.scan(w.acme, "a", "CVE-1 high")
	// Nobody watches the scan yet: who is told of the head does not find it.
	moved := false
	g := w.watched(&watchedStore{before: func() {
		if !moved {
			moved = true
			vexCommit(w.T, w.root.VEX(), 1, []string{"CVE-1"}, decision("CVE-1", vex.Affected))
			vexCommit(w.T, w.acme.VEX(), 1, []string{"CVE-1"}, decision("CVE-1", vex.Affected))
			relayAll(w, w.relay)
			for _, m := range w.queue.messages {
				if m.topic == event.ExcititorDeltas {
					if err := w.handler.Handle(w.Context(), m.body); err != nil {
						w.Fatal(err)
					}
				}
			}
			w.queue.messages = nil
			must[int](w)(w.root.WakePolicies(w.Context()))
		}
	}})
	if _, err := g.Evaluate(w.Context(), "acme", policy.Request{ScanID: id, At: time.Now(), Cause: "first"}); err != nil {
		w.Fatal(err)
	}
	w.want(w.acme, id, ":block:1:stale")
	w.settle()
	s := must[[]policy.Standing](w)(w.acme.Policy().Current(w.Context(), id))[0]
	if s.Stale || s.Evaluated.VEX != 1 || s.Evaluated.Own != 1 || s.Evaluated != s.Newest {
		w.Errorf("in the end: %+v", s)
	}
}

// testOneMoment: what is loaded is of one moment, while policies and exceptions change.
func testOneMoment(w *policyWorld) {
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	id := w.scan(w.acme, "a", "CVE-1 high")
	const changes = 30
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 2; n <= changes; n++ {
			if _, _, err := w.acme.Policy().Except(w.Context(), suppress(fmt.Sprintf("exc-%03d", n), time.Time{}, "CVE-9"), "bob"); err != nil {
				w.Error(err)
			}
			if _, _, err := w.acme.Policy().Add(w.Context(), blockFrom(n, finding.High), nil, "ann"); err != nil {
				w.Error(err)
			}
			if _, err := w.acme.Policy().Activate(w.Context(), policy.Activation{Policy: policy.Named{ID: "release", Version: n}}); err != nil {
				w.Error(err)
			}
		}
	}()
	loads := 0
	for going := true; going; loads++ {
		select {
		case <-done:
			going = false
		default:
		}
		in := must[*policy.Loaded](w)(w.acme.Policy().Load(w.Context(), policy.Request{ScanID: id}))
		version := int64(in.Active[0].Policy.Version)
		if version != in.Marks.Policies || int64(len(in.Exceptions)) != in.Marks.Exceptions || in.Marks.Exceptions+1 < version || in.Marks.Exceptions > version {
			w.Fatalf("version %d with %d exceptions is of two moments: %+v", version, len(in.Exceptions), in.Marks)
		}
	}
	if loads < 3 {
		w.Logf("only %d loads", loads)
	}
}

// testPolicyLimits: what is too large is refused, and the scan has no verdict that
// allows.
func testPolicyLimits(w *policyWorld) {
	w.enforce(w.acme, "", blockFrom(1, finding.High))
	id := w.scan(w.acme, "a", "CVE-1 low")
	w.settle()
	w.want(w.acme, id, ":pass:0")
	r := w.evaluate(id, time.Now())[0]
	noise := make([]byte, store.MaxTraceKept+1)
	rand.Read(noise)
	r.Trace, r.Key = noise, sha("other")
	if err := w.acme.Policy().Keep(w.Context(), &policy.Batch{ScanID: id, At: r.At, Records: []policy.Record{r}}); !errors.Is(err, policy.ErrLimit) {
		w.Errorf("a large trace: %v", err)
	}
	// A gateway that cannot keep what it decides fails for good.
	g := w.watched(&watchedStore{keep: func(*policy.Batch) error { return fmt.Errorf("a trace is too large: %w", policy.ErrLimit) }})
	h := &policy.Handler{Gateway: g}
	w.scan(w.acme, "b", "CVE-1 low")
	w.asked = nil
	if err := h.Handle(w.Context(), w.askFor(id)); err != nil {
		w.Fatal(err)
	}
	w.want(w.acme, id, ":error:0")
}

// askFor has a scan be due now, and returns the message that says so.
func (w *policyWorld) askFor(id string) []byte {
	w.Helper()
	w.settle()
	e := suppress(fmt.Sprint("ask-", time.Now().UnixNano()), time.Time{})
	e.Scope.Images = []string{"no such image"} // it may be about any scan, and is about none
	if _, _, err := w.acme.Policy().Except(w.Context(), e, "bob"); err != nil {
		w.Fatal(err)
	}
	must[int](w)(w.root.WakePolicies(w.Context()))
	relayAll(w, w.relay)
	defer func() { w.queue.messages = nil }()
	for _, m := range w.queue.messages {
		if m.topic != event.SchedulerEvaluations {
			continue
		}
		e := must[*event.Event](w)(event.Decode(m.body))
		if d, err := event.DecodePolicyJob(e); err == nil && d.JobID == id {
			return m.body
		}
	}
	w.Fatalf("nobody asks for %s", id)
	return nil
}
