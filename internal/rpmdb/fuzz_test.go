package rpmdb

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
)

// fuzzDatabase: whatever the bytes are, reading ends, errors have a kind, and
// no byte of the file is part of two headers.
func fuzzDatabase(f *testing.F, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		headers, errs := readAll(b, &Limits{HeaderBytes: 1 << 20})
		total := 0
		for _, h := range headers {
			total += len(h)
			checkDecode(t, h)
		}
		if total > len(b) {
			t.Errorf("%d bytes of headers in a file of %d", total, len(b))
		}
		for _, err := range errs {
			if fault.KindOf(err) == "" {
				t.Errorf("error without a kind: %v", err)
			}
		}
	})
}

func FuzzSQLite(f *testing.F) {
	fuzzDatabase(f, buildSQLite(512, 0), buildSQLite(512, 0, samples(3)...), buildSQLite(1024, 16, sample(1, 0)))
}

func FuzzNDB(f *testing.F) {
	fuzzDatabase(f, buildNDB(), buildNDB(samples(2)...))
}

func FuzzBerkeleyDB(f *testing.F) {
	fuzzDatabase(f, buildBerkeley(binary.LittleEndian, 512), buildBerkeley(binary.LittleEndian, 512, samples(3)...), buildBerkeley(binary.BigEndian, 1024, sample(1, 0)))
}

func FuzzDecode(f *testing.F) {
	f.Add(sample(1, 10))
	f.Add(buildHeader([]field{text(tagName, "n"), texts(tagOldFilenames, "/b", "a//c/", "/../x")}))
	f.Add(buildHeader([]field{text(tagName, "n"), bytesOf(tagSigPGP, append([]byte{0x88, 20, 3, 5}, make([]byte, 20)...)), texts(tagOpenPGP, "wsBzBAABCAAd")}))
	f.Fuzz(func(t *testing.T, b []byte) { checkDecode(t, b) })
}

func checkDecode(t *testing.T, b []byte) {
	p, err := Decode(b, nil)
	if err != nil && fault.KindOf(err) == "" {
		t.Errorf("error without a kind: %v", err)
	}
	for _, s := range slices.Concat([]string{p.Name, p.EVR(), p.Summary}, p.Files, p.Requires, p.Provides) {
		if !utf8.ValidString(s) {
			t.Errorf("%q is not UTF-8", s)
		}
	}
	for i, s := range p.Files {
		if !fs.ValidPath(s) || i > 0 && p.Files[i-1] >= s {
			t.Errorf("path %d is %q after %q", i, s, p.Files[max(i-1, 0)])
		}
	}
	if again, _ := Decode(bytes.Clone(b), nil); again.EVR() != p.EVR() || !slices.Equal(again.Files, p.Files) {
		t.Error("the same bytes gave another package")
	}
}
