package snapshot_test

import (
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/advisory/version"
)

func TestFacts(t *testing.T) {
	affects := func(name string, events ...version.Event) advisory.Affected {
		return advisory.Affected{Ecosystem: "npm", Name: name, Ranges: []advisory.Range{{Type: "SEMVER", Events: append([]version.Event{{Introduced: "0"}}, events...)}}}
	}
	record := func(id string, list ...advisory.Affected) *advisory.Record {
		return &advisory.Record{ID: id, Modified: "2024-05-20T16:03:47Z", Digest: fakeDigest(1), Aliases: []string{"CVE-2024-" + id[len(id)-4:]}, Affected: list}
	}
	fixed := version.Event{Fixed: "2"}
	gone, rated, texts := record("GHSA-0004", affects("d")), record("GHSA-0005", affects("e")), record("GHSA-0006", affects("f"))
	gone.Withdrawn, rated.Rating, texts.Summary = "2024-06-20T16:03:47Z", "HIGH", "other words"
	old := []*advisory.Record{record("GHSA-0001", affects("a")), record("GHSA-0002", affects("b"), affects("b2")), record("GHSA-0003", affects("c", fixed)), record("GHSA-0004", affects("d")), record("GHSA-0005", affects("e")), record("GHSA-0006", affects("f"))}
	now := []*advisory.Record{record("GHSA-0001", affects("a", fixed)), record("GHSA-0002", affects("b")), record("GHSA-0003", affects("c", version.Event{Fixed: "3"})), gone, rated, texts, record("GHSA-0007", affects("g"))}
	from, to := open(t, compose(t, old, nil)), open(t, compose(t, now, []*advisory.Signal{{Vulnerability: "CVE-2024-0006", Source: "kev", Exploited: "2024-07-01"}}))
	got, err := snapshot.Facts(ctx, from, to)
	if err != nil {
		t.Fatal(err)
	}
	fact := func(name, number string, cause advisory.Cause) advisory.Fact {
		return advisory.Fact{Ecosystem: "npm", Name: name, Record: "GHSA-" + number, Vulnerability: "CVE-2024-" + number, Cause: cause}
	}
	want := []advisory.Fact{
		fact("a", "0001", advisory.CauseFixAvailable), fact("b2", "0002", advisory.CauseWithdrawn), fact("c", "0003", advisory.CauseChanged), fact("d", "0004", advisory.CauseWithdrawn),
		fact("e", "0005", advisory.CauseChanged), fact("f", "0006", advisory.CauseKEV), fact("g", "0007", advisory.CauseNew),
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got)\n%s", diff)
	}
	if got, err := snapshot.Facts(ctx, to, to); err != nil || len(got) > 0 {
		t.Errorf("a snapshot and itself: %v, %v", got, err)
	}
}

// TestChangesTurnOneIntoTheOther: applying the changes to the records of one
// snapshot gives those of the other.
func TestChangesTurnOneIntoTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, now := effective(drawRecords(t)), effective(drawRecords(t))
		from, to := open2(t, compose(t, old, nil)), open2(t, compose(t, now, nil))
		type place struct {
			part advisory.Part
			id   string
		}
		all := func(s *snapshot.Snapshot) map[place]*advisory.Record {
			out := map[place]*advisory.Record{}
			for i := range s.Manifest().Segments {
				p := s.Manifest().Segments[i].Part()
				for r, err := range s.Records(p) {
					if err != nil {
						t.Fatalf("%v", err)
					}
					out[place{p, r.ID}] = r
				}
			}
			return out
		}
		got, want := all(from), all(to)
		var order []string
		for c, err := range snapshot.Changes(from, to) {
			if err != nil {
				t.Fatalf("%v", err)
			}
			key := place{c.Part, c.ID}
			if diff := gocmp.Diff(got[key], c.Old, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%v before\n%s", key, diff)
			}
			if delete(got, key); c.Now != nil {
				got[key] = c.Now
			}
			order = append(order, c.Part.Ecosystem+"\x00"+c.Part.Database+"\x00"+c.ID)
		}
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("changed records (-want +got)\n%s", diff)
		}
		if !slices.IsSorted(order) {
			t.Fatalf("not in order: %q", order)
		}
	})
}
