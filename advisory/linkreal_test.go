package advisory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/advisory"
)

// TestRealLinks groups every shared record.
func TestRealLinks(t *testing.T) {
	list := shared(t, append([]string{"osv-cpython", "osv-dhi"}, sharedPacks...)...)
	sets := advisory.Link(list)
	places, conflicts, confidence := map[string][]string{}, map[advisory.ConflictKind]int{}, map[int]int{}
	members, several, cves, chains := 0, 0, 0, 0
	for _, s := range sets {
		members += len(s.Members)
		if strings.HasPrefix(s.Key, "CVE-") {
			cves++
		}
		if len(s.Members) > 1 {
			several++
			confidence[s.Confidence/10*10]++
		}
		for _, m := range s.Members {
			if len(m.Path) > 2 {
				chains++
			}
			places[m.ID] = append(places[m.ID], s.Key)
		}
		for _, c := range s.Conflicts {
			conflicts[c.Kind]++
		}
		if s.Confidence < 0 || s.Confidence > 100 {
			t.Errorf("%s: confidence %d", s.Key, s.Confidence)
		}
	}
	for _, r := range list {
		if len(places[r.ID]) == 0 {
			t.Errorf("%s is in no linkset", r.ID)
		}
	}
	t.Logf("%d records in %d linksets, %d with a CVE id, %d with several members (%d memberships, %d by a chain)", len(list), len(sets), cves, several, members, chains)
	t.Logf("conflicts: %v; confidence of several: %v", conflicts, confidence)

	// Vulnerabilities of Go that have more than one CVE id: each is kept apart.
	groups := 0
	byKey := map[string]*advisory.Linkset{}
	for _, s := range sets {
		byKey[s.Key] = s
	}
	for _, r := range shared(t, "osv-go") {
		var ids []string
		for _, id := range r.Aliases {
			if strings.HasPrefix(id, "CVE-") {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		if ids = slices.Compact(ids); len(ids) < 2 {
			continue // some records repeat an alias
		}
		groups++
		if !slices.Equal(places[r.ID], ids) {
			t.Errorf("%s with the aliases %v is in %v", r.ID, ids, places[r.ID])
		}
		for _, id := range ids {
			if s := byKey[id]; s == nil || !slices.ContainsFunc(s.Conflicts, func(c advisory.Conflict) bool {
				return c.Kind == advisory.ConflictAlias && c.Field == r.ID
			}) {
				t.Errorf("%s: %+v", id, s)
			}
		}
	}
	if t.Logf("%d records about Go have several CVE ids", groups); groups != 12 {
		t.Errorf("%d records about Go have several CVE ids, want 12", groups)
	}

	// One record after another is taken away: what LinkChanged says is what
	// linking the rest gives.
	index := map[string][]*advisory.Record{}
	for _, r := range list {
		for _, id := range r.Names() {
			index[id] = append(index[id], r)
		}
	}
	for i := 0; i < len(list); i += max(1, len(list)/300) {
		gone := list[i]
		changed, err := advisory.LinkChanged([]*advisory.Record{gone}, nil, func(id string) ([]*advisory.Record, error) {
			return slices.DeleteFunc(slices.Clone(index[id]), func(r *advisory.Record) bool { return r == gone }), nil
		})
		if err != nil || len(changed) == 0 {
			t.Fatalf("%s: %v, %v", gone.ID, changed, err)
		}
		back, err := advisory.LinkChanged(nil, []*advisory.Record{gone}, func(id string) ([]*advisory.Record, error) { return index[id], nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range back {
			if want := byKey[s.Key]; len(s.Members) > 0 && fmt.Sprint(*s) != fmt.Sprint(*want) {
				t.Errorf("%s is %+v after %s came back, was %+v", s.Key, s, gone.ID, want)
			}
		}
	}
}
