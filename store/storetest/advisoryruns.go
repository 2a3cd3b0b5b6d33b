package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/store"
)

// testHeld: what a held run brought is kept and not current, until it is
// approved or a later run is released.
func testHeld(t *testing.T, a Advisories) {
	f := feedOf(t, a, "s")
	f.says("d", "1", rec("GHSA-1", 1), rec("GHSA-2", 1))
	f.finish(advisory.Finish{})
	first := f.r.Number
	f = feedOf(t, a, "s")
	f.says("d", "2", rec("GHSA-1", 2))
	f.finish(advisory.Finish{State: []byte("held"), Hold: "half of it is gone"})
	held := f.r.Number
	check := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, shown(t, a, released(t, a), npm)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	check("GHSA-1 1", "GHSA-2 1")
	s := stateOf(t, a, "s")
	if s.Released != first || s.Held != held || s.Why != "half of it is gone" || s.Records != 2 || s.Succeeded.IsZero() {
		t.Errorf("%+v", s)
	}
	if got := must[[]advisory.Part](t)(a.Changed(t.Context(), &advisory.Head{Runs: map[string]int64{"s": first}})); len(got) != 0 {
		t.Errorf("changed by a held run: %v", got)
	}
	// Nothing new: the one to approve stays.
	f = feedOf(t, a, "s")
	if string(f.r.State) != "held" {
		t.Errorf("the state of a held run is kept: %q", f.r.State)
	}
	f.finish(advisory.Finish{Hold: "still"})
	if s := stateOf(t, a, "s"); s.Held != held {
		t.Errorf("%+v", s)
	}
	if err := a.Approve(t.Context(), "s", held+5, "ann"); !errors.Is(err, advisory.ErrConflict) {
		t.Errorf("approve another run: %v", err)
	}
	if err := a.Approve(t.Context(), "none", held, "ann"); !errors.Is(err, advisory.ErrNotFound) {
		t.Errorf("approve another source: %v", err)
	}
	if err := a.Approve(t.Context(), "s", held, "ann"); err != nil {
		t.Fatal(err)
	}
	check("GHSA-1 2")
	if s := stateOf(t, a, "s"); s.Released != held || s.Held != 0 || s.Why != "" || s.Records != 1 {
		t.Errorf("%+v", s)
	}
	if err := a.Approve(t.Context(), "s", held, "ann"); !errors.Is(err, advisory.ErrConflict) {
		t.Errorf("approve twice: %v", err)
	}
	// A later run that is released releases what was held.
	f = feedOf(t, a, "s")
	f.says("d", "3", rec("GHSA-1", 3), rec("GHSA-2", 3))
	f.says("e", "3", rec("GHSA-3", 3))
	f.finish(advisory.Finish{Hold: "doubtful"})
	check("GHSA-1 2")
	f = feedOf(t, a, "s")
	f.says("d", "4", rec("GHSA-1", 4), rec("GHSA-2", 3))
	f.finish(advisory.Finish{})
	check("GHSA-1 4", "GHSA-2 3", "GHSA-3 3")
	if s := stateOf(t, a, "s"); s.Held != 0 || s.Released != f.r.Number {
		t.Errorf("%+v", s)
	}
}

// testFailedRun: what a run stored before it failed is not current, and not lost.
func testFailedRun(t *testing.T, a Advisories) {
	f := feedOf(t, a, "s")
	f.says("d", "1", rec("GHSA-1", 1))
	f.finish(advisory.Finish{State: []byte("good")})
	f = feedOf(t, a, "s")
	f.says("d", "2", rec("GHSA-1", 2))
	f.keep("unread", "u")
	f.finish(advisory.Finish{State: []byte("bad"), Gone: []string{"d"}, Cause: "the publisher is away"})
	s := stateOf(t, a, "s")
	if s.Cause != "the publisher is away" || s.Failed.IsZero() || s.Failed.Before(s.Succeeded) {
		t.Errorf("%+v", s)
	}
	if got := shown(t, a, released(t, a), npm); len(got) != 1 || got[0] != "GHSA-1 1" {
		t.Errorf("%q", got)
	}
	f = feedOf(t, a, "s")
	if string(f.r.State) != "good" {
		t.Errorf("state %q", f.r.State)
	}
	if got := knownOf(t, a, "s"); len(got) != 2 || !strings.HasSuffix(got[1], "true") || !strings.HasSuffix(got[0], "false") {
		t.Errorf("known: %q", got)
	}
	f.finish(advisory.Finish{})
	if got := shown(t, a, released(t, a), npm); len(got) != 1 || got[0] != "GHSA-1 2" {
		t.Errorf("%q", got)
	}
}

