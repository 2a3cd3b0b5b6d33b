package advisory_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/scan/sbom"
)

// composed is a view of records of one part, with what a store knows beside
// them.
func composed(t testing.TB, origin snapshot.Origin, part advisory.Part, list []*advisory.Record, signals ...*advisory.Signal) *snapshot.Snapshot {
	t.Helper()
	for _, r := range list {
		r.Source = part.Source
	}
	segment, object, err := snapshot.EncodeSegment(part, records(list...))
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string][]byte{segment.Digest: object}
	m := &snapshot.Manifest{Segments: []snapshot.Segment{*segment}, Sources: []snapshot.Origin{origin}}
	bySource := map[string][]*advisory.Signal{}
	for _, s := range signals {
		bySource[s.Source] = append(bySource[s.Source], s)
	}
	for source, list := range bySource {
		o, object, err := snapshot.EncodeOverlay(source, func(yield func(*advisory.Signal, error) bool) {
			for _, s := range list {
				_ = yield(s, nil)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		objects[o.Digest] = object
		m.Overlays = append(m.Overlays, *o)
	}
	text, _, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := snapshot.Assemble(&b, text, func(digest string) ([]byte, error) { return objects[digest], nil }); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Read(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decided(status advisory.Status, list []advisory.Affected) []advisory.Affected {
	list[0].Status = status
	return list
}

func TestStatus(t *testing.T) {
	v := view(t,
		record("DEBIAN-CVE-2024-1", decided(advisory.NotAffected, in("Debian:12", "a", v("0"))), upstream("CVE-2024-1")),
		record("DEBIAN-CVE-2024-2", decided(advisory.WillNotFix, in("Debian:12", "a")), upstream("CVE-2024-2")),
		record("DEBIAN-CVE-2024-3", decided(advisory.Unimportant, in("Debian:12", "a", v("0"))), upstream("CVE-2024-3"), scored("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")),
		record("DEBIAN-CVE-2024-4", decided(advisory.FixDeferred, in("Debian:12", "a", v("0", "2"))), upstream("CVE-2024-4")),
		record("DEBIAN-CVE-2024-5", decided(advisory.EndOfLife, in("Debian:12", "a", v("0", "1"))), upstream("CVE-2024-5")),
	)
	report, err := advisory.Matcher{View: v}.Match(t.Context(), document(nil, "pkg:deb/debian/a@1?distro=debian-12"))
	if err != nil {
		t.Fatal(err)
	}
	var got [][3]string
	for _, f := range report.Findings {
		got = append(got, [3]string{f.Vulnerability, f.FixStatus, string(f.Severity)})
	}
	want := [][3]string{{"CVE-2024-2", "will_not_fix", ""}, {"CVE-2024-3", "unimportant", "none"}, {"CVE-2024-4", "", ""}} // a fixed version says more
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got)\n%s", diff)
	}
}

func TestStreamOfEntry(t *testing.T) {
	list := in("Red Hat:enterprise_linux:8", "nodejs", v("0", "1:18.2"))
	list[0].Stream = "nodejs:18"
	v := view(t, record("RHSA-2024:1", list, related("CVE-2024-1")))
	os := &sbom.OS{ID: "rhel", VersionID: "8.9"}
	for label, want := range map[string]int{"nodejs:18:80:1": 1, "nodejs:20:80:1": 0, "": 0} {
		doc := document(os, "pkg:rpm/redhat/nodejs@18.1?epoch=1&distro=rhel-8.9")
		if label != "" {
			doc.Packages[0].Properties = []sbom.Property{{Name: "rpm:modularitylabel", Value: label}}
		}
		report, err := advisory.Matcher{View: v}.Match(t.Context(), doc)
		if err != nil || len(report.Findings) != want {
			t.Errorf("label %q: %d findings, %v", label, len(report.Findings), err)
		}
	}
}

func TestSignalsAndScoresOfTheCVE(t *testing.T) {
	part := advisory.Part{Source: "nvd", Database: "CVE", Ecosystem: "CPE"}
	cve := record("CVE-2024-1001", in("CPE", "a:x:y", v("0", "3")), scored("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"))
	cve.Affected = append(cve.Affected, in("npm", "x", v("0", "2"))...)
	nvd := composed(t, snapshot.Origin{Name: "nvd"}, part, []*advisory.Record{cve},
		&advisory.Signal{Vulnerability: "CVE-2024-1001", Source: "kev", Exploited: "2024-05-01"}, &advisory.Signal{Vulnerability: "CVE-2024-1001", Source: "epss", EPSS: "0.97565", Day: "2024-06-01"})
	doc := document(nil, "pkg:generic/y@2")
	doc.Packages[0].CPEs = []string{"cpe:2.3:a:x:y:2:*:*:*:*:*:*:*"}
	if got := match(t, advisory.Matcher{View: nvd}, doc); !slices.Equal(got, []string{"gap unsupported pkg:generic"}) {
		t.Errorf("without being asked to: %q", got)
	}
	report, err := advisory.Matcher{View: nvd, Options: advisory.Options{CPE: true}}.Match(t.Context(), doc)
	if err != nil || len(report.Findings) != 1 || len(report.Gaps) != 0 {
		t.Fatal(report, err)
	}
	f := report.Findings[0]
	if f.Vulnerability != "CVE-2024-1001" || f.Evidence.Ecosystem != "CPE" || f.Evidence.Name != "a:x:y" || f.Severity != finding.Critical {
		t.Errorf("finding %+v", f)
	}
	if f.Exploited != "2024-05-01" || f.ExploitedFrom != "kev" || f.EPSS != "0.97565" || f.EPSSFrom != "epss 2024-06-01" {
		t.Errorf("signals of %+v", f)
	}
}

func TestSeverityOfTheCVE(t *testing.T) {
	v := view(t,
		record("DEBIAN-CVE-2024-1", in("Debian:12", "a", v("0", "2")), upstream("CVE-2024-1")),
		record("CVE-2024-1", nil, scored("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")),
		record("CVE-2024-2", nil, rated("LOW")),
	)
	report, err := advisory.Matcher{View: v}.Match(t.Context(), document(nil, "pkg:deb/debian/a@1?distro=debian-12"))
	if err != nil || len(report.Findings) != 1 {
		t.Fatal(report, err)
	}
	if f := report.Findings[0]; f.Severity != finding.Critical || f.SeverityFrom != "CVSS_V3 9.8 (CVE-2024-1)" || f.Advisory != "DEBIAN-CVE-2024-1" {
		t.Errorf("severity %q from %q by %s", f.Severity, f.SeverityFrom, f.Advisory)
	}
}

func TestAgeOfData(t *testing.T) {
	part := advisory.Part{Source: "debian", Database: "DEBIAN", Ecosystem: "Debian"}
	origin := snapshot.Origin{Name: "debian", Checked: "2026-11-25T12:00:00Z", StaleAfter: 72}
	list := []*advisory.Record{record("DEBIAN-CVE-2024-1", append(in("Debian:12", "a", v("0", "2")), in("Debian:10", "a", v("0", "2"))...), upstream("CVE-2024-1"))}
	s := composed(t, origin, part, list)
	for at, want := range map[string][]string{
		"":                     {},
		"2026-11-28T12:00:00Z": {},
		"2026-11-28T12:00:01Z": {"gap stale! Debian:12"},
	} {
		when, _ := time.Parse(time.RFC3339, at)
		got := match(t, advisory.Matcher{View: s, Options: advisory.Options{At: when}}, document(nil, "pkg:deb/debian/a@3?distro=debian-12"))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("at %q (-want +got)\n%s", at, diff)
		}
	}
	got := match(t, advisory.Matcher{View: s, Options: advisory.Options{At: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)}}, document(nil, "pkg:deb/debian/a@3?distro=debian-10"))
	if diff := cmp.Diff([]string{"gap end-of-life! Debian:10"}, got); diff != "" {
		t.Errorf("a release whose support ended (-want +got)\n%s", diff)
	}
}

