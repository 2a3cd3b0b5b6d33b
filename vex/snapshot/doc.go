// Package snapshot keeps a set of statements in one file that is read where it
// lies: a vex.View for evaluation, which is opened without reading it whole.
//
// A file is canonical: the same statements give the same bytes in one release. It is
// known by the digest of its set, which is that of every other view of the same
// statements and does not depend on how they are kept. Numbers are little-endian:
//
//	head       "STLVEX", version 1 and 0; number of statements, names, postings and
//	           frames (4 bytes each), bytes of names and of frames (8 each), and the
//	           set's digest (32)
//	sums       SHA-256 of each 64 KiB of the body
//	sum        SHA-256 of head and sums
//	body       ids        32 bytes for each statement, in order
//	           places     frame, offset and size of each statement's text (4 each)
//	           ends       where each name ends (4), in the order of names
//	           firsts     the first posting of each name (4), and how many there are
//	           postings   numbers of statements by name, in order (4)
//	           frames     where each frame ends (8) and how long its text is (4)
//	           names      ids and aliases of vulnerabilities in upper case, sorted
//	           texts      frames of zstd with statements as JSON
//
// Each block is verified when it is first read, and each statement by its ID. That
// finds what was damaged. Whoever has a file from somebody else, who may have left
// something out, calls [Snapshot.Verify] once.
package snapshot

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid  error = fault.Invalid
	ErrLimit    error = fault.Limit
	ErrMismatch error = fault.Mismatch
	ErrNotFound error = fault.NotFound
)

// The bounds of a snapshot.
const (
	MaxStatements = 10_000_000
	MaxStatement  = 64 << 20 // bytes of the text of one statement
	MaxNames      = 50_000_000
	MaxPostings   = 200_000_000
	MaxFile       = 16 << 30 // bytes
)

const (
	sign      = "STLVEX\x01\x00"
	headSize  = 8 + 4*4 + 2*8 + 32
	blockSize = 64 << 10
	frameSize = 16 << 10 // bytes of text from which on a frame is closed
	placeSize = 12
	frameInfo = 12
)
