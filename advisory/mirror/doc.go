// Package mirror publishes snapshots of advisories as a signed feed, and keeps
// a client's snapshot up to date from one: over the network, from a folder, or
// from an archive that was carried to a closed network.
//
// A mirror is a folder of files that any web server can serve; package
// attest/role says how they are signed. [Publisher] writes one, [Client] reads
// one. What is published is a manifest, the segments and overlays that it names,
// and deltas to it from the snapshots before: a client reads a delta where there
// is one from what it has, and otherwise the segments that it does not have. The
// result has the digest that the signed manifest has, or is refused. A set of VEX
// statements may be published beside it.
//
// A registry keeps a mirror as an artifact: [Publisher.Parts] are its layers, and
// [FromParts] makes a source of them.
//
// A client refuses by name what a mirror that lies could try: an older release,
// one that does not expire, parts of different releases, endless files, keys
// that are not enough. Until it has a better one it keeps the snapshot that it
// has, whose age matching judges.
package mirror

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for errors.Is. What a signature
// or a role refuses is a role.Error with its reason.
var (
	ErrInvalid     error = fault.Invalid
	ErrMismatch    error = fault.Mismatch
	ErrNotFound    error = fault.NotFound
	ErrUnavailable error = fault.Unavailable
	ErrForbidden   error = fault.Forbidden
	ErrLimit       error = fault.Limit
	ErrConflict    error = fault.Conflict
)

// The names of targets.
const (
	manifestName = "manifest.json"
	objectPrefix = "objects/"
	deltaPrefix  = "deltas/"
)

const (
	maxManifest = 32 << 20
	maxObject   = 4 << 30
)

// about is what the manifest's target says beside its digest.
type about struct {
	Digest string `json:"digest"` // of the snapshot
	Number int64  `json:"number"` // of the head that it is, 0 where nobody counts
}

// hexOf cuts a digest to its hexadecimal digits, which are part of names.
func hexOf(digest string) string { return digest[len("sha256:"):] }
