package zipstream

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
)

// entry is a member as tests write and read it.
type entry struct {
	Name, Content string
	Stored        bool
}

// pack writes an archive with the standard library.
func pack(t testing.TB, comment string, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.Name, Method: zip.Deflate}
		if e.Stored {
			h.Method = zip.Store
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(f, e.Content)
	}
	if err := w.SetComment(comment); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unpack reads every member.
func unpack(data []byte) (list []entry, err error) {
	a, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	for m, err := range a.Members() {
		if err != nil {
			return list, err
		}
		content, err := read(a, m)
		if err != nil {
			return list, err
		}
		list = append(list, entry{string(m.Name), content, m.Method == Stored})
	}
	return list, nil
}

func read(a *Archive, m *Member) (string, error) {
	r, err := a.Open(m)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

var sample = []entry{
	{"META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n", false},
	{"a/b.jar", "PK not really", true},
	{"empty", "", false},
	{"long", strings.Repeat("0123456789", 100_000), false},
	{"a/", "", true},
}

func TestRead(t *testing.T) {
	plain := pack(t, "", sample...)
	many := make([]entry, 70_000) // more than 16 bits count: zip64
	for i := range many {
		many[i] = entry{Name: fmt.Sprintf("dir/%d", i), Stored: true}
	}
	for name, tt := range map[string]struct {
		data []byte
		want []entry
	}{
		"plain":              {plain, sample},
		"empty":              {pack(t, ""), nil},
		"comment":            {pack(t, strings.Repeat("c", 60_000), sample...), sample},
		"end in the comment": {pack(t, "PK\x05\x06"+strings.Repeat("\x00", 18)+"behind", sample...), sample},
		"script in front":    {append([]byte("#!/bin/sh\nexec java -jar $0\n"), plain...), sample},
		"garbage behind":     {append(plain[:len(plain):len(plain)], "garbage"...), sample},
		"zip64":              {pack(t, "", many...), many},
		"zip64, script":      {append([]byte("#!/bin/sh\n"), pack(t, "", many...)...), many},
		"odd names":          {pack(t, "", entry{"/etc/passwd", "x", true}, entry{"../../up", "y", true}, entry{"a\x00b", "z", true}), []entry{{"/etc/passwd", "x", true}, {"../../up", "y", true}, {"a\x00b", "z", true}}},
		"same name twice":    {pack(t, "", entry{"a", "1", true}, entry{"a", "2", true}), []entry{{"a", "1", true}, {"a", "2", true}}},
		"name of 64 KiB":     {pack(t, "", entry{strings.Repeat("n", 65535), "x", true}), []entry{{strings.Repeat("n", 65535), "x", true}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := unpack(tt.data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

// patch changes a copy of data: the bytes of value at an offset from the first
// (or last, when negative) place of signature.
func patch(t testing.TB, data []byte, signature uint32, off int, value any) []byte {
	t.Helper()
	c := bytes.Clone(data)
	s := binary.LittleEndian.AppendUint32(nil, signature)
	i := bytes.Index(c, s)
	if signature == endSignature {
		i = bytes.LastIndex(c, s)
	}
	if i < 0 {
		t.Fatalf("no signature %08x", signature)
	}
	var w bytes.Buffer
	if err := binary.Write(&w, binary.LittleEndian, value); err != nil {
		t.Fatal(err)
	}
	copy(c[i+off:], w.Bytes())
	return c
}

func TestBad(t *testing.T) {
	one := pack(t, "", entry{"long", strings.Repeat("0123456789", 10_000), false})
	stored := pack(t, "", entry{"stored", "0123456789", true})
	many := make([]entry, 70_000)
	for i := range many {
		many[i] = entry{Name: "x", Stored: true}
	}
	wide := pack(t, "", many...)
	for name, tt := range map[string]struct {
		data []byte
		kind fault.Kind
		says string
	}{
		"empty file":             {nil, fault.Invalid, "not a zip archive"},
		"not a zip":              {[]byte(strings.Repeat("hello ", 100)), fault.Invalid, "not a zip archive"},
		"cut":                    {one[:len(one)/2], fault.Invalid, "not a zip archive"},
		"count too high":         {patch(t, one, endSignature, 10, uint16(2)), fault.Invalid, "claims 2 members"},
		"count too low":          {patch(t, one, endSignature, 10, uint16(0)), fault.Invalid, "has 1 members"},
		"directory too long":     {patch(t, one, endSignature, 12, uint32(1<<30)), fault.Invalid, "does not fit"},
		"directory offset":       {patch(t, one, endSignature, 16, uint32(1<<30)), fault.Invalid, "does not fit"},
		"zip64 count":            {patch(t, wide, end64Signature, 32, uint64(1<<60)), fault.Invalid, "claims 1152921504606846976"},
		"zip64 negative count":   {patch(t, wide, end64Signature, 32, uint64(1<<63)), fault.Invalid, "claims -"},
		"zip64 directory":        {patch(t, wide, end64Signature, 40, uint64(1<<63)), fault.Invalid, "does not fit"},
		"zip64 offset":           {patch(t, wide, end64Signature, 48, uint64(1<<62)), fault.Invalid, "does not fit"},
		"zip64 is missing":       {patch(t, wide, end64Signature, 0, uint32(0)), fault.Invalid, "locator"},
		"directory header":       {patch(t, one, directorySignature, 0, uint32(0)), fault.Invalid, "no header there"},
		"name too long":          {patch(t, one, directorySignature, 28, uint16(60000)), fault.Invalid, "header of"},
		"encrypted":              {patch(t, one, directorySignature, 8, uint16(1)), fault.Unsupported, "encrypted"},
		"method":                 {patch(t, one, directorySignature, 10, uint16(12)), fault.Unsupported, "method 12"},
		"crc":                    {patch(t, one, directorySignature, 16, uint32(1)), fault.Invalid, "CRC-32"},
		"compressed too long":    {patch(t, one, directorySignature, 20, uint32(1<<20)), fault.Invalid, "runs into the directory"},
		"compressed too short":   {patch(t, one, directorySignature, 20, uint32(100)), fault.Invalid, "ends"},
		"size impossible":        {patch(t, one, directorySignature, 24, uint32(1<<31)), fault.Invalid, "claims to inflate"},
		"size too long":          {patch(t, one, directorySignature, 24, uint32(100_001)), fault.Invalid, "ends 1 bytes before"},
		"size too short":         {patch(t, one, directorySignature, 24, uint32(99_999)), fault.Invalid, "goes on"},
		"stored size":            {patch(t, stored, directorySignature, 24, uint32(11)), fault.Invalid, "claims 11"},
		"local header far away":  {patch(t, one, directorySignature, 42, uint32(1<<30)), fault.Invalid, "outside"},
		"local header elsewhere": {patch(t, one, directorySignature, 42, uint32(1)), fault.Invalid, "no local header"},
		"local name too long":    {patch(t, one, localSignature, 26, uint16(60000)), fault.Invalid, "runs into"},
		"zip64 size is missing":  {patch(t, one, directorySignature, 24, uint32(0xffffffff)), fault.Invalid, "claims to inflate"},
		"damaged content":        {patch(t, one, localSignature, 40, uint64(0xffffffffffffffff)), fault.Invalid, "member"},
	} {
		if list, err := unpack(tt.data); !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: found %d members, error %v; want the kind %q and %q", name, len(list), err, tt.kind, tt.says)
		}
	}
}

// TestReaderFails passes the errors of the archive's reader on as they are.
func TestReaderFails(t *testing.T) {
	data := pack(t, "", entry{"long", strings.Repeat("0123456789", 10_000), false}, entry{"stored", "x", true})
	broken := errors.New("disk on fire")
	for n := range len(data) {
		r := &brittle{bytes.NewReader(data), int64(n), broken}
		a, err := Open(r, int64(len(data)))
		if err == nil {
			for m, merr := range a.Members() {
				if err = merr; err == nil {
					_, err = read(a, m)
				}
				if err != nil {
					break
				}
			}
		}
		if !errors.Is(err, broken) || errors.Is(err, fault.Invalid) {
			t.Fatalf("byte %d cannot be read: error %v", n, err)
		}
	}
}

// brittle fails to read one byte.
type brittle struct {
	*bytes.Reader
	at  int64
	err error
}

func (b *brittle) ReadAt(p []byte, off int64) (int, error) {
	if off <= b.at && b.at < off+int64(len(p)) {
		return 0, b.err
	}
	return b.Reader.ReadAt(p, off)
}

func TestOverlap(t *testing.T) {
	members := func(data []byte) (list []Member) {
		a, err := Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for m, err := range a.Members() {
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, m.Clone())
		}
		return list
	}
	data := pack(t, "", sample...)
	if err := Overlap(members(data)); err != nil {
		t.Error(err)
	}
	// The second entry gets the local header of the first.
	two := members(data)
	two[1].header = two[0].header
	if err := Overlap(two); !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "overlap") {
		t.Errorf("error %v", err)
	}
	two = members(data)
	two[1].Compressed = 1 << 20
	if err := Overlap(two); !errors.Is(err, fault.Invalid) {
		t.Errorf("error %v", err)
	}
}
