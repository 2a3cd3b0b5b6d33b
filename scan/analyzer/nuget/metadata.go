package nuget

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// assembly is what the CLI metadata of a PE file say of it.
type assembly struct {
	name    string
	version [4]uint16
	culture bool // holds translations only
}

// The tables of CLI metadata that row sizes depend on (ECMA-335, II.22).
const (
	tableAssembly = 0x20
	tableCount    = 0x2d
)

// column is a column of a table: a number of 2 or 4 bytes, a place in a heap, the number of
// a row (inTable+table) or of a row in one of several tables (inTables+place in families).
type column int

const (
	heapStrings column = -1 - iota
	heapGUIDs
	heapBlobs
)

const (
	inTable  column = 0x100
	inTables column = 0x200
)

// family is a set of tables that a column can refer to, with the bits that say which.
type family struct {
	bits   uint
	tables []int
}

// families are the coded indexes that are needed (ECMA-335, II.24.2.6).
var families = [...]family{
	0:  {2, []int{0x02, 0x01, 0x1b}},                                                                                            // TypeDefOrRef
	1:  {2, []int{0x04, 0x08, 0x17}},                                                                                            // HasConstant
	2:  {5, []int{0, 1, 2, 4, 6, 8, 9, 0xa, 0xe, 0x11, 0x14, 0x17, 0x1a, 0x1b, 0x20, 0x23, 0x26, 0x27, 0x28, 0x2a, 0x2b, 0x2c}}, // HasCustomAttribute
	3:  {1, []int{0x04, 0x08}},                                                                                                  // HasFieldMarshal
	4:  {2, []int{0x02, 0x06, 0x20}},                                                                                            // HasDeclSecurity
	5:  {3, []int{0x02, 0x01, 0x1a, 6, 0x1b}},                                                                                   // MemberRefParent
	6:  {1, []int{0x14, 0x17}},                                                                                                  // HasSemantics
	7:  {1, []int{0x06, 0x0a}},                                                                                                  // MethodDefOrRef
	8:  {1, []int{0x04, 0x06}},                                                                                                  // MemberForwarded
	9:  {3, []int{0x06, 0x0a}},                                                                                                  // CustomAttributeType
	10: {2, []int{0x00, 0x1a, 0x23, 0x01}},                                                                                      // ResolutionScope
}

// layout are the columns of the tables before the one of the assembly (ECMA-335, II.22). The
// tables with "pointers" are those of uncompressed metadata.
var layout = [tableAssembly][]column{
	0x00: {2, heapStrings, heapGUIDs, heapGUIDs, heapGUIDs},                       // Module
	0x01: {inTables + 10, heapStrings, heapStrings},                               // TypeRef
	0x02: {4, heapStrings, heapStrings, inTables, inTable + 0x04, inTable + 0x06}, // TypeDef
	0x03: {inTable + 0x04},                                                        // FieldPtr
	0x04: {2, heapStrings, heapBlobs},                                             // Field
	0x05: {inTable + 0x06},                                                        // MethodPtr
	0x06: {4, 2, 2, heapStrings, heapBlobs, inTable + 0x08},                       // MethodDef
	0x07: {inTable + 0x08},                                                        // ParamPtr
	0x08: {2, 2, heapStrings},                                                     // Param
	0x09: {inTable + 0x02, inTables},                                              // InterfaceImpl
	0x0a: {inTables + 5, heapStrings, heapBlobs},                                  // MemberRef
	0x0b: {2, inTables + 1, heapBlobs},                                            // Constant
	0x0c: {inTables + 2, inTables + 9, heapBlobs},                                 // CustomAttribute
	0x0d: {inTables + 3, heapBlobs},                                               // FieldMarshal
	0x0e: {2, inTables + 4, heapBlobs},                                            // DeclSecurity
	0x0f: {2, 4, inTable + 0x02},                                                  // ClassLayout
	0x10: {4, inTable + 0x04},                                                     // FieldLayout
	0x11: {heapBlobs},                                                             // StandAloneSig
	0x12: {inTable + 0x02, inTable + 0x14},                                        // EventMap
	0x13: {inTable + 0x14},                                                        // EventPtr
	0x14: {2, heapStrings, inTables},                                              // Event
	0x15: {inTable + 0x02, inTable + 0x17},                                        // PropertyMap
	0x16: {inTable + 0x17},                                                        // PropertyPtr
	0x17: {2, heapStrings, heapBlobs},                                             // Property
	0x18: {2, inTable + 0x06, inTables + 6},                                       // MethodSemantics
	0x19: {inTable + 0x02, inTables + 7, inTables + 7},                            // MethodImpl
	0x1a: {heapStrings},                                                           // ModuleRef
	0x1b: {heapBlobs},                                                             // TypeSpec
	0x1c: {2, inTables + 8, heapStrings, inTable + 0x1a},                          // ImplMap
	0x1d: {4, inTable + 0x04},                                                     // FieldRVA
	0x1e: {4, 4},                                                                  // EncLog
	0x1f: {4},                                                                     // EncMap
}

