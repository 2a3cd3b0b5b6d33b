package osv

import (
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/testdata"
)

// BenchmarkParse reads the records of real databases from memory.
func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"osv-go", "osv-almalinux", "osv-ghsa-mixed", "osv-bellsoft", "osv-julia"} {
		files := testdata.Open(b, "advisories/"+name+".tar.gz")
		names, size := testdata.Names(files), 0
		for _, text := range files {
			size += len(text)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			p := newParser(nil)
			for b.Loop() {
				for _, n := range names {
					if _, err := parse(p, files[n], n); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(len(names)*b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkSource reads the documents of a source as ingestion does, with what
// it checks and takes note of.
func BenchmarkSource(b *testing.B) {
	files := testdata.Open(b, "advisories/osv-go.tar.gz")
	s := GoVulnDB()
	var docs []*advisory.Document
	size := 0
	for _, name := range testdata.Names(files) {
		docs = append(docs, &advisory.Document{Name: "ID/" + name, Content: files[name]})
		size += len(files[name])
	}
	for _, notes := range []bool{false, true} {
		b.Run(map[bool]string{false: "Parse", true: "ParseAndNotes"}[notes], func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for _, doc := range docs {
					for st, err := range s.Parse(doc) {
						if err != nil {
							b.Fatal(err)
						}
						if notes {
							st.(*advisory.Record).Notes()
						}
					}
				}
			}
			b.ReportMetric(float64(len(docs)*b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