// testAsOf: withdrawn, published again, rejected: every past head shows what it
// showed.
func testAsOf(t *testing.T, a Advisories) {
	withdraw := func(r *advisory.Record) *advisory.Record {
		r.Withdrawn = "2026-02-01T00:00:00Z"
		return r
	}
	var heads []*advisory.Head
	var want []string
	for i, r := range []*advisory.Record{rec("GHSA-1", 1), withdraw(rec("GHSA-1", 2)), rec("GHSA-1", 1), rec("GHSA-1", 3), withdraw(rec("GHSA-1", 3)), nil, rec("GHSA-1", 4)} {
		f := feedOf(t, a, "s")
		content := fmt.Sprint("text ", i)
		if r == nil {
			f.says("d", content)
			want = append(want, "")
		} else {
			f.says("d", content, r)
			want = append(want, r.Summary+r.Withdrawn)
		}
		f.finish(advisory.Finish{})
		heads = append(heads, commitHead(t, a, int64(i+1), nil))
	}
	for i := range heads {
		h := must[*advisory.Head](t)(a.Head(t.Context(), int64(i+1)))
		got := ""
		for r, err := range a.Records(t.Context(), h, npm) {
			if err != nil {
				t.Fatal(err)
			}
			got += r.Summary + r.Withdrawn
		}
		if got != want[i] {
			t.Errorf("as of head %d: %q, want %q", i+1, got, want[i])
		}
	}
}

