// Package rpmdbtest writes small rpm headers and ndb databases for tests.
package rpmdbtest

import (
	"encoding/binary"
	"hash/adler32"
	"slices"
)

// Types of header data, by rpm's numbers.
const (
	typeInt32       = 4
	typeString      = 6
	typeBinary      = 7
	typeStringArray = 8
)

// Field is one tag of a header.
type Field struct {
	Tag, Type, Count uint32
	Data             []byte
}

// Text returns a string tag.
func Text(tag uint32, s string) Field { return Field{tag, typeString, 1, append([]byte(s), 0)} }

// Texts returns a tag that is a list of strings.
func Texts(tag uint32, list ...string) Field {
	f := Field{Tag: tag, Type: typeStringArray, Count: uint32(len(list))}
	for _, s := range list {
		f.Data = append(append(f.Data, s...), 0)
	}
	return f
}

// Numbers returns a tag of 32-bit integers.
func Numbers(tag uint32, list ...uint32) Field {
	f := Field{Tag: tag, Type: typeInt32, Count: uint32(len(list))}
	for _, n := range list {
		f.Data = binary.BigEndian.AppendUint32(f.Data, n)
	}
	return f
}

// Bytes returns a binary tag.
func Bytes(tag uint32, b []byte) Field { return Field{tag, typeBinary, uint32(len(b)), b} }

// Header writes a header as rpm stores it: an immutable region around fields,
// closed by its trailer, and what was added later behind it.
func Header(fields []Field, later ...Field) []byte {
	const region, regionSize = 63, 16
	var index, data []byte
	put := func(f Field) {
		for f.Type == typeInt32 && len(data)%4 != 0 {
			data = append(data, 0)
		}
		index = append(index, Numbers(0, f.Tag, f.Type, uint32(len(data)), f.Count).Data...)
		data = append(data, f.Data...)
	}
	for _, f := range fields {
		put(f)
	}
	inside := int32(len(fields) + 1)
	head := Numbers(0, region, typeBinary, uint32(len(data)), regionSize).Data
	data = append(data, Numbers(0, region, typeBinary, uint32(-16*inside), regionSize).Data...)
	for _, f := range later {
		put(f)
	}
	sizes := Numbers(0, uint32(len(fields)+len(later)+1), uint32(len(data))).Data
	return slices.Concat(sizes, head, index, data)
}

// NDB writes a database of up to 160 headers. Every third slot is free.
func NDB(headers ...[]byte) []byte {
	const page, block, headerSize, tailSize = 4096, 16, 32, 12
	le := binary.LittleEndian
	out := make([]byte, page)
	copy(out, "RpmP")
	le.PutUint32(out[12:], 1)
	for off := headerSize; off < page; off += block {
		copy(out[off:], "Slot")
	}
	for i, h := range headers {
		blob := slices.Concat([]byte("BlbS"), make([]byte, 12), h)
		le.PutUint32(blob[4:], uint32(i+1))
		le.PutUint32(blob[8:], 7)
		le.PutUint32(blob[12:], uint32(len(h)))
		for (len(blob)+tailSize)%block != 0 {
			blob = append(blob, 0)
		}
		blob = le.AppendUint32(blob, adler32.Checksum(blob))
		blob = le.AppendUint32(blob, uint32(len(h)))
		blob = append(blob, "BlbE"...)
		slot := out[headerSize+(i+i/2)*block:]
		le.PutUint32(slot[4:], uint32(i+1))
		le.PutUint32(slot[8:], uint32(len(out)/block))
		le.PutUint32(slot[12:], uint32(len(blob)/block))
		out = append(out, blob...)
	}
	return out
}
