package cve5_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/cve5"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/internal/testdata"
)

func TestSource(t *testing.T) {
	advisorytest.TestSource(t, cve5.Source{}, "testdata/cve5.txtar")
}

// parse collects what a document says.
func parse(name string, text []byte) (r *advisory.Record, signals []*advisory.Signal, err error) {
	for s, e := range (cve5.Source{}).Parse(&advisory.Document{Name: name, Content: text}) {
		switch s := s.(type) {
		case *advisory.Record:
			r = s
		case *advisory.Signal:
			signals = append(signals, s)
		}
		err = errors.Join(err, e)
	}
	return r, signals, err
}

func product(members string) []byte {
	return []byte(`{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"CVE-2024-0001","state":"PUBLISHED","dateUpdated":"2024-01-01T00:00:00.000Z"},
		"containers":{"cna":{"affected":[{` + members + `}]}}}`)
}

// text writes entries in short.
func text(list []advisory.Affected) string {
	var out []string
	for _, a := range list {
		one := a.Ecosystem + "/" + a.Name
		for _, r := range a.Ranges {
			one += " " + string(r.Type) + r.Repo + "["
			for i, e := range r.Events {
				if i > 0 {
					one += " "
				}
				for mark, v := range map[string]string{">=": e.Introduced, "<": e.Fixed, "<=": e.LastAffected} {
					if v != "" {
						one += mark + v
					}
				}
			}
			one += "]"
		}
		out = append(out, one)
	}
	return strings.Join(out, "; ")
}

