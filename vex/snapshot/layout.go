package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// head is the fixed part of a file.
type head struct {
	statements, names, postings, frames uint32
	nameBytes, textBytes                uint64
	set                                 [sha256.Size]byte
}

// The places of the parts in the body.
func (h *head) placesAt() int64   { return int64(h.statements) * sha256.Size }
func (h *head) endsAt() int64     { return h.placesAt() + int64(h.statements)*placeSize }
func (h *head) firstsAt() int64   { return h.endsAt() + int64(h.names)*4 }
func (h *head) postingsAt() int64 { return h.firstsAt() + (int64(h.names)+1)*4 }
func (h *head) framesAt() int64   { return h.postingsAt() + int64(h.postings)*4 }
func (h *head) namesAt() int64    { return h.framesAt() + int64(h.frames)*frameInfo }
func (h *head) textsAt() int64    { return h.namesAt() + int64(h.nameBytes) }
func (h *head) bodySize() int64   { return h.textsAt() + int64(h.textBytes) }
func (h *head) blocks() int64     { return (h.bodySize() + blockSize - 1) / blockSize }
func (h *head) bodyAt() int64     { return headSize + (h.blocks()+1)*sha256.Size }

func (h *head) append(b []byte) []byte {
	b = append(b, sign...)
	for _, n := range []uint32{h.statements, h.names, h.postings, h.frames} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	b = binary.LittleEndian.AppendUint64(b, h.nameBytes)
	b = binary.LittleEndian.AppendUint64(b, h.textBytes)
	return append(b, h.set[:]...)
}

// read reads a head of a file of a size, and checks that its parts add up.
func (h *head) read(b []byte, size int64) error {
	if len(b) < headSize || string(b[:6]) != sign[:6] {
		return fmt.Errorf("it is no snapshot of VEX: %w", fault.Invalid)
	}
	if string(b[6:8]) != sign[6:] {
		return fmt.Errorf("it has the version %d.%d, and this release reads 1.0: %w", b[6], b[7], fault.Unsupported)
	}
	for i, to := range []*uint32{&h.statements, &h.names, &h.postings, &h.frames} {
		*to = binary.LittleEndian.Uint32(b[8+4*i:])
	}
	h.nameBytes, h.textBytes = binary.LittleEndian.Uint64(b[24:]), binary.LittleEndian.Uint64(b[32:])
	copy(h.set[:], b[40:])
	if h.statements > MaxStatements || h.names > MaxNames || h.postings > MaxPostings || h.frames > h.statements || h.nameBytes > MaxFile || h.textBytes > MaxFile {
		return fmt.Errorf("its head is damaged: %w", fault.Invalid)
	}
	if want := h.bodyAt() + h.bodySize(); want != size {
		return fmt.Errorf("it has %d bytes, and its parts %d: %w", size, want, fault.Invalid)
	}
	return nil
}

func digestName(sum [sha256.Size]byte) string { return "sha256:" + hex.EncodeToString(sum[:]) }

// sumOf returns the bytes of a digest.
func sumOf(digest string) (sum [sha256.Size]byte, err error) {
	raw, err := hex.DecodeString(digest[min(len(digest), 7):])
	if err != nil || len(raw) != sha256.Size || digest[:7] != "sha256:" {
		return sum, fmt.Errorf("digest %.80q: want sha256: and 64 hexadecimal digits: %w", digest, fault.Invalid)
	}
	return [sha256.Size]byte(raw), nil
}
