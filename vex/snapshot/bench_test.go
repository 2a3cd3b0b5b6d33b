package snapshot_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/format"
	"github.com/stella-ops/stella/vex/snapshot"
)

// published returns the statements of real publishers.
func published(b *testing.B) []*vex.Statement {
	var out []*vex.Statement
	for _, pack := range []string{"vex/openvex-aqua-vexhub.tar.gz", "vex/csaf-vex-claircore.tar.gz", "vex/openvex-rancher-oci.tar.gz"} {
		testdata.Walk(b, pack, func(name string, r io.Reader) {
			text, err := io.ReadAll(r)
			if err != nil {
				b.Fatal(err)
			}
			if format.Detect(text) == format.Unknown {
				return
			}
			for s, err := range format.Decode(name, text, nil) {
				if err == nil {
					out = append(out, s)
				}
			}
		})
	}
	return vex.NewSet(out).All()
}

func BenchmarkBuild(b *testing.B) {
	list := published(b)
	for b.Loop() {
		build(b, list)
	}
	b.ReportMetric(float64(b.N*len(list))/b.Elapsed().Seconds(), "statements/s")
	b.ReportMetric(float64(len(build(b, list)))/float64(len(list)), "B/statement")
}

func BenchmarkOpen(b *testing.B) {
	path := write(b, build(b, published(b)))
	for b.Loop() {
		s, err := snapshot.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

// BenchmarkLookup asks for each vulnerability in turn: fresh from a file that is
// opened for it, and again from one that has answered before.
func BenchmarkLookup(b *testing.B) {
	list := published(b)
	path := write(b, build(b, list))
	var names []string
	for _, s := range list {
		names = append(names, strings.ToLower(s.Vulnerability))
	}
	for _, c := range []string{"fresh", "again"} {
		b.Run(c, func(b *testing.B) {
			s, err := snapshot.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			i, found := 0, 0
			for b.Loop() {
				if i++; c == "fresh" {
					s.Close()
					if s, err = snapshot.Open(path); err != nil {
						b.Fatal(err)
					}
				}
				got, err := s.Statements(b.Context(), names[i%len(names):][:1])
				if err != nil || len(got) == 0 {
					b.Fatal(len(got), err)
				}
				found += len(got)
			}
			b.ReportMetric(float64(found)/float64(b.N), "statements/op")
			s.Close()
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	list := published(b)
	path := write(b, build(b, list))
	for b.Loop() {
		s, err := snapshot.Open(path)
		if err == nil {
			err = s.Verify(b.Context(), vex.NewSet(list).Digest())
		}
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
	b.ReportMetric(float64(b.N*len(list))/b.Elapsed().Seconds(), "statements/s")
}
