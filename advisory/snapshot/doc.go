// Package snapshot keeps advisories in one immutable, content-addressed file
// that is indexed by the packages they affect. [Build] writes one from records,
// [Open] maps one into memory as an [advisory.View], [Store] is a folder that
// holds the current one. [WriteDelta] and [ApplyDelta] turn one into the next.
//
// # Format
//
// A snapshot is a manifest of segments and overlays. A segment has the records
// of one database about one ecosystem from one source ("GHSA" about "npm"); an
// overlay has what one source says about vulnerabilities beside their packages:
// whether they are exploited, and how likely that is. Each depends on nothing
// else and is named by its digest, so that snapshots share them. A record about
// several ecosystems is in a segment of each. The same records, in whatever
// order and by whichever way they came, give the same digests.
//
// The file is magic, segments, overlays, manifest and footer. The snapshot's
// digest is the SHA-256 of the manifest, which is JSON and names the digests of
// the others; theirs is the SHA-256 of the head, which names the digests of the
// blocks of 8 KiB of the body, and of the frames of long texts before their
// compression. So the digest covers everything that a reader can see, opening a
// file checks the manifest and the heads, and each block and frame is checked
// when it is first read.
//
// The body of a segment has, in this order, with fixed integers in little
// endian and the others as varints:
//
//	directory  2ⁿ+1 uint32: where the keys begin whose hash begins with these n bits
//	keys       16 bytes each, sorted: hash of ecosystem and name, place of the posting
//	postings   per ecosystem and name: the affected entries, versions as they were written
//	places     uint32 each: where the records begin
//	records    keys of its entries, id, times, aliases, summary, severities, address, digest; sorted by id
//	ids        8 bytes each, sorted: hash of an id, number of a record that names it
//	starts     uint32 each: the first record of each frame of long texts
//
// The frames follow the body: where they end, the frames, and a digest of both
// for [Snapshot.Verify].
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
	ErrConflict    error = fault.Conflict    // a delta of another snapshot
)

const (
	magic       = "stella snapshot\n" // begins and ends a file
	segmentSign = "segment\x02"       // begins a segment; the last byte is the version
	formatNow   = 2                   // version of the manifest

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
