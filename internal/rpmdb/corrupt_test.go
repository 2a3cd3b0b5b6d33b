package rpmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/testdata"
)

func testFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(testdata.Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func sortedLines(s string) []string {
	l := strings.Split(strings.TrimSpace(s), "\n")
	slices.Sort(l)
	return l
}

// checkDamaged reads a damaged database that had n headers: every loss must be
// told and every error must have a kind.
func checkDamaged(t *testing.T, what string, b []byte, n int) {
	t.Helper()
	headers, errs := readAll(b, nil)
	for _, h := range headers {
		if _, err := Decode(h, nil); err != nil {
			errs = append(errs, err)
		}
	}
	for _, err := range errs {
		if fault.KindOf(err) == "" {
			t.Errorf("%s: error without a kind: %v", what, err)
		}
	}
	if len(headers) < n && len(errs) == 0 {
		t.Errorf("%s: %d of %d headers and no error", what, len(headers), n)
	}
}

// checkMemory does the same and sees to it that memory stays in proportion to
// the file.
func checkMemory(t *testing.T, what string, b []byte, n int) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	checkDamaged(t, what, b, n)
	runtime.ReadMemStats(&after)
	if used, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+12*len(b)); used > most {
		t.Errorf("%s: allocated %d bytes for a file of %d", what, used, len(b))
	}
}

func TestFlippedBytes(t *testing.T) {
	blobs := samples(5)
	for name, b := range built(blobs...) {
		if len(b) > 200<<10 {
			continue
		}
		// The one number that nothing else in the file confirms.
		root := bytes.Index(b, []byte("Packages\x02CREATE")) + len("Packages")
		for off := range b {
			if off == root {
				continue
			}
			mask := []byte{0xff, 0x01, 0x80, 0x10}[off/3%4]
			b[off] ^= mask
			if checkDamaged(t, name, b, len(blobs)); off%16 == 0 {
				checkMemory(t, name, b, len(blobs))
			}
			b[off] ^= mask
			if t.Failed() {
				t.Fatalf("%s: at offset %d", name, off)
			}
		}
	}
}

func TestTruncated(t *testing.T) {
	blobs := samples(7)
	for name, b := range built(blobs...) {
		for size := 0; size < len(b); size += 1 + len(b)/1000 {
			checkMemory(t, name, b[:size], len(blobs))
			if t.Failed() {
				t.Fatalf("%s: cut to %d of %d", name, size, len(b))
			}
		}
	}
}

func TestDamagedRealDatabases(t *testing.T) {
	files := testdata.Open(t, "pkgdb/rpmdb.tar.gz")
	for n, b := range testdata.Open(t, "pkgdb/rpmdb-scancode.tar.gz") {
		files[n] = b
	}
	for _, name := range testdata.Names(files) {
		b := files[name]
		headers, errs := readAll(b, nil)
		if len(errs) > 0 {
			t.Fatal(name, errs)
		}
		runs := 20 << 20 / len(b) // about as much work for each file
		step := len(b)/runs + 1
		for off := 0; off < len(b); off += step {
			b[off] ^= 0xff
			checkDamaged(t, name, b, len(headers))
			b[off] ^= 0xff
			// Heads of pages say more than their content.
			page := off &^ 4095
			for _, at := range []int{page + off%32, 16 + off%256} {
				b[at] ^= byte(1 << (off % 8))
				checkDamaged(t, name, b, len(headers))
				b[at] ^= byte(1 << (off % 8))
			}
			checkMemory(t, name, b[:off], len(headers))
			if t.Failed() {
				t.Fatalf("%s: at offset %d", name, off)
			}
		}
	}
}

