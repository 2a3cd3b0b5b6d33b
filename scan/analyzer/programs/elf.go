package programs

import (
	"bytes"
	"debug/elf"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/elffile"
)

// Limits of one ELF file. Linkers stay far below.
const (
	maxSegments = 4096
	maxDynamic  = 64 << 10 // bytes of the dynamic section
	maxName     = 4096     // bytes of a name in it
	maxNeeded   = 4096     // libraries
)

// elfFile is an ELF file with its program headers.
type elfFile struct {
	*source
	elffile.Header
	segments []elffile.Segment
}

// readELF reads a program or shared library; nil means that it is neither.
func readELF(src *source, head []byte) *analyzer.Program {
	e := &elfFile{source: src}
	if !e.headers(head) {
		return nil
	}
	p := &analyzer.Program{Kind: analyzer.Executable, Format: "elf"}
	if e.Segments.Count > 0 && len(e.segments) == 0 {
		p.Unknown = "its program headers cannot be read"
	}
	if g := e.segment(elf.PT_INTERP); g != nil {
		p.Interpreter = e.text(g.Off, min(g.Size, maxName))
	}
	e.dynamic(p)
	if e.Kind == elf.ET_DYN && (p.Interpreter == "" || p.Soname != "") && !e.pie() {
		p.Kind = analyzer.SharedObject
	}
	if p.Unknown == "" && src.passed {
		p.Unknown = "its tables lie too far apart to be kept"
	}
	return p
}

// headers reads the header and the segments, and reports whether this is a program.
func (e *elfFile) headers(head []byte) (ok bool) {
	if e.Header, ok = elffile.Read(head); !ok {
		return false
	}
	t := e.Segments
	if t.Entry < e.SegmentBytes() || t.Count > maxSegments {
		return true // a program without segments that can be read
	}
	for list := e.part(t.Off, t.Size()); uint64(len(list)) >= t.Entry; list = list[t.Entry:] {
		e.segments = append(e.segments, e.Segment(list))
	}
	return true
}

func (e *elfFile) segment(kind elf.ProgType) *elffile.Segment {
	for i := range e.segments {
		if e.segments[i].Kind == kind {
			return &e.segments[i]
		}
	}
	return nil
}

// tags calls visit for each entry of the dynamic section, and reports whether there is one
// that could be read.
func (e *elfFile) tags(visit func(tag elf.DynTag, value uint64)) bool {
	g := e.segment(elf.PT_DYNAMIC)
	if g == nil {
		return false
	}
	list := e.part(g.Off, min(g.Size, maxDynamic))
	size := 8
	if e.Wide {
		size = 16
	}
	for rest := list; len(rest) >= size; rest = rest[size:] {
		tag, value := elf.DynTag(e.Order.Uint32(rest)), uint64(e.Order.Uint32(rest[4:]))
		if e.Wide {
			tag, value = elf.DynTag(e.Order.Uint64(rest)), e.Order.Uint64(rest[8:])
		}
		if tag == elf.DT_NULL {
			break
		}
		visit(tag, value)
	}
	return list != nil
}

// pie reports whether the linker marked the file as an executable that can lie anywhere: a
// static one has no loader to tell it by.
func (e *elfFile) pie() bool {
	const flagPIE = 0x08000000 // DF_1_PIE
	found := false
	e.tags(func(tag elf.DynTag, value uint64) {
		found = found || tag == elf.DT_FLAGS_1 && value&flagPIE != 0
	})
	return found
}

// dynamic reads what the file loads.
func (e *elfFile) dynamic(p *analyzer.Program) {
	var needed []uint64
	var soname, runPath, rpath, table uint64
	found := e.tags(func(tag elf.DynTag, value uint64) {
		switch tag {
		case elf.DT_STRTAB:
			table = value
		case elf.DT_NEEDED:
			needed = append(needed, value)
		case elf.DT_SONAME:
			soname = value + 1
		case elf.DT_RUNPATH:
			runPath = value + 1
		case elf.DT_RPATH:
			rpath = value + 1
		}
	})
	if !found {
		if e.segment(elf.PT_DYNAMIC) != nil && !e.passed {
			p.Unknown = "its dynamic section is not in the file"
		}
		return
	}
	if len(needed) > maxNeeded {
		p.Unknown, needed = "it names more libraries than are read", nil
	}
	if len(needed) == 0 && soname|runPath|rpath == 0 {
		return
	}
	off, ok := e.offset(table)
	if !ok {
		p.Unknown = "the names of its libraries are not in the file"
		return
	}
	name := func(at uint64) string {
		s := e.text(off+at, maxName)
		if s == "" && !e.passed {
			p.Unknown = "the name of a library cannot be read"
		}
		return s
	}
	for _, at := range needed {
		if s := name(at); s != "" {
			p.Needed = append(p.Needed, s)
		}
	}
	if soname > 0 {
		p.Soname = name(soname - 1)
	}
	if runPath == 0 {
		runPath = rpath
	}
	if runPath > 0 {
		p.RunPath = strings.Split(name(runPath-1), ":")
	}
}

// offset returns the place in the file of an address in memory.
func (e *elfFile) offset(addr uint64) (uint64, bool) {
	for _, g := range e.segments {
		if g.Kind == elf.PT_LOAD && g.Addr <= addr && addr-g.Addr < g.Size {
			return g.Off + (addr - g.Addr), true
		}
	}
	return 0, false
}

// text returns the bytes at off up to a NUL, or "" where there is no text in UTF-8 of at
// most limit bytes.
func (e *elfFile) text(off, limit uint64) string {
	for _, n := range []uint64{min(limit, 256), limit} { // names are short
		b := e.upTo(off, int64(n))
		if s, _, ok := bytes.Cut(b, []byte{0}); ok && utf8.Valid(s) {
			return string(s)
		}
	}
	return ""
}

// lateTable returns where the dynamic section is.
func lateTable(src *source) (off, n int64) {
	e := &elfFile{source: src}
	head := src.first()
	if !bytes.HasPrefix(head, []byte("\x7fELF")) || !e.headers(head) {
		return 0, 0
	}
	g := e.segment(elf.PT_DYNAMIC)
	if g == nil || g.Off > uint64(src.size) || min(g.Size, maxDynamic) > uint64(src.size)-g.Off {
		return 0, 0
	}
	return int64(g.Off), int64(min(g.Size, maxDynamic))
}
