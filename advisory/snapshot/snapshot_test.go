package snapshot_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/testdata"
)

// sequence yields records.
func sequence(records []*advisory.Record) iter.Seq2[*advisory.Record, error] {
	return func(yield func(*advisory.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func build(t testing.TB, records []*advisory.Record) ([]byte, *snapshot.Result) {
	t.Helper()
	var b bytes.Buffer
	result, err := snapshot.Build(&b, sequence(records))
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), result
}

func open(t testing.TB, data []byte) *snapshot.Snapshot {
	t.Helper()
	s, err := snapshot.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fakeDigest makes a digest of a number.
func fakeDigest(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// drawRecords draws records over few ids, ecosystems and names, so that they
// meet.
func drawRecords(t *rapid.T) []*advisory.Record {
	text := rapid.StringMatching(`[a-z0-9.:é-]{0,6}`)
	texts := rapid.SliceOfN(text, 0, 3)
	score := rapid.Custom(func(t *rapid.T) finding.Score {
		return finding.Score{Type: text.Draw(t, "type"), Value: text.Draw(t, "value"), Source: text.Draw(t, "source")}
	})
	event := rapid.Custom(func(t *rapid.T) version.Event {
		v := rapid.SampledFrom([]string{"0", "1", "1.2.3-4", "*"}).Draw(t, "version")
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return version.Event{Introduced: v}
		case 1:
			return version.Event{Fixed: v}
		case 2:
			return version.Event{LastAffected: v}
		}
		return version.Event{Limit: v}
	})
	versions := rapid.Custom(func(t *rapid.T) advisory.Range {
		return advisory.Range{
			Type: rapid.SampledFrom([]advisory.RangeType{"SEMVER", "ECOSYSTEM", "GIT", "", "NEW"}).Draw(t, "type"),
			Repo: text.Draw(t, "repo"), Events: rapid.SliceOfN(event, 1, 4).Draw(t, "events"),
		}
	})
	affected := rapid.Custom(func(t *rapid.T) advisory.Affected {
		a := advisory.Affected{
			Ecosystem: rapid.SampledFrom([]string{"npm", "PyPI", "Debian:11", "Debian:12", "Debian", "Go"}).Draw(t, "ecosystem"),
			Name:      rapid.SampledFrom([]string{"a", "B", "a_b", "linux", "x.Y"}).Draw(t, "name"),
			Ranges:    rapid.SliceOfN(versions, 0, 2).Draw(t, "ranges"),
			Versions:  advisory.NewVersionList(texts.Draw(t, "versions")...),
			Scores:    rapid.SliceOfN(score, 0, 2).Draw(t, "scores"), Rating: text.Draw(t, "rating"),
			Status: rapid.SampledFrom([]advisory.Status{"", "", advisory.NotAffected, advisory.EndOfLife}).Draw(t, "status"), Stream: rapid.SampledFrom([]string{"", "nodejs:18"}).Draw(t, "stream"),
		}
		if rapid.IntRange(0, 9).Draw(t, "unnamed") == 0 {
			a.Ecosystem, a.Name = "", ""
		}
		return a
	})
	reference := rapid.Custom(func(t *rapid.T) advisory.Reference {
		return advisory.Reference{Type: text.Draw(t, "type"), URL: text.Draw(t, "url")}
	})
	n := 0
	record := rapid.Custom(func(t *rapid.T) *advisory.Record {
		n++
		return &advisory.Record{
			ID:        rapid.StringMatching(`(A|B|CVE)-[0-9]`).Draw(t, "id"),
			Modified:  rapid.SampledFrom([]string{"2024-05-20T16:03:47Z", "2024-05-20T16:03:47.5Z", "2023-05-20T16:03:47Z", "0001-01-01T00:00:00Z"}).Draw(t, "modified"),
			Published: text.Draw(t, "published"), Withdrawn: rapid.SampledFrom([]string{"", "", "2024-06-20T16:03:47Z"}).Draw(t, "withdrawn"),
			Aliases: texts.Draw(t, "aliases"), Upstream: texts.Draw(t, "upstream"), Related: texts.Draw(t, "related"),
			Summary: text.Draw(t, "summary"), Scores: rapid.SliceOfN(score, 0, 2).Draw(t, "scores"), Rating: text.Draw(t, "rating"),
			Details: rapid.SampledFrom([]string{"", "long\ntext", strings.Repeat("é", 9000)}).Draw(t, "details"), CWEs: texts.Draw(t, "cwes"),
			References: rapid.SliceOfN(reference, 0, 2).Draw(t, "references"),
			URL:        text.Draw(t, "url"), Affected: rapid.SliceOfN(affected, 0, 3).Draw(t, "affected"), Digest: fakeDigest(n),
		}
	})
	return rapid.SliceOfN(record, 0, 12).Draw(t, "records")
}

// effective is what a snapshot of records has to hold: by id the newest.
func effective(records []*advisory.Record) []*advisory.Record {
	best := map[string]*advisory.Record{}
	for _, r := range records {
		old := best[r.ID]
		// The times of drawRecords order as texts once the fraction is cut.
		key := func(r *advisory.Record) string { return strings.ReplaceAll(r.Modified, "Z", ".0Z")[:22] + r.Digest }
		if old == nil || key(r) > key(old) {
			best[r.ID] = r
		}
	}
	out := make([]*advisory.Record, 0, len(best))
	for _, r := range best {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *advisory.Record) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// found is an entry and its record, comparable as text.
type found struct {
	Record advisory.Record
	Entry  advisory.Affected
	Gone   bool
}

// scan finds what a lookup should, by going through all records.
func scan(records []*advisory.Record, ecosystem, name string) (out []found) {
	for _, r := range effective(records) {
		for _, a := range r.Affected {
			if a.Name != "" && a.Ecosystem == ecosystem && advisory.CanonicalName(ecosystem, a.Name) == name {
				flat := *r
				flat.Affected, flat.Details, flat.References, flat.CWEs = nil, "", nil, nil
				out = append(out, found{flat, a, r.Withdrawn != ""})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.Record.Database(), b.Record.Database()), cmp.Compare(a.Record.ID, b.Record.ID))
	})
	return out
}

func lookup(t fataler, s *snapshot.Snapshot, ecosystem, name string) (out []found) {
	entries, err := s.Affected(ctx, ecosystem, name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, e := range entries {
		r, err := s.Record(ctx, e.Record)
		if err != nil {
			t.Fatalf("%v", err)
		}
		out = append(out, found{*r, e.Affected, e.Withdrawn})
	}
	return out
}

type fataler interface{ Fatalf(string, ...any) }

// text writes findings so that nil and empty lists are the same.
func text(list []found) string {
	return strings.ReplaceAll(fmt.Sprintf("%+v", list), "[]", "")
}

func TestLookupEqualsScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := drawRecords(t)
		var b bytes.Buffer
		result, err := snapshot.Build(&b, sequence(records))
		if err != nil {
			t.Fatal(err)
		}
		s, err := snapshot.Read(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(); err != nil {
			t.Fatal(err)
		}
		if s.Digest() != result.Digest || int64(b.Len()) != result.Size || result.Records != len(effective(records)) {
			t.Fatalf("result %+v of %d records, digest %s, %d bytes", result, len(effective(records)), s.Digest(), b.Len())
		}
		for _, ecosystem := range []string{"npm", "PyPI", "Debian:11", "Debian:12", "Debian", "Go", "Debian:1", ""} {
			for _, name := range []string{"a", "b", "B", "a-b", "a_b", "linux", "x.Y", "x.y", "x-y", ""} {
				want, got := text(scan(records, ecosystem, name)), text(lookup(t, s, ecosystem, name))
				if want != got {
					t.Fatalf("%s of %s:\nwant %s\n got %s", name, ecosystem, want, got)
				}
			}
		}
		checkEcosystems(t, s, effective(records))
	})
}

func checkEcosystems(t *rapid.T, s *snapshot.Snapshot, records []*advisory.Record) {
	type count struct{ records, packages map[string]bool }
	want := map[string]count{}
	for _, r := range records {
		for _, a := range r.Affected {
			if a.Name == "" {
				continue
			}
			if want[a.Ecosystem].records == nil {
				want[a.Ecosystem] = count{map[string]bool{}, map[string]bool{}}
			}
			want[a.Ecosystem].records[r.ID] = true
			want[a.Ecosystem].packages[r.Database()+" "+advisory.CanonicalName(a.Ecosystem, a.Name)] = true
		}
	}
	if len(s.Ecosystems()) != len(want) {
		t.Fatalf("ecosystems %v, want %d", s.Ecosystems(), len(want))
	}
	for _, e := range s.Ecosystems() {
		if w := want[e.Name]; e.Records != len(w.records) || e.Packages != len(w.packages) {
			t.Fatalf("%+v, want %d records and %d packages", e, len(w.records), len(w.packages))
		}
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := drawRecords(t)
		var a, b bytes.Buffer
		_, err := snapshot.Build(&a, sequence(records))
		if err != nil {
			t.Fatal(err)
		}
		shuffled := rapid.Permutation(records).Draw(t, "order")
		repeated := append(shuffled, shuffled[:len(shuffled)/2]...)
		if _, err := snapshot.Build(&b, sequence(repeated)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Fatalf("the order of records changes the snapshot")
		}
	})
}

// realPacks are databases of the shared data.
var realPacks = []string{
	"osv-go", "osv-crates", "osv-pypi", "osv-almalinux", "osv-bitnami", "osv-bellsoft", "osv-dhi", "osv-julia",
	"osv-r", "osv-drupal", "osv-ghsa-mixed", "osv-other-mixed", "osv-cpython", "osv-linter",
}

// real reads records of the shared data, once for each test.
func real(t testing.TB) (records []*advisory.Record, size int64) {
	t.Helper()
	var paths []string
	for _, p := range realPacks {
		paths = append(paths, testdata.Path(t, "advisories/"+p+".tar.gz"))
		for _, text := range testdata.Open(t, "advisories/"+p+".tar.gz") {
			size += int64(len(text))
		}
	}
	for r, err := range osv.Walk(t.Context(), nil, paths...) {
		var broken *advisory.RecordError
		if errors.As(err, &broken) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records, size
}

func TestRealData(t *testing.T) {
	records, size := real(t)
	data, result := build(t, records)
	shuffled := slices.Clone(records)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	again, _ := build(t, shuffled)
	if !bytes.Equal(data, again) {
		t.Errorf("shuffled records give another snapshot")
	}
	if result.Size > size/2 {
		t.Errorf("%d bytes of %d", result.Size, size)
	}
	t.Logf("%d records (%d withdrawn, %d repeated, %d superseded, %d entries without a package), %d bytes of text, snapshot %d bytes (%.1f %%)",
		result.Records, result.Withdrawn, result.Repeated, result.Superseded, result.Unnamed, size, result.Size, 100*float64(result.Size)/float64(size))
	s := open(t, data)
	// Scanning all records for each name is slow: index them once.
	index := map[[2]string][]*advisory.Record{}
	for _, r := range effectiveByTime(records) {
		seen := map[[2]string]bool{}
		for _, a := range r.Affected {
			k := [2]string{a.Ecosystem, advisory.CanonicalName(a.Ecosystem, a.Name)}
			if a.Name != "" && !seen[k] {
				seen[k] = true
				index[k] = append(index[k], r)
			}
		}
	}
	names := slices.SortedFunc(maps.Keys(index), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	for i := 0; i < len(names); i += 5 { // all of them take long
		k := names[i]
		if want, got := text(scanAll(index[k], k[0], k[1])), text(lookup(t, s, k[0], k[1])); want != got {
			t.Fatalf("%s of %s:\nwant %s\n got %s", k[1], k[0], want, got)
		}
	}
}

// effectiveByTime is effective for times of any form; the shared data repeats
// ids only with the same text or different times.
func effectiveByTime(records []*advisory.Record) []*advisory.Record {
	best := map[string]*advisory.Record{}
	for _, r := range records {
		if old := best[r.ID]; old == nil || cmp.Or(cmp.Compare(r.Modified, old.Modified), cmp.Compare(r.Digest, old.Digest)) > 0 {
			best[r.ID] = r
		}
	}
	out := make([]*advisory.Record, 0, len(best))
	for _, r := range best {
		out = append(out, r)
	}
	return out
}

// scanAll is scan over records of which each counts.
func scanAll(records []*advisory.Record, ecosystem, name string) []found {
	return scan(slices.SortedFunc(slices.Values(records), func(a, b *advisory.Record) int { return cmp.Compare(a.ID, b.ID) }), ecosystem, name)
}

func TestBuildSetsAside(t *testing.T) {
	good := &advisory.Record{ID: "A-1", Modified: "2024-05-20T16:03:47Z", Digest: fakeDigest(1), Affected: []advisory.Affected{{}, {Ecosystem: "npm", Name: "x"}}}
	bad := *good
	bad.ID, bad.Modified = "A-2", "yesterday"
	worse := *good
	worse.ID, worse.Digest = "A-3", "md5:0"
	seq := func(yield func(*advisory.Record, error) bool) {
		_ = yield(good, nil) && yield(nil, &advisory.RecordError{File: "z.json", Line: 3, Pointer: "/id", Err: errors.New("why")}) && yield(&bad, nil) && yield(&worse, nil) && yield(good, nil)
	}
	var b bytes.Buffer
	got, err := snapshot.Build(&b, seq)
	if err != nil {
		t.Fatal(err)
	}
	want := &snapshot.Result{
		Digest: got.Digest, Size: int64(b.Len()), Records: 1, Repeated: 1, Unnamed: 1,
		Broken: []snapshot.Broken{
			{ID: "A-2", Digest: bad.Digest, Reason: `the time of modification "yesterday" is not of RFC 3339: invalid input`},
			{ID: "A-3", Digest: "md5:0", Reason: `A-3: digest "md5:0" is no SHA-256: invalid input`},
			{File: "z.json", Line: 3, Pointer: "/id", Reason: "why"},
		},
		Ecosystems: []advisory.Ecosystem{{Name: "npm", Records: 1, Packages: 1, Modified: good.Modified}},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	fatal := errors.New("fatal")
	if _, err := snapshot.Build(&b, func(yield func(*advisory.Record, error) bool) { yield(nil, fatal) }); !errors.Is(err, fatal) {
		t.Errorf("error %v", err)
	}
}

// small is a snapshot of a few records with every kind of part.
func small(t testing.TB) []byte {
	var records []*advisory.Record
	for i := range 300 {
		id := fmt.Sprintf("GHSA-%03d", i)
		r := &advisory.Record{
			ID: id, Modified: "2024-05-20T16:03:47Z", Aliases: []string{"CVE-2024-1", "CVE-2024-2"}, Summary: strings.Repeat("text ", 10), Digest: fakeDigest(i),
			Scores: []finding.Score{{Type: "CVSS_V3", Value: "CVSS:3.1/AV:N"}},
			Affected: []advisory.Affected{{
				Ecosystem: "npm", Name: fmt.Sprintf("package-%03d", i/2), Versions: advisory.NewVersionList("1.0", "2.0"), Rating: "HIGH",
				Ranges: []advisory.Range{{Type: "SEMVER", Events: []version.Event{{Introduced: "0"}, {Fixed: "1.2.3"}}}, {Type: "GIT", Repo: "https://example.org", Events: []version.Event{{Introduced: "0"}, {LastAffected: "x"}, {Limit: "*"}}}},
			}, {Ecosystem: "PyPI", Name: "Under_score"}},
		}
		records = append(records, r)
	}
	data, _ := build(t, records)
	return data
}

// exercise looks at everything that names lead to.
func exercise(s *snapshot.Snapshot) error {
	var all []error
	names := []string{"under-score"}
	for i := range 150 {
		names = append(names, fmt.Sprintf("package-%03d", i))
	}
	for _, e := range s.Ecosystems() {
		for _, name := range names {
			entries, err := s.Affected(ctx, e.Name, name)
			all = append(all, err)
			for _, entry := range entries[:min(len(entries), 3)] {
				_, err := s.Record(ctx, entry.Record)
				all = append(all, err)
				for range entry.Versions.All() {
				}
			}
		}
	}
	return errors.Join(all...)
}

func TestDamage(t *testing.T) {
	data := small(t)
	if err := exercise(open(t, data)); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 15, 16, 79, 80, len(data) / 2, len(data) - 1} {
		if _, err := snapshot.Read(data[:n]); !errors.Is(err, snapshot.ErrInvalid) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := snapshot.Read(append(slices.Clone(data), 0)); !errors.Is(err, snapshot.ErrInvalid) {
		t.Errorf("a byte more: %v", err)
	}
	// A changed byte anywhere is found: when the file is opened, when the block
	// is read, or by Verify.
	for i := 0; i < len(data); i += 211 {
		damaged := slices.Clone(data)
		damaged[i] ^= 0x41
		s, err := snapshot.Read(damaged)
		if err == nil {
			lookupErr := exercise(s)
			if err = s.Verify(); err == nil {
				t.Fatalf("byte %d changed: not found", i)
			}
			if lookupErr != nil && !errors.Is(lookupErr, snapshot.ErrMismatch) {
				t.Fatalf("byte %d changed: %v", i, lookupErr)
			}
		}
		if !errors.Is(err, snapshot.ErrMismatch) && !errors.Is(err, snapshot.ErrInvalid) && !errors.Is(err, snapshot.ErrUnsupported) && !errors.Is(err, snapshot.ErrLimit) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
}

func TestClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.snapshot")
	if err := os.WriteFile(path, small(t), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := s.Affected(ctx, "npm", "package-000")
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	r, err := s.Record(ctx, entries[0].Record)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Affected(ctx, "npm", "package-000"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := s.Record(ctx, entries[0].Record); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	runtime.GC()
	if r.ID != "GHSA-000" || entries[1].Ranges[0].Events[1].Fixed != "1.2.3" {
		t.Errorf("what was read did not outlive Close: %+v", r)
	}
}

func TestNothingAllocatesNothing(t *testing.T) {
	s := open(t, small(t))
	names := []string{"absent", "package-999", "under_score", strings.Repeat("x", 1000)}
	if n := testing.AllocsPerRun(100, func() {
		for _, name := range names {
			for _, ecosystem := range []string{"npm", "PyPI", "Go", "npm:x"} {
				if entries, err := s.Affected(ctx, ecosystem, name); entries != nil || err != nil {
					t.Fatal(entries, err)
				}
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
