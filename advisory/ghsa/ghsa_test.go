package ghsa_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/ghsa"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/testdata"
)

func TestSource(t *testing.T) {
	advisorytest.TestSource(t, ghsa.New(nil), "testdata/ghsa.txtar")
}

func TestUnreviewed(t *testing.T) {
	n := 0
	out, err := ghsa.New(&ghsa.Options{Unreviewed: true}).Fetch(t.Context(), nothing{}, nil, func(*advisory.Document) error { n++; return nil })
	if !errors.Is(err, advisory.ErrNotFound) || out != nil || n != 0 {
		t.Errorf("got %v, %v", out, err)
	}
}

// convert reads the one advisory of an answer.
func convert(t *testing.T, text []byte) *advisory.Record {
	t.Helper()
	var got *advisory.Record
	for r, err := range ghsa.ParseAPI(text) {
		if err != nil || got != nil {
			t.Fatalf("another thing: %v", err)
		}
		got = r
	}
	return got
}

// TestPairs holds conversions against those that the OSV project expects. The
// answers have their severity, weaknesses and page besides, which the expected
// records leave out or put elsewhere; ranges are compared as sets of versions.
func TestPairs(t *testing.T) {
	files := testdata.Open(t, "advisories/ghsa-to-osv.tar.gz")
	pairs := 0
	for name, text := range files {
		expected, ok := files[strings.TrimSuffix(name, ".json")+".osv.json"]
		if !ok {
			continue
		}
		pairs++
		want, err := osv.Parse(expected, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := convert(t, text)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(advisory.Record{}, "Affected", "Digest", "Rating", "Scores", "CWEs", "URL")); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		if len(got.Affected) != len(want.Affected) || got.Rating == "" {
			t.Fatalf("%s: %d packages, want %d; rating %q", name, len(got.Affected), len(want.Affected), got.Rating)
		}
		for i, w := range want.Affected {
			g := got.Affected[i]
			if g.Ecosystem != w.Ecosystem || g.Name != w.Name || g.Ranges[0].Type != w.Ranges[0].Type {
				t.Errorf("%s: %s %s %s, want %s %s %s", name, g.Ecosystem, g.Name, g.Ranges[0].Type, w.Ecosystem, w.Name, w.Ranges[0].Type)
			}
			sameVersions(t, name, g, w)
		}
	}
	if pairs != 7 {
		t.Errorf("%d pairs, want 7", pairs)
	}
}

// sameVersions compares what two lists of ranges contain, at every version that
// they name and beside it. A range of which only the last affected version is
// known is open in the expected records; ours ends there.
func sameVersions(t *testing.T, name string, got, want advisory.Affected) {
	t.Helper()
	probes := []string{"0.0.1", "1.2.1", "1.2.2", "99.0.0"}
	for _, a := range []advisory.Affected{got, want} {
		for _, r := range a.Ranges {
			for _, e := range r.Events {
				v := e.Introduced + e.Fixed + e.LastAffected
				probes = append(probes, v, v+".1")
			}
		}
	}
	last := ""
	for _, r := range got.Ranges {
		for _, e := range r.Events {
			last += e.LastAffected
		}
	}
	for _, v := range probes {
		g, w := contains(t, got, v), contains(t, want, v)
		if last != "" {
			c, err := version.Compare(got.Ecosystem, v, last)
			w = w && err == nil && c <= 0
		}
		if g != w {
			t.Errorf("%s: %s %s affected: %v, want %v", name, got.Name, v, g, w)
		}
	}
}

func contains(t *testing.T, a advisory.Affected, v string) bool {
	t.Helper()
	scheme, err := version.For(a.Ecosystem)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range a.Ranges {
		set, err := version.NewRange(scheme, r.Events)
		if err != nil {
			t.Fatal(err)
		}
		if set.Contains(v).State == version.Yes {
			return true
		}
	}
	return false
}

// rest writes an answer of the REST interface with one package.
func rest(ecosystem, rng, fix string) string {
	return `{"ghsa_id": "GHSA-aaaa-bbbb-cccc", "updated_at": "2024-05-20T00:00:00Z", "severity": "medium", "vulnerabilities": [` +
		`{"package": {"ecosystem": "` + ecosystem + `", "name": "x"}, "vulnerable_version_range": "` + rng + `", "first_patched_version": ` + fix + `}]}`
}

func TestRanges(t *testing.T) {
	tests := []struct {
		ecosystem, rng, fix string
		want                []version.Event
	}{
		{"npm", "= 1.2.3", "null", []version.Event{{Introduced: "1.2.3"}, {LastAffected: "1.2.3"}}},
		{"npm", "> 1.2.3, <= 2.0.0", `"2.0.1"`, []version.Event{{Introduced: "1.2.4-0"}, {Fixed: "2.0.1"}}},
		{"npm", "> 1.2.3-beta", `"2.0.1"`, []version.Event{{Introduced: "1.2.3-beta.0"}, {Fixed: "2.0.1"}}},
		{"npm", "> 1", `null`, []version.Event{{Introduced: "1.0.1-0"}}},
		{"pip", ">= 1.0", `{"identifier": "1.5"}`, []version.Event{{Introduced: "1.0"}, {Fixed: "1.5"}}},
		{"maven", "<2.0", "null", []version.Event{{Introduced: "0"}, {Fixed: "2.0"}}},
	}
	for _, tt := range tests {
		r := convert(t, []byte(rest(tt.ecosystem, tt.rng, tt.fix)))
		if diff := cmp.Diff(tt.want, r.Affected[0].Ranges[0].Events); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.rng, diff)
		}
	}
}

func TestParseAPIErrors(t *testing.T) {
	tests := []struct {
		text    string
		records int
		pointer string
		kind    error
	}{
		{rest("npm", "1.2.3", "null"), 1, "/vulnerabilities/0", ghsa.ErrInvalid},
		{rest("npm", ">= 1, ~> 2", "null"), 1, "/vulnerabilities/0", ghsa.ErrInvalid},
		{rest("npm", "", "null"), 1, "/vulnerabilities/0", ghsa.ErrInvalid},
		{rest("mars", "= 1", "null"), 1, "/vulnerabilities/0", advisory.ErrUnsupported},
		{`[` + rest("npm", "= 1", "null") + `, {"ghsa_id": "GHSA-1"}]`, 1, "", ghsa.ErrInvalid},
		{`[]`, 0, "", ghsa.ErrInvalid},
		{`{"ghsaId": 5}`, 0, "", ghsa.ErrInvalid},
		{`{"ghsaId": "a", "ghsaId": "b"}`, 0, "", ghsa.ErrInvalid},
	}
	for _, tt := range tests {
		records, last := 0, error(nil)
		for r, err := range ghsa.ParseAPI([]byte(tt.text)) {
			if err != nil {
				last = err
			} else if r != nil {
				records++
			}
		}
		var broken *advisory.RecordError
		if errors.As(last, &broken); records != tt.records || !errors.Is(last, tt.kind) || broken != nil && broken.Pointer != tt.pointer {
			t.Errorf("%s: %d records, %v", tt.text, records, last)
		}
	}
}

func FuzzParseAPI(f *testing.F) {
	f.Add([]byte(rest("npm", ">= 1, < 2", `"2"`)))
	f.Add([]byte(`[{"ghsaId": "GHSA-1", "updatedAt": "2024-05-20T00:00:00Z", "cwes": {"nodes": [{"cweId": "CWE-1"}]}, "references": ["a", {"url": "b"}]}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for r, err := range ghsa.ParseAPI(text) {
			if err == nil && r.Validate() != nil {
				t.Fatal(r.Validate())
			}
		}
	})
}
