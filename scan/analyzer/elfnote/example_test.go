package elfnote_test

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/elfnote"
)

// library is a shared library with one segment of notes.
func library(text string) []byte {
	note := append([]byte("\x04\x00\x00\x00\x00\x00\x00\x00\x7e\x1a\xfe\xcaFDO\x00"), text...)
	binary.LittleEndian.PutUint32(note[4:], uint32(len(text)))
	out := make([]byte, 64+56, 64+56+len(note))
	copy(out, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(out[16:], 3)       // ET_DYN
	le.PutUint64(out[32:], 64)      // the program headers
	le.PutUint16(out[54:], 56)      // bytes of one
	le.PutUint16(out[56:], 1)       // how many
	le.PutUint32(out[64:], 4)       // PT_NOTE
	le.PutUint64(out[64+8:], 64+56) // where it is
	le.PutUint64(out[64+32:], uint64(len(note)))
	return append(out, note...)
}

// A library that was copied into an image without a package database says what it is.
func Example() {
	f := analyzer.NewMemoryFile("usr/lib64/libz.so.1", library(`{"type":"rpm","name":"zlib","version":"1.3.1-1.fc40","architecture":"x86_64","osCpe":"cpe:/o:fedoraproject:fedora:40"}`))
	facts, err := elfnote.Analyzer{}.Extract(context.Background(), f)
	if err != nil {
		fmt.Println(err)
		return
	}
	in := &analyzer.Squashed{Facts: []analyzer.Located{{Fact: facts[0], Path: f.Path}}}
	packages, _ := elfnote.Analyzer{}.Join(in)
	fmt.Println(packages[0].Package.PURL)
	// Output:
	// pkg:rpm/fedora/zlib@1.3.1-1.fc40?arch=x86_64&distro=fedora-40
}
