package elffile

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// The headers of this machine's programs say what they say to debug/elf.
func TestAgreesWithDebugELF(t *testing.T) {
	names, _ := filepath.Glob("/usr/bin/*")
	if self, err := os.Executable(); err == nil {
		names = append([]string{self}, names...)
	}
	n := 0
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() || info.Size() > 32<<20 || n == 50 {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil || !bytes.HasPrefix(data, []byte(elf.ELFMAG)) {
			continue
		}
		n++
		want, err := elf.NewFile(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		h, ok := Read(data[:HeaderBytes])
		if !ok || h.Kind != want.Type || h.Order != want.ByteOrder || int(h.Segments.Count) != len(want.Progs) || int(h.Sections.Count) != len(want.Sections) {
			t.Fatalf("%s: %+v", name, h)
		}
		for i, p := range want.Progs {
			at := h.Segments.Off + uint64(i)*h.Segments.Entry
			if got, w := h.Segment(data[at:]), (Segment{p.Type, p.Off, p.Vaddr, p.Filesz, p.Align}); got != w {
				t.Errorf("%s: segment %d is %+v, want %+v", name, i, got, w)
			}
		}
		for i, s := range want.Sections {
			at := h.Sections.Off + uint64(i)*h.Sections.Entry
			if got := h.Section(data[at:]); got.Off != s.Offset || got.Size != s.FileSize && s.Type != elf.SHT_NOBITS || got.Kind != s.Type {
				t.Errorf("%s: section %d is %+v, want %+v", name, i, got, s.SectionHeader)
			}
		}
	}
	if n == 0 {
		t.Skip("no ELF files here")
	}
}

func TestParts(t *testing.T) {
	k := Parts{{0, []byte("start")}, {100, []byte("later")}}
	p := make([]byte, 3)
	for off, want := range map[int64]string{0: "sta", 2: "art", 101: "ate"} {
		if n, err := k.ReadAt(p, off); err != nil || string(p[:n]) != want {
			t.Errorf("at %d: %q, %v", off, p[:n], err)
		}
	}
	for _, off := range []int64{3, 50, 98, 103, 200} {
		if _, err := k.ReadAt(p, off); !errors.Is(err, ErrPassed) {
			t.Errorf("at %d: %v", off, err)
		}
	}
}
