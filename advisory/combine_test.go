package advisory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/version"
)

func TestCombine(t *testing.T) {
	part := func(digit, modified, ecosystem, fixed string, status advisory.Status, change ...func(*advisory.Record)) *advisory.Record {
		a := advisory.Affected{Ecosystem: ecosystem, Name: "curl", Status: status}
		if fixed != "" {
			a.Ranges = []advisory.Range{{Type: advisory.RangeEcosystem, Events: []version.Event{{Introduced: "0"}, {Fixed: fixed}}}}
		}
		r := &advisory.Record{ID: "A-1", Source: "alpine", Modified: modified, Summary: "of " + modified, Affected: []advisory.Affected{a}, Digest: "sha256:" + strings.Repeat(digit, 64)}
		for _, c := range change {
			c(r)
		}
		return r
	}
	show := func(r *advisory.Record) string {
		var lines []string
		for _, a := range r.Affected {
			line := a.Ecosystem + " " + string(a.Status)
			for _, rg := range a.Ranges {
				line += " <" + rg.Events[1].Fixed
			}
			lines = append(lines, line)
		}
		return r.Summary + r.Withdrawn + " | " + strings.Join(lines, "; ") + " | " + strings.Join(r.Upstream, " ")
	}
	const old, young = "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z"
	for _, tt := range []struct {
		name  string
		parts []*advisory.Record
		want  string
	}{
		{"two releases", []*advisory.Record{part("1", old, "Alpine:v3.18", "8.1-r0", "", upstream("CVE-2024-1")), part("2", young, "Alpine:v3.19", "8.5-r0", "", upstream("CVE-2024-1", "CVE-2024-2"))},
			"of 2024-02-01T00:00:00Z | Alpine:v3.18  <8.1-r0; Alpine:v3.19  <8.5-r0 | CVE-2024-1 CVE-2024-2"},
		{"one package, two versions", []*advisory.Record{part("1", old, "Alpine:edge", "8.1-r0", ""), part("2", old, "Alpine:edge", "8.5-r0", "")}, "of 2024-01-01T00:00:00Z | Alpine:edge  <8.5-r0 <8.1-r0 | "},
		{"equal versions, one with a status", []*advisory.Record{part("1", old, "Ubuntu:22.04:LTS", "1", ""), part("2", old, "Ubuntu:22.04:LTS", "1", advisory.WillNotFix)}, "of 2024-01-01T00:00:00Z | Ubuntu:22.04:LTS will_not_fix <1 | "},
		{"affected beats not affected", []*advisory.Record{part("1", old, "Alpine:edge", "", advisory.NotAffected), part("2", old, "Alpine:edge", "8.5-r0", "")}, "of 2024-01-01T00:00:00Z | Alpine:edge  <8.5-r0 | "},
		{"not affected alone", []*advisory.Record{part("1", old, "Alpine:edge", "", advisory.NotAffected), part("2", old, "Alpine:v3.18", "8.5-r0", "")}, "of 2024-01-01T00:00:00Z | Alpine:edge not_affected; Alpine:v3.18  <8.5-r0 | "},
		{"a withdrawn part", []*advisory.Record{part("1", young, "Alpine:edge", "9", "", withdrawn), part("2", old, "Alpine:v3.18", "8.5-r0", "")}, "of 2024-01-01T00:00:00Z | Alpine:v3.18  <8.5-r0 | "},
		{"all withdrawn", []*advisory.Record{part("1", young, "Alpine:edge", "9", "", withdrawn), part("2", old, "Alpine:v3.18", "8", "", withdrawn)}, "of 2024-02-01T00:00:00Z2024-06-20T16:03:47Z | Alpine:edge  <9; Alpine:v3.18  <8 | "},
	} {
		before := fmt.Sprintf("%+v", tt.parts[0])
		got := advisory.Combine(tt.parts...)
		if s := show(got); s != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, s, tt.want)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if after := fmt.Sprintf("%+v", tt.parts[0]); after != before {
			t.Errorf("%s: a part was changed to %s", tt.name, after)
		}
	}
}

