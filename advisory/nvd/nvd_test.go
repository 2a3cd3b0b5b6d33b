package nvd_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/nvd"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/testdata"
)

func TestAPI(t *testing.T) {
	now := func() time.Time { return time.Date(2024, 6, 12, 0, 0, 0, 0, time.UTC) }
	advisorytest.TestSource(t, nvd.Source{PageSize: 2, Now: now}, "testdata/api.txtar")
}

func TestFeeds(t *testing.T) {
	advisorytest.TestSource(t, nvd.Source{Feeds: true, Since: 2023}, "testdata/feeds.txtar")
}

// parse collects what a document says.
func parse(name string, text []byte) (records []*advisory.Record, broken []string, fatal error) {
	for s, err := range (nvd.Source{}).Parse(&advisory.Document{Name: name, Content: text}) {
		var b *advisory.RecordError
		switch {
		case errors.As(err, &b):
			broken = append(broken, b.Error())
		case err != nil:
			fatal = err
		default:
			records = append(records, s.(*advisory.Record))
		}
	}
	return records, broken, fatal
}

func cve(members string) []byte {
	return []byte(`{"cve":{"id":"CVE-2024-0001","lastModified":"2024-01-01T00:00:00.000"` + members + `}}`)
}

func matches(list ...string) []byte {
	return cve(`,"configurations":[{"nodes":[{"cpeMatch":[` + strings.Join(list, ",") + `]}]}]`)
}

func TestRefused(t *testing.T) {
	nested := `{"cpeMatch":[]}`
	for range 40 {
		nested = `{"children":[` + nested + `]}`
	}
	for _, tt := range []struct {
		name   string
		text   []byte
		broken string
		fatal  error
	}{
		{"bad name", matches(`{"vulnerable":true,"criteria":"cpe:2.3:a:x"}`), "at /cve/configurations/0/nodes/0/cpeMatch/0: parse CPE name", nil},
		{"any product", matches(`{"vulnerable":true,"criteria":"cpe:2.3:a:x:*:*:*:*:*:*:*:*:*"}`), "is the name of no one product", nil},
		{"both bounds", matches(`{"vulnerable":true,"criteria":"cpe:2.3:a:x:y:*:*:*:*:*:*:*:*","versionEndIncluding":"1","versionEndExcluding":"1"}`), "both includes and excludes", nil},
		{"deep", cve(`,"configurations":[{"nodes":[` + nested + `]}]`), "levels of nodes: over the limit of 32", nil},
		{"no id", []byte(`{"cve":{"lastModified":"2024-01-01T00:00:00.000"}}`), "/cve/id", nil},
		{"no time", []byte(`{"cve":{"id":"CVE-2024-0001"}}`), "/cve/lastModified", nil},
		{"bad kind", []byte(`{"cve":{"id":"CVE-2024-0001","references":"none"}}`), "/cve/references", nil},
		{"twice", []byte(`{"vulnerabilities":[` + string(cve("")) + `,` + string(cve("")) + `]}`), "(CVE-2024-0001) at /vulnerabilities/1: the CVE is there twice", nil},
		{"cut", cve("")[:40], "", nvd.ErrInvalid},
		{"less than it says", []byte(`{"resultsPerPage":2,"vulnerabilities":[` + string(cve("")) + `]}`), "", nvd.ErrInvalid},
		{"something else", []byte(`{"dataType":"CVE_RECORD"}`), "", nvd.ErrInvalid},
		{"duplicate names", cve(`,"id":"CVE-2024-0002"`), "", nvd.ErrInvalid},
		{"list", []byte(`[]`), "", nvd.ErrInvalid},
		{"more", append(cve(""), "{}"...), "", nvd.ErrInvalid},
	} {
		_, broken, fatal := parse("x", tt.text)
		if !errors.Is(fatal, tt.fatal) || (fatal != nil) != (tt.fatal != nil) {
			t.Errorf("%s: %v", tt.name, fatal)
		}
		if tt.broken != "" && (len(broken) != 1 || !strings.Contains(broken[0], tt.broken)) {
			t.Errorf("%s: %q, want one with %q", tt.name, broken, tt.broken)
		}
	}
}

// verdicts asks which of the versions the entries of a product affect.
func verdicts(t *testing.T, r *advisory.Record, name string, versions ...string) string {
	t.Helper()
	var out []string
	for _, v := range versions {
		answer := "no"
		for _, a := range r.Affected {
			if a.Ecosystem+"/"+a.Name != name {
				continue
			}
			scheme, err := version.For(a.Ecosystem)
			if err != nil {
				t.Fatal(err)
			}
			if a.Ranges == nil && a.Versions == "" {
				answer = "vague"
			}
			list := []version.Range{version.Enumerated(scheme, slices.Collect(a.Versions.All()))}
			for _, rng := range a.Ranges {
				one, err := version.NewRange(scheme, rng.Events)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, one)
			}
			for _, one := range list {
				if one.Contains(v).State == version.Yes {
					answer = "yes"
				}
			}
		}
		out = append(out, v+" "+answer)
	}
	return strings.Join(out, ", ")
}

