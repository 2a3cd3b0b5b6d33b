package debian_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// fix is a CVE id that a changelog names, with the version that it is named in
// first, and the one before.
type fix struct{ source, cve, version, before string }

var (
	heading = regexp.MustCompile(`^(\S+) \(([^)]+)\) \S`)
	cveID   = regexp.MustCompile(`CVE-\d{4}-\d{4,}`)
)

// changelog reads the fixes of one changelog, whose newest version is first.
func changelog(t *testing.T, packed []byte) (out []fix) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	first := map[string]int{} // index in out
	source, version := "", ""
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := heading.FindStringSubmatch(lines.Text()); m != nil {
			if source != "" && m[1] != source {
				break // under its earlier name
			}
			source, version = m[1], m[2]
			for i := range out {
				if out[i].before == "" && out[i].version != version {
					out[i].before = version
				}
			}
			continue
		}
		if source == "" {
			continue // an upstream's own changelog
		}
		for _, id := range cveID.FindAllString(lines.Text(), -1) {
			if i, known := first[id]; known {
				out[i].version, out[i].before = version, ""
				continue
			}
			first[id] = len(out)
			out = append(out, fix{source, id, version, ""})
		}
	}
	return out
}

// TestRealMatch makes a tracker of what the changelogs of a real bookworm say
// was fixed, and matches its packages: none is affected. In the version before
// the one that fixed it, each is.
func TestRealMatch(t *testing.T) {
	files := testdata.Open(t, "pkgdb/debian-bookworm-minbase.tar.gz")
	tracker, fixes := map[string]map[string]any{}, []fix(nil)
	for name, packed := range files {
		if !strings.HasSuffix(name, "/changelog.Debian.gz") && !strings.HasSuffix(name, "/changelog.gz") {
			continue
		}
		for _, f := range changelog(t, packed) {
			if tracker[f.source] == nil {
				tracker[f.source] = map[string]any{}
			}
			if tracker[f.source][f.cve] != nil {
				continue // of another binary package
			}
			tracker[f.source][f.cve] = map[string]any{"releases": map[string]any{"bookworm": map[string]any{"status": "resolved", "fixed_version": f.version, "urgency": "not yet assigned"}}}
			fixes = append(fixes, f)
		}
	}
	text, err := json.Marshal(tracker)
	if err != nil {
		t.Fatal(err)
	}
	records, broken, err := read(t, "tracker.json", text)
	if err != nil || broken != nil {
		t.Fatal(broken, err)
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
	match := func(packages ...sbom.Package) map[string]bool {
		report, err := advisory.Matcher{View: view}.Match(t.Context(), &sbom.Document{Subject: sbom.Subject{OS: &sbom.OS{ID: "debian", VersionID: "12"}}, Packages: packages})
		if err != nil || len(report.Gaps) > 0 {
			t.Fatal(report, err)
		}
		out := map[string]bool{}
		for _, f := range report.Findings {
			out[f.Vulnerability] = true
		}
		return out
	}
	var status []byte
	for name, text := range files {
		if strings.HasSuffix(name, "dpkg/status") {
			status = text
		}
	}
	var installed []sbom.Package
	for paragraph := range strings.SplitSeq(string(status), "\n\n") {
		field := map[string]string{}
		for l := range strings.Lines(paragraph) {
			if k, v, ok := strings.Cut(strings.TrimSpace(l), ": "); ok && l[0] != ' ' {
				field[k] = v
			}
		}
		if field["Package"] != "" {
			source, version, _ := strings.Cut(strings.TrimSuffix(field["Source"], ")"), " (")
			installed = append(installed, debianPackage(t, field["Package"], field["Version"], source, version))
		}
	}
	if found := match(installed...); len(found) > 0 || len(installed) < 80 {
		t.Errorf("%d packages, affected by %v", len(installed), found)
	}
	dpkg, err := version.For("Debian")
	if err != nil {
		t.Fatal(err)
	}
	older := 0
	for _, f := range fixes {
		if o, err := dpkg.Compare(f.before, f.version); f.before == "" || err != nil || o >= 0 {
			continue // its first version, or the one before is of a later branch
		}
		older++
		if !match(debianPackage(t, "lib"+f.source, f.before, f.source, f.before))[f.cve] {
			t.Errorf("%s %s is not affected by %s, which %s fixed", f.source, f.before, f.cve, f.version)
		}
	}
	t.Logf("%d packages, %d records; %d older versions are affected", len(installed), len(records), older)
}

func debianPackage(t *testing.T, name, version, source, sourceVersion string) sbom.Package {
	t.Helper()
	u, err := purl.Parse("pkg:deb/debian/" + strings.ReplaceAll(name, "+", "%2B") + "@1?distro=debian-12")
	if err != nil {
		t.Fatal(err)
	}
	p := sbom.Package{ID: name, Name: name, Version: version, PURL: u}
	if source != "" {
		p.Upstream = &sbom.Upstream{Name: source, Version: sourceVersion}
	}
	return p
}
