package advisory_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
)

// linked matches records about one package and returns each finding as
// "vulnerability by advisory: aliases".
func linked(t testing.TB, list ...*advisory.Record) []string {
	t.Helper()
	report, err := advisory.Matcher{View: view(t, list...)}.Match(context.Background(), document(nil, "pkg:golang/a.example/m@v1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range report.Findings {
		out = append(out, fmt.Sprintf("%s by %s: %s", f.Vulnerability, f.Advisory, strings.Join(f.Aliases, " ")))
	}
	return out
}

// about makes a record about the package that linked matches.
func about(id string, change ...func(*advisory.Record)) *advisory.Record {
	return record(id, in("Go", "a.example/m", v("0", "1.2.0")), change...)
}

func TestAliases(t *testing.T) {
	tests := []struct {
		name    string
		records []*advisory.Record
		want    []string
	}{
		{"three databases, one CVE", []*advisory.Record{about("GHSA-a", aliases("CVE-2024-1", "GO-2024-1")), about("GO-2024-1", aliases("CVE-2024-1", "GHSA-a")), about("CVE-2024-1"), about("OSV-1", aliases("CVE-2024-1"))},
			[]string{"CVE-2024-1 by GO-2024-1: CVE-2024-1 GHSA-a OSV-1"}},
		{"two CVEs", []*advisory.Record{about("GHSA-a", aliases("CVE-2024-1")), about("GHSA-b", aliases("CVE-2024-2"))},
			[]string{"CVE-2024-1 by GHSA-a: CVE-2024-1", "CVE-2024-2 by GHSA-b: CVE-2024-2"}},
		{"no CVE", []*advisory.Record{about("GHSA-a", aliases("GO-2024-1")), about("GO-2024-1"), about("GHSA-c")},
			[]string{"GHSA-c by GHSA-c: ", "GO-2024-1 by GO-2024-1: GHSA-a"}},
		{"a CVE by way of another record", []*advisory.Record{about("GHSA-a", aliases("CVE-2024-1")), about("GO-2024-1", aliases("GHSA-a"))},
			[]string{"CVE-2024-1 by GO-2024-1: CVE-2024-1 GHSA-a"}},
		{"a chain", []*advisory.Record{about("GHSA-a", aliases("CVE-2024-1")), about("GHSA-b", aliases("GHSA-a")), about("GHSA-c", aliases("GHSA-b"))},
			[]string{"CVE-2024-1 by GHSA-a: CVE-2024-1 GHSA-b GHSA-c"}},
		{"a record about several, all of which have their own", []*advisory.Record{about("GO-2022-0586", aliases("CVE-2022-1", "CVE-2022-2", "GHSA-a", "GHSA-b")), about("GHSA-a", aliases("CVE-2022-1")), about("GHSA-b", aliases("CVE-2022-2"))},
			[]string{"CVE-2022-1 by GHSA-a: CVE-2022-1 GO-2022-0586", "CVE-2022-2 by GHSA-b: CVE-2022-2 GO-2022-0586"}},
		{"a record about several, some of which have their own", []*advisory.Record{about("GO-2022-0586", aliases("CVE-2022-1", "CVE-2022-2")), about("GHSA-a", aliases("CVE-2022-1"))},
			[]string{"CVE-2022-1 by GHSA-a: CVE-2022-1 GO-2022-0586", "GO-2022-0586 by GO-2022-0586: CVE-2022-1 CVE-2022-2"}},
		{"two CVEs by way of one record without", []*advisory.Record{about("GO-1", aliases("GHSA-a", "GHSA-b")), about("GHSA-a", aliases("CVE-2022-1")), about("GHSA-b", aliases("CVE-2022-2"))},
			[]string{"CVE-2022-1 by GHSA-a: CVE-2022-1 GO-1", "CVE-2022-2 by GHSA-b: CVE-2022-2 GO-1"}},
		{"related is no alias", []*advisory.Record{about("GHSA-a", aliases("CVE-2024-1"), related("CVE-2024-2")), about("GHSA-b", related("CVE-2024-1"))},
			[]string{"CVE-2024-1 by GHSA-a: CVE-2024-1", "GHSA-b by GHSA-b: "}},
		{"an alias of itself", []*advisory.Record{about("GHSA-a", aliases("GHSA-a", "GHSA-a"))}, []string{"GHSA-a by GHSA-a: "}},
		{"a range before enumerated versions, a fix before none", []*advisory.Record{
			record("GHSA-a", enumerated("Go", "a.example/m", "v1.0.0"), aliases("CVE-2024-1")), record("GHSA-b", in("Go", "a.example/m", v("0")), aliases("CVE-2024-1")), about("GHSA-c", aliases("CVE-2024-1")),
		}, []string{"CVE-2024-1 by GHSA-c: CVE-2024-1 GHSA-a GHSA-b"}},
		{"malicious packages before others", []*advisory.Record{about("MAL-1", aliases("OSV-1")), about("OSV-1")}, []string{"MAL-1 by MAL-1: OSV-1"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, linked(t, tt.records...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestNeverFuses: whatever records say of each other, each is in a finding, no
// finding has two CVE ids of which each has a record of its own, and no CVE id
// is the vulnerability of two findings.
func TestNeverFuses(t *testing.T) {
	ids := []string{"CVE-2024-1", "CVE-2024-2", "CVE-2024-3", "GHSA-a", "GHSA-b", "GHSA-c", "GO-1", "GO-2", "OSV-1"}
	rapid.Check(t, func(t *rapid.T) {
		var list []*advisory.Record
		for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, 6, func(s string) string { return s }).Draw(t, "ids") {
			list = append(list, about(id, aliases(rapid.SliceOfN(rapid.SampledFrom(ids), 0, 3).Draw(t, "aliases of "+id)...)))
		}
		s := view(t, list...)
		report, err := advisory.Matcher{View: s}.Match(context.Background(), document(nil, "pkg:golang/a.example/m@v1.0.0"))
		if err != nil {
			t.Fatal(err)
		}
		in := map[string]int{} // findings that a record is in
		seen := map[string]bool{}
		for _, f := range report.Findings {
			if seen[f.Vulnerability] {
				t.Fatalf("%s twice in %+v", f.Vulnerability, report.Findings)
			}
			seen[f.Vulnerability] = true
			for _, name := range append(f.Aliases, f.Advisory) {
				in[name]++
			}
		}
		for _, r := range list {
			if in[r.ID] == 0 {
				t.Fatalf("%s is in no finding: %+v", r.ID, report.Findings)
			}
		}
		for _, f := range report.Findings {
			if !strings.HasPrefix(f.Vulnerability, "CVE-") || f.Advisory == f.Vulnerability {
				continue
			}
			i := slices.IndexFunc(list, func(r *advisory.Record) bool { return r.ID == f.Advisory })
			for _, other := range list[i].Aliases {
				if strings.HasPrefix(other, "CVE-") && other != f.Vulnerability {
					t.Fatalf("%s stands for %s, but names %s: %+v", f.Advisory, f.Vulnerability, other, list[i])
				}
			}
		}
	})
}

func TestSeverity(t *testing.T) {
	const v2, v3, v3low, v4 = "AV:N/AC:L/Au:N/C:C/I:C/A:C", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L", "CVSS:4.0/AV:L/AC:L/AT:N/PR:H/UI:N/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N"
	go1 := "pkg:golang/a.example/m@v1.0.0"
	debian := "pkg:deb/debian/a@1?distro=debian-12"
	urgent := func(word string) []advisory.Affected {
		a := in("Debian:12", "a", v("0"))
		a[0].Rating = word
		return a
	}
	tests := []struct {
		name   string
		url    string
		record *advisory.Record
		want   string
	}{
		{"nothing", go1, about("X-1"), "  from "},
		{"newest version", go1, about("X-1", scored("CVSS_V2", v2, "CVSS_V4", v4, "CVSS_V3", v3)), "medium from CVSS_V4 4.6 (X-1)"},
		{"highest of a version", go1, about("X-1", scored("CVSS_V3", v3low, "CVSS_V3", v3)), "critical from CVSS_V3 9.8 (X-1)"},
		{"a vector before a word", go1, about("X-1", scored("CVSS_V3", v3low), rated("CRITICAL")), "medium from CVSS_V3 5.3 (X-1)"},
		{"no vector", go1, about("X-1", scored("CVSS_V3", "9.8"), rated("MODERATE")), "medium from rating MODERATE (X-1)"},
		{"no word", go1, about("X-1", rated("scary")), "  from "},
		{"a summary is not asked about a language", go1, about("X-1", summary("Critical: bad")), "  from "},
		{"ubuntu's priority", "pkg:deb/ubuntu/a@1?distro=ubuntu-22.04", record("X-1", in("Ubuntu:22.04:LTS", "a", v("0")), scored("CVSS_V3", v3, "Ubuntu", "low")), "low from Ubuntu low (X-1)"},
		{"debian's urgency", debian, record("X-1", urgent("unimportant"), scored("CVSS_V3", v3)), "none from rating unimportant (X-1)"},
		{"debian's urgency with marks", debian, record("X-1", urgent("medium**"), scored("CVSS_V3", v3)), "medium from rating medium** (X-1)"},
		{"no urgency yet", debian, record("X-1", urgent("not yet assigned"), scored("CVSS_V3", v3)), "critical from CVSS_V3 9.8 (X-1)"},
		{"an erratum's summary", "pkg:rpm/almalinux/a@1?distro=almalinux-9", record("ALSA-1", in("AlmaLinux:9", "a", v("0")), summary("Important: a security update")), "high from rating Important (ALSA-1)"},
	}
	for _, tt := range tests {
		report, err := advisory.Matcher{View: view(t, tt.record)}.Match(context.Background(), document(nil, tt.url))
		if err != nil || len(report.Findings) != 1 {
			t.Errorf("%s: %+v, %v", tt.name, report, err)
			continue
		}
		f := report.Findings[0]
		if got := string(f.Severity) + " from " + f.SeverityFrom; strings.TrimSpace(got) != strings.TrimSpace(tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestSeverityOfGroup: the first record that says something counts.
func TestSeverityOfGroup(t *testing.T) {
	report, err := advisory.Matcher{View: view(t,
		about("GO-1", aliases("CVE-1-1"), summary("By Go.")), about("GHSA-a", aliases("CVE-1-1"), summary("By GitHub."), rated("HIGH")), about("OSV-1", aliases("CVE-1-1"), rated("LOW")),
	)}.Match(context.Background(), document(nil, "pkg:golang/a.example/m@v1.0.0"))
	if err != nil || len(report.Findings) != 1 {
		t.Fatal(report, err)
	}
	f := report.Findings[0]
	if f.Advisory != "GO-1" || f.Summary != "By Go." || f.SeverityFrom != "rating HIGH (GHSA-a)" {
		t.Errorf("%+v", f)
	}
}

// TestShuffledPackages: the order of packages does not matter.
func TestShuffledPackages(t *testing.T) {
	s := view(t, about("GO-1"), record("GHSA-1", in("npm", "a", v("0"))), record("GHSA-2", in("npm", "b", v("0", "x"))))
	doc := document(nil, "pkg:golang/a.example/m@v1.0.0", "pkg:npm/a@1", "pkg:npm/b@1", "pkg:pypi/c@1")
	first := match(t, advisory.Matcher{View: s}, doc)
	slices.Reverse(doc.Packages)
	doc.Packages = append(doc.Packages[1:], doc.Packages[0])
	second := match(t, advisory.Matcher{View: s}, doc)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestAliasesOfAll: what leads to a CVE id need not affect the package.
func TestAliasesOfAll(t *testing.T) {
	elsewhere := in("npm", "other", v("0"))
	tests := []struct {
		name    string
		records []*advisory.Record
		want    []string
	}{
		{"by way of one", []*advisory.Record{about("RUSTSEC-1", aliases("GHSA-a")), record("GHSA-a", elsewhere, aliases("CVE-1-1"))},
			[]string{"CVE-1-1 by RUSTSEC-1: CVE-1-1 GHSA-a [RUSTSEC-1 GHSA-a CVE-1-1]"}},
		{"by way of one that names it", []*advisory.Record{about("RUSTSEC-1"), record("GHSA-a", elsewhere, aliases("CVE-1-1", "RUSTSEC-1"))},
			[]string{"CVE-1-1 by RUSTSEC-1: CVE-1-1 GHSA-a [RUSTSEC-1 GHSA-a CVE-1-1]"}},
		{"by way of several", []*advisory.Record{about("A-1", aliases("B-1")), record("C-1", elsewhere, aliases("B-1")), record("D-1", elsewhere, aliases("C-1", "CVE-1-1"))},
			[]string{"CVE-1-1 by A-1: B-1 C-1 CVE-1-1 D-1 [A-1 B-1 C-1 D-1 CVE-1-1]"}},
		{"one that names it itself has no path", []*advisory.Record{about("A-1", aliases("CVE-1-1", "B-1")), record("B-1", elsewhere, aliases("CVE-1-2"))},
			[]string{"CVE-1-1 by A-1: B-1 CVE-1-1 []"}},
		{"two of one vulnerability", []*advisory.Record{about("A-1"), about("B-1"), record("C-1", elsewhere, aliases("A-1", "B-1"))},
			[]string{"A-1 by A-1: B-1 C-1 []"}},
		{"what was taken back leads nobody", []*advisory.Record{about("A-1", aliases("B-1")), record("B-1", elsewhere, aliases("CVE-1-1"), withdrawn)},
			[]string{"A-1 by A-1: B-1 []"}},
		{"two CVE ids", []*advisory.Record{about("A-1", aliases("B-1", "C-1")), record("B-1", elsewhere, aliases("CVE-1-1")), record("C-1", elsewhere, aliases("CVE-1-2"))},
			[]string{"A-1 by A-1: B-1 C-1 CVE-1-1 CVE-1-2 []"}},
		{"related is no alias", []*advisory.Record{about("A-1"), record("B-1", elsewhere, aliases("CVE-1-1"), related("A-1"))}, []string{"A-1 by A-1:  []"}},
	}
	for _, tt := range tests {
		report, err := advisory.Matcher{View: view(t, tt.records...)}.Match(context.Background(), document(nil, "pkg:golang/a.example/m@v1.0.0"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range report.Findings {
			got = append(got, fmt.Sprintf("%s by %s: %s %v", f.Vulnerability, f.Advisory, strings.Join(f.Aliases, " "), f.Evidence.Path))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestFindingsAreLinksets: findings group records as linksets do.
func TestFindingsAreLinksets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawRecords(t)
		hits := map[string]bool{}
		for i, r := range list {
			copied := *r
			if copied.Source = ""; rapid.Bool().Draw(t, "hits") {
				copied.Affected = append(slices.Clone(r.Affected), in("Go", "a.example/m", v("0"))...)
			}
			copied.Modified, copied.Digest = "2024-05-20T16:03:47Z", record(fmt.Sprint(i), nil).Digest
			list[i] = &copied
		}
		list = current(list)
		for _, r := range list {
			hits[r.ID] = r.Withdrawn == "" && slices.ContainsFunc(r.Affected, func(a advisory.Affected) bool { return a.Ecosystem == "Go" })
		}
		report, err := advisory.Matcher{View: view(t, list...)}.Match(context.Background(), document(nil, "pkg:golang/a.example/m@v1.0.0"))
		if err != nil {
			t.Fatal(err)
		}
		sets := advisory.Link(list)
		keys := map[string][]string{}
		for _, s := range sets {
			for _, m := range s.Members {
				keys[m.ID] = append(keys[m.ID], s.Key)
			}
		}
		for _, s := range sets {
			members := map[string]advisory.Member{} // that hit, and are in this one alone
			for _, m := range s.Members {
				if hits[m.ID] && len(keys[m.ID]) == 1 {
					members[m.ID] = m
				}
			}
			var of []finding.Finding
			for _, f := range report.Findings {
				if _, ok := members[f.Advisory]; ok {
					of = append(of, f)
				}
			}
			if len(members) == 0 {
				continue
			}
			if len(of) != 1 {
				t.Fatalf("%d findings of %s: %+v\n%s", len(of), s.Key, report.Findings, strings.Join(linksets(sets), "\n"))
			}
			f, m := of[0], members[of[0].Advisory]
			for id := range members {
				if id != f.Advisory && !slices.Contains(f.Aliases, id) {
					t.Fatalf("%s of %s is not in %+v", id, s.Key, f)
				}
			}
			var path []string
			if strings.HasPrefix(s.Key, "CVE-") && len(m.Path) > 2 {
				path = m.Path
			}
			if strings.HasPrefix(s.Key, "CVE-") && f.Vulnerability != s.Key || !slices.Equal(f.Evidence.Path, path) {
				t.Fatalf("%+v of %s by %v", f, s.Key, m.Path)
			}
		}
	})
}
