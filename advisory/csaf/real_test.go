package csaf_test

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/csaf"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// read collects what a document says.
func read(s *csaf.Source, name string, content []byte) (records []*advisory.Record, broken []string, fatal error) {
	for st, err := range s.Parse(&advisory.Document{Name: name, Content: content}) {
		var b *advisory.RecordError
		switch {
		case errors.As(err, &b):
			broken = append(broken, err.Error())
		case err != nil:
			fatal = err
		default:
			records = append(records, st.(*advisory.Record))
		}
	}
	return records, broken, fatal
}

// figures count what the documents of a pack say.
type figures struct {
	Documents, Refused, Noted              int
	Records, Broken, Packages              int
	Fixed, Open, NotAffected, Investigated int
	WillNotFix, Deferred, EndOfLife        int
	Streams                                int
}

func (f *figures) add(records []*advisory.Record) {
	for _, r := range records {
		f.Records++
		for _, a := range r.Affected {
			f.Packages++
			if a.Stream != "" {
				f.Streams++
			}
			switch {
			case a.Status == advisory.NotAffected:
				f.NotAffected++
			case a.Status == advisory.UnderInvestigation:
				f.Investigated++
			case a.Status == advisory.WillNotFix:
				f.WillNotFix++
			case a.Status == advisory.FixDeferred:
				f.Deferred++
			case a.Status == advisory.EndOfLife:
				f.EndOfLife++
			case len(a.Ranges) > 0 && len(a.Ranges[0].Events) > 1:
				f.Fixed++
			default:
				f.Open++
			}
		}
	}
}

// packs are the shared documents of publishers that have a source.
var packs = map[string]struct {
	source *csaf.Source
	below  string
}{
	"vex/csaf-vex-redhat-trustify.tar.gz": {csaf.RedHatVEX(), "etc/datasets/ds3/csaf/"},
	"vex/csaf-vex-claircore.tar.gz":       {csaf.RedHatVEX(), "rhel/vex/"},
	"vex/csaf-examples.tar.gz":            {csaf.RedHatAdvisories(), "csaf_2.0/examples/csaf/rhsa"},
	"advisories/rhel-csaf-to-osv.tar.gz":  {csaf.RedHatAdvisories(), "tools/redhat/testdata/CSAF/"},
	"vex/csaf-cisa-ics.tar.gz":            {csaf.CISA(), "csaf_files/"},
}

