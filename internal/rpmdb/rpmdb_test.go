package rpmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/testdata"
)

// built are databases of every format and shape, of the same headers.
func built(blobs ...[]byte) map[string][]byte {
	return map[string][]byte{
		"sqlite":                 buildSQLite(512, 0, blobs...),
		"sqlite, reserved bytes": buildSQLite(1024, 16, blobs...),
		"sqlite, largest page":   buildSQLite(64<<10, 0, blobs...),
		"ndb":                    buildNDB(blobs...),
		"bdb":                    buildBerkeley(binary.LittleEndian, 4096, blobs...),
		"bdb, big-endian":        buildBerkeley(binary.BigEndian, 512, blobs...),
	}
}

// readAll returns the headers of a database and the errors met.
func readAll(b []byte, limits *Limits) (headers [][]byte, errs []error) {
	db, err := Open(bytes.NewReader(b), int64(len(b)), limits)
	if err != nil {
		return nil, []error{err}
	}
	for h, err := range db.Headers() {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		headers = append(headers, bytes.Clone(h))
	}
	return headers, errs
}

func TestHeadersOfEveryFormat(t *testing.T) {
	for _, n := range []int{0, 1, 2, 9, 40} {
		want := map[string]bool{}
		for _, h := range samples(n) {
			want[string(h)] = true
		}
		for name, b := range built(samples(n)...) {
			headers, errs := readAll(b, nil)
			if len(errs) > 0 {
				t.Errorf("%s of %d: %v", name, n, errs)
			}
			got := map[string]bool{}
			for _, h := range headers {
				got[string(h)] = true
			}
			if len(headers) != n || !cmp.Equal(got, want) {
				t.Errorf("%s of %d: got %d headers, or others", name, n, len(headers))
			}
		}
	}
}

func TestHeadersTwice(t *testing.T) {
	for name, b := range built(samples(9)...) {
		db, err := Open(bytes.NewReader(b), int64(len(b)), nil)
		if err != nil {
			t.Fatal(name, err)
		}
		for round := range 3 {
			n := 0
			for _, err := range db.Headers() {
				if err != nil {
					t.Errorf("%s: round %d: %v", name, round, err)
				}
				if n++; n == 4 && round == 1 {
					break // a walk that stopped early leaves nothing behind
				}
			}
			if want := []int{9, 4, 9}[round]; n != want {
				t.Errorf("%s: round %d gave %d headers, want %d", name, round, n, want)
			}
		}
	}
}

