// Package role verifies and publishes feeds whose files come from places that
// nobody trusts: mirrors, caches, disks that were carried into a closed network.
// Four roles share the work, as in The Update Framework (TUF 1.0, section 5),
// each with its own keys and a threshold of distinct ones:
//
//	root       says who holds the roles; changed by old and new holders together
//	targets    names the feed's files with length and digest: what is true
//	snapshot   names the one targets metadata that goes with it
//	timestamp  names the newest snapshot, and expires soon: what is current
//
// A client keeps a [State], a value that is stored as one JSON text. [State.Update]
// reads what a [Source] has, and gives a newer state and the [Release] that all
// four roles agree on, or an [Error] that names the attack. The state that comes
// back is kept in every case: it never knows less than before. Time is an
// argument; keeping it from running backwards is the caller's.
//
// A publisher keeps a State too: [State.Publish] makes the next metadata and has
// its own client accept them before anybody sees them.
//
// # Files
//
//	1.root.json 2.root.json …   every root there was; a mirror keeps them all
//	timestamp.json              the only name whose content changes
//	7.snapshot.json
//	7.targets.json
//	sha256/<64 hexadecimal>     content of targets
//
// Write them in the order content, targets, snapshot, timestamp: a reader in
// between finds the old release or the new one.
//
// # Format
//
// The format is this package's own; it is not TUF's. Each metadata file is a DSSE
// envelope (package dsse) whose payload type names the role,
// application/vnd.stella.role.root+json and so on, so no signature of one role
// is one of another. Payloads are canonical JSON (RFC 8785) and nothing else.
// All have
//
//	"format": 1, "feed": name, "version": 1 to 2^53-1, "expires": "2027-01-31T00:00:00Z"
//
// and, besides,
//
//	root       "roles": {role: {"keys": [base64 of SubjectPublicKeyInfo], "threshold": n}}, all four
//	timestamp  "snapshot": {"digest": "sha256:…", "length": bytes, "version": n} of the file
//	snapshot   "targets": the same
//	targets    "targets": {name: {"custom": any JSON, "digest": "sha256:…", "length": bytes}}
//
// Keys have no ids: there is nothing to confuse. The feed's name is in every
// payload, so keys that hold two feeds cannot be used to pass one off as the
// other. A member that this package does not know, and another format, are
// refused: what they restrict could not be honoured. What a feed wants to say in
// addition goes into custom.
//
// # Recovery
//
// A stolen key below the threshold of its role does nothing. Where an attacker
// had enough keys to run versions far ahead, a new root without those keys ends
// it: a client forgets the versions of what the new root's holders did not sign.
package role

import (
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is. Each [Reason] is
// of one kind.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrNotFound    error = fault.NotFound
	ErrConflict    error = fault.Conflict
	ErrUnavailable error = fault.Unavailable
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch
)

// The limits of a feed.
const (
	MaxRootFile      = 512 << 10 // bytes
	MaxTimestampFile = 64 << 10  // bytes
	MaxSnapshotFile  = 64 << 10  // bytes
	MaxTargetsFile   = 32 << 20  // bytes
	MaxRotations     = 256       // new roots in one update; the next one goes on
	MaxKeys          = 32        // of a role
	MaxTargets       = 1 << 16   // in a release
	MaxName          = 512       // bytes of a target's name
	MaxFeed          = 128       // bytes of a feed's name
	MaxCustom        = 64 << 10  // bytes of a target's custom JSON
	MaxVersion       = 1<<53 - 1 // the largest whole number that JSON keeps
	MaxState         = 48 << 20  // bytes of an encoded State
)
