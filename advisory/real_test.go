package advisory_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// shared reads records of the shared data.
func shared(t testing.TB, packs ...string) []*advisory.Record {
	t.Helper()
	var paths []string
	for _, p := range packs {
		paths = append(paths, testdata.Path(t, "advisories/"+p+".tar.gz"))
	}
	var list []*advisory.Record
	for r, err := range osv.Walk(context.Background(), nil, paths...) {
		var broken *advisory.RecordError
		if errors.As(err, &broken) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

var sharedPacks = []string{"osv-go", "osv-crates", "osv-pypi", "osv-almalinux", "osv-bitnami", "osv-bellsoft", "osv-julia", "osv-r", "osv-drupal", "osv-ghsa-mixed", "osv-other-mixed"}

// TestRealRecords checks packages whose records were read by hand.
func TestRealRecords(t *testing.T) {
	s := view(t, shared(t, sharedPacks...)...)
	tests := []struct {
		url  string
		want []string
	}{
		{"pkg:golang/stdlib@1.14.6", []string{"CVE-2020-16845 by GO-2021-0142 in >= 1.14.0-0, < 1.14.7 [1.14.7]  "}},
		{"pkg:golang/stdlib@1.14.7", []string{"!GO-2021-0142"}},
		{"pkg:golang/stdlib@1.20.7", []string{"!GO-2021-0142"}},
		{"pkg:pypi/zstd@1.5.5.1", []string{"CVE-2022-4899 by PYSEC-2023-121 in >= 0 []  "}},
		{"pkg:cargo/wasmtime@4.0.0", []string{"CVE-2023-26489 by RUSTSEC-2023-0090 in >= 0.0.0-0, < 4.0.1 [4.0.1 5.0.1 6.0.1] critical CVSS_V3 9.9 (RUSTSEC-2023-0090)"}},
		{"pkg:cargo/wasmtime@5.0.1", []string{"!RUSTSEC-2023-0090"}},
		{"pkg:maven/io.netty/netty-codec-http@4.1.48.Final", []string{"CVE-2021-43797 by GHSA-wx5j-54mm-rqqq in >= 4.0.0, < 4.1.71.Final [4.1.71.Final] medium CVSS_V3 6.5 (GHSA-wx5j-54mm-rqqq)"}},
		{"pkg:maven/io.netty/netty-codec-http@4.1.71.Final", []string{"!GHSA-wx5j-54mm-rqqq"}},
		{"pkg:composer/drupal/admin_toolbar@2.4.0", []string{"DRUPAL-CONTRIB-2021-025 by DRUPAL-CONTRIB-2021-025 in >= 0, < 2.5.0 [2.5.0]  "}},
		{"pkg:composer/drupal/admin_toolbar@3.0.1", []string{"DRUPAL-CONTRIB-2021-025 by DRUPAL-CONTRIB-2021-025 in >= 3.0.1, <= 3.0.1 []  "}},
		{"pkg:composer/drupal/admin_toolbar@3.0.2", []string{"!DRUPAL-CONTRIB-2021-025"}},
		{"pkg:cran/gh@1.4.0", []string{"CVE-2025-54956 by RSEC-2025-0 in >= 1.1.0, < 1.5.0 [1.5.0]  "}},
		{"pkg:julia/Bzip2_jll@1.0.6?uuid=6e34b625-4abd-537c-b88f-471c36dfa7a0", []string{"CVE-2016-3189 by JLSEC-2025-10 in >= 0, < 1.0.7+0 [1.0.7+0] medium CVSS_V3 6.5 (JLSEC-2025-10)"}},
		{"pkg:rpm/almalinux/libtar@1.2.20-15.el8?distro=almalinux-8.9", []string{"ALSA-2023:2898 by ALSA-2023:2898 in >= 0, < 1.2.20-17.el8 [1.2.20-17.el8] medium rating Moderate (ALSA-2023:2898)"}},
		{"pkg:rpm/almalinux/openssl-libs@3.0.7-27.el9?epoch=1&distro=almalinux-9.4&upstream=openssl", []string{"CVE-2024-6119 by ALSA-2024:6783 in >= 0, < 1:3.0.7-28.el9_4 [1:3.0.7-28.el9_4] medium rating Moderate (ALSA-2024:6783)", "!ALSA-2024:2447"}},
		{"pkg:rpm/almalinux/nodejs@16.20.2-3.module_el8.9.0%2B3731?epoch=1&distro=almalinux-8.9&modularitylabel=nodejs:16:8090:a", []string{"ALSA-2024:1444 by ALSA-2024:1444 in >= 0, < 1:16.20.2-4.module_el8.9.0+3747+ead8229c [1:16.20.2-4.module_el8.9.0+3747+ead8229c] high rating Important (ALSA-2024:1444)"}},
		{"pkg:rpm/almalinux/nodejs@14.21.3-1.module_el8.9.0%2B3731?epoch=1&distro=almalinux-8.9&modularitylabel=nodejs:14:8090:a", []string{"!ALSA-2024:1444"}},
		{"pkg:apk/alpaquita/libcurl@8.4.0-r0?distro=alpaquita-23&upstream=curl", []string{"CVE-2023-46218 by BELL-CVE-2023-46218 in >= 8.1.0-r2, < 8.5.0-r0 [8.5.0-r0] medium CVSS_V3 6.5 (BELL-CVE-2023-46218)"}},
		{"pkg:apk/alpaquita/libcurl@8.1.0-r1?distro=alpaquita-23&upstream=curl", []string{"!BELL-CVE-2023-46218"}},
		{"pkg:bitnami/minio@2023.3.12", []string{"CVE-2023-27589 by BIT-minio-2023-27589 in >= 2020.12.23, < 2023.03.13 [2023.03.13] medium CVSS_V3 6.5 (BIT-minio-2023-27589)"}},
		{"pkg:deb/ubuntu/libeglibc@2.19-0ubuntu6.15%2Besm4?distro=ubuntu-14.04&upstream=eglibc", []string{"CVE-2016-20013 by UBUNTU-CVE-2016-20013 in >= 0 [] none Ubuntu negligible (UBUNTU-CVE-2016-20013)"}},
	}
	for _, tt := range tests {
		report, err := advisory.Matcher{View: s}.Match(context.Background(), document(nil, tt.url))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, f := range report.Findings {
			lines = append(lines, fmt.Sprintf("%s by %s in %s %s %s %s", f.Vulnerability, f.Advisory, f.Evidence.Range, f.Fixed, f.Severity, f.SeverityFrom))
		}
		for _, want := range tt.want {
			if id, not := strings.CutPrefix(want, "!"); not {
				if slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, id) }) {
					t.Errorf("%s: %s is reported", tt.url, id)
				}
				continue
			}
			if !slices.ContainsFunc(lines, func(l string) bool { return strings.TrimSpace(l) == strings.TrimSpace(want) }) {
				t.Errorf("%s: want %s\ngot %s", tt.url, want, strings.Join(lines, "\n"))
			}
		}
		if report.Blocked() {
			t.Errorf("%s: %+v", tt.url, report.Gaps)
		}
	}
}

