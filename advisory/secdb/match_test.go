package secdb_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/secdb"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// installed makes a document of an installed database.
func installed(t *testing.T, release, text string) *sbom.Document {
	t.Helper()
	doc := &sbom.Document{Subject: sbom.Subject{OS: &sbom.OS{ID: "alpine", VersionID: release}}}
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		field := map[string]string{}
		for l := range strings.Lines(paragraph) {
			if k, v, ok := strings.Cut(strings.TrimSpace(l), ":"); ok && field[k] == "" {
				field[k] = v
			}
		}
		if field["P"] == "" {
			continue
		}
		url := "pkg:apk/alpine/" + field["P"] + "@" + field["V"] + "?distro=alpine-" + release
		u, err := purl.Parse(url)
		if err != nil {
			t.Fatal(err)
		}
		doc.Packages = append(doc.Packages, sbom.Package{ID: field["P"], Name: field["P"], Version: field["V"], PURL: u, Upstream: &sbom.Upstream{Name: field["o"], Version: field["V"]}})
	}
	return doc
}

// TestRealMatch matches the packages of official images with the databases of
// their releases. The images are the last ones of their releases, which have
// every fix that a database of 2020 knows. Packages of 3.8 under the name of 3.10
// lack what was fixed in between; those were looked up by hand.
func TestRealMatch(t *testing.T) {
	var records []*advisory.Record
	for name, text := range testdata.Open(t, "advisories/alpine-secdb.tar.gz") {
		list, _, err := read(secdb.Alpine(), name, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			r.Source = "alpine"
			records = append(records, r)
		}
	}
	slices.SortFunc(records, func(a, b *advisory.Record) int { return strings.Compare(a.ID, b.ID) })
	var file bytes.Buffer
	result, err := snapshot.Build(&file, advisory.Combined(func(yield func(*advisory.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	view, err := snapshot.Read(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d records of documents are %d of vulnerabilities; %d superseded, %d broken", len(records), result.Records, result.Superseded, len(result.Broken))
	if result.Superseded > 0 || len(result.Broken) > 0 {
		t.Errorf("%d superseded, broken: %v", result.Superseded, result.Broken)
	}
	roots := testdata.Open(t, "pkgdb/alpine-roots.tar.gz")
	find := func(release, packages string) (out []string) {
		for name, text := range roots {
			if !strings.Contains(name, packages) || !strings.HasSuffix(name, "lib/apk/db/installed") {
				continue
			}
			doc := installed(t, release, string(text))
			if len(doc.Packages) < 10 {
				t.Errorf("%s has %d packages", name, len(doc.Packages))
			}
			report, err := advisory.Matcher{View: view}.Match(t.Context(), doc)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range report.Gaps {
				t.Errorf("%s: %+v", name, g)
			}
			for _, f := range report.Findings {
				out = append(out, f.Name+" "+f.Version+" "+f.Vulnerability+" "+strings.Join(f.Fixed, " "))
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	for _, release := range []string{"3.6", "3.8", "3.10"} {
		if diff := cmp.Diff([]string(nil), find(release, "alpine-"+release+".")); diff != "" {
			t.Errorf("%s:\n%s", release, diff)
		}
	}
	want := []string{
		"busybox 1.28.4-r3 CVE-2018-20679 1.29.3-r10", "busybox 1.28.4-r3 CVE-2019-5747 1.30.1-r2",
		"musl 1.1.19-r11 CVE-2019-14697 1.1.22-r3", "musl-utils 1.1.19-r11 CVE-2019-14697 1.1.22-r3",
		"ssl_client 1.28.4-r3 CVE-2018-20679 1.29.3-r10", "ssl_client 1.28.4-r3 CVE-2019-5747 1.30.1-r2",
	}
	if diff := cmp.Diff(want, find("3.10", "alpine-3.8.")); diff != "" {
		t.Errorf("packages of 3.8 in 3.10 (-want +got):\n%s", diff)
	}
}
