package vex_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/vex"
)

func of(c *vex.Consensus) model { return model{c.Status, c.Disputed, c.Tier} }

// safe is that a finding may be excused.
func (m model) safe() bool { return m.status == vex.NotAffected || m.status == vex.Fixed }

// TestLaws holds the laws over every set of up to four statements of the universe, or
// a part of it.
func TestLaws(t *testing.T) {
	step := 13
	if os.Getenv("STELLA_LONG") != "" {
		step = 4
	}
	var all []vex.Claim
	for _, s := range universe(step) {
		all = append(all, claims(t, s)...)
	}
	j := judge(t, parties)
	sets := 0
	each := func(set []vex.Claim) {
		if sets++; !t.Failed() {
			laws(t, j, set, sets)
		}
	}
	for a := range all {
		each([]vex.Claim{all[a]})
		for b := range a {
			each([]vex.Claim{all[a], all[b]})
			for c := range b {
				each([]vex.Claim{all[a], all[b], all[c]})
				for d := range c {
					each([]vex.Claim{all[a], all[b], all[c], all[d]})
				}
			}
		}
	}
	t.Logf("%d sets of %d statements", sets, len(all))
}

// laws holds them for one set. nth varies what is tried.
func laws(t *testing.T, j *vex.Judge, set []vex.Claim, nth int) {
	t.Helper()
	r := j.Resolve(set, now)
	got := of(r)
	say := func(law string, other model) {
		t.Helper()
		for _, c := range set {
			t.Logf("%+v %+v versioned %v", c.Statement.Status, c.Statement.Origin, c.Versioned)
		}
		t.Errorf("%s: %+v, and %+v", law, got, other)
	}
	if want := resolveByModel(set, now); got != want {
		say("the model says otherwise", want)
	}
	// Commutative, idempotent, in whatever parts it comes.
	turned := append(slices.Clone(set[nth%len(set):]), set...)
	slices.Reverse(turned)
	if other := j.Resolve(turned, now); !cmp.Equal(r.Deciding, other.Deciding) || of(other) != got || len(other.Claims) != len(r.Claims) {
		say("order and repetition matter", of(other))
	}
	// What counts for nothing changes nothing.
	var counts, proof []vex.Claim
	for _, c := range r.Claims {
		if slices.Contains([]vex.Standing{vex.Counts, vex.Informs, vex.Expired, vex.VersionUnproven, vex.Incomplete}, c.Standing) {
			counts = append(counts, c.Claim)
		}
	}
	if other := of(j.Resolve(counts, now)); other != got {
		say("what is worth nothing changes it", other)
	}
	// The proof proves.
	for _, i := range r.Deciding {
		proof = append(proof, r.Claims[i].Claim)
	}
	if other := of(j.Resolve(proof, now)); other.status != got.status || other.tier != got.tier {
		say("the proof proves something else", other)
	}
	if got.status != "" && got.status != vex.UnderInvestigation {
		for i := range proof {
			without := slices.Delete(slices.Clone(proof), i, i+1)
			if other := of(j.Resolve(without, now)); other == of(j.Resolve(proof, now)) {
				say("the proof is not the least", other)
			}
		}
	}
	overTime(t, j, set, r, say)
}

// overTime holds the laws of time: until the next change nothing changes, and what
// only gets older never gets safer.
func overTime(t *testing.T, j *vex.Judge, set []vex.Claim, r *vex.Consensus, say func(string, model)) {
	t.Helper()
	got := of(r)
	soon := slices.ContainsFunc(set, func(c vex.Claim) bool { return c.Statement.Time.After(now) })
	for _, days := range []int{1, 2, 3, 5, 7, 30} {
		later := day(days)
		other := j.Resolve(set, later)
		unchanged := r.NextChange.IsZero() || later.Before(r.NextChange)
		if unchanged && (of(other) != got || !cmp.Equal(other.Deciding, r.Deciding)) {
			say("it changed before the next change "+later.String(), of(other))
		}
		if !soon && of(other).safe() && !got.safe() {
			say("it became safer by getting older", of(other))
		}
	}
}

