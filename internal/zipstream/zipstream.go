// Package zipstream reads zip archives through an [io.ReaderAt] in bounded
// memory: the central directory streams by, one member at a time, and is never
// held, whatever number of members it claims.
//
// The directory is the truth, as it is for a Java runtime: local headers only
// say where the content begins. Nothing is trusted: sizes, offsets and counts
// are checked before they are used, and content is checked against its length
// and CRC-32. The format is PKWARE's APPNOTE 6.3.
package zipstream

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
)

const (
	directorySignature = 0x02014b50
	endSignature       = 0x06054b50
	end64Signature     = 0x06064b50
	locator64Signature = 0x07064b50
	localSignature     = 0x04034b50

	directoryBytes = 46
	endBytes       = 22
	end64Bytes     = 56
	locator64Bytes = 20
	localBytes     = 30
	maxComment     = 1<<16 - 1
)

// Archive is an open archive. It is immutable and safe for concurrent use
// where its reader is.
type Archive struct {
	r     io.ReaderAt
	count int64 // members, as the end record claims, at most dirSize/46
	exact bool  // count is not cut to 16 bits
	dir   int64 // offset of the central directory
	end   int64 // offset of the end of the directory
	base  int64 // bytes in front of the archive, such as a start script
}

// Open reads the end record of the archive in the first size bytes of r. It
// makes no allocation that depends on what the archive claims.
//
// Errors wrap the kind "invalid input" for what is no zip archive, or one that
// contradicts itself, and are the reader's own otherwise.
func Open(r io.ReaderAt, size int64) (*Archive, error) {
	a := &Archive{r: r}
	at, record, err := a.findEnd(size)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	a.count = int64(le.Uint16(record[10:]))
	dirSize, offset := int64(le.Uint32(record[12:])), int64(le.Uint32(record[16:]))
	a.end = at
	if a.count == 0xffff || dirSize == 0xffffffff || offset == 0xffffffff {
		var ok bool
		if ok, err = a.readEnd64(at, &dirSize, &offset); err != nil {
			return nil, err
		}
		a.exact = ok
	}
	a.dir = a.end - dirSize
	a.base = a.dir - offset
	if dirSize < 0 || offset < 0 || a.dir < 0 || a.base < 0 {
		return nil, fmt.Errorf("zip directory of %d bytes at offset %d does not fit in front of its end at %d: %w", dirSize, offset, a.end, fault.Invalid)
	}
	if a.count < 0 || a.count > dirSize/directoryBytes {
		return nil, fmt.Errorf("zip directory of %d bytes claims %d members: %w", dirSize, a.count, fault.Invalid)
	}
	return a, nil
}

// Count returns how many members there are at most: the directory has no room
// for more.
func (a *Archive) Count() int64 {
	if a.exact || (a.end-a.dir)/directoryBytes < 1<<16 {
		return a.count
	}
	return (a.end - a.dir) / directoryBytes
}

// findEnd looks for the end record from the end of the file backwards. Behind
// it is its comment and nothing else; where something follows all the same, a
// directory must be where the record says, so that a comment that holds such a
// record does not hide the real one.
func (a *Archive) findEnd(size int64) (at int64, record []byte, err error) {
	for _, n := range []int64{1 << 10, endBytes + maxComment} {
		n = min(n, size)
		tail := make([]byte, max(n, 0))
		if err := readFull(a.r, tail, size-n); err != nil {
			return 0, nil, err
		}
		for i := len(tail) - endBytes; i >= 0; i-- {
			if tail[i] != 'P' || binary.LittleEndian.Uint32(tail[i:]) != endSignature {
				continue
			}
			record, at := tail[i:i+endBytes], size-n+int64(i)
			rest := len(tail) - i - endBytes - int(binary.LittleEndian.Uint16(record[20:]))
			if rest == 0 || rest > 0 && a.hasDirectory(at, record) {
				return at, record, nil
			}
		}
		if n == size {
			break
		}
	}
	return 0, nil, fmt.Errorf("not a zip archive: no end record in the last 64 KiB: %w", fault.Invalid)
}

// hasDirectory reports whether a directory is where the record at the offset
// at says.
func (a *Archive) hasDirectory(at int64, record []byte) bool {
	dirSize := int64(binary.LittleEndian.Uint32(record[12:]))
	if dirSize < 4 || dirSize > at {
		return false
	}
	var signature [4]byte
	return readFull(a.r, signature[:], at-dirSize) == nil && binary.LittleEndian.Uint32(signature[:]) == directorySignature
}

// readEnd64 reads the zip64 end record in front of the one at the offset at.
// It reports whether there is one: without it the values are meant as they
// stand.
func (a *Archive) readEnd64(at int64, dirSize, offset *int64) (bool, error) {
	if at < locator64Bytes+end64Bytes {
		return false, nil
	}
	var locator [locator64Bytes]byte
	if err := readFull(a.r, locator[:], at-locator64Bytes); err != nil {
		return false, err
	}
	le := binary.LittleEndian
	if le.Uint32(locator[:]) != locator64Signature {
		return false, nil
	}
	// The offset is wrong where something was put in front of the archive; then
	// the record is where it usually is.
	for _, pos := range []int64{int64(le.Uint64(locator[8:])), at - locator64Bytes - end64Bytes} {
		if pos < 0 || pos > at-locator64Bytes-end64Bytes {
			continue
		}
		var record [end64Bytes]byte
		if err := readFull(a.r, record[:], pos); err != nil {
			return false, err
		}
		if le.Uint32(record[:]) != end64Signature {
			continue
		}
		a.end = pos
		a.count, *dirSize, *offset = int64(le.Uint64(record[32:])), int64(le.Uint64(record[40:])), int64(le.Uint64(record[48:]))
		return true, nil
	}
	return false, fmt.Errorf("zip64 end record is not where its locator says: %w", fault.Invalid)
}

// readFull fills p from an offset of r.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, fault.Invalid)
	}
	return fmt.Errorf("read %d bytes at offset %d of a zip archive: %w", len(p), off, err)
}