// TestRealDatabases compares with what rpm -qa says of the same files.
func TestRealDatabases(t *testing.T) {
	for _, c := range []struct{ pack, name, expected string }{
		{"pkgdb/rpmdb.tar.gz", "pkg/testdata/libuuid/Packages", "libuuid"},
		{"pkgdb/rpmdb-scancode.tar.gz", "rpmdb.sqlite", "scancode-rpmdb-sqlite"},
	} {
		got := "name\tepoch\tversion\trelease\tarch\tsourcerpm\tvendor\tlicense\n"
		for _, p := range decodeAll(t, realFile(t, c.pack, c.name)) {
			got += fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, p.Epoch, p.Version, p.Release, p.Arch, p.SourceRPM, p.Vendor, p.License)
		}
		want := testFile(t, "pkgdb/rpmdb-expected/"+c.expected+".tsv")
		if diff := cmp.Diff(sortedLines(want), sortedLines(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestRealNDB checks the one format that rpm builds seldom read, with figures
// counted by another reader.
func TestRealNDB(t *testing.T) {
	list := decodeAll(t, realFile(t, "pkgdb/rpmdb.tar.gz", "pkg/testdata/sle15-bci/Packages.db"))
	files, requires, keys := 0, 0, map[string]int{}
	byName := map[string]Package{}
	for _, p := range list {
		files, requires = files+len(p.Files), requires+len(p.Requires)
		keys[p.KeyID]++
		byName[p.Name] = p
	}
	got := fmt.Sprintf("%d packages, %d files, keys %v", len(list), files, keys)
	if want := "35 packages, 2837 files, keys map[70af9e8139db7c82:35]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	p := byName["system-user-root"]
	p.Requires, p.Provides = nil, nil
	want := Package{Name: "system-user-root", Version: "20190513", Release: "3.3.1", Arch: "noarch", SourceRPM: "system-user-root-20190513-3.3.1.src.rpm",
		Vendor: "SUSE LLC <https://www.suse.com/>", License: "MIT", Summary: "System user and group root",
		SigMD5: p.SigMD5, KeyID: "70af9e8139db7c82", Files: []string{"usr/lib/sysusers.d/system-user-root.conf"}}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func decodeAll(t *testing.T, b []byte) []Package {
	t.Helper()
	headers, errs := readAll(b, nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var list []Package
	for _, h := range headers {
		p, err := Decode(h, nil)
		if err != nil {
			t.Error(err)
		}
		list = append(list, p)
	}
	return list
}

func realFile(t testing.TB, pack, name string) []byte {
	t.Helper()
	b, ok := testdata.Open(t, pack)[name]
	if !ok {
		t.Skipf("%s lacks %s", pack, name)
	}
	return b
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	edit := func(b []byte, off int, with ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[off:], with)
		return b
	}
	db, ndb, bdb := buildSQLite(512, 0, samples(3)...), buildNDB(samples(3)...), buildBerkeley(binary.LittleEndian, 512, samples(3)...)
	for _, c := range []struct {
		name string
		b    []byte
		kind fault.Kind
		says string
	}{
		{"empty", nil, fault.Invalid, "empty"},
		{"one byte", []byte{'S'}, fault.Invalid, "neither"},
		{"text", []byte(strings.Repeat("hello ", 99)), fault.Invalid, "neither SQLite nor ndb nor a Berkeley DB hash"},
		{"sqlite head alone", db[:60], fault.Invalid, "ends after"},
		{"sqlite page cut", db[:300], fault.Invalid, "shorter than its page size"},
		{"sqlite page size", edit(db, 16, 3, 3), fault.Invalid, "page size 771"},
		{"sqlite UTF-16", edit(db, 56, 0, 0, 0, 2), fault.Unsupported, "text encoding 2"},
		{"sqlite later version", edit(db, 19, 3), fault.Unsupported, "read version 3"},
		{"sqlite cut before the table", db[:512], fault.Invalid, "page 2 of 1 (cut short?)"},
		{"sqlite without the table", bytes.ReplaceAll(db, []byte("Packages"), []byte("Sackages")), fault.Invalid, `without a table Packages (has "Sackages")`},
		{"sqlite schema gone", edit(db, sqliteHeader, make([]byte, 8)...), fault.Invalid, "no page of a table"},
		{"ndb version", edit(ndb, 4, 1), fault.Unsupported, "ndb version 1"},
		{"ndb slots cut", ndb[:4000], fault.Invalid, "1 slot pages in a file of 4000 bytes"},
		{"ndb no slots", edit(ndb, 12, 0), fault.Invalid, "0 slot pages"},
		{"bdb version", edit(bdb, 16, 6), fault.Unsupported, "hash version 6"},
		{"bdb encrypted", edit(bdb, 24, 1), fault.Unsupported, "encryption 1"},
		{"bdb page size", edit(bdb, 20, 1), fault.Invalid, "page size of 513"},
		{"bdb cut", bdb[:512*2], fault.Invalid, "3 buckets in 2 pages"},
	} {
		_, err := Open(bytes.NewReader(c.b), int64(len(c.b)), nil)
		if err == nil || fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v (%s), want %q (%s)", c.name, err, fault.KindOf(err), c.says, c.kind)
		}
	}
}

// TestReadErrorsComeThrough: a failing disk is not bad input.
func TestReadErrorsComeThrough(t *testing.T) {
	for name, b := range built(samples(3)...) {
		for after := range 4 {
			r := &failing{bytes.NewReader(b), after}
			db, err := Open(r, int64(len(b)), nil)
			if err == nil {
				for _, e := range db.Headers() {
					err = errors.Join(err, e)
				}
			}
			if r.left < 0 && (!errors.Is(err, io.ErrNoProgress) || errors.Is(err, fault.Invalid) && r.left == -1) {
				t.Errorf("%s: after %d reads: %v", name, after, err)
			}
		}
	}
}

type failing struct {
	r    io.ReaderAt
	left int
}

func (f *failing) ReadAt(b []byte, off int64) (int, error) {
	if f.left--; f.left < 0 {
		return 0, io.ErrNoProgress
	}
	return f.r.ReadAt(b, off)
}
