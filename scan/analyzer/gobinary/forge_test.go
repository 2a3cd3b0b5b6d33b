package gobinary

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// The forges make the smallest files that have the headers of each format, a
// read-only part and a writable data part.
const (
	forgeTexts = 0x400 // offset of the read-only part
	forgeData  = 0x800 // offset of the data part
	forgeBase  = 0x400000
)

// put writes values of fixed size in little endian at an offset of b.
func put(b []byte, off int, values ...any) {
	var w bytes.Buffer
	for _, v := range values {
		_ = binary.Write(&w, binary.LittleEndian, v)
	}
	copy(b[off:], w.Bytes())
}

func forgeBody(texts, data string) []byte {
	b := make([]byte, forgeData+len(data))
	copy(b[forgeTexts:forgeData], texts)
	copy(b[forgeData:], data)
	return b
}

// forgeELF has a note of the Go linker where goNote is set.
func forgeELF(texts, data string, goNote bool) []byte {
	b := forgeBody(texts, data)
	put(b, 0, []byte("\x7fELF\x02\x01\x01"))
	put(b, 16, uint16(2), uint16(62), uint32(1), uint64(forgeBase), uint64(64), uint64(0), uint32(0), uint16(64), uint16(56), uint16(3), uint16(64))
	load := func(i int, kind, flags uint32, off, size uint64) {
		put(b, 64+56*i, kind, flags, off, forgeBase+off, forgeBase+off, size, size, uint64(16))
	}
	load(0, 1, 4, forgeTexts, forgeData-forgeTexts)
	load(1, 1, 6, forgeData, uint64(len(data)))
	load(2, 4, 4, 0x300, 32)
	if goNote {
		put(b, 0x300, uint32(4), uint32(16), uint32(4), []byte("Go\x00\x00"))
	}
	return b
}

func forgePE(texts, data string) []byte {
	b := forgeBody(texts, data)
	put(b, 0, []byte("MZ"))
	put(b, 0x3c, uint32(0x80))
	put(b, 0x80, []byte("PE\x00\x00"), uint16(0x8664), uint16(2), uint32(0), uint32(0), uint32(0), uint16(112))
	put(b, 0x98, uint16(0x20b))
	put(b, 0x98+24, uint64(forgeBase))
	section := func(i int, name string, off, size, flags uint32) {
		at := 0x98 + 112 + 40*i
		put(b, at, []byte(name))
		put(b, at+8, size, off, size, off)
		put(b, at+36, flags)
	}
	section(0, ".rdata", forgeTexts, forgeData-forgeTexts, 0x40000040)
	section(1, ".data", forgeData, uint32(len(data)), 0xc0000040)
	return b
}

func forgeMachO(texts, data string, named bool) []byte {
	b := forgeBody(texts, data)
	put(b, 0, uint32(0xfeedfacf), uint32(0x0100000c), uint32(0), uint32(2), uint32(2), uint32(72+72+80), uint32(0), uint32(0))
	segment := func(at int, name string, off, size uint64, prot, sections uint32) {
		put(b, at, uint32(0x19), 72+80*sections)
		put(b, at+8, []byte(name))
		put(b, at+24, forgeBase+off, size, off, size, prot, prot, sections, uint32(0))
	}
	segment(32, "__TEXT", forgeTexts, forgeData-forgeTexts, 5, 0)
	segment(32+72, "__DATA", forgeData, uint64(len(data)), 3, 1)
	name := "__data"
	if named {
		name = "__go_buildinfo"
	}
	put(b, 32+72+72, []byte(name))
	put(b, 32+72+72+32, uint64(forgeBase+forgeData), uint64(len(data)), uint32(forgeData))
	return b
}

// forgeFat puts a file behind the header of a universal one.
func forgeFat(inner []byte) []byte {
	b := make([]byte, 0x1000)
	_ = binary.Write(bytes.NewBuffer(b[:0]), binary.BigEndian, []uint32{0xcafebabe, 1, 0x0100000c, 0, 0x1000, uint32(len(inner)), 12})
	return append(b, inner...)
}

// frame is the module list as the go command stores it.
func frame(modules string) string {
	return listStart + modules + "\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2"
}

// blob is build information in the format of Go 1.18.
func blob(version, modules string) string {
	b := []byte(magic + "\x08\x02")
	b = append(b, make([]byte, headerSize-len(b))...)
	b = append(binary.AppendUvarint(b, uint64(len(version))), version...)
	b = append(binary.AppendUvarint(b, uint64(len(modules))), modules...)
	return string(b)
}

// oldBlob is build information in the format before Go 1.18, with the part of
// the read-only data that it points to.
func oldBlob(version, modules string) (texts, data string) {
	texts = strings.Repeat("g", 100) + version + strings.Repeat("\x00", 100) + modules
	b := make([]byte, headerSize+32)
	copy(b, magic+"\x08\x00")
	put(b, 16, uint64(forgeBase+forgeData+headerSize), uint64(forgeBase+forgeData+headerSize+16))
	put(b, headerSize, uint64(forgeBase+forgeTexts+100), uint64(len(version)), uint64(forgeBase+forgeTexts+200+len(version)), uint64(len(modules)))
	return texts, string(b)
}

const sampleModules = "path\texample.com/Team/app/cmd/server\n" +
	"mod\texample.com/Team/app\tv1.5.0\th1:AAAA=\n" +
	"dep\texample.com/Lib\tv1.2.3\th1:BBBB=\n" +
	"dep\texample.com/old\tv1.0.0\n" +
	"=>\texample.com/fork/new\tv1.4.0\th1:CCCC=\n" +
	"dep\texample.com/patched\tv0.9.0\n" +
	"=>\t../patched\t(devel)\t\n" +
	"build\t-ldflags=\"-s -X main.version=v9.1.0 -X main.token=secret\"\n" +
	"build\tGOARCH=amd64\n" +
	"build\tGOOS=linux\n" +
	"build\tvcs.revision=0123456789abcdef\n" +
	"build\tvcs.modified=false\n"
