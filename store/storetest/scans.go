package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/scan"
)

// TestScans checks the promises of the interfaces of package scan. open returns
// the empty store of another tenant each time.
func TestScans(t *testing.T, open func(t testing.TB) Scans) {
	for name, test := range map[string]func(*testing.T, Scans){
		"Submit": testSubmit, "SubmitBad": testSubmitBad, "SubmitAtOnce": testSubmitAtOnce, "Complete": testComplete, "Hostile": testHostile,
		"List": testList, "NotFound": testNotFound, "ClaimOnce": testClaimOnce, "Fencing": testFencing, "Takeover": testTakeover,
		"Resolve": testResolve, "Fail": testFail, "Dead": testDead, "Cancel": testCancel, "CancelRace": testCancelRace,
		"ListText": testListText, "ListLatest": testListLatest, "States": testStates, "Progress": testProgress,
		"Evaluation": testEvaluation, "EvaluationFails": testEvaluationFails, "Leases": testLeases,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func testSubmit(t *testing.T, s Scans) {
	priority := 7
	r := scan.Request{Image: "registry.example/a:1", Platform: "linux/arm64", Formats: []string{"spdx-json", "cyclonedx-json", "spdx-json"}, Priority: &priority, Owner: "ann"}
	j, repeated, err := s.Submit(t.Context(), r, "key-1")
	if err != nil || repeated {
		t.Fatal(repeated, err)
	}
	if j.State != scan.Queued || !strings.HasPrefix(j.ID, "scan-") || j.Owner != "ann" || j.Priority != 7 || j.Image != r.Image || j.Created.IsZero() {
		t.Errorf("submitted: %+v", j)
	}
	got := must[*scan.Job](t)(s.Job(t.Context(), j.ID))
	if diff := cmp.Diff(j, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("read back (-submitted +read):\n%s", diff)
	}
	m, err := scan.DecodeManifest(must[[]byte](t)(s.Manifest(t.Context(), j.ID)))
	want := &scan.Manifest{JobID: j.ID, Reference: r.Image, Platform: r.Platform, Formats: []string{"cyclonedx-json", "spdx-json"}, Owner: "ann"}
	if diff := cmp.Diff(want, m); err != nil || diff != "" {
		t.Errorf("manifest: %v (-want +got):\n%s", err, diff)
	}
	again, repeated, err := s.Submit(t.Context(), r, "key-1")
	if err != nil || !repeated || again.ID != j.ID {
		t.Errorf("the same key and request: %v, repeated %v, %v", again, repeated, err)
	}
	other := r
	other.Image = "registry.example/b:1"
	if _, _, err := s.Submit(t.Context(), other, "key-1"); !errors.Is(err, scan.ErrConflict) {
		t.Errorf("the same key with another request: %v", err)
	}
	first, second := submit(t, s, "x"), submit(t, s, "x")
	if first.ID == second.ID {
		t.Error("two requests without a key are one job")
	}
}

func testSubmitBad(t *testing.T, s Scans) {
	ten := 10
	for name, r := range map[string]scan.Request{
		"no image": {}, "spaces": {Image: "a b"}, "control": {Image: "a\x1b[31m"}, "not UTF-8": {Image: "a\xff"}, "long": {Image: strings.Repeat("a", scan.MaxReference+1)},
		"format": {Image: "a", Formats: []string{"../x"}}, "formats": {Image: "a", Formats: strings.Split(strings.Repeat("f-", 40)+"f", "-")}, "priority": {Image: "a", Priority: &ten},
	} {
		if name == "formats" {
			r.Formats = nil
			for i := range scan.MaxFormats + 1 {
				r.Formats = append(r.Formats, fmt.Sprintf("f%d", i))
			}
		}
		if _, _, err := s.Submit(t.Context(), r, ""); !errors.Is(err, scan.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := s.Submit(t.Context(), scan.Request{Image: "a"}, strings.Repeat("k", scan.MaxKey+1)); !errors.Is(err, scan.ErrInvalid) {
		t.Errorf("long key: %v", err)
	}
	if p := must[*scan.Page](t)(s.List(t.Context(), scan.Query{})); len(p.Jobs) != 0 {
		t.Errorf("refused requests left %d jobs", len(p.Jobs))
	}
}

func testSubmitAtOnce(t *testing.T, s Scans) {
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			j, _, err := s.Submit(t.Context(), scan.Request{Image: "a"}, "one")
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = j.ID
		})
	}
	wg.Wait()
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) != 1 {
		t.Errorf("one key gave %d jobs: %q", len(ids), ids)
	}
}

