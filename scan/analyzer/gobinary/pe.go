package gobinary

import (
	"debug/pe"
	"encoding/binary"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// parsePE reads the section table of a Windows executable. The Go linker puts
// the build information at the start of the first section that holds
// initialised, writable data.
func parsePE(head []byte) (*image, error) {
	le := binary.LittleEndian
	start := uint64(le.Uint32(head[0x3c:]))
	file := within(head, start, 24)
	switch {
	case file == nil && start < 1<<20 && len(head) == headBytes:
		return nil, fmt.Errorf("PE header at offset %d, behind the first %d bytes: %w", start, len(head), fault.Unsupported)
	case file == nil || string(file[:4]) != "PE\x00\x00":
		return nil, errNotGo // a DOS program, or text that begins with MZ
	}
	count, optional := uint64(le.Uint16(file[6:])), uint64(le.Uint16(file[20:]))
	var base uint64 // the preferred address, which pointers in the file include
	if opt := within(head, start+24, optional); len(opt) >= 32 {
		switch le.Uint16(opt) {
		case 0x10b:
			base = uint64(le.Uint32(opt[28:]))
		case 0x20b:
			base = le.Uint64(opt[24:])
		}
	}
	table := within(head, start+24+optional, count*40)
	if table == nil {
		if len(head) < headBytes {
			return nil, errNotGo
		}
		return nil, fmt.Errorf("PE section table behind the first %d bytes: %w", len(head), fault.Unsupported)
	}
	m := new(image)
	found := false
	for ; len(table) >= 40; table = table[40:] {
		addr, flags := le.Uint32(table[12:]), le.Uint32(table[36:])
		g := segment{addr: base + uint64(addr), off: uint64(le.Uint32(table[20:])), size: uint64(le.Uint32(table[16:]))}
		switch r := peRole(flags); {
		case r == data && (found || addr == 0 || g.size == 0): // only the first one counts
		case r == data:
			g.role, found = data, true
		default:
			g.role = r
		}
		if flags&pe.IMAGE_SCN_CNT_CODE != 0 {
			m.sign = m.sign || hasSign(head, g.off)
		}
		m.packed = m.packed || string(table[:4]) == "UPX0"
		m.segments = append(m.segments, g)
	}
	return m, nil
}

// peRole tells the sections apart by their flags; alignment bits do not count.
func peRole(flags uint32) role {
	const alignment = 0x00f00000
	const readable = pe.IMAGE_SCN_CNT_INITIALIZED_DATA | pe.IMAGE_SCN_MEM_READ
	switch flags &^ alignment {
	case readable | pe.IMAGE_SCN_MEM_WRITE:
		return data
	case readable:
		return texts
	}
	return passed
}
