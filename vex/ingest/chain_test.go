package ingest_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
	"github.com/stella-ops/stella/vex"
)

// announced returns about what something else was decided, and about what something
// was decided or said, by head.
func announced(t *testing.T, root *store.Root) (decided, said map[int64][]string) {
	t.Helper()
	q, err := queue.Open(t.Context(), "mem:")
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	y := root.Relay(q, nil)
	for n := 1; n > 0; {
		if n, err = y.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	g, err := q.Group(ctx, event.ExcititorDeltas, "test")
	if err != nil {
		t.Fatal(err)
	}
	decided, said = map[int64][]string{}, map[int64][]string{}
	idle := time.AfterFunc(300*time.Millisecond, cancel)
	err = queue.Consume(ctx, g, func(_ context.Context, body []byte) error {
		idle.Reset(300 * time.Millisecond)
		e, err := event.Decode(body)
		if err != nil {
			return err
		}
		d, err := event.DecodeConsensusDelta(e)
		if err != nil {
			return err
		}
		if said[d.Head] != nil {
			t.Errorf("head %d is announced twice", d.Head)
		}
		if len(d.Vulnerabilities) > 0 {
			decided[d.Head] = d.Vulnerabilities
		}
		said[d.Head] = slices.Sorted(slices.Values(slices.Concat(d.Vulnerabilities, d.Said)))
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return decided, said
}

// TestChain: while documents come, change and go, trusts change and time passes, the
// kept steps lead from nothing to what is decided; what is announced with each head is
// what its steps changed, apart from when it changes next, and what else is said, or is
// due; and what is decided is what deciding everything afresh gives.
func TestChain(t *testing.T) {
	root := newStore(t)
	v := root.VEX()
	random := rand.New(rand.NewPCG(7, 7))
	docs, at := world(40), day(1)
	f := &feed{name: "f", complete: true, docs: map[string]string{}}
	names := slices.Sorted(maps.Keys(docs))
	changed := map[int64][]string{} // with heads of the same trust
	for round := range 25 {
		switch random.IntN(6) {
		case 0:
			trust := everyone()
			trust.Issuers[random.IntN(3)].Tier = 1 + random.IntN(3)
			if _, err := v.SetTrust(t.Context(), trust, "test"); err != nil {
				t.Fatal(err)
			}
		case 1:
			at = at.AddDate(0, 0, random.IntN(4))
		case 2:
			delete(f.docs, names[random.IntN(len(names))])
		default:
			for range 1 + random.IntN(6) {
				name := names[random.IntN(len(names))]
				f.docs[name] = docs[name]
				if random.IntN(3) == 0 {
					f.docs[name] += fmt.Sprintf("CVE-%d affected pkg:npm/p1@1.0 2026-02-%02d\n", random.IntN(11), 1+round)
				}
			}
		}
		run(t, newIngester(v), f)
		base, err := v.Head(t.Context(), 0)
		if err != nil && round > 0 {
			t.Fatal(err)
		}
		list, err := v.Changed(t.Context(), base, at)
		if err != nil {
			t.Fatal(err)
		}
		if h := publish(t, publisher(v, at)); h != nil && base != nil && h.Trust == base.Trust {
			changed[h.Number] = list
		}
	}
	told, said := announced(t, root)
	steps := map[int64]map[string]bool{}
	decided, err := v.Consensus(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := v.Changed(t.Context(), nil, at)
	if err != nil {
		t.Fatal(err)
	}
	var replayed []vex.Decision
	for _, name := range all {
		replayed = append(replayed, replay(t, v, name, steps)...)
	}
	if diff := cmp.Diff(decided, replayed, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the steps lead elsewhere (-decided +replayed):\n%s", diff)
	}
	want := map[int64][]string{}
	for head, names := range steps {
		want[head] = slices.Sorted(maps.Keys(names))
	}
	if diff := cmp.Diff(want, told); diff != "" || len(told) < 8 {
		t.Errorf("%d heads were announced (-steps +told):\n%s", len(told), diff)
	}
	for head, names := range changed {
		if diff := cmp.Diff(names, said[head]); diff != "" {
			t.Errorf("with head %d was announced (-changed +told):\n%s", head, diff)
		}
	}
	afresh(t, v, at, decided)
}

// replay follows the steps of a vulnerability, and notes with which heads something
// else was decided.
func replay(t *testing.T, v *store.VEX, name string, steps map[int64]map[string]bool) (out []vex.Decision) {
	t.Helper()
	list, err := v.History(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	now := map[string]vex.Decision{}
	for _, c := range list {
		before, after := now[c.Decision.Product], c.Decision
		if before.Value == after.Value && before.NextChange.Equal(after.NextChange) && cmp.Equal(before, after, cmpopts.EquateEmpty()) {
			t.Errorf("head %d: a step of %s that is none: %+v", c.Head, name, after)
		}
		if now[after.Product] = after; after.Value == "" {
			delete(now, after.Product)
		}
		before.NextChange, after.NextChange = time.Time{}, time.Time{}
		if !cmp.Equal(before, after, cmpopts.EquateEmpty()) {
			if steps[c.Head] == nil {
				steps[c.Head] = map[string]bool{}
			}
			steps[c.Head][name] = true
		}
	}
	for _, product := range slices.Sorted(maps.Keys(now)) {
		out = append(out, now[product])
	}
	return out
}

// afresh decides everything in a store of its own that has only what is there now.
func afresh(t *testing.T, v *store.VEX, at time.Time, want []vex.Decision) {
	t.Helper()
	trust, err := v.Trust(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	fresh := newStore(t).VEX()
	if _, err := fresh.SetTrust(t.Context(), trust, "test"); err != nil {
		t.Fatal(err)
	}
	r, err := fresh.Begin(t.Context(), "f", "test", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	o := vex.Observed{Document: "all", Digest: sum("all")}
	for s, err := range v.Statements(t.Context(), nil, nil) {
		if err != nil {
			t.Fatal(err)
		}
		o.Statements = append(o.Statements, s)
	}
	err = fresh.Keep(t.Context(), r, []*vex.Document{{Source: "f", Name: "all", Content: []byte("all")}})
	if err == nil {
		err = fresh.Observe(t.Context(), r, []vex.Observed{o})
	}
	if err == nil {
		err = fresh.Finish(t.Context(), r, vex.Finish{})
	}
	if err != nil {
		t.Fatal(err)
	}
	publish(t, publisher(fresh, at))
	got, err := fresh.Consensus(t.Context(), nil)
	if diff := cmp.Diff(got, want); err != nil || diff != "" {
		t.Errorf("%v (-afresh +decided):\n%s", err, diff)
	}
}
