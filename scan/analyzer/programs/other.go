package programs

import (
	"bytes"
	"debug/macho"
	"debug/pe"
	"encoding/binary"

	"github.com/stella-ops/stella/scan/analyzer"
)

// notRead is said of formats whose imports nobody follows.
const notRead = "what it loads is not read"

// readPE reads the header of a Windows program (Microsoft PE format, "COFF File Header"); nil
// for what only begins like one, such as programs for MS-DOS and boot sectors.
func readPE(src *source, head []byte) *analyzer.Program {
	if len(head) < 64 {
		return nil
	}
	h := src.part(uint64(binary.LittleEndian.Uint32(head[0x3c:])), 24)
	if !bytes.HasPrefix(h, []byte("PE\x00\x00")) {
		return nil
	}
	p := &analyzer.Program{Kind: analyzer.Executable, Format: "pe", Unknown: notRead}
	if binary.LittleEndian.Uint16(h[22:])&pe.IMAGE_FILE_DLL != 0 {
		p.Kind = analyzer.SharedObject
	}
	return p
}

// readMachO reads the header of a program of macOS, or of several in one file. Class files
// of Java begin like the latter, with a number no program has.
func readMachO(head []byte) *analyzer.Program {
	if len(head) < 32 {
		return nil
	}
	p := &analyzer.Program{Kind: analyzer.Executable, Format: "mach-o", Unknown: notRead}
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.BigEndian.Uint32(head) {
	case macho.MagicFat:
		if n := binary.BigEndian.Uint32(head[4:]); n == 0 || n > 4 {
			return nil
		}
		return p
	case macho.Magic32, macho.Magic64:
		order = binary.BigEndian
	}
	switch macho.Type(order.Uint32(head[12:])) {
	case macho.TypeExec:
		return p
	case macho.TypeDylib, macho.TypeBundle:
		p.Kind = analyzer.SharedObject
		return p
	}
	return nil
}
