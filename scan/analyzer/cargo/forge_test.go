package cargo

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/adler32"
)

// The forges make the smallest files of each format that have the section with some bytes.
const (
	forgeAt   = 0x400 // offset of the section
	forgeFat  = 0x1000
	forgeName = 0x300 // offset of the names of an ELF file's sections
)

// deflate is how cargo-auditable stores its list.
func deflate(text string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

// store is deflate without the work: one block as it is.
func store(text string) string {
	n := uint16(len(text))
	b := binary.LittleEndian.AppendUint16([]byte{0x78, 0x01, 0x01}, n)
	b = append(binary.LittleEndian.AppendUint16(b, ^n), text...)
	return string(binary.BigEndian.AppendUint32(b, adler32.Checksum([]byte(text))))
}

// put writes values of fixed size at an offset of b.
func put(b []byte, order binary.ByteOrder, off int, values ...any) {
	var w bytes.Buffer
	for _, v := range values {
		_ = binary.Write(&w, order, v)
	}
	copy(b[off:], w.Bytes())
}

func forgeBody(data string) []byte { return append(make([]byte, forgeAt), data...) }

// forgeELF has its section headers behind the data, as linkers write them.
func forgeELF(data string, order binary.ByteOrder, wide bool) []byte {
	b := forgeBody(data)
	at := len(b)
	class, encoding := byte(1), byte(1)
	entry := 40
	if wide {
		class, entry = 2, 64
	}
	if order == binary.BigEndian {
		encoding = 2
	}
	b = append(b, make([]byte, 3*entry)...)
	put(b, order, 0, []byte{0x7f, 'E', 'L', 'F', class, encoding, 1})
	put(b, order, 16, uint16(3), uint16(62), uint32(1))
	names := "\x00.shstrtab\x00.rela" + sectionName + "\x00"
	copy(b[forgeName:], names)
	if wide {
		put(b, order, 40, uint64(at))
		put(b, order, 58, uint16(64), uint16(3), uint16(1))
		put(b, order, at+64, uint32(1), uint32(3), uint64(0), uint64(0), uint64(forgeName), uint64(len(names)))
		put(b, order, at+128, uint32(16), uint32(1), uint64(0), uint64(0), uint64(forgeAt), uint64(len(data)))
		return b
	}
	put(b, order, 32, uint32(at))
	put(b, order, 46, uint16(40), uint16(3), uint16(1))
	put(b, order, at+40, uint32(1), uint32(3), uint32(0), uint32(0), uint32(forgeName), uint32(len(names)))
	put(b, order, at+80, uint32(16), uint32(1), uint32(0), uint32(0), uint32(forgeAt), uint32(len(data)))
	return b
}

// forgePE pads the section, as linkers do.
func forgePE(data string) []byte {
	b := append(forgeBody(data), make([]byte, 100)...)
	le := binary.LittleEndian
	put(b, le, 0, []byte("MZ"))
	put(b, le, 0x3c, uint32(0x80))
	put(b, le, 0x80, []byte("PE\x00\x00"), uint16(0x8664), uint16(2), uint32(0), uint32(0), uint32(0), uint16(112))
	put(b, le, 0x98, uint16(0x20b))
	section := func(at int, name string, off, size uint32) {
		put(b, le, at, []byte(name))
		put(b, le, at+8, size, off, size, off)
	}
	section(0x98+112, ".text", 0x200, 0x100)
	section(0x98+152, sectionName, forgeAt, uint32(len(data)+100))
	return b
}

func forgeMachO(data string, order binary.ByteOrder, wide bool) []byte {
	b := forgeBody(data)
	segment, section := 56, 68
	magic, command, header := uint32(0xfeedface), uint32(1), 28
	if wide {
		segment, section = 72, 80
		magic, command, header = 0xfeedfacf, 0x19, 32
	}
	put(b, order, 0, magic, uint32(0x0100000c), uint32(0), uint32(2), uint32(2), uint32(24+segment+2*section), uint32(0))
	put(b, order, header, uint32(0x1b), uint32(24)) // LC_UUID
	at := header + 24
	put(b, order, at, command, uint32(segment+2*section))
	put(b, order, at+segment-8, uint32(2))
	copy(b[at+8:], "__DATA")
	copy(b[at+segment:], "__data")
	at += segment + section
	copy(b[at:], sectionName)
	copy(b[at+16:], "__DATA")
	if wide {
		put(b, order, at+32, uint64(0x1000), uint64(len(data)), uint32(forgeAt))
	} else {
		put(b, order, at+32, uint32(0x1000), uint32(len(data)), uint32(forgeAt))
	}
	return b
}

// forgeUniversal has two architectures, the first of which is empty.
func forgeUniversal(inner []byte, wide bool) []byte {
	b := make([]byte, forgeFat)
	be := binary.BigEndian
	if wide {
		put(b, be, 0, uint32(0xcafebabf), uint32(2), uint32(7), uint32(3), uint64(0x800), uint64(64), uint32(0), uint32(0))
		put(b, be, 40, uint32(0x0100000c), uint32(0), uint64(forgeFat), uint64(len(inner)))
	} else {
		put(b, be, 0, uint32(0xcafebabe), uint32(2), uint32(7), uint32(3), uint32(0x800), uint32(64), uint32(0))
		put(b, be, 28, uint32(0x0100000c), uint32(0), uint32(forgeFat), uint32(len(inner)))
	}
	return append(b, inner...)
}
