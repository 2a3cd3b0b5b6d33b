package hostile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/stella-ops/stella/internal/imagetest"
)

// long are layers so large that they are made and scanned on demand: see
// [hostile.long].
func long() []hostile {
	e := npm("opt", "seen")
	giant := func(class, name string, w want, write func(io.Writer)) hostile {
		h := grown(class, name, w, write).stored(imagetest.Gzip)
		h.long = true
		return h
	}
	return []hostile{
		giant("tar", "three million entries", shown("seen"), manyTrees(3_000_000, e)),
		giant("tar", "a million entries in one folder", shown("seen"), manyFiles(1_000_000, e)),
		giant("tar", "a million PAX records", shown("seen"), func(w io.Writer) {
			for range 100 { // an extended header holds a megabyte at most
				w.Write(noEnd(pax(strings.Repeat(record("a", "b"), 10_000)), file("etc/x", "")))
			}
			w.Write(tarball(e))
		}),
		giant("content", "dpkg status of a gigabyte", noted("!limit "+status).unseen(), func(w io.Writer) {
			stanza := []byte(strings.Repeat("Package: a\nStatus: install ok installed\nVersion: 1\n\n", 16<<10))
			n := (1 << 30) / len(stanza)
			w.Write(entry{name: status, size: base256(n * len(stanza))}.bytes())
			repeat(stanza, int64(n))(w)
			w.Write(make([]byte, (512-n*len(stanza)%512)%512))
			w.Write(tarball())
		}),
		{class: "compression", name: "20 GB of zeros", want: shown("seen"), large: true, long: true, as: []imagetest.Compression{imagetest.Plain}, kit: func(imagetest.Compression) *kit {
			return &kit{parts: []part{storedWitness(), twentyGigabytes(e)}}
		}},
	}
}

// manyTrees spreads files over folders, as a registry of sources does.
func manyTrees(n int, e entry) func(io.Writer) {
	return func(w io.Writer) {
		for i := range n {
			w.Write(entry{name: fmt.Sprintf("srv/%03d/%03d/%d", i/1e6, i/1000%1000, i)}.bytes())
		}
		w.Write(tarball(e))
	}
}

// twentyGigabytes is made of one compressed piece that is repeated: members of
// gzip that follow each other are one stream.
func twentyGigabytes(e entry) part {
	const piece, pieces = 256 << 20, 75
	head := entry{name: "srv/zeros", size: base256(piece * pieces)}.bytes()
	tail := tarball(e)
	sum := sha256.New()
	sum.Write(head)
	repeat(make([]byte, 1<<20), (piece>>20)*pieces)(sum)
	sum.Write(tail)
	middle := gz(make([]byte, piece))
	out := gz(head)
	for range pieces {
		out = append(out, middle...)
	}
	return part{"sha256:" + hex.EncodeToString(sum.Sum(nil)), append(out, gz(tail)...), typeLayer + "+gzip"}
}
