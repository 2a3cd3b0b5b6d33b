package snapshot_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/internal/testdata"
)

// realFile is a snapshot of the shared data.
func realFile(b *testing.B) string {
	b.Helper()
	list, _ := real(b)
	data, result := build(b, list)
	path := filepath.Join(b.TempDir(), "a.snapshot")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d records, %d bytes", result.Records, result.Size)
	return path
}

func BenchmarkOpen(b *testing.B) {
	path := realFile(b)
	b.ReportAllocs()
	for b.Loop() {
		s, err := snapshot.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

func BenchmarkAffected(b *testing.B) {
	s, err := snapshot.Open(realFile(b))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for _, tt := range []struct{ name, ecosystem, pkg string }{
		{"nothing", "npm", "no-such-package"}, {"no ecosystem", "Unheard", "no-such-package"},
		{"few", "crates.io", "wasmtime"}, {"many", "PyPI", "tensorflow"}, {"most", "Alpaquita:stream", "linux-lts"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				entries, err := s.Affected(ctx, tt.ecosystem, tt.pkg)
				if err != nil {
					b.Fatal(err)
				}
				n = len(entries)
			}
			b.ReportMetric(float64(n), "entries")
		})
	}
}

// BenchmarkImport reads the shared databases, as they are packed, and builds.
func BenchmarkImport(b *testing.B) {
	var paths []string
	for _, p := range realPacks {
		if p != "osv-pypi" && p != "osv-r" { // YAML, which is slow
			paths = append(paths, testdata.Path(b, "advisories/"+p+".tar.gz"))
		}
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		var out bytes.Buffer
		n = 0
		_, err := snapshot.Build(&out, func(yield func(*advisory.Record, error) bool) {
			for r, err := range osv.Walk(b.Context(), nil, paths...) {
				var broken *advisory.RecordError
				if n++; !errors.As(err, &broken) && !yield(r, err) {
					return
				}
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "records/s")
}
