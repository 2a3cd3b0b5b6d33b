// Package snapshot keeps advisories in one immutable, content-addressed file
// that is indexed by the packages they affect. [Build] writes one from records,
// [Open] maps one into memory as an [advisory.View], [Store] is a folder that
// holds the current one.
//
// # Format
//
// A snapshot is a manifest of segments. A segment has the records of one
// database about one ecosystem ("GHSA" about "npm"), depends on nothing else,
// and is named by its digest, so that snapshots can share segments. A record
// about several ecosystems is in a segment of each. The same records, in
// whatever order, give the same bytes.
//
// The file is magic, segments, manifest and footer. The snapshot's digest is the
// SHA-256 of the manifest, which is JSON and names the digests of the segments;
// a segment's digest is the SHA-256 of its head, which names the digests of its
// blocks of 8 KiB. So the digest covers every byte, opening a file checks the
// manifest and the heads, and each block is checked when it is first read.
//
// The body of a segment has, in this order, with fixed integers in little
// endian and the others as varints:
//
//	directory  2ⁿ+1 uint32: where the keys begin whose hash begins with these n bits
//	keys       16 bytes each, sorted: hash of ecosystem and name, place of the posting
//	postings   per ecosystem and name: the affected entries, versions as they were written
//	places     uint32 each: where the records begin
//	records    id, times, aliases, summary, severities, address, digest; sorted by id
//
// Snapshots are written once and replaced only by renaming: a file must not be
// changed or cut while it is open.
package snapshot

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid     // not a snapshot, or one that breaks the format
	ErrMismatch    error = fault.Mismatch    // content does not have its digest
	ErrUnsupported error = fault.Unsupported // a format of another version
	ErrNotFound    error = fault.NotFound    // the store has no current snapshot
	ErrLimit       error = fault.Limit       // too large for the format
)

const (
	magic       = "stella snapshot\n" // begins and ends a file
	segmentSign = "segment\x01"       // begins a segment; the last byte is the version
	formatNow   = 1                   // version of the manifest

	blockSize    = 8 << 10
	footerSize   = 64
	headSize     = 64 // of a segment, before its lists
	keySize      = 16
	maxSegments  = 4096
	maxManifest  = 32 << 20
	maxPart      = 1<<32 - 1 // bytes of the postings and of the records of a segment
	maxSameHash  = 64        // names with one hash
	maxDirectory = 28        // bits
)