func TestVersions(t *testing.T) {
	records, broken, err := parse("x", matches(
		`{"vulnerable":true,"criteria":"cpe:2.3:a:x:y:*:*:*:*:*:*:*:*","versionStartExcluding":"1.0","versionEndIncluding":"1.5"}`,
		`{"vulnerable":true,"criteria":"cpe:2.3:a:x:y:2.0:*:*:*:*:*:*:*"}`,
		`{"vulnerable":true,"criteria":"cpe:2.3:a:x:y:2.1:rc1:*:*:*:*:*:*"}`,
		`{"vulnerable":true,"criteria":"cpe:2.3:a:x:y:2.2:-:*:*:*:*:*:*"}`,
		`{"vulnerable":true,"criteria":"cpe:2.3:a:x:y:3.9.*:*:*:*:*:*:*:*"}`,
		`{"vulnerable":true,"criteria":"cpe:2.3:a:x:back:*:*:*:*:*:*:*:*","versionStartIncluding":"3.3","versionEndExcluding":"3.3.0.beta3"}`,
		`{"vulnerable":true,"criteria":"cpe:2.3:a:x:z:??1:*:*:*:*:*:*:*"}`,
		`{"vulnerable":true,"criteria":"cpe:2.3:a:x:all:*:*:*:*:*:node.js:*:*"}`,
		`{"vulnerable":false,"criteria":"cpe:2.3:a:x:platform:*:*:*:*:*:*:*:*"}`,
	))
	if err != nil || broken != nil || len(records) != 1 {
		t.Fatal(records, broken, err)
	}
	got := []string{
		verdicts(t, records[0], "CPE/a:x:y", "0.9", "1.0", "1.0.0", "1.0-p1", "1.0.1", "1.5", "1.5.1", "2.0.0", "2.1", "2.1-rc1", "2.1RC1", "2.2", "3.9", "3.9.20", "3.10"),
		verdicts(t, records[0], "CPE/a:x:z", "1"), verdicts(t, records[0], "CPE/a:x:back", "3.3"),
		verdicts(t, records[0], "CPE:node.js/a:x:all", "1", "latest"),
		verdicts(t, records[0], "CPE/a:x:platform", "1"),
	}
	want := []string{
		"0.9 no, 1.0 no, 1.0.0 no, 1.0-p1 yes, 1.0.1 yes, 1.5 yes, 1.5.1 no, 2.0.0 yes, 2.1 no, 2.1-rc1 yes, 2.1RC1 yes, 2.2 yes, 3.9 yes, 3.9.20 yes, 3.10 no",
		"1 vague", "3.3 vague", "1 yes, latest yes", "1 no",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRealRecords reads all shared documents of NVD.
func TestRealRecords(t *testing.T) {
	for pack, want := range map[string]int{"nvd2-and-expected": 39, "nvd2-dtrack": 3, "epss-kev-cvss-samples": 3} {
		records := 0
		for name, text := range testdata.Open(t, "advisories/"+pack+".tar.gz") {
			if strings.Contains(name, "/snapshots/") || strings.Contains(name, "/kev/") || !strings.HasSuffix(name, ".json") {
				continue // what another reader makes of them, and other formats
			}
			got, broken, err := parse(name, text)
			if err != nil || broken != nil {
				t.Errorf("%s: %v, %v", name, broken, err)
			}
			for _, r := range got {
				for _, n := range r.Notes() {
					if len(r.Affected) > 0 {
						t.Errorf("%s: %s: %s", r.ID, n.Pointer, n.Text)
					}
				}
			}
			records += len(got)
		}
		if records != want {
			t.Errorf("%s: %d records, want %d", pack, records, want)
		}
	}
}

// TestRealConfigurations reads the shared configurations, as those of records.
func TestRealConfigurations(t *testing.T) {
	got := map[string]int{}
	for name, text := range testdata.Open(t, "advisories/nvd-overrides-anchore.tar.gz") {
		id := strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], ".json")
		head := `"cve": {"id": "` + id + `", "lastModified": "2026-01-01T00:00:00.000"`
		whole := strings.Replace(strings.Replace(string(text), `"cve": {}`, head+`}`, 1), "\"cve\": {\n", head+`,`, 1)
		records, broken, err := parse(name, []byte(whole))
		if err != nil || len(broken) > 0 {
			got["refused"]++
			t.Logf("%s: %v, %v", name, broken, err)
			continue
		}
		for _, r := range records {
			got["records"]++
			for _, a := range r.Affected {
				got["products"]++
				got["ranges"] += len(a.Ranges)
				got["versions"] += len(slices.Collect(a.Versions.All()))
				if a.Ranges == nil && a.Versions == "" {
					got["vague"]++
				}
			}
			for _, n := range r.Notes() {
				if !strings.Contains(n.Text, "affects nothing") {
					got["notes"]++
					t.Logf("%s: %s: %s", r.ID, n.Pointer, n.Text)
				}
			}
		}
	}
	want := map[string]int{"records": 4029, "products": 6273, "ranges": 10718, "versions": 588, "vague": 19}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"resultsPerPage":1,"vulnerabilities":[` + string(cve(`,"vulnStatus":"Rejected"`)) + `]}`))
	f.Add(matches(`{"vulnerable":true,"criteria":"cpe:2.3:a:x:y:1.*:*:*:*:*:*:*:*","versionStartExcluding":"1"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		records, _, _ := parse("x", text)
		for _, r := range records {
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// BenchmarkParse reads a page of NVD's.
func BenchmarkParse(b *testing.B) {
	text := testdata.Open(b, "advisories/nvd2-and-expected.tar.gz")["tests/unit/providers/nvd/test-fixtures/full-page.json"]
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		records, broken, err := parse("x", text)
		if broken != nil || err != nil {
			b.Fatal(broken, err)
		}
		n += len(records)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