func testGone(t *testing.T, a Advisories) {
	f := feedOf(t, a, "s")
	f.says("a", "1", rec("GHSA-1", 1))
	f.says("b", "1b", rec("GHSA-2", 1))
	f.finish(advisory.Finish{})
	before := released(t, a)
	f = feedOf(t, a, "s")
	f.finish(advisory.Finish{Gone: []string{"a", "never was"}})
	if got := shown(t, a, released(t, a), npm); len(got) != 1 || got[0] != "GHSA-2 1" {
		t.Errorf("%q", got)
	}
	if got := shown(t, a, before, npm); len(got) != 2 {
		t.Errorf("as of before: %q", got)
	}
	if got := knownOf(t, a, "s"); len(got) != 1 {
		t.Errorf("known: %q", got)
	}
	f = feedOf(t, a, "s")
	f.says("a", "1", rec("GHSA-1", 1)) // it is back, as it was
	f.finish(advisory.Finish{})
	if got := shown(t, a, released(t, a), npm); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

func testCompare(t *testing.T, a Advisories) {
	if c := must[*advisory.Comparison](t)(a.Compare(t.Context(), "s", nil)); *c != (advisory.Comparison{}) {
		t.Errorf("of nothing: %+v", c)
	}
	f := feedOf(t, a, "s")
	f.says("d", "1", rec("GHSA-1", 5), rec("GHSA-2", 5), rec("GHSA-3", 5), rec("GHSA-4", 5))
	f.says("e", "1e", rec("GHSA-5", 5))
	f.says("g", "1g", rec("GHSA-6", 5), rec("GHSA-7", 5))
	f.finish(advisory.Finish{})
	first := f.r.Number
	f = feedOf(t, a, "s")
	taken, emptied := rec("GHSA-1", 6), rec("GHSA-2", 6)
	taken.Withdrawn, emptied.Affected = "2026-02-01T00:00:00Z", nil
	f.says("d", "2", taken, emptied, rec("GHSA-3", 4))
	f.says("e", "2e", rec("GHSA-5", 4))
	want := advisory.Comparison{Released: first, Before: 7, Now: 4, Withdrawn: 1, Emptied: 1, Back: 1, Example: "e"}
	if diff := cmp.Diff(&want, must[*advisory.Comparison](t)(a.Compare(t.Context(), "s", []string{"g"}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A held run is compared as well as an open one.
	f.finish(advisory.Finish{Hold: "why", Gone: []string{"g"}})
	if diff := cmp.Diff(&want, must[*advisory.Comparison](t)(a.Compare(t.Context(), "s", nil))); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	f = feedOf(t, a, "s")
	f.says("d", "1", rec("GHSA-1", 5), rec("GHSA-2", 5), rec("GHSA-3", 5), rec("GHSA-4", 5))
	f.says("e", "1e", rec("GHSA-5", 5))
	f.says("g", "1g", rec("GHSA-6", 5), rec("GHSA-7", 5))
	want = advisory.Comparison{Released: first, Before: 7, Now: 7}
	if diff := cmp.Diff(&want, must[*advisory.Comparison](t)(a.Compare(t.Context(), "s", nil))); diff != "" {
		t.Errorf("as it was (-want +got):\n%s", diff)
	}
}

func testHeads(t *testing.T, a Advisories) {
	if _, err := a.Head(t.Context(), 0); !errors.Is(err, advisory.ErrNotFound) {
		t.Errorf("the newest of none: %v", err)
	}
	f := feedOf(t, a, "s")
	scored := rec("CVE-2024-1", 1)
	scored.Scores = []finding.Score{{Type: "CVSS_V3", Value: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}
	rated := rec("GHSA-1", 1)
	rated.Rating = "LOW"
	f.says("d", "1", scored, rated)
	f.finish(advisory.Finish{})
	set := func(key string, ids ...string) *advisory.Linkset {
		l := &advisory.Linkset{Key: key, Confidence: 80}
		for _, id := range ids {
			l.Members = append(l.Members, advisory.Member{Source: "s", ID: id, Digest: sha(id), Path: []string{id, key}})
		}
		return l
	}
	facts := []advisory.Fact{{Ecosystem: "npm", Name: "a", Record: "GHSA-1", Vulnerability: "CVE-2024-1", Cause: advisory.CauseNew}}
	c := &advisory.Commit{Head: advisory.Head{Number: 1, Digest: sha("m1"), Manifest: []byte(`{"m":1}`), Runs: map[string]int64{"s": f.r.Number}}, Facts: facts,
		Linksets: []*advisory.Linkset{set("CVE-2024-1", "CVE-2024-1", "GHSA-1"), set("CVE-2024-2", "GHSA-1"), set("GHSA-7", "GHSA-7")}}
	if err := a.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{0, 1} {
		h := must[*advisory.Head](t)(a.Head(t.Context(), n))
		if diff := cmp.Diff(&c.Head, h); diff != "" || h.At.IsZero() {
			t.Errorf("head %d (-want +got):\n%s", n, diff)
		}
	}
	for _, n := range []int64{1, 3, 0, -1} {
		again := *c
		again.Head.Number = n
		if err := a.Commit(t.Context(), &again); err == nil || n > 0 && !errors.Is(err, advisory.ErrConflict) {
			t.Errorf("commit head %d after 1: %v", n, err)
		}
	}
	if _, err := a.Head(t.Context(), 2); !errors.Is(err, advisory.ErrNotFound) {
		t.Errorf("head 2: %v", err)
	}
	again := *c
	again.Head.Number, again.Linksets = 2, []*advisory.Linkset{set("CVE-2024-1", "GHSA-1"), {Key: "CVE-2024-2"}, {Key: "GHSA-0"}}
	if err := a.Commit(t.Context(), &again); err != nil {
		t.Fatal(err)
	}
	twice := again
	twice.Head.Number, twice.Linksets = 3, []*advisory.Linkset{set("X", "GHSA-1"), set("X", "GHSA-1")}
	if err := a.Commit(t.Context(), &twice); !errors.Is(err, advisory.ErrInvalid) {
		t.Errorf("a linkset twice: %v", err)
	}
	s, ok := a.(*store.Advisories)
	if !ok {
		return
	}
	n := 0
	for f, err := range s.Facts(t.Context(), 1) {
		if err != nil || f != facts[0] {
			t.Errorf("%+v, %v", f, err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d facts", n)
	}
	if l, err := s.Linkset(t.Context(), "CVE-2024-1"); err != nil || len(l.Members) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := s.Linkset(t.Context(), "CVE-2024-2"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a linkset without members: %v", err)
	}
}

func testHeadsAtOnce(t *testing.T, a Advisories) {
	const rounds = 5
	for round := range rounds {
		var mu sync.Mutex
		won := 0
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				c := &advisory.Commit{Head: advisory.Head{Number: int64(round + 1), Digest: sha(fmt.Sprint(i)), Manifest: []byte("m"), Runs: map[string]int64{"s": int64(i)}}}
				err := a.Commit(t.Context(), c)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if !errors.Is(err, advisory.ErrConflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d heads have number %d", won, round+1)
		}
	}
	if h := must[*advisory.Head](t)(a.Head(t.Context(), 0)); h.Number != rounds || time.Since(h.At) > time.Hour {
		t.Errorf("%+v", h)
	}
}
