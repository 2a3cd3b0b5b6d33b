// Package tlog is a transparency log: entries that are appended to a Merkle tree
// (RFC 6962) and never change, a signed checkpoint that commits to all of them,
// and proofs that anybody checks without the log, without a network and years
// later. Formats are those of C2SP: signed-note, tlog-checkpoint, tlog-tiles,
// tlog-proof, tlog-cosignature and tlog-witness.
//
// A [Log] appends, a [Reader] reads what a log shows and believes none of it
// unverified, a [Policy] judges a [Receipt], a [Monitor] follows a log and notices
// when it shows another past, and a [Witness] co-signs checkpoints of logs that
// do not.
//
// # Files
//
//	checkpoint                      the published one, as the log's handler serves it
//	tile/<level>/<n>[.p/<width>]    256 hashes, or fewer at the right edge
//	tile/entries/<n>[.p/<width>]    the entries of the level-0 tile of that number
//	staging/<from>-<to>-<root>      the entries of a commit that is under way
//
// All of them but the checkpoint are immutable [Files]. Staged entries and partial
// tiles are removed when the tiles, and the full ones, are there. What changes is the
// [Head], one small record that is replaced by compare-and-swap: the committed
// checkpoint, the tree whose tiles are all there, and the published checkpoint, which
// has the cosignatures that the log requires.
//
// # What holds after a crash
//
// A batch of entries is staged under the sizes before and after it and the root that
// the tree will have. Then the head is swapped to the checkpoint of that root, then
// tiles are written, then the head is swapped to say so. Before the first swap nothing
// has happened: what was staged is of no use, and another batch is staged under
// another name. After it the entries are in the log: whoever opens the log next finds
// the head without tiles, makes them of what is staged, checks that they have the root
// that was signed, and goes on. So no tile ever has two contents, no two checkpoints
// disagree, and an entry that was acknowledged stays. Two processes may write one log:
// the one whose swap loses reads what the other committed, and stages again what is
// still missing.
//
// An entry is in the log once: it is looked up by its leaf hash among those of the
// level-0 tiles, which are read and verified when the log is opened and whenever
// somebody else wrote. They are held in memory, which bounds a log; see [Options].
//
// A storage that is set back as a whole, by a backup, forgets what was acknowledged
// since. A running log notices, and so do monitors and witnesses; a log that is opened
// afterwards cannot.
//
// # Cosignatures
//
// Witnesses are asked after the commit, never before. Where too few of them
// answer, the entry is in the log all the same, its receipt says so with a
// [*WitnessError] beside it, and the published checkpoint stays the last one that
// had enough. [Log.Publish], the next batch, and submitting the entry once more
// ask again.
package tlog

import (
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrNotFound    error = fault.NotFound
	ErrConflict    error = fault.Conflict
	ErrUnavailable error = fault.Unavailable // submit again: what is in the log already stays one entry
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch
)

// The limits of a log and of what is read of one.
const (
	MaxEntry      = 1<<16 - 1 // bytes; what an entry bundle can say
	MaxSize       = 1 << 60   // entries of a tree; the arithmetic of proofs ends soon after
	MaxCheckpoint = 64 << 10  // bytes of a checkpoint with its signatures
	MaxSignatures = 100       // of a checkpoint
	MaxOrigin     = 255       // bytes of an origin or the name of a key
	MaxProof      = 63        // hashes of a proof
	MaxExtra      = 64 << 10  // bytes of a receipt's extra data
	MaxReceipt    = 192 << 10 // bytes of an encoded receipt
	MaxKeys       = 256       // of a policy: logs and witnesses together
	MaxBatchBytes = 8 << 20   // of entries in one commit
)

// The defaults of [Options].
const (
	DefaultMaxDelay       = 20 * time.Millisecond
	DefaultMaxBatch       = 1024
	DefaultMaxPending     = 1 << 16
	DefaultMaxEntries     = 1 << 22
	DefaultWitnessTimeout = 5 * time.Second
)

// Width is how many hashes a full tile has.
const Width = 1 << height

// height is the height of tiles.
const height = 8
