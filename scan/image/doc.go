// Package image opens container images wherever they are kept: a registry, a
// docker-archive, an OCI layout or an archive of one, the Docker daemon, or a
// directory. Nothing is unpacked: what comes back is an image description whose
// layers are read when a scanner asks for them. It also writes documents to registries
// and layouts.
//
// A tag is resolved once; everything after it goes by digest. Every document on
// the way (index, manifest, config) is compared with the digest and size it was
// named by and parsed strictly, so that two readers cannot understand it in two
// ways. The bytes of layers are compared by the pass that reads them.
//
// The same image gives the same Subject whichever source it comes from. What
// differs between sources is kept apart in Source.
//
// What is said about an image is kept beside it: [Attach] and [Attestations] write and
// find documents that refer to it. [Push] and [Pull] keep and fetch artifacts by
// themselves. Both work on registries and on OCI layouts, add nothing of their own
// (no clock, no host), and end in the same digests however often they are done again.
//
// All text inside an image (history lines, names, platforms) is data from a
// stranger. It is kept as it is and never interpreted; a document that has a NUL
// in text that is kept is refused.
package image

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for use with [errors.Is].
var (
	ErrInvalid         error = fault.Invalid         // a document or reference breaks its format
	ErrUnsupported     error = fault.Unsupported     // well formed, but nothing this package reads
	ErrNotFound        error = fault.NotFound        // no such image, blob, platform or file
	ErrUnauthenticated error = fault.Unauthenticated // credentials are missing or were refused
	ErrForbidden       error = fault.Forbidden       // a registry or the network policy says no
	ErrUnavailable     error = fault.Unavailable     // the same call may succeed later
	ErrLimit           error = fault.Limit           // one of Limits was reached
	ErrMismatch        error = fault.Mismatch        // content is not what its digest or size says
)