// TestOneMore: who is not entitled, or is of a lower tier, never lowers the risk.
func TestOneMore(t *testing.T) {
	j := judge(t, parties)
	r := rand.New(rand.NewPCG(1, 2))
	list := universe(1)
	n := 20_000
	if os.Getenv("STELLA_LONG") != "" {
		n = 1_000_000
	}
	var all []vex.Claim
	for _, s := range list {
		all = append(all, claims(t, s)...)
	}
	for range n {
		var set []vex.Claim
		for range 1 + r.IntN(9) {
			set = append(set, all[r.IntN(len(all))])
		}
		before := j.Resolve(set, now)
		if want := resolveByModel(set, now); of(before) != want {
			t.Fatalf("the model says %+v, got %+v", want, of(before))
		}
		more := all[r.IntN(len(all))]
		after := j.Resolve(append(set, more), now)
		issuer, worth := weight(more, now)
		entitled := worth == "counts" && (before.Tier == 0 || issuer.Tier <= before.Tier)
		if of(after).safe() && !of(before).safe() && !entitled {
			t.Fatalf("%+v turned %+v into %+v", more.Statement, of(before), of(after))
		}
		if !more.Statement.Safe() && of(after).safe() && !of(before).safe() {
			t.Fatalf("a warning lowered the risk: %+v", more.Statement)
		}
	}
}

// TestVotesDoNotCount: a hundred copies weigh as much as one, and a majority of a
// lower tier nothing against a higher one.
func TestVotesDoNotCount(t *testing.T) {
	j := judge(t, parties)
	set := claims(t, said{who: "maker", status: vex.Affected, at: -3})
	for i := range 100 {
		s := said{who: "hub", status: vex.NotAffected, at: -3}.statement(t)
		s.Origin.Document = "sha256:" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		if err := s.Prepare(); err != nil {
			t.Fatal(err)
		}
		set = append(set, about.Select([]*vex.Statement{s}).Claims...)
	}
	c := j.Resolve(set, now)
	if of(c) != (model{vex.Affected, false, 1}) || len(c.Deciding) != 1 || len(c.Against) != 1 {
		t.Errorf("got %+v, decided by %d, %d against", of(c), len(c.Deciding), len(c.Against))
	}
	copies := 0
	for _, x := range c.Claims {
		if x.Standing == vex.Copied {
			copies++
		}
	}
	if copies != 99 {
		t.Errorf("%d copies, want 99", copies)
	}
}

// TestStandings has a case for each.
func TestStandings(t *testing.T) {
	for want, list := range map[vex.Standing][]said{
		vex.Counts:          {{who: "maker", status: vex.NotAffected, at: -3}},
		vex.Informs:         {{who: "maker", status: vex.UnderInvestigation, at: -3}},
		vex.Superseded:      {{who: "maker", status: vex.NotAffected, at: -5}, {who: "maker", status: vex.UnderInvestigation, at: -3}},
		vex.BadSignature:    {{who: "forger", status: vex.NotAffected, at: -3}},
		vex.UnknownIssuer:   {{who: "nobody", status: vex.NotAffected, at: -3}},
		vex.OutOfScope:      {{who: "other", status: vex.NotAffected, at: -3}},
		vex.UnsignedClaim:   {{who: "quiet", status: vex.NotAffected, at: -3}},
		vex.Incomplete:      {{who: "maker", status: vex.NotAffected, bare: true, at: -3}},
		vex.VersionUnproven: {{who: "maker", status: vex.Fixed, at: -3}},
		vex.NotYet:          {{who: "maker", status: vex.NotAffected, at: 2}},
		vex.Expired:         {{who: "hub", status: vex.NotAffected, at: -20}},
	} {
		c := judge(t, parties).Resolve(claims(t, list...), now)
		if !slices.ContainsFunc(c.Claims, func(x vex.Judgement) bool { return x.Standing == want }) {
			t.Errorf("nothing is %s: %+v", want, c.Claims)
		}
	}
}

// TestNextChange: when a claim becomes valid, and when it ends.
func TestNextChange(t *testing.T) {
	j := judge(t, parties)
	for _, c := range []struct {
		list []said
		want time.Time
	}{
		{[]said{{who: "maker", status: vex.NotAffected, at: -3}}, time.Time{}},
		{[]said{{who: "maker", status: vex.NotAffected, at: 2}}, day(2)},
		{[]said{{who: "maker", status: vex.NotAffected, at: -3, until: 3}}, day(3)},
		{[]said{{who: "hub", status: vex.NotAffected, at: -3}}, day(7)},
		{[]said{{who: "hub", status: vex.NotAffected, at: -3, until: 30}, {who: "maker", status: vex.NotAffected, at: 2}}, day(2)},
		{[]said{{who: "maker", status: vex.Affected, at: 2, until: 3}}, time.Time{}},
	} {
		if got := j.Resolve(claims(t, c.list...), now).NextChange; !got.Equal(c.want) {
			t.Errorf("%+v: next change %v, want %v", c.list, got, c.want)
		}
	}
}