// languagePURL is the package URL of a name of an OSV ecosystem.
func languagePURL(ecosystem, name, version string) purl.PackageURL {
	types := map[string]string{"Go": "golang", "crates.io": "cargo", "PyPI": "pypi", "Maven": "maven", "npm": "npm", "RubyGems": "gem", "NuGet": "nuget", "CRAN": "cran", "Julia": "julia", "Bitnami": "bitnami", "Hex": "hex", "Pub": "pub", "Packagist": "composer"}
	base, _, _ := strings.Cut(ecosystem, ":")
	u := purl.PackageURL{Type: types[base], Name: name, Version: version}
	separator := "/"
	if base == "Maven" {
		separator = ":"
	}
	if i := strings.LastIndex(name, separator); i >= 0 {
		u.Namespace, u.Name = name[:i], name[i+1:]
	}
	return u
}

// TestRealAgainstScan compares matching with going through all records, for
// versions at and between the bounds of real ranges.
func TestRealAgainstScan(t *testing.T) {
	list := shared(t, "osv-go", "osv-crates", "osv-pypi", "osv-drupal", "osv-ghsa-mixed", "osv-julia", "osv-r")
	s := view(t, list...)
	type name struct{ base, name string }
	index := map[name][]*advisory.Record{}
	versions := map[name][]string{}
	for _, r := range list {
		for i := range r.Affected {
			a := &r.Affected[i]
			if languagePURL(a.Ecosystem, "x", "").Type == "" {
				continue
			}
			base, _, _ := strings.Cut(a.Ecosystem, ":")
			k := name{base, advisory.CanonicalName(a.Ecosystem, a.Name)}
			if !slices.Contains(index[k], r) {
				index[k] = append(index[k], r)
			}
			for v := range a.Versions.All() {
				versions[k] = append(versions[k], v)
			}
			for _, rng := range a.Ranges {
				for _, e := range rng.Events {
					if v := e.Introduced + e.Fixed + e.LastAffected; rng.Type != advisory.RangeGit && v != "0" {
						versions[k] = append(versions[k], v)
					}
				}
			}
		}
	}
	verdicts, hits := 0, 0
	for k, list := range versions {
		slices.Sort(list)
		list = slices.Compact(list)
		doc := &sbom.Document{}
		for i := 0; i < len(list); i += max(1, len(list)/20) {
			doc.Packages = append(doc.Packages, sbom.Package{ID: list[i], Name: k.name, Version: list[i], PURL: languagePURL(k.base, k.name, list[i])})
		}
		report, err := advisory.Matcher{View: s}.Match(context.Background(), doc)
		if err != nil {
			t.Fatal(err)
		}
		got, led := map[string]bool{}, map[string]bool{}
		for _, f := range report.Findings {
			led[f.Package+" "+f.Advisory] = true
			for _, id := range append(f.Aliases, f.Advisory) {
				got[f.Package+" "+id] = true
			}
		}
		for _, p := range doc.Packages {
			for _, r := range index[k] {
				verdicts++
				key := p.ID + " " + r.ID
				if want := affects(t, r, k.base, k.name, p.Version); want && !got[key] {
					t.Errorf("%s %s %s: %s is missing", k.base, k.name, p.Version, r.ID)
				} else if !want && led[key] {
					t.Errorf("%s %s %s: %s is reported", k.base, k.name, p.Version, r.ID)
				} else if want {
					hits++
				}
			}
		}
	}
	t.Logf("%d names, %d verdicts, %d of them affected", len(versions), verdicts, hits)
}