func testComplete(t *testing.T, s Scans) {
	r := results("a")
	j, l := evaluating(t, s, "a")
	got := must[*scan.Job](t)(s.Job(t.Context(), j.ID))
	want := &scan.Summary{ImageDigest: r.ImageDigest, SBOMDigest: r.SBOMDigest, Packages: 2, Findings: 2, Gaps: 1, Blocked: true, Snapshot: "sha256:snap", At: got.Updated}
	if diff := cmp.Diff(want, got.Summary); got.State != scan.Evaluating || diff != "" {
		t.Errorf("%s (-want +got):\n%s", got.State, diff)
	}
	docs := must[[]scan.Stored](t)(s.Documents(t.Context(), j.ID))
	if diff := cmp.Diff(r.Documents, docs); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(r.Report, must2(t)(s.Findings(t.Context(), j.ID)), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	m, err := scan.DecodeManifest(must[[]byte](t)(s.Manifest(t.Context(), j.ID)))
	if err != nil || m.Inputs["advisories"] != "sha256:snap" {
		t.Errorf("manifest: %+v %v", m, err)
	}
	if err := s.Complete(t.Context(), *l, r); err != nil {
		t.Errorf("repeated, as after a lost answer: %v", err)
	}
	if err := s.Complete(t.Context(), *l, results("b")); !errors.Is(err, scan.ErrFenced) {
		t.Errorf("other results afterwards: %v", err)
	}
	bad := results("c")
	bad.SBOMDigest = "sha256:other"
	if err := s.Complete(t.Context(), *l, bad); !errors.Is(err, scan.ErrInvalid) {
		t.Errorf("results without their document: %v", err)
	}
}

// testHostile stores what an image may be full of.
func testHostile(t *testing.T, s Scans) {
	j := submit(t, s, "hostile")
	l := claim(t, s, j)
	r := results("hostile")
	names := []string{"'; DROP TABLE scan_jobs; --", "\u0000nul", "\u202e\u0007", `{"a":[1,2]}`, strings.Repeat("x", 70_000), "\\u0000", "NULL", "\u00e9\u0301", "\r\n"}
	for i, n := range names {
		r.Packages = append(r.Packages, scan.PackageFact{ID: fmt.Sprint("h", i), Name: n, Version: n, PURL: "pkg:generic/" + n})
		f := r.Report.Findings[0]
		f.Name, f.Summary = n, n
		r.Report.Findings = append(r.Report.Findings, f)
	}
	if err := s.Complete(t.Context(), *l, r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.Report, must2(t)(s.Findings(t.Context(), j.ID)), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func testList(t *testing.T, s Scans) {
	var want []string
	for i := range 7 {
		want = append(want, submit(t, s, fmt.Sprint("image-", i%2)).ID)
	}
	slices.Reverse(want)
	var got []string
	q := scan.Query{Limit: 3}
	for {
		p := must[*scan.Page](t)(s.List(t.Context(), q))
		for _, j := range p.Jobs {
			got = append(got, j.ID)
		}
		if p.Next == "" {
			break
		}
		q.After = p.Next
	}
	// Jobs of one microsecond have no order in time.
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	if p := must[*scan.Page](t)(s.List(t.Context(), scan.Query{Image: "image-1"})); len(p.Jobs) != 3 {
		t.Errorf("%d jobs of image-1", len(p.Jobs))
	}
	claim(t, s, &scan.Job{ID: got[0]})
	if p := must[*scan.Page](t)(s.List(t.Context(), scan.Query{State: scan.Running})); len(p.Jobs) != 1 || p.Jobs[0].ID != got[0] {
		t.Errorf("running: %+v", p.Jobs)
	}
	if p := must[*scan.Page](t)(s.List(t.Context(), scan.Query{State: scan.Queued})); len(p.Jobs) != 6 {
		t.Errorf("%d queued", len(p.Jobs))
	}
	for _, q := range []scan.Query{{State: "pending"}, {Limit: -1}, {Limit: 1001}, {After: "x"}} {
		if _, err := s.List(t.Context(), q); !errors.Is(err, scan.ErrInvalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

func testNotFound(t *testing.T, s Scans) {
	ctx, id := t.Context(), "scan-none"
	_, e1 := s.Job(ctx, id)
	_, e2 := s.Manifest(ctx, id)
	_, e3 := s.Cancel(ctx, id, "")
	_, e4 := s.Documents(ctx, id)
	_, e5 := s.Findings(ctx, id)
	_, e6 := s.Claim(ctx, claimOf(&scan.Job{ID: id}))
	_, e7 := s.ClaimEvaluation(ctx, claimOf(&scan.Job{ID: id}))
	e8 := s.Fail(ctx, scan.Lease{JobID: id, Epoch: 1}, scan.Failure{})
	_, e9 := s.Findings(ctx, submit(t, s, "not-matched").ID)
	for i, err := range []error{e1, e2, e3, e4, e5, e6, e7, e8, e9} {
		if !errors.Is(err, scan.ErrNotFound) {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
}

func testClaimOnce(t *testing.T, s Scans) {
	j := submit(t, s, "a")
	var mu sync.Mutex
	var epochs []int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			c := claimOf(j)
			c.Holder = fmt.Sprint("w", i)
			l, err := s.Claim(t.Context(), c)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				epochs = append(epochs, l.Epoch)
			} else if !errors.Is(err, scan.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(epochs) != 1 {
		t.Errorf("%d workers hold one job", len(epochs))
	}
}

func testLeases(t *testing.T, s Scans) {
	for _, d := range []time.Duration{0, -time.Second, 999 * time.Millisecond, time.Hour} {
		c := claimOf(submit(t, s, "a"))
		c.Length = d
		if _, err := s.Claim(t.Context(), c); !errors.Is(err, scan.ErrInvalid) {
			t.Errorf("lease of %v: %v", d, err)
		}
	}
}
