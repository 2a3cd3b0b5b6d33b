package snapshot_test

import (
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
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
	// What is no longer listed, or since another day, is told as well.
	for name, other := range map[string][]*advisory.Signal{"delisted": nil, "another day": {{Vulnerability: "CVE-2024-0006", Source: "kev", Exploited: "2024-07-02"}}} {
		got, err := snapshot.Facts(ctx, to, open(t, compose(t, now, other)))
		if diff := gocmp.Diff([]advisory.Fact{fact("f", "0006", advisory.CauseChanged)}, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
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

// drawLinked draws records without much in them that hang together in many ways.
func drawLinked(t *rapid.T) []*advisory.Record {
	ids := []string{"CVE-2024-0001", "CVE-2024-0002", "GHSA-0001", "GHSA-0002", "X-1", "X-2", "DEBIAN-CVE-2024-0001"}
	some := rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 0, 2, rapid.ID)
	rating := rapid.SampledFrom([]string{"", "LOW", "HIGH"})
	var out []*advisory.Record
	for i, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, len(ids), rapid.ID).Draw(t, "ids") {
		r := &advisory.Record{ID: id, Modified: "2024-05-20T16:03:47Z", Digest: fakeDigest(i + 1), Aliases: some.Draw(t, "aliases"), Rating: rating.Draw(t, "rating")}
		switch rapid.IntRange(0, 9).Draw(t, "more") {
		case 0:
			r.Withdrawn = r.Modified
		case 1:
			r.Upstream = some.Draw(t, "upstream")
		case 2:
			r.Related = some.Draw(t, "related")
		}
		for _, where := range rapid.SliceOfNDistinct(rapid.SampledFrom([][2]string{{"npm", "a"}, {"npm", "b"}, {"Debian:12", "a"}, {"Debian:12", "c"}}), 0, 2, rapid.ID).Draw(t, "affected") {
			a := advisory.Affected{Ecosystem: where[0], Name: where[1], Ranges: []advisory.Range{{Type: advisory.RangeEcosystem, Events: []version.Event{{Introduced: "0"}}}}}
			if rapid.Bool().Draw(t, "fixed") {
				a.Ranges[0].Events = append(a.Ranges[0].Events, version.Event{Fixed: "3"})
			}
			r.Affected = append(r.Affected, a)
		}
		out = append(out, r)
	}
	return out
}

func drawExploits(t *rapid.T) (out []*advisory.Signal) {
	for _, cve := range []string{"CVE-2024-0001", "CVE-2024-0002"} {
		if day := rapid.SampledFrom([]string{"", "2024-07-01", "2024-07-02"}).Draw(t, "exploited"); day != "" {
			out = append(out, &advisory.Signal{Vulnerability: cve, Source: "kev", Exploited: day})
		}
	}
	return out
}

// TestFactsNameWhatTurns: wherever matching finds something else in a package than
// before, some fact names one of the keys by which the package is indexed.
func TestFactsNameWhatTurns(t *testing.T) {
	doc := &sbom.Document{Subject: sbom.Subject{OS: &sbom.OS{ID: "debian", VersionID: "12"}}}
	for _, p := range []string{"pkg:npm/a@1", "pkg:npm/b@1", "pkg:deb/debian/a@1", "pkg:deb/debian/c@1"} {
		u, err := purl.Parse(p)
		if err != nil {
			t.Fatal(err)
		}
		doc.Packages = append(doc.Packages, sbom.Package{ID: p, Name: u.Name, Version: u.Version, PURL: u})
	}
	keys := map[string][]finding.Key{}
	for _, k := range advisory.Keys(doc) {
		keys[k.Package] = k.Keys
	}
	turned := 0
	rapid.Check(t, func(t *rapid.T) {
		old := drawLinked(t)
		now := slices.Clone(old) // most stay as they were
		for _, r := range drawLinked(t)[:1] {
			r.Digest = fakeDigest(99)
			now = slices.DeleteFunc(now, func(o *advisory.Record) bool { return o.ID == r.ID })
			if rapid.Bool().Draw(t, "stays") {
				now = append(now, r)
			}
		}
		before, after := drawExploits(t), drawExploits(t)
		if rapid.Bool().Draw(t, "same signals") {
			after = before
		}
		from, to := open2(t, compose(t, old, before)), open2(t, compose(t, now, after))
		match := func(s *snapshot.Snapshot) []finding.Finding {
			r, err := (advisory.Matcher{View: s}).Match(ctx, doc)
			if err != nil {
				t.Fatalf("%v", err)
			}
			return r.Findings
		}
		facts, err := snapshot.Facts(ctx, from, to)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for _, d := range finding.Compare(match(from), match(to)) {
			turned++
			if !slices.ContainsFunc(facts, func(f advisory.Fact) bool {
				return slices.Contains(keys[d.Package], finding.Key{Ecosystem: advisory.BaseEcosystem(f.Ecosystem), Name: f.Name})
			}) {
				t.Fatalf("no fact names %s, for which %s turned: %+v", d.Package, d.Vulnerability, facts)
			}
		}
	})
	if turned == 0 {
		t.Error("nothing ever turned")
	}
}
