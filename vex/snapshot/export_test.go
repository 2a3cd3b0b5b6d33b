package snapshot

import (
	"bytes"
	"encoding/binary"
)

// Reseal gives a file the sums that it should have, where its head adds up.
func Reseal(file []byte) []byte {
	var h head
	if h.read(file, int64(len(file))) != nil {
		return file
	}
	file = bytes.Clone(file)
	seal(file, &h)
	return file
}

// Forge gives a file another set's digest.
func Forge(file []byte, digest string) []byte {
	var h head
	if h.read(file, int64(len(file))) != nil {
		return nil
	}
	h.set, _ = sumOf(digest)
	seal(file, &h)
	return file
}

// ForgeIndex makes a file find its last name's statements by no name.
func ForgeIndex(file []byte) []byte {
	var h head
	if h.read(file, int64(len(file))) != nil {
		return nil
	}
	last := file[h.bodyAt()+h.firstsAt()+int64(h.names)*4:]
	binary.LittleEndian.PutUint32(last, binary.LittleEndian.Uint32(last[:4])-1)
	seal(file, &h)
	return file
}