// affects is the evaluation of the OSV schema, for one record.
func affects(t *testing.T, r *advisory.Record, base, name, v string) bool {
	if r.Withdrawn != "" {
		return false
	}
	for _, a := range r.Affected {
		if eco, _, _ := strings.Cut(a.Ecosystem, ":"); eco != base || advisory.CanonicalName(a.Ecosystem, a.Name) != name {
			continue
		}
		if a.Versions.Has(v) {
			return true
		}
		scheme, err := version.For(a.Ecosystem)
		if err != nil {
			t.Fatal(err)
		}
		usable := false
		for _, rng := range a.Ranges {
			if rng.Type == advisory.RangeGit {
				continue
			}
			usable = true
			set, err := version.NewRange(scheme, rng.Events)
			if err == nil && set.Contains(v).State == version.Yes {
				return true
			}
		}
		if !usable && version.Enumerated(scheme, slices.Collect(a.Versions.All())).Contains(v).State == version.Yes {
			return true
		}
	}
	return false
}

// TestEnumeratedOracle: databases that give both ranges and enumerated versions
// let one be checked by the other. Where they deviate each record was looked
// at, and the two lists of the database contradict each other: 16 about
// tensorflow leave pre-releases out of the enumeration, PYSEC-2023-61 (django)
// puts those of the first affected release in, GHSA-f4qf-m5gf-8jm8 (tomcat)
// starts the range at 9.0.0-M11 and enumerates 9.0.0.M1, the others enumerate
// older releases than the range ends with.
func TestEnumeratedOracle(t *testing.T) {
	tests := []struct {
		pack       string
		deviations int
	}{{"osv-pypi", 23}, {"osv-ghsa-mixed", 1}, {"osv-r", 0}}
	for _, tt := range tests {
		list := shared(t, tt.pack)
		enumerated := map[string]map[string]bool{} // record and name → versions
		universe := map[[2]string][]string{}
		var ranges []*advisory.Record
		for _, r := range list {
			plain := *r
			plain.Affected = nil
			for _, a := range r.Affected {
				hasRange := slices.ContainsFunc(a.Ranges, func(r advisory.Range) bool { return r.Type != advisory.RangeGit })
				if a.Versions == "" || !hasRange || r.Withdrawn != "" {
					continue
				}
				k := [2]string{a.Ecosystem, advisory.CanonicalName(a.Ecosystem, a.Name)}
				set := enumerated[r.ID+" "+k[1]]
				if set == nil {
					set = map[string]bool{}
					enumerated[r.ID+" "+k[1]] = set
				}
				for v := range a.Versions.All() {
					set[v] = true
					universe[k] = append(universe[k], v)
				}
				a.Versions = ""
				plain.Affected = append(plain.Affected, a)
			}
			plain.Aliases, plain.Upstream, plain.Related = nil, nil, nil // each record for itself
			ranges = append(ranges, &plain)
		}
		s := view(t, ranges...)
		verdicts, deviations := 0, map[string]bool{}
		for k, versions := range universe {
			slices.Sort(versions)
			versions = slices.Compact(versions)
			doc := &sbom.Document{}
			for _, v := range versions {
				doc.Packages = append(doc.Packages, sbom.Package{ID: v, Name: k[1], Version: v, PURL: languagePURL(k[0], k[1], v)})
			}
			report, err := advisory.Matcher{View: s}.Match(context.Background(), doc)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range report.Gaps {
				t.Logf("%s: %+v", tt.pack, g)
			}
			in := map[string]bool{}
			for _, f := range report.Findings {
				in[f.Advisory+" "+f.Version] = true
			}
			for key, set := range enumerated {
				id, name, _ := strings.Cut(key, " ")
				if name != k[1] {
					continue
				}
				for _, v := range versions {
					verdicts++
					if in[id+" "+v] != set[v] {
						deviations[id+" "+name] = true
					}
				}
			}
		}
		if len(deviations) != tt.deviations {
			t.Errorf("%s: %d records deviate, want %d", tt.pack, len(deviations), tt.deviations)
		}
		t.Logf("%s: %d verdicts, deviating: %v", tt.pack, verdicts, slices.Sorted(maps.Keys(deviations)))
	}
}