// TestReal reads what publishers issued and counts what it says, what is
// refused, and which tests fail and are tolerated. The two that are refused were
// made for tests and are not named by their ids.
func TestReal(t *testing.T) {
	got, tests := map[string]figures{}, map[string]int{}
	for pack, p := range packs {
		f := figures{}
		for name, content := range testdata.Open(t, pack) {
			if !strings.HasPrefix(name, p.below) || path.Ext(name) != ".json" {
				continue
			}
			f.Documents++
			records, broken, err := read(p.source, name, content)
			if err != nil {
				f.Refused++
				t.Logf("refused: %v", err)
			}
			f.Broken += len(broken)
			f.add(records)
			failed := map[string]bool{}
			notes, _ := p.source.Notes(&advisory.Document{Name: name, Content: content})
			for _, n := range notes {
				id, _, _ := strings.Cut(n, " ")
				failed[path.Base(pack)+" "+id] = true
			}
			if len(notes) > 0 {
				f.Noted++
			}
			for id := range failed {
				tests[id]++
			}
		}
		got[path.Base(pack)] = f
	}
	if diff := cmp.Diff(wantFigures, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(wantTests, tests); diff != "" {
		t.Errorf("documents by failed test: -want +got:\n%s", diff)
	}
}

var wantFigures = map[string]figures{
	"csaf-cisa-ics.tar.gz":            {Documents: 406, Noted: 28, Records: 406},
	"csaf-examples.tar.gz":            {Documents: 4, Records: 4, Packages: 9, Fixed: 9},
	"csaf-vex-claircore.tar.gz":       {Documents: 5, Refused: 2, Noted: 1, Records: 3, Packages: 2099, Fixed: 11, Open: 2, NotAffected: 2084, WillNotFix: 1, EndOfLife: 1},
	"csaf-vex-redhat-trustify.tar.gz": {Documents: 18, Noted: 16, Records: 18, Packages: 1802, Fixed: 731, Open: 9, NotAffected: 1043, WillNotFix: 11, EndOfLife: 8, Streams: 6},
	"rhel-csaf-to-osv.tar.gz":         {Documents: 2, Records: 2, Packages: 237, Fixed: 237, Streams: 228},
}

// wantTests are the documents that fail a test and are read.
var wantTests = map[string]int{"csaf-cisa-ics.tar.gz 6.1.31": 28, "csaf-vex-claircore.tar.gz 6.1.13": 1, "csaf-vex-redhat-trustify.tar.gz 6.1.16": 16, "csaf-vex-redhat-trustify.tar.gz 6.1.2": 1}

// line is one package of a record.
func lines(affected []advisory.Affected) (out []string) {
	for _, a := range affected {
		for _, r := range a.Ranges {
			out = append(out, fmt.Sprintf("%s %s %v", a.Ecosystem, a.Name, r.Events))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestRealOSV holds records against those that OSV's own converter makes of the
// same documents: packages, ecosystems, versions, CVE ids, summaries, vectors and
// the number of references agree. They differ in this: OSV has no streams of
// modules; it guesses types of references from their hosts, and Go ids among them
// become related ids; its dates are those of the conversion.
func TestRealOSV(t *testing.T) {
	files := testdata.Open(t, "advisories/rhel-csaf-to-osv.tar.gz")
	for _, name := range []string{"rhsa-2024_4546", "rhsa-2024_6220"} {
		records, broken, err := read(csaf.RedHatAdvisories(), name+".json", files["tools/redhat/testdata/CSAF/"+name+".json"])
		if err != nil || broken != nil || len(records) != 1 {
			t.Fatal(len(records), broken, err)
		}
		var want struct {
			ID       string
			Upstream []string
			Related  []string
			Summary  string
			Severity []struct{ Type, Score string }
			Affected []struct {
				Package struct{ Name, Ecosystem string }
				Ranges  []advisory.Range
			}
			References []advisory.Reference
		}
		if err := json.Unmarshal(files["tools/redhat/testdata/OSV/"+strings.ToUpper(name)+".json"], &want, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatal(err)
		}
		var affected []advisory.Affected
		for _, a := range want.Affected {
			affected = append(affected, advisory.Affected{Ecosystem: a.Package.Ecosystem, Name: a.Package.Name, Ranges: a.Ranges})
		}
		r := records[0]
		if diff := cmp.Diff(lines(affected), lines(r.Affected)); diff != "" {
			t.Errorf("%s: packages -OSV +got:\n%s", name, diff)
		}
		if diff := cmp.Diff([]string{want.ID, want.Summary, fmt.Sprint(want.Upstream), want.Severity[0].Score}, []string{r.ID, r.Summary, fmt.Sprint(r.Upstream), r.Scores[0].Value}); diff != "" {
			t.Errorf("%s: -OSV +got:\n%s", name, diff)
		}
		if len(r.Affected) != len(want.Affected) || len(r.References) != len(want.References) {
			t.Errorf("%s: %d packages and %d references, OSV has %d and %d", name, len(r.Affected), len(r.References), len(want.Affected), len(want.References))
		}
	}
}

// manifest is what the catalogue of a publisher lists about one image.
type manifest struct {
	RPMs []struct{ Name, Version, Release, Architecture string } `json:"rpms"`
}

// ubi is the x86_64 image of a package list, as an inventory.
func ubi(t *testing.T, major string) *sbom.Document {
	t.Helper()
	text := testdata.Open(t, "pkgdb/dpkg-claircore.tar.gz")["rpm/testdata/package/ubi"+major+"_ubi.txtar"]
	for _, f := range txtar.Parse(text).Files {
		if !strings.HasSuffix(f.Name, "/rpm-manifest") || !strings.Contains(string(f.Data), `"architecture":"x86_64"`) {
			continue
		}
		var m manifest
		if err := json.Unmarshal(f.Data, &m, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatal(err)
		}
		doc := &sbom.Document{Subject: sbom.Subject{OS: &sbom.OS{ID: "rhel", VersionID: major + ".4", CPE: "cpe:/o:redhat:enterprise_linux:" + major + "::baseos"}}}
		for i, p := range m.RPMs {
			u := purl.PackageURL{Type: "rpm", Namespace: "redhat", Name: p.Name, Version: p.Version + "-" + p.Release}
			doc.Packages = append(doc.Packages, sbom.Package{ID: fmt.Sprint(i), Name: p.Name, Version: u.Version, PURL: u})
		}
		return doc
	}
	t.Fatal("no x86_64 image")
	return nil
}

// TestRealMatch matches the packages of two images of Red Hat with all its VEX
// documents, through a snapshot. What is found was checked by hand.
func TestRealMatch(t *testing.T) {
	var records []*advisory.Record
	for name, content := range testdata.Open(t, "vex/csaf-vex-redhat-trustify.tar.gz") {
		if strings.Contains(name, "/csaf/") {
			list, _, err := read(csaf.RedHatVEX(), name, content)
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, list...)
		}
	}
	var file bytes.Buffer
	result, err := snapshot.Build(&file, func(yield func(*advisory.Record, error) bool) {
		for _, r := range records {
			r.Source = "redhat-vex"
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil || result.Records != len(records) || len(result.Broken) > 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	view, err := snapshot.Read(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for major, want := range wantFindings {
		doc := ubi(t, major)
		report, err := advisory.Matcher{View: view}.Match(t.Context(), doc)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{fmt.Sprintf("%d packages", len(doc.Packages))}
		for _, f := range report.Findings {
			got = append(got, fmt.Sprintf("%s %s: %s %v %s %s", f.Name, f.Version, f.Vulnerability, f.Fixed, f.Severity, f.FixStatus))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("RHEL %s: -want +got:\n%s", major, diff)
		}
		for _, f := range report.Findings { // updated, they are not affected
			i, _ := strconv.Atoi(f.Package)
			doc.Packages[i].Version = f.Fixed[0]
			doc.Packages[i].PURL.Version = f.Fixed[0]
		}
		if report, err = (advisory.Matcher{View: view}).Match(t.Context(), doc); err != nil || len(report.Findings) > 0 {
			t.Errorf("RHEL %s, updated: %+v, %v", major, report.Findings, err)
		}
	}
	// RHEL 7 gets no fix any more.
	u := purl.PackageURL{Type: "rpm", Namespace: "redhat", Name: "gnutls", Version: "3.3.29-9.el7_6"}
	report, err := advisory.Matcher{View: view}.Match(t.Context(), &sbom.Document{Subject: sbom.Subject{OS: &sbom.OS{ID: "rhel", VersionID: "7.9"}}, Packages: []sbom.Package{{ID: "p", Name: u.Name, Version: u.Version, PURL: u}}})
	if err != nil || len(report.Findings) != 1 || report.Findings[0].FixStatus != "end_of_life" || report.Findings[0].Vulnerability != "CVE-2024-28834" {
		t.Errorf("%+v, %v", report, err)
	}
}

var wantFindings = map[string][]string{
	"8": {"178 packages", "expat 2.2.5-3.el8: CVE-2024-50602 [0:2.2.5-16.el8_10] medium ", "gnutls 3.6.5-2.el8: CVE-2024-28834 [0:3.6.16-8.el8_9.3] medium "},
	"9": {"181 packages", "expat 2.2.10-12.el9_0: CVE-2024-50602 [0:2.5.0-3.el9_5.1] medium ", "gnutls 3.7.3-9.el9: CVE-2024-28834 [0:3.8.3-4.el9_4] medium "},
}

// TestRealTrees fetches from the provider trees that another implementation of
// the standard tests with, and reads what they have.
func TestRealTrees(t *testing.T) {
	files := testdata.Open(t, "vex/csaf-provider-trees.tar.gz")
	s := csaf.Provider(csaf.Trusted{Name: "acme", Metadata: "https://acme.example/provider-metadata.json", Namespace: "https://example.com"})
	for _, tree := range []string{"directory", "rolie"} {
		root := "testdata/simple-" + tree + "-provider/"
		f := newFolder(t, nil)
		for name, content := range files {
			if rest, ok := strings.CutPrefix(name, root); ok {
				text := strings.ReplaceAll(string(content), "{{.URL}}", "https://acme.example")
				for _, mark := range []string{"{{if .EnableSha256}}", "{{if .EnableSha512}}", "{{end}}"} {
					text = strings.ReplaceAll(text, mark, "")
				}
				f.write("acme.example/"+rest, text)
			}
		}
		state := f.good(s, nil, "white/avendor-advisory-0004.json unchecked")
		f.good(s, state)
		// Its publisher is not the one that the metadata name.
		const name = "white/avendor-advisory-0004.json"
		if _, _, err := read(s, name, files[root+name]); !errors.Is(err, csaf.ErrMismatch) {
			t.Error(err)
		}
		other := csaf.Provider(csaf.Trusted{Name: "acme", Metadata: "https://acme.example/provider-metadata.json", Namespace: "https://www.example.com"})
		records, broken, err := read(other, name, files[root+name])
		if err != nil || broken != nil || len(records) != 2 || records[0].ID != "Avendor-advisory-0004:CVE-2020-1234" {
			t.Errorf("%s: %v, %v, %v", tree, records, broken, err)
		}
		f.write("acme.example/white/avendor-advisory-0004.json", "{}")
		if names, _, err := f.fetch(s, nil); !errors.Is(err, csaf.ErrMismatch) || names != nil {
			t.Errorf("%s, changed: %q, %v", tree, names, err)
		}
	}
}
