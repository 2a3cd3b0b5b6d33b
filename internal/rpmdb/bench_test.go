package rpmdb

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// BenchmarkRead reads and decodes every header of a database of each format, held
// in memory: three real ones, and Berkeley DB in the size of a large image.
func BenchmarkRead(b *testing.B) {
	var many [][]byte
	for i := range 500 {
		many = append(many, sample(i, 60_000))
	}
	for _, c := range []struct {
		name string
		file []byte
	}{
		{"sqlite-fedora38", realFile(b, "pkgdb/rpmdb-scancode.tar.gz", "rpmdb.sqlite")},
		{"ndb-sle15", realFile(b, "pkgdb/rpmdb.tar.gz", "pkg/testdata/sle15-bci/Packages.db")},
		{"bdb-libuuid", realFile(b, "pkgdb/rpmdb.tar.gz", "pkg/testdata/libuuid/Packages")},
		{"sqlite-30MB", buildSQLite(4096, 0, many...)},
		{"ndb-15MB", buildNDB(many[:150]...)},
		{"bdb-30MB", buildBerkeley(binary.LittleEndian, 4096, many...)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.file)))
			b.ReportAllocs()
			for b.Loop() {
				db, err := Open(bytes.NewReader(c.file), int64(len(c.file)), nil)
				if err != nil {
					b.Fatal(err)
				}
				for h, err := range db.Headers() {
					if err != nil {
						b.Fatal(err)
					}
					if _, err := Decode(h, nil); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
