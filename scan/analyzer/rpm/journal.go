package rpm

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

// A SQLite database may have changes in a file beside it that were not carried
// over yet, when a build ended while rpm still had the database open. Such a
// file is not applied, only noticed.
const (
	walHeader     = 32
	walFrame      = 24 // bytes before the page of a frame
	walMagic      = 0x377f0682
	rollbackMagic = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
)

// readWAL returns one fact if the write-ahead log f holds a committed change
// (https://www.sqlite.org/fileformat2.html, section 4). Frames left over from
// before the log was last started again have other salts.
func readWAL(f *analyzer.File) ([]analyzer.Fact, error) {
	if f.Size < walHeader+walFrame {
		return nil, nil
	}
	r := bufio.NewReaderSize(f, 64<<10)
	var head [walHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	page := int(binary.BigEndian.Uint32(head[8:]))
	if binary.BigEndian.Uint32(head[:])&^1 != walMagic { // the last bit says how checksums are made
		return nil, nil // SQLite takes such a log for empty
	}
	if page < 512 || page > 64<<10 {
		return nil, fmt.Errorf("%s: page size %d of a SQLite log: %w", f.Path, page, fault.Invalid)
	}
	for {
		var frame [walFrame]byte
		if _, err := io.ReadFull(r, frame[:]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, nil
		} else if err != nil {
			return nil, fmt.Errorf("read %s: %w", f.Path, err)
		}
		if string(frame[8:16]) != string(head[16:24]) {
			return nil, nil
		}
		if n, err := r.Discard(page); n < page {
			if errors.Is(err, io.EOF) {
				return nil, nil
			}
			return nil, fmt.Errorf("read %s: %w", f.Path, err)
		}
		if binary.BigEndian.Uint32(frame[4:]) != 0 { // the last frame of a transaction
			return pendingFact(), nil
		}
	}
}

// readRollback returns one fact if f is the journal of a transaction that did
// not end. A finished one is removed, emptied or begins with zeros.
func readRollback(f *analyzer.File) ([]analyzer.Fact, error) {
	var head [len(rollbackMagic)]byte
	if f.Size < int64(len(head)) {
		return nil, nil
	}
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	if string(head[:]) != rollbackMagic {
		return nil, nil
	}
	return pendingFact(), nil
}

// pendingFact says that the database beside the file is not in its last state.
func pendingFact() []analyzer.Fact {
	return []analyzer.Fact{{Kind: analyzer.KindPart, Scope: scope, Key: "pending"}}
}
