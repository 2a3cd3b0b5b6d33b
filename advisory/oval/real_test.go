package oval_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/oval"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// read collects what a document says.
func read(s *oval.Source, name string, content []byte) (records []*advisory.Record, broken []string, fatal error) {
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

const vunnel = "advisories/providers-vunnel.tar.gz"

// expected is what another collector made of a slice: which version fixed which
// package of which release.
type expected struct {
	Item struct {
		Vulnerability struct {
			Name, Severity string
			FixedIn        []struct {
				Name, Version, NamespaceName string
				VulnerableRange              *string
			}
		}
	} `json:"item"`
}

func expectations(t *testing.T, files map[string][]byte, provider string) (out []expected) {
	t.Helper()
	for name, text := range files {
		if strings.HasPrefix(name, "tests/unit/providers/"+provider+"/test-fixtures/snapshots/") {
			var e expected
			if err := json.Unmarshal(text, &e); err != nil {
				t.Fatal(name, err)
			}
			out = append(out, e)
		}
	}
	return out
}

// bounds writes a package's ranges as the other collector does.
func bounds(a *advisory.Affected) string {
	if a.Status == advisory.NotAffected {
		return "not affected"
	}
	var out []string
	for _, e := range a.Ranges[0].Events {
		switch {
		case e.Introduced != "" && e.Introduced != "0":
			out = append(out, "> "+e.Introduced)
		case e.Fixed != "":
			out = append(out, "< "+e.Fixed)
		case e.LastAffected != "":
			out = append(out, "<= "+e.LastAffected)
		}
	}
	return strings.Join(out, ", ")
}

// TestRealAzureSlice holds records of CBL-Mariner 2.0 against those that
// another collector publishes: the ranges agree. It leaves out what its
// publisher calls not applicable, which is NotAffected here.
func TestRealAzureSlice(t *testing.T) {
	files := testdata.Open(t, vunnel)
	const root = "tests/unit/providers/mariner/test-fixtures/"
	records, broken, err := read(oval.Azure(), "cbl-mariner-2.0-oval.xml", files[root+"mariner-truncated-2.0-oval.xml"])
	if err != nil || broken != nil || len(records) != 5 {
		t.Fatal(len(records), broken, err)
	}
	got := map[string]string{}
	for _, r := range records {
		for i := range r.Affected {
			a := &r.Affected[i]
			got[r.Upstream[0]+" "+a.Ecosystem+" "+a.Name] = bounds(a) + " " + r.Rating
		}
	}
	want := map[string]string{"CVE-2023-0687 Azure Linux:2 glibc": "not affected Critical"}
	for _, e := range expectations(t, files, "mariner") {
		for _, f := range e.Item.Vulnerability.FixedIn {
			want[e.Item.Vulnerability.Name+" Azure Linux:2 "+f.Name] = *f.VulnerableRange + " " + e.Item.Vulnerability.Severity
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if records, broken, err := read(oval.Azure(), "azurelinux-3.0-oval.xml", files[root+"azure-linux-truncated-3.0-oval.xml"]); err != nil || broken != nil || len(records) != 3 {
		t.Error(len(records), broken, err)
	}
}

// TestRealOracleSlice holds records of Oracle against those that another
// collector publishes: the versions agree. The slice lacks most of the tests
// that its definitions refer to.
func TestRealOracleSlice(t *testing.T) {
	files := testdata.Open(t, vunnel)
	const root = "tests/unit/providers/oracle/test-fixtures/"
	records, broken, err := read(oval.Oracle(), "com.oracle.elsa-all.xml", files[root+"mock_data"])
	if err != nil || broken != nil || len(records) != 2 {
		t.Fatal(len(records), broken, err)
	}
	got, want := map[string]string{}, map[string]string{}
	for _, r := range records {
		for i := range r.Affected {
			a := &r.Affected[i]
			got[r.ID+" "+a.Ecosystem+" "+a.Name] = bounds(a)
		}
	}
	for _, e := range expectations(t, files, "oracle") {
		for _, f := range e.Item.Vulnerability.FixedIn {
			want[e.Item.Vulnerability.Name+" "+strings.Replace(f.NamespaceName, "ol", "Oracle Linux", 1)+" "+f.Name] = "< " + f.Version
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 14 {
		t.Errorf("%d packages, -want +got:\n%s", len(got), diff)
	}
	// Ksplice's builds are not those of the stream.
	records, broken, err = read(oval.Oracle(), "com.oracle.elsa-all.xml", files[root+"mock_ksplice_data"])
	if err != nil || broken != nil || len(records) != 1 {
		t.Fatal(len(records), broken, err)
	}
	for _, a := range records[0].Affected {
		if a.Ecosystem != "Oracle Linux:8:ksplice" {
			t.Errorf("%s is in %s", a.Name, a.Ecosystem)
		}
	}
	// Of versions that architectures have apart, all count.
	records, broken, err = read(oval.Oracle(), "com.oracle.elsa-all.xml", files[root+"mock_per_arch_data"])
	if err != nil || broken != nil || len(records) != 3 {
		t.Fatal(len(records), broken, err)
	}
	if a := records[0].Affected[0]; a.Name != "rsyslog" || len(a.Ranges) != 2 {
		t.Errorf("%+v", a)
	}
}

// azureView is a snapshot of the whole feed of CBL-Mariner 1.0.
func azureView(t *testing.T) *snapshot.Snapshot {
	t.Helper()
	content := testdata.Open(t, "advisories/oval-azurelinux.tar.gz")["cbl-mariner-1.0-oval.xml"]
	records, broken, err := read(oval.Azure(), "cbl-mariner-1.0-oval.xml", content)
	if err != nil || broken != nil {
		t.Fatal(broken, err)
	}
	definitions, patchable := bytes.Count(content, []byte("<definition ")), map[string]int{}
	for _, r := range records {
		if len(r.Affected) != 1 || len(r.Upstream) != 1 || r.Affected[0].Ecosystem != "Azure Linux:1" {
			t.Errorf("%s: %+v of %s", r.ID, r.Affected, r.Upstream)
		}
		for _, n := range r.Notes() {
			t.Errorf("%s: %v", r.ID, n)
		}
		switch a := r.Affected[0]; {
		case a.Status == advisory.NotAffected:
			patchable["Not Applicable"]++
		case a.Ranges[0].Events[1].Fixed != "":
			patchable["true"]++
		default:
			patchable["false"]++
		}
	}
	want := map[string]int{}
	for word := range map[string]bool{"true": true, "false": true, "Not Applicable": true} {
		want[word] = bytes.Count(content, []byte("<patchable>"+word+"<"))
	}
	if diff := cmp.Diff(want, patchable); diff != "" || len(records) != definitions || definitions != 2252 {
		t.Errorf("%d records of %d definitions:\n%s", len(records), definitions, diff)
	}
	var file bytes.Buffer
	result, err := snapshot.Build(&file, func(yield func(*advisory.Record, error) bool) {
		for _, r := range records {
			r.Source = "azure-oval"
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil || result.Records != definitions || len(result.Broken) > 0 || result.Superseded > 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	view, err := snapshot.Read(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// TestRealAzureMatch matches with the whole feed. The definitions were read by
// hand.
func TestRealAzureMatch(t *testing.T) {
	view := azureView(t)
	for _, tt := range []struct {
		url  string
		want []string // findings that are among those, or, with "!", not
	}{
		{"pkg:rpm/mariner/kernel@5.10.185.1-1.cm1?distro=mariner-1.0.20230701", []string{"CVE-2023-3863 AZL-27741 [0:5.10.188.1-1.cm1] medium", "CVE-2023-3609 AZL-27726 [0:5.10.188.1-1.cm1] high"}},
		{"pkg:rpm/mariner/kernel-headers@5.10.185.1-1.cm1?distro=mariner-1.0.20230701&upstream=kernel-5.10.185.1-1.cm1.src.rpm", []string{"CVE-2023-3863 AZL-27741 [0:5.10.188.1-1.cm1] medium"}},
		{"pkg:rpm/mariner/kernel@5.10.188.1-1.cm1?distro=mariner-1.0.20230701", []string{"!CVE-2023-3863", "!CVE-2023-3609"}},
		{"pkg:rpm/mariner/glibc@2.28-18.cm1?distro=mariner-1.0.20230701", []string{"CVE-2021-35942 AZL-4820 [0:2.28-19.cm1] critical"}},
		{"pkg:rpm/mariner/glibc@2.28-19.cm1?distro=mariner-1.0.20230701", []string{"!CVE-2021-35942"}},
		{"pkg:rpm/mariner/clamav@0.101.2-3.cm1?distro=mariner-1.0.20230701", []string{"CVE-2008-3914 AZL-3173 [0:0.103.2-1.cm1] critical"}},
		// Another release's packages have no data here.
		{"pkg:rpm/mariner/kernel@5.10.185.1-1.cm1?distro=mariner-2.0.20230701", []string{"!CVE-2023-3863"}},
	} {
		u, err := purl.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		p := sbom.Package{ID: "p", Name: u.Name, Version: u.Version, PURL: u}
		if name, _, ok := strings.Cut(u.Qualifier("upstream"), "-5"); ok {
			p.Upstream = &sbom.Upstream{Name: name, Version: u.Version}
		}
		report, err := advisory.Matcher{View: view}.Match(t.Context(), &sbom.Document{Packages: []sbom.Package{p}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range report.Findings {
			got = append(got, fmt.Sprintf("%s %s %s %s", f.Vulnerability, f.Advisory, f.Fixed, f.Severity))
		}
		for _, want := range tt.want {
			if id, not := strings.CutPrefix(want, "!"); not {
				if slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, id+" ") }) {
					t.Errorf("%s: %s is among %q", tt.url, id, got)
				}
			} else if !slices.Contains(got, want) {
				t.Errorf("%s: %s is not among %q", tt.url, want, got)
			}
		}
	}
}

// TestRealMarinerImage matches the packages of a real image of CBL-Mariner 2.0
// with the slice of its feed: nothing of it affects the image, whose glibc the
// publisher looked at.
func TestRealMarinerImage(t *testing.T) {
	content := testdata.Open(t, vunnel)["tests/unit/providers/mariner/test-fixtures/mariner-truncated-2.0-oval.xml"]
	manifest := testdata.Open(t, "pkgdb/apk-dpkg-rpm-scancode.tar.gz")["tests/packagedcode/data/rpm_installed/mariner/scan/var/lib/rpmmanifest/container-manifest-2"]
	records, _, err := read(oval.Azure(), "cbl-mariner-2.0-oval.xml", content)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := snapshot.Build(&file, func(yield func(*advisory.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	view, err := snapshot.Read(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	doc := &sbom.Document{Subject: sbom.Subject{OS: &sbom.OS{ID: "mariner", VersionID: "2.0"}}}
	for line := range strings.Lines(string(manifest)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		u, err := purl.Parse("pkg:rpm/mariner/" + f[0] + "@" + f[1] + "?distro=mariner-2.0")
		if err != nil {
			t.Fatal(err)
		}
		doc.Packages = append(doc.Packages, sbom.Package{ID: f[0], Name: f[0], Version: f[1], PURL: u})
	}
	report, err := advisory.Matcher{View: view}.Match(t.Context(), doc)
	if err != nil || len(doc.Packages) != 12 || len(report.Findings) != 0 || len(report.Gaps) != 0 {
		t.Errorf("%d packages, %+v, %v", len(doc.Packages), report, err)
	}
	// An older golang beside them would be affected.
	u, _ := purl.Parse("pkg:rpm/mariner/golang@1.20.6-1.cm2?distro=mariner-2.0")
	doc.Packages = append(doc.Packages, sbom.Package{ID: "golang", Name: "golang", Version: "1.20.6-1.cm2", PURL: u})
	report, err = advisory.Matcher{View: view}.Match(t.Context(), doc)
	if err != nil || len(report.Findings) != 1 || report.Findings[0].Vulnerability != "CVE-2023-29404" {
		t.Errorf("%+v, %v", report, err)
	}
}