// assembly reads name and version; nil for a module that is a part of an assembly in another
// file.
func (m *image) assembly() (*assembly, error) {
	header, err := m.readAddr(m.cli.addr, 72, "CLI header")
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	root, err := m.locate(le.Uint32(header[8:]), "metadata")
	if err != nil {
		return nil, err
	}
	tables, strs, err := m.streams(root)
	if err != nil {
		return nil, err
	}
	if tables.size == 0 {
		return nil, fmt.Errorf("metadata at byte %d have no tables: %w", root, fault.Invalid)
	}
	t, at, err := m.tables(root+uint64(tables.addr), uint64(tables.size))
	if err != nil || t.rows[tableAssembly] == 0 {
		return nil, err
	}
	row, err := m.read(at, 16+t.width(heapBlobs)+2*t.width(heapStrings), "assembly table")
	if err != nil {
		return nil, err
	}
	a := new(assembly)
	for i := range a.version {
		a.version[i] = le.Uint16(row[4+2*i:])
	}
	index := func(p []byte) uint32 {
		if t.width(heapStrings) == 2 {
			return uint32(le.Uint16(p))
		}
		return le.Uint32(p)
	}
	row = row[16+t.width(heapBlobs):]
	if a.name, err = m.text(root, strs, index(row)); err != nil {
		return nil, err
	}
	culture, err := m.text(root, strs, index(row[t.width(heapStrings):]))
	a.culture = culture != ""
	return a, err
}

// streams finds the tables and the heap of names, relative to the root of the metadata
// (ECMA-335, II.24.2.1).
func (m *image) streams(root uint64) (tables, strs span, err error) {
	le := binary.LittleEndian
	head, err := m.read(root, 16, "metadata")
	if err != nil {
		return tables, strs, err
	}
	if string(head[:4]) != "BSJB" {
		return tables, strs, fmt.Errorf("metadata at byte %d do not begin with their signature: %w", root, fault.Invalid)
	}
	after := root + 16 + uint64(le.Uint32(head[12:]))
	count, err := m.read(after, 4, "metadata streams")
	if err != nil {
		return tables, strs, err
	}
	n := int(le.Uint16(count[2:]))
	if n > maxStreams {
		return tables, strs, &fault.LimitError{What: "streams of metadata", Where: fmt.Sprintf("byte %d", after), Max: maxStreams, Seen: int64(n)}
	}
	list, err := m.read(after+4, min(uint64(n)*40, m.size-after-4), "metadata streams")
	if err != nil {
		return tables, strs, err
	}
	for range n {
		end := -1
		if len(list) >= 12 {
			end = bytes.IndexByte(list[8:min(len(list), 40)], 0)
		}
		if end < 0 {
			return tables, strs, fmt.Errorf("metadata streams at byte %d: a name without end: %w", after, fault.Invalid)
		}
		s := span{le.Uint32(list), le.Uint32(list[4:])}
		switch string(list[8 : 8+end]) {
		case "#~", "#-":
			tables = s
		case "#Strings":
			strs = s
		}
		list = list[min(len(list), 8+(end+4)&^3):]
	}
	return tables, strs, nil
}

// tables is what the header of the tables says.
type tables struct {
	heaps byte // bits: heaps with indexes of four bytes
	rows  [64]uint32
}

// tables reads the header of the tables (ECMA-335, II.24.2.6) and returns where the one of
// the assembly begins.
func (m *image) tables(off, size uint64) (*tables, uint64, error) {
	le := binary.LittleEndian
	head, err := m.read(off, 24, "metadata tables")
	if err != nil {
		return nil, 0, err
	}
	t, valid := &tables{heaps: head[6]}, le.Uint64(head[8:])
	counts, err := m.read(off+24, uint64(bits.OnesCount64(valid))*4, "metadata tables")
	if err != nil {
		return nil, 0, err
	}
	at := off + 24 + uint64(len(counts))
	for i := range t.rows {
		if valid>>i&1 == 1 {
			t.rows[i], counts = le.Uint32(counts), counts[4:]
		}
	}
	if t.heaps&0x40 != 0 {
		at += 4 // a word that nobody uses
	}
	for i, columns := range layout {
		var row uint64
		for _, c := range columns {
			row += t.width(c)
		}
		at += row * uint64(t.rows[i])
	}
	if at > off+size {
		return nil, 0, fmt.Errorf("metadata tables at byte %d are larger than their stream: %w", off, fault.Invalid)
	}
	return t, at, nil
}

// width returns the bytes of a column.
func (t *tables) width(c column) uint64 {
	var rows uint32
	limit := uint32(1 << 16)
	switch {
	case c == heapStrings || c == heapGUIDs || c == heapBlobs:
		return 2 + 2*uint64(t.heaps>>(-1-c)&1)
	case c < inTable:
		return uint64(c)
	case c < inTables:
		rows = t.rows[c-inTable]
	default:
		f := families[c-inTables]
		limit >>= f.bits
		for _, table := range f.tables {
			rows = max(rows, t.rows[table])
		}
	}
	if rows < limit {
		return 2
	}
	return 4
}

// text reads a name from the heap.
func (m *image) text(root uint64, heap span, index uint32) (string, error) {
	if index >= heap.size {
		if index == 0 {
			return "", nil
		}
		return "", fmt.Errorf("name %d is outside of its heap: %w", index, fault.Invalid)
	}
	off := root + uint64(heap.addr) + uint64(index)
	if off >= m.size {
		return "", fmt.Errorf("name at byte %d: the file ends before it: %w", off, fault.Invalid)
	}
	p, err := m.read(off, min(uint64(heap.size-index), maxName+1, m.size-off), "name")
	if err != nil {
		return "", err
	}
	end := bytes.IndexByte(p, 0)
	if end < 0 && len(p) > maxName {
		return "", &fault.LimitError{What: "bytes of an assembly's name", Where: fmt.Sprintf("byte %d", off), Max: maxName, Seen: maxName + 1}
	}
	if end < 0 {
		return "", fmt.Errorf("name at byte %d has no end: %w", off, fault.Invalid)
	}
	return strings.ToValidUTF8(string(p[:end]), "\uFFFD"), nil
}
