package rpm

import (
	"testing"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

func BenchmarkExtract(b *testing.B) {
	for name, c := range map[string]struct{ path, pack, file string }{
		"ndb-sle15":       {suseDB, "pkgdb/rpmdb.tar.gz", "pkg/testdata/sle15-bci/Packages.db"},
		"sqlite-fedora38": {fedoraDB, "pkgdb/rpmdb-scancode.tar.gz", "rpmdb.sqlite"},
	} {
		data := realFile(b, c.pack, c.file)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				extract(b, c.path, data)
			}
		})
	}
}

func BenchmarkJoin(b *testing.B) {
	in := &analyzer.Squashed{OS: &sbom.OS{ID: "sles", VersionID: "15.5"}}
	for _, f := range extract(b, suseDB, realFile(b, "pkgdb/rpmdb.tar.gz", "pkg/testdata/sle15-bci/Packages.db")) {
		in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: suseDB})
	}
	b.ReportAllocs()
	for b.Loop() {
		if out, _ := (Analyzer{}).Join(in); len(out) != len(in.Facts) {
			b.Fatal(len(out))
		}
	}
}
