package advisory_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
)

// linksets writes linksets as "key: member(path) …; aliases; upstream; related".
func linksets(list []*advisory.Linkset) []string {
	var out []string
	for _, s := range list {
		var members []string
		for _, m := range s.Members {
			members = append(members, strings.Join(m.Path, ">"))
		}
		line := s.Key + ": " + strings.Join(members, " ")
		for _, part := range []struct {
			name string
			ids  []string
		}{{"aliases", s.Aliases}, {"upstream", s.Upstream}, {"related", s.Related}} {
			if len(part.ids) > 0 {
				line += "; " + part.name + " " + strings.Join(part.ids, " ")
			}
		}
		out = append(out, line)
	}
	return out
}

func TestLink(t *testing.T) {
	debian := in("Debian:12", "a", v("0"))
	tests := []struct {
		name    string
		records []*advisory.Record
		want    []string
	}{
		{"by alias, by id, by upstream", []*advisory.Record{record("CVE-1-1", nil), record("GHSA-a", nil, aliases("CVE-1-1")), record("DEBIAN-CVE-1-1", debian, upstream("CVE-1-1"))},
			[]string{"CVE-1-1: CVE-1-1 DEBIAN-CVE-1-1>CVE-1-1 GHSA-a>CVE-1-1; aliases DEBIAN-CVE-1-1 GHSA-a"}},
		{"a chain, in both directions", []*advisory.Record{record("A-1", nil), record("B-1", nil, aliases("A-1", "X-1")), record("C-1", nil, aliases("X-1")), record("GHSA-a", nil, aliases("CVE-1-1", "C-1"))},
			[]string{"CVE-1-1: A-1>B-1>X-1>C-1>GHSA-a>CVE-1-1 B-1>X-1>C-1>GHSA-a>CVE-1-1 C-1>GHSA-a>CVE-1-1 GHSA-a>CVE-1-1; aliases A-1 B-1 C-1 GHSA-a X-1"}},
		{"no CVE", []*advisory.Record{record("B-1", nil, aliases("A-0")), record("C-1", nil, aliases("A-0"))},
			[]string{"B-1: B-1 C-1>A-0>B-1; aliases A-0 C-1"}},
		{"several are several", []*advisory.Record{record("GO-1", nil, aliases("CVE-1-1", "CVE-1-2", "GHSA-a")), record("GHSA-a", nil, aliases("CVE-1-1")), record("X-1", nil, aliases("GO-1"))},
			[]string{"CVE-1-1: GHSA-a>CVE-1-1 GO-1>CVE-1-1 X-1>GO-1>CVE-1-1; aliases GHSA-a", "CVE-1-2: GO-1>CVE-1-2 X-1>GO-1>CVE-1-2"}},
		{"not through a record with a CVE", []*advisory.Record{record("A-1", nil, aliases("B-1")), record("B-1", nil, aliases("CVE-1-1", "C-1")), record("C-1", nil, aliases("CVE-1-2"))},
			[]string{"CVE-1-1: A-1>B-1>CVE-1-1 B-1>CVE-1-1; aliases A-1 B-1 C-1", "CVE-1-2: C-1>CVE-1-2; aliases C-1"}},
		{"an erratum is about each", []*advisory.Record{record("USN-1", debian, upstream("CVE-1-1", "CVE-1-2")), record("X-1", nil, aliases("USN-1")), record("CVE-1-2", nil)},
			[]string{"CVE-1-1: USN-1>CVE-1-1", "CVE-1-2: CVE-1-2 USN-1>CVE-1-2", "X-1: X-1; aliases USN-1"}},
		{"an erratum does not make two one", []*advisory.Record{record("USN-1", debian, upstream("A-1", "B-1")), record("A-1", nil), record("B-1", nil), record("GHSA-c", nil, aliases("B-1", "CVE-1-1"))},
			[]string{"A-1: A-1 USN-1>A-1", "CVE-1-1: B-1>GHSA-c>CVE-1-1 GHSA-c>CVE-1-1 USN-1>B-1>GHSA-c>CVE-1-1; aliases B-1 GHSA-c"}},
		{"related ids of errata, and of others", []*advisory.Record{record("ALSA-1", in("AlmaLinux:9", "a", v("0", "1")), related("CVE-1-1")), record("GHSA-a", in("npm", "a", v("0")), related("CVE-1-1"))},
			[]string{"CVE-1-1: ALSA-1>CVE-1-1; aliases ALSA-1", "GHSA-a: GHSA-a; related CVE-1-1"}},
		{"its own id", []*advisory.Record{record("UBUNTU-CVE-1-1", debian)}, []string{"CVE-1-1: UBUNTU-CVE-1-1>CVE-1-1; aliases UBUNTU-CVE-1-1"}},
		{"what was taken back leads nobody", []*advisory.Record{record("A-1", nil, aliases("B-1")), record("B-1", nil, aliases("CVE-1-1", "A-1"), withdrawn), record("C-1", nil, aliases("A-1"), withdrawn)},
			[]string{"A-1: A-1 C-1>A-1; aliases B-1 C-1", "CVE-1-1: B-1>CVE-1-1; aliases A-1 B-1"}},
		{"an alias of itself", []*advisory.Record{record("A-1", nil, aliases("A-1", "A-1"))}, []string{"A-1: A-1"}},
		{"edges", []*advisory.Record{record("CGA-1", in("Chainguard", "a", v("0")), upstream("CVE-1-1", "GHSA-x"), related("GHSA-y", "CVE-1-2"))},
			[]string{"CVE-1-1: CGA-1>CVE-1-1; aliases CGA-1; upstream GHSA-x; related CVE-1-2 GHSA-y"}},
		{"nothing", nil, nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, linksets(advisory.Link(tt.records))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestLinkLimits: what leads to too much leads nowhere, and long paths are cut.
func TestLinkLimits(t *testing.T) {
	var list []*advisory.Record
	for i := range advisory.MaxReach + 1 {
		list = append(list, record(fmt.Sprintf("CVE-1-%d", i), nil, aliases("HUB")))
	}
	list = append(list, record("X-1", nil, aliases("HUB")))
	sets := advisory.Link(list)
	last := sets[len(sets)-1]
	if last.Key != "X-1" || len(sets) != len(list) || len(last.Conflicts) != 1 || last.Conflicts[0].Kind != advisory.ConflictAlias {
		t.Errorf("%d linksets, the last is %+v", len(sets), last)
	}
	sets = advisory.Link(list[1:])
	if n := len(sets); n != advisory.MaxReach || len(sets[0].Members) != 2 {
		t.Errorf("%d linksets, the first is %+v", n, sets[0])
	}
	list = []*advisory.Record{record("Z", nil, aliases("CVE-1-1", "X-000"))}
	for i := range 100 {
		list = append(list, record(fmt.Sprintf("X-%03d", i), nil, aliases(fmt.Sprintf("X-%03d", i+1))))
	}
	sets = advisory.Link(list)
	if len(sets) != 1 || len(sets[0].Members) != 101 || sets[0].Conflicts[0].Kind != advisory.ConflictSize {
		t.Fatalf("%+v", sets)
	}
	for _, m := range sets[0].Members {
		if n := len(m.Path); n > 16 || m.Path[0] != m.ID || m.Path[n-1] != "CVE-1-1" {
			t.Errorf("%s: %v", m.ID, m.Path)
		}
	}
}

func TestLinkJudges(t *testing.T) {
	const high, low = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L"
	refer := func(urls ...string) func(*advisory.Record) {
		return func(r *advisory.Record) {
			for _, u := range urls {
				r.References = append(r.References, advisory.Reference{Type: "WEB", URL: u})
			}
		}
	}
	from := func(source string) func(*advisory.Record) {
		return func(r *advisory.Record) { r.Source, r.Digest = source, "sha256:"+source }
	}
	cve := aliases("CVE-1-1")
	npm := func(ranges ...[]string) []advisory.Affected { return in("npm", "a", ranges...) }
	tests := []struct {
		name       string
		records    []*advisory.Record
		confidence int
		want       []string
	}{
		{"alone", []*advisory.Record{record("A-1", npm(v("0")), cve)}, 100, nil},
		{"all agree", []*advisory.Record{
			record("A-1", npm(v("0", "1.2.0")), cve, scored("CVSS_V3", high), refer("https://x")), record("B-1", npm(v("0", "1.2.0")), cve, scored("CVSS_V3", high), refer("https://x")),
		}, 100, nil},
		{"the same versions in other words", []*advisory.Record{
			record("A-1", npm(v("0", "1.2.0"), v("2.0.0", "2.1.0")), cve), record("B-1", npm(v("2.0.0", "2.1.0"), v("0", "1.2.0")), cve),
		}, 40 + 25 + 15 + 5 + 5, nil},
		{"nothing to compare", []*advisory.Record{record("A-1", nil, cve), record("B-1", nil, cve)}, 40 + 12 + 7 + 5 + 5 + 1, nil},
		{"a chain", []*advisory.Record{record("A-1", nil, aliases("B-1")), record("B-1", nil, cve)}, 30 + 12 + 7 + 5 + 5 + 1, nil},
		{"overlapping versions", []*advisory.Record{record("A-1", npm(v("0", "1.2.0")), cve), record("B-1", npm(v("1.0.0", "1.3.0")), cve)}, 40 + 25 + 9 + 5 + 5 - 5,
			[]string{"affected-range-divergence npm/a: A-1 >= 0, < 1.2.0 | B-1 >= 1.0.0, < 1.3.0"}},
		{"disjoint versions", []*advisory.Record{record("A-1", npm(v("0", "1.0.0")), cve), record("B-1", npm(v("1.0.0", "1.3.0")), cve)}, 40 + 25 + 0 + 5 + 5 - 5,
			[]string{"affected-range-divergence npm/a: A-1 >= 0, < 1.0.0 | B-1 >= 1.0.0, < 1.3.0"}},
		{"another release", []*advisory.Record{record("A-1", in("Debian:11", "a", v("0", "1")), cve), record("B-1", in("Debian:12", "a", v("0", "2")), cve)}, 40 + 25 + 7 + 5 + 5, nil},
		{"severities", []*advisory.Record{record("A-1", nil, cve, scored("CVSS_V3", high)), record("B-1", nil, cve, scored("CVSS_V3", low, "CVSS_V2", "AV:N/AC:L/Au:N/C:C/I:C/A:C"))}, 40 + 12 + 7 + 0 + 5 + 1 - 5,
			[]string{"severity-mismatch CVSS_V3: A-1 9.8 | B-1 5.3"}},
		{"taken back", []*advisory.Record{record("A-1", npm(v("0", "1")), cve, withdrawn), record("B-1", npm(v("0", "2")), cve)}, 40 + 12 + 7 + 5 + 5 + 1 - 10,
			[]string{"withdrawn-mismatch withdrawn: A-1 2024-06-20T16:03:47Z | B-1 current"}},
		{"two texts of one id", []*advisory.Record{record("A-1", nil, cve, from("x")), record("A-1", nil, cve, from("y"))}, 40 + 12 + 7 + 5 + 5 + 1 - 5,
			[]string{"duplicate-id A-1: A-1 x sha256:x | A-1 y sha256:y"}},
		{"an unreadable range is not compared", []*advisory.Record{record("A-1", npm(v("0", "one")), cve), record("B-1", npm(v("0", "1.0.0")), cve)}, 40 + 25 + 7 + 5 + 5, nil},
	}
	for _, tt := range tests {
		sets := advisory.Link(tt.records)
		if len(sets) != 1 {
			t.Errorf("%s: %v", tt.name, linksets(sets))
			continue
		}
		if diff := cmp.Diff(tt.want, conflicts(sets[0])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if sets[0].Confidence != tt.confidence {
			t.Errorf("%s: confidence %d, want %d", tt.name, sets[0].Confidence, tt.confidence)
		}
	}
	sets := advisory.Link([]*advisory.Record{record("GO-1", nil, aliases("CVE-1-1", "CVE-1-2")), record("X-1", nil, aliases("GO-1"))})
	want := []string{"alias-inconsistency GO-1: GO-1 CVE-1-1 | GO-1 CVE-1-2", "alias-inconsistency X-1: X-1 CVE-1-1 | X-1 CVE-1-2"}
	for _, s := range sets {
		if diff := cmp.Diff(want, conflicts(s)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.Key, diff)
		}
	}
}

// conflicts writes conflicts as "kind field: record value | …".
func conflicts(s *advisory.Linkset) []string {
	var out []string
	for _, c := range s.Conflicts {
		var values []string
		for _, v := range c.Values {
			values = append(values, v.Record+" "+v.Value)
		}
		out = append(out, fmt.Sprintf("%s %s: %s", c.Kind, c.Field, strings.Join(values, " | ")))
	}
	return out
}

// graphIDs are the ids of random graphs.
var graphIDs = []string{"CVE-1-1", "CVE-1-2", "CVE-1-3", "A-1", "A-2", "B-1", "B-2", "C-1", "D-CVE-1-4"}

// drawRecord makes a record of a random graph. Its digest is its content.
func drawRecord(id string, pick func(n int) int) *advisory.Record {
	ids := func(max int) (list []string) {
		for range pick(max + 1) {
			list = append(list, graphIDs[pick(len(graphIDs))])
		}
		return list
	}
	r := &advisory.Record{ID: id, Source: []string{"x", "y"}[pick(2)]}
	switch pick(5) {
	case 0:
		r.Affected, r.Upstream, r.Related = in("Debian:12", "a", v("0", fmt.Sprint(1+pick(2)))), ids(3), ids(2)
	case 1:
		r.Aliases, r.Upstream = ids(2), ids(2)
	case 2:
		r.Aliases, r.Related, r.Affected = ids(3), ids(1), in("npm", "a", v("0", fmt.Sprint(1+pick(3))))
		r.Scores = []finding.Score{{Type: "CVSS_V3", Value: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:" + string("NLH"[pick(3)])}}
	default:
		r.Aliases = ids(3)
	}
	if pick(6) == 0 {
		r.Withdrawn = "2024-01-01T00:00:00Z"
	}
	r.Digest = fmt.Sprint(r.Aliases, r.Upstream, r.Related, r.Affected, r.Withdrawn, r.Scores)
	return r
}

// naive groups records by following ids from each of them: the keys of each
// record, as Link documents them.
func naive(list []*advisory.Record) map[*advisory.Record][]string {
	cves := func(r *advisory.Record) (out []string) {
		add := func(ids ...string) {
			for _, id := range ids {
				if strings.HasPrefix(id, "CVE-") && !slices.Contains(out, id) {
					out = append(out, id)
				}
			}
		}
		if add(r.ID); len(out) > 0 {
			return out
		}
		add(r.Aliases...)
		if add(r.Upstream...); len(out) > 0 || len(r.Affected) == 0 || r.Affected[0].Ecosystem != "Debian:12" {
			return out
		}
		if add(r.Related...); len(out) == 0 {
			add(strings.TrimPrefix(r.ID, "D-"))
		}
		return out
	}
	shares := func(a, b *advisory.Record) bool {
		for _, x := range append(append([]string{a.ID}, a.Aliases...), a.Upstream...) {
			if !strings.HasPrefix(x, "CVE-") && (x == b.ID || slices.Contains(b.Aliases, x) || slices.Contains(b.Upstream, x)) {
				return true
			}
		}
		return false
	}
	leads := func(r *advisory.Record) bool {
		up := map[string]bool{}
		for _, id := range r.Upstream {
			up[id] = true
		}
		return r.Withdrawn == "" && len(up) < 2 && (len(cves(r)) < 2 || slices.ContainsFunc(r.Aliases, func(id string) bool { return strings.HasPrefix(id, "CVE-") }))
	}
	out := map[*advisory.Record][]string{}
	for _, r := range list {
		keys := map[string]bool{}
		for _, cve := range cves(r) {
			keys[cve] = true
		}
		if len(keys) == 0 {
			// Each id that it names leads somewhere of its own, save that all
			// of a record that leads lead to the same.
			var starts [][]*advisory.Record
			for _, other := range list {
				if other != r && leads(other) && shares(r, other) {
					starts = append(starts, []*advisory.Record{other})
				}
			}
			if leads(r) {
				all := []*advisory.Record{r}
				for _, s := range starts {
					all = append(all, s...)
				}
				starts = [][]*advisory.Record{all}
			}
			for _, reached := range starts {
				own, smallest := map[string]bool{}, ""
				withID := reached
				// A record with CVE ids that is met is not followed.
				for at := 0; at < len(withID); at++ {
					m := withID[at]
					if named := cves(m); len(named) > 0 {
						for _, c := range named {
							own[c] = true
						}
						continue
					}
					if smallest == "" || m.ID < smallest {
						smallest = m.ID
					}
					for _, other := range list {
						if leads(other) && shares(m, other) && !slices.Contains(withID, other) {
							withID = append(withID, other)
						}
					}
				}
				if len(own) == 0 && smallest != "" {
					own[smallest] = true
				}
				maps.Copy(keys, own)
			}
		}
		if len(keys) == 0 {
			keys[r.ID] = true
		}
		out[r] = slices.Sorted(maps.Keys(keys))
	}
	return out
}

// checkLink checks the linksets of records by their definition.
func checkLink(t interface {
	Helper()
	Fatalf(string, ...any)
}, list []*advisory.Record) []*advisory.Linkset {
	t.Helper()
	sets := advisory.Link(list)
	got := map[string][]string{}
	for _, s := range sets {
		for _, m := range s.Members {
			k := m.Source + " " + m.ID + " " + m.Digest
			got[k] = append(got[k], s.Key)
			if m.Path[0] != m.ID || m.Path[len(m.Path)-1] != s.Key {
				t.Fatalf("%s: the path of %s is %v", s.Key, m.ID, m.Path)
			}
			for _, id := range m.Path[:len(m.Path)-1] {
				if strings.HasPrefix(id, "CVE-") {
					t.Fatalf("%s: the path of %s leads through %s", s.Key, m.ID, id)
				}
			}
		}
		for _, id := range s.Aliases {
			if strings.HasPrefix(id, "CVE-") {
				t.Fatalf("%s has the alias %s", s.Key, id)
			}
		}
	}
	for r, want := range naive(list) {
		if k := r.Source + " " + r.ID + " " + r.Digest; !slices.Equal(got[k], want) {
			t.Fatalf("%+v is in %v, want %v\n%s", *r, got[k], want, strings.Join(linksets(sets), "\n"))
		}
	}
	return sets
}

// drawRecords draws a random graph: chains, stars, cycles, several CVE ids.
func drawRecords(t *rapid.T) []*advisory.Record {
	pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") }
	var list []*advisory.Record
	for range pick(8) {
		list = append(list, drawRecord(graphIDs[pick(len(graphIDs))], pick))
	}
	return current(list)
}

// current keeps one record for each source and id.
func current(list []*advisory.Record) []*advisory.Record {
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(r *advisory.Record) bool {
		again := seen[r.Source+" "+r.ID]
		seen[r.Source+" "+r.ID] = true
		return again
	})
}

// TestLinkProperties: linksets are what their definition says, whatever the
// order, and taking a record away again restores what was.
func TestLinkProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawRecords(t)
		sets := checkLink(t, list)
		shuffled := append(rapid.Permutation(list).Draw(t, "shuffled"), list[:len(list)/2]...)
		if diff := cmp.Diff(sets, advisory.Link(shuffled)); diff != "" {
			t.Fatalf("in another order (-first +second):\n%s", diff)
		}
		extra := drawRecord("A-1", func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "extra") })
		extra.Source = "z"
		checkLink(t, append(slices.Clone(list), extra))
		if diff := cmp.Diff(sets, advisory.Link(list)); diff != "" {
			t.Fatalf("after one was taken away (-before +after):\n%s", diff)
		}
	})
}

