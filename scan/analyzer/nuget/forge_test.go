package nuget_test

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
)

// forged is a small assembly in the making.
type forged struct {
	name, culture string
	version       [4]uint16
	texts         []string // of the version resource, names and values in turn; nil: none
	machine       uint16   // 0: x64 of Windows
	old           bool     // PE32 and not PE32+
	heaps         byte     // HeapSizes
	rows          map[int]uint32
	widths        map[int]int // bytes of the rows of further tables
}

// The places of a forged file: headers, a section with code and metadata, one with resources.
const (
	forgedCode, forgedCodeAddr = 0x400, 0x2000
	forgedTreeAddr             = 0x400000
)

// put writes values of fixed size in little endian at an offset of b.
func put(b []byte, off int, values ...any) {
	copy(b[off:], pack(values...))
}

func pack(values ...any) []byte {
	var w bytes.Buffer
	for _, v := range values {
		_ = binary.Write(&w, binary.LittleEndian, v)
	}
	return w.Bytes()
}

func align(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }

// file returns the assembly as a PE file.
func (a forged) file() string {
	code := append(make([]byte, 72), a.metadata()...)
	put(code, 0, uint32(72), uint16(2), uint16(5), uint32(forgedCodeAddr+72), uint32(len(code)-72))
	b := append(make([]byte, forgedCode), align(code)...)
	tree := len(b)
	resources := a.resources()
	b = append(b, resources...)
	magic, optional, list := uint16(0x20b), 240, 112
	if a.old {
		magic, optional, list = 0x10b, 224, 96
	}
	machine := a.machine
	if machine == 0 {
		machine = 0x8664
	}
	put(b, 0, []byte("MZ"))
	put(b, 0x3c, uint32(0x80))
	put(b, 0x80, []byte("PE\x00\x00"), machine, uint16(2), uint32(0), uint32(0), uint32(0), uint16(optional), uint16(0x2022))
	put(b, 0x98, magic)
	put(b, 0x98+list-4, uint32(16))
	put(b, 0x98+list+14*8, uint32(forgedCodeAddr), uint32(72))
	if a.texts != nil {
		put(b, 0x98+list+2*8, uint32(forgedTreeAddr), uint32(len(resources)))
	}
	section := func(i int, name string, addr, size, off uint32) {
		at := 0x98 + optional + 40*i
		put(b, at, []byte(name))
		put(b, at+8, size, addr, size, off)
	}
	section(0, ".text", forgedCodeAddr, uint32(tree-forgedCode), forgedCode)
	section(1, ".rsrc", forgedTreeAddr, uint32(len(resources)), uint32(tree))
	return string(b)
}

func (a forged) metadata() []byte {
	var valid uint64 = 1<<0x20 | 1
	rows := map[int]uint32{0: 1, 0x20: 1}
	for t, n := range a.rows {
		valid |= 1 << t
		rows[t] = n
	}
	strs := "\x00" + a.name + "\x00" + a.culture + "\x00"
	t := pack(uint32(0), byte(2), byte(0), a.heaps, byte(1), valid, uint64(0))
	for i := range 64 {
		if valid>>i&1 == 1 {
			t = append(t, pack(rows[i])...)
		}
	}
	for i := range 0x20 {
		width := a.widths[i]
		if i == 0 && width == 0 {
			width = 10
		}
		t = append(t, make([]byte, width*int(rows[i]))...)
	}
	index := func(i int) any {
		if a.heaps&1 == 1 {
			return uint32(i)
		}
		return uint16(i)
	}
	key := any(uint16(0))
	if a.heaps&4 == 4 {
		key = uint32(0)
	}
	culture := 0
	if a.culture != "" {
		culture = 2 + len(a.name)
	}
	t = append(t, pack(uint32(0x8004), a.version, uint32(0), key, index(1), index(culture))...)
	const head = 16 + 12 + 4 + 12 + 20
	root := pack([]byte("BSJB"), uint16(1), uint16(1), uint32(0), uint32(12), []byte("v4.0.30319\x00\x00"), uint16(0), uint16(2),
		uint32(head), uint32(len(t)), []byte("#~\x00\x00"), uint32(head+len(align(t))), uint32(len(strs)), []byte("#Strings\x00\x00\x00\x00"))
	return append(append(root, align(t)...), align([]byte(strs))...)
}

func (a forged) resources() []byte {
	folder := func(id, to uint32) []byte { return pack([12]byte{}, uint16(0), uint16(1), id, to) }
	info := a.info()
	out := bytes.Join([][]byte{folder(16, 1<<31|24), folder(1, 1<<31|48), folder(0x409, 72)}, nil)
	out = append(out, pack(uint32(forgedTreeAddr+88), uint32(len(info)), uint64(0))...)
	return append(out, info...)
}

func (a forged) info() []byte {
	var texts [][]byte
	for i := 0; i+1 < len(a.texts); i += 2 {
		texts = append(texts, node(a.texts[i], append(units(a.texts[i+1]), 0, 0), true))
	}
	strings := node("StringFileInfo", nil, false, node("040904b0", nil, false, texts...))
	return node("VS_VERSION_INFO", make([]byte, 52), false, node("VarFileInfo", nil, false), strings)
}

func units(s string) []byte { return pack(utf16.Encode([]rune(s))) }

// node is one node of a version resource. Texts count their value in characters.
func node(key string, value []byte, text bool, children ...[]byte) []byte {
	n := len(value)
	if text {
		n /= 2
	}
	out := align(append(pack(uint16(0), uint16(n), uint16(0)), append(units(key), 0, 0)...))
	out = append(out, value...)
	for _, c := range children {
		out = append(align(out), c...)
	}
	put(out, 0, uint16(len(out)))
	return out
}