// TestRealDelta: eight weeks of the Go vulnerability database as a delta.
func TestRealDelta(t *testing.T) {
	now := shared(t, sharedPacks...)
	old := map[string]*advisory.Record{}
	for r, err := range osv.Walk(t.Context(), nil, testdata.Path(t, "advisories/osv-go-delta.tar.gz")) {
		var broken *advisory.RecordError
		if errors.As(err, &broken) { // the list of what was added is no record
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		old[r.ID] = r
	}
	var before []*advisory.Record
	isNew, added := addedSince(t), 0
	for _, r := range now {
		switch {
		case old[r.ID] != nil:
			before = append(before, old[r.ID])
		case isNew[r.ID]:
			added++
		default:
			before = append(before, r)
		}
	}
	from, to := view(t, before...), view(t, now...)
	var delta, whole, made bytes.Buffer
	size, err := snapshot.WriteDelta(&delta, from, to)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.CopyTo(&whole); err != nil {
		t.Fatal(err)
	}
	digest, err := snapshot.ApplyDelta(&made, from, &delta)
	if err != nil || digest != to.Digest() {
		t.Fatalf("the delta makes %s, %v", digest, err)
	}
	t.Logf("%d changed, %d added: %d bytes of %d, %.2f %%", len(old), added, size, whole.Len(), 100*float64(size)/float64(whole.Len()))
	if len(old) == 0 || added == 0 || 100*size > int64(whole.Len()) {
		t.Errorf("the delta is over one percent of the snapshot")
	}
	facts, err := snapshot.Facts(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range facts {
		if !strings.HasPrefix(f.Record, "GO-") && f.Cause != advisory.CauseChanged {
			t.Errorf("fact %+v of another database", f)
		}
	}
}

// addedSince returns the ids that the shared delta lists as added.
func addedSince(t *testing.T) map[string]bool {
	t.Helper()
	f, err := os.Open(testdata.Path(t, "advisories/osv-go-delta.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != "DELTA.json" {
			continue
		}
		var delta struct {
			Added []string `json:"A"`
		}
		if err := json.UnmarshalRead(r, &delta); err != nil {
			t.Fatal(err)
		}
		for _, name := range delta.Added {
			out[strings.TrimSuffix(name, ".json")] = true
		}
	}
}