// TestLinkChanged: what changed, put in the place of what was, is what linking
// everything gives.
func TestLinkChanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawRecords(t)
		pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "change") }
		var after, old, fresh []*advisory.Record
		for _, r := range before {
			switch pick(5) {
			case 0:
				old = append(old, r)
			case 1:
				next := drawRecord(r.ID, pick)
				next.Source = r.Source
				old, fresh, after = append(old, r), append(fresh, next), append(after, next)
			default:
				after = append(after, r)
			}
		}
		if pick(2) == 0 {
			r := drawRecord("B-2", pick)
			r.Source = "z"
			fresh, after = append(fresh, r), append(after, r)
		}
		want := map[string]*advisory.Linkset{}
		for _, s := range advisory.Link(after) {
			want[s.Key] = s
		}
		got, was := map[string]*advisory.Linkset{}, map[string]*advisory.Linkset{}
		for _, s := range advisory.Link(before) {
			got[s.Key], was[s.Key] = s, s
		}
		changed, err := advisory.LinkChanged(old, fresh, func(id string) (list []*advisory.Record, err error) {
			for _, r := range after {
				if slices.Contains(r.Names(), id) {
					list = append(list, r)
				}
			}
			return list, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range changed {
			if cmp.Equal(was[s.Key], s) {
				t.Fatalf("%s did not change", s.Key)
			}
			if got[s.Key] = s; len(s.Members) == 0 {
				delete(got, s.Key)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
}

// TestLinkMany checks many random graphs: 20,000, with -short 2,000, with
// STELLA_LONG=1 in the environment 1,000,000.
func TestLinkMany(t *testing.T) {
	n := 20000
	switch {
	case os.Getenv("STELLA_LONG") == "1":
		n = 1000000
	case testing.Short():
		n = 2000
	}
	r := rand.New(rand.NewPCG(7, 1))
	several := 0
	for range n {
		var list []*advisory.Record
		for range 1 + r.IntN(7) {
			list = append(list, drawRecord(graphIDs[r.IntN(len(graphIDs))], r.IntN))
		}
		for _, s := range checkLink(t, current(list)) {
			if len(s.Members) > 1 {
				several++
			}
		}
	}
	t.Logf("%d graphs, %d linksets with several members", n, several)
	if several < n/10 {
		t.Error("too few of them hang together")
	}
}
