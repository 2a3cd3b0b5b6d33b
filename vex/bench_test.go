package vex_test

import (
	"fmt"
	"testing"

	"github.com/stella-ops/stella/vex"
)

// BenchmarkResolve decides groups of one to sixty-four claims; groups/s is what
// counts.
func BenchmarkResolve(b *testing.B) {
	kinds := universe(7)
	for _, size := range []int{1, 2, 4, 16, 64, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			j := judge(b, parties)
			var set []vex.Claim
			for i := range size {
				s := kinds[i*31%len(kinds)]
				s.document = fmt.Sprint(i)
				set = append(set, claims(b, s)...)
			}
			b.ReportAllocs()
			for b.Loop() {
				j.Resolve(set, now)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "groups/s")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(set)), "ns/claim")
		})
	}
}

// BenchmarkSelect asks a prepared query about a hundred statements.
func BenchmarkSelect(b *testing.B) {
	q := asking.Prepare()
	var list []*vex.Statement
	for i := range 100 {
		s := said{who: "maker", status: vex.NotAffected, at: -3, document: fmt.Sprint(i)}.statement(b)
		s.Products[0].PURL = []string{"pkg:deb/debian/libssl3", "pkg:deb/debian/libssl3@3.0.11-1", "pkg:npm/other", "pkg:docker/web"}[i%4]
		if err := s.Prepare(); err != nil {
			b.Fatal(err)
		}
		list = append(list, s)
	}
	b.ReportAllocs()
	for b.Loop() {
		q.Select(asking.Vulnerabilities, list)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(list)), "ns/statement")
}
