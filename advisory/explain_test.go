package advisory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/scan/sbom"
)

// explained explains a vulnerability for the first package of a document, as
// "conclusion reason: record reason …".
func explained(t testing.TB, m advisory.Matcher, doc *sbom.Document, vulnerability string) string {
	t.Helper()
	x, err := m.Explain(context.Background(), doc, doc.Packages[0].ID, vulnerability)
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprintf("%s %s:", x.Conclusion, x.Reason)
	for _, r := range x.Records {
		out += fmt.Sprintf(" %s %s", r.ID, r.Reason)
	}
	return out
}

// noted sets a status.
func noted(status advisory.Status, affected []advisory.Affected) []advisory.Affected {
	affected[0].Status = status
	return affected
}

func TestExplain(t *testing.T) {
	const deb = "pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12&upstream=openssl"
	cve := aliases("CVE-1-1")
	anchor := []*advisory.Record{record("X-1", in("Debian:12", "anchor", v("0"))), record("X-2", in("npm", "anchor", v("0")))}
	tests := []struct {
		name, url string
		records   []*advisory.Record
		asked     string
		want      string
	}{
		{"affected", "pkg:npm/a@1.0.0", []*advisory.Record{record("GHSA-a", in("npm", "a", v("0", "1.2.0")), cve)}, "CVE-1-1", "affected in_range: GHSA-a in_range"},
		{"by the record's id", "pkg:npm/a@1.0.0", []*advisory.Record{record("GHSA-a", in("npm", "a", v("0", "1.2.0")), cve)}, "GHSA-a", "affected in_range: GHSA-a in_range"},
		{"by another alias", "pkg:npm/a@1.0.0", []*advisory.Record{record("GHSA-a", in("npm", "a", v("0", "1.2.0")), cve), record("SNYK-1", in("npm", "b", v("0")), cve)}, "SNYK-1", "affected in_range: GHSA-a in_range SNYK-1 other_package"},
		{"by a chain", "pkg:npm/a@1.0.0", []*advisory.Record{record("A-1", in("npm", "a", v("0")), aliases("GHSA-a")), record("GHSA-a", nil, cve)}, "CVE-1-1", "affected in_range: A-1 in_range GHSA-a no_packages"},
		{"fixed", deb, []*advisory.Record{record("DEBIAN-CVE-1-1", in("Debian:12", "openssl", v("0", "3.0.11-1")), upstream("CVE-1-1"))}, "CVE-1-1", "not_affected fixed: DEBIAN-CVE-1-1 fixed"},
		{"before it was introduced", "pkg:npm/a@1.0.0", []*advisory.Record{record("GHSA-a", in("npm", "a", v("1.1.0", "1.2.0")), cve)}, "CVE-1-1", "not_affected outside_range: GHSA-a outside_range"},
		{"status", deb, []*advisory.Record{record("D-1", noted(advisory.NotAffected, in("Debian:12", "openssl", v("0"))), cve)}, "CVE-1-1", "not_affected status: D-1 status"},
		{"taken back", "pkg:npm/a@1.0.0", []*advisory.Record{record("GHSA-a", in("npm", "a", v("0")), cve, withdrawn)}, "CVE-1-1", "not_affected withdrawn: GHSA-a withdrawn"},
		{"other package", deb, []*advisory.Record{record("D-1", in("Debian:12", "curl", v("0")), cve)}, "CVE-1-1", "not_affected other_package: D-1 other_package"},
		{"other release", deb, []*advisory.Record{record("D-1", in("Debian:11", "openssl", v("0")), cve)}, "CVE-1-1", "not_assessed other_release: D-1 other_release"},
		{"other ecosystem", deb, []*advisory.Record{record("GHSA-a", in("npm", "openssl", v("0")), cve)}, "CVE-1-1", "not_assessed other_ecosystem: GHSA-a other_ecosystem"},
		{"no packages", "pkg:npm/a@1.0.0", []*advisory.Record{record("CVE-1-1", nil)}, "CVE-1-1", "not_assessed no_packages: CVE-1-1 no_packages"},
		{"upstream is affected, the distribution fixed it", deb, []*advisory.Record{record("D-1", in("Debian:12", "openssl", v("0", "3.0.11-1")), cve), record("GHSA-a", in("npm", "openssl", v("0", "3.0.12")), cve)}, "CVE-1-1", "not_affected fixed: D-1 fixed GHSA-a other_ecosystem"},
		{"unreadable version", "pkg:npm/a@one", []*advisory.Record{record("GHSA-a", in("npm", "a", v("0", "1.2.0")), cve)}, "CVE-1-1", "not_assessed unreadable_version: GHSA-a unreadable_version"},
		{"unreadable range", "pkg:npm/a@1.0.0", []*advisory.Record{record("GHSA-a", in("npm", "a", v("0", "one")), cve)}, "CVE-1-1", "not_assessed unreadable_range: GHSA-a unreadable_range"},
		{"no versions", "pkg:npm/a@1.0.0", []*advisory.Record{record("GHSA-a", in("npm", "a"), cve)}, "CVE-1-1", "not_assessed unreadable_range: GHSA-a unreadable_range"},
		{"no version", "pkg:npm/a", []*advisory.Record{record("GHSA-a", in("npm", "a", v("0")), cve)}, "CVE-1-1", "not_assessed no_version: GHSA-a no_version"},
		{"no data", "pkg:cargo/a@1.0.0", []*advisory.Record{record("GHSA-a", in("npm", "a", v("0")), cve)}, "CVE-1-1", "not_assessed no_data: GHSA-a no_data"},
		{"unsupported", "pkg:generic/a@1.0.0", []*advisory.Record{record("GHSA-a", in("npm", "a", v("0")), cve)}, "CVE-1-1", "not_assessed unsupported: GHSA-a no_data"},
		{"unidentified", "pkg:deb/a@1.0.0", []*advisory.Record{record("GHSA-a", in("npm", "a", v("0")), cve)}, "CVE-1-1", "not_assessed unidentified_system: GHSA-a no_data"},
		{"nobody knows it", "pkg:npm/a@1.0.0", nil, "CVE-1-1", "unknown_id unknown_id:"},
		{"related alone", "pkg:npm/a@1.0.0", []*advisory.Record{record("GHSA-a", in("npm", "a", v("0")), related("CVE-1-1", "A-1"))}, "A-1", "unknown_id unknown_id:"},
		{"one of several", "pkg:npm/a@1.0.0", []*advisory.Record{record("GO-1", in("npm", "a", v("0")), aliases("CVE-1-1", "CVE-1-2"))}, "CVE-1-2", "affected in_range: GO-1 in_range"},
		{"an unreadable one beside a fixed one", "pkg:npm/a@1.0.0", []*advisory.Record{record("GHSA-a", in("npm", "a", v("0", "1.0.0")), cve), record("GHSA-b", in("npm", "a", v("0", "one")), cve)}, "CVE-1-1", "not_assessed unreadable_range: GHSA-a fixed GHSA-b unreadable_range"},
		{"its own id alone", "pkg:deb/ubuntu/a@1?distro=ubuntu-22.04", []*advisory.Record{record("UBUNTU-CVE-1-1", in("Ubuntu:22.04:LTS", "a", v("0")))}, "CVE-1-1", "affected in_range: UBUNTU-CVE-1-1 in_range"},
		{"its own id alone, about another package", "pkg:deb/ubuntu/b@1?distro=ubuntu-22.04", []*advisory.Record{record("UBUNTU-CVE-1-1", in("Ubuntu:22.04:LTS", "a", v("0")))}, "CVE-1-1", "not_affected other_package: UBUNTU-CVE-1-1 other_package"},
		{"another stream", "pkg:rpm/almalinux/nodejs@16.20.2-3.module_el8.9.0%2B3731?epoch=1&distro=almalinux-8.9&modularitylabel=nodejs:16:8090:a",
			[]*advisory.Record{record("ALSA-1", in("AlmaLinux:8", "nodejs", v("0", "1:20.1-1.module_el8")), related("CVE-1-1"), summary("Important: nodejs:20 update"))}, "CVE-1-1", "not_affected other_stream: ALSA-1 other_stream"},
	}
	for _, tt := range tests {
		doc, err := advisory.PackageDocument(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		m := advisory.Matcher{View: view(t, append(slices.Clone(tt.records), anchor...)...)}
		if got := explained(t, m, doc, tt.asked); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestExplainOwned(t *testing.T) {
	m := advisory.Matcher{View: view(t, record("GHSA-a", in("PyPI", "requests", v("0")), aliases("CVE-1-1")), record("D-1", in("Debian:12", "requests", v("0")), aliases("CVE-1-1")))}
	doc := document(nil, "pkg:pypi/requests@2.0", "pkg:deb/debian/python3-requests@2.0-1?distro=debian-12&upstream=requests")
	doc.Relationships = []sbom.Relationship{{From: doc.Packages[0].ID, To: doc.Packages[1].ID, Kind: sbom.OwnedBy}}
	if got := explained(t, m, doc, "CVE-1-1"); got != "not_assessed owned: D-1 owned GHSA-a owned" {
		t.Error(got)
	}
	m.Options.MatchOwned = true
	if got := explained(t, m, doc, "CVE-1-1"); got != "affected in_range: D-1 other_ecosystem GHSA-a in_range" {
		t.Error(got)
	}
}

// TestExplainStale: what old data does not say is not known.
func TestExplainStale(t *testing.T) {
	list := []*advisory.Record{record("GHSA-a", in("npm", "a", v("0", "1.0.0")), aliases("CVE-1-1"))}
	s := composed(t, snapshot.Origin{Name: "ghsa", Checked: "2024-06-01T00:00:00Z", StaleAfter: 72}, advisory.Part{Source: "ghsa", Database: "GHSA", Ecosystem: "npm"}, list)
	doc := document(nil, "pkg:npm/a@1.0.0")
	m := advisory.Matcher{View: s, Options: advisory.Options{At: time.Date(2024, 6, 2, 0, 0, 0, 0, time.UTC)}}
	if got := explained(t, m, doc, "CVE-1-1"); got != "not_affected fixed: GHSA-a fixed" {
		t.Error(got)
	}
	m.Options.At = time.Date(2024, 6, 20, 0, 0, 0, 0, time.UTC)
	if got := explained(t, m, doc, "CVE-1-1"); got != "not_assessed stale_data: GHSA-a fixed" {
		t.Error(got)
	}
}

// TestExplainCPE: where CPE names are asked about, they are explained.
func TestExplainCPE(t *testing.T) {
	m := advisory.Matcher{View: view(t, record("CVE-1-1", in("CPE", "a:openssl:openssl", v("0", "3.0.12")))), Options: advisory.Options{CPE: true}}
	doc := document(nil, "pkg:generic/openssl@3.0.11")
	doc.Packages[0].CPEs = []string{"cpe:2.3:a:openssl:openssl:3.0.11:*:*:*:*:*:*:*"}
	if got := explained(t, m, doc, "CVE-1-1"); got != "affected in_range: CVE-1-1 in_range" {
		t.Error(got)
	}
	doc.Packages[0].CPEs[0] = "cpe:2.3:a:openssl:openssl:3.0.12:*:*:*:*:*:*:*"
	if got := explained(t, m, doc, "CVE-1-1"); got != "not_affected fixed: CVE-1-1 fixed" {
		t.Error(got)
	}
	m.Options.CPE = false
	if got := explained(t, m, doc, "CVE-1-1"); got != "not_assessed unsupported: CVE-1-1 no_data" {
		t.Error(got)
	}
}

func TestExplainErrors(t *testing.T) {
	doc := document(nil, "pkg:npm/a@1.0.0")
	m := advisory.Matcher{View: view(t)}
	if _, err := m.Explain(context.Background(), doc, "pkg:npm/b@1", "CVE-1-1"); !errors.Is(err, advisory.ErrNotFound) {
		t.Error(err)
	}
	if _, err := m.Explain(context.Background(), doc, "pkg:npm/a@1.0.0", ""); !errors.Is(err, advisory.ErrInvalid) {
		t.Error(err)
	}
	if _, err := advisory.PackageDocument("openssl"); !errors.Is(err, advisory.ErrInvalid) {
		t.Error(err)
	}
	if got := explained(t, advisory.Matcher{}, doc, "CVE-1-1"); got != "not_assessed no_data:" {
		t.Error(got)
	}
}

func TestPackageDocument(t *testing.T) {
	tests := []struct{ url, want string }{
		{"pkg:deb/debian/openssl@3.0.11-1?distro=debian-12", "openssl 3.0.11-1 <nil> debian 12"},
		{"pkg:deb/debian/libssl3@3.0.11-1?distro=bookworm&upstream=openssl%403.0.11-2", "libssl3 3.0.11-1 &{openssl 3.0.11-2} debian bookworm"},
		{"pkg:rpm/rhel/openssl-libs@3.0.7-27.el9?epoch=1&distro=rhel-9.4&upstream=openssl-3.0.7-27.el9.src.rpm", "openssl-libs 1:3.0.7-27.el9 &{openssl 3.0.7-27.el9} rhel 9.4"},
		{"pkg:maven/org.a/b@1", "org.a:b 1 <nil>"}, {"pkg:npm/%40a/b@1", "@a/b 1 <nil>"}, {"pkg:golang/a.example/m@v1", "a.example/m v1 <nil>"},
	}
	for _, tt := range tests {
		doc, err := advisory.PackageDocument(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		p := doc.Packages[0]
		got := fmt.Sprintf("%s %s %v", p.Name, p.Version, p.Upstream)
		if os := doc.Subject.OS; os != nil {
			got += " " + os.ID + " " + os.VersionID + os.Codename
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.url, got, tt.want)
		}
	}
}

// drawAffected draws what a record affects: packages a and b of several
// ecosystems, or nothing.
func drawAffected(t *rapid.T) (list []advisory.Affected) {
	pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "affected") }
	for range pick(3) {
		ecosystem := []string{"npm", "Debian:12", "Debian:11", "Go"}[pick(4)]
		name := []string{"a", "b", "example.org/a"}[pick(3)]
		bounds := []string{"0", "1.0.0", "2.0.0", "3.0.0", "one"}
		a := in(ecosystem, name, v(bounds[pick(3)]))
		switch pick(5) {
		case 0:
			a = enumerated(ecosystem, name, "1.0.0", "2.0.0")
		case 1:
			a[0].Ranges = nil
		case 2:
			a[0].Status = []advisory.Status{advisory.NotAffected, advisory.WillNotFix}[pick(2)]
		default:
			a = in(ecosystem, name, v(bounds[pick(3)], bounds[1+pick(4)]))
		}
		list = append(list, a...)
	}
	return list
}

var explainedPackages = []string{"pkg:npm/a@1.0.0", "pkg:npm/b@2.5.0", "pkg:deb/debian/x@1.5.0?distro=debian-12&upstream=a", "pkg:deb/debian/b@one+?distro=debian-12", "pkg:golang/example.org/a@v2.0.0", "pkg:cargo/a@1.0.0", "pkg:npm/a"}

// TestExplainAgrees: for whatever records, the conclusion about every package
// and id is what Match reports, and rests on the records that it names: without
// those that apply it is another one, without any that it does not name the
// same.
func TestExplainAgrees(t *testing.T) {
	anchors := []*advisory.Record{record("Z-1", in("npm", "z", v("0"))), record("Z-2", in("Debian:12", "z", v("0"))), record("Z-3", in("Go", "z", v("0")))}
	rapid.Check(t, func(t *rapid.T) {
		list := drawRecords(t)
		for i, r := range list {
			copied := *r
			copied.Source, copied.Affected = "", drawAffected(t)
			copied.Modified, copied.Digest = "2024-05-20T16:03:47Z", record(fmt.Sprint(i), nil).Digest
			list[i] = &copied
		}
		list = append(current(list), anchors...)
		m := advisory.Matcher{View: view(t, list...)}
		doc := document(nil, explainedPackages...)
		report, err := m.Match(context.Background(), doc)
		if err != nil {
			t.Fatal(err)
		}
		keys := standFor(list)
		ids := append([]string{"GHSA-unheard-of", "D-CVE-1-9"}, graphIDs...)
		for _, p := range doc.Packages {
			for _, id := range ids {
				x, err := m.Explain(context.Background(), doc, p.ID, id)
				if err != nil {
					t.Fatal(err)
				}
				want := reported(report, p.ID, id, keys(id))
				if diff := cmp.Diff(want, x.Findings); diff != "" || (x.Conclusion == finding.Affected) != (len(want) > 0) {
					t.Fatalf("%s of %s is %s %s, and -reported +explained:\n%s", id, p.ID, x.Conclusion, x.Why, diff)
				}
				checkExplanation(t, x, report, p.ID)
			}
		}
		// One that is taken away.
		if len(list) == len(anchors) {
			return
		}
		gone := list[rapid.IntRange(0, len(list)-1-len(anchors)).Draw(t, "gone")]
		p, id := rapid.SampledFrom(doc.Packages).Draw(t, "package"), rapid.SampledFrom(ids).Draw(t, "id")
		before, err := m.Explain(context.Background(), doc, p.ID, id)
		if err != nil {
			t.Fatal(err)
		}
		without := func(drop func(*advisory.Record) bool) *finding.Explanation {
			m := advisory.Matcher{View: view(t, slices.DeleteFunc(slices.Clone(list), drop)...)}
			x, err := m.Explain(context.Background(), doc, p.ID, id)
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
		named := slices.ContainsFunc(before.Records, func(r finding.ConsideredRecord) bool { return r.ID == gone.ID })
		if x := without(func(r *advisory.Record) bool { return r == gone }); !named && (x.Conclusion != before.Conclusion || x.Reason != before.Reason || x.Why != before.Why && x.Conclusion != finding.UnknownID) {
			t.Fatalf("%s of %s was %s %s, without %s, which it does not name, it is %s %s", id, p.ID, before.Conclusion, before.Why, gone.ID, x.Conclusion, x.Why)
		}
		if before.Conclusion != finding.Affected {
			return
		}
		x := without(func(r *advisory.Record) bool {
			return slices.ContainsFunc(before.Records, func(c finding.ConsideredRecord) bool { return c.ID == r.ID && c.Applies })
		})
		if x.Conclusion == finding.Affected {
			t.Fatalf("%s of %s is affected without %+v", id, p.ID, before.Records)
		}
	})
}

// standFor returns what ids stand for, by linking all records.
func standFor(list []*advisory.Record) func(id string) []string {
	keys := map[*advisory.Record][]string{}
	byID := map[string]*advisory.Record{}
	for _, r := range list {
		byID[r.ID] = r
	}
	for _, s := range advisory.Link(list) {
		for _, m := range s.Members {
			keys[byID[m.ID]] = append(keys[byID[m.ID]], s.Key)
		}
	}
	return func(id string) (out []string) {
		if strings.HasPrefix(id, "CVE-") {
			return []string{id}
		}
		for _, of := range []func(*advisory.Record) []string{
			func(r *advisory.Record) []string { return []string{r.ID} },
			func(r *advisory.Record) []string { return r.Aliases },
			func(r *advisory.Record) []string { return r.Upstream },
		} {
			for _, r := range list {
				if slices.Contains(of(r), id) {
					out = append(out, keys[r]...)
				}
			}
			if len(out) > 0 {
				return out
			}
		}
		return nil
	}
}

// reported returns the findings of a report about a package and an id that
// stands for keys.
func reported(report *finding.Report, pkg, id string, keys []string) (out []finding.Finding) {
	for _, f := range report.Findings {
		names := append([]string{f.Vulnerability, f.Advisory}, f.Aliases...)
		several := !strings.HasPrefix(f.Vulnerability, "CVE-")
		if f.Package == pkg && (slices.Contains(names, id) || slices.Contains(keys, f.Vulnerability) || several && slices.ContainsFunc(keys, func(k string) bool { return slices.Contains(names, k) })) {
			out = append(out, f)
		}
	}
	return out
}

// checkExplanation checks an explanation by itself.
func checkExplanation(t interface {
	Helper()
	Fatalf(string, ...any)
}, x *finding.Explanation, report *finding.Report, pkg string) {
	t.Helper()
	applies := slices.ContainsFunc(x.Records, func(r finding.ConsideredRecord) bool { return r.Applies })
	if applies != (x.Conclusion == finding.Affected) || x.Reason == "" || x.Why == "" {
		t.Fatalf("%s of %s is %s %s, and one applies: %v\n%+v", x.Asked, pkg, x.Conclusion, x.Why, applies, x.Records)
	}
	for _, r := range x.Records {
		if r.Reason == "" || r.Why == "" || r.Digest == "" {
			t.Fatalf("%+v", r)
		}
		for _, e := range r.Entries {
			if e.Reason == "" || e.Why == "" {
				t.Fatalf("%+v", e)
			}
		}
	}
	for _, f := range x.Findings {
		if !slices.ContainsFunc(x.Records, func(r finding.ConsideredRecord) bool {
			return r.ID == f.Advisory && r.Digest == f.Evidence.Record && r.Applies
		}) {
			t.Fatalf("%s of %s: the finding rests on %s, which is not among %+v", x.Asked, pkg, f.Advisory, x.Records)
		}
	}
	if x.Conclusion != finding.NotAffected {
		return
	}
	for _, g := range x.Gaps {
		if g.Code == sbom.GapNoData || g.Code == sbom.GapUnsupported || g.Code == sbom.GapUnidentified || g.Code == sbom.GapStale {
			t.Fatalf("%s of %s is not affected, and %+v", x.Asked, pkg, g)
		}
	}
}
