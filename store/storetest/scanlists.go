package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan"
)

// images lists the references of all pages of a query, sorted.
func images(t testing.TB, s scan.Store, q scan.Query) []string {
	t.Helper()
	out := []string{}
	for q.Limit = 2; ; {
		p := must[*scan.Page](t)(s.List(t.Context(), q))
		for _, j := range p.Jobs {
			out = append(out, j.Image)
		}
		if p.Next == "" {
			slices.Sort(out)
			return out
		}
		q.After = p.Next
	}
}

// testListText looks for parts of references, whatever they are made of.
func testListText(t *testing.T, s Scans) {
	for _, image := range []string{"ghcr.io/acme/shop:V1", "ghcr.io/acme/shop_a:2", "quay.io/x-y:1", "quay.io/xzy:1"} {
		submit(t, s, image)
	}
	for text, want := range map[string][]string{
		"acme/shop": {"ghcr.io/acme/shop:V1", "ghcr.io/acme/shop_a:2"}, "ACME": {"ghcr.io/acme/shop:V1", "ghcr.io/acme/shop_a:2"}, "p:v1": {"ghcr.io/acme/shop:V1"}, "p_": {"ghcr.io/acme/shop_a:2"},
		"x-y": {"quay.io/x-y:1"}, "x_y": {}, "x%y": {}, "x!y": {}, "%": {}, "_": {"ghcr.io/acme/shop_a:2"}, "\\": {}, "' OR '1'='1": {}, "nothing": {},
	} {
		if diff := cmp.Diff(want, images(t, s, scan.Query{Text: text})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	if _, err := s.List(t.Context(), scan.Query{Text: strings.Repeat("x", scan.MaxReference+1)}); !errors.Is(err, scan.ErrInvalid) {
		t.Errorf("a text that is too long: %v", err)
	}
}

// testListLatest: of each reference the newest job counts that was not cancelled.
func testListLatest(t *testing.T, s Scans) {
	a1 := submit(t, s, "a")
	done := completed(t, s, "a")
	time.Sleep(time.Millisecond) // jobs of one microsecond have no order in time
	gone := submit(t, s, "a")
	b := submit(t, s, "b")
	c := submit(t, s, "c")
	for _, j := range []*scan.Job{gone, c} {
		must[*scan.Job](t)(s.Cancel(t.Context(), j.ID, "not needed"))
	}
	ids := func(q scan.Query) []string {
		out := []string{}
		for _, j := range must[*scan.Page](t)(s.List(t.Context(), q)).Jobs {
			out = append(out, j.ID)
		}
		slices.Sort(out)
		return out
	}
	of := func(list ...*scan.Job) []string {
		out := []string{}
		for _, j := range list {
			out = append(out, j.ID)
		}
		slices.Sort(out)
		return out
	}
	for name, c := range map[string]struct {
		q    scan.Query
		want []string
	}{
		"latest": {scan.Query{Latest: true}, of(done, b)}, "latest of one": {scan.Query{Latest: true, Image: "a"}, of(done)},
		"latest by state": {scan.Query{Latest: true, State: scan.Queued}, of(b)}, "latest that is cancelled": {scan.Query{Latest: true, State: scan.Cancelled}, of()},
		"outcome": {scan.Query{Outcome: "pass"}, of(done)}, "outcome of the latest": {scan.Query{Outcome: "pass", Latest: true}, of(done)}, "another outcome": {scan.Query{Outcome: "block"}, of()},
		"text of the latest": {scan.Query{Text: "B", Latest: true}, of(b)}, "all": {scan.Query{}, of(a1, done, gone, b, c)},
	} {
		if diff := cmp.Diff(c.want, ids(c.q)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	time.Sleep(time.Millisecond)
	newer := submit(t, s, "a")
	if diff := cmp.Diff(of(newer, b), ids(scan.Query{Latest: true})); diff != "" {
		t.Errorf("after another scan (-want +got):\n%s", diff)
	}
	if got := ids(scan.Query{Latest: true, Outcome: "pass"}); len(got) > 0 {
		t.Errorf("the outcome of a scan that is no longer the latest: %q", got)
	}
}

// testStates counts jobs by their state.
func testStates(t *testing.T, s Scans) {
	if diff := cmp.Diff(&scan.StateCounts{}, must[*scan.StateCounts](t)(s.States(t.Context()))); diff != "" {
		t.Errorf("without a job (-want +got):\n%s", diff)
	}
	first := submit(t, s, "a")
	submit(t, s, "b")
	claim(t, s, submit(t, s, "c"))
	evaluating(t, s, "d")
	completed(t, s, "e")
	must[*scan.Job](t)(s.Cancel(t.Context(), submit(t, s, "f").ID, "why"))
	failed := submit(t, s, "g")
	if err := s.Fail(t.Context(), *claim(t, s, failed), scan.Failure{Cause: "no such image", Permanent: true}); err != nil {
		t.Fatal(err)
	}
	want := &scan.StateCounts{Queued: 2, Running: 1, Evaluating: 1, OldestQueued: first.Created, Ended: scan.EndedCounts{Completed: 1, Failed: 1, Cancelled: 1}}
	if diff := cmp.Diff(want, must[*scan.StateCounts](t)(s.States(t.Context()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// testProgress: how far an attempt is, is known as long as it runs, and from its holder.
func testProgress(t *testing.T, s Scans) {
	j := submit(t, s, "a")
	l := claim(t, s, j)
	want := func(what string, list []scan.LayerProgress) {
		t.Helper()
		if diff := cmp.Diff(list, must[*scan.Job](t)(s.Job(t.Context(), j.ID)).Progress); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	beat := func(of *scan.Lease, list []scan.LayerProgress) error {
		now := *of
		now.Progress = list
		_, err := s.Heartbeat(t.Context(), now)
		return err
	}
	want("before anybody said so", nil)
	one := []scan.LayerProgress{{DiffID: "sha256:\u0000'", Bytes: 5, Size: 10}, {Layer: 1, Bytes: 7, Done: true, Cached: true}}
	if err := errors.Join(beat(l, one), beat(l, nil)); err != nil {
		t.Fatal(err)
	}
	want("after a heartbeat that says nothing", one)
	if p := must[*scan.Page](t)(s.List(t.Context(), scan.Query{})); len(p.Jobs) != 1 || !slices.Equal(p.Jobs[0].Progress, one) {
		t.Errorf("listed: %+v", p.Jobs)
	}
	other := *l
	other.Epoch++
	if err := beat(&other, []scan.LayerProgress{{Layer: 9}}); !errors.Is(err, scan.ErrFenced) {
		t.Errorf("another epoch: %v", err)
	}
	for _, bad := range []scan.LayerProgress{{Layer: -1}, {Bytes: -1}, {Size: -1}, {DiffID: strings.Repeat("x", scan.MaxDiffID+1)}} {
		if err := beat(l, []scan.LayerProgress{bad}); !errors.Is(err, scan.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	want("after what was refused", one)
	many := make([]scan.LayerProgress, scan.MaxProgress+1)
	for i := range many {
		many[i].Layer = i
	}
	if err := beat(l, many); err != nil {
		t.Fatal(err)
	}
	want("of too many layers", many[:scan.MaxProgress])
	if err := s.Complete(t.Context(), *l, results("a")); err != nil {
		t.Fatal(err)
	}
	want("after the attempt", nil)
	j = submit(t, s, "b")
	l = claim(t, s, j)
	if err := errors.Join(beat(l, one), s.Fail(t.Context(), *l, scan.Failure{Cause: "why"})); err != nil {
		t.Fatal(err)
	}
	want("after a failure", nil)
}