// TestCombineProperties: neither order nor repetition matters, nothing that is
// affected is lost, and combining in steps affects the same.
func TestCombineProperties(t *testing.T) {
	statuses := []advisory.Status{"", "", advisory.NotAffected, advisory.WillNotFix, advisory.EndOfLife, advisory.UnderInvestigation}
	gen := rapid.Custom(func(t *rapid.T) *advisory.Record {
		r := &advisory.Record{ID: "A-1", Source: "s", Modified: fmt.Sprintf("2024-01-%02dT00:00:00Z", rapid.IntRange(1, 3).Draw(t, "day"))}
		for range rapid.IntRange(0, 4).Draw(t, "packages") {
			a := advisory.Affected{Ecosystem: rapid.SampledFrom([]string{"Alpine:v3.18", "Alpine:edge"}).Draw(t, "ecosystem"), Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name"), Status: rapid.SampledFrom(statuses).Draw(t, "status")}
			if a.Status != advisory.NotAffected {
				a.Ranges = []advisory.Range{{Type: advisory.RangeEcosystem, Events: []version.Event{{Introduced: "0"}, {Fixed: rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "fixed")}}}}
			}
			r.Affected = append(r.Affected, a)
		}
		r.Digest = record(fmt.Sprintf("%+v", r.Affected)+r.Modified, nil).Digest
		return r
	})
	fixes := func(r *advisory.Record) (out []string) {
		for _, a := range r.Affected {
			for _, rg := range a.Ranges {
				out = append(out, a.Ecosystem+" "+a.Name+" "+rg.Events[1].Fixed)
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(gen, 1, 5).Draw(t, "parts")
		want := advisory.Combine(parts...)
		shuffled := rapid.Permutation(append(slices.Clone(parts), parts[0])).Draw(t, "order")
		if diff := cmp.Diff(want, advisory.Combine(shuffled...)); diff != "" {
			t.Fatalf("order or repetition matters:\n%s", diff)
		}
		var all []string
		for _, p := range parts {
			all = append(all, fixes(p)...)
		}
		slices.Sort(all)
		if diff := cmp.Diff(slices.Compact(all), fixes(want)); diff != "" {
			t.Fatalf("what is affected changed:\n%s", diff)
		}
		if diff := cmp.Diff(fixes(want), fixes(advisory.Combine(advisory.Combine(parts[:1]...), want))); diff != "" {
			t.Fatalf("combining again changes it:\n%s", diff)
		}
	})
}

func TestCombined(t *testing.T) {
	list := []*advisory.Record{
		{Source: "a", ID: "X-1", Digest: "1"}, {Source: "a", ID: "X-1", Digest: "2"}, {Source: "a", ID: "X-2", Digest: "3"},
		{Source: "b", ID: "X-2", Digest: "4"}, {ID: "X-3", Digest: "5"}, {ID: "X-3", Digest: "6"},
	}
	var got []string
	for r, err := range advisory.Combined(records(list...)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Source+"/"+r.ID)
	}
	if want := []string{"a/X-1", "a/X-2", "b/X-2", "/X-3", "/X-3"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for range advisory.Combined(records(list...)) {
		break // must not yield on
	}
}

// TestCombineReal: AlmaLinux has some advisories in two documents that say the
// same in other words. Combined, they say no more.
func TestCombineReal(t *testing.T) {
	byID := map[string][]*advisory.Record{}
	for _, r := range shared(t, "osv-almalinux") {
		byID[r.ID] = append(byID[r.ID], r)
	}
	several := 0
	for id, list := range byID {
		if len(list) == 1 {
			continue
		}
		several++
		got := advisory.Combine(list...)
		if len(got.Affected) != len(list[0].Affected) || got.Modified != list[0].Modified {
			t.Errorf("%s has %d packages, combined %d", id, len(list[0].Affected), len(got.Affected))
		}
		for _, a := range got.Affected {
			if len(a.Ranges) != 1 {
				t.Errorf("%s: %s has %d ranges", id, a.Name, len(a.Ranges))
			}
		}
	}
	if several != 14 {
		t.Errorf("%d advisories have several documents", several)
	}
}