// TestCycles: pages that lead back to themselves or are used by two.
func TestCycles(t *testing.T) {
	be, le := binary.BigEndian, binary.LittleEndian
	big := sample(1, 5000)
	db := buildSQLite(512, 0, big)
	// Pages 1 schema, 2 root (a leaf), from 3 on the overflow of the row.
	overflow := bytes.Clone(db)
	be.PutUint32(overflow[512*3:], 3)
	deep := buildSQLite(512, 0, samples(9)...)
	if deep[512] != treeInterior {
		t.Fatal("root is no interior page")
	}
	be.PutUint32(deep[512+8:], 2)
	bdb := buildBerkeley(le, 512, big)
	ring := bytes.Clone(bdb)
	le.PutUint32(ring[512+16:], 1) // bucket page 1 follows itself
	chain := bytes.Clone(bdb)
	le.PutUint32(chain[512*5+16:], 4) // overflow page 5 goes back to 4
	for name, b := range map[string][]byte{"sqlite overflow": overflow, "sqlite tree": deep, "bdb bucket": ring, "bdb overflow": chain} {
		_, errs := readAll(b, nil)
		if err := errors.Join(errs...); err == nil || !strings.Contains(err.Error(), "is used twice") || !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDeepTree: more levels than SQLite makes, each page used once.
func TestDeepTree(t *testing.T) {
	s := &sqliteBuilder{page: 512, usable: 512}
	b := buildSQLite(512, 0)
	for n := range 30 {
		_, p := s.add()
		s.node(p, 0, treeInterior, uint32(3+n))
	}
	b = append(b[:512], slices.Concat(s.pages...)...)
	_, errs := readAll(b, nil)
	if err := errors.Join(errs...); err == nil || !strings.Contains(err.Error(), "deeper than 20") {
		t.Error(err)
	}
}

// TestOverlaps: one place of the file that is said to be many rows.
func TestOverlaps(t *testing.T) {
	db := buildSQLite(4096, 0, sample(1, 0), sample(2, 0))
	binary.BigEndian.PutUint16(db[4096+10:], binary.BigEndian.Uint16(db[4096+8:]))
	n := buildNDB(sample(1, 9000), sample(2, 0))
	for i := range 40 { // free slots become copies of the first
		slot := n[ndbHeaderSize+(10+i)*ndbBlock:]
		copy(slot[:ndbBlock], n[ndbHeaderSize:])
	}
	h := buildBerkeley(binary.LittleEndian, 4096, sample(1, 0)) // items: counter and its value, key and header
	copy(h[4096+bdbPageHead+6:], h[4096+bdbPageHead+4:][:2])
	for name, b := range map[string][]byte{"sqlite": db, "ndb": n, "bdb": h} {
		headers, errs := readAll(b, nil)
		total := 0
		for _, h := range headers {
			total += len(h)
		}
		if len(errs) == 0 || total > len(b) {
			t.Errorf("%s: %d bytes of headers from a file of %d: %v", name, total, len(b), errs)
		}
	}
}

func TestLimits(t *testing.T) {
	for name, b := range built(samples(20)...) {
		headers, errs := readAll(b, &Limits{HeaderBytes: 5000})
		if len(headers) == 0 || len(headers) == 20 || len(errs)+len(headers) != 20 || !errors.Is(errs[0], fault.Limit) {
			t.Errorf("%s: %d headers below 5,000 bytes: %v", name, len(headers), errs)
		}
		headers, errs = readAll(b, &Limits{Headers: 5})
		if len(headers) != 5 || len(errs) != 1 || !errors.Is(errs[0], fault.Limit) {
			t.Errorf("%s: %d of at most 5 headers: %v", name, len(headers), errs)
		}
	}
	if got := (&Limits{HeaderBytes: 1 << 40}).resolve().HeaderBytes; got != MaxHeaderBytes {
		t.Errorf("a header may have %d bytes", got)
	}
}

// TestFalseLengths: lengths in small files that would be huge to allocate.
func TestFalseLengths(t *testing.T) {
	db := buildSQLite(512, 0, sample(1, 3000))
	cell := 512 + int(binary.BigEndian.Uint16(db[512+8:]))
	copy(db[cell:], []byte{0x9f, 0xff}) // same length of varint, larger value; 64 MiB needs four
	h := buildBerkeley(binary.LittleEndian, 512, sample(1, 3000))
	at := bytes.Index(h[512:], []byte{bdbItemOverflow, 0, 0, 0}) + 512
	binary.LittleEndian.PutUint32(h[at+8:], 60<<20)
	n := buildNDB(sample(1, 3000))
	binary.LittleEndian.PutUint32(n[ndbHeaderSize+12:], 60<<20/ndbBlock)
	for name, b := range map[string][]byte{"sqlite": db, "bdb": h, "ndb": n} {
		checkMemory(t, name, b, 1)
	}
}
