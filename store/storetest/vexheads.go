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

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/vex"
)

// vexAt is a time of evaluation.
func vexAt(day int) time.Time { return time.Date(2026, 11, day, 0, 0, 0, 1000, time.UTC) }

// vexCommit commits what is released now, with decisions.
func vexCommit(t *testing.T, v *store.VEX, number int64, net []string, list ...vex.Decision) *vex.Commit {
	t.Helper()
	c := vexCommitOf(t, v, number, net, list...)
	if err := v.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c
}

func vexCommitOf(t *testing.T, v *store.VEX, number int64, net []string, list ...vex.Decision) *vex.Commit {
	t.Helper()
	trust := must[*vex.Trust](t)(v.Trust(t.Context(), ""))
	c := &vex.Commit{Head: vex.Head{Number: number, Digest: sha(fmt.Sprint("set", number)), Trust: trust.Digest(), Runs: map[string]int64{}, At: vexAt(int(number))}, Net: net}
	for _, s := range must[[]vex.SourceState](t)(v.Sources(t.Context())) {
		c.Head.Runs[s.Source] = s.Released
	}
	for _, d := range list {
		if d.Product != "" {
			c.Decisions = append(c.Decisions, d)
		}
		c.Vulnerabilities = append(c.Vulnerabilities, d.Vulnerability)
	}
	return c
}

// decision is one about pkg:npm/x@1.
func decision(vulnerability string, status vex.Status) vex.Decision {
	value := "safe"
	if status == vex.Affected {
		value = "affected"
	}
	return vex.Decision{Vulnerability: vulnerability, Product: "pkg:npm/x@1", Status: status, Value: value, Tier: 1, Deciding: []string{sha("s")}}
}