// TestModuleBuilds: builds of one release by another run of the build system,
// and streams that only versions tell of.
func TestModuleBuilds(t *testing.T) {
	list := append(in("AlmaLinux:8", "httpd", v("0", "2.4.37-47.module_el8.6.0+2935+fb177b09.2")), in("AlmaLinux:8", "httpd", v("0", "2.4.37-47.module_el8.6.0+2872+fe0ff7aa.1.alma"))...)
	view := view(t,
		record("ALSA-2022:1915", list, related("CVE-2021-33193"), summary("Moderate: httpd:2.4 security update")),
		record("ALSA-2022:4796", in("AlmaLinux:8", "nodejs-docs", v("0", "1:16.14.0-4.module_el8.6.0+2904+f21ad6f4")), related("CVE-2021-43616"), summary("Moderate: nodejs:16 security update")),
		record("ALSA-2022:4797", in("AlmaLinux:8", "nodejs-nodemon", v("0", "2.0.20-1.module_el8.6.0+2904+f21ad6f4")), related("CVE-2021-43617"), summary("Moderate: nodejs:16 security update")),
	)
	for url, want := range map[string]int{
		"pkg:rpm/almalinux/httpd@2.4.37-47.module_el8.6.0%2B1111%2Bce6f4ceb.1?distro=almalinux-8":                 0, // the same release, built before
		"pkg:rpm/almalinux/httpd@2.4.37-47.module_el8.6.0%2B1111%2Bce6f4ceb?distro=almalinux-8":                   1, // the release before the fix
		"pkg:rpm/almalinux/httpd@2.4.37-46.module_el8.6.0%2B9999%2Bce6f4ceb.1?distro=almalinux-8":                 1,
		"pkg:rpm/almalinux/nodejs-docs@14.18.2-2.module_el8.7.0%2B1151%2B0d09c14c?epoch=1&distro=almalinux-8":     0, // another stream
		"pkg:rpm/almalinux/nodejs-docs@16.13.0-2.module_el8.7.0%2B1151%2B0d09c14c?epoch=1&distro=almalinux-8":     1,
		"pkg:rpm/almalinux/nodejs-nodemon@2.0.15-1.module_el8.7.0%2B1151%2B0d09c14c?epoch=0&distro=almalinux-8.7": 1, // not of the stream's versions
	} {
		report, err := advisory.Matcher{View: view}.Match(t.Context(), document(nil, url))
		if err != nil || len(report.Findings) != want {
			t.Errorf("%s: %d findings, want %d, %v", url, len(report.Findings), want, err)
		}
	}
}
