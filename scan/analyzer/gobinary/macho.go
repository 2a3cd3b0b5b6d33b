package gobinary

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// parseFat finds the first architecture of a universal Mach-O file. All of
// them are built from the same modules.
func parseFat(head []byte) (*image, error) {
	be := binary.BigEndian
	if count := be.Uint32(head[4:]); count == 0 || count > 32 {
		return nil, errNotGo
	}
	off := uint64(be.Uint32(head[16:]))
	if head[3] == 0xbf { // 64-bit offsets
		off = be.Uint64(head[16:])
	}
	if off < 28 {
		return nil, errNotGo
	}
	return &image{inner: off}, nil
}

// parseMachO reads the load commands. They name the section "__go_buildinfo";
// where it has no name of its own, the first writable segment begins with it.
func parseMachO(head []byte) (*image, error) {
	c := machCommands{order: binary.LittleEndian}
	magic := binary.LittleEndian.Uint32(head)
	if magic&^1 != macho.Magic32 {
		c.order, magic = binary.BigEndian, binary.BigEndian.Uint32(head)
	}
	header := uint64(28)
	switch magic {
	case macho.Magic64:
		c.wide, header = true, 32
	case macho.Magic32:
	default:
		return nil, errNotGo
	}
	c.head = head
	commands := within(head, header, uint64(c.order.Uint32(head[20:])))
	if commands == nil {
		if len(head) < headBytes {
			return nil, errNotGo
		}
		return nil, fmt.Errorf("load commands behind the first %d bytes: %w", len(head), fault.Unsupported)
	}
	for len(commands) >= 8 {
		size := c.order.Uint32(commands[4:])
		if size < 8 || uint64(size) > uint64(len(commands)) {
			return nil, errNotGo
		}
		switch macho.LoadCmd(c.order.Uint32(commands)) {
		case macho.LoadCmdSegment, macho.LoadCmdSegment64:
			c.segment(commands[:size])
		}
		commands = commands[size:]
	}
	m := c.image()
	m.packed = bytes.Contains(head[:min(4096, len(head))], []byte("UPX!"))
	return m, nil
}

// machCommands collects the segments of one Mach-O file.
type machCommands struct {
	order    binary.ByteOrder
	wide     bool // 64-bit
	head     []byte
	segments []segment
	writable []bool
	named    *segment // the section that the linker made for build information
	sign     bool
}

func (c *machCommands) segment(p []byte) {
	var g segment
	var prot, max, sections uint64
	header, entry := 56, 68
	if c.wide {
		header, entry = 72, 80
	}
	if len(p) < header {
		return
	}
	if c.wide {
		g = segment{addr: c.order.Uint64(p[24:]), off: c.order.Uint64(p[40:]), size: c.order.Uint64(p[48:])}
	} else {
		g = segment{addr: uint64(c.order.Uint32(p[24:])), off: uint64(c.order.Uint32(p[32:])), size: uint64(c.order.Uint32(p[36:]))}
	}
	max, prot, sections = uint64(c.order.Uint32(p[header-16:])), uint64(c.order.Uint32(p[header-12:])), uint64(c.order.Uint32(p[header-8:]))
	if name := text16(p[8:]); name == "__PAGEZERO" {
		return
	}
	const readWrite = 3
	c.writable = append(c.writable, g.addr != 0 && g.size != 0 && prot == readWrite && max == readWrite)
	c.segments = append(c.segments, g)
	for p = p[header:]; sections > 0 && len(p) >= entry; sections, p = sections-1, p[entry:] {
		c.section(p)
	}
}

func (c *machCommands) section(p []byte) {
	var g segment
	if c.wide {
		g = segment{addr: c.order.Uint64(p[32:]), off: uint64(c.order.Uint32(p[48:])), size: c.order.Uint64(p[40:])}
	} else {
		g = segment{addr: uint64(c.order.Uint32(p[32:])), off: uint64(c.order.Uint32(p[40:])), size: uint64(c.order.Uint32(p[36:]))}
	}
	switch text16(p) {
	case "__go_buildinfo":
		if c.named == nil {
			c.named = &g
		}
	case "__text":
		c.sign = c.sign || hasSign(c.head, g.off)
	case "__rodata", "__const", "__cstring":
		g.role = texts
		c.segments, c.writable = append(c.segments, g), append(c.writable, false)
	}
}

// image decides which segment is searched: the named section, with the rest of
// the segment that it is in, or the first writable segment.
func (c *machCommands) image() *image {
	m := &image{segments: c.segments, sign: c.sign}
	for i, g := range m.segments {
		if c.named == nil && c.writable[i] {
			m.segments[i].role = data
			break
		}
		if n := c.named; n != nil && g.addr <= n.addr && n.addr-g.addr < g.size {
			skip := n.addr - g.addr
			m.segments = append(m.segments, segment{addr: n.addr, off: g.off + skip, size: g.size - skip, role: data})
			break
		}
	}
	return m
}

// text16 returns the NUL-padded name at the start of p.
func text16(p []byte) string {
	n := 0
	for n < 16 && p[n] != 0 {
		n++
	}
	return string(p[:n])
}