func testVEXAsOf(t *testing.T, v *store.VEX) {
	f := vexRunOf(t, v, "s")
	f.says("a", "1", "a1", says("CVE-1", vex.Affected))
	f.finish(vex.Finish{})
	first := vexCommit(t, v, 1, nil)
	f = vexRunOf(t, v, "s")
	f.says("a", "2", "a2", says("CVE-1", vex.NotAffected))
	f.says("b", "1", "b1", says("CVE-2", vex.Affected))
	f.finish(vex.Finish{})
	second := vexCommit(t, v, 2, nil)
	vexRunOf(t, v, "s").finish(vex.Finish{Gone: []string{"a", "b"}})
	for _, c := range []struct {
		at   *vex.Head
		want []string
	}{{&first.Head, []string{"CVE-1 affected"}}, {&second.Head, []string{"CVE-1 not_affected", "CVE-2 affected"}}, {nil, []string{}}} {
		if diff := cmp.Diff(c.want, spoken(t, v, c.at)); diff != "" {
			t.Error(diff)
		}
		h := c.at
		if h == nil {
			continue
		}
		if diff := cmp.Diff(c.want[:1], spoken(t, v, must[*vex.Head](t)(v.Head(t.Context(), h.Number)), "CVE-1")); diff != "" {
			t.Error(diff)
		}
		got := must[*vex.Head](t)(v.HeadOf(t.Context(), h.Digest))
		if diff := cmp.Diff(h, got); diff != "" {
			t.Error(diff)
		}
	}
	changed := must[[]string](t)(v.Changed(t.Context(), &first.Head, vexAt(9)))
	if diff := cmp.Diff([]string{"CVE-1", "CVE-2"}, changed); diff != "" {
		t.Error(diff)
	}
	if got := must[[]string](t)(v.Changed(t.Context(), &second.Head, vexAt(9))); len(got) != 2 {
		t.Errorf("what is gone has changed: %v", got)
	}
	if _, err := v.HeadOf(t.Context(), sha("nothing")); !errors.Is(err, vex.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func testVEXHeads(t *testing.T, v *store.VEX) {
	if _, err := v.Head(t.Context(), 0); !errors.Is(err, vex.ErrNotFound) {
		t.Errorf("an empty store: %v", err)
	}
	soon := decision("CVE-2", vex.NotAffected)
	soon.NextChange = vexAt(20)
	c := vexCommit(t, v, 1, []string{"CVE-1", "CVE-2"}, decision("CVE-1", vex.Affected), soon)
	for _, number := range []int64{0, 1} {
		if diff := cmp.Diff(&c.Head, must[*vex.Head](t)(v.Head(t.Context(), number)), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff([]vex.Decision{decision("CVE-1", vex.Affected), soon}, must[[]vex.Decision](t)(v.Consensus(t.Context(), nil))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]vex.Decision{soon}, must[[]vex.Decision](t)(v.Consensus(t.Context(), []string{"cve-2", "CVE-9"}))); diff != "" {
		t.Error(diff)
	}
	if next := must[time.Time](t)(v.NextChange(t.Context())); !next.Equal(vexAt(20)) {
		t.Errorf("next change %v", next)
	}
	for day, want := range map[int]int{19: 0, 20: 1, 21: 1} {
		if got := must[[]string](t)(v.Changed(t.Context(), &c.Head, vexAt(day))); len(got) != want {
			t.Errorf("on day %d: %v", day, got)
		}
	}
	// The next replaces what it names and leaves the rest.
	vexCommit(t, v, 2, []string{"CVE-2"}, vex.Decision{Vulnerability: "CVE-2"})
	if diff := cmp.Diff([]vex.Decision{decision("CVE-1", vex.Affected)}, must[[]vex.Decision](t)(v.Consensus(t.Context(), nil))); diff != "" {
		t.Error(diff)
	}
	if next := must[time.Time](t)(v.NextChange(t.Context())); !next.IsZero() {
		t.Errorf("next change %v", next)
	}
	for name, change := range map[string]func(*vex.Commit){
		"number 0": func(c *vex.Commit) { c.Head.Number = 0 }, "no digest": func(c *vex.Commit) { c.Head.Digest = "x" }, "no time": func(c *vex.Commit) { c.Head.At = time.Time{} },
		"twice":           func(c *vex.Commit) { c.Decisions = append(c.Decisions, c.Decisions[0]) },
		"not named":       func(c *vex.Commit) { c.Vulnerabilities = nil },
		"not decided net": func(c *vex.Commit) { c.Net = []string{"CVE-7"} },
		"no product":      func(c *vex.Commit) { c.Decisions[0].Product = "" },
	} {
		c := vexCommitOf(t, v, 3, nil, decision("CVE-1", vex.Affected))
		change(c)
		if err := v.Commit(t.Context(), c); !errors.Is(err, vex.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, number := range []int64{1, 2, 4} {
		if err := v.Commit(t.Context(), vexCommitOf(t, v, number, nil)); !errors.Is(err, vex.ErrConflict) {
			t.Errorf("head %d after 2: %v", number, err)
		}
	}
}

func testVEXHeadsAtOnce(t *testing.T, v *store.VEX) {
	vexCommit(t, v, 1, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := 0
	for i := range 5 {
		c := vexCommitOf(t, v, 2, []string{"CVE-1"}, decision("CVE-1", vex.Affected))
		c.Head.Digest = sha(fmt.Sprint("rival", i))
		wg.Go(func() {
			err := v.Commit(t.Context(), c)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				got++
			} else if !errors.Is(err, vex.ErrConflict) && !errors.Is(err, vex.ErrUnavailable) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got != 1 {
		t.Errorf("%d committed head 2", got)
	}
}

// someTrust is a trust in one issuer.
func someTrust(id string) *vex.Trust {
	return &vex.Trust{Issuers: []vex.Issuer{{ID: id, Tier: 1, Sources: []string{"s"}, Products: []string{"*"}, Unsigned: vex.Statuses}, {ID: "a-" + id, Tier: 2, Identities: []string{"key:" + id}, Products: []string{"*"}}}}
}

func testVEXTrust(t *testing.T, v *store.VEX) {
	if got := must[*vex.Trust](t)(v.Trust(t.Context(), "")); len(got.Issuers) != 0 {
		t.Errorf("%+v", got)
	}
	stale := vexCommitOf(t, v, 1, nil)
	first := must[string](t)(v.SetTrust(t.Context(), someTrust("b"), "ann"))
	if got := must[*vex.Trust](t)(v.Trust(t.Context(), "")); got.Digest() != first || first != someTrust("b").Digest() {
		t.Errorf("%s, want %s", got.Digest(), first)
	}
	// What was decided by the trust of before comes too late.
	if err := v.Commit(t.Context(), stale); !errors.Is(err, vex.ErrConflict) {
		t.Errorf("a head by a trust that is not in force: %v", err)
	}
	vexCommit(t, v, 1, nil)
	second := must[string](t)(v.SetTrust(t.Context(), &vex.Trust{}, "ann"))
	if second != new(vex.Trust).Digest() {
		t.Error(second)
	}
	if got := must[*vex.Trust](t)(v.Trust(t.Context(), "")); len(got.Issuers) != 0 {
		t.Errorf("believing nobody again: %+v", got)
	}
	if got := must[*vex.Trust](t)(v.Trust(t.Context(), first)); got.Digest() != first {
		t.Error("the trust of before is lost")
	}
	if _, err := v.Trust(t.Context(), sha("x")); !errors.Is(err, vex.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := v.SetTrust(t.Context(), &vex.Trust{Issuers: []vex.Issuer{{ID: "x"}}}, "ann"); !errors.Is(err, vex.ErrInvalid) {
		t.Errorf("a trust that is none: %v", err)
	}
}

// testVEXHistory: a conflict that appears and disappears quickly is one step each.
func testVEXHistory(t *testing.T, v *store.VEX) {
	disputed := decision("CVE-1", vex.Affected)
	disputed.Disputed = true
	vexCommit(t, v, 1, []string{"CVE-1"}, decision("CVE-1", vex.NotAffected))
	vexCommit(t, v, 2, []string{"CVE-1"}, disputed)
	vexCommit(t, v, 3, nil, disputed) // nothing new
	vexCommit(t, v, 4, []string{"CVE-1"}, decision("CVE-1", vex.NotAffected))
	vexCommit(t, v, 5, []string{"CVE-1"}, vex.Decision{Vulnerability: "CVE-1"})
	var got []string
	for _, c := range must[[]store.DecisionChange](t)(v.History(t.Context(), "cve-1")) {
		got = append(got, fmt.Sprint(c.Head, c.At.Day(), " ", c.Decision.Product, " ", c.Decision.Status, " ", c.Decision.Disputed))
	}
	want := []string{"1 1 pkg:npm/x@1 not_affected false", "2 2 pkg:npm/x@1 affected true", "4 4 pkg:npm/x@1 not_affected false", "5 5 pkg:npm/x@1  false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// testVEXTenants: a tenant's own is its own, and what is public is nobody's.
func testVEXTenants(t *testing.T, root *store.Root) {
	public, acme, other := root.VEX(), tenant(t, root, "acme").VEX(), tenant(t, root, "other").VEX()
	for name, v := range map[string]*store.VEX{"public": public, "acme": acme, "other": other} {
		f := vexRunOf(t, v, "s")
		f.says("a", "1", name+"1", says("CVE-"+name, vex.Affected))
		f.finish(vex.Finish{})
		if diff := cmp.Diff([]string{"CVE-" + name + " affected"}, spoken(t, v, nil)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if _, err := v.Raw(t.Context(), sha(map[string]string{"public": "acme1", "acme": "other1", "other": "acme1"}[name])); !errors.Is(err, vex.ErrNotFound) {
			t.Errorf("%s reads somebody else's document: %v", name, err)
		}
	}
	// A tenant has its own trust, or the public one.
	digest := must[string](t)(public.SetTrust(t.Context(), someTrust("p"), "op"))
	own := must[string](t)(acme.SetTrust(t.Context(), someTrust("o"), "ann"))
	for v, want := range map[*store.VEX]string{public: digest, acme: own, other: digest} {
		if got := must[*vex.Trust](t)(v.Trust(t.Context(), "")); got.Digest() != want {
			t.Errorf("%s, want %s", got.Digest(), want)
		}
	}
	if _, err := other.Trust(t.Context(), own); !errors.Is(err, vex.ErrNotFound) {
		t.Errorf("somebody else's trust: %v", err)
	}
	for n, v := range map[string]*store.VEX{"P": public, "A": acme, "O": other} {
		vexCommit(t, v, 1, []string{"CVE-" + n}, decision("CVE-"+n, vex.Affected))
		if got := must[[]vex.Decision](t)(v.Consensus(t.Context(), nil)); len(got) != 1 || got[0].Vulnerability != "CVE-"+n {
			t.Errorf("%s: %+v", n, got)
		}
	}
}

// testVEXEvents: what is announced stands in the outbox with the commit, cut into
// what an event holds, and belongs to whose VEX it is.
func testVEXEvents(t *testing.T, root *store.Root) {
	var many []vex.Decision
	var net []string
	for i := range event.MaxVulnerabilities + 1 {
		many = append(many, decision(fmt.Sprintf("CVE-2024-%06d", i), vex.Affected))
		net = append(net, many[i].Vulnerability)
	}
	vexCommit(t, root.VEX(), 1, net, many...)
	vexCommit(t, root.VEX(), 2, nil) // nothing to tell
	long := "X-" + strings.Repeat("Y", store.MaxVulnerability-10)
	var wide []vex.Decision
	net = nil
	for i := range 1000 {
		wide = append(wide, decision(fmt.Sprintf("%s%06d", long, i), vex.Affected))
		net = append(net, wide[i].Vulnerability)
	}
	vexCommit(t, tenant(t, root, "acme").VEX(), 1, net, wide...)
	seen := map[string]int{}
	parts := map[string]int{}
	q := memory(t)
	relayAll(t, root.Relay(q, nil))
	for _, e := range drain(t, q, event.ExcititorDeltas, "test") {
		d := must[*event.ConsensusDelta](t)(event.DecodeConsensusDelta(e))
		if e.Type != event.VEXDelta || e.Source != "excititor" || !slices.IsSorted(d.Vulnerabilities) || !d.At.Equal(vexAt(1)) || d.Trust != new(vex.Trust).Digest() {
			t.Errorf("%+v", e)
		}
		seen[e.Tenant] += len(d.Vulnerabilities)
		parts[e.Tenant]++
		if d.Part < 1 || d.Part > d.Parts {
			t.Errorf("part %d of %d", d.Part, d.Parts)
		}
	}
	if diff := cmp.Diff(map[string]int{"": event.MaxVulnerabilities + 1, "acme": 1000}, seen); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"": 2, "acme": 2}, parts); diff != "" {
		t.Error(diff)
	}
	if b := must[store.Backlog](t)(root.Backlog(t.Context(), event.ExcititorDeltas)); b.Pending != 0 || b.Published != 4 {
		t.Errorf("they wait for the group policy: %+v", b)
	}
}