func TestVersions(t *testing.T) {
	const npm = `"collectionURL":"https://registry.npmjs.org","packageName":"anvil",`
	const acme = `"vendor":"acme","product":"anvil","cpes":["cpe:2.3:a:acme:anvil:*:*:*:*:*:*:*:*"],`
	for _, tt := range []struct{ name, members, want string }{
		{"less than", npm + `"versions":[{"version":"1.0.0","status":"affected","lessThan":"1.4.0","versionType":"semver"}]`, "npm/anvil SEMVER[>=1.0.0 <1.4.0]"},
		{"through", npm + `"versions":[{"version":"0","status":"affected","lessThanOrEqual":"1.4.0","versionType":"semver"}]`, "npm/anvil SEMVER[>=0 <=1.4.0]"},
		{"condition", npm + `"versions":[{"version":">= 1.0.0, < 1.4.0","status":"affected"},{"version":"= 2.0.0","status":"affected"}]`, "npm/anvil SEMVER[>=1.0.0 <1.4.0] SEMVER[>=2.0.0 <=2.0.0]"},
		{"excluded start", npm + `"versions":[{"version":"> 1.0.0, < 1.4.0","status":"affected"}]`, "npm/anvil SEMVER[>=1.0.1-0 <1.4.0]"},
		{"changes", npm + `"defaultStatus":"unaffected","versions":[{"version":"1.0.0","status":"affected","lessThan":"*","versionType":"semver","changes":[{"at":"1.2.0","status":"unaffected"},{"at":"2.0.0","status":"affected"},{"at":"2.1.0","status":"unaffected"}]}]`,
			"npm/anvil SEMVER[>=1.0.0 <1.2.0 >=2.0.0 <2.1.0]"},
		{"default affected", npm + `"defaultStatus":"affected","versions":[{"version":"0","lessThan":"1.0.0","status":"unaffected","versionType":"semver"},{"version":"1.4.2","lessThanOrEqual":"1.4.*","status":"unaffected","versionType":"semver"},{"version":"1.6.0","lessThanOrEqual":"*","status":"unaffected","versionType":"original_commit_for_fix"}]`,
			"npm/anvil SEMVER[>=1.0.0 <1.4.2 >=1.5.0 <1.6.0]"},
		{"default affected alone", npm + `"defaultStatus":"affected"`, "npm/anvil SEMVER[>=0]"},
		{"all", npm + `"versions":[{"version":"*","status":"affected"}]`, "npm/anvil SEMVER[>=0]"},
		{"exception", npm + `"versions":[{"version":"0","lessThan":"*","status":"affected"},{"version":"1.2.3","status":"unaffected"}]`, "npm/anvil SEMVER[>=0 <1.2.3 >=1.2.4-0]"},
		{"unaffected", npm + `"defaultStatus":"unaffected","versions":[{"version":"1.0.0","status":"unaffected"}]`, ""},
		{"unknown", npm + `"versions":[{"version":"1.0.0","status":"unknown"}]`, ""},
		{"nothing said", npm + `"defaultStatus":"unknown"`, "npm/anvil"},
		{"branches", acme + `"versions":[{"version":"4.x","status":"affected"},{"version":"5.2.*","status":"affected"}]`, "CPE/a:acme:anvil ECOSYSTEM[>=4 <5 >=5.2 <5.3]"},
		{"prose", acme + `"versions":[{"version":"before 1.4","status":"affected"},{"version":"2.0","status":"affected"}]`, "CPE/a:acme:anvil ECOSYSTEM[>=2.0 <=2.0]; CPE/a:acme:anvil"},
		{"backwards", acme + `"versions":[{"version":"3.3","lessThan":"3.3.0.beta3","status":"affected"},{"version":">= 3, < 2","status":"affected"}]`, "CPE/a:acme:anvil"},
		{"n/a", acme + `"versions":[{"version":"n/a","status":"affected"}]`, "CPE/a:acme:anvil"},
		{"custom", acme + `"versions":[{"version":"unspecified","lessThan":"12.0 SP1","status":"affected","versionType":"custom"}]`, "CPE/a:acme:anvil"},
		{"commits", `"product":"linux","repo":"https://git.example.org/linux","versions":[{"version":"1da177e4c3f4","lessThan":"0123456789ab","status":"affected","versionType":"git"},{"version":"x","lessThan":"0123456789ab","status":"affected","versionType":"git"}]`,
			"/ GIThttps://git.example.org/linux[>=1da177e4c3f4 <0123456789ab]"},
		{"package URL", `"packageURL":"pkg:maven/org.acme/anvil","versions":[{"version":"1.0","lessThan":"1.4","status":"affected","versionType":"maven"}]`, "Maven/org.acme:anvil ECOSYSTEM[>=1.0 <1.4]"},
		{"maven", `"collectionURL":"https://repo.maven.apache.org/maven2/","packageName":"org.acme/anvil","versions":[{"version":"1.0","lessThanOrEqual":"1.4","status":"affected","versionType":"maven"}]`, "Maven/org.acme:anvil ECOSYSTEM[>=1.0 <=1.4]"},
		{"go", `"vendor":"Go standard library","collectionURL":"https://pkg.go.dev","packageName":"net/http","versions":[{"version":"0","lessThan":"1.22.1","status":"affected","versionType":"semver"}]`, "Go/stdlib SEMVER[>=0 <1.22.1]"},
		{"go module", `"vendor":"example.org/anvil","collectionURL":"https://pkg.go.dev","packageName":"example.org/anvil/head","versions":[{"version":"0","lessThan":"1.22.1","status":"affected"}]`, "Go/example.org/anvil SEMVER[>=0 <1.22.1]"},
		{"red hat", `"collectionURL":"https://access.redhat.com/downloads/content/package-browser/","packageName":"anvil","cpes":["cpe:/o:redhat:enterprise_linux:9"],"defaultStatus":"affected"`, ""},
		{"only names", `"vendor":"acme","product":"anvil","versions":[{"version":"1.0","status":"affected"}]`, ""},
		{"plugin", `"collectionURL":"https://wordpress.org/plugins","packageName":"anvil","cpes":["cpe:2.3:a:acme:anvil:*:*:*:*:*:wordpress:*:*"],"versions":[{"version":"0","lessThan":"1.7","status":"affected"}]`, "CPE:wordpress/a:acme:anvil ECOSYSTEM[>=0 <1.7]"},
	} {
		r, _, err := parse("x", product(tt.members))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, text(r.Affected)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestRefused(t *testing.T) {
	good := string(product(""))
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"other type":    {strings.Replace(good, "CVE_RECORD", "CVE_RECORDS", 1), cve5.ErrInvalid},
		"other version": {strings.Replace(good, `"5.1"`, `"4.0"`, 1), cve5.ErrUnsupported},
		"state":         {strings.Replace(good, "PUBLISHED", "RESERVED", 1), cve5.ErrInvalid},
		"id":            {strings.Replace(good, "CVE-2024-0001", "CVE-2024-1", 1), cve5.ErrInvalid},
		"kind":          {strings.Replace(good, `"affected":[{`, `"affected":[{"versions":1`, 1), cve5.ErrInvalid},
		"cut":           {good[:100], cve5.ErrInvalid},
		"more":          {good + "{}", cve5.ErrInvalid},
		"many":          {string(product(`"versions":[` + strings.Repeat(`{},`, cve5.MaxVersions) + `{}]`)), cve5.ErrLimit},
		"nothing":       {"", cve5.ErrInvalid},
	} {
		if r, _, err := parse("x", []byte(tt.text)); r != nil || !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

// TestAgainstOSV compares the Go project's CVE records with its OSV records of
// the same vulnerabilities.
func TestAgainstOSV(t *testing.T) {
	want := map[string]map[string]string{}
	for name, text := range testdata.Open(t, "advisories/osv-go.tar.gz") {
		r, err := osv.Parse(text, nil)
		if err != nil {
			t.Fatal(name, err)
		}
		want[r.ID] = ranges(r)
	}
	agree, alone, differ := 0, 0, []string{}
	for name, text := range testdata.Open(t, "advisories/cve5-go.tar.gz") {
		r, _, err := parse(name, text)
		if err != nil {
			t.Error(err)
			continue
		}
		id := strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], ".json")
		switch diff := cmp.Diff(want[id], ranges(r)); {
		case want[id] == nil:
			alone++
		case diff == "":
			agree++
		default:
			differ = append(differ, id)
			t.Logf("%s (-OSV +CVE):\n%s", id, diff)
		}
	}
	// The shared packs have 59 of the records in both forms.
	if agree != 59 || alone != 67 || len(differ) > 0 {
		t.Errorf("%d agree, %d are in one form alone, these differ: %v", agree, alone, differ)
	}
}

// ranges returns the ranges of each package of a record.
func ranges(r *advisory.Record) map[string]string {
	out := map[string]string{}
	for _, a := range r.Affected {
		for _, one := range a.Ranges {
			out[a.Ecosystem+"/"+a.Name] += fmt.Sprint(one.Events)
		}
	}
	return out
}

// TestRealRecords reads all shared records of the CVE program.
func TestRealRecords(t *testing.T) {
	got := map[string]int{}
	for name, text := range testdata.Open(t, "advisories/cve5-vulnrichment.tar.gz") {
		r, signals, err := parse(name, text)
		if err != nil {
			got["refused"]++
			t.Log(err)
			continue
		}
		got["records"]++
		got["signals"] += len(signals)
		if r.Withdrawn != "" {
			got["withdrawn"]++
		}
		if len(r.Affected) == 0 {
			got["no entry"]++
		}
		for _, a := range r.Affected {
			switch base, _, _ := strings.Cut(a.Ecosystem, ":"); {
			case len(a.Ranges) > 0 && a.Ranges[0].Type == advisory.RangeGit:
				got["GIT"]++
			case a.Ranges == nil:
				got[base+" vague"]++
			default:
				got[base]++
			}
		}
		got["scores"] += len(r.Scores)
	}
	want := map[string]int{
		"records": 5492, "withdrawn": 19, "signals": 31, "scores": 4957, "no entry": 2684,
		"CPE": 9380, "CPE vague": 641, "GIT": 428, "Go": 7, "Maven": 17, "NuGet": 1, "PyPI": 7, "Packagist vague": 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%v (-want +got):\n%s", slices.Sorted(maps.Keys(got)), diff)
	}
}

// TestRealEnrichment reads the shared products that somebody added to records
// which had none, as those of records.
func TestRealEnrichment(t *testing.T) {
	got := map[string]int{}
	for name, text := range testdata.Open(t, "advisories/cve-enrichment-anchore.tar.gz") {
		var doc struct {
			ADP jsontext.Value `json:"adp"`
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		id := strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], ".json")
		whole := `{"dataType":"CVE_RECORD","dataVersion":"5.1","cveMetadata":{"cveId":"` + id + `","state":"PUBLISHED"},"containers":{"cna":{},"adp":[` + string(doc.ADP) + `]}}`
		r, _, err := parse(name, []byte(whole))
		if err != nil {
			got["refused"]++
			t.Log(err)
			continue
		}
		got["records"]++
		if len(r.Affected) == 0 {
			got["no entry"]++
		}
		for _, a := range r.Affected {
			base, _, _ := strings.Cut(a.Ecosystem, ":")
			if a.Ranges == nil {
				base += " vague"
			}
			got[base]++
		}
		for _, n := range r.Notes() {
			if !strings.Contains(n.Text, "cannot be right") && !strings.Contains(n.Text, "affects nothing") {
				got["notes"]++
				t.Logf("%s: %s: %s", r.ID, n.Pointer, n.Text)
			}
		}
	}
	want := map[string]int{
		"records": 3155, "no entry": 4, "": 7, "CPE": 3901, "CPE vague": 49, "Go": 97, "Go vague": 1, "Maven": 85, "NuGet": 4,
		"Packagist": 72, "Packagist vague": 3, "PyPI": 81, "RubyGems": 25, "crates.io": 17, "npm": 54, "notes": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%v (-want +got):\n%s", got, diff)
	}
}

func BenchmarkParse(b *testing.B) {
	files := testdata.Open(b, "advisories/cve5-vulnrichment.tar.gz")
	names, size := testdata.Names(files), 0
	for _, text := range files {
		size += len(text)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, name := range names {
			if _, _, err := parse(name, files[name]); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(len(names)*b.N)/b.Elapsed().Seconds(), "records/s")
}

func FuzzParse(f *testing.F) {
	f.Add(product(`"packageURL":"pkg:npm/anvil","versions":[{"version":"1.0.0","status":"affected","lessThan":"*","changes":[{"at":"1.2.0","status":"unaffected"}]},{"version":">1, <=1.5.*","status":"affected"}]`))
	f.Add(product(`"cpes":["cpe:2.3:a:acme:anvil:*:*:*:*:*:*:*:*"],"defaultStatus":"affected","versions":[{"version":"1.x","status":"unaffected"}],"repo":"https://example.org"`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, _, _ := parse("x", text)
		if r != nil {
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
