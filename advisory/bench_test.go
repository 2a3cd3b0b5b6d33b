package advisory_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// kind is an ecosystem of the synthetic data: how many rows (record and
// package) it has, how many names, and its share of a document in percent.
type kind struct {
	ecosystem, database string
	rows, names, share  int
	purl                func(name, version string) purl.PackageURL
}

var kinds = []kind{
	{"Debian:12", "DEBIAN", 40000, 12000, 25, func(n, v string) purl.PackageURL {
		return purl.PackageURL{Type: "deb", Namespace: "debian", Name: n, Version: v, Qualifiers: []purl.Qualifier{{Key: "distro", Value: "debian-12"}}}
	}},
	{"npm", "GHSA", 20000, 12000, 40, func(n, v string) purl.PackageURL { return purl.PackageURL{Type: "npm", Name: n, Version: v} }},
	{"Maven", "GHSA", 6000, 3000, 15, func(n, v string) purl.PackageURL {
		return purl.PackageURL{Type: "maven", Namespace: "org.example", Name: n, Version: v}
	}},
	{"PyPI", "PYSEC", 6000, 3000, 8, func(n, v string) purl.PackageURL { return purl.PackageURL{Type: "pypi", Name: n, Version: v} }},
	{"Go", "GO", 6300, 2500, 12, func(n, v string) purl.PackageURL {
		return purl.PackageURL{Type: "golang", Namespace: "example.org/group", Name: n, Version: "v" + v}
	}},
	{"RubyGems", "GHSA", 1500, 800, 0, nil},
}

func (k *kind) recordName(name string) string {
	switch k.ecosystem {
	case "Maven":
		return "org.example:" + name
	case "Go":
		return "example.org/group/" + name
	}
	return name
}

func drawVersion(r *rand.Rand) string {
	return fmt.Sprintf("%d.%d.%d", r.IntN(6), r.IntN(20), r.IntN(20))
}

// synthetic makes 79,800 rows with the shape of real ones; two of three names that
// documents draw have none.
func synthetic() []*advisory.Record {
	r := rand.New(rand.NewPCG(1, 2))
	words := bytes.Repeat([]byte("An issue was found that lets remote attackers do harm. "), 4)
	var list []*advisory.Record
	for k := range kinds {
		kind := &kinds[k]
		for i := range kind.rows {
			name := kind.recordName(fmt.Sprintf("name-%05d", int(float64(kind.names)*r.Float64()*r.Float64())))
			cve := fmt.Sprintf("CVE-20%02d-%d", 10+i%15, 1000+i)
			rec := record(fmt.Sprintf("%s-%s-%06d", kind.database, kind.ecosystem, i), in(kind.ecosystem, name, v("0", drawVersion(r))), aliases(cve), summary(string(words[:120])))
			rec.Scores = []finding.Score{{Type: "CVSS_V3", Value: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:" + string("NLH"[i%3])}}
			rec.Details = fmt.Sprintf("%x ", rec.ID) + string(bytes.Repeat(words, 4)[:680])
			rec.URL = "https://example.org/advisories/" + rec.ID
			if kind.ecosystem == "PyPI" || kind.ecosystem == "Maven" {
				var versions []string
				for range 30 {
					versions = append(versions, drawVersion(r))
				}
				rec.Affected[0].Versions = advisory.NewVersionList(versions...)
			}
			list = append(list, rec)
		}
	}
	return list
}

// syntheticDocument draws n packages.
func syntheticDocument(n int) *sbom.Document {
	r := rand.New(rand.NewPCG(3, uint64(n)))
	doc := &sbom.Document{}
	for i := range n {
		at := r.IntN(100)
		k := 0
		for at >= kinds[k].share {
			at -= kinds[k].share
			k++
		}
		name := fmt.Sprintf("name-%05d", r.IntN(kinds[k].names*3))
		u := kinds[k].purl(name, fmt.Sprintf("%d.%d.%d", r.IntN(12), r.IntN(20), r.IntN(20)))
		doc.Packages = append(doc.Packages, sbom.Package{ID: fmt.Sprint(i), Name: kinds[k].recordName(name), Version: u.Version, PURL: u})
	}
	return doc
}

func BenchmarkMatch(b *testing.B) {
	s := view(b, synthetic()...)
	for _, n := range []int{200, 2000, 20000} {
		doc := syntheticDocument(n)
		rows := 0
		for i := range doc.Packages {
			for _, k := range kinds {
				entries, err := s.Affected(context.Background(), k.ecosystem, doc.Packages[i].Name)
				if err != nil {
					b.Fatal(err)
				}
				rows += len(entries)
			}
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			found := 0
			for b.Loop() {
				report, err := advisory.Matcher{View: s}.Match(context.Background(), doc)
				if err != nil || len(report.Gaps) > 0 {
					b.Fatal(report.Gaps, err)
				}
				found = len(report.Findings)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/package")
			b.ReportMetric(float64(rows), "rows")
			b.ReportMetric(float64(found), "findings")
		})
	}
}

// BenchmarkMatchNothing matches packages that no advisory names.
func BenchmarkMatchNothing(b *testing.B) {
	s := view(b, synthetic()...)
	doc := &sbom.Document{}
	for i := range 2000 {
		name := fmt.Sprintf("unheard-of-%d", i)
		doc.Packages = append(doc.Packages, sbom.Package{ID: name, Name: name, Version: "1.0.0", PURL: purl.PackageURL{Type: "npm", Name: name, Version: "1.0.0"}})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (advisory.Matcher{View: s}).Match(context.Background(), doc); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(doc.Packages)), "ns/package")
}

// BenchmarkBuild builds a snapshot of 79,800 rows from records in memory.
func BenchmarkBuild(b *testing.B) {
	list := synthetic()
	b.ReportAllocs()
	var size int64
	for b.Loop() {
		var out bytes.Buffer
		result, err := snapshot.Build(&out, records(list...))
		if err != nil {
			b.Fatal(err)
		}
		size = result.Size
	}
	b.ReportMetric(float64(size)/1e6, "MB")
	b.ReportMetric(float64(len(list)*b.N)/b.Elapsed().Seconds(), "records/s")
}
